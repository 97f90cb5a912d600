"""What clients share: questions to a loop that may not answer, and how late it is."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import trio
import trio.testing
from inside import runtime
from observer_kit import LIMIT, Server, client_here

import trio_otp as otp
from trio_otp.observer import hub as hub_module
from trio_otp.observer.hub import Hub
from trio_otp.observer.protocol import Refused
from trio_otp.observer.vitals import KEPT, Beats, Vitals


async def test_what_the_loop_does_not_come_to_in_time_is_not_done() -> None:
    """Not later either: who asked has been told that there was no answer."""
    tables, token, done = runtime(), trio.lowlevel.current_trio_token(), threading.Event()
    called: list[str] = []
    kinds: list[str] = []

    async def ask() -> None:
        with pytest.raises(Refused) as refused:
            await Hub(tables, token).in_loop(lambda: called.append("late"), 0.05)
        kinds.append(refused.value.kind)
        done.set()

    thread = threading.Thread(target=trio.run, args=[ask], daemon=True)
    thread.start()
    assert done.wait(LIMIT)  # the loop does nothing else meanwhile
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert (["NoAnswer"], []) == (kinds, called)
    await trio.to_thread.run_sync(thread.join, LIMIT)


async def test_a_question_is_answered_or_raises_what_the_function_does() -> None:
    """Also one of a run that has ended."""
    hub = Hub(runtime(), trio.lowlevel.current_trio_token())
    assert 3 == await hub.in_loop(lambda: 1 + 2)
    with pytest.raises(ZeroDivisionError):
        await hub.in_loop(lambda: 1 // 0)

    async def gone() -> Any:
        return trio.lowlevel.current_trio_token()

    ended = await trio.to_thread.run_sync(trio.run, gone)
    with pytest.raises(Refused) as refused:
        await Hub(runtime(), ended).in_loop(lambda: None)
    assert "Ended" == refused.value.kind


class Token:
    """Counts what is to be done in a loop, and does it when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []

    def run_sync_soon(self, function: Any) -> None:
        self.waiting.append(function)


def test_only_a_loop_at_work_is_asked_how_late_it_is() -> None:
    """An idle one is not woken; and one call is on its way at a time."""
    token: Any = Token()
    beats = Beats(token)
    for busy in (False, True, False, False, True):
        beats.look(busy)
    assert [] == token.waiting
    assert None is beats.take()
    for _ in range(3):
        beats.look(True)
    assert 1 == len(token.waiting)
    assert (beats.take() or 0.0) > 0  # it is late as long as it has not come back
    token.waiting.pop()()
    assert (beats.take() or 0.0) > 0
    assert None is beats.take()


async def test_points_are_kept_for_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A point a second; a client gets those that it does not have."""
    monkeypatch.setattr("trio_otp.observer.vitals.APART", 0.0)
    vitals, sampler = Vitals(), Hub(runtime()).sampler
    sampler.rounds = 2
    for number in range(KEPT + 5):
        sampler.restarts = 2 * number
        vitals.add(sampler, None)
    points = vitals.since(0)
    assert (KEPT, 6, KEPT + 5) == (len(points), points[0].number, points[-1].number)
    assert [KEPT + 4, KEPT + 5] == [point.number for point in vitals.since(KEPT + 3)]
    assert {2} == {point.restarts for point in points}


async def test_the_overview_has_a_point_a_second(autojump_clock: Any) -> None:
    """Each of them once; in between, and for another client, there is nothing new to tell."""
    async with otp.open_supervisor([otp.child(Server)]), client_here() as client:
        number = await client.say("overview", every=0.25)
        points: list[list[Any]] = []
        with trio.fail_after(LIMIT * 1000):
            while not points:
                points += (await client.answer(number))["result"]["points"]
        assert [1] == [point[0] for point in points]


async def test_messages_of_the_dead_count() -> None:
    """What a process had handled is handled, also if it has ended since the last sample."""
    async with otp.open_supervisor([otp.child(Server).having(name="shop")], max_restarts=99):
        hub = Hub(runtime())
        for _ in hub.sampler.sample(0.0, 1.0):
            pass
        for number in range(5):
            Server.note("shop", number)
        await trio.testing.wait_all_tasks_blocked()
        otp.exit("shop", otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        Server.note("shop", 6)
        await trio.testing.wait_all_tasks_blocked()
        for _ in hub.sampler.sample(1.0, 1.0):
            pass
        assert 6.0 <= hub.sampler.rate <= 8.0  # and a message or two of the supervisor


async def test_a_sample_is_shared_by_those_who_ask_at_once(autojump_clock: Any) -> None:
    """And two that are compared are some time apart."""
    async with otp.open_supervisor([otp.child(Server)]):
        hub = Hub(runtime())
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(hub.sample, 1)
        assert 1 == hub.sampler.rounds
        began = trio.current_time()
        await hub.sample(3)
        assert 3 == hub.sampler.rounds
        assert 2 * hub_module.GAP == pytest.approx(trio.current_time() - began)
        await trio.sleep(100)
        await hub.sample(1)
        assert 1 == hub.sampler.rounds  # the last one was too long ago


async def test_a_thread_reads_while_processes_come_and_go() -> None:
    """A sample, a tree, the problems and all stacks: nothing raises, whatever changes meanwhile."""
    from trio_otp.observer import asks, info, sight, tree

    tables, token, stop = runtime(), trio.lowlevel.current_trio_token(), threading.Event()
    counts: list[int] = []

    async def read() -> None:
        hub = Hub(tables, token)
        whole = {"root": None, "open": [], "everything": True, "limit": 1000}
        window = {"filter": "", "sort": "queue", "descending": True, "first": 0, "count": 50}
        while not stop.is_set():
            hub._sampled_at = float("-inf")
            seen = await asks.rows(hub, {}, window, once=False)
            await tree.tree(hub, {}, whole, once=False)
            await sight.problems(hub, {}, {}, once=False)
            await asks.stacks(hub, {}, {"filter": ""}, once=False)
            for key in seen["keys"]:
                try:
                    await info.info(hub, {}, {"ref": int(key)}, once=False)
                except Refused as refused:
                    assert "NoProcess" == refused.kind  # noqa: PT017 - it may be or not
            counts.append(seen["total"])

    children = [otp.child(Server).having(name=f"s{number}") for number in range(20)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, trio.run, read)
        while len(counts) < 30:
            async with otp.open_supervisor(children, max_restarts=1000):
                for number in range(20):
                    otp.exit(f"s{number}", otp.KILL)
                    Server.note(f"s{(number + 1) % 20}", number)
                    await trio.lowlevel.checkpoint()
        stop.set()
