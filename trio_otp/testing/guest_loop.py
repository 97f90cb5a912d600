"""A Trio run inside of plain code: it goes on while one of its methods runs, and stands still else.

hypothesis calls the rules of a state machine one after another, and none of them may be async. So
the run is a guest of the code that calls: its loop hands over what is to be done next, and nobody
does that until a method here is called. Time is virtual, and passes only when it has to.

Follows: Trio's manual, "Using 'guest mode' to run Trio on top of other event loops".
"""

from __future__ import annotations

import inspect
from functools import partial
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Final,
    Generic,
    Self,
    TypeVar,
    TypeVarTuple,
    cast,
    final,
)

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from .._exits.nurseries import OwnNursery
from .._exits.reasons import KILLED
from .._process.runtime import runtime
from .._timers.send_after import check_delay
from .._util.bounded import bounded
from .._util.copies import Handle, NoConstructor, create
from .._util.public import public_in
from .orders import refuse_run, within

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import outcome

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
LONGEST: Final = 3600.0  # seconds of virtual time that something may take
PATIENCE: Final = 60.0  # real seconds that it may take
_HINT: Final = "virtual time does not hurry threads, and an endless loop never ends"


@final
@public_in("testing")
class Pending(NoConstructor, Handle, Generic[T]):
    """Something that runs in a `GuestLoop`."""

    _origin: ClassVar[str] = "otp.testing.GuestLoop().begin(fn) returns one"

    def __init__(self, what: str) -> None:
        self._what = what
        self.done: bool = False
        self._value: T
        self._error: Exception | None = None

    def result(self) -> T:
        """Return what it returned, or raise what it raised; each time.

        Raises:
            RuntimeError: it is not over.
        """
        if self._error is not None:
            raise self._error
        if not self.done:
            raise RuntimeError(f"{self._what} is not over")
        return self._value

    async def carry_out(self, fn: Callable[..., Awaitable[T]], *args: Any) -> None:
        """Run it, in the loop.

        Args:
            fn: the async function.
            *args: what it is called with.
        """
        try:
            self._value = await fn(*args)
        except Exception as exc:
            self._error = exc
        self.done = True


@public_in("testing")
class GuestLoop(Handle):
    """A Trio run with a virtual clock: `with GuestLoop() as loop: ...`, or close it at the end.

    While it is open no other run can start in its thread.

    Raises:
        RuntimeError: a Trio run is going on here already.
    """

    def __init__(self) -> None:
        refuse_run("a GuestLoop is a Trio run itself; make it in a plain `def test_...`")
        # With this threshold the loop never waits for events in a thread, which takes milliseconds.
        self.clock: MockClock = MockClock(autojump_threshold=0)
        self._ready: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._end: outcome.Outcome[None] | None = None
        self._pumping = False
        self._nursery: trio.Nursery | None = None
        trio.lowlevel.start_guest_run(
            self._main,
            run_sync_soon_threadsafe=self._ready.put,
            done_callback=self._ended,
            clock=self.clock,
        )
        self._pump(lambda: self._nursery is not None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _main(self) -> None:
        async with OwnNursery() as self._nursery:
            await trio.sleep_forever()

    def _ended(self, end: outcome.Outcome[None]) -> None:
        self._end = end

    def _pump(self, enough: Callable[[], bool]) -> None:
        """Run the loop; time passes as soon as nothing else can happen.

        There has to be something to run, else time passes at the first turn.
        """
        if self._pumping:
            raise RuntimeError("this is called inside of the run, where one can await")
        self._pumping = True
        try:
            self._pump_until(enough)
        finally:
            self._pumping = False

    def _pump_until(self, enough: Callable[[], bool]) -> None:
        until = perf_counter() + PATIENCE
        while not enough():
            if self._end is not None:
                self._raise_end()
                raise RuntimeError("the run has ended")  # pragma: no cover - by an error
            try:
                step = self._ready.get(timeout=PATIENCE)
            except Empty:  # pragma: no cover - the machine decides which limit is met first
                until = 0.0
            else:
                step()
            if perf_counter() > until:
                raise RuntimeError(f"{PATIENCE:g} s of real time were not enough; {_HINT}")

    def _raise_end(self) -> None:
        """Raise what has ended the run, as Ctrl-C, if anything has."""
        assert self._end is not None
        self._end.unwrap()

    def begin(self, fn: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> Pending[T]:
        """Start an async function, and let everything happen that takes no time.

        Args:
            fn: the function.
            *args: what it is called with.

        Returns:
            What gives its result.
        """
        _check(fn)
        pending = self._start(fn, *args)
        self.settle()
        return pending

    def run(self, fn: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
        """Run an async function to its end; time passes if it waits for that.

        Args:
            fn: the function.
            *args: what it is called with.

        Returns:
            What it returned.

        Raises:
            Exception: what it raised.
            trio.TooSlowError: it took more than an hour of virtual time: it waits for nothing.
        """
        _check(fn)
        pending: Pending[T] = self._start(within, LONGEST, partial(fn, *args))
        self._pump(lambda: pending.done)
        return pending.result()

    def _start(self, fn: Callable[..., Awaitable[T]], *args: Any) -> Pending[T]:
        if self._end is not None:
            raise RuntimeError("the run has ended")
        assert self._nursery is not None
        pending = create(cast("type[Pending[T]]", Pending), f"{fn!r}")
        self._nursery.start_soon(pending.carry_out, fn, *args)
        return pending

    def settle(self) -> None:
        """Run everything that takes no time."""
        pending = self._start(wait_all_tasks_blocked)  # while it waits, the clock does not jump
        self._pump(lambda: pending.done)

    def advance(self, seconds: float) -> None:
        """Advance time, with whatever happens in it.

        Args:
            seconds: how much.

        Raises:
            ValueError: the time is negative or no finite number.
        """
        check_delay(seconds, "seconds")
        pending = self._start(trio.sleep, seconds)
        self._pump(lambda: pending.done)
        self.settle()

    def close(self) -> None:
        """Cancel what runs, and end the run; once more does nothing.

        Raises:
            trio.TooSlowError: processes had not ended an hour of virtual time later, and were
                killed.
        """
        if self._end is None:
            assert self._nursery is not None
            late: list[str] = []
            trio.lowlevel.spawn_system_task(_kill_late, late)
            self._nursery.cancel_scope.cancel()
            self._pump(lambda: self._end is not None)
            self._raise_end()
            if late:
                raise trio.TooSlowError(f"did not end within {LONGEST:g} s: {', '.join(late)}")


async def _kill_late(late: list[str]) -> None:
    """Kill what has not ended in time: a run that goes on would be in the way of all others."""
    await trio.sleep(LONGEST)
    for process in list(runtime().processes.values()):
        late.append(repr(process.pid))
        process.exit_with(KILLED)


def _check(fn: object) -> None:
    """Refuse a call in the place of the function that is to be called."""
    if not callable(fn):
        if inspect.iscoroutine(fn):
            fn.close()
        raise TypeError(
            f"fn={bounded(fn)}: expected an async function; write fn, *args and not fn(*args)"
        )
