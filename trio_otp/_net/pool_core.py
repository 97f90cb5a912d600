"""The decisions of a pool: which client gets which worker, when workers start and end. No Trio.

An event goes in, a list of actions comes out. Rules this file keeps:

* The client that asked first gets the first free worker; none is free while a client waits.
* A worker is started when a client waits for it, up to `size`, and up to `max_overflow` more.
  Those up to `size` stay, and one of them that crashes is replaced unasked.
* The worker that was used last is lent first, so that those not needed stay idle and can end.
* After a crash or a failed start no worker is started for a while, the longer the more often that
  happens in a row. Crashes within that while are one failure: a database that goes away takes all
  its connections along. After a failed start one worker at a time is tried, until one has started.

Follows: Erlang's `poolboy`, Elixir's `NimblePool` and `DBConnection`.
"""

from __future__ import annotations

import enum
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from .._supervisor.delays import Delays

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from .._behaviour.backoff import Backoff


class State(enum.IntEnum):
    """What a worker is doing."""

    STARTING = 0
    IDLE = 1
    LENT = 2
    BUSY = 3  # it was given back and still handles something of its last client
    ENDING = 4  # the pool has asked for its end
    LEAVING = 5  # so has somebody else


@dataclass(frozen=True, slots=True)
class Start:
    """Start a worker, under a new number."""

    worker: int


@dataclass(frozen=True, slots=True)
class Lend:
    """Lend a worker to a client that waits."""

    worker: int
    waiter: Any


@dataclass(frozen=True, slots=True)
class Watch:
    """Wait until a worker has finished what its last client asked for."""

    worker: int


@dataclass(frozen=True, slots=True)
class End:
    """End a worker."""

    worker: int


Action: TypeAlias = "Start | Lend | Watch | End"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many workers there may be, and when.

    Args:
        size: how many stay.
        max_overflow: how many more there may be while they are needed.
        idle_timeout: seconds after which one that is too many ends; infinity for never.
        backoff: how long no worker is started after failures.
    """

    size: int
    max_overflow: int
    idle_timeout: float
    backoff: Backoff

    @property
    def most(self) -> int:
        """How many there may be in all."""
        return self.size + self.max_overflow


class PoolCore:
    """The table of workers and the queue of waiting clients.

    Args:
        limits: how many there may be.
        random: returns a number from 0 up to 1, for the jitter of the back-off.
    """

    def __init__(self, limits: Limits, random: Callable[[], float]) -> None:
        self.limits = limits
        self.workers: dict[int, State] = {}
        self.counts: list[int] = [0] * len(State)  # of the workers in each state
        self.waiting: OrderedDict[Hashable, None] = OrderedDict()
        self.failures = 0  # in a row
        self._idle: dict[int, float] = {}  # {worker: since when}, the last used one last
        self._since: dict[int, float] = {}  # {worker: when its start was over}
        self._delays = Delays(limits.backoff)
        self._random = random
        self._stay = 0  # how many workers are kept up: those missing are started unasked
        self.not_before = -math.inf  # the back-off: no worker is started before this time
        self._trying = False  # the last start has failed
        self._number = 0

    # -- what is asked of it -----------------------------------------------------------------------

    def next_time(self) -> float:
        """Return when `tick` is to be called; infinity if no action becomes due by itself."""
        times = [self.not_before] if self._needs_more() and not self._is_trying() else []
        if self._idle and self._running() > self.limits.size:
            times.append(next(iter(self._idle.values())) + self.limits.idle_timeout)
        return min(times, default=math.inf)

    def restart_in(self, now: float) -> float | None:
        """Return the seconds until a worker that is missing is started; None if none is missing."""
        return self.not_before - now if now < self.not_before and self._needs_more() else None

    def may_start_later(self) -> bool:
        """Check whether a worker will be started even if no client gives one back."""
        leaving = self.counts[State.ENDING] or self.counts[State.LEAVING]
        return bool(leaving) or (self._needs_more() and not self.counts[State.STARTING])

    # -- what clients do ---------------------------------------------------------------------------

    def ask(self, waiter: Hashable, now: float, *, first: bool = False) -> list[Action]:
        """Add a client to the end of the queue, or to its front if the worker it got has died."""
        self.waiting[waiter] = None
        self.waiting.move_to_end(waiter, last=not first)
        return self._settle(now)

    def leave(self, waiter: Hashable) -> None:
        """Remove a client from the queue."""
        self.waiting.pop(waiter, None)

    def give_back(self, worker: int, now: float, *, busy: bool) -> list[Action]:
        """Take back a worker that was lent; a busy one is not lent again before it is idle."""
        if self.workers.get(worker) is not State.LENT:
            return []
        if busy:
            self._move(worker, State.BUSY)
            return [Watch(worker)]
        self._reset_backoff()  # it has served a client
        return self._free(worker, now)

    def leaving(self, worker: int, now: float) -> list[Action]:
        """Take back a worker that is about to die, which may not have served its client."""
        if self.workers.get(worker) is State.LENT:
            self._move(worker, State.LEAVING)
        return self._settle(now)

    # -- what workers do ---------------------------------------------------------------------------

    def started(self, worker: int, now: float) -> list[Action]:
        """Add a worker whose start is over."""
        self._trying = False
        self._since[worker] = now
        actions = self._free(worker, now)
        self._stay = max(self._stay, min(self.limits.size, self._running()))
        return actions

    def not_started(self, worker: int, now: float) -> list[Action]:
        """Remove a worker that has not started; the clients go on waiting."""
        self._move(worker, None)
        self._trying = True
        self._failed(now)
        return self._settle(now)

    def finished(self, worker: int, now: float) -> list[Action]:
        """Take back a worker that was busy and is idle now."""
        return self._free(worker, now) if self.workers.get(worker) is State.BUSY else []

    def overdue(self, worker: int) -> list[Action]:
        """End a worker that does not finish what its last client has asked for."""
        if self.workers.get(worker) is not State.BUSY:
            return []
        self._move(worker, State.ENDING)
        return [End(worker)]

    def died(self, worker: int, now: float, *, quiet: bool) -> list[Action]:
        """Remove a worker that is dead.

        A crash is a failure; after a quiet end one worker fewer is kept up.
        """
        state = self._move(worker, None)
        self._idle.pop(worker, None)
        since = self._since.pop(worker)
        if state is not State.ENDING:
            if quiet:
                self._stay = max(0, self._stay - 1)
            else:
                self._crashed(now, now - since)
        return self._settle(now)

    # -- limits ------------------------------------------------------------------------------------

    def change(self, limits: Limits, now: float) -> list[Action]:
        """Take other limits: waiting clients may be served now, idle workers be too many."""
        self.limits, before = limits, self._delays
        self._delays = Delays(limits.backoff)
        self._delays.go_on_from(before)
        self._stay = min(self._stay, limits.size)
        return self._settle(now)

    # -- time --------------------------------------------------------------------------------------

    def tick(self, now: float) -> list[Action]:
        """Return what is due by now."""
        return self._settle(now)

    # -- the decisions -----------------------------------------------------------------------------

    def _free(self, worker: int, now: float) -> list[Action]:
        self._move(worker, State.IDLE)
        self._idle[worker] = now
        return self._settle(now)

    def _settle(self, now: float) -> list[Action]:
        return [*self._lend(), *self._end_idle(now), *self._start(now)]

    def _lend(self) -> list[Action]:
        actions: list[Action] = []
        while self.waiting and self._idle:
            worker, _ = self._idle.popitem()
            self._move(worker, State.LENT)
            actions.append(Lend(worker, self.waiting.popitem(last=False)[0]))
        return actions

    def _end_idle(self, now: float) -> list[Action]:
        actions: list[Action] = []
        while self._idle and self._running() > self.limits.size:
            worker, since = next(iter(self._idle.items()))
            if since + self.limits.idle_timeout > now:
                break
            del self._idle[worker]
            self._move(worker, State.ENDING)
            actions.append(End(worker))
        return actions

    def _start(self, now: float) -> list[Action]:
        actions: list[Action] = []
        while now >= self.not_before and self._needs_more() and not self._is_trying():
            self._number += 1
            self._move(self._number, State.STARTING)
            actions.append(Start(self._number))
        return actions

    def _needs_more(self) -> bool:
        total = len(self.workers)
        wanted = total < self.limits.most and self.counts[State.STARTING] < len(self.waiting)
        return wanted or total < self._stay

    def _is_trying(self) -> bool:
        """Check whether one worker is being started, to see whether that is possible again."""
        return self._trying and self.counts[State.STARTING] > 0

    def _running(self) -> int:
        return sum(self.counts[State.IDLE : State.ENDING])

    def _move(self, worker: int, state: State | None) -> State | None:
        """Set the state of a worker, None if it is gone; return the state it had."""
        before = self.workers.pop(worker, None)
        if before is not None:
            self.counts[before] -= 1
        if state is not None:
            self.workers[worker] = state
            self.counts[state] += 1
        return before

    def _reset_backoff(self) -> None:
        """Begin the back-off anew: the next failure is the first of a row."""
        if self.failures:
            self.failures = 0
            self._delays = Delays(self.limits.backoff)

    def _crashed(self, now: float, age: float) -> None:
        if age >= self.limits.backoff.reset_after:
            self._reset_backoff()
        self._failed(now)

    def _failed(self, now: float) -> None:
        if now >= self.not_before:
            self.failures += 1
            self.not_before = now + self._delays.next(self._random)
