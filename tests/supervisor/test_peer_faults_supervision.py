"""Faults of other libraries, on supervision and on starting and stopping trees: one test each.

The number in a test's name is that of the fault in the list of the survey of peers. The
meta-test in `test_peer_faults.py` finds them by their names.
"""

from __future__ import annotations

import gc
import logging
import math
import traceback
from typing import Any

import pytest
import trio
from inside import Process, runtime
from supervision_kit import (
    Boom,
    InitFailed,
    Journal,
    Reports,
    Worker,
    begun,
    end,
    gives_up,
    kill,
    leftovers,
    settle,
    statuses,
    worker,
    workers,
)

import trio_otp as otp

# -- start and stop --------------------------------------------------------------------------------


async def test_fault_17_a_failed_init_tells_its_error_and_takes_back_what_was_started() -> None:
    """The error of the child comes first, with its traceback; its name is free again."""
    journal = Journal()
    journal.fail_inits["c"] = 1
    with pytest.raises(otp.StartError) as caught:
        async with otp.open_supervisor(workers("abc", journal)):
            raise AssertionError("the block must not be entered")
    assert isinstance(caught.value.reason, otp.Shutdown)
    match caught.value.reason.detail:
        case otp.FailedToStartChild(child_id="c", reason=InitFailed() as error):
            frames = traceback.extract_tb(error.__traceback__)
            assert "init" in [frame.name for frame in frames]
        case other:
            raise AssertionError(other)
    assert ["+a", "+b", "-b", "-a"] == begun(journal)
    assert None is otp.whereis("c")


async def test_fault_18_an_init_that_never_returns_is_ended_by_its_time_out(
    autojump_clock: Any,
) -> None:
    """The supervisor goes on, and the name is free."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal)) as sup:
        with pytest.raises(otp.StartError) as caught:
            await otp.start_child(sup, worker("b", journal, init_takes=math.inf).having(timeout=3))
        assert (otp.TIMEOUT, 3.0) == (caught.value.reason, trio.current_time())
        await otp.start_child(sup, worker("b", journal))


async def test_fault_19_a_constructor_that_raises_leaves_no_zombie() -> None:
    """As a child it did not start; whoever restarts it is told, and nothing is left of it."""
    broken = [False]

    class Fragile(Worker):
        def __init__(self, *args: Any) -> None:
            if broken[0]:
                raise Boom("constructor")
            super().__init__(*args)

    async with gives_up([otp.child(Fragile, "f", Journal()).having(name="f")]) as (sup, caught):
        broken[0] = True
        otp.exit("f", otp.KILL)
        await sup.wait()
    reasons = [type(why) for _, _, why in caught.value.history]
    assert [type(otp.KILLED), Boom, Boom, Boom] == reasons
    assert [] == leftovers()


@pytest.mark.parametrize("how", ["cancel", "leave", "crash", "stop", "give up", "terminate_child"])
async def test_fault_20_terminate_runs_once_however_the_tree_ends(how: str) -> None:
    """Every server of the tree has exactly one terminate."""
    journal = Journal()
    inner = otp.child(otp.Supervisor, workers("xy", journal), max_restarts=0).having(name="inner")

    async def body() -> None:
        async with otp.open_supervisor([worker("a", journal), inner], max_restarts=0) as sup:
            if how == "leave":
                return
            if how == "terminate_child":
                await otp.terminate_child(sup, "inner")
                return
            if how == "crash":
                otp.cast("a", Boom())
            elif how == "stop":
                await otp.stop(sup)
            elif how == "give up":
                otp.cast("x", Boom())
            await sup.wait()

    with trio.CancelScope() as scope:
        if how == "cancel":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(body)
                await settle()
                scope.cancel()
        elif how in ("crash", "give up"):
            with pytest.raises(otp.SupervisorExited):
                await body()
        else:
            await body()
    assert {"-a", "-x", "-y"} == {word for word in journal if word[0] == "-"}
    assert 3 == sum(word[0] == "-" for word in journal)


async def test_fault_21_a_terminate_that_hangs_is_killed_at_its_limit(autojump_clock: Any) -> None:
    """The rest still stop, and the report names the one that hung."""
    journal = Journal()
    children = [worker(tag, journal, slow=math.inf if tag == "b" else 0) for tag in "abc"]
    async with otp.open_supervisor(children):
        reports = Reports()
    assert 5.0 == trio.current_time()
    assert ["-c", "-b", "-a"] == begun(journal)[3:]
    assert [("shutdown_error", "b")] == reports.contexts


@pytest.mark.parametrize("count", [1, 2, 50])
async def test_fault_22_the_order_of_stops_is_the_reverse_of_starts(count: int) -> None:
    """In flat and in nested trees."""
    journal = Journal()

    def layer(level: int) -> list[Any]:
        children: list[Any] = [worker(f"{level}.{number}", journal) for number in range(count)]
        if level < 2:
            children.insert(count // 2, otp.child(otp.Supervisor, layer(level + 1)))
        return children

    async with otp.open_supervisor(layer(0)):
        starts = journal.take()
    assert 3 * count == len(starts)
    assert [word[1:] for word in reversed(starts)] == [w[1:] for w in journal if w[0] == "-"]


async def test_fault_24_a_server_that_ends_with_a_full_queue_does_not_spin(
    autojump_clock: Any,
) -> None:
    """What is queued is neither handled nor in the way of its end."""
    journal = Journal()
    async with otp.open_supervisor([worker("a", journal, slow=3)]) as sup:
        for number in range(10_000):
            otp.send("a", number)
        await otp.terminate_child(sup, "a")
        assert 3.0 == trio.current_time()
        assert ["+a", "-a", "=a"] == [word for word in journal if ":" not in word]
    assert [] == leftovers()


async def test_fault_25_the_whole_tree_ends_within_the_limits_it_was_given(
    autojump_clock: Any,
) -> None:
    """A limit on the top supervisor is a deadline for everything beneath."""
    journal = Journal()
    stubborn = [worker(tag, journal, slow=math.inf).having(shutdown=100) for tag in "abc"]
    deep = otp.child(otp.Supervisor, stubborn).having(id="deep")
    top = otp.child(otp.Supervisor, [deep]).having(id="top", shutdown=7)
    async with otp.open_supervisor([top]) as sup:
        await otp.terminate_child(sup, "top")
        assert 7.0 == trio.current_time()


# -- supervision -----------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
async def test_fault_27_what_is_not_ours_is_never_restarted(
    strategy: Any, error: type[BaseException]
) -> None:
    """It leaves the block bare, and every server started once."""
    journal = Journal()
    with pytest.raises(error):
        async with otp.open_supervisor(workers("abc", journal), strategy=strategy):
            await end("b", error())
    assert ["+a", "+b", "+c"] == [word for word in journal if word[0] == "+"]


async def test_fault_28_a_permanent_child_that_returns_counts_as_a_failure() -> None:
    """It uses up the intensity and escalates."""
    journal = Journal()
    async with gives_up(workers("a", journal), max_restarts=2) as (sup, caught):
        for _ in range(2):
            await end("a", otp.NORMAL)
        otp.cast("a", otp.NORMAL)
        await sup.wait()
    assert ["+a"] * 3 == [word for word in journal if word[0] == "+"]
    assert [otp.NORMAL] * 3 == [why for _, _, why in caught.value.history]


async def test_fault_29_the_intensity_is_that_of_the_supervisor() -> None:
    """Two children with two crashes each are four; the limit of three ends it."""
    journal = Journal()
    async with gives_up(workers("ab", journal), max_restarts=3) as (sup, _):
        for tag in "aba":
            await kill(tag)
        assert "pong" == await otp.call("b", "pong")
        otp.exit("b", otp.KILL)
        await sup.wait()


@pytest.mark.parametrize(
    ("times", "survives"),
    [
        ([0.0, 0.5, 1.0], False),
        ([0.0, 0.999, 1.999], False),
        ([0.0, 1.999, 1.999], False),
        ([0.0, 1.999, 2.0], True),
        ([1.0, 2.0, 2.999], False),
        ([1.0, 2.0, 3.0], True),
        ([0.999, 2.0, 2.001], True),
        ([0.0, 2.0, 4.0, 6.0, 8.0], True),
    ],
)
async def test_fault_29_the_window_is_exact_to_the_millisecond(
    autojump_clock: Any, times: list[float], survives: bool
) -> None:
    """Two restarts in one second, the clock cut to whole seconds: no bucket lets more through."""

    async def crash_at_times() -> None:
        async with otp.open_supervisor(
            workers("a", Journal()), max_restarts=2, max_seconds=1
        ) as sup:
            for time in times:
                await trio.sleep_until(time)
                await kill("a")
            await trio.lowlevel.checkpoint()
            assert otp.is_alive(sup)

    if survives:
        await crash_at_times()
    else:
        with pytest.raises(otp.SupervisorExited):
            await crash_at_times()


async def test_fault_29_one_for_all_counts_one_restart_for_all() -> None:
    """Not one for each child."""
    journal = Journal()
    tags = "abcdefghij"
    async with otp.open_supervisor(
        workers(tags, journal), strategy="one_for_all", max_restarts=1
    ) as sup:
        await kill("e")
        assert [1] * 10 == [info.restarts for info in await otp.which_children(sup)]


@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
async def test_fault_30_quiet_ends_and_temporary_children_are_left_alone(strategy: Any) -> None:
    """Transient after a quiet end and temporary after any: nobody is started again."""
    journal = Journal()
    quiet = [otp.NORMAL, otp.SHUTDOWN, otp.Shutdown("x")]
    children = [
        *[worker(f"t{n}", journal).having(restart="transient") for n in range(3)],
        *[worker(f"p{n}", journal).having(restart="temporary") for n in range(4)],
        worker("last", journal),
    ]
    async with otp.open_supervisor(children, strategy=strategy, max_restarts=0) as sup:
        journal.clear()
        for number, reason in enumerate(quiet):
            await end(f"t{number}", reason)
        for number, reason in enumerate([*quiet, Boom()]):
            await end(f"p{number}", reason)
        assert [] == [word for word in journal if word[0] == "+"]
        expected = {"t0": "undefined", "t1": "undefined", "t2": "undefined", "last": "running"}
        assert expected == statuses(await otp.which_children(sup))


async def test_fault_31_a_killed_child_is_restarted() -> None:
    """A permanent and a transient one; a kill is no quiet end."""
    journal = Journal()
    children = [worker("p", journal), worker("t", journal).having(restart="transient")]
    async with otp.open_supervisor(children):
        await kill("p")
        await kill("t")
        assert ["+p", "+t", "+p", "+t"] == journal


async def test_fault_32_one_for_all_stops_the_siblings_before_it_starts_any(
    autojump_clock: Any,
) -> None:
    """A sibling that is busy ends first; no two incarnations of one child run at a time."""
    journal = Journal()
    running: list[str] = []

    class Busy(Worker):
        async def handle_cast(self, reason: object) -> Any:
            if reason != "work":
                return await super().handle_cast(reason)  # type: ignore[misc]
            assert self.tag not in running
            running.append(self.tag)
            try:
                await trio.sleep(10)
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(1)  # it takes some time to let go
                running.remove(self.tag)

    children = [otp.child(Busy, tag, journal).having(name=tag) for tag in "ab"]
    answers: list[str] = []

    async def ask() -> None:
        try:
            await otp.call("b", "pong", timeout=None)
        except otp.ServerExited:
            answers.append(f"failed at {trio.current_time():g}")

    async with otp.open_supervisor(children, strategy="one_for_all"):
        otp.cast("b", "work")
        await settle()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await settle()
            journal.clear()
            await kill("a")
            await trio.sleep(2)
            otp.cast("b", "work")
            await settle()
        assert ["-b", "=b", "+a", "+b"] == journal
        assert ["failed at 1"] == answers


async def test_fault_33_rest_for_one_restarts_the_later_ones_in_order() -> None:
    """Also when one of those fails to start, from which it then goes on."""
    journal = Journal()
    async with otp.open_supervisor(workers("abcd", journal), strategy="rest_for_one"):
        journal.fail_inits["d"] = 1
        journal.clear()
        await kill("b")
        assert ["-d", "=d", "-c", "=c", "+b", "+c", "!d", "+d"] == journal


async def test_fault_34_a_child_that_fails_again_and_again_does_not_recurse() -> None:
    """Hundreds of failed restarts: each is counted, and the stack stays as flat as it was."""
    journal = Journal()
    depths: list[int] = []

    class Deep(Worker):
        async def init(self) -> None:
            depths.append(sum(1 for _ in traceback.walk_stack(None)))
            await super().init()

    async with gives_up(
        [otp.child(Deep, "d", journal).having(name="d")], max_restarts=300, max_seconds=10**6
    ) as (sup, _):
        journal.fail_inits["d"] = 10**9
        otp.exit("d", otp.KILL)
        await sup.wait()
    assert 301 == len(depths)
    assert 1 == len(set(depths))


async def test_fault_37_every_restart_is_logged_with_its_reason(caplog: Any) -> None:
    """At a level that is on by default; giving up is logged once."""
    async with gives_up(workers("a", Journal()), max_restarts=2) as (sup, _):
        for number in range(2):
            await end("a", Boom(f"number {number}"))
        otp.cast("a", Boom("number 2"))
        await sup.wait()
    told = [
        record.getMessage()
        for record in caplog.records
        if record.name == "trio_otp.supervisor" and record.levelno >= logging.WARNING
    ]
    ends = [text for text in told if "terminated" in text]
    assert [True] * 3 == [f"number {number}" in text for number, text in enumerate(ends)]
    assert 1 == sum("gives up" in text for text in told)
    assert 4 == len(told)


@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
async def test_fault_38_the_parent_treats_a_supervisor_that_gave_up_as_failed(
    strategy: Any,
) -> None:
    """It is restarted, and its siblings with it by the strategy of the parent."""
    journal = Journal()
    inner = otp.child(otp.Supervisor, workers("x", journal), max_restarts=0).having(id="i")
    async with otp.open_supervisor(
        [worker("a", journal), inner, worker("b", journal)], strategy=strategy
    ):
        journal.clear()
        await kill("x")
        expected = {
            "one_for_one": ["+x"],
            "rest_for_one": ["-b", "+x", "+b"],
            "one_for_all": ["-b", "-a", "+a", "+x", "+b"],
        }
        assert expected[strategy] == begun(journal)


@pytest.mark.parametrize("request_", ["kill", "stop", "leave", "cancel", "terminate_child"])
async def test_fault_39_a_supervisor_obeys_while_it_restarts(request_: str) -> None:
    """A child that fails for ever does not keep the supervisor from ending."""
    journal = Journal()
    flags = {"max_restarts": 10**9, "max_seconds": 10**9}
    inner = otp.child(otp.Supervisor, workers("ab", journal), **flags)  # type: ignore[arg-type]
    with trio.CancelScope() as scope:
        async with otp.open_supervisor([inner.having(name="i", restart="temporary")]) as sup:
            journal.fail_inits["b"] = 10**9
            otp.exit("b", otp.KILL)
            while journal.count("!b") < 10:
                await trio.lowlevel.checkpoint()
            if request_ == "kill":
                await kill("i")
            elif request_ == "stop":
                await otp.stop("i")
            elif request_ == "terminate_child":
                await otp.terminate_child(sup, "i")
            elif request_ == "cancel":
                scope.cancel()
                await sup.wait()
    assert [] == leftovers()
    assert (["+a", "+b"] if request_ == "kill" else ["+a", "+b", "-a"]) == begun(journal)


async def test_fault_40_a_taken_id_or_name_is_an_error_and_changes_nothing() -> None:
    """The id of a temporary child is free once it has died."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal)) as sup:
        before = await otp.which_children(sup)
        for child in (worker("b", journal).having(id="a"), worker("a", journal).having(id="b")):
            with pytest.raises(otp.AlreadyStarted) as caught:
                await otp.start_child(sup, child)
            assert otp.whereis("a") is caught.value.pid
        assert before == await otp.which_children(sup)
        for _ in range(3):
            await otp.start_child(sup, worker("t", journal).having(restart="temporary"))
            await kill("t")


async def test_fault_41_a_restart_uses_the_latest_specification() -> None:
    """After delete and start under the same id it is the new arguments that are seen."""
    journal = Journal()
    async with otp.open_supervisor([worker("old", journal).having(id="w")]) as sup:
        await otp.terminate_child(sup, "w")
        await otp.delete_child(sup, "w")
        await otp.start_child(sup, worker("new", journal).having(id="w", shutdown=1))
        await kill("new")
        assert ["+old", "-old", "+new", "+new"] == begun(journal)
        assert 1 == (await otp.get_childspec(sup, "w")).shutdown


async def test_fault_42_a_name_works_after_the_restart_and_fails_in_the_gap(
    autojump_clock: Any,
) -> None:
    """A call in the gap before the name is taken again is NoProcess at once; no call is lost."""
    journal = Journal()
    async with otp.open_supervisor([worker("a", journal), worker("z", journal, slow=2)]):
        otp.exit("a", otp.KILL)
        with pytest.raises(otp.NoProcess):
            await otp.call("a", "in the gap")
        await settle()
        assert "after" == await otp.call("a", "after")
        assert 0.0 == trio.current_time()


async def test_fault_42_a_call_during_the_new_init_is_answered_after_it(
    autojump_clock: Any,
) -> None:
    """The name belongs to the new one from its creation on."""
    journal = Journal()
    async with otp.open_supervisor([worker("a", journal, init_takes=3)]):
        await kill("a")
        assert "early" == await otp.call("a", "early", timeout=4)
        assert 6.0 == trio.current_time()


async def test_fault_43_a_cancelled_start_child_leaves_no_half_started_child(
    autojump_clock: Any,
) -> None:
    """At whatever moment its caller gives up: the child is there as a whole, or not at all."""
    for moment in (0.0, 0.5, 1.0, 1.5):
        journal = Journal()
        async with otp.open_supervisor() as sup:
            with trio.move_on_after(moment):
                await otp.start_child(sup, worker("a", journal, init_takes=1))
            await trio.sleep(3)
            listed = statuses(await otp.which_children(sup))
            assert (listed == {"a": "running"}) == (journal == ["+a"])
            assert (otp.whereis("a") is not None) == (journal == ["+a"])
        assert [] == leftovers()


async def test_fault_44_a_crash_before_the_first_await_is_noticed() -> None:
    """Of a function as of a server."""
    seen: list[str] = []

    async def crashes_at_once() -> None:
        seen.append("ran")
        raise Boom

    async with gives_up([otp.child(crashes_at_once)]) as (sup, caught):
        await sup.wait()
    assert ["ran"] * 4 == seen
    assert [Boom] * 4 == [type(why) for _, _, why in caught.value.history]


@pytest.mark.parametrize("count", [0, 1, 300, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_fault_45_any_number_of_children(count: int) -> None:
    """All are listed, counted and stopped, and nothing is left."""

    class Tiny(otp.GenServer):
        pass

    children = [otp.child(Tiny).having(id=number) for number in range(count)]
    async with otp.open_supervisor(children) as sup:
        assert otp.Counts(count, count, 0, count) == await otp.count_children(sup)
        assert list(range(count)) == [info.id for info in await otp.which_children(sup)]
        assert count + 1 == otp.process_count()
    assert 0 == otp.process_count()


async def test_fault_45_children_can_be_listed_while_they_die() -> None:
    """Each list is whole, however the ends come in between."""
    tags = [f"w{number}" for number in range(50)]
    children = [worker(tag, Journal()) for tag in tags]
    async with otp.open_supervisor(children, max_restarts=1000) as sup:
        for tag in tags:
            otp.exit(tag, otp.KILL)
        for _ in range(100):
            assert tags == [info.id for info in await otp.which_children(sup)]
        assert otp.Counts(50, 50, 0, 50) == await otp.count_children(sup)


async def test_fault_45_a_supervisor_that_restarts_for_long_does_not_grow(
    autojump_clock: Any,
) -> None:
    """Of the processes that have died none is kept, neither by it nor by the timers."""
    async with otp.open_supervisor(
        workers("a", Journal()), max_restarts=10**9, max_seconds=1
    ) as sup:
        for _ in range(200):
            await kill("a")
        await trio.sleep(60)
        await kill("a")
        gc.collect()
        processes = [thing for thing in gc.get_objects() if isinstance(thing, Process)]
        kept = [process for process in processes if process.runtime is runtime()]
        assert {otp.whereis("a"), sup.pid} == {process.pid for process in kept if process.alive}
        assert 3 >= len(kept)  # the one that died last may still be in a report
