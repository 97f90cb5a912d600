"""Messages that arrive again and again, and functions that run later or again and again.

Each time is counted from the first one, so an interval does not drift. A loop that was held up
catches up: no message is left out. Follows: Erlang's `timer`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeVarTuple

import trio
from trio.lowlevel import enable_ki_protection

from .._process.names import find_living, need_living
from .._process.nursery import nursery_for, nursery_of
from .._process.pid import Pid
from .._process.runtime import own_process, runtime
from .._process.timers import Timer
from .._start.spec import Runnable
from .._start.start import Start
from .._util.async_functions import check_async, expect_awaitable
from .._util.bounded import bounded, label_of
from .._util.checks import is_seconds
from .._util.copies import create
from .._util.public import public
from .send_after import cancel_timer, check_delay, own

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .._process.names import Ref
    from .._process.process import Process

Ts = TypeVarTuple("Ts")
SHORTEST: Final = 0.001  # seconds, as in OTP


@public
@enable_ki_protection
def send_interval(ref: Ref, message: object, period: float) -> Timer:
    """Send a plain message again and again, for the first time after one period.

    It goes to the process that is behind the reference now, and ends with that.

    Args:
        ref: who gets the messages; to a dead pid none is sent.
        message: anything; it is the same object each time.
        period: seconds from one to the next, at least 0.001.

    Returns:
        The handle for `cancel_timer` and `read_timer`, which tell the time to the next message.

    Raises:
        ValueError: the period is not a finite number, or is too short.
        NoProcess: `ref` is a name that nobody has.
        TypeError: `ref` is not a reference.

    >>> import trio, trio.testing, trio_otp as otp
    >>> async def report(word):
    ...     print(word, "at", round(trio.current_time()))
    >>> async def main():
    ...     async with otp.open_process() as me:
    ...         otp.apply_after(3.5, report, "once")
    ...         timer = otp.send_interval(me, "tick", 2.0)
    ...         for _ in range(2):
    ...             await report(await otp.receive(str))
    ...         otp.cancel_timer(timer)
    >>> trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    tick at 2
    once at 4
    tick at 4

    Follows: `timer:send_interval/3`.
    """
    _check_period(period)
    process = find_living(ref)
    if process is None and not isinstance(ref, Pid):
        process = need_living(ref)
    timer = _Interval(period, _Send(message)).timer
    if process is None:
        timer.live = False
        return timer
    own(timer, process)
    runtime().timers.add(timer)
    return timer


@public
@enable_ki_protection
def apply_after(
    delay: float,
    fn: Callable[[*Ts], Awaitable[object]],
    *args: *Ts,
    nursery: trio.Nursery | None = None,
) -> Timer:
    """Run an async function later, in a process of its own, linked to nobody.

    It outlives its maker. A crash is logged. If its nursery is closed by then, the function
    does not run, which is counted as a dropped message.

    Args:
        delay: seconds from now.
        fn: the async function.
        *args: what it is called with.
        nursery: where the process lives; needed in plain Trio code. Without it, it lives where
            the running process does.

    Returns:
        The handle for `cancel_timer` and `read_timer`.

    Raises:
        ValueError: the delay is negative or no finite number.
        TypeError: `fn` is not an async function, or does not take `args`.
        NotAProcess: in plain Trio code without `nursery`.

    Follows: `timer:apply_after/4`.
    """
    check_delay(delay)
    here = runtime()
    timer = create(Timer, here.now() + delay, _Run("apply_after", fn, args, nursery))
    here.timers.add(timer)
    return timer


@public
@enable_ki_protection
def apply_interval(
    period: float,
    fn: Callable[[*Ts], Awaitable[object]],
    *args: *Ts,
    nursery: trio.Nursery | None = None,
) -> Timer:
    """Run an async function again and again, each time in a process of its own.

    The next one starts at its time, whether the one before it has ended or not. The interval ends
    with the process that sets it; that of plain Trio code ends with its nursery.

    Args:
        period: seconds from one start to the next, at least 0.001.
        fn: the async function.
        *args: what it is called with.
        nursery: as of `apply_after`.

    Returns:
        The handle for `cancel_timer` and `read_timer`.

    Raises:
        ValueError: the period is not a finite number, or is too short.
        TypeError: `fn` is not an async function, or does not take `args`.
        NotAProcess: in plain Trio code without `nursery`.

    Follows: `timer:apply_interval/4`.
    """
    _check_period(period)
    timer = _Interval(period, _Run("apply_interval", fn, args, nursery)).timer
    process = own_process()
    if process is not None:
        own(timer, process)
    runtime().timers.add(timer)
    return timer


class _Interval:
    """What an interval does at each of its times: it sets the next one, then acts."""

    __slots__ = ("act", "count", "period", "start", "timer")

    def __init__(self, period: float, act: Callable[[Timer], bool]) -> None:
        self.period = period
        self.act = act
        self.start = trio.current_time()
        self.count = 1  # of the time that is next
        self.timer = create(Timer, self.start + period, self)

    def __call__(self, timer: Timer) -> None:
        self.count += 1
        timer.deadline = self.start + self.count * self.period
        timer.live = True
        runtime().timers.add(timer)
        if not self.act(timer):
            cancel_timer(timer)


class _Send:
    """Sends a message to the owner of a timer."""

    __slots__ = ("message",)

    def __init__(self, message: object) -> None:
        self.message = message

    def __call__(self, timer: Timer) -> bool:
        process: Any = timer.owner
        if process.alive:  # else its end is near, and that of the timer
            process.mailbox.deliver(self.message)
        return True


class _Run:
    """Starts a process that runs a function; tells whether it could."""

    __slots__ = ("args", "fn", "start", "what")

    def __init__(
        self,
        what: str,
        fn: Callable[..., Awaitable[object]],
        args: tuple[Any, ...],
        nursery: trio.Nursery | None,
    ) -> None:
        check_async(fn, args, f"{what}(seconds, fn, *args)")
        self.what = what
        self.fn = fn
        self.args = args
        ordered = nursery_for(nursery, f"otp.{what}")
        self.start = Start(Runnable(label_of(fn), self._body), ordered, own_process())

    async def _body(self, _: Process) -> None:
        await expect_awaitable(self.fn, self.fn(*self.args))

    def __call__(self, timer: Timer) -> bool:
        ordered = self.start.nursery
        try:
            if ordered.trio_nursery.cancel_scope.cancel_called:
                raise RuntimeError("the nursery is cancelled")
            if ordered.guarded:  # the guard may have left in the meantime
                self.start.nursery = nursery_of(ordered.runtime, ordered.trio_nursery)
            self.start.create()
        except RuntimeError:  # of a nursery that takes nobody any more
            runtime().drop(self.fn, self.args, f"{self.what} in a nursery that is closed")
            return False
        return True


def _check_period(period: Any) -> None:
    if not is_seconds(period) or not SHORTEST <= period < math.inf:
        accepted = f"a finite number of seconds >= {SHORTEST}"
        raise ValueError(f"period={bounded(period)}: expected {accepted}")
