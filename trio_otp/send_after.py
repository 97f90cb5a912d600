"""Messages that arrive later.

Follows: `Process.send_after/4`, `Process.cancel_timer/2`, `Process.read_timer/1`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import enable_ki_protection

from .bounded import bounded
from .events import NoticeReport
from .names import check_reference, find
from .pid import Pid
from .request import is_seconds
from .runtime import runtime
from .timers import Timer

if TYPE_CHECKING:
    from .names import Ref
    from .process import Process


@enable_ki_protection
def send_after(dest: Ref, message: Any, delay: float) -> Timer:
    """Send a plain message after some time.

    It outlives its setter. A message to a pid is cancelled when that process dies; a name is
    resolved when the time has come, and nobody behind it then means nothing is sent.

    Args:
        dest: who gets the message.
        message: anything.
        delay: seconds from now; 0 still goes through the mailbox.

    Returns:
        The handle for `cancel_timer` and `read_timer`.

    Raises:
        ValueError: the delay is negative or no finite number.
        TypeError: `dest` is no reference.

    Follows: `Process.send_after/4`.
    """
    check_delay(delay)
    check_reference(dest)
    timers = runtime().timers
    timer = Timer(trio.current_time() + delay, _Delivery(dest, message))
    owner = find(dest) if isinstance(dest, Pid) else None
    if isinstance(dest, Pid):
        if owner is None:
            timer.live = False
            return timer
        own(timer, owner)
    timers.add(timer)
    return timer


@enable_ki_protection
def cancel_timer(timer: Timer) -> float | None:
    """Take a message back that has not been sent.

    Args:
        timer: what `send_after`, `send_interval`, `apply_after` or `apply_interval` returned.

    Returns:
        The seconds that were left, or None if it had been sent or cancelled before.

    Raises:
        TypeError: `timer` is something else.

    Follows: `Process.cancel_timer/1`.
    """
    left = read_timer(timer)
    runtime().timers.cancel(timer)
    if timer.owner is not None:
        timer.owner.timers.pop(timer, None)
    return left


def read_timer(timer: Timer) -> float | None:
    """Tell the seconds that are left, or None if the message was sent or cancelled.

    Args:
        timer: as of `cancel_timer`.

    Raises:
        TypeError: `timer` is something else.

    Follows: `Process.read_timer/1`.
    """
    if not isinstance(timer, Timer):
        accepted = "what otp.send_after or otp.send_interval returned"
        raise TypeError(f"timer={bounded(timer)}: accepted is {accepted}")
    runtime()  # NotInRun where there is none
    return max(0.0, timer.deadline - trio.current_time()) if timer.live else None


class _Delivery:
    """What a timer does when its time has come."""

    __slots__ = ("dest", "message")

    def __init__(self, dest: Any, message: Any) -> None:
        self.dest = dest
        self.message = message

    def __call__(self, timer: Timer) -> None:
        process: Process | None = timer.owner
        if process is None:
            process = self._find()
        else:
            process.timers.pop(timer, None)
        if process is None or not process.alive:
            runtime().drop(self.dest, self.message, "send_after to nobody")
        else:
            process.mailbox.put(self.message)

    def _find(self) -> Process | None:
        """Resolve a name; the error of a user's registry must not end the timer service."""
        try:
            return find(self.dest)
        except Exception as exc:
            text = f"send_after could not resolve {bounded(self.dest)}: {bounded(exc)}"
            runtime().events.emit("notice", NoticeReport(None, text))
            return None


def own(timer: Timer, owner: Process) -> None:
    """Let a timer end with a process."""
    timer.owner = owner
    owner.timers[timer] = None


def check_delay(delay: object, name: str = "delay") -> None:
    """Refuse a delay that is no finite number of seconds from 0 up."""
    if not is_seconds(delay) or delay == math.inf:
        raise ValueError(f"{name}={bounded(delay)}: accepted is a finite number of seconds >= 0")
