"""DynamicSupervisor: children on demand, in any number, all stopped at once."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from supervision_kit import (
    Boom,
    InitFailed,
    Journal,
    Reports,
    Worker,
    end,
    gives_up,
    kill,
    leftovers,
    settle,
    worker,
)

import trio_otp as otp


def dynamic(**flags: Any) -> otp.Child[otp.DynamicSupervisor]:
    """Describe the dynamic supervisor of these tests, named `d`."""
    return otp.child(otp.DynamicSupervisor, **flags).having(name="d")


async def pids() -> list[Any]:
    """Return the pids of the children, oldest first; None for one that is being restarted."""
    return [info.pid for info in await otp.which_children("d")]


# -- start -----------------------------------------------------------------------------------------


async def test_it_starts_empty_and_children_come_and_go() -> None:
    """A child is started with its arguments, listed, and forgotten when it is terminated."""
    journal = Journal()
    async with otp.open_supervisor([dynamic()]):
        assert [] == await pids()
        a = await otp.start_child("d", worker("a", journal))
        b = await otp.start_child("d", worker("b", journal))
        assert [a, b] == await pids()
        assert otp.Counts(2, 2, 0, 2) == await otp.count_children("d")
        await otp.terminate_child("d", a)
        assert [b] == await pids()
        assert ["+a", "+b", "-a", "=a"] == journal.take()


async def test_ids_are_not_looked_at() -> None:
    """Any number of children may share one, and the list does not show it."""
    journal = Journal()
    async with otp.open_supervisor([dynamic()]):
        for tag in "abc":
            await otp.start_child("d", otp.child(Worker, tag, journal).having(id="same"))
        assert [None] * 3 == [info.id for info in await otp.which_children("d")]


async def test_a_child_that_does_not_start_leaves_nothing() -> None:
    """The caller gets the error, with the crash as its cause."""
    journal = Journal()
    async with otp.open_supervisor([dynamic()]):
        journal.fail_inits["a"] = 1
        with pytest.raises(otp.StartError) as caught:
            await otp.start_child("d", worker("a", journal))
        assert isinstance(caught.value.__cause__, InitFailed)
        assert [] == await pids()
        assert otp.whereis("a") is None


async def test_a_child_that_ignores_is_not_kept() -> None:
    """`start_child` gives None."""

    class Ignores(otp.GenServer):
        def init(self) -> Any:
            return otp.IGNORE

    async with otp.open_supervisor([dynamic()]):
        assert None is await otp.start_child("d", Ignores)
        assert [] == await pids()


async def test_what_is_no_child_is_refused_in_the_caller() -> None:
    """The supervisor does not even hear of it."""
    async with otp.open_supervisor([dynamic()]):
        before = otp.whereis("d")
        with pytest.raises(otp.SpecError, match="'junk' is not a child"):
            await otp.start_child("d", "junk")  # type: ignore[call-overload]
        with pytest.raises(otp.SpecError, match="significant=True"):
            await otp.start_child("d", worker("a", Journal()).having(significant=True))
        assert before is otp.whereis("d")
        assert [] == await pids()


async def test_a_name_that_is_taken_is_told_with_its_holder() -> None:
    """AlreadyStarted, and nothing is kept of the second one."""
    journal = Journal()
    async with otp.open_supervisor([dynamic()]):
        a = await otp.start_child("d", worker("a", journal))
        with pytest.raises(otp.AlreadyStarted) as caught:
            await otp.start_child("d", worker("a", journal))
        assert a is caught.value.pid
        assert [a] == await pids()


@pytest.mark.parametrize("call", [otp.restart_child, otp.delete_child, otp.get_childspec])
async def test_calls_by_id_are_refused(call: Any) -> None:
    """A dynamic supervisor has no ids; the caller gets WrongServer and the supervisor lives."""
    async with otp.open_supervisor([dynamic()]):
        before = otp.whereis("d")
        with pytest.raises(otp.WrongServer, match="which is a DynamicSupervisor"):
            await call("d", "a")
        assert before is otp.whereis("d")


async def test_extra_arguments_come_before_those_of_the_child() -> None:
    """For classes and for functions, at the start and at every restart."""
    seen: list[Any] = []

    class Wants(otp.GenServer):
        def __init__(self, *args: Any) -> None:
            seen.append(args)

    async def runs(*args: Any) -> None:
        seen.append(args)
        await trio.sleep_forever()

    async with otp.open_supervisor([dynamic(extra_arguments=("x", "y"))]):
        pid = await otp.start_child("d", otp.child(Wants, "z"))
        await kill(pid)
        await otp.start_child("d", otp.child(runs, 1))
        await settle()
    assert [("x", "y", "z"), ("x", "y", "z"), ("x", "y", 1)] == seen


# -- max_children ----------------------------------------------------------------------------------


async def test_there_are_no_more_children_than_allowed() -> None:
    """One more is refused; when one has gone there is room again."""
    journal = Journal()
    async with otp.open_supervisor([dynamic(max_children=2)]):
        a = await otp.start_child("d", worker("a", journal))
        await otp.start_child("d", worker("b", journal).having(restart="temporary"))
        for _ in range(2):
            with pytest.raises(otp.MaxChildren) as caught:
                await otp.start_child("d", worker("c", journal))
            assert 2 == caught.value.limit
        await otp.terminate_child("d", a)
        await otp.start_child("d", worker("c", journal))
        await end("b", otp.NORMAL)
        await otp.start_child("d", worker("e", journal))
        assert ["+a", "+b", "-a", "=a", "+c", "-b", "=b", "+e"] == journal.take()


async def test_no_children_may_be_allowed() -> None:
    """max_children=0 is a supervisor that is closed."""
    async with otp.open_supervisor([dynamic(max_children=0)]):
        with pytest.raises(otp.MaxChildren):
            await otp.start_child("d", worker("a", Journal()))


async def test_a_child_that_is_being_restarted_takes_its_place() -> None:
    """It counts, is listed without a pid, and can be terminated by its old pid."""
    journal = Journal()
    async with otp.open_supervisor([dynamic(max_children=1, max_restarts=10**6)]):
        a = await otp.start_child("d", worker("a", journal))
        journal.fail_inits["a"] = 10**9
        otp.exit(a, otp.KILL)
        while [None] != await pids():
            pass
        assert [("restarting", "worker")] == [
            (info.status, info.type) for info in await otp.which_children("d")
        ]
        assert otp.Counts(1, 0, 0, 1) == await otp.count_children("d")
        with pytest.raises(otp.MaxChildren):
            await otp.start_child("d", worker("b", journal))
        await otp.terminate_child("d", a)
        journal.clear()
        await settle()
        assert [] == journal
        await otp.start_child("d", worker("b", journal))


# -- ends ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize(
    ("reason", "quiet"),
    [
        (otp.NORMAL, True),
        (otp.SHUTDOWN, True),
        (otp.Shutdown("x"), True),
        (Boom(), False),
        (otp.KILLED, False),
    ],
    ids=repr,
)
async def test_the_restart_type_says_whether_it_is_restarted(
    restart: Any, reason: object, quiet: bool
) -> None:
    """One that is not restarted is forgotten; nobody else is touched."""
    journal = Journal()
    again = restart == "permanent" or (restart == "transient" and not quiet)
    async with otp.open_supervisor([dynamic()]):
        await otp.start_child("d", worker("a", journal))
        await otp.start_child("d", worker("b", journal).having(restart=restart))
        reports = Reports()
        journal.clear()
        await end("b", reason)
        assert ["-b", "=b", *["+b"] * again] == journal.take()
        assert 1 + again == len(await pids())
        told = restart == "permanent" or not quiet
        assert ["child_terminated"] * told == [report.context for report in reports]


async def test_a_restarted_child_has_a_new_pid_and_counts_its_restarts() -> None:
    """The old pid is unknown from then on."""
    async with otp.open_supervisor([dynamic()]):
        old = await otp.start_child("d", worker("a", Journal()))
        await kill(old)
        new = otp.whereis("a")
        assert new is not old
        assert [(new, 1)] == [(i.pid, i.restarts) for i in await otp.which_children("d")]
        with pytest.raises(otp.ChildNotFound):
            await otp.terminate_child("d", old)


async def test_a_restart_that_ignores_ends_the_child() -> None:
    """It is forgotten, and nothing is tried again."""
    wants = [True, False]

    class Moody(otp.GenServer):
        def init(self) -> Any:
            return None if wants.pop(0) else otp.IGNORE

    async with otp.open_supervisor([dynamic()]):
        await kill(await otp.start_child("d", Moody))
        assert [] == await pids()
        assert [] == wants


async def test_restarts_of_all_children_share_one_intensity() -> None:
    """Two children with two crashes each are four restarts; three are allowed."""
    journal = Journal()
    async with gives_up([dynamic(max_restarts=3)], max_restarts=0) as (sup, _):
        for tag in "ab":
            await otp.start_child("d", worker(tag, journal))
        for tag in "aba":
            await kill(tag)
        assert 2 == len(await pids())
        otp.exit("b", otp.KILL)
        await sup.wait()
    assert ["+a", "+b", "+a", "+b", "+a", "-a", "=a"] == journal.take()


async def test_a_restart_that_fails_is_charged_each_time() -> None:
    """As in a static supervisor: three restarts allowed are three more inits."""
    journal = Journal()
    async with gives_up([dynamic(max_restarts=3)], max_restarts=0) as (sup, _):
        await otp.start_child("d", worker("a", journal))
        await otp.start_child("d", worker("b", journal))
        journal.fail_inits["a"] = 100
        reports = Reports()
        otp.exit("a", otp.KILL)
        await sup.wait()
    told = [report for report in reports if report.child_id == "a"]
    failed = [("start_error", "a")] * 3
    assert [("child_terminated", "a"), *failed, ("shutdown", "a")] == [
        (report.context, report.child_id) for report in told
    ]
    assert isinstance(told[-1].reason, InitFailed)
    assert ["+a", "+b", "!a", "!a", "!a", "-b", "=b"] == journal.take()


async def test_crashes_in_different_windows_are_survived(autojump_clock: Any) -> None:
    """Whole seconds count, as in a static supervisor."""
    async with otp.open_supervisor([dynamic(max_restarts=1, max_seconds=1)]):
        await otp.start_child("d", worker("a", Journal()))
        for _ in range(5):
            await kill("a")
            await trio.sleep(2)
        assert [5] == [info.restarts for info in await otp.which_children("d")]


# -- terminate_child -------------------------------------------------------------------------------


async def test_a_child_is_terminated_by_pid_or_name_once() -> None:
    """The second time it is not found."""
    journal = Journal()
    async with otp.open_supervisor([dynamic()]):
        a = await otp.start_child("d", worker("a", journal))
        await otp.start_child("d", worker("b", journal))
        await otp.terminate_child("d", "b")
        await otp.terminate_child("d", a)
        assert ["+a", "+b", "-b", "=b", "-a", "=a"] == journal.take()
        for ref in (a, "b"):
            with pytest.raises(otp.ChildNotFound):
                await otp.terminate_child("d", ref)


async def test_only_a_child_of_its_own_is_terminated() -> None:
    """The process of somebody else is not found, and lives."""
    journal = Journal()
    async with otp.open_supervisor([dynamic(), worker("other", journal)]):
        other = otp.whereis("other")
        for ref in (other, "other", "d"):
            with pytest.raises(otp.ChildNotFound):
                await otp.terminate_child("d", ref)
        assert other is otp.whereis("other")


@pytest.mark.parametrize("junk", [42, None, ["a"], {"pid": 1}])
async def test_what_is_no_reference_is_refused_in_the_caller(junk: Any) -> None:
    """A TypeError that says what is accepted; the supervisor lives."""
    async with otp.open_supervisor([dynamic()]):
        before = otp.whereis("d")
        with pytest.raises(TypeError, match="expected a Pid, a name"):
            await otp.terminate_child("d", junk)
        assert before is otp.whereis("d")


# -- shutdown --------------------------------------------------------------------------------------


async def test_all_children_are_stopped_at_once(autojump_clock: Any) -> None:
    """Five that take 200 ms each are gone after 200 ms."""
    journal = Journal()
    async with otp.open_supervisor([dynamic()]):
        for tag in "vwxyz":
            await otp.start_child("d", worker(tag, journal, slow=0.2))
        journal.clear()
    assert 0.2 == trio.current_time()
    assert {f"-{tag}" for tag in "vwxyz"} == set(journal[:5])
    assert {f"={tag}" for tag in "vwxyz"} == set(journal[5:])
    assert [] == leftovers()


async def test_each_child_has_its_own_limit(autojump_clock: Any) -> None:
    """Whoever is over it is killed and reported; the others take their time."""
    journal = Journal()
    limits = {"a": 4.0, "b": 1.0, "c": "brutal_kill", "d": None, "e": 2.0}
    async with otp.open_supervisor([dynamic()]):
        for tag, limit in limits.items():
            slow = {"a": 3.0, "d": 6.0}.get(tag, 60.0)
            child = worker(f"w{tag}", journal, slow=slow).having(shutdown=limit)
            await otp.start_child("d", child)
        journal.clear()
        reports = Reports()
    assert 6.0 == trio.current_time()
    assert {"-wa", "-wb", "-wd", "-we"} == {word for word in journal if word[0] == "-"}
    assert ["=wa", "=wd"] == [word for word in journal if word[0] == "="]
    told = {(report.child_id, report.context, report.reason) for report in reports}
    assert {("wb", "shutdown_error", otp.KILLED), ("we", "shutdown_error", otp.KILLED)} == told


async def test_a_crash_in_terminate_is_reported_and_the_others_end(autojump_clock: Any) -> None:
    """It costs nobody else anything."""
    journal = Journal()
    async with otp.open_supervisor([dynamic()]):
        await otp.start_child("d", worker("a", journal, last_words=Boom("a")))
        await otp.start_child("d", worker("b", journal, slow=1))
        reports = Reports()
    assert "=b" in journal
    assert [("shutdown_error", "a")] == reports.contexts
    assert [] == leftovers()


async def test_its_own_restart_begins_empty() -> None:
    """Children are not remembered over the death of their supervisor, and they die of it."""
    journal = Journal()
    async with otp.open_supervisor([dynamic()]):
        for tag in "abc":
            await otp.start_child("d", worker(tag, journal))
        await kill("d")
        assert [] == await pids()
        assert [None] * 3 == [otp.whereis(tag) for tag in "abc"]
        assert ["+a", "+b", "+c"] == journal.take()


async def test_a_subclass_gives_its_limits_in_init() -> None:
    """`init` may be async, and may ignore."""

    class Pool(otp.DynamicSupervisor):
        async def init(self) -> Any:
            await trio.lowlevel.checkpoint()
            return otp.DynamicSupervisor.spec(max_children=1)

    class Lazy(otp.DynamicSupervisor):
        def init(self) -> Any:
            return otp.IGNORE

    async with otp.open_supervisor([otp.child(Pool).having(name="d"), Lazy]) as sup:
        await otp.start_child("d", worker("a", Journal()))
        with pytest.raises(otp.MaxChildren):
            await otp.start_child("d", worker("b", Journal()))
        assert ["running", "undefined"] == [i.status for i in await otp.which_children(sup)]


@pytest.mark.parametrize(
    ("flag", "value"),
    [("max_children", -1), ("max_children", 1.5), ("max_children", True), ("max_restarts", -1)],
)
def test_wrong_limits_are_refused(flag: str, value: Any) -> None:
    """The error names the flag, the value and what is accepted."""
    with pytest.raises(otp.SpecError, match=f"{flag}={value!r}: expected a whole number >= 0"):
        otp.DynamicSupervisor.spec(**{flag: value})


async def test_supervisors_can_be_children_and_are_counted_as_such() -> None:
    """By their type, also those that are functions with `type="supervisor"`."""
    journal = Journal()
    tree = otp.child(otp.Supervisor, [worker("x", journal)])
    async with otp.open_supervisor([dynamic()]):
        await otp.start_child("d", tree)
        await otp.start_child("d", worker("a", journal).having(type="supervisor"))
        await otp.start_child("d", worker("b", journal))
        assert otp.Counts(3, 3, 2, 1) == await otp.count_children("d")
    assert {"-x", "=x", "-a", "=a", "-b", "=b"} == set(journal.take()[3:])
