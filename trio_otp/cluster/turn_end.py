"""What is written at the end of a turn of the scheduler: all that was sent in it, at once.

A task for that would cost each message two turns more, and a demonitor of its own a packet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import enable_ki_protection

if TYPE_CHECKING:
    from collections.abc import Callable

_IDLE: Final = 100  # turns with nothing to write, after which Trio is not asked to tell of more
_PUT_OFF: Final = 4  # turns for which what is not urgent waits for something to go along with


class TurnEnd:
    """Calls functions at the end of a turn; they may wake no task, nor raise.

    Trio tells of it, before it waits: it is an instrument, as long as there is something to do.
    """

    def __init__(self) -> None:
        self._due: dict[Callable[[], object], None] = {}
        self.is_urgent: bool = False
        self._waited = 0
        self._idle = 0
        self._is_told = False

    @enable_ki_protection
    def call_soon(self, function: Callable[[], object], *, urgent: bool) -> None:
        """Call a function at the end of this turn; if it is not urgent, maybe some turns later.

        It is called in any case before the loop waits.
        """
        self._due[function] = None
        self.is_urgent = self.is_urgent or urgent
        if not self._is_told:
            self._is_told = True
            trio.lowlevel.add_instrument(self)  # type: ignore[arg-type]  # the hooks it has will do

    @enable_ki_protection
    def before_io_wait(self, timeout: float) -> None:
        """Take note of the end of a turn; without a time-out, another one follows at once."""
        if not self._due:
            self._idle += 1
            if self._idle > _IDLE:
                self.close()
        elif self.is_urgent or timeout > 0 or self._waited == _PUT_OFF:
            self.call()
        else:
            self._waited += 1

    @enable_ki_protection
    def call(self) -> None:
        """Call what is due, urgent or not."""
        due, self._due = self._due, {}
        self.is_urgent, self._waited, self._idle = False, 0, 0
        for function in due:
            function()

    @enable_ki_protection
    def close(self) -> None:
        """Do nothing at the end of turns any more, until there is something again."""
        self._idle = 0
        if self._is_told:
            self._is_told = False
            trio.lowlevel.remove_instrument(self)  # type: ignore[arg-type]  # as above
