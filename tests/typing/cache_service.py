"""What the checkers make of the servers of the cache service and their clients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, assert_type

import trio_otp as otp
from examples.cache_service.app import CacheService
from examples.cache_service.client import Client, Reply
from examples.cache_service.commands import Get, Ping, Set
from examples.cache_service.keyspaces import KEYSPACES, execute
from examples.cache_service.repo import Repo, Stats
from examples.cache_service.store import Entry, Put
from examples.cache_service.worker import CacheWorker

if TYPE_CHECKING:
    from examples.cache_service.commands import KeyCommand


async def check_workers(worker: otp.Pid[CacheWorker]) -> None:
    """A worker takes commands on keys, and gives encoded replies."""
    batch: list[KeyCommand] = [Set(b"k", b"v"), Get(b"k")]
    assert_type(await CacheWorker.execute(worker, batch), list[bytes])
    assert_type(await CacheWorker.at(KEYSPACES.via(0)).execute(batch), list[bytes])
    assert_type(await CacheWorker.export(worker, Path(), "out"), bytes)
    await execute(0, [Ping()])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]


async def check_repo() -> None:
    """The Repo stores operations and loads entries."""
    repo = Repo.at()
    assert_type(await repo.load(0), dict[bytes, Entry])
    assert_type(await repo.stats(), Stats)
    await repo.commit([Put(0, b"k", b"v")])
    await repo.commit([b"k"])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]


def check_children(path: Path) -> None:
    """Children take the arguments of their constructors, and nothing else."""
    assert_type(otp.child(Repo, path), otp.Child[Repo])
    assert_type(otp.child(CacheWorker, 0), otp.Child[CacheWorker])
    assert_type(CacheService().start(), otp.Child[otp.Supervisor])
    otp.child(Repo, 5)  # type: ignore[call-overload] # pyright: ignore[reportArgumentType, reportCallIssue]


async def check_client(client: Client) -> None:
    """A reply is one of the kinds that the protocol knows."""
    assert_type(await client.ask("GET", b"k"), Reply)
