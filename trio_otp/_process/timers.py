"""The timer service: one system task per run, parked without a deadline while nothing is pending.

Two kinds of deadlines:

* *limits* of calls, which nearly always are met: one FIFO per distinct time-out value, because
  equal time-outs expire in the order they were set. It is a dict in the order of insertion, so that
  what is met leaves it at once, wherever it stands: a long poll at the head keeps nothing behind
  it alive. A limit that is met wakes nobody and leaves the scope as it is, so one late wake per
  distinct value is possible.
* *timers* (`send_after`, intervals): a heap, because their times are in no order. One that is over
  holds neither what it was to do nor for whom; its entry goes when half of the entries are so.

Invariant: the task's scope has a deadline no later than the earliest live entry.
"""

from __future__ import annotations

import heapq
import math
from itertools import takewhile
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, Protocol, TypeAlias, final

import trio

from .._util.copies import Handle, NoConstructor
from .._util.public import public

if TYPE_CHECKING:
    from collections.abc import Callable


MOST_EMPTY_FIFOS: Final = 16  # distinct time-out values whose queues are kept while they are empty


class Limited(Protocol):
    """What a limit watches: something that may be done by then, and then leaves the FIFO."""

    def expire(self) -> None:
        """The time is up and it was not done."""


# What stands under one limit, and its deadline, oldest first. `fifo.pop(what, None)` takes it out.
Fifo: TypeAlias = "dict[Limited, float]"


@final
@public
class Timer(NoConstructor, Handle):
    """A pending `send_after` or interval; the handle for `cancel_timer` and `read_timer`."""

    _origin: ClassVar[str] = "otp.send_after(delay, ref, message) returns one"

    __slots__ = ("_fire", "deadline", "live", "owner")

    def __init__(
        self, deadline: float, fire: Callable[[Timer], object], owner: object = None
    ) -> None:
        self.deadline: float = deadline
        self.live: bool = True
        self.owner: Any = owner
        self._fire: Callable[[Timer], object] | None = fire  # None once it is over

    def __repr__(self) -> str:
        return f"<Timer at {self.deadline:.3f} {'pending' if self.live else 'done'}>"

    def fire(self) -> None:
        """Do what the timer is for; an interval sets itself anew."""
        fire, self.live = self._fire, False
        assert fire is not None
        fire(self)
        if not self.live:
            self.let_go()

    def let_go(self) -> None:
        """Hold no more than the handle: it is over, and who keeps that keeps nothing else."""
        self._fire = self.owner = None


class Timers:
    """The deadlines of one run."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now  # as trio.current_time()
        self._fifos: dict[float, Fifo] = {}  # {time-out in seconds: what is limited}
        self._most = MOST_EMPTY_FIFOS  # so many of them there may be before the empty ones go
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._dead = 0
        self._scope: trio.CancelScope | None = None
        self._armed = math.inf

    def limit(self, what: Limited, timeout: float, now: float | None = None) -> Fifo:
        """Call `what.expire()` in `timeout` seconds; what is done by then leaves before.

        Returns:
            What it is to be taken out of, by `pop(what, None)`.
        """
        deadline = (self._now() if now is None else now) + timeout
        fifo = self._fifos.get(timeout)
        if fifo is None:
            fifo = self._new_fifo(timeout)
        fifo[what] = deadline
        if deadline < self._armed:
            self._arm(deadline)
        return fifo

    def _new_fifo(self, timeout: float) -> Fifo:
        """Make the FIFO of a value; drop empty ones now and then, as of time-outs of a budget."""
        if len(self._fifos) >= self._most:
            self._drop_empty()
            self._most = max(MOST_EMPTY_FIFOS, 2 * len(self._fifos))
        fifo = self._fifos[timeout] = {}
        return fifo

    def _drop_empty(self) -> None:
        self._fifos = {timeout: fifo for timeout, fifo in self._fifos.items() if fifo}

    def add(self, timer: Timer) -> None:
        """Add a timer, to fire at its deadline."""
        self._count += 1
        heapq.heappush(self._heap, (timer.deadline, self._count, timer))
        if timer.deadline < self._armed:
            self._arm(timer.deadline)

    def cancel(self, timer: Timer) -> bool:
        """Take a timer back; tell whether it was pending."""
        was_live, timer.live = timer.live, False
        if was_live:
            timer.let_go()
            self._dead += 1
            self._compact()
        return was_live

    def pending(self) -> int:
        """Count the timers of `send_after` that have yet to fire."""
        return sum(1 for _, _, timer in self._heap if timer.live)

    def _compact(self) -> None:
        if self._dead > 64 and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].live]
            heapq.heapify(self._heap)
            self._dead = 0

    def _arm(self, deadline: float) -> None:
        self._armed = deadline
        if self._scope is None:
            self._scope = trio.CancelScope()
            trio.lowlevel.spawn_system_task(self._serve, name="<trio_otp timers>")
        self._scope.deadline = deadline

    async def _serve(self) -> NoReturn:
        while True:
            scope = self._scope = trio.CancelScope(deadline=self._armed)
            with scope:
                await trio.sleep_forever()
            # Whoever else wakes at this moment goes first: a reply then wins over its time-out.
            await trio.lowlevel.cancel_shielded_checkpoint()
            self._fire_due(self._now())
            self._armed = self._earliest()

    def _fire_due(self, now: float) -> None:
        # What expires may do anything: limit something else, end what is due as well.
        for fifo in list(self._fifos.values()):
            for what, _ in list(takewhile(lambda entry: entry[1] <= now, fifo.items())):
                found = fifo.pop(what, None)
                if found is not None:  # pragma: no branch - what expires may remove the next
                    what.expire()
        self._drop_empty()
        while self._heap and (self._heap[0][0] <= now or not self._heap[0][2].live):
            timer = heapq.heappop(self._heap)[2]
            if timer.live:
                timer.fire()
            else:
                self._dead -= 1

    def _earliest(self) -> float:
        heads = [next(iter(fifo.values())) for fifo in self._fifos.values() if fifo]
        if self._heap:
            heads.append(self._heap[0][0])
        return min(heads, default=math.inf)
