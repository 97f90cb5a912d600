"""Restart back-off on real trees: who waits, what is seen of it, and what ends the wait."""

from __future__ import annotations

import itertools
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import trio
from inside import process_of, runtime
from supervision_kit import Boom, Journal, Reports, gives_up, leftovers, settle, statuses, worker

import trio_otp as otp

if TYPE_CHECKING:
    from trio_otp.testing import VirtualTime

BACKOFF = otp.Backoff(min_delay=2, max_delay=10, jitter=0)


def workers(tags: str, journal: Journal, **options: Any) -> list[otp.Child[Any]]:
    """Describe a worker for each letter, with a back-off."""
    options = {"backoff": BACKOFF, **options}
    return [worker(tag, journal).having(**options) for tag in tags]


async def crash(tag: str, why: str = "") -> None:
    """Crash a worker, and wait for what follows at once."""
    otp.cast(tag, Boom(why or tag))
    await settle()


async def left(sup: Any) -> dict[Any, float | None]:
    """Return the seconds that are left of each wait."""
    return {info.id: info.restart_in for info in await otp.which_children(sup)}


# -- one child -------------------------------------------------------------------------------------


async def test_a_restart_waits_longer_each_time(virtual_time: VirtualTime) -> None:
    """Two seconds, four, eight, and then ten each time; it is charged when it happens."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal)) as sup:
        intensity = process_of(sup.pid).instance.loop.policy.intensity
        for delay in (2, 4, 8, 10, 10):
            await crash("a")
            journal.clear()
            await virtual_time.advance(delay - 0.5)
            assert [] == journal
            before = intensity.left(trio.current_time())
            await virtual_time.advance(0.5)
            assert ["+a"] == journal.take()
            assert before - 1 == intensity.left(trio.current_time())
        [info] = await otp.which_children(sup)
        assert (5, "running", None) == (info.restarts, info.status, info.restart_in)
    assert [] == leftovers()


async def test_without_back_off_a_restart_happens_at_once(virtual_time: VirtualTime) -> None:
    """It is off by default, as in OTP, and None turns that of the supervisor off."""
    journal = Journal()
    children = [worker("a", journal).having(backoff=None), worker("b", journal)]
    async with otp.open_supervisor(children, backoff=BACKOFF) as sup:
        await crash("a")
        assert 0.0 == trio.current_time()
        assert otp.whereis("a") is not None
        await crash("b")
        assert {"a": None, "b": 2.0} == await left(sup)
    async with otp.open_supervisor([worker("a", journal)]):
        await crash("a")
        assert otp.whereis("a") is not None
    assert 0.0 == trio.current_time()
    await virtual_time.settle()


async def test_what_can_be_seen_of_a_child_that_waits(virtual_time: VirtualTime) -> None:
    """It is `restarting`, with the seconds left; its name is free."""
    journal = Journal()
    async with otp.open_supervisor(workers("ab", journal), name="sup") as sup:
        await crash("a")
        await virtual_time.advance(0.5)
        expected = otp.ChildInfo("a", None, "restarting", "worker", 0, 1.5)
        assert expected == (await otp.which_children(sup))[0]
        assert expected == await otp.which_child(sup, "a")
        assert otp.Counts(2, 1, 0, 2) == await otp.count_children(sup)
        with pytest.raises(otp.NoProcess):
            await otp.call("a", "anybody?")
        assert 0.5 == trio.current_time()  # the caller did not wait
        assert "'a' worker, restarting in 1.5 s" in otp.tree("sup")
        assert "'a'<br>worker, restarting in 1.5 s" in otp.tree("sup", output="mermaid").replace(
            "#39;", "'"
        )
        [top] = json.loads(otp.tree("sup", output="json"))["processes"]
        [shown, _] = top["children"]
        assert ("restarting", 1.5) == (shown["status"], shown["restart_in"])
        status = await otp.sys.get_status("sup")
        assert expected in status.state["children"]


async def test_a_start_that_fails_waits_longer_as_a_crash_does(virtual_time: VirtualTime) -> None:
    """As for a database that is down: a child that connects in init is retried with delays."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal), max_restarts=None) as sup:
        journal.fail_inits["a"] = 3
        otp.exit("a", otp.KILL)
        began = trio.current_time()
        await settle()
        seen = []
        while otp.whereis("a") is None:
            seen.append((trio.current_time() - began, (await left(sup))["a"]))
            await virtual_time.advance(1)
        assert [(0, 2), (1, 1), (2, 4), (5, 1), (6, 8), (14, 10)] == [
            each for each in seen if each[0] in (0, 1, 2, 5, 6, 14)
        ]
        assert 24.0 == trio.current_time() - began
        assert ["+a", "!a", "!a", "!a", "+a"] == journal


async def test_a_child_that_was_well_begins_anew(virtual_time: VirtualTime) -> None:
    """After `reset_after` seconds of life, not before."""
    journal = Journal()
    backoff = otp.Backoff(min_delay=1, jitter=0, reset_after=20)
    async with otp.open_supervisor(workers("a", journal, backoff=backoff), max_restarts=None) as s:
        for life, delay in ((0, 1), (19, 2), (20, 1), (0, 2)):
            await virtual_time.advance(life)
            await crash("a")
            assert delay == (await left(s))["a"]
            await virtual_time.advance(delay)


@pytest.mark.parametrize("times", [500, pytest.param(5000, marks=pytest.mark.slow)])
async def test_any_number_of_restarts_in_a_row(times: int, virtual_time: VirtualTime) -> None:
    """The supervisor never gives up, the delay stays right, and nothing is left behind."""
    starts: list[float] = []
    all_there = trio.Event()

    async def broken() -> None:
        starts.append(trio.current_time())
        if len(starts) == times + 1:
            all_there.set()
        raise Boom

    logging.disable(logging.CRITICAL)
    try:
        async with otp.open_supervisor([broken], max_restarts=None, backoff=otp.Backoff()) as sup:
            await all_there.wait()
            [info] = await otp.which_children(sup)
            assert times == info.restarts
    finally:
        logging.disable(logging.NOTSET)
    delays = [after - before for before, after in itertools.pairwise(starts)]
    for number, delay in enumerate(delays):
        least = min(0.5 * 2 ** min(number, 9), 25)
        assert least <= delay <= min(30, least * 1.2) + 1e-6
    assert max(delays) > 29.5
    assert [] == leftovers()
    await virtual_time.settle()


async def test_jitter_is_drawn_from_a_generator_that_a_test_can_seed(
    virtual_time: VirtualTime,
) -> None:
    """The same seed, the same delays; each between the delay and a fifth more."""

    async def delays(seed: int) -> list[Any]:
        otp.testing.seed_jitter(seed)
        backoff = otp.Backoff(min_delay=1, max_delay=1000)
        found = []
        async with otp.open_supervisor(workers("a", Journal(), backoff=backoff)) as sup:
            for _ in range(4):
                await crash("a")
                found.append((await left(sup))["a"])
                await virtual_time.advance(20)
        return found

    first, second, other = await delays(7), await delays(7), await delays(8)
    assert first == pytest.approx(second)
    assert first != pytest.approx(other)
    for delay, least in zip(first, (1, 2, 4, 8), strict=True):
        assert least < delay < least * 1.2


@pytest.mark.parametrize("seed", ["7", 7.0, True, None])
def test_a_seed_of_the_jitter_is_a_whole_number(seed: Any) -> None:
    """Anything else is refused with what was expected."""
    with pytest.raises(TypeError, match=f"seed={seed!r}: expected a whole number"):
        otp.testing.seed_jitter(seed)


async def test_children_that_crash_together_do_not_come_back_together(
    virtual_time: VirtualTime,
) -> None:
    """That is what jitter is for."""
    journal = Journal()
    backoff = otp.Backoff(min_delay=10)
    tags = "abcdefgh"
    async with otp.open_supervisor(
        workers(tags, journal, backoff=backoff), max_restarts=None
    ) as sup:
        for tag in tags:
            otp.cast(tag, Boom(tag))
        await settle()
        assert len(tags) == len(set((await left(sup)).values()))
        await virtual_time.advance(12)
        assert {"running"} == set(statuses(await otp.which_children(sup)).values())


# -- giving up -------------------------------------------------------------------------------------


async def test_a_supervisor_gives_up_as_ever_and_when_the_restart_is_due(
    virtual_time: VirtualTime,
) -> None:
    """Two children on one intensity can exceed it; the crash that was one too many is told."""
    journal = Journal()
    backoff = otp.Backoff(min_delay=1, factor=1, jitter=0)
    children = workers("ab", journal, backoff=backoff)
    async with gives_up(children, max_restarts=6) as (sup, caught):
        reports = Reports()
        for number in range(4):
            await crash("a", f"a{number}")
            await crash("b", f"b{number}")
            assert otp.whereis(sup.pid) is not None
            await virtual_time.advance(1)
        await sup.wait()
    assert "Boom('a3')" == repr(caught.value.__cause__)
    assert ("shutdown", "a") == reports.contexts[-1]


async def test_a_back_off_that_must_exceed_its_intensity_is_refused_where_it_is_written(
    virtual_time: VirtualTime,
) -> None:
    """By a specification, by a class with options, and by `start_child`, which changes nothing."""
    fast = otp.Backoff(min_delay=0.1)

    class Fast(otp.GenServer, backoff=fast):
        pass

    ways: list[Any] = [
        lambda: otp.Supervisor.spec([Fast]),
        lambda: otp.Supervisor.spec([], backoff=fast),
        lambda: otp.DynamicSupervisor.spec(backoff=fast),
        lambda: otp.DynamicSupervisor.spec(template=otp.template(Fast)),
        lambda: otp.PartitionSupervisor(Fast, partitions=2),
        lambda: otp.PartitionSupervisor(otp.GenServer, partitions=2, backoff=fast),
        lambda: otp.TaskSupervisor(backoff=fast),
        lambda: otp.check_childspecs([Fast]),
    ]
    for way in ways:
        with pytest.raises(otp.SpecError, match="write max_restarts=None"):
            way()
    pool = otp.child(otp.DynamicSupervisor).having(name="pool")
    async with otp.open_supervisor([pool]) as sup:
        for ref in (sup, "pool"):
            with pytest.raises(otp.SpecError, match="write max_restarts=None"):
                await otp.start_child(ref, Fast)
        assert ["pool"] == [info.id for info in await otp.which_children(sup)]
        assert [] == await otp.which_children("pool")
    otp.Supervisor.spec([Fast], max_restarts=None, backoff=fast)
    otp.Supervisor.spec([otp.child(Fast).having(backoff=None)])
    otp.Supervisor.spec([otp.child(Fast).having(restart="temporary")])


async def test_max_restarts_none_never_gives_up(virtual_time: VirtualTime) -> None:
    """Also without a back-off: a hundred crashes in no time."""
    journal = Journal()
    pool = otp.child(otp.DynamicSupervisor, max_restarts=None).having(name="pool")
    children = [worker("a", journal), pool]
    async with otp.open_supervisor(children, max_restarts=None):
        await otp.start_child("pool", worker("p", journal))
        for _ in range(100):
            await crash("a")
            await crash("p")
        assert 0.0 == trio.current_time()
        assert otp.whereis("a") is not None
        assert otp.whereis("p") is not None
    await virtual_time.settle()


# -- groups ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "stopped", "group"),
    [("one_for_one", "", "b"), ("rest_for_one", "dc", "bcd"), ("one_for_all", "dca", "abcd")],
)
async def test_a_group_is_stopped_at_once_and_waits_together(
    virtual_time: VirtualTime, strategy: Any, stopped: str, group: str
) -> None:
    """Newest first; when it is over they are started in order, for one charge."""
    journal = Journal()
    children = [worker(tag, journal).having(backoff=BACKOFF) for tag in "abcd"]
    async with otp.open_supervisor(children, strategy=strategy) as sup:
        journal.clear()
        await crash("b")
        stops = [word for tag in stopped for word in (f"-{tag}", f"={tag}")]
        assert ["-b", "=b", *stops] == journal.take()
        await virtual_time.advance(1)
        waits = {tag: 1.0 if tag in group else None for tag in "abcd"}
        assert waits == await left(sup)
        assert all(
            (status == "restarting") == (tag in group)
            for tag, status in statuses(await otp.which_children(sup)).items()
        )
        await virtual_time.advance(1)
        assert [f"+{tag}" for tag in group] == journal.take()
        assert dict.fromkeys("abcd", "running") == statuses(await otp.which_children(sup))
        charged = process_of(sup.pid).instance.loop.policy.intensity
        assert 2 == charged.left(trio.current_time())


async def test_a_start_that_fails_in_a_group_stops_it_again_and_it_waits(
    virtual_time: VirtualTime,
) -> None:
    """Under one_for_all nobody runs without the others for as long as a delay takes."""
    journal = Journal()
    async with otp.open_supervisor(
        workers("abc", journal), strategy="one_for_all", max_restarts=None
    ) as sup:
        journal.clear()
        journal.fail_inits["b"] = 1
        await crash("c")
        await virtual_time.advance(2)
        assert ["-c", "=c", "-b", "=b", "-a", "=a", "+a", "!b", "-a", "=a"] == journal.take()
        assert dict.fromkeys("abc", 2.0) == await left(sup)
        await virtual_time.advance(2)
        assert ["+a", "+b", "+c"] == journal.take()


async def test_fault_35_a_second_crash_during_the_wait_joins_the_first(
    virtual_time: VirtualTime,
) -> None:
    """A child that was started meanwhile crashes: all wait for the longer time."""
    journal = Journal()
    async with otp.open_supervisor(
        workers("ab", journal), strategy="one_for_all", max_restarts=None
    ) as sup:
        await crash("a")  # until 2
        await virtual_time.advance(1)
        await otp.start_child(sup, workers("c", journal)[0])
        journal.clear()
        await crash("c")  # until 3
        assert dict.fromkeys("abc", 2.0) == await left(sup)
        await virtual_time.advance(1.5)
        assert ["-c", "=c"] == journal.take()
        await virtual_time.advance(0.5)
        assert ["+a", "+b", "+c"] == journal.take()
        assert 0 == runtime().timers.pending()


async def test_siblings_wait_each_for_themselves_under_one_for_one(
    virtual_time: VirtualTime,
) -> None:
    """The end of one does not touch the wait of another."""
    journal = Journal()
    async with otp.open_supervisor(workers("ab", journal), max_restarts=None) as sup:
        await crash("a")
        await virtual_time.advance(1)
        await crash("b")
        assert {"a": 1.0, "b": 2.0} == await left(sup)
        await virtual_time.advance(1)
        assert {"a": None, "b": 1.0} == await left(sup)


# -- what ends the wait ----------------------------------------------------------------------------


async def test_management_calls_during_the_wait(virtual_time: VirtualTime) -> None:
    """What restarts or deletes is refused, with the time that is left; to terminate ends it."""
    journal = Journal()
    async with otp.open_supervisor(workers("ab", journal)) as sup:
        await crash("a")
        await virtual_time.advance(0.5)
        for call in (otp.restart_child, otp.delete_child):
            with pytest.raises(otp.ChildRestarting, match=r"in 1\.5 s; terminate_child it") as e:
                await call(sup, "a")
            assert 1.5 == e.value.restart_in
        with pytest.raises(otp.ChildRestarting):
            await otp.ensure_child(sup, workers("a", journal)[0])
        with pytest.raises(otp.ChildAlreadyPresent):
            await otp.start_child(sup, workers("a", journal)[0])
        assert 0.5 == trio.current_time()
        await otp.terminate_child(sup, "a")
        assert 0 == runtime().timers.pending()
        journal.clear()
        await virtual_time.advance(60)
        assert [] == journal
        assert {"a": "undefined", "b": "running"} == statuses(await otp.which_children(sup))
        again = await otp.restart_child(sup, "a")
        assert otp.whereis("a") is again
        await otp.terminate_child(sup, "a")
        await otp.delete_child(sup, "a")
        assert ["b"] == [info.id for info in await otp.which_children(sup)]


async def test_a_child_that_is_terminated_in_a_waiting_group_stays_down(
    virtual_time: VirtualTime,
) -> None:
    """Also the one that has failed; the others come back when it is time."""
    journal = Journal()
    async with otp.open_supervisor(workers("abc", journal), strategy="one_for_all") as sup:
        await crash("b")
        await otp.terminate_child(sup, "b")
        await otp.delete_child(sup, "b")
        await otp.terminate_child(sup, "c")
        journal.clear()
        await virtual_time.advance(2)
        assert ["+a"] == journal.take()
        assert {"a": "running", "c": "undefined"} == statuses(await otp.which_children(sup))


async def test_a_wait_that_was_cut_short_leaves_no_early_restart(
    virtual_time: VirtualTime,
) -> None:
    """A child is terminated, restarted and crashes anew: the first time means nothing any more."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal)) as sup:
        await crash("a")  # until 2
        await virtual_time.advance(1)
        await otp.terminate_child(sup, "a")
        await otp.restart_child(sup, "a")
        await crash("a")  # until 5
        journal.clear()
        await virtual_time.advance(3.5)
        assert [] == journal
        await virtual_time.advance(0.5)
        assert ["+a"] == journal


@pytest.mark.parametrize("how", ["leave", "cancel", "kill", "stop", "parent"])
async def test_a_supervisor_that_ends_does_not_wait(how: str, virtual_time: VirtualTime) -> None:
    """Left, cancelled, killed, stopped or shut down from above: at once, and no timer is left."""
    journal = Journal()
    sup = otp.child(otp.Supervisor, workers("ab", journal)).having(name="sup", restart="temporary")
    with trio.CancelScope() as scope:
        async with otp.open_supervisor([sup], name="top"):
            await crash("a")
            if how == "cancel":
                scope.cancel()
                await trio.sleep_forever()
            elif how == "kill":
                otp.exit("sup", otp.KILL)
            elif how == "stop":
                await otp.stop("sup")
            elif how == "parent":
                await otp.terminate_child("top", "sup")
            await settle()
            if how != "leave":
                assert 0 == runtime().timers.pending()
                assert otp.whereis("b") is None
    assert 0.0 == trio.current_time()
    journal.clear()
    await virtual_time.advance(60)
    assert [] == journal
    assert [] == leftovers()


async def test_a_suspended_supervisor_restarts_when_it_is_resumed(
    virtual_time: VirtualTime,
) -> None:
    """The time has come while it was held."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal)) as sup:
        await crash("a")
        await otp.sys.suspend(sup)
        journal.clear()
        await virtual_time.advance(5)
        assert [] == journal
        await otp.sys.resume(sup)
        await settle()
        assert ["+a"] == journal


async def test_a_change_of_code_leaves_what_waits_waiting(virtual_time: VirtualTime) -> None:
    """Until it would have been over; the delays that follow are those of the new back-off."""
    journal = Journal()

    class Top(otp.Supervisor):
        factor = 2.0

        def init(self) -> Any:
            backoff = otp.Backoff(min_delay=2, max_delay=1000, factor=self.factor, jitter=0)
            children = [worker(tag, journal) for tag in "ab"]
            return otp.Supervisor.spec(children, strategy="one_for_all", backoff=backoff)

    async with otp.open_supervisor([otp.child(Top).having(name="top")]):
        await crash("a")
        await virtual_time.advance(1)
        Top.factor = 10.0
        await otp.sys.suspend("top")
        await otp.sys.change_code("top")
        await otp.sys.resume("top")
        assert {"a": 1.0, "b": 1.0} == await left("top")
        await virtual_time.advance(1)
        assert {"a": None, "b": None} == await left("top")
        await crash("a")
        assert {"a": 20.0, "b": 20.0} == await left("top")


async def test_a_significant_child_that_waits_counts_as_there(virtual_time: VirtualTime) -> None:
    """With `all_significant` the supervisor does not end while one of them is to come back."""
    journal = Journal()
    options: dict[str, Any] = {"significant": True, "restart": "transient"}
    children = workers("ab", journal, **options)
    async with otp.open_supervisor(children, auto_shutdown="all_significant") as sup:
        await crash("a")
        otp.cast("b", otp.NORMAL)
        await settle()
        assert otp.whereis(sup.pid) is not None
        await virtual_time.advance(2)
        otp.cast("a", otp.NORMAL)
        await settle()
        assert otp.whereis(sup.pid) is None


# -- what is told ----------------------------------------------------------------------------------


async def test_reports_say_the_delay(
    virtual_time: VirtualTime, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a crash and of a start that failed; the log says it in words, and as data."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal), max_restarts=None, name="sup"):
        reports = Reports()
        journal.fail_inits["a"] = 1
        await crash("a")
        await virtual_time.advance(2)
        await virtual_time.advance(4)
        assert [("child_terminated", 2.0), ("start_error", 4.0)] == [
            (report.context, report.restart_in) for report in reports
        ]
        assert [2.0, 4.0] == [report.as_dict()["restart_in"] for report in reports]
    texts = [r.getMessage() for r in caplog.records if r.name.endswith("supervisor")]
    assert [True, True] == [f"; restarting in {n} s" in t for n, t in zip("24", texts, strict=True)]
    assert ["2.0", "4.0"] == [
        record.__dict__["otp_restart_in"]
        for record in caplog.records
        if record.name.endswith("supervisor")
    ]


async def test_without_back_off_reports_say_nothing_of_it(virtual_time: VirtualTime) -> None:
    """Their keys are OTP's."""
    async with otp.open_supervisor([worker("a", Journal())]):
        reports = Reports()
        await crash("a")
        assert [None] == [report.restart_in for report in reports]
        assert "restart_in" not in reports[0].as_dict()
    await virtual_time.settle()
