"""The workers of the cache in a storm, in virtual time: what they acknowledged is stored, once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

import trio_otp as otp
from examples.cache_service.commands import Increment
from examples.cache_service.repo import Repo
from examples.cache_service.store import Entry, Put
from examples.cache_service.worker import KEYSPACES, WORKERS, TryAgain, execute
from trio_otp.testing import chaos

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.cache_service.store import Operation


class MemoryRepo(Repo):
    """Stores in a dict, which outlives it as a disk does."""

    def __init__(self, disk: dict[bytes, Entry]) -> None:
        super().__init__(Path("memory"))
        self.disk = disk

    async def init(self) -> None:
        """Open nothing."""

    @otp.on_call_deferred(timeout=None)
    def commit(self, from_: otp.From[None], operations: Sequence[Operation]) -> None:
        for put in operations:
            assert isinstance(put, Put)
            self.disk[put.key] = Entry(put.value)
        otp.reply(from_, None)

    @otp.on_call_deferred(timeout=None)
    def load(self, from_: otp.From[dict[bytes, Entry]], keyspace: int) -> None:
        otp.reply(from_, dict(self.disk))


@pytest.mark.parametrize("seed", range(5))
async def test_every_answered_count_is_stored_and_counted_once(
    seed: int, autojump_clock: Any
) -> None:
    """Whatever hits workers, registry and store, nobody gets a count that another one got."""
    disk: dict[bytes, Entry] = {}
    answered: list[int] = []

    async def count() -> None:
        for _ in range(30):
            try:
                (reply,) = await execute(0, [Increment(b"n")])
                answered.append(int(reply[1:]))
            except TryAgain:
                pass
            await trio.sleep(1)

    children = [
        otp.child(MemoryRepo, disk).having(name=Repo),
        otp.child(otp.Registry, keys="unique").having(name=KEYSPACES.name),
        otp.child(otp.DynamicSupervisor, max_restarts=100).having(name=WORKERS),
    ]
    async with otp.open_supervisor(children, name="top", max_restarts=100):
        with chaos("top", seed=seed, rate=0.5):
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(count)
    assert len(answered) > 30
    assert len(set(answered)) == len(answered)
    assert max(answered) <= int(disk[b"n"].value)
