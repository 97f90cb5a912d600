"""What a supervisor does when children end: strategies, restart types, intensity, retries."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import trio
from supervision_kit import (
    Boom,
    InitFailed,
    Journal,
    Reports,
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

QUIET = [otp.NORMAL, otp.SHUTDOWN, otp.Shutdown("deploy")]
LOUD = [otp.KILLED, Boom("x"), "odd"]


async def up(sup: Any) -> str:
    """Return the ids of the running children, oldest first."""
    return "".join(i.id for i in await otp.which_children(sup) if i.status == "running")


# -- which children are restarted ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "stopped", "started"),
    [("one_for_one", "", "b"), ("rest_for_one", "dc", "bcd"), ("one_for_all", "dca", "abcd")],
)
@pytest.mark.parametrize("how", ["crash", "kill"])
async def test_the_strategy_says_who_is_restarted(
    strategy: Any, stopped: str, started: str, how: str
) -> None:
    """Those that must end do so newest first, one after the other; starts follow in order."""
    journal = Journal()
    async with otp.open_supervisor(workers("abcd", journal), strategy=strategy) as sup:
        journal.clear()
        await (end("b", Boom()) if how == "crash" else kill("b"))
        own = ["-b", "=b"] if how == "crash" else []
        stops = [word for tag in stopped for word in (f"-{tag}", f"={tag}")]
        assert [*own, *stops, *(f"+{tag}" for tag in started)] == journal.take()
        assert "abcd" == await up(sup)


@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("reason", [*QUIET, *LOUD], ids=repr)
async def test_the_restart_type_says_whether_it_is_restarted(
    strategy: Any, restart: Any, reason: object
) -> None:
    """Permanent always, transient after a crash, temporary never; without it nobody is touched."""
    journal = Journal()
    children = [worker("a", journal), worker("b", journal).having(restart=restart)]
    again = restart == "permanent" or (restart == "transient" and reason in LOUD)
    async with otp.open_supervisor([*children, worker("c", journal)], strategy=strategy) as sup:
        journal.clear()
        await end("b", reason)
        left = {"a": "running", "b": "running", "c": "running"}
        if not again:
            left["b"] = "undefined"
            assert ["-b", "=b"] == journal.take()
        if restart == "temporary":
            del left["b"]
        assert left == statuses(await otp.which_children(sup))


async def test_a_restarted_child_is_a_new_process_under_the_old_name() -> None:
    """The name finds the new one; the old pid stays dead."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal)) as sup:
        old = otp.whereis("a")
        assert old is not None
        await kill("a")
        new = otp.whereis("a")
        assert new not in (None, old)
        assert not otp.is_alive(old)
        assert [(new, 1)] == [(i.pid, i.restarts) for i in await otp.which_children(sup)]
        assert "pong" == await otp.call("a", "pong")


async def test_a_restart_begins_from_the_constructor() -> None:
    """Nothing of the old state is left."""

    class Counter(otp.GenServer):
        def __init__(self, start: int) -> None:
            self.count = start

        def handle_call(self, request: int, from_: otp.From[int]) -> otp.Reply[int]:
            self.count += request
            return otp.Reply(self.count)

    async with otp.open_supervisor([otp.child(Counter, 10).having(name="c")]):
        assert 15 == await otp.call("c", 5)
        await kill("c")
        assert 11 == await otp.call("c", 1)


async def test_a_group_restart_takes_along_the_children_that_were_down() -> None:
    """One that had finished and one that was stopped by hand come back; temporaries do not."""
    journal = Journal()
    children = [
        worker("a", journal),
        worker("f", journal).having(restart="transient"),
        worker("t", journal).having(restart="temporary"),
        worker("s", journal),
    ]
    async with otp.open_supervisor(children, strategy="one_for_all") as sup:
        await end("f", otp.NORMAL)
        await otp.terminate_child(sup, "s")
        assert {"a": "running", "f": "undefined", "t": "running", "s": "undefined"} == statuses(
            await otp.which_children(sup)
        )
        journal.clear()
        await kill("a")
        assert ["-t", "=t", "+a", "+f", "+s"] == journal.take()
        assert "afs" == await up(sup)


async def test_siblings_that_crash_together_cost_one_restart_under_one_for_all() -> None:
    """Those that are dead when they are to be stopped are not counted again."""
    journal = Journal()
    async with otp.open_supervisor(
        workers("abc", journal), strategy="one_for_all", max_restarts=1
    ) as sup:
        for tag in "abc":
            otp.exit(tag, otp.KILL)
        await settle()
        assert "abc" == await up(sup)
        assert ["+a", "+b", "+c"] == begun(journal)[3:]


async def test_siblings_that_crash_together_are_counted_one_by_one_under_one_for_one() -> None:
    """Three restarts are more than one."""
    async with gives_up(workers("abc", Journal()), max_restarts=1) as (sup, _):
        for tag in "abc":
            otp.exit(tag, otp.KILL)
        await sup.wait()


async def test_a_child_that_unlinked_itself_is_still_supervised_at_its_stop() -> None:
    """Its end is awaited by another way than the link, so the supervisor does not hang."""
    journal = Journal()
    async with otp.open_supervisor(workers("ab", journal)) as sup:
        await otp.call("b", lambda: otp.unlink(sup.pid))
        await otp.terminate_child(sup, "b")
        assert ["-b", "=b"] == journal.take()[2:]
        assert {"a": "running", "b": "undefined"} == statuses(await otp.which_children(sup))


async def test_two_supervisors_in_one_run_do_not_meet() -> None:
    """Ids are those of each supervisor; a crash in one is nothing to the other."""
    journal = Journal()
    async with (
        otp.open_supervisor([worker("a", journal).having(id=1)], strategy="one_for_all") as one,
        otp.open_supervisor([worker("b", journal).having(id=1)], strategy="one_for_all") as two,
    ):
        await kill("a")
        assert [1, 0] == [
            info.restarts for sup in (one, two) for info in await otp.which_children(sup)
        ]


# -- intensity -------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [otp.NORMAL, Boom()], ids=repr)
async def test_one_end_more_than_allowed_ends_the_supervisor(reason: object) -> None:
    """A permanent child that ends normally counts like one that crashes."""
    journal = Journal()
    async with gives_up(workers("ab", journal), max_restarts=3) as (sup, caught):
        for _ in range(3):
            await end("b", reason)
            assert "ab" == await up(sup)
        journal.clear()
        otp.cast("b", reason)
        await sup.wait()
    assert ["-b", "=b", "-a", "=a"] == journal.take()
    assert otp.SHUTDOWN is caught.value.reason
    assert ["b"] * 4 == [child_id for _, child_id, _ in caught.value.history]
    assert [repr(reason)] * 4 == [repr(why) for _, _, why in caught.value.history]
    assert [] == leftovers()


async def test_no_restart_at_all_if_none_is_allowed() -> None:
    """With max_restarts=0 the first end stops the others in reverse order."""
    journal = Journal()
    async with gives_up(workers("abc", journal), max_restarts=0) as (sup, _):
        otp.exit("b", otp.KILL)
        await sup.wait()
    assert ["+a", "+b", "+c", "-c", "=c", "-a", "=a"] == journal.take()


@pytest.mark.parametrize(("gap", "survives"), [(0.5, False), (1.5, False), (2.0, True), (9, True)])
async def test_restarts_are_forgotten_after_the_window(
    autojump_clock: Any, gap: float, survives: bool
) -> None:
    """One restart in one second: whole seconds of the clock count."""
    with trio.move_on_after(100) as scope:
        try:
            async with otp.open_supervisor(
                workers("a", Journal()), max_restarts=1, max_seconds=1
            ) as sup:
                await kill("a")
                await trio.sleep(gap)
                otp.exit("a", otp.KILL)
                await sup.wait()
        except otp.SupervisorExited:
            assert gap == trio.current_time()
    assert survives == scope.cancelled_caught


async def test_an_old_crash_does_not_count_for_ever(autojump_clock: Any) -> None:
    """A child that crashes every ten seconds is restarted every time."""
    async with otp.open_supervisor(workers("a", Journal()), max_restarts=1, max_seconds=5) as sup:
        for _ in range(20):
            await kill("a")
            await trio.sleep(10)
        assert [20] == [info.restarts for info in await otp.which_children(sup)]


async def test_a_group_restart_is_charged_once() -> None:
    """However many children it touches."""
    async with otp.open_supervisor(
        workers("abcdefgh", Journal()), strategy="one_for_all", max_restarts=2
    ) as sup:
        await kill("a")
        await kill("h")
        assert "abcdefgh" == await up(sup)


async def test_starts_by_hand_are_not_charged() -> None:
    """`restart_child` and `start_child` are no restarts after a failure."""
    async with otp.open_supervisor(workers("a", Journal()), max_restarts=1) as sup:
        for _ in range(5):
            await otp.terminate_child(sup, "a")
            await otp.restart_child(sup, "a")
        await kill("a")
        assert "a" == await up(sup)


async def test_the_end_of_a_temporary_child_is_not_charged() -> None:
    """Nothing is restarted, so nothing is counted."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal), max_restarts=0) as sup:
        for _ in range(5):
            await otp.start_child(sup, worker("t", journal).having(restart="temporary"))
            await kill("t")
        assert "a" == await up(sup)


async def test_what_the_reports_say_of_a_supervisor_that_gives_up() -> None:
    """Each end with its reason, then once that it gives up."""
    boom = Boom("last")
    async with gives_up(workers("a", Journal()), max_restarts=1) as (sup, caught):
        reports = Reports()
        await end("a", Boom("first"))
        otp.cast("a", boom)
        await sup.wait()
    contexts = [("child_terminated", "a"), ("child_terminated", "a"), ("shutdown", "a")]
    assert contexts == reports.contexts
    assert boom is reports[1].reason
    assert boom is caught.value.__cause__


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
async def test_a_quiet_end_is_reported_of_permanent_children_only(restart: Any) -> None:
    """A permanent child was not meant to end."""
    async with otp.open_supervisor([worker("a", Journal()).having(restart=restart)]):
        reports = Reports()
        await end("a", otp.NORMAL)
        told = [("child_terminated", "a")] if restart == "permanent" else []
        assert told == reports.contexts


# -- restarts that fail ----------------------------------------------------------------------------


async def test_a_restart_that_fails_is_tried_again_until_the_intensity_is_used_up() -> None:
    """With three restarts allowed the init runs exactly three times more."""
    journal = Journal()
    reports = None
    async with gives_up(workers("ab", journal), max_restarts=3) as (sup, caught):
        journal.fail_inits["b"] = 100
        reports = Reports()
        otp.exit("b", otp.KILL)
        await sup.wait()
    assert ["+a", "+b", "!b", "!b", "!b", "-a", "=a"] == journal.take()
    failed = [("start_error", "b")] * 3
    assert [("child_terminated", "b"), *failed, ("shutdown", "b")] == reports.contexts
    assert isinstance(reports[-1].reason, InitFailed)
    assert 4 == len(caught.value.history)


async def test_a_restart_that_succeeds_in_the_end_is_all_right() -> None:
    """Two failures and a success use up three restarts of three."""
    journal = Journal()
    async with otp.open_supervisor(workers("ab", journal), max_restarts=3) as sup:
        journal.fail_inits["a"] = 2
        await kill("a")
        assert "ab" == await up(sup)
        assert ["!a", "!a", "+a"] == journal.take()[2:]


async def test_management_calls_get_in_between_retries() -> None:
    """While a child fails again and again it can be looked at, and be stopped."""
    journal = Journal()
    async with otp.open_supervisor(
        workers("ab", journal), max_restarts=1000, max_seconds=1000
    ) as sup:
        journal.fail_inits["b"] = 10**9
        otp.exit("b", otp.KILL)
        seen = set()
        while "restarting" not in seen:
            seen.add(statuses(await otp.which_children(sup))["b"])
        with pytest.raises(otp.ChildRestarting):
            await otp.restart_child(sup, "b")
        with pytest.raises(otp.ChildRestarting):
            await otp.delete_child(sup, "b")
        with pytest.raises(otp.ChildAlreadyPresent):
            await otp.start_child(sup, worker("b", journal))
        await otp.terminate_child(sup, "b")
        journal.clear()
        await settle()
        assert [] == journal
        assert {"a": "running", "b": "undefined"} == statuses(await otp.which_children(sup))


async def test_one_for_all_begins_anew_when_a_start_of_the_group_fails() -> None:
    """Those restarted already are stopped again; two charges in all."""
    journal = Journal()
    async with otp.open_supervisor(
        workers("abcd", journal), strategy="one_for_all", max_restarts=2
    ) as sup:
        journal.fail_inits["c"] = 1
        journal.clear()
        await kill("a")
        first = ["-d", "=d", "-c", "=c", "-b", "=b", "+a", "+b", "!c"]
        assert [*first, "-b", "=b", "-a", "=a", "+a", "+b", "+c", "+d"] == journal.take()
        assert "abcd" == await up(sup)


async def test_rest_for_one_goes_on_from_the_child_whose_start_failed() -> None:
    """Those restarted already stay."""
    journal = Journal()
    async with otp.open_supervisor(
        workers("abcd", journal), strategy="rest_for_one", max_restarts=2
    ) as sup:
        journal.fail_inits["c"] = 1
        journal.clear()
        await kill("b")
        assert ["-d", "=d", "-c", "=c", "+b", "!c", "+c", "+d"] == journal.take()
        assert "abcd" == await up(sup)


async def test_a_sibling_that_ends_while_a_retry_is_due_is_restarted_with_it() -> None:
    """Under one_for_all the group restart that comes first settles the retry."""
    journal = Journal()
    async with otp.open_supervisor(
        workers("ab", journal), strategy="one_for_all", max_restarts=2
    ) as sup:
        journal.fail_inits["b"] = 1
        otp.exit("a", otp.KILL)
        while "!b" not in journal:
            await trio.lowlevel.checkpoint()
        otp.exit("a", otp.KILL)
        await settle()
        assert "ab" == await up(sup)


# -- nested ----------------------------------------------------------------------------------------


def nested(journal: Journal, tags: str, **flags: Any) -> otp.Child[otp.Supervisor]:
    """Describe a supervisor named `inner` of one worker for each letter."""
    return otp.child(otp.Supervisor, workers(tags, journal), **flags).having(name="inner")


async def test_a_crash_is_handled_by_the_nearest_supervisor() -> None:
    """Its own supervisor and the siblings of that do not notice."""
    journal = Journal()
    children = [worker("a", journal), nested(journal, "xy")]
    async with otp.open_supervisor(children, strategy="one_for_all") as sup:
        inner = otp.whereis("inner")
        journal.clear()
        await kill("x")
        assert ["+x"] == journal.take()
        assert inner is otp.whereis("inner")
        assert [0, 0] == [info.restarts for info in await otp.which_children(sup)]


async def test_a_supervisor_that_gives_up_is_a_failed_child_of_its_own() -> None:
    """A permanent one is restarted, with all it had at first, by the strategy of its parent."""
    journal = Journal()
    inner = nested(journal, "xy", max_restarts=0)
    children = [worker("a", journal), inner, worker("b", journal)]
    async with otp.open_supervisor(children, strategy="rest_for_one") as sup:
        await otp.start_child("inner", worker("z", journal))
        journal.clear()
        await kill("x")
        stops = ["-z", "=z", "-y", "=y", "-b", "=b"]
        assert [*stops, "+x", "+y", "+b"] == journal.take()
        assert "xy" == await up("inner")
        assert [0, 1, 1] == [info.restarts for info in await otp.which_children(sup)]


async def test_a_transient_supervisor_that_gives_up_is_not_restarted() -> None:
    """It ends with SHUTDOWN, which is a quiet end."""
    journal = Journal()
    inner = nested(journal, "x", max_restarts=0).having(restart="transient")
    async with otp.open_supervisor([worker("a", journal), inner]) as sup:
        await kill("x")
        assert {"a": "running", "inner": "undefined"} == statuses(await otp.which_children(sup))


async def test_giving_up_climbs_until_somebody_has_restarts_left() -> None:
    """Three levels: the innermost two give up, the outer one starts them anew."""
    journal = Journal()
    middle = otp.child(otp.Supervisor, [nested(journal, "x", max_restarts=0)], max_restarts=0)
    async with otp.open_supervisor([worker("a", journal), middle.having(id="m")]) as sup:
        await kill("x")
        assert ["+a", "+x", "+x"] == journal.take()
        assert [0, 1] == [info.restarts for info in await otp.which_children(sup)]


async def test_giving_up_at_the_top_ends_the_block() -> None:
    """When no level has restarts left, the whole tree stops and the block raises."""
    journal = Journal()
    async with gives_up(
        [worker("a", journal), nested(journal, "x", max_restarts=0)], max_restarts=0
    ) as (sup, caught):
        otp.exit("x", otp.KILL)
        await sup.wait()
    assert ["+a", "+x", "-a", "=a"] == journal.take()
    assert [("inner", otp.SHUTDOWN)] == [(i, why) for _, i, why in caught.value.history]
    assert [] == leftovers()


async def test_the_intensity_of_a_restarted_supervisor_begins_anew() -> None:
    """Its past restarts are gone with it."""
    journal = Journal()
    async with otp.open_supervisor([nested(journal, "x", max_restarts=1)], max_restarts=5) as sup:
        for _ in range(6):
            await kill("x")
        assert [3] == [info.restarts for info in await otp.which_children(sup)]


# -- exit signals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [otp.NORMAL, otp.SHUTDOWN, "please", Boom()], ids=repr)
async def test_exit_signals_of_strangers_are_ignored(reason: object) -> None:
    """Of a process as well as of plain code."""
    async with otp.open_supervisor(workers("ab", Journal())) as sup:
        otp.exit(sup, reason)
        async with otp.open_process():
            otp.exit(sup, reason)
            otp.spawn_link(signaller, sup.pid, reason)
            await settle()
        assert "ab" == await up(sup)


async def signaller(sup: otp.Pid[Any], reason: object) -> None:
    """Link to a supervisor, send it a signal, and die with the reason too."""
    otp.trap_exit()
    otp.link(sup)
    otp.exit(sup, reason)
    otp.unlink(otp.whereis(otp.self()))  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", [otp.NORMAL, otp.SHUTDOWN, "gone", Boom()], ids=repr)
async def test_the_end_of_its_parent_ends_a_supervisor_in_order(reason: object) -> None:
    """Also a normal one; the supervisor ends with the parent's reason."""
    journal = Journal()

    async def parent() -> None:
        await otp.start_link(nested(journal, "xyz"))
        otp.send(boss, otp.whereis("inner"))
        otp.exit(await otp.receive())

    async with otp.open_process() as boss:
        child = otp.spawn(parent)
        inner = await otp.receive()
        monitor = otp.monitor(inner)
        otp.send(child, reason)
        assert otp.Down(monitor, inner, reason) == await otp.receive(otp.Down)
    assert ["-z", "=z", "-y", "=y", "-x", "=x"] == journal.take()[3:]


async def test_unknown_messages_are_reported_and_change_nothing() -> None:
    """A plain message, a cast and a call that is no management call."""
    async with otp.open_supervisor(workers("a", Journal())) as sup:
        notices = Reports("notice")
        otp.send(sup, "hello")
        otp.cast(sup, "hello")
        with pytest.raises(TypeError, match="Supervisor does not take the call 'hello'"):
            await otp.call(sup, "hello")
        assert 2 == len(notices)
        assert all("unexpected message" in notice.text for notice in notices)
        assert "a" == await up(sup)


@pytest.mark.parametrize("reason", [otp.NORMAL, otp.SHUTDOWN, otp.Shutdown("deploy"), "odd"])
async def test_a_supervisor_can_be_stopped_like_a_server(reason: object) -> None:
    """`otp.stop` ends it in order; as a permanent child it is then restarted."""
    journal = Journal()
    async with otp.open_supervisor([nested(journal, "xy")]) as sup:
        journal.clear()
        await otp.stop("inner", reason)
        await settle()
        assert ["-y", "=y", "-x", "=x", "+x", "+y"] == journal.take()
        assert [1] == [info.restarts for info in await otp.which_children(sup)]


async def test_a_copy_of_the_list_of_children_is_a_plain_list() -> None:
    """What a notebook shows as a table can be kept, and sent elsewhere."""
    async with otp.open_supervisor([otp.child(trio.sleep_forever).having(id="a")]) as sup:
        children = await otp.which_children(sup)
        kept = copy.copy(children)
        assert (list, children) == (type(kept), kept)
