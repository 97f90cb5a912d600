"""What a pool is to do, told once more and checked against each decision of its core."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from inside import End, Lend, PoolCore, PoolLimits, PoolStart, Watch

import trio_otp as otp

if TYPE_CHECKING:
    from random import Random

BACKOFF = otp.Backoff(min_delay=1.0, max_delay=8.0, jitter=0.5, reset_after=20.0)


class PoolModel:
    """A core, its workers, and the waiting clients in the order of their requests."""

    def __init__(self, chance: Random, size: int, overflow: int, idle: float) -> None:
        self.chance = chance
        self.size, self.most, self.idle_timeout = size, size + overflow, idle
        self.core = PoolCore(PoolLimits(size, overflow, idle, BACKOFF), chance.random)
        self.now = 0.0
        self.line: list[int] = []
        self.starting: set[int] = set()
        self.idle: dict[int, float] = {}
        self.lent: dict[int, int] = {}  # {worker: client}
        self.busy: set[int] = set()
        self.ending: set[int] = set()
        self.leaving: set[int] = set()  # given back as they were dying
        self.clients = 0
        self.served = 0
        self.faults = 0

    # -- what happens ----------------------------------------------------------------------------

    def ask(self) -> None:
        self.clients += 1
        self.line.append(self.clients)
        self.carry_out(self.core.ask(self.clients, self.now))

    def leave(self) -> None:
        if self.line:
            client = self.chance.choice(self.line)
            self.line.remove(client)
            self.core.leave(client)
            self.carry_out([])

    def give_back(self, *, busy: bool = False) -> None:
        worker = self.some(self.lent)
        if worker is not None:
            del self.lent[worker]
            if busy:
                self.busy.add(worker)
            else:
                self.idle[worker] = self.now
            self.carry_out(self.core.give_back(worker, self.now, busy=busy))

    def give_back_busy(self) -> None:
        self.give_back(busy=True)

    def lend_in_vain(self) -> None:
        """A worker dies between its being lent and its client's next step."""
        worker = self.some(self.lent)
        if worker is not None:
            client = self.lent.pop(worker)
            self.leaving.add(worker)
            self.carry_out(self.core.leaving(worker, self.now))
            self.line.insert(0, client)
            self.carry_out(self.core.ask(client, self.now, first=True))

    def started(self) -> None:
        worker = self.some(self.starting)
        if worker is not None:
            self.starting.remove(worker)
            self.idle[worker] = self.now
            self.carry_out(self.core.started(worker, self.now))

    def not_started(self) -> None:
        worker = self.some(self.starting)
        if worker is not None:
            self.starting.remove(worker)
            self.carry_out(self.core.not_started(worker, self.now))

    def finished(self) -> None:
        worker = self.some(self.busy)
        if worker is not None:
            self.busy.remove(worker)
            self.idle[worker] = self.now
            self.carry_out(self.core.finished(worker, self.now))

    def overdue(self) -> None:
        worker = self.some(self.busy)
        if worker is not None:
            self.carry_out(self.core.overdue(worker))
            assert worker in self.ending

    def die(self) -> None:
        self.ends(quiet=False)

    def ends(self, *, quiet: bool = True) -> None:
        worker = self.some({*self.idle, *self.lent, *self.busy, *self.ending, *self.leaving})
        if worker is not None:
            self.forget(worker)
            self.carry_out(self.core.died(worker, self.now, quiet=quiet))

    def forget(self, worker: int) -> None:
        self.idle.pop(worker, None)
        self.lent.pop(worker, None)
        for table in (self.busy, self.ending, self.leaving):
            table.discard(worker)

    def wait(self) -> None:
        """Advance the time, asking the core whenever it wants to be asked."""
        end = self.now + self.chance.choice([0.1, 1.0, 5.0, 30.0])
        while (due := self.core.next_time()) <= end:
            assert due > self.now or due == -math.inf or self.now == 0.0
            self.now = max(due, self.now)
            self.carry_out(self.core.tick(self.now))
            assert self.core.next_time() > self.now
        self.now = end

    RULES = (
        ask, ask, ask, leave, give_back, give_back, give_back_busy, lend_in_vain, started, started,
        not_started, finished, overdue, die, ends, wait,
    )  # fmt: skip

    def some(self, workers: Any) -> Any:
        """Choose one, None if there is none."""
        return self.chance.choice(sorted(workers)) if workers else None

    def step(self) -> None:
        """Apply a random event."""
        self.faults += 1
        self.chance.choice(self.RULES)(self)

    # -- what has to follow ------------------------------------------------------------------------

    def carry_out(self, actions: list[Any]) -> None:
        """Check each decision, and what there is afterwards."""
        for action in actions:
            match action:
                case Lend(worker, client):
                    assert client == self.line.pop(0), "who asked first is served first"
                    del self.idle[worker]
                    self.lent[worker] = client
                    self.served += 1
                case PoolStart(worker):
                    assert self.total() < self.most
                    self.starting.add(worker)
                    assert len(self.starting) <= len(self.line) or self.total() <= self.size
                case Watch(worker):
                    assert worker in self.busy
                case End(worker):
                    since = self.idle.pop(worker, None)
                    late = since is not None and since + self.idle_timeout <= self.now
                    assert late or worker in self.busy
                    assert since is None or self.running() >= self.size
                    self.busy.discard(worker)
                    self.ending.add(worker)
        self.check()

    def total(self) -> int:
        known = {*self.starting, *self.idle, *self.lent, *self.busy, *self.ending, *self.leaving}
        return len(known)

    def running(self) -> int:
        return len({*self.idle, *self.lent, *self.busy} - self.ending)

    def check(self) -> None:
        """No worker is lost, none is there twice, and nobody waits beside one that is free."""
        lendable = {*self.idle, *self.lent, *self.busy}
        known = {*self.starting, *lendable, *self.ending, *self.leaving}
        assert known == self.core.workers.keys()
        assert len(known) <= self.most
        assert sum(self.core.counts) == len(known)
        assert self.line == list(self.core.waiting)
        assert not (self.line and self.idle)

    def calm_down(self) -> None:
        """Complete all that is under way: every client is served, and all workers are there."""
        while self.busy:
            self.finished()
        for _ in range(10 * (len(self.line) + self.most) + 100):
            for worker in sorted({*self.ending, *self.leaving}):
                self.forget(worker)
                self.carry_out(self.core.died(worker, self.now, quiet=True))
            while self.starting:
                self.started()
            while self.lent:
                self.give_back()
            self.wait()
        assert [] == self.line
        assert len(self.idle) == self.total() <= self.most
