"""The timer service: one system task per run, parked without a deadline while nothing is pending.

Two kinds of deadlines:

* *limits* of calls, which nearly always are met: one FIFO per distinct time-out value, because
  equal time-outs expire in the order they were set. An answered call costs two deque operations
  and wakes nobody; entries are retired lazily, so one late wake per distinct value is possible.
* *timers* (`send_after`, intervals): a heap, because their times are in no order.

Invariant: the task's scope has a deadline no later than the earliest live entry.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

import trio

if TYPE_CHECKING:
    from collections.abc import Callable


FEW: Final = 16  # distinct time-out values whose queues are kept while they are empty


class Limited(Protocol):
    """What a limit watches: something that may be done by then."""

    @property
    def done(self) -> bool:
        """It is done; the time is of no interest any more."""
        raise NotImplementedError

    def expire(self) -> None:
        """The time is up and it was not done."""


class Timer:
    """A pending `send_after` or interval; the handle for `cancel_timer` and `read_timer`."""

    __slots__ = ("_fire", "deadline", "live", "owner")

    def __init__(self, deadline: float, fire: Callable[[Timer], object], owner: Any = None) -> None:
        self.deadline = deadline
        self.live = True
        self.owner = owner
        self._fire = fire

    def __repr__(self) -> str:
        return f"<Timer at {self.deadline:.3f} {'pending' if self.live else 'done'}>"

    def fire(self) -> None:
        """Do what the timer is for; an interval sets itself anew."""
        self.live = False
        self._fire(self)


class Timers:
    """The deadlines of one run."""

    def __init__(self) -> None:
        # {time-out in seconds: deque of (deadline, what is limited)}
        self._fifos: dict[float, deque[tuple[float, Limited]]] = {}
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._dead = 0
        self._scope: trio.CancelScope | None = None
        self._armed = math.inf

    def limit(self, what: Limited, timeout: float, now: float | None = None) -> None:
        """Let `what.expire()` be called in `timeout` seconds unless it is done by then."""
        deadline = (trio.current_time() if now is None else now) + timeout
        fifo = self._fifos.get(timeout)
        if fifo:  # the scope ends no later than the oldest here, even if that is done
            while fifo and fifo[0][1].done:
                fifo.popleft()
            fifo.append((deadline, what))
            return
        self._fifos[timeout] = deque([(deadline, what)])
        if deadline < self._armed:
            self._arm(deadline)

    def retire(self, timeout: float) -> None:
        """Drop what is done at the head of a FIFO, so that it does not grow."""
        fifo = self._fifos.get(timeout)
        while fifo and fifo[0][1].done:
            fifo.popleft()
        if not fifo and len(self._fifos) > FEW:
            self._fifos.pop(timeout, None)

    def add(self, timer: Timer) -> None:
        """Let a timer fire at its deadline."""
        self._count += 1
        heapq.heappush(self._heap, (timer.deadline, self._count, timer))
        if timer.deadline < self._armed:
            self._arm(timer.deadline)

    def cancel(self, timer: Timer) -> bool:
        """Take a timer back; tell whether it was pending."""
        was_live, timer.live = timer.live, False
        if was_live:
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
            self._fire_due(trio.current_time())
            self._armed = self._earliest()

    def _fire_due(self, now: float) -> None:
        for timeout, fifo in list(self._fifos.items()):
            while fifo and (fifo[0][1].done or fifo[0][0] <= now):
                what = fifo.popleft()[1]
                if not what.done:
                    what.expire()
            if not fifo:
                del self._fifos[timeout]
        while self._heap and (self._heap[0][0] <= now or not self._heap[0][2].live):
            timer = heapq.heappop(self._heap)[2]
            if timer.live:
                timer.fire()
            else:
                self._dead -= 1

    def _earliest(self) -> float:
        heads = [fifo[0][0] for fifo in self._fifos.values() if fifo]
        if self._heap:
            heads.append(self._heap[0][0])
        return min(heads, default=math.inf)
