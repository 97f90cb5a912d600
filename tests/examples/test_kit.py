"""A worker of the cache service, tested with all of the kit."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from depth import few
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule
from worker_kit import MemoryRepo, count

import trio_otp as otp
from examples.cache_service.commands import Get, Increment, Lifetime, Set
from examples.cache_service.repo import Repo
from examples.cache_service.store import Delete, Put
from examples.cache_service.worker import CacheWorker, OutcomeUnknown
from trio_otp import testing as kit

OK, NIL, OLD = b"+OK\r\n", b"$-1\r\n", b"$3\r\nold\r\n"
WRITE = [Set(b"k", b"old")]
WORKER = otp.child(CacheWorker, 7, trio.current_time).having(name="worker")


def open_repo(system: kit.OtpSystem) -> kit.Probe:
    """Return what the worker takes for its store: an empty one; the test confirms its commits."""
    repo = system.probe(name=Repo, serves=Repo)
    repo.auto_reply(Repo.load, {})
    return repo


@pytest.fixture
def repo(otp_system: kit.OtpSystem) -> kit.Probe:
    return open_repo(otp_system)


@pytest.fixture
async def worker(start_supervised: Any, repo: kit.Probe) -> otp.Pid[CacheWorker]:
    pid: otp.Pid[CacheWorker] = await start_supervised(WORKER)
    return pid


async def write(done: otp.Pid[Any]) -> None:
    """Be a client that tells of its answer."""
    otp.send(done, await CacheWorker.execute("worker", WRITE))


async def test_an_answer_waits_for_the_store(
    worker: Any, repo: kit.Probe, virtual_time: Any
) -> None:
    """Until the store confirms a write it is not acknowledged, and reads show what was there."""
    otp.spawn_link(write, otp.self())
    commit = await repo.receive_call(kit.called(Repo.commit, [kit.like(Put, value=b"old")]))
    assert [NIL] == await CacheWorker.execute(worker, [Get(b"k")])
    await kit.refute_receive(list)
    otp.reply(commit, None)
    assert [OK] == await kit.assert_receive(list)
    assert [OLD] == await CacheWorker.execute(worker, [Get(b"k")])


async def test_entries_past_their_end_are_deleted(
    worker: Any, repo: kit.Probe, virtual_time: kit.VirtualTime
) -> None:
    """Within a second after it, though nobody asks for them."""
    repo.auto_reply(Repo.commit, None)
    await CacheWorker.execute(worker, [Set(b"k", b"old", Lifetime(60))])
    await virtual_time.advance(59.5)
    assert [OLD] == await CacheWorker.execute(worker, [Get(b"k")])
    await virtual_time.advance(1.5)
    assert [NIL] == await CacheWorker.execute(worker, [Get(b"k")])
    assert kit.matches(kit.called(Repo.commit, [kit.like(Delete, key=b"k")]), repo.received[-1])


async def test_a_store_that_dies_with_a_write_in_hand(
    worker: Any, repo: kit.Probe, otp_system: kit.OtpSystem, otp_log: kit.OtpLog, virtual_time: Any
) -> None:
    """Nobody knows whether it is stored, so the worker crashes and asks the next store."""
    ref = otp.monitor(worker)
    with otp_log.expect_crash(OutcomeUnknown, of="worker", times=1):
        otp.spawn(kit.assert_call_fails, CacheWorker.execute(worker, WRITE), OutcomeUnknown)
        await repo.receive_call(Repo.commit)
        otp.exit(repo, otp.KILL)
        await kit.assert_down(ref, OutcomeUnknown)
    await virtual_time.advance(1)
    next_repo = open_repo(otp_system)
    await kit.assert_restarted("worker")
    assert [NIL] == await CacheWorker.execute("worker", [Get(b"k")])
    assert kit.matches([kit.called(Repo.load, 7)], list(next_repo.received))


async def test_a_worker_that_crashes_or_is_held(worker: Any, virtual_time: kit.VirtualTime) -> None:
    """Its callers get an error or wait, and the next one is served."""
    kit.crash_next_call(worker)
    await kit.assert_call_fails(CacheWorker.execute(worker, WRITE))
    await kit.assert_restarted("worker")
    kit.assert_tree(["worker"])
    async with kit.pause("worker"):
        await kit.assert_call_fails(CacheWorker.execute("worker", [Get(b"k")]), otp.CallTimeout)
    assert [NIL] == await CacheWorker.execute("worker", [Get(b"k")])


async def storm(seed: int) -> None:
    """Let three clients count while faults hit the worker and its store."""
    disk: dict[bytes, Any] = {}
    answers: list[int] = []
    children = [otp.child(MemoryRepo, disk).having(name=Repo), WORKER]
    async with otp.open_supervisor(children, name="top", max_restarts=100):
        with kit.chaos("top", seed=seed, rate=0.5):
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(count, answers)
    assert 5 < len(answers) == len(set(answers))
    assert max(answers) <= int(disk[b"n"].value)


@pytest.mark.parametrize("seed", range(5))
def test_an_answered_count_is_stored_and_counted_once(seed: int) -> None:
    """In any order of tasks no two clients get the same count, and none gets one that is lost."""
    kit.explore(storm, seed, runs=3)


class WorkerMachine(kit.ServerMachine):
    """A worker that crashes whenever it can, and a number that goes on all the same."""

    requests = st.just([Increment(b"n")])
    number = 0

    def others(self) -> Any:
        return [otp.child(MemoryRepo, {}).having(name=Repo)]

    def child(self) -> Any:
        return WORKER

    async def request(self, request: Any) -> Any:
        return await CacheWorker.execute("worker", request)

    def lost(self, request: Any) -> None:
        self.number += 1

    @rule()
    def count(self) -> None:
        self.number += 1
        assert [b":%d\r\n" % self.number] == self.run(self.request, [Increment(b"n")])


TestWorker = WorkerMachine.TestCase
TestWorker.settings = settings(max_examples=few(20), stateful_step_count=10)
