"""A storm over a real pool: faults of all kinds at random, then a calm in which all is well."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import trio
import trio.testing
from inside import process_of, runtime
from pool_kit import DB, Site, Worker

import trio_otp as otp


class Flaky(Worker):
    """A worker whose start and end take their time, or fail."""

    async def init(self) -> Any:
        await super().init()
        chance: random.Random = self.site.chance  # type: ignore[attr-defined]
        await trio.sleep(chance.choice([0, 0, 0.01, 0.5]))
        if chance.random() < 0.1:
            raise OSError("no database")

    async def terminate(self, reason: object) -> None:
        chance: random.Random = self.site.chance  # type: ignore[attr-defined]
        await trio.sleep(chance.choice([0, 0, 0.2, 3.0]))


def labelled(label: str) -> list[otp.Pid[Any]]:
    """List the processes whose label has a word in it."""
    return [process.pid for process in runtime().processes.values() if label in process.label]


class Storm:
    """One run; `faults` counts what was done to the pool and its clients."""

    def __init__(self, seed: int, faults: int) -> None:
        self.chance = random.Random(seed)
        self.most_faults = faults
        self.faults = 0
        self.lent = 0
        self.outcomes: Counter[str] = Counter()
        self.clients: dict[int, trio.CancelScope] = {}
        self.holding: dict[otp.Pid[Any], int] = {}  # {worker: client}
        self.number = 0
        self.forever = trio.Event()

    async def run(self) -> None:
        """Run it, and check that nothing is lost."""
        site = Site()
        site.chance = self.chance  # type: ignore[attr-defined]
        size, overflow = self.chance.randint(1, 5), self.chance.randint(0, 3)
        child = otp.child(
            otp.Pool,
            otp.child(Flaky, site).having(shutdown=1.0),
            size=size,
            max_overflow=overflow,
            idle_timeout=self.chance.choice([0.0, 1.0, None]),
            busy_timeout=self.chance.choice([0.5, 2.0]),
            backoff=otp.Backoff(min_delay=0.05, max_delay=1.0, reset_after=5.0),
        )
        async with (
            otp.open_supervisor([child.having(name="db")], max_restarts=None),
            otp.open_process(trap_exit=True),
            trio.open_nursery() as nursery,
        ):
            self.nursery = nursery
            while self.faults < self.most_faults:
                self.faults += 1
                await self.chance.choice(self.FAULTS)(self)
                self.check(size + overflow)
            for scope in list(self.clients.values()):
                scope.cancel()
            await trio.sleep(60.0)
            await self.check_calm(size, size + overflow)

    # -- faults ------------------------------------------------------------------------------------

    async def client_comes(self) -> None:
        if len(self.clients) < 20:
            self.number += 1
            number = self.number
            if self.chance.random() < 0.5:
                otp.spawn(self.client, number)
            else:
                self.nursery.start_soon(self.client, number)

    async def client_is_cancelled(self) -> None:
        if self.clients:
            self.chance.choice(list(self.clients.values())).cancel()

    async def client_is_killed(self) -> None:
        spawned = labelled("client")
        if spawned:
            otp.exit(self.chance.choice(spawned), self.chance.choice([otp.KILL, "bye"]))

    async def worker_ends(self) -> None:
        pid = self.a_worker()
        if pid is not None:
            otp.exit(pid, self.chance.choice([otp.KILL, "bye", otp.SHUTDOWN, otp.Shutdown("x")]))

    async def worker_crashes(self) -> None:
        pid = self.a_worker()
        if pid is not None:
            self.chance.choice([Flaky.crash, Flaky.leave])(pid)

    async def pool_ends(self) -> None:
        if self.chance.random() < 0.05 and otp.whereis("db") is not None:
            otp.exit("db", self.chance.choice([otp.KILL, "bye"]))

    async def time_passes(self) -> None:
        await trio.sleep(self.chance.choice([0, 0.001, 0.01, 0.1, 1.0]))

    async def nothing(self) -> None:
        await trio.lowlevel.checkpoint()

    FAULTS = (
        client_comes, client_comes, client_comes, client_is_cancelled, client_is_killed,
        worker_ends, worker_crashes, pool_ends, time_passes, time_passes, nothing,
    )  # fmt: skip

    def a_worker(self) -> otp.Pid[Any] | None:
        pool = otp.whereis("db")
        loop = None if pool is None else getattr(process_of(pool).instance, "loop", None)
        if loop is None or not loop.slots:
            return None
        found: otp.Pid[Any] = self.chance.choice(list(loop.slots))
        return found

    # -- a client ----------------------------------------------------------------------------------

    async def client(self, number: int) -> None:
        scope = self.clients[number] = trio.CancelScope()
        try:
            with scope:
                timeout = self.chance.choice([None, 0, 0.01, 1.0, 5.0])
                async with DB.checkout(timeout=timeout) as worker:
                    await self.use(number, worker)
                self.outcomes["done"] += 1
            if scope.cancelled_caught:
                self.outcomes["cancelled"] += 1
        except otp.CheckoutTimeout:
            self.outcomes["timeout"] += 1
        except otp.ServerExited:
            self.outcomes["exited"] += 1
        except (otp.DeadlockError, otp.NoProcess, otp.CallTimeout) as exc:
            self.outcomes[type(exc).__name__] += 1
        finally:
            del self.clients[number]

    async def use(self, number: int, worker: Any) -> None:
        assert worker.ref not in self.holding, "it is lent to two clients"
        self.holding[worker.ref] = number
        self.lent += 1
        try:
            match self.chance.randint(0, 6):
                case 0:
                    await worker.who()
                case 1:
                    await trio.sleep(self.chance.random())
                case 2:
                    with trio.move_on_after(0.01):
                        await worker.wait(self.forever)
                case 3:
                    with trio.move_on_after(0.01):
                        await worker.put_off()
                case 4:
                    worker.crash()
                case 5:
                    async with DB.checkout(timeout=self.chance.choice([None, 0.1])) as another:
                        await another.who()
                case _:
                    worker.answer()
        finally:
            del self.holding[worker.ref]

    # -- what has to be ----------------------------------------------------------------------------

    def check(self, most: int) -> None:
        """Check that what the pool counts is what there is."""
        pool = otp.whereis("db")
        lending = None if pool is None else getattr(process_of(pool).instance, "_lending", None)
        if lending is None:
            return
        core = lending.core
        assert len(core.workers) <= most
        assert lending.leases.keys() <= lending.workers.keys() <= core.workers.keys()
        assert len(lending.leases) == DB.status().lent
        assert not (core.waiting and core._idle)

    async def check_calm(self, size: int, most: int) -> None:
        """Check that all workers can be lent at once, and nothing is kept of what is over."""
        assert {} == self.clients
        inside = DB.status()
        assert (0, 0, 0, 0) == (inside.lent, inside.finishing, inside.ending, inside.waiting)
        assert inside.idle <= most
        assert not runtime().plain_tasks
        await self.lend_all(most)
        assert DB.status().idle <= most
        await trio.sleep(60.0)
        assert len(labelled("Flaky")) == DB.status().idle >= size

    async def lend_all(self, most: int) -> None:
        have: list[Any] = []
        everybody = trio.Event()

        async def hold() -> None:
            async with DB.checkout(timeout=None) as worker:
                have.append(worker.ref)
                if len(have) == most:
                    everybody.set()
                await everybody.wait()

        with trio.fail_after(120.0):
            async with trio.open_nursery() as nursery:
                for _ in range(most):
                    nursery.start_soon(hold)
        assert most == len(set(have))
