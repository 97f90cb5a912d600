"""An async function that runs in the loop of the program, for the observer in its thread."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import outcome
import trio
from trio.lowlevel import enable_ki_protection

from ..._exits.bare import has_cancellation
from ..hub import ANSWER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..hub import Hub

NAME: Final = "<asked by the observer>"


class LoopTask:
    """One call of an async function in the loop of the program, as a system task of its run.

    Args:
        function: what is called there.
    """

    def __init__(self, function: Callable[[], Awaitable[Any]]) -> None:
        self.over: trio.Event = trio.Event()  # in the thread of the observer
        self._function = function
        self._here = trio.lowlevel.current_trio_token()
        self._scope = trio.CancelScope()  # in the loop of the program
        self._result: outcome.Outcome[Any] | None = None

    async def wait(self, hub: Hub, seconds: float = ANSWER) -> outcome.Outcome[Any] | None:
        """Begin, and return what has come of it; None if it still runs after so many seconds.

        Raises:
            Refused: the loop did not come to it, and it is not done at all.
        """
        await hub.in_loop(self._begin, seconds)
        with trio.move_on_after(seconds):
            await self.over.wait()
        return self._result

    def cancel(self) -> None:
        """Cancel it; in the loop of the program."""
        self._scope.cancel(reason="the observer waits no longer")

    def _begin(self) -> None:
        trio.lowlevel.spawn_system_task(self._run, name=NAME)

    @enable_ki_protection
    async def _run(self) -> None:
        """Call it; nothing that it raises may reach Trio, which would end the program."""
        try:
            with self._scope:
                self._result = outcome.Value(await self._function())
        except BaseException as exc:  # noqa: ASYNC103 - a cancellation passes through
            if has_cancellation(exc):  # of the end of the run
                raise
            self._result = outcome.Error(exc)
        finally:
            with suppress(trio.RunFinishedError):
                self._here.run_sync_soon(self.over.set)
