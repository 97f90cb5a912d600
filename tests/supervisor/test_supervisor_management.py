"""Management calls: start, terminate, restart, delete, list, count and ensure children."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.testing
from supervision_kit import (
    Boom,
    InitFailed,
    Journal,
    Worker,
    end,
    kill,
    leftovers,
    settle,
    statuses,
    worker,
    workers,
)

import trio_otp as otp

# -- start_child -----------------------------------------------------------------------------------


async def test_a_child_that_is_added_becomes_the_last_one() -> None:
    """It is stopped first, and rest_for_one counts it as the youngest."""
    journal = Journal()
    async with otp.open_supervisor(workers("ab", journal), strategy="rest_for_one") as sup:
        pid = await otp.start_child(sup, worker("c", journal))
        assert pid is otp.whereis("c")
        journal.clear()
        await kill("b")
        assert ["-c", "=c", "+b", "+c"] == journal.take()
    assert ["-c", "=c", "-b", "=b", "-a", "=a"] == journal.take()


async def test_a_bare_class_can_be_added() -> None:
    """It is its own specification."""

    class Bare(otp.GenServer):
        pass

    async with otp.open_supervisor() as sup:
        pid = await otp.start_child(sup, Bare)
        assert [("Bare", pid)] == [(i.id, i.pid) for i in await otp.which_children(sup)]


async def test_an_added_child_that_does_not_start_is_forgotten() -> None:
    """The caller gets the error with its cause; the supervisor is as before."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal)) as sup:
        journal.fail_inits["b"] = 1
        with pytest.raises(otp.StartError) as caught:
            await otp.start_child(sup, worker("b", journal))
        assert isinstance(caught.value.reason, InitFailed)
        assert {"a": "running"} == statuses(await otp.which_children(sup))
        await otp.start_child(sup, worker("b", journal))
        assert {"a": "running", "b": "running"} == statuses(await otp.which_children(sup))


async def test_the_id_of_a_running_child_is_taken() -> None:
    """The error carries its pid, and the new specification is discarded."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal)) as sup:
        with pytest.raises(otp.AlreadyStarted) as caught:
            await otp.start_child(sup, worker("other", journal).having(id="a", shutdown=99))
        assert otp.whereis("a") is caught.value.pid
        assert 5.0 == (await otp.get_childspec(sup, "a")).shutdown
        assert ["+a"] == journal.take()


async def test_the_id_of_a_child_that_is_down_is_taken_too() -> None:
    """`restart_child` or `delete_child` is what is wanted then, and the error says so."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal)) as sup:
        await otp.terminate_child(sup, "a")
        await otp.start_child(sup, worker("b", journal).having(restart="transient"))
        await end("b", otp.NORMAL)
        for tag in "ab":
            with pytest.raises(otp.ChildAlreadyPresent, match="restart_child or delete_child"):
                await otp.start_child(sup, worker(tag, journal))


async def test_a_significant_child_is_refused_where_it_could_not_count() -> None:
    """The same rule as at the start; the supervisor lives."""
    async with otp.open_supervisor() as sup:
        with pytest.raises(otp.SpecError, match="significant=True needs"):
            await otp.start_child(sup, worker("a", Journal()).having(significant=True))
        assert [] == await otp.which_children(sup)
        await otp.start_child(sup, worker("a", Journal()))


async def test_children_are_linked_to_their_supervisor_only() -> None:
    """The end of whoever had them started is nothing to them."""
    journal = Journal()
    async with otp.open_supervisor() as sup:

        async def client() -> None:
            await otp.start_child(sup, worker("a", journal))
            raise Boom

        async with otp.open_process():
            _, monitor = otp.spawn_monitor(client)
            assert monitor is (await otp.receive(otp.Down)).ref
        assert {"a": "running"} == statuses(await otp.which_children(sup))
        assert ["+a"] == journal.take()


async def test_a_start_whose_caller_is_cancelled_is_undone(autojump_clock: Any) -> None:
    """There is never half a child, and none that nobody knows of."""
    journal = Journal()
    async with otp.open_supervisor() as sup:
        with trio.move_on_after(1):
            await otp.start_child(sup, worker("a", journal, init_takes=3))
        assert {} == statuses(await otp.which_children(sup))
        assert 1.0 == trio.current_time()
        await trio.sleep(4)
        assert [] == journal.take()


# -- terminate_child, restart_child, delete_child --------------------------------------------------


async def test_a_terminated_child_keeps_its_specification() -> None:
    """It is down, is not restarted, and can be started again under the same id."""
    journal = Journal()
    async with otp.open_supervisor(workers("ab", journal), strategy="one_for_all") as sup:
        old = otp.whereis("a")
        await otp.terminate_child(sup, "a")
        assert None is otp.whereis("a")
        assert {"a": "undefined", "b": "running"} == statuses(await otp.which_children(sup))
        await otp.terminate_child(sup, "a")
        new = await otp.restart_child(sup, "a")
        assert new is otp.whereis("a")
        assert new is not old
        assert ["+a", "+b", "-a", "=a", "+a"] == journal.take()


async def test_a_terminated_temporary_child_is_forgotten() -> None:
    """Its id is free at once."""
    temporary = worker("t", Journal()).having(restart="temporary")
    async with otp.open_supervisor([temporary]) as sup:
        await otp.terminate_child(sup, "t")
        assert [] == await otp.which_children(sup)
        with pytest.raises(otp.ChildNotFound):
            await otp.restart_child(sup, "t")
        await otp.start_child(sup, temporary)


async def test_a_deleted_child_is_gone() -> None:
    """Only a child that is down can be deleted; its id is then free."""
    async with otp.open_supervisor(workers("a", Journal())) as sup:
        with pytest.raises(otp.ChildRunning, match="'a' is running"):
            await otp.delete_child(sup, "a")
        await otp.terminate_child(sup, "a")
        await otp.delete_child(sup, "a")
        assert [] == await otp.which_children(sup)
        await otp.start_child(sup, worker("a", Journal()))


async def test_only_a_child_that_is_down_can_be_restarted_by_hand() -> None:
    """A running one is refused and left alone."""
    async with otp.open_supervisor(workers("a", Journal())) as sup:
        pid = otp.whereis("a")
        with pytest.raises(otp.ChildRunning):
            await otp.restart_child(sup, "a")
        assert pid is otp.whereis("a")


async def test_a_restart_by_hand_that_fails_leaves_the_child_down() -> None:
    """The caller gets the error; nothing is tried again."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal)) as sup:
        await otp.terminate_child(sup, "a")
        journal.fail_inits["a"] = 1
        with pytest.raises(otp.StartError):
            await otp.restart_child(sup, "a")
        await settle()
        assert {"a": "undefined"} == statuses(await otp.which_children(sup))
        assert ["!a"] == journal.take()[3:]


@pytest.mark.parametrize("call", ["terminate_child", "restart_child", "delete_child"])
@pytest.mark.parametrize("unknown", ["b", 7, None, ["not", "hashable"]])
async def test_an_unknown_child_is_not_found(call: str, unknown: object) -> None:
    """Whatever is given as its id; the supervisor lives."""
    async with otp.open_supervisor(workers("a", Journal())) as sup:
        with pytest.raises(otp.ChildNotFound) as caught:
            await getattr(otp, call)(sup, unknown)
        assert unknown == caught.value.child_id
        assert {"a": "running"} == statuses(await otp.which_children(sup))


async def test_a_static_supervisor_knows_its_children_by_id_only() -> None:
    """A pid is no id."""
    async with otp.open_supervisor(workers("a", Journal())) as sup:
        with pytest.raises(otp.ChildNotFound):
            await otp.terminate_child(sup, otp.whereis("a"))


async def test_a_child_that_died_a_moment_ago_can_be_terminated() -> None:
    """The supervisor has not heard of its end yet; then it is down and not restarted."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal)) as sup:
        otp.exit("a", otp.KILL)
        await otp.terminate_child(sup, "a")
        await settle()
        assert {"a": "undefined"} == statuses(await otp.which_children(sup))
        assert ["+a"] == journal.take()


# -- lists and counts ------------------------------------------------------------------------------


async def test_children_are_listed_oldest_first_with_what_they_are() -> None:
    """Id, pid, status, type and number of restarts."""
    journal = Journal()
    inner = otp.child(otp.Supervisor, workers("x", journal)).having(id=("inner", 1))
    children = [worker("a", journal), inner, worker("t", journal).having(restart="transient")]
    async with otp.open_supervisor(children) as sup:
        await end("t", otp.NORMAL)
        await kill("a")
        infos = await otp.which_children(sup)
        assert otp.ChildInfo("a", otp.whereis("a"), "running", "worker", 1) == infos[0]
        assert (("inner", 1), "running", "supervisor") == (
            infos[1].id,
            infos[1].status,
            infos[1].type,
        )
        assert otp.ChildInfo("t", None, "undefined", "worker", 0) == infos[2]
        assert otp.Counts(specs=3, active=2, supervisors=1, workers=2) == await otp.count_children(
            sup
        )


async def test_a_child_that_is_dead_is_not_counted_as_active(autojump_clock: Any) -> None:
    """Also when its supervisor has yet to handle its end."""
    journal = Journal()
    async with otp.open_supervisor(workers("ab", journal)) as sup, trio.open_nursery() as nursery:
        counts: list[otp.Counts] = []

        async def count() -> None:
            counts.append(await otp.count_children(sup))

        nursery.start_soon(otp.start_child, sup, worker("slow", journal, init_takes=1))
        await settle()
        nursery.start_soon(count)
        await settle()  # the question comes before the end of "a"
        await kill("a")
        await trio.sleep(2)
        counts.append(await otp.count_children(sup))
        assert [otp.Counts(3, 2, 0, 3), otp.Counts(3, 3, 0, 3)] == counts


async def test_the_specification_of_a_child_has_every_default_filled_in() -> None:
    """What `having` did not say is what a supervisor assumes."""
    async with otp.open_supervisor([worker("a", Journal()).having(shutdown=2)]) as sup:
        spec = otp.ChildSpec(
            id="a",
            name="a",
            restart="permanent",
            shutdown=2,
            significant=False,
            timeout=None,
            type="worker",
        )
        assert spec == await otp.get_childspec(sup, "a")
        with pytest.raises(otp.ChildNotFound):
            await otp.get_childspec(sup, "b")


async def test_one_child_is_told_of_like_in_the_list() -> None:
    """By id in a supervisor, by pid in a dynamic one, whatever it is doing."""
    journal = Journal()
    dyn = otp.child(otp.DynamicSupervisor).having(name="dyn")
    async with otp.open_supervisor([*workers("ab", journal), dyn]) as sup:
        await otp.terminate_child(sup, "b")
        pid = await otp.start_child("dyn", worker("x", journal))

        listed = [await otp.which_child(sup, child_id) for child_id in ("a", "b", "dyn")]
        assert await otp.which_children(sup) == listed
        assert await otp.which_children("dyn") == [await otp.which_child("dyn", pid)]
        assert pid is (await otp.which_child("dyn", pid)).pid
        assert "x" == (await otp.get_childspec("dyn", pid)).id
        for where, unknown in ((sup, "c"), (sup, pid), (sup, ["a"]), ("dyn", otp.whereis("a"))):
            with pytest.raises(otp.ChildNotFound):
                await otp.which_child(where, unknown)
        with pytest.raises(otp.WrongServer, match="has no ids"):
            await otp.which_child("dyn", "x")


def test_specifications_can_be_checked_without_starting_anything() -> None:
    """What a supervisor would refuse is refused, outside of a run, too."""
    a = otp.child(Worker, "a", Journal()).having(id="a")
    otp.check_childspecs([a, otp.Registry])
    transient = a.having(significant=True, restart="transient")
    otp.check_childspecs([transient], auto_shutdown="any_significant")

    for children, error in (
        ([a, a], "two children have this id"),
        ([transient], "significant=True needs a supervisor"),
        (["a"], "'a' is not a child"),
        (a, "expected a list"),
    ):
        with pytest.raises(otp.SpecError, match=error):
            otp.check_childspecs(children)  # type: ignore[arg-type]


async def test_what_a_start_tells_is_seen_by_its_caller() -> None:
    """The value of task_status.started is that of this incarnation; a restart brings its own."""
    ports = iter((4001, 4002, 4003))

    async def listener(*, task_status: Any) -> None:
        task_status.started(next(ports))
        await trio.sleep_forever()

    dyn = otp.child(otp.DynamicSupervisor).having(name="dyn")
    async with otp.open_supervisor([dyn]) as sup:
        pid = await otp.start_child(sup, otp.child(listener))
        other = await otp.start_child("dyn", otp.child(listener))
        assert (4001, 4002) == (otp.process_info(pid).started, otp.process_info(other).started)
        await kill(pid)
        await settle()

        again = (await otp.which_child(sup, "listener")).pid
        assert again is not None
        assert 4003 == otp.process_info(again).started


async def test_children_can_be_listed_while_they_die() -> None:
    """Each list is one moment: as many children as there are, each running or not."""
    tags = [f"w{n}" for n in range(20)]
    children = [worker(tag, Journal()) for tag in tags]
    async with otp.open_supervisor(children, max_restarts=100) as sup:
        for tag in tags:
            otp.exit(tag, otp.KILL)
            infos = await otp.which_children(sup)
            assert tags == [info.id for info in infos]
            assert all((info.pid is not None) == (info.status == "running") for info in infos)


# -- ensure_child ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [otp.Supervisor, otp.DynamicSupervisor])
async def test_any_number_of_callers_get_the_same_child(kind: Any) -> None:
    """The first one starts it, all others find it."""
    journal = Journal()
    async with otp.open_supervisor([otp.child(kind).having(name="s")]):
        pids: list[Any] = []

        async def ensure() -> None:
            pids.append(await otp.ensure_child("s", worker("a", journal, init_takes=0)))

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(ensure)
        assert {otp.whereis("a")} == set(pids)
        assert 50 == len(pids)
        assert ["+a"] == journal.take()


async def test_any_number_of_callers_revive_a_child_that_is_down_once() -> None:
    """Those who come second do not fail because the first one has restarted it."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal)) as sup:
        await otp.terminate_child(sup, "a")
        journal.clear()
        pids: list[Any] = []

        async def ensure() -> None:
            pids.append(await otp.ensure_child(sup, worker("a", journal)))

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(ensure)
        assert [otp.whereis("a")] * 50 == pids
        assert ["+a"] == journal.take()


async def test_a_child_that_is_being_restarted_is_waited_for() -> None:
    """While its restarts fail, callers wait; they get the one that starts in the end."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal), max_restarts=100) as sup:
        journal.fail_inits["a"] = 20
        otp.exit("a", otp.KILL)
        while "!a" not in journal:
            await trio.lowlevel.checkpoint()
        pid = await otp.ensure_child(sup, worker("a", journal))
        assert otp.whereis("a") is pid
        assert ["+a", *["!a"] * 20, "+a"] == journal.take()


async def test_a_name_that_somebody_else_has_is_good_enough() -> None:
    """The name is what is wanted, whoever started its process."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal)), otp.open_supervisor() as other:
        assert otp.whereis("a") is await otp.ensure_child(other, worker("a", journal))
        assert [] == await otp.which_children(other)


async def test_every_management_call_is_a_checkpoint() -> None:
    """Also where the answer is known without the supervisor."""
    async with otp.open_supervisor(workers("a", Journal())) as sup:
        for call in (
            otp.ensure_child(sup, worker("a", Journal())),
            otp.which_children(sup),
            otp.count_children(sup),
            otp.get_childspec(sup, "a"),
            otp.terminate_child(sup, "a"),
            otp.restart_child(sup, "a"),
        ):
            with trio.testing.assert_checkpoints():
                await call


async def test_an_id_that_a_child_of_another_name_has_is_an_error() -> None:
    """Another process would be the wrong answer."""
    journal = Journal()
    async with otp.open_supervisor(workers("a", journal)) as sup:
        with pytest.raises(otp.AlreadyStarted) as caught:
            await otp.ensure_child(sup, worker("b", journal).having(id="a"))
        assert otp.whereis("a") is caught.value.pid


async def test_a_child_without_a_name_cannot_be_ensured() -> None:
    """The error shows what to write."""
    async with otp.open_supervisor() as sup:
        with pytest.raises(otp.SpecError, match=r"has no name; write .*\.having\(name=\.\.\.\)"):
            await otp.ensure_child(sup, otp.child(Worker, "a", Journal()))


async def test_a_child_that_does_not_start_is_not_ensured() -> None:
    """Every caller gets the error."""
    journal = Journal()
    async with otp.open_supervisor() as sup:
        journal.fail_inits["a"] = 2
        for _ in range(2):
            with pytest.raises(otp.StartError):
                await otp.ensure_child(sup, worker("a", journal))
        assert otp.whereis("a") is None
        await otp.ensure_child(sup, worker("a", journal))


# -- the supervisor itself -------------------------------------------------------------------------

CALLS: list[tuple[Any, tuple[Any, ...]]] = [
    (otp.start_child, (worker("a", Journal()),)),
    (otp.terminate_child, ("a",)),
    (otp.restart_child, ("a",)),
    (otp.delete_child, ("a",)),
    (otp.which_children, ()),
    (otp.count_children, ()),
    (otp.get_childspec, ("a",)),
    (otp.ensure_child, (worker("b", Journal()),)),
]


@pytest.mark.parametrize(("call", "args"), CALLS)
async def test_without_a_supervisor_a_call_fails_at_once(call: Any, args: tuple[Any, ...]) -> None:
    """An unknown name is NoProcess; what is no supervisor is WrongServer, and is not hurt."""
    with pytest.raises(otp.NoProcess):
        await call("nobody", *args)
    async with otp.open_supervisor(workers("a", Journal())), otp.open_process(name="plain"):
        with pytest.raises(otp.WrongServer, match="which is a Worker"):
            await call("a", *args)
        with pytest.raises(otp.WrongServer, match="which is a plain process"):
            await call("plain", *args)
        assert "pong" == await otp.call("a", "pong")


@pytest.mark.parametrize(("call", "args"), CALLS)
@pytest.mark.parametrize(
    ("ending", "reason"),
    [("kill", otp.KILLED), ("stop", otp.NORMAL), ("give up", otp.SHUTDOWN)],
)
async def test_a_call_that_waits_when_the_supervisor_ends_is_answered(
    autojump_clock: Any, call: Any, args: tuple[Any, ...], ending: str, reason: object
) -> None:
    """Whatever ends it, the caller is told at once that it is gone, and why."""
    journal = Journal()
    inner = otp.child(otp.Supervisor, workers("az", journal), max_restarts=0)
    errors: list[otp.ServerExited] = []

    async def start_slowly() -> None:
        with suppress(otp.ServerExited):
            await otp.start_child("inner", worker("slow", journal, init_takes=1))

    async def ask() -> None:
        with pytest.raises(otp.ServerExited) as caught:
            await call("inner", *args)
        errors.append(caught.value)

    async with (
        otp.open_supervisor([inner.having(name="inner", restart="temporary")]),
        trio.open_nursery() as nursery,
    ):
        for what in (start_slowly, end_it[ending], ask):
            nursery.start_soon(what)
            await settle()
    assert [reason] == [error.reason for error in errors]
    assert [] == leftovers()


async def kill_later() -> None:
    await trio.sleep(0.5)
    otp.exit("inner", otp.KILL)


async def stop_inner() -> None:
    await otp.stop("inner")


async def kill_a_child() -> None:
    otp.exit("z", otp.KILL)


end_it = {"kill": kill_later, "stop": stop_inner, "give up": kill_a_child}


async def test_a_busy_supervisor_serves_one_thing_at_a_time(autojump_clock: Any) -> None:
    """While the init of one child takes its time everything else waits, in order."""
    journal = Journal()
    async with otp.open_supervisor(workers("ab", journal)) as sup, trio.open_nursery() as nursery:
        journal.clear()
        nursery.start_soon(otp.start_child, sup, worker("slow", journal, init_takes=5))
        await settle()
        await kill("a")
        nursery.start_soon(otp.terminate_child, sup, "b")
        await trio.sleep(4)
        assert [] == journal
        await trio.sleep(2)
        assert ["+slow", "+a", "-b", "=b"] == journal.take()


async def test_a_child_cannot_wait_for_its_own_supervisor_in_its_init() -> None:
    """The supervisor waits for the init, so the call would never be answered: it is refused."""

    class Curious(otp.GenServer):
        async def init(self) -> None:
            await otp.which_children("top")

    async with otp.open_supervisor(name="top") as sup:
        with pytest.raises(otp.StartError) as caught:
            await otp.start_child(sup, Curious)
        assert isinstance(caught.value.reason, otp.DeadlockError)
        assert [] == await otp.which_children(sup)


async def test_a_child_can_stop_itself_through_its_supervisor() -> None:
    """It is cancelled in its call and is dead when the supervisor is done with it."""
    journal = Journal()
    async with otp.open_supervisor(workers("ab", journal)) as sup:

        class Quitter(otp.GenServer):
            async def handle_cast(self, message: object) -> None:
                await otp.terminate_child("top", "q")

        top = otp.child(otp.Supervisor, [otp.child(Quitter).having(name="q")]).having(name="top")
        await otp.start_child(sup, top)
        await end("q", "go")
        assert {"q": "undefined"} == statuses(await otp.which_children("top"))
