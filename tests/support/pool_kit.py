"""A pool of workers that count themselves, and ways to look into it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio
import trio.testing
from inside import process_of

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Site:
    """What the workers of one pool connect to."""

    def __init__(self) -> None:
        self.started = 0
        self.ended: list[int] = []
        self.away: BaseException | None = None  # what a start meets
        self.answering = trio.Event()  # what each start waits for
        self.answering.set()


class Worker(otp.GenServer, shutdown=1.0):
    """Answers, waits, crashes, as it is told."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.number = 0
        self.later: list[otp.From[str]] = []

    async def init(self) -> Any:
        self.site.started += 1
        self.number = self.site.started
        await self.site.answering.wait()
        if self.site.away is not None:
            raise self.site.away

    @otp.on_call
    def who(self) -> int:
        return self.number

    @otp.on_call(timeout=None)
    async def wait(self, event: trio.Event) -> int:
        await event.wait()
        return self.number

    @otp.on_call(timeout=None)
    async def do(self, function: Any) -> Any:
        return await function()

    @otp.on_call_deferred(timeout=None)
    def put_off(self, from_: otp.From[str]) -> None:
        self.later.append(from_)

    @otp.on_cast
    def answer(self) -> None:
        for from_ in self.later:
            otp.reply(from_, "late")
        self.later.clear()

    @otp.on_cast
    def crash(self) -> None:
        raise ZeroDivisionError

    @otp.on_cast
    def leave(self) -> Any:
        return otp.Stop(otp.NORMAL)

    @otp.on_call
    async def check_out_another(self) -> int:
        async with DB.checkout(timeout=None) as other:
            return await other.who()

    def terminate(self, reason: object) -> None:
        self.site.ended.append(self.number)


DB = otp.pool("db", Worker)


@asynccontextmanager
async def pool(site: Site | None = None, **options: Any) -> AsyncGenerator[Site]:
    """Run a pool by the name of `db`."""
    site = Site() if site is None else site
    child = otp.child(otp.Pool, otp.child(Worker, site), **{"size": 2, **options})
    async with otp.open_supervisor([child.having(name="db")]):
        yield site


def lending() -> Any:
    """Return the inside of the pool."""
    return process_of(otp.whereis("db")).instance.loop.lending


def lent(status: otp.PoolStatus | None = None) -> tuple[int, int, int]:
    """Count the workers that are idle, those that are lent, and the clients that wait."""
    now = DB.status() if status is None else status
    return now.idle, now.lent, now.waiting


class Clients:
    """Clients that each hold a worker until they are asked to return it."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.got: list[Any] = []  # who got a worker, in this order
        self.errors: list[tuple[Any, BaseException]] = []
        self.doors: dict[Any, trio.Event] = {}
        self.scopes: dict[Any, trio.CancelScope] = {}
        self.workers: dict[Any, Any] = {}

    async def come(self, *names: Any, timeout: float | None = None) -> None:
        """Have clients ask, one after the other."""
        for name in names:
            self.doors[name], self.scopes[name] = trio.Event(), trio.CancelScope()
            self.nursery.start_soon(self._hold, name, timeout)
            await trio.testing.wait_all_tasks_blocked()

    async def _hold(self, name: Any, timeout: float | None) -> None:
        try:
            with self.scopes[name]:
                async with DB.checkout(timeout=timeout) as worker:
                    self.got.append(name)
                    self.workers[name] = worker
                    await self.doors[name].wait()
        except Exception as exc:
            self.errors.append((name, exc))

    async def go(self, *names: Any) -> None:
        """Have clients return their workers."""
        for name in names:
            self.doors[name].set()
            await trio.testing.wait_all_tasks_blocked()

    async def cancel(self, *names: Any) -> None:
        """Cancel clients, wherever they are."""
        for name in names:
            self.scopes[name].cancel()
        await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def clients(site: Site | None = None, **options: Any) -> AsyncGenerator[Clients]:
    """Run a pool, and give clients in plain Trio code."""
    async with pool(site, **options), trio.open_nursery() as nursery:
        yield Clients(nursery)
        nursery.cancel_scope.cancel()
