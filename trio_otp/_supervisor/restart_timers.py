"""The timers of restarts that wait: each wakes its supervisor when the back-off is over."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .._exits.remembered import remembered
from .._process.timers import Timer
from .._util.copies import create
from .data import RestartDue

if TYPE_CHECKING:
    from .._process.process import Process
    from .delays import Wait


class RestartTimers:
    """The timers of one supervisor: each puts a message into its mailbox when a wait is over."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._timers: dict[Wait, Timer] = {}

    def set(self, wait: Wait) -> None:
        """Set the timer of a wait, whose reason keeps no frames of the dead child alive."""
        wait.reason = remembered(wait.reason)
        timer = create(Timer, wait.due, partial(self._expire, wait), self._process)
        self._timers[wait] = timer
        self._process.add_timer(timer)
        self._process.runtime.timers.add(timer)

    def cancel(self, wait: Wait) -> None:
        """Cancel the timer of a wait; if it is over already, its message finds nothing waiting."""
        timer = self._timers.pop(wait, None)
        if timer is not None:
            self._process.remove_timer(timer)
            self._process.runtime.timers.cancel(timer)

    def _expire(self, wait: Wait, timer: Timer) -> None:
        del self._timers[wait]
        self._process.remove_timer(timer)
        self._process.mailbox.put(RestartDue(wait))
