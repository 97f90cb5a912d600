"""One wait for what others tell of, and the error of one that has been too long."""

from __future__ import annotations

from typing import Final

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.bare import raise_bare
from .._exits.call_errors import TimedOut
from .._util.public import public

# What `CallingSelf` tells of one who waits for its own init, and what to do instead.
OWN_INIT: Final = "waits in its init for that to be over"
AFTER_INIT: Final = "do it later, as in handle_continue"


@public
class WaitTimeout(TimedOut):
    """What was waited for has not come in time; the text says how far it has come.

    Attributes:
        ref: the name, or the supervisor, that was waited for.
        elapsed: seconds.
    """

    def __init__(self, text: str, ref: object, elapsed: float) -> None:
        super().__init__(text)
        self.ref = ref
        self.elapsed = elapsed


class Wait:
    """One wait for what others tell of: an event, or what went wrong instead."""

    __slots__ = ("_error", "_event")

    def __init__(self) -> None:
        self._event = trio.Event()
        self._error: BaseException | None = None

    @enable_ki_protection
    def over(self) -> None:
        """End it."""
        self._event.set()

    @enable_ki_protection
    def failed(self, error: BaseException) -> None:
        """End it with an error."""
        self._error = error
        self._event.set()

    async def wait(self) -> None:
        """Wait, once or again; it is no checkpoint if what is waited for has been told already."""
        if not self._event.is_set():
            await self._event.wait()
        self._event = trio.Event()
        error, self._error = self._error, None
        try:
            if error is not None:
                raise_bare(error)
        finally:
            del error  # else the frame and the traceback keep each other alive
