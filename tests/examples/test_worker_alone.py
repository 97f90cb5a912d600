"""A worker of the cache service alone, with the testing kit: probes for its store, virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

import trio_otp as otp
from examples.cache_service.commands import Get, Lifetime, Set
from examples.cache_service.repo import Repo, StoreRefused
from examples.cache_service.store import Delete, Put
from examples.cache_service.worker import CacheWorker, OutcomeUnknown, TryAgain
from trio_otp.testing import (
    assert_call_fails,
    assert_down,
    assert_receive,
    assert_restarted,
    assert_tree,
    called,
    crash_next_call,
    like,
    matches,
    pause,
    refute_receive,
)

if TYPE_CHECKING:
    from trio_otp.testing import OtpLog, OtpSystem, Probe, VirtualTime

OK, NIL, OLD = b"+OK\r\n", b"$-1\r\n", b"$3\r\nold\r\n"
WRITE = [Set(b"k", b"old")]


def open_repo(system: OtpSystem) -> Probe:
    """Give what the worker takes for its store: an empty one; the test confirms its commits."""
    repo = system.probe(name=Repo, serves=Repo)
    repo.auto_reply(Repo.load, {})
    return repo


@pytest.fixture
def repo(otp_system: OtpSystem) -> Probe:
    return open_repo(otp_system)


@pytest.fixture
async def worker(start_supervised: Any, repo: Probe) -> otp.Pid[CacheWorker]:
    child = otp.child(CacheWorker, 7, trio.current_time).having(name="worker")
    pid: otp.Pid[CacheWorker] = await start_supervised(child)
    return pid


async def write(done: otp.Pid[Any]) -> None:
    """Be a client that tells of its answer."""
    otp.send(done, await CacheWorker.execute("worker", WRITE))


async def test_an_answer_waits_for_the_store(worker: Any, repo: Probe, virtual_time: Any) -> None:
    """Until the store confirms a write it is not acknowledged, and reads show what was there."""
    otp.spawn_link(write, otp.self())
    commit = await repo.receive_call(called(Repo.commit, [like(Put, key=b"k", value=b"old")]))
    assert [NIL] == await CacheWorker.execute(worker, [Get(b"k")])
    await refute_receive(list)
    otp.reply(commit, None)
    assert [OK] == await assert_receive(list)
    assert [OLD] == await CacheWorker.execute(worker, [Get(b"k")])


async def test_a_refused_write_is_an_error(worker: Any, repo: Probe, virtual_time: Any) -> None:
    """The worker goes on with what is stored."""

    def refuse(_: object) -> None:
        raise StoreRefused("disk full")

    repo.auto_reply(Repo.commit, refuse)
    with pytest.raises(TryAgain, match="the store refused: disk full"):
        await CacheWorker.execute(worker, WRITE)
    assert [NIL] == await CacheWorker.execute(worker, [Get(b"k")])
    await assert_restarted("worker", times=0)


async def test_entries_past_their_end_are_deleted(
    worker: Any, repo: Probe, virtual_time: VirtualTime
) -> None:
    """Within a second after it, though nobody asks for them."""
    repo.auto_reply(Repo.commit, None)
    await CacheWorker.execute(worker, [Set(b"k", b"old", Lifetime(60))])
    await virtual_time.advance(59.5)
    assert [OLD] == await CacheWorker.execute(worker, [Get(b"k")])
    await virtual_time.advance(1.5)
    assert [NIL] == await CacheWorker.execute(worker, [Get(b"k")])
    assert matches(called(Repo.commit, [like(Delete, key=b"k")]), repo.received[-1])


async def test_a_store_that_dies_with_a_write_in_hand(
    worker: Any, repo: Probe, otp_system: OtpSystem, otp_log: OtpLog, virtual_time: VirtualTime
) -> None:
    """Nobody knows whether it is stored, so the worker crashes and asks the next store."""
    ref = otp.monitor(worker)
    with otp_log.expect_crash(OutcomeUnknown, of="worker", times=1):
        otp.spawn(assert_call_fails, CacheWorker.execute(worker, WRITE), OutcomeUnknown)
        await repo.receive_call(Repo.commit)
        otp.exit(repo, otp.KILL)
        await assert_down(ref, OutcomeUnknown)
    await virtual_time.advance(1)
    next_repo = open_repo(otp_system)
    await assert_restarted("worker")
    assert [NIL] == await CacheWorker.execute("worker", [Get(b"k")])
    assert matches([called(Repo.load, 7)], list(next_repo.received))


async def test_a_worker_that_crashes_or_is_held(worker: Any, virtual_time: VirtualTime) -> None:
    """Its callers get an error or wait, and the next one is served."""
    crash_next_call(worker)
    await assert_call_fails(CacheWorker.execute(worker, WRITE))
    await assert_restarted("worker")
    assert_tree(["worker"])
    async with pause("worker"):
        await assert_call_fails(CacheWorker.execute("worker", [Get(b"k")]), otp.CallTimeout)
    assert [NIL] == await CacheWorker.execute("worker", [Get(b"k")])
