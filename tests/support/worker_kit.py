"""What tests of the workers of the cache service share: killing, waiting, a store in memory."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import trio
import trio.testing

import trio_otp as otp
from examples.cache_service.commands import Increment
from examples.cache_service.keyspaces import KEYSPACES, execute
from examples.cache_service.repo import Repo
from examples.cache_service.store import Entry
from examples.cache_service.worker import CacheWorker, TryAgain

if TYPE_CHECKING:
    from collections.abc import Callable

    from examples.cache_service.client import Client
    from examples.cache_service.commands import KeyCommand

OK = b"+OK\r\n"
NAME = KEYSPACES.via(0)


async def until(happened: Callable[[], bool]) -> None:
    """Wait for what nobody tells of."""
    with trio.fail_after(60):
        while not happened():  # noqa: ASYNC110  # there is no event to wait for
            await trio.sleep(0.005)


async def until_gone(redis: Client, key: str) -> None:
    """Read an entry until it has expired, by the clock of the machine."""
    with trio.fail_after(20):
        while await redis.ask("GET", key) is not None:
            await trio.lowlevel.checkpoint()


class Outcomes:
    """Runs batches in tasks of their own, and notes what becomes of each."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.found: dict[int, Any] = {}

    async def start(self, *batches: list[KeyCommand]) -> None:
        for batch in batches:
            self.nursery.start_soon(self._run, batch)
            await trio.testing.wait_all_tasks_blocked()

    async def _run(self, batch: list[KeyCommand]) -> None:
        number = len(self.found)
        self.found[number] = None
        try:
            self.found[number] = await execute(0, batch)
        except TryAgain as exc:
            self.found[number] = str(exc)

    @property
    def all(self) -> list[Any]:
        return list(self.found.values())


async def execute_at_last(*batch: KeyCommand) -> list[bytes]:
    """Try again, as a client does, until it is carried out."""
    with trio.fail_after(60):
        while True:
            try:
                return await execute(0, batch)
            except TryAgain:
                await trio.sleep(0.01)


async def kill(name: Any) -> None:
    """Kill a process and let all who hear of it do what they do then."""
    otp.exit(name, otp.KILL)
    await trio.testing.wait_all_tasks_blocked()


async def wait_for_another(pid: otp.Pid[Any] | None, name: Any) -> otp.Pid[Any] | None:
    """Wait until a name belongs to another process than it did."""
    await until(lambda: otp.whereis(name) not in (None, pid))
    return otp.whereis(name)


class MemoryRepo(Repo):
    """A store in a dict, which outlives it as a disk does."""

    def __init__(self, disk: dict[bytes, Entry]) -> None:
        self.disk = disk

    async def init(self) -> None:
        """Open nothing."""

    @otp.on_call_deferred(timeout=None)
    def commit(self, from_: otp.From[None], operations: Any) -> None:
        self.disk |= {put.key: Entry(put.value) for put in operations}
        otp.reply(from_, None)

    @otp.on_call_deferred(timeout=None)
    def load(self, from_: otp.From[dict[bytes, Entry]], keyspace: int) -> None:
        otp.reply(from_, dict(self.disk))


async def count(answers: list[int]) -> None:
    """Count as a client does that goes on after errors."""
    for _ in range(20):
        with suppress(otp.CallError):
            (reply,) = await CacheWorker.execute("worker", [Increment(b"n")])
            answers.append(int(reply[1:]))
        await trio.sleep(1)
