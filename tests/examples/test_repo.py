"""The process that owns the store: many writes share a commit, and nobody waits for the dead."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

import trio_otp as otp
from examples.cache_service.repo import Repo, Stats, StoreRefused, check_store
from examples.cache_service.store import Delete, Entry, Put, Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


@pytest.fixture
async def nursery() -> AsyncIterator[trio.Nursery]:
    """A nursery on the real clock, bounded."""
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            yield nursery
            nursery.cancel_scope.cancel()


@pytest.fixture
async def repo(nursery: trio.Nursery, path: Path) -> otp.Pid[Repo]:
    return await otp.start(otp.child(Repo, path).having(name=Repo), nursery=nursery)


@pytest.fixture
def other(path: Path, repo: otp.Pid[Repo]) -> Iterator[sqlite3.Connection]:
    """Another connection to the file that the repo has opened, to hold its lock."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with closing(connection):
        yield connection


async def outcome_of(repo: otp.Pid[Repo], key: bytes, outcomes: list[Any]) -> None:
    try:
        await Repo.commit(repo, [Put(0, key, b"v")])
    except (StoreRefused, otp.OtpError) as exc:
        outcomes.append(exc)
    else:
        outcomes.append("stored")


async def test_what_is_committed_is_loaded(repo: otp.Pid[Repo]) -> None:
    """A load gives what commits before it stored."""
    await Repo.commit(repo, [Put(0, b"a", b"1"), Put(0, b"b", b"2"), Put(1, b"c", b"3")])
    await Repo.commit(repo, [Delete(0, b"a")])

    assert {b"b": Entry(b"2")} == await Repo.load(repo, 0)
    assert Stats(commits=2, operations=4, waiting=0) == await Repo.stats(repo)


async def test_writes_that_wait_share_a_commit(
    repo: otp.Pid[Repo], nursery: trio.Nursery, other: sqlite3.Connection
) -> None:
    """While one commit is on its way, all that queue up are the next one, and all are answered."""
    other.execute("BEGIN IMMEDIATE")
    outcomes: list[Any] = []
    for n in range(51):
        nursery.start_soon(outcome_of, repo, b"%d" % n, outcomes)
    await trio.testing.wait_all_tasks_blocked()
    assert (51, []) == ((await Repo.stats(repo)).waiting, outcomes)
    other.execute("COMMIT")
    loaded = await Repo.load(repo, 0)

    assert 51 == len(loaded)
    assert ["stored"] * 51 == outcomes
    assert Stats(commits=2, operations=51, waiting=0) == await Repo.stats(repo)


async def test_refusal_reaches_its_callers_only(
    repo: otp.Pid[Repo], nursery: trio.Nursery, other: sqlite3.Connection
) -> None:
    """If the store refuses a commit its callers are told, and the repo goes on."""
    other.execute("DROP TABLE entries")
    outcomes: list[Any] = []
    for n in range(3):
        nursery.start_soon(outcome_of, repo, b"%d" % n, outcomes)
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(StoreRefused, match="no such table"):
        await Repo.load(repo, 0)

    fault = "no such table: entries"
    assert [fault] * 3 == [str(exc) for exc in outcomes]
    faults = {("writing", 0): fault, ("reading", 0): fault}
    assert Stats(commits=0, operations=0, waiting=0, faults=faults) == await Repo.stats(repo)


async def test_repo_that_is_killed_answers_everybody(
    repo: otp.Pid[Repo], nursery: trio.Nursery, other: sqlite3.Connection, path: Path
) -> None:
    """Callers of a killed repo hear of it at once, though its thread still waits for the disk."""
    other.execute("BEGIN IMMEDIATE")
    outcomes: list[Any] = []
    for n in range(20):
        nursery.start_soon(outcome_of, repo, b"%d" % n, outcomes)
    await trio.testing.wait_all_tasks_blocked()
    otp.exit(repo, otp.KILL)
    await trio.testing.wait_all_tasks_blocked()

    assert [otp.KILLED] * 20 == [exc.reason for exc in outcomes]
    other.execute("COMMIT")
    successor = await otp.start(otp.child(Repo, path), nursery=nursery)
    assert len(await Repo.load(successor, 0)) in (0, 1)


async def test_repo_ends_when_another_takes_the_file(
    repo: otp.Pid[Repo], path: Path, nursery: trio.Nursery
) -> None:
    """A repo whose file has been opened by another one must not write, and says why it ends."""
    with closing(Store.open(path)):
        outcomes: list[Any] = []
        await outcome_of(repo, b"k", outcomes)

    assert ["Superseded"] == [type(exc.reason).__name__ for exc in outcomes]
    assert not otp.is_alive(repo)


@pytest.fixture
def no_database(path: Path) -> Path:
    path.write_bytes(b"no database at all, by no means" * 100)
    return path


async def test_start_fails_if_the_file_is_no_database(
    no_database: Path, nursery: trio.Nursery
) -> None:
    """The service detects at its start that its path is a mistake."""
    with pytest.raises(otp.StartError, match="file is not a database"):
        await otp.start(otp.child(check_store, no_database), nursery=nursery)


async def test_repo_lives_without_a_store(no_database: Path, nursery: trio.Nursery) -> None:
    """A file that is no database any more crashes nothing: requests fail until it is one again."""
    repo = await otp.start(otp.child(Repo, no_database), nursery=nursery)
    with pytest.raises(StoreRefused, match="file is not a database"):
        await Repo.load(repo, 0)
    with pytest.raises(StoreRefused, match="file is not a database"):
        await Repo.commit(repo, [Put(0, b"k", b"v")])

    await trio.Path(no_database).unlink()
    await Repo.commit(repo, [Put(0, b"k", b"v")])
    assert {b"k": Entry(b"v")} == await Repo.load(repo, 0)
    assert {} == (await Repo.stats(repo)).faults
