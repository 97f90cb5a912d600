"""Workers: what they acknowledge is stored, and what they show agrees with the store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from worker_kit import NAME, OK, Outcomes, execute_at_last, kill, until, wait_for_another

import trio_otp as otp
from examples.cache_service.app import TOP
from examples.cache_service.commands import Get, Increment, Lifetime, Set
from examples.cache_service.keyspaces import KEYSPACES, UNKNOWN, WORKERS, execute
from examples.cache_service.repo import Repo
from examples.cache_service.worker import CacheWorker, TryAgain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Service


NIL = b"$-1\r\n"
OLD, NEW = b"$3\r\nold\r\n", b"$3\r\nnew\r\n"


@pytest.fixture
def disk(service: Service) -> Iterator[sqlite3.Connection]:
    """Another connection to the database, which can hold up commits by a lock."""
    with closing(sqlite3.connect(service.path, isolation_level=None)) as connection:
        yield connection


def rows(disk: sqlite3.Connection) -> dict[bytes, bytes]:
    return dict(disk.execute("SELECT key, value FROM entries WHERE keyspace = 0"))


async def test_worker_starts_when_it_is_needed(service: Service) -> None:
    """No keyspace has a worker before its first use; those who come together get the same one."""
    assert 0 == (await otp.count_children(WORKERS)).active
    replies: list[bytes] = []

    async def count() -> None:
        replies.extend(await execute(7, [Increment(b"n")]))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(count)

    assert [b":%d\r\n" % n for n in range(1, 6)] == sorted(replies)
    assert 1 == (await otp.count_children(WORKERS)).active
    assert otp.whereis(KEYSPACES.via(7)) is not None


async def test_ok_comes_after_the_commit(service: Service, disk: sqlite3.Connection) -> None:
    """Until a write is stored it is not acknowledged, and reads show what was there before."""
    await execute(0, [Set(b"k", b"old")])
    disk.execute("BEGIN IMMEDIATE")
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(nursery)
        await outcomes.start([Set(b"k", b"new"), Get(b"k")])
        assert [None] == outcomes.all
        assert [OLD] == await execute(0, [Get(b"k")])
        disk.execute("COMMIT")

    assert [[OK, NEW]] == outcomes.all
    assert {b"k": b"new"} == rows(disk)
    assert [NEW] == await execute(0, [Get(b"k")])


async def test_writes_in_flight_see_each_other(service: Service, disk: sqlite3.Connection) -> None:
    """Of many who want to be first one is, and counters count, though nothing is stored yet."""
    await execute(0, [Set(b"n", b"10")])
    disk.execute("BEGIN IMMEDIATE")
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(nursery)
        first = [Set(b"lock", b"me", condition="NX")]
        await outcomes.start(first, first, [Increment(b"n")], first, [Increment(b"n")])
        assert [None] * 5 == outcomes.all
        disk.execute("COMMIT")

    assert [[OK], [NIL], [b":11\r\n"], [NIL], [b":12\r\n"]] == outcomes.all
    assert {b"lock": b"me", b"n": b"12"} == rows(disk)


async def test_refused_write_leaves_memory_as_the_disk(
    service: Service, disk: sqlite3.Connection
) -> None:
    """If the store refuses, clients get an error and the worker goes on with what is stored."""
    await execute(0, [Set(b"k", b"old")])
    worker = otp.whereis(NAME)
    disk.execute(
        "CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    )
    disk.execute("BEGIN IMMEDIATE")
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(nursery)
        await outcomes.start([Set(b"k", b"new")], [Get(b"k"), Increment(b"n")])
        disk.execute("COMMIT")

    text = "MISCONF Errors writing to the database file: disk full"
    assert [text, text] == outcomes.all
    assert [OLD, NIL] == await execute(0, [Get(b"k"), Get(b"n")])
    disk.execute("DROP TRIGGER full")
    assert [OK] == await execute(0, [Set(b"k", b"new")])
    assert worker == otp.whereis(NAME)


async def test_repo_killed_with_commits_pending(service: Service, disk: sqlite3.Connection) -> None:
    """Whose commits a killed Repo had in hand gets an error; the worker comes back and agrees."""
    await execute(0, [Set(b"n", b"10")])
    worker = otp.whereis(NAME)
    disk.execute("BEGIN IMMEDIATE")
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(nursery)
        await outcomes.start(*[[Increment(b"n")]] * 20)
        await kill(Repo)
        assert [UNKNOWN] * 20 == outcomes.all
        disk.execute("COMMIT")
    await wait_for_another(worker, NAME)

    (value,) = await execute(0, [Get(b"n")])
    assert value in (b"$2\r\n10\r\n", b"$2\r\n11\r\n")
    assert value == b"$2\r\n%b\r\n" % rows(disk)[b"n"]


async def test_idle_worker_outlives_the_repo(service: Service) -> None:
    """A worker that has nothing on its way to a Repo that dies knows what is stored, and stays."""
    await execute(0, [Set(b"k", b"old")])
    worker, repo = otp.whereis(NAME), otp.whereis(Repo)
    otp.exit(repo, otp.KILL)

    assert [OLD] == await execute(0, [Get(b"k")])
    await wait_for_another(repo, Repo)
    assert [OK, NEW] == await execute(0, [Set(b"k", b"new"), Get(b"k")])
    assert worker == otp.whereis(NAME)


async def test_without_a_repo_writes_are_refused(service: Service) -> None:
    """While there is no Repo writes get an error that says so, and reads are served."""
    await execute(0, [Set(b"k", b"old")])
    await otp.terminate_child(TOP, Repo)

    with pytest.raises(TryAgain, match="TRYAGAIN the store is being restarted; try again"):
        await execute(0, [Set(b"k", b"new")])
    assert [OLD] == await execute(0, [Get(b"k")])
    await otp.restart_child(TOP, Repo)
    assert [OK, NEW] == await execute(0, [Set(b"k", b"new"), Get(b"k")])


async def test_writes_wait_for_a_repo_that_starts(
    service: Service, disk: sqlite3.Connection
) -> None:
    """While the Repo opens the database writes wait, and reads are served."""
    await execute(0, [Set(b"k", b"old")])
    disk.execute("BEGIN IMMEDIATE")
    await kill(Repo)
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(nursery)
        await outcomes.start([Set(b"k", b"new")])
        assert [None] == outcomes.all
        assert [OLD] == await execute(0, [Get(b"k")])
        disk.execute("COMMIT")

    assert [[OK]] == outcomes.all


async def test_worker_that_starts_without_a_repo_waits_for_it(
    service: Service, disk: sqlite3.Connection
) -> None:
    """A worker whose Repo is being restarted answers its first callers when it has loaded."""
    await execute(0, [Set(b"k", b"old")])
    disk.execute("BEGIN IMMEDIATE")
    await kill(Repo)
    await kill(NAME)
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(nursery)
        await outcomes.start([Get(b"k")])
        assert [None] == outcomes.all
        disk.execute("COMMIT")

    assert [[OLD]] == outcomes.all


async def test_killed_worker_comes_back_with_all_it_acknowledged(service: Service) -> None:
    """Its supervisor starts a killed worker again, which reads its keyspace from the store."""
    for n in range(20):
        await execute(0, [Set(b"k%d" % n, b"old")])
        worker = otp.whereis(NAME)
        otp.exit(worker, otp.KILL)
        await wait_for_another(worker, NAME)

    assert [OLD] * 20 == await execute(0, [Get(b"k%d" % n) for n in range(20)])
    (worker,) = await otp.which_children(WORKERS)
    assert 20 == worker.restarts


async def test_worker_killed_with_writes_pending(
    service: Service, disk: sqlite3.Connection
) -> None:
    """Whose writes a killed worker had in hand gets an error; its successor sees them or not."""
    await execute(0, [Set(b"n", b"10")])
    disk.execute("BEGIN IMMEDIATE")
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(nursery)
        await outcomes.start(*[[Increment(b"n")]] * 20)
        await kill(NAME)
        assert [UNKNOWN] * 20 == outcomes.all
        disk.execute("COMMIT")

    # The parcel that the Repo had is stored before the successor loads; the next was never sent.
    assert [b"$2\r\n11\r\n"] == await execute(0, [Get(b"n")])


async def test_crash_is_not_seen_by_the_next_caller(service: Service) -> None:
    """A worker that crashes is started again, and who asks next gets what is stored."""
    await execute(0, [Set(b"k", b"old")])
    worker = otp.whereis(NAME)
    otp.cast(NAME, "nonsense")
    await wait_for_another(worker, NAME)

    assert [OLD] == await execute(0, [Get(b"k")])


async def test_death_of_the_registry_leaves_no_worker_without_a_name(service: Service) -> None:
    """Workers die with the registry that has their names; new ones are found under the new one."""
    await execute(0, [Set(b"k", b"old")])
    worker, registry = otp.whereis(NAME), otp.whereis(KEYSPACES.name)
    assert worker is not None
    otp.exit(registry, otp.KILL)
    await wait_for_another(registry, KEYSPACES.name)

    assert [OLD] == await execute_at_last(Get(b"k"))
    assert not otp.is_alive(worker)
    assert 1 == (await otp.count_children(WORKERS)).active


async def test_fire(service: Service) -> None:
    """Whatever is killed while clients count, every answered count is there and counted once."""
    answered: list[int] = []
    unknown = tried = 0

    async def count() -> None:
        nonlocal unknown, tried
        for _ in range(40):
            tried += 1
            try:
                (reply,) = await execute(0, [Increment(b"n")])
                answered.append(int(reply[1:]))
            except TryAgain as exc:
                unknown += UNKNOWN in str(exc)
                await trio.sleep(0.002)

    async def kill_some() -> None:
        for turn, victim in enumerate((NAME, Repo, NAME, KEYSPACES.name, Repo, WORKERS, NAME)):
            await until(lambda turn=turn: tried > 100 * turn)  # type: ignore[misc]
            if otp.whereis(victim) is not None:
                otp.exit(victim, otp.KILL)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(kill_some)
        for _ in range(20):
            nursery.start_soon(count)
    (reply,) = await execute_at_last(Increment(b"n"))

    assert len(set(answered)) == len(answered)
    assert len(answered) < int(reply[1:]) <= len(answered) + unknown + 1


async def test_swept_entries_leave_the_disk(
    service: Service, disk: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry past its end disappears from the database, though nobody asks for it."""
    monkeypatch.setattr("examples.cache_service.worker.SWEEP_EVERY", 0.01)
    await execute(0, [Set(b"short", b"x", Lifetime(0.05)), Set(b"long", b"y", Lifetime(60.0))])
    assert 2 == len(rows(disk))
    await until(lambda: b"short" not in rows(disk))

    assert [b"long"] == list(rows(disk))


async def test_worker_started_for_a_test_of_its_own(tmp_path: Path) -> None:
    """A worker takes any clock, so that a test can let years pass."""
    now = 1000.0
    async with (
        otp.open_supervisor(
            [
                otp.child(Repo, tmp_path / "c.db", lambda: now).having(name=Repo),
                otp.child(CacheWorker, 0, lambda: now).having(name="worker"),
            ]
        ),
    ):
        worker = CacheWorker.at("worker")
        await worker.execute([Set(b"k", b"old", Lifetime(1e9))])
        now += 9e8
        assert [OLD] == await worker.execute([Get(b"k")])
        now += 2e8
        assert [NIL] == await worker.execute([Get(b"k")])
        assert {} == await Repo.load(Repo, 0)
