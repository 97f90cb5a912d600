"""What wakes a supervisor when the wait of a restart is over, and the chance behind its jitter."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from .._exits.remembered import remembered
from .._process.runtime import runtime
from .._process.timers import Timer
from .._util.copies import create
from .data import RestartDue

if TYPE_CHECKING:
    from .._process.process import Process
    from .delays import Wait

_GENERATOR: Final = "jitter of restarts"  # in the extras of a run, a Random


class Alarms:
    """The timers of one supervisor: each puts a message into its mailbox when a wait is over."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._timers: dict[Wait, Timer] = {}

    def set(self, wait: Wait) -> None:
        """Set the timer of a wait; what it keeps of a crash holds nothing of the dead child."""
        wait.reason = remembered(wait.reason)
        timer = create(Timer, wait.due, partial(self._ring, wait), self._process)
        self._timers[wait] = timer
        self._process.add_timer(timer)
        self._process.runtime.timers.add(timer)

    def cancel(self, wait: Wait) -> None:
        """Forget a wait; one that is over already will find nobody waiting."""
        timer = self._timers.pop(wait, None)
        if timer is not None:
            self._process.remove_timer(timer)
            self._process.runtime.timers.cancel(timer)

    def _ring(self, wait: Wait, timer: Timer) -> None:
        del self._timers[wait]
        self._process.remove_timer(timer)
        self._process.mailbox.put(RestartDue(wait))


def generator() -> Random:
    """Return the generator that all jitter of this run is drawn from."""
    extras = runtime().extras
    if _GENERATOR not in extras:
        extras[_GENERATOR] = Random()  # noqa: S311 - it keeps no secret
    found: Random = extras[_GENERATOR]
    return found


def chance() -> float:
    """Return a number from 0 up to 1."""
    return generator().random()
