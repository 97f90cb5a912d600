"""The order in which a tree is stopped, the time it may take, and what can go wrong on the way."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.lowlevel
from supervision_kit import (
    Boom,
    Journal,
    Reports,
    Worker,
    begun,
    end,
    kill,
    leftovers,
    settle,
    statuses,
    worker,
    workers,
)

import trio_otp as otp


def nested(journal: Journal, name: str, children: list[Any], **flags: Any) -> otp.Child[Any]:
    """Describe a supervisor of the children, named `name`."""
    return otp.child(otp.Supervisor, children, **flags).having(name=name)


def tree(journal: Journal, **how: Any) -> list[Any]:
    """Describe a tree: a, one(b, two(c, d), e), f."""
    two = nested(journal, "two", workers("cd", journal, **how))
    one = nested(journal, "one", [worker("b", journal, **how), two, worker("e", journal, **how)])
    return [worker("a", journal, **how), one, worker("f", journal, **how)]


REVERSED = [word for tag in "fedcba" for word in (f"-{tag}", f"={tag}")]


# -- order -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 50])
async def test_children_are_stopped_newest_first(count: int) -> None:
    """However many there are."""
    journal = Journal()
    tags = [f"w{number}" for number in range(count)]
    async with otp.open_supervisor([worker(tag, journal) for tag in tags]):
        pass
    starts = [f"+{tag}" for tag in tags]
    assert starts + [w for tag in reversed(tags) for w in (f"-{tag}", f"={tag}")] == journal


@pytest.mark.parametrize("trap", [False, True])
async def test_each_is_dead_before_the_next_one_hears_of_it(
    autojump_clock: Any, trap: bool
) -> None:
    """Also when a terminate takes its time; a nested supervisor is dead after its children."""
    journal = Journal()
    async with otp.open_supervisor(tree(journal, slow=1, trap=trap)):
        journal.clear()
    assert REVERSED == journal
    assert 6.0 == trio.current_time()
    assert [otp.SHUTDOWN] * 6 == [reason for _, reason in journal.reasons]
    assert [] == leftovers()


async def test_the_order_is_that_of_the_specification_not_of_restarts() -> None:
    """A child that was restarted last is not stopped first for it."""
    journal = Journal()
    async with otp.open_supervisor(workers("abc", journal)):
        await kill("a")
        journal.clear()
    assert ["-c", "-b", "-a"] == begun(journal)


async def test_what_children_left_in_the_nursery_is_stopped_after_them() -> None:
    """Processes that they spawned live as long as their supervisor, and end newest first."""
    journal = Journal()

    async def helper(tag: str) -> None:
        try:
            await trio.sleep_forever()
        finally:
            journal.append(f"-{tag}")

    async with otp.open_supervisor(workers("ab", journal)):
        for tag in "xyz":
            await otp.call("a", lambda tag=tag: otp.spawn(helper, tag))
        await otp.call("b", lambda: otp.spawn(helper, "w"))
        await settle()
        journal.clear()
    assert ["-b", "-a", "-w", "-z", "-y", "-x"] == begun(journal)
    assert [] == leftovers()


async def test_a_busy_server_is_broken_off_unless_it_traps_exits(autojump_clock: Any) -> None:
    """One that does not trap is cancelled in its handler; one that does finishes it first."""
    journal = Journal()

    class Busy(Worker):
        async def handle_cast(self, reason: object) -> Any:
            await trio.sleep(3 if self.tag == "t" else 4)
            self.journal.append(f"{self.tag} done")

    children = [
        otp.child(Busy, tag, journal, trap=tag == "t").having(name=tag) for tag in ("n", "t")
    ]
    async with otp.open_supervisor(children):
        otp.cast("n", 1)
        otp.cast("t", 1)
        await settle()
        journal.clear()
    assert ["t done", "-t", "=t", "-n", "=n"] == journal
    assert 3.0 == trio.current_time()


# -- limits ----------------------------------------------------------------------------------------


async def test_a_child_that_takes_too_long_is_killed_at_its_limit(autojump_clock: Any) -> None:
    """That is reported, and the supervisor goes on with the next one."""
    journal = Journal()
    children = [
        worker("a", journal),
        worker("b", journal, slow=60).having(shutdown=2.5),
        worker("c", journal, slow=60, trap=True).having(shutdown=1),
        worker("d", journal),
    ]
    async with otp.open_supervisor(children):
        reports = Reports()
        journal.clear()
    assert ["-d", "=d", "-c", "-b", "-a", "=a"] == journal
    assert 3.5 == trio.current_time()
    assert [("shutdown_error", "c"), ("shutdown_error", "b")] == reports.contexts
    assert [otp.KILLED] * 2 == [report.reason for report in reports]


async def test_brutal_kill_leaves_no_time_to_terminate() -> None:
    """The end is KILLED, as it was asked for, so nothing is reported."""
    journal = Journal()
    async with otp.open_supervisor(
        [worker("a", journal, trap=True).having(shutdown="brutal_kill")]
    ):
        reports = Reports()
        pid = otp.whereis("a")
    assert ["+a"] == journal
    assert [] == reports
    assert not otp.is_alive(pid)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [None, float("inf"), 1e9])
async def test_no_limit_waits_as_long_as_it_takes(autojump_clock: Any, limit: Any) -> None:
    """None is OTP's infinity."""
    journal = Journal()
    async with otp.open_supervisor([worker("a", journal, slow=10**6).having(shutdown=limit)]):
        pass
    assert ["+a", "-a", "=a"] == journal
    assert 10.0**6 == trio.current_time()


async def test_limit_zero_is_no_time_at_all() -> None:
    """Neither terminate runs: one that traps exits is killed before it hears, which is reported."""
    journal = Journal()
    children = [worker("a", journal), worker("b", journal, trap=True)]
    async with otp.open_supervisor([each.having(shutdown=0) for each in children]):
        reports = Reports()
    assert ["+a", "+b"] == journal
    assert [("shutdown_error", "b")] == reports.contexts


async def test_the_time_to_end_is_at_most_the_sum_of_the_limits(autojump_clock: Any) -> None:
    """Over all levels of a tree in which nobody ends by itself."""
    journal = Journal()
    stubborn = [worker(tag, journal, slow=1000).having(shutdown=2) for tag in "abcd"]
    inner = nested(journal, "inner", stubborn[2:])
    async with otp.open_supervisor([*stubborn[:2], inner]):
        pass
    assert 8.0 == trio.current_time()
    assert [] == leftovers()


async def test_the_limit_of_a_nested_supervisor_ends_its_orderly_stop(autojump_clock: Any) -> None:
    """It is killed; those of its children that are left die of the link, and the stop goes on."""
    journal = Journal()
    inner = nested(journal, "inner", workers("xyz", journal, slow=2)).having(shutdown=3)
    async with otp.open_supervisor([worker("a", journal), inner]):
        reports = Reports()
        journal.clear()
    assert ["-z", "=z", "-y", "-a", "=a"] == journal
    assert 3.0 == trio.current_time()
    assert [("shutdown_error", "inner")] == reports.contexts


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
async def test_what_a_stop_reports(restart: Any) -> None:
    """A quiet end is as asked for, but for one of a permanent child that is not SHUTDOWN."""
    journal = Journal()

    class Own(Worker):
        async def terminate(self, reason: object) -> None:
            otp.exit(otp.NORMAL)

    child = otp.child(Own, "o", journal, trap=True).having(id="o", restart=restart)
    async with otp.open_supervisor([child, worker("a", journal)]):
        reports = Reports()
    assert [("shutdown_error", "o")] * (restart == "permanent") == reports.contexts


# -- cancellation from outside ---------------------------------------------------------------------


async def test_a_deadline_outside_stops_the_tree_in_order(autojump_clock: Any) -> None:
    """Every terminate runs, shielded, one after the other."""
    journal = Journal()
    with trio.move_on_after(1) as scope:
        async with otp.open_supervisor(tree(journal, slow=1)):
            journal.clear()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert REVERSED == journal
    assert 7.0 == trio.current_time()
    assert [] == leftovers()


async def test_a_cancelled_nursery_stops_what_was_started_in_it_newest_first(
    autojump_clock: Any,
) -> None:
    """Servers and supervisors that plain code started, each after the one that came later."""
    journal = Journal()
    async with trio.open_nursery() as nursery:
        await otp.start(worker("a", journal, slow=1), nursery=nursery)
        await otp.start(nested(journal, "s", workers("bc", journal, slow=1)), nursery=nursery)
        await otp.start(worker("d", journal, slow=1), nursery=nursery)
        journal.clear()
        nursery.cancel_scope.cancel()
    assert [word for tag in "dcba" for word in (f"-{tag}", f"={tag}")] == journal
    assert 4.0 == trio.current_time()
    assert [] == leftovers()


async def test_a_second_cancellation_changes_nothing(autojump_clock: Any) -> None:
    """Trio cancels for good: more of it while the children stop is not noticed."""
    journal = Journal()
    with trio.move_on_after(2), trio.move_on_after(1):
        async with otp.open_supervisor(workers("abc", journal, slow=2)):
            journal.clear()
            await trio.sleep_forever()
    assert ["-c", "=c", "-b", "=b", "-a", "=a"] == journal


async def test_a_stop_that_is_under_way_when_the_cancellation_comes_goes_on(
    autojump_clock: Any,
) -> None:
    """Each child is stopped once, and its terminate runs once; the end is that of the shutdown."""
    journal = Journal()

    async def stop(sup: Any) -> None:
        with pytest.raises(otp.ServerExited, match="SHUTDOWN"):
            await otp.stop(sup)

    async with trio.open_nursery() as nursery:
        with trio.move_on_after(1):
            async with otp.open_supervisor(workers("abc", journal, slow=2)) as sup:
                journal.clear()
                nursery.start_soon(stop, sup)
                await trio.sleep_forever()
    assert ["-c", "=c", "-b", "=b", "-a", "=a"] == journal
    assert 6.0 == trio.current_time()


async def test_a_start_under_way_is_broken_off(autojump_clock: Any) -> None:
    """A restart whose init hangs does not hold up the shutdown, on any level."""
    journal = Journal()

    class Hangs(Worker):
        async def init(self) -> None:
            await super().init()
            if self.journal.count(f"+{self.tag}") > 1:
                await trio.sleep_forever()

    inner = nested(
        journal, "inner", [worker("x", journal), otp.child(Hangs, "h", journal).having(name="h")]
    )
    async with otp.open_supervisor([worker("a", journal), inner]):
        await kill("h")
        journal.clear()
    assert ["-x", "=x", "-a", "=a"] == journal
    assert 0.0 == trio.current_time()
    assert [] == leftovers()


async def test_a_stop_by_hand_waits_for_the_start_under_way(autojump_clock: Any) -> None:
    """A supervisor does one thing at a time; only a shutdown from outside breaks it off."""
    journal = Journal()
    inner = nested(journal, "inner", workers("x", journal))
    async with otp.open_supervisor([inner]) as sup, trio.open_nursery() as nursery:
        nursery.start_soon(otp.start_child, "inner", worker("slow", journal, init_takes=5))
        await settle()
        await otp.terminate_child(sup, "inner")
        assert 5.0 == trio.current_time()
    assert ["+x", "+slow", "-slow", "=slow", "-x", "=x"] == journal


async def test_a_group_restart_waits_for_the_start_under_way(autojump_clock: Any) -> None:
    """A sibling that is a supervisor and busy with a start is stopped after that."""
    journal = Journal()
    children = [worker("a", journal), nested(journal, "inner", workers("x", journal))]
    async with (
        otp.open_supervisor(children, strategy="one_for_all"),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(otp.start_child, "inner", worker("slow", journal, init_takes=5))
        await settle()
        journal.clear()
        await kill("a")
        await trio.sleep(6)
        stops = ["-slow", "=slow", "-x", "=x"]
        assert ["+slow", *stops, "+a", "+x"] == journal


# -- crashes and kills on the way ------------------------------------------------------------------


@pytest.mark.parametrize("trap", [False, True])
async def test_a_crash_in_terminate_does_not_hold_up_the_others(
    autojump_clock: Any, trap: bool
) -> None:
    """It is that child's end, is reported once as a crash and once by the supervisor."""
    journal = Journal()
    boom = Boom("last words")
    children = [
        worker("a", journal, slow=1),
        worker("b", journal, slow=1, last_words=boom, trap=trap),
        worker("c", journal, slow=1),
    ]
    with trio.move_on_after(1):
        async with otp.open_supervisor(children):
            crashes, reports = Reports("crash"), Reports()
            journal.clear()
            await trio.sleep_forever()
    assert ["-c", "=c", "-b", "-a", "=a"] == journal
    assert [boom] == [crash.reason for crash in crashes]
    assert [("shutdown_error", "b", boom)] == [(r.context, r.child_id, r.reason) for r in reports]
    assert [] == leftovers()


@pytest.mark.parametrize("how", ["otp.exit", "otp.exit to others"])
async def test_an_exit_in_terminate_is_the_end_of_that_child(how: str) -> None:
    """Nothing hangs, and the next one is stopped."""
    journal = Journal()

    class Odd(Worker):
        async def terminate(self, reason: object) -> None:
            if how == "otp.exit":
                otp.exit("odd")
            otp.exit("a", otp.KILL)
            otp.exit("top", otp.KILL)

    children = [worker("a", journal), otp.child(Odd, "o", journal), worker("c", journal)]
    inner = nested(journal, "top", children)
    async with otp.open_supervisor([worker("z", journal), inner]):
        journal.clear()
    last = ["-a", "=a"] if how == "otp.exit" else []
    assert ["-c", "=c", *last, "-z", "=z"] == journal
    assert [] == leftovers()


async def test_a_killed_supervisor_is_dead_at_once_and_its_children_die_of_the_link(
    autojump_clock: Any,
) -> None:
    """Those that trap exits run their terminate with KILLED, each within its limit."""
    journal = Journal()
    children = [
        worker("a", journal, slow=1, trap=True),
        worker("b", journal),
        nested(journal, "deep", workers("xy", journal, slow=1, trap=True)),
        worker("c", journal, slow=60, trap=True).having(shutdown=2),
    ]
    inner = nested(journal, "inner", children).having(restart="temporary")
    async with otp.open_supervisor([inner]), otp.open_process():
        watched = [otp.monitor(name) for name in ("inner", "b", "deep")]
        otp.exit("inner", otp.KILL)
        downs = [await otp.receive(otp.Down) for _ in watched]
        assert [otp.KILLED] * 3 == [down.reason for down in downs]
        assert ["inner", "b", "deep"] == [down.pid for down in downs]
    reasons = {"a": otp.KILLED, "c": otp.KILLED, "y": otp.SHUTDOWN, "x": otp.SHUTDOWN}
    assert reasons == dict(journal.reasons)
    assert ["=y", "-x", "=x"] == [word for word in journal if word in ("=y", "-x", "=x")]
    assert ["=a", "=x", "=y"] == sorted(word for word in journal if word[0] == "=")
    assert 2.0 == trio.current_time()
    assert [] == leftovers()


async def test_a_killed_supervisor_is_restarted_when_its_old_children_have_let_go_of_their_names(
    autojump_clock: Any,
) -> None:
    """The new ones wait for the names instead of failing until the intensity is used up."""
    journal = Journal()
    inner = nested(journal, "inner", workers("ab", journal, slow=1, trap=True))
    async with otp.open_supervisor([inner], max_restarts=1) as sup:
        await kill("inner")
        await trio.sleep(5)
        assert {"a": "running", "b": "running"} == statuses(await otp.which_children("inner"))
        assert [1] == [info.restarts for info in await otp.which_children(sup)]
    starts = [word for word in journal if word[0] == "+"]
    assert ["+a", "+b", "+a", "+b"] == starts
    for tag in "ab":  # one at a time has the name
        own = [word[0] for word in journal if word[1:] == tag]
        assert ["+", "-", "=", "+", "-", "="] == own


async def test_a_supervisor_that_is_killed_while_it_stops_is_dead_at_once(
    autojump_clock: Any,
) -> None:
    """The stop in order ends there."""
    journal = Journal()
    inner = nested(journal, "inner", workers("abc", journal, slow=2)).having(restart="temporary")
    async with otp.open_supervisor([inner]), trio.open_nursery() as nursery:
        journal.clear()
        errors: list[object] = []

        async def stop() -> None:
            with pytest.raises(otp.ServerExited) as caught:
                await otp.stop("inner")
            errors.append(caught.value.reason)

        nursery.start_soon(stop)
        await trio.sleep(3)
        otp.exit("inner", otp.KILL)
        await settle()
        assert [otp.KILLED] == errors
        assert 3.0 == trio.current_time()
        assert ["-c", "=c", "-b"] == journal


@pytest.mark.parametrize("trap", [False, True])
@pytest.mark.parametrize("by_name", [False, True])
async def test_a_kill_reaches_a_server_in_its_terminate(
    autojump_clock: Any, trap: bool, by_name: bool
) -> None:
    """Though calls and signals reach it no more; the stop goes on at once."""
    journal = Journal()
    child = worker("a", journal, slow=60, trap=trap).having(shutdown=100)
    async with otp.open_supervisor([child]) as sup, trio.open_nursery() as nursery:
        pid = otp.whereis("a")
        assert pid is not None
        nursery.start_soon(otp.terminate_child, sup, "a")
        await trio.sleep(3)
        otp.exit("a" if by_name else pid, otp.SHUTDOWN)
        await trio.sleep(1)
        otp.exit("a" if by_name else pid, otp.KILL)
        assert {"a": "undefined"} == statuses(await otp.which_children(sup))
        assert 4.0 == trio.current_time()
    assert ["+a", "-a"] == [word for word in journal if ":" not in word]


async def test_a_supervisor_that_is_killed_during_a_shutdown_from_outside_is_dead_at_once(
    autojump_clock: Any,
) -> None:
    """What is left of its children dies of the link; the block ends without an error."""
    journal = Journal()

    async def kill_at(time: float, sup: Any) -> None:
        await trio.sleep_until(time)
        otp.exit(sup, otp.KILL)

    async with trio.open_nursery() as nursery:
        async with otp.open_supervisor(workers("abc", journal, slow=2)) as sup:
            nursery.start_soon(kill_at, 3.0, sup)
            journal.clear()
        assert 3.0 == trio.current_time()
    assert ["-c", "=c", "-b"] == journal
    assert [] == leftovers()


# -- Ctrl-C ----------------------------------------------------------------------------------------


class Interrupted(Worker):
    """A worker in which Ctrl-C strikes: in its handler, its terminate or its second init."""

    async def init(self) -> None:
        await super().init()
        if self.journal.count("+k") > 1:
            raise KeyboardInterrupt

    async def terminate(self, reason: object) -> None:
        await super().terminate(reason)
        if reason == "terminate":
            raise KeyboardInterrupt


async def strike(where: str) -> None:
    """Let Ctrl-C strike there."""
    reasons = {"handler": KeyboardInterrupt(), "terminate": "terminate", "init": Boom()}
    if where == "body":
        raise KeyboardInterrupt
    otp.cast("k", reasons[where])
    await trio.sleep_forever()


@pytest.mark.parametrize("where", ["handler", "terminate", "init", "body"])
@pytest.mark.parametrize("kind", [otp.Supervisor, otp.DynamicSupervisor])
async def test_ctrl_c_stops_the_tree_in_order_and_leaves_bare(
    autojump_clock: Any, where: str, kind: Any
) -> None:
    """Wherever it strikes, it is restarted nowhere, and all others have their terminate."""
    journal = Journal()
    inner = otp.child(kind).having(name="inner", shutdown=None)

    async def body() -> None:
        children = [worker("a", journal, slow=1), inner, worker("f", journal, slow=1, trap=True)]
        async with otp.open_supervisor(children):
            for child in (
                worker("b", journal, slow=1),
                otp.child(Interrupted, "k", journal).having(name="k"),
                worker("e", journal, slow=1),
            ):
                await otp.start_child("inner", child)
            journal.clear()
            journal.append("+k")
            await strike(where)

    with pytest.raises(KeyboardInterrupt):
        await body()
    others = [word for word in journal if word[1:] != "k"]
    expected = [word for tag in "ebfa" for word in (f"-{tag}", f"={tag}")]
    if where == "body":
        expected = [word for tag in "feba" for word in (f"-{tag}", f"={tag}")]
    if kind is otp.DynamicSupervisor:
        expected, others = sorted(expected), sorted(others)
    assert expected == others
    assert ["+k"] * (2 if where == "init" else 1) == [w for w in journal if w == "+k"]
    assert [] == leftovers()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
async def test_what_is_not_ours_passes_through_every_level(error: type[BaseException]) -> None:
    """Out of a function child three levels down, bare, past supervisors with restarts left."""
    journal = Journal()

    async def strikes() -> None:
        await trio.lowlevel.checkpoint()
        raise error

    async def body() -> None:
        deep = nested(journal, "one", [nested(journal, "two", [nested(journal, "three", [])])])
        async with otp.open_supervisor([worker("a", journal), deep], max_restarts=100) as sup:
            await otp.start_child("three", otp.child(strikes))
            await sup.wait()

    with pytest.raises(error):
        await body()
    assert ["+a", "-a", "=a"] == journal
    assert [] == leftovers()


async def test_ctrl_c_while_a_child_is_being_stopped_stops_the_rest(autojump_clock: Any) -> None:
    """The stop goes on from where it was."""
    journal = Journal()
    children = [
        worker("a", journal, slow=1),
        worker("b", journal, slow=1, last_words=KeyboardInterrupt()),
        worker("c", journal, slow=1),
    ]
    with pytest.raises(KeyboardInterrupt):
        async with otp.open_supervisor(children):
            journal.clear()
    assert ["-c", "=c", "-b", "-a", "=a"] == journal
    assert 3.0 == trio.current_time()
    assert [] == leftovers()


@pytest.mark.parametrize("where", ["handler", "body"])
async def test_a_crash_in_terminate_does_not_hide_ctrl_c(autojump_clock: Any, where: str) -> None:
    """The crash is reported; what leaves the block is Ctrl-C, bare, when all are stopped."""
    journal = Journal()
    crashes: list[Any] = []
    boom = Boom("last words")
    children = [
        worker("a", journal, slow=1),
        worker("b", journal, slow=1, last_words=boom),
        otp.child(Interrupted, "k", journal).having(name="k"),
        worker("d", journal, slow=1, last_words=boom, trap=True),
    ]

    async def body() -> None:
        async with otp.open_supervisor(children):
            crashes.append(Reports("crash"))
            await strike(where)

    with pytest.raises(KeyboardInterrupt):
        await body()
    assert ["-d", "-b", "-a", "=a"] == [w for w in journal if w[0] in "-=" and w[1] != "k"]
    assert [boom, boom] == [crash.reason for crash in crashes[0]]
    assert [] == leftovers()


async def test_calls_to_the_server_that_ctrl_c_hit_are_answered(autojump_clock: Any) -> None:
    """The one in hand and the one in its queue."""
    hit = KeyboardInterrupt()
    answers: list[object] = []

    class Hit(otp.GenServer):
        async def handle_call(self, request: object, from_: object) -> Any:
            await trio.sleep(1)
            raise hit

    async def caller() -> None:
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call("hit", 1, timeout=None)
        answers.append(caught.value.reason)

    async def body(callers: trio.Nursery) -> None:
        async with otp.open_supervisor([otp.child(Hit).having(name="hit")]) as sup:
            callers.start_soon(caller)
            callers.start_soon(caller)
            await sup.wait()

    async with trio.open_nursery() as callers:
        with pytest.raises(KeyboardInterrupt):
            await body(callers)
    assert [hit, hit] == answers


async def test_a_quiet_end_of_a_child_beside_all_that_is_not_mistaken_for_a_failure() -> None:
    """A transient child that ends while its siblings are stopped is nobody's business."""
    journal = Journal()

    class Last(Worker):
        async def terminate(self, reason: object) -> None:
            await super().terminate(reason)
            await end("t", otp.NORMAL)

    children = [
        worker("a", journal),
        worker("t", journal).having(restart="transient"),
        otp.child(Last, "z", journal),
    ]
    async with otp.open_supervisor(children, max_restarts=0):
        reports = Reports()
        journal.clear()
    assert ["-z", "=z", "-t", "=t", "-a", "=a"] == journal
    assert [] == reports
