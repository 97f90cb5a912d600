"""Messages and exit signals that arrive later.

Follows: `Process.send_after/4`, `Process.cancel_timer/2`, `Process.read_timer/1`, Erlang's `timer`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, overload

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.reasons import KILL
from .._process.names import check_reference, find_even_exiting, find_living
from .._process.pid import Pid
from .._process.runtime import need_process, runtime
from .._process.timers import Timer
from .._util.bounded import bounded
from .._util.checks import check_flag, is_seconds
from .._util.copies import create
from .._util.public import public
from ..events import NoticeReport

if TYPE_CHECKING:
    from .._process.names import Ref
    from .._process.process import Process


@public
@enable_ki_protection
def send_after(ref: Ref, message: object, delay: float, *, absolute: bool = False) -> Timer:
    """Send a plain message after some time.

    It outlives its setter. A message to a pid is cancelled when that process dies; a name is
    resolved when the time has come, and nobody behind it then means nothing is sent.

    Args:
        ref: who gets the message.
        message: anything.
        delay: seconds from now; 0 still goes through the mailbox.
        absolute: `delay` is a time of `trio.current_time()` instead; one that is over is now.

    Returns:
        The handle for `cancel_timer` and `read_timer`.

    Raises:
        ValueError: the delay is not a finite number, or negative and not `absolute`.
        TypeError: `ref` is not a reference, or `absolute` no bool.

    >>> import trio, trio.testing, trio_otp as otp
    >>> async def main():
    ...     async with otp.open_process(trap_exit=True) as me:
    ...         otp.send_after(me, "at noon", 12.0, absolute=True)
    ...         otp.exit_after(13.0, "lunch")
    ...         for _ in range(2):
    ...             print(await otp.receive(), "at", trio.current_time())
    >>> trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    at noon at 12.0
    Exit(pid=None, reason='lunch') at 13.0

    Follows: `Process.send_after/4`.
    """
    check_flag("absolute", absolute)
    return _set(_Delivery(ref, message), delay, absolute)


@overload
def exit_after(delay: float, reason: object, /) -> Timer: ...
@overload
def exit_after(delay: float, ref: Ref, reason: object, /) -> Timer: ...
@public
@enable_ki_protection
def exit_after(delay: float, first: Any, /, *rest: object) -> Timer:
    """Send an exit signal after some time, as `otp.exit(ref, reason)` then does.

    `otp.exit_after(delay, reason)` sends it to the process that this code runs in. It comes from
    nobody: one that traps exits gets `Exit(None, reason)`. It outlives its setter. One to a pid is
    cancelled when that process dies; a name is resolved when the time has come.

    Args:
        delay: seconds from now.
        first: the reason, if it is the last argument; else who gets the signal.
        *rest: the reason of the signal.

    Returns:
        The handle for `cancel_timer` and `read_timer`.

    Raises:
        ValueError: the delay is negative or no finite number.
        TypeError: `ref` is not a reference, or there are more than three arguments.
        NotAProcess: `otp.exit_after(delay, reason)` in plain Trio code.

    Follows: `timer:exit_after/3`.
    """
    if not rest:
        me = need_process("otp.exit_after(delay, reason)")
        return _set(_Signal(me.pid, first), delay)
    reason, *more = rest
    if more:
        text = "expected otp.exit_after(delay, reason) or otp.exit_after(delay, ref, reason)"
        raise TypeError(f"exit_after() got {2 + len(rest)} arguments; {text}")
    return _set(_Signal(first, reason), delay)


@public
@enable_ki_protection
def kill_after(delay: float, ref: Ref | None = None) -> Timer:
    """Kill a process after some time, as `otp.exit(ref, otp.KILL)` then does.

    Args:
        delay: seconds from now.
        ref: who is killed; None is the process that this code runs in.

    Returns:
        The handle for `cancel_timer` and `read_timer`.

    Raises:
        ValueError, TypeError: as `exit_after`.
        NotAProcess: without `ref` in plain Trio code.

    Follows: `timer:kill_after/2`.
    """
    if ref is None:
        ref = need_process("otp.kill_after(delay)").pid
    return _set(_Signal(ref, KILL), delay)


def _set(shot: Shot, delay: Any, absolute: bool = False) -> Timer:
    """Set a timer; what is for a pid ends with that process, and is over if it is dead."""
    if absolute:
        check_time(delay)
    else:
        check_delay(delay)
    check_reference(shot.dest)
    timers = runtime().timers
    timer = create(Timer, float(delay) + (0.0 if absolute else trio.current_time()), shot)
    if shot.dest.__class__ is Pid:
        owner = find_living(shot.dest)
        if owner is None:
            timer.live = False
            timer.let_go()
            return timer
        own(timer, owner)
    timers.add(timer)
    return timer


@public
@enable_ki_protection
def cancel_timer(timer: Timer) -> float | None:
    """Take a message back that has not been sent.

    Args:
        timer: what `send_after`, `exit_after`, `kill_after`, `send_interval`, `apply_after` or
            `apply_interval` returned.

    Returns:
        The seconds that were left, or None if it had been sent or cancelled before.

    Raises:
        TypeError: `timer` is something else.

    Follows: `Process.cancel_timer/1`.
    """
    left, owner = read_timer(timer), timer.owner  # which a timer that is over knows no more
    runtime().timers.cancel(timer)
    if owner is not None:
        owner.remove_timer(timer)
    return left


@public
def read_timer(timer: Timer) -> float | None:
    """Return the seconds that are left, or None if the message was sent or cancelled.

    Args:
        timer: as of `cancel_timer`.

    Raises:
        TypeError: `timer` is something else.

    Follows: `Process.read_timer/1`.
    """
    if not isinstance(timer, Timer):
        accepted = "what otp.send_after or otp.send_interval returned"
        raise TypeError(f"timer={bounded(timer)}: expected {accepted}")
    runtime()  # NotInRun where there is none
    return max(0.0, timer.deadline - trio.current_time()) if timer.live else None


def check_time(time: object) -> None:
    """Refuse an absolute time that is not a finite number."""
    if isinstance(time, bool) or not isinstance(time, int | float) or not math.isfinite(time):
        accepted = "a finite time of trio.current_time() with absolute=True"
        raise ValueError(f"delay={bounded(time)}: expected {accepted}")


class Shot:
    """What a timer does when its time has come: it hands something to a process."""

    __slots__ = ("dest", "what")
    name: ClassVar[str]

    def __init__(self, ref: object, what: object) -> None:
        self.dest = ref
        self.what = what

    def __call__(self, timer: Timer) -> None:
        """Do what the timer is for."""
        process: Process | None = timer.owner
        if process is None:
            process = self._find()
        else:
            process.remove_timer(timer)
        if process is None or not self._can_reach(process):
            runtime().drop(self.dest, self.what, f"{self.name} to nobody")
        else:
            self._reach(process)

    def _can_reach(self, process: Process) -> bool:
        return process.alive

    def _reach(self, process: Process) -> None:
        raise NotImplementedError  # each kind of timer has its own

    def _find(self) -> Process | None:
        """Resolve a name; the error of a user's registry must not end the timer service."""
        try:
            return find_even_exiting(self.dest)
        except Exception as exc:
            text = f"{self.name} could not resolve {bounded(self.dest)}: {bounded(exc)}"
            runtime().events.emit("notice", NoticeReport(None, text))
            return None


class _Delivery(Shot):
    """Sends a message."""

    __slots__ = ()
    name = "send_after"

    def _reach(self, process: Process) -> None:
        process.mailbox.deliver(self.what)


class _Signal(Shot):
    """Sends an exit signal."""

    __slots__ = ()
    name = "exit_after"

    def _can_reach(self, process: Process) -> bool:
        """Check whether a process lives, or dies, which a kill outdoes."""
        return process.alive or (self.what is KILL and not process.dead)

    def _reach(self, process: Process) -> None:
        process.signal(None, self.what)


def own(timer: Timer, owner: Process) -> None:
    """End a timer with a process."""
    timer.owner = owner
    owner.add_timer(timer)


def check_delay(delay: object, name: str = "delay") -> None:
    """Refuse a delay that is not a finite number of seconds from 0 up."""
    if not is_seconds(delay) or delay == math.inf:
        raise ValueError(f"{name}={bounded(delay)}: expected a finite number of seconds >= 0")
