"""What clients share: questions to a loop that may not answer, and how late it is."""

from __future__ import annotations

import gc
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
from trio_otp.observer.reading.vitals import KEPT, Beats, Vitals
from trio_otp.observer.session.protocol import Refused


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
    monkeypatch.setattr("trio_otp.observer.reading.vitals.APART", 0.0)
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


async def test_an_end_does_not_count_twice() -> None:
    """What a process had handled, and its restarts, are those of one process, also as it ends."""
    children = [otp.child(Server).having(name="shop")]
    async with otp.open_supervisor(children, max_restarts=99):
        sampler = Hub(runtime()).sampler
        for number in range(50):
            Server.note("shop", number)
        await trio.testing.wait_all_tasks_blocked()
        seen: list[tuple[int, float]] = []
        for now in range(10):
            for _ in sampler.sample(float(now), 1.0):
                pass
            seen.append((sampler.restarts, sampler.rate))
            otp.exit("shop", otp.KILL)
            await trio.testing.wait_all_tasks_blocked()
        assert list(range(10)) == [restarts for restarts, _ in seen]
        assert all(rate <= 3 for _, rate in seen)  # messages of the supervisor


async def test_the_restarts_of_a_child_that_is_down_count(autojump_clock: Any) -> None:
    """So the chart has one restart when it is there again, and not all that it ever had."""
    backoff = otp.Backoff(min_delay=10, factor=1, jitter=0)
    static = otp.child(Server).having(name="shop", backoff=backoff)
    dynamic = otp.child(otp.DynamicSupervisor, backoff=backoff).having(name="shops")
    async with otp.open_supervisor([static, dynamic]):
        await otp.start_child("shops", otp.child(Server).having(name="till"))
        sampler = Hub(runtime()).sampler
        for round in range(3):
            for name in ("shop", "till"):
                otp.exit(name, otp.KILL)
            for wait, restarts in ((4, 2 * round), (4, 2 * round), (7, 2 * round + 2)):
                await trio.sleep(wait)
                for _ in sampler.sample(trio.current_time(), wait):
                    pass
                assert restarts == sampler.restarts


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
    from trio_otp.observer.diagnosis import sight
    from trio_otp.observer.reading import info, tree
    from trio_otp.observer.session import asks

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


async def test_a_question_may_be_cancelled() -> None:
    """Then nothing is done either."""
    tables, token, done = runtime(), trio.lowlevel.current_trio_token(), threading.Event()
    called: list[str] = []

    async def ask() -> None:
        with trio.move_on_after(0.02):
            await Hub(tables, token).in_loop(lambda: called.append("late"), 10)
        done.set()

    thread = threading.Thread(target=trio.run, args=[ask], daemon=True)
    thread.start()
    assert done.wait(LIMIT)
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert [] == called
    await trio.to_thread.run_sync(thread.join, LIMIT)


async def test_a_sample_in_the_loop_lets_others_go_on() -> None:
    """After each hundred of processes."""
    many = [otp.child(Server).having(id=number) for number in range(250)]
    async with otp.open_supervisor(many), trio.open_nursery() as nursery:
        turns: list[int] = []

        async def count() -> None:
            while True:
                turns.append(1)
                await trio.lowlevel.checkpoint()

        nursery.start_soon(count)
        await trio.lowlevel.checkpoint()
        before = len(turns)
        hub = Hub(runtime())
        await hub.sample(1)
        assert 251 == len(hub.sampler.table)
        assert 2 <= len(turns) - before
        nursery.cancel_scope.cancel()


async def test_a_row_that_cannot_be_read_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read once more; one that has never been read is left out."""
    from trio_otp.observer.reading import sampler as module

    read, fails = module._read, [1, 99]

    def torn(*args: Any) -> None:
        fails[0] -= 1
        if fails[0] >= 0:
            raise RuntimeError("deque mutated during iteration")
        read(*args)

    monkeypatch.setattr(module, "_read", torn)
    async with otp.open_process():
        hub = Hub(runtime())
        await hub.sample(1)
        assert 1 == len(hub.sampler.table)
        fails[0] = 99
        hub.sampler.forget()
        for _ in hub.sampler.sample(0.0, 1.0):
            pass
        assert {} == hub.sampler.table


async def test_what_is_remembered_has_a_limit() -> None:
    """States, and receivers of what was dropped: the oldest is forgotten."""
    from trio_otp.observer.reading.records import DROPS, Records
    from trio_otp.observer.reading.states import KEPT as STATES
    from trio_otp.observer.reading.states import States

    states, records = States(), Records(runtime())
    fakes: list[Any] = [_Numbered(number) for number in range(STATES + 1)]
    first = states.of(fakes[0])
    assert first is states.of(fakes[0])
    for fake in fakes:
        states.of(fake)
    assert first is not states.of(fakes[0])
    for number in range(DROPS + 5):
        records._dropped(f"name {number}", None, "nobody")
    assert (DROPS, "'name 5'") == (len(records.drops), next(iter(records.drops)))


class _Numbered:
    def __init__(self, number: int) -> None:
        self.pid = self
        self._number = number


async def test_where_nobody_is_nothing_is_said() -> None:
    """Of a process that has ended while its problem was looked for."""
    from trio_otp.observer.diagnosis.sight import _sight

    sight = _sight(Hub(runtime()))
    assert (None, "a message") == (sight.place(999), sight.doing(999))


def test_a_crash_that_is_no_exception_and_a_long_one() -> None:
    """A reason is told as it is; of a long traceback both ends are kept."""
    from trio_otp.events import CrashReport
    from trio_otp.observer.reading.crashes import TRACEBACK, Crashes

    crashes = Crashes()
    crashes.add(CrashReport(None, None, "job", ("odd", "reason")))
    crashes.add(CrashReport(None, "n", "job", ValueError("bad"), traceback="x" * 9000 + "end"))
    odd, long = crashes.since(0)
    assert ("('odd', 'reason')", None, None, "job") == (
        odd.kind,
        odd.where,
        odd.traceback,
        odd.name,
    )
    assert long.traceback is not None
    assert long.traceback.endswith("end")
    assert "[... 3003 characters ...]" in long.traceback
    assert len(long.traceback) < TRACEBACK + 100


def test_what_changes_is_read_again() -> None:
    """A few times; then what it raised is raised."""
    from trio_otp.observer.reading.again import TRIES, read_again

    left = [2]

    def read() -> str:
        left[0] -= 1
        if left[0] >= 0:
            raise RuntimeError("changed")
        return "whole"

    assert "whole" == read_again(read)
    left[0] = TRIES
    with pytest.raises(RuntimeError):
        read_again(read)
    assert "whole" == read_again(read)


async def test_a_client_that_does_not_take_its_answer_is_gone() -> None:
    """Its session ends, and raises nothing."""
    from trio_otp.observer.session.session import Session

    async def send(_: str) -> None:
        await trio.lowlevel.checkpoint()
        raise trio.BrokenResourceError

    to_session, lines = trio.open_memory_channel[str](1)
    with trio.fail_after(LIMIT):
        await Session(Hub(runtime()), {}, send, local=True).run(lines)
    to_session.close()


async def test_what_a_client_has_seen_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest are remembered, so that their ends can be told."""
    from trio_otp.observer.session import asks

    monkeypatch.setattr(asks, "KNOWN", 4)
    many = [otp.child(Server).having(id=number) for number in range(9)]
    async with otp.open_supervisor(many):
        memory: dict[str, Any] = {}
        window = {"filter": "", "sort": "pid", "descending": False, "first": 0, "count": 50}
        await asks.rows(Hub(runtime()), memory, window, once=False)
    assert [9, 10] == list(memory["known"])


async def test_a_row_whose_process_changes_has_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: Any
) -> None:
    """It is shown all the same."""
    from trio_otp.observer.session import asks

    monkeypatch.setattr(asks, "doing", lambda *_: 1 // 0)
    async with otp.open_process(), client_here() as client:
        [row] = (await client.ask("rows"))["rows"].values()
    assert "" == row["doing"]


def test_a_supervisor_in_its_init_has_no_budget() -> None:
    from trio_otp.observer.reading.budget import budget_of

    starting: Any = object()
    assert None is budget_of(starting, 0.0)


@pytest.mark.slow
async def test_memory_is_steady_over_500_frames_with_restarts(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever comes and goes: what is remembered of it has a limit, in number or in time."""
    caplog.set_level("CRITICAL", "trio_otp")  # pytest keeps each record
    children = [otp.child(Server).having(name=f"s{number}") for number in range(5)]
    asked: list[tuple[str, dict[str, Any]]] = [
        ("rows", {}),
        ("overview", {}),
        ("problems", {}),
        ("tree", {"everything": True}),
        ("info", {"ref": "s0"}),
    ]
    counts: list[int] = []
    async with (
        otp.open_supervisor(children, max_restarts=10_000, max_seconds=1),
        client_here() as client,
    ):
        numbers = [await client.say(what, every=1.0, **given) for what, given in asked]
        for frame in range(500):
            for number in numbers:
                await client.answer(number)
            for number in range(5):
                otp.exit(f"s{number}", otp.KILL)
            await trio.testing.wait_all_tasks_blocked()
            if frame % 100 == 99:
                gc.collect()
                counts.append(len(gc.get_objects()))
    assert max(counts[2:]) - min(counts[2:]) < 100, counts
