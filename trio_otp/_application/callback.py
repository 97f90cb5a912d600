"""A callback of the user at the end of an application: reported if it raises, cut if it must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from .._exits.bare import unwrap
from .._process.runtime import runtime
from .._util.user_code import call_back
from ..events import CrashReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.pid import Pid


class Callback:
    """Runs callbacks one at a time.

    Args:
        failed: called when one has raised or was cut.
        name: the application they belong to, if any.
        shield: whether a cancellation from outside leaves them alone.
    """

    def __init__(
        self, failed: Callable[[], None], name: str | None = None, *, shield: bool = True
    ) -> None:
        self._shield = shield
        self._failed = failed
        self._name = name
        self._scope: trio.CancelScope | None = None
        self._was_cut = False

    def cut(self) -> None:
        """Cancel the callback that runs, and those to come at their first checkpoint."""
        self._was_cut = True
        if self._scope is not None:
            self._scope.cancel(reason="cut short")

    async def run(self, callback: Callable[[], Any], what: str, pid: Pid | None = None) -> None:
        """Run a callback; `what` and `pid` say in a report which it was, and of whom."""
        with trio.CancelScope(shield=self._shield) as self._scope:
            if self._was_cut:
                self._scope.cancel(reason="cut short")
            try:
                await call_back(callback)
            except Exception as exc:
                self._failed()
                label = what if self._name is None else f"{self._name}.{what}"
                runtime().events.emit("crash", CrashReport(pid, self._name, label, unwrap(exc)))
        if self._scope.cancelled_caught:
            self._failed()
        self._scope = None
