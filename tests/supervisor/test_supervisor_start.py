"""How a supervisor starts: order, children that fail or ignore, what is not accepted."""

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
    leftovers,
    settle,
    statuses,
    worker,
    workers,
)

import trio_otp as otp


class Ignores(otp.GenServer):
    """A server that does not want to run."""

    def init(self) -> Any:
        return otp.IGNORE


class Stops(otp.GenServer):
    """A server whose init refuses with a reason of its own."""

    def init(self) -> Any:
        return otp.Stop("no licence")


class Constructor(otp.GenServer):
    """A server whose constructor raises."""

    def __init__(self) -> None:
        raise Boom("constructor")


class ExitsInInit(otp.GenServer):
    """A server that leaves by `otp.exit` in its init."""

    def init(self) -> None:
        otp.exit("left")


class Lazy(otp.Supervisor):
    """A supervisor that does not want to run."""

    def init(self) -> Any:
        return otp.IGNORE


class Wrong(otp.Supervisor):
    """A supervisor whose init returns something else than a specification."""

    def init(self) -> Any:
        return ["a child"]


class WrongDynamic(otp.DynamicSupervisor):
    """The same, of the other kind."""

    def init(self) -> Any:
        return otp.Supervisor.spec([])


class AsyncInit(otp.Supervisor):
    """A supervisor whose init takes its time."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    async def init(self) -> Any:
        await trio.sleep(1)
        return otp.Supervisor.spec(workers("ab", self.journal), strategy="rest_for_one")


async def start_and_fail(children: list[Any], **flags: Any) -> otp.StartError:
    """Open a supervisor that cannot start; give the error."""
    with pytest.raises(otp.StartError) as caught:
        async with otp.open_supervisor(children, **flags):
            raise AssertionError("the block must not be entered")
    assert [] == leftovers()
    return caught.value


def failure(error: otp.StartError) -> tuple[Any, Any]:
    """Return the id of the child that did not start, and why, of a supervisor's StartError."""
    match error.reason:
        case otp.Shutdown(detail=otp.FailedToStartChild(child_id=child_id, reason=reason)):
            return child_id, reason
        case other:
            raise AssertionError(f"not the reason of a failed child: {other!r}")


# -- order -----------------------------------------------------------------------------------------


async def test_children_start_one_at_a_time_in_their_order(autojump_clock: Any) -> None:
    """The next init begins only after the one before is over, however long that takes."""
    journal = Journal()
    children = [
        worker(tag, journal, init_takes=takes) for tag, takes in [("a", 2.0), ("b", 0.0), ("c", 1)]
    ]
    async with otp.open_supervisor(children):
        assert ["+a", "+b", "+c"] == journal.take()
        assert 3.0 == trio.current_time()


async def test_a_supervisor_without_children_runs_until_it_is_left() -> None:
    """No child at all is fine, and children can come later."""
    async with otp.open_supervisor() as sup:
        assert [] == await otp.which_children(sup)
        await otp.start_child(sup, worker("a", Journal()))
        assert otp.whereis("a") is not None
    assert [] == leftovers()


async def test_an_async_init_of_a_supervisor_is_waited_for(autojump_clock: Any) -> None:
    """What it returns is what is started."""
    journal = Journal()
    async with otp.open_supervisor([otp.child(AsyncInit, journal).having(name="s")]):
        assert ["+a", "+b"] == journal.take()
        assert {"a": "running", "b": "running"} == statuses(await otp.which_children("s"))


async def test_a_child_that_crashes_right_after_its_init_is_restarted() -> None:
    """The crash before its first message is not lost between start and supervision."""
    lives: list[int] = []

    class Hasty(otp.GenServer):
        def init(self) -> otp.NoReply:
            lives.append(len(lives))
            return otp.NoReply(continue_="go")

        def handle_continue(self, token: object) -> None:
            if len(lives) == 1:
                raise Boom

    async with otp.open_supervisor([otp.child(Hasty).having(name="h")]) as sup:
        await settle()
        assert [0, 1] == lives
        assert [1] == [info.restarts for info in await otp.which_children(sup)]


# -- failures --------------------------------------------------------------------------------------


async def test_a_child_that_does_not_start_stops_those_before_it_newest_first() -> None:
    """Those after it are never tried; the error names the child and its reason."""
    journal = Journal()
    journal.fail_inits["c"] = 1
    error = await start_and_fail(workers("abcd", journal))
    assert ["+a", "+b", "!c", "-b", "=b", "-a", "=a"] == journal.take()
    child_id, reason = failure(error)
    assert "c" == child_id
    assert isinstance(reason, InitFailed)


async def test_the_failure_of_a_nested_supervisor_names_the_path_to_the_child() -> None:
    """Each supervisor adds its child; what was started beside it is stopped."""
    journal = Journal()
    journal.fail_inits["y"] = 1
    inner = otp.child(otp.Supervisor, workers("xy", journal)).having(id="inner")
    error = await start_and_fail([worker("a", journal), inner, worker("b", journal)])
    child_id, reason = failure(error)
    assert "inner" == child_id
    assert "y" == failure(otp.StartError(reason))[0]
    assert ["+a", "+x", "!y", "-x", "=x", "-a", "=a"] == journal.take()


@pytest.mark.parametrize(
    ("child", "expected"),
    [
        (Stops, "no licence"),
        (ExitsInInit, "left"),
        (Constructor, Boom),
        (otp.child(otp.Supervisor, ["junk"]), otp.SpecError),
        (otp.child(otp.Supervisor, strategy="one"), otp.SpecError),
        (otp.child(otp.DynamicSupervisor, max_children=-1), otp.SpecError),
        (Wrong, otp.BadReturn),
        (WrongDynamic, otp.BadReturn),
    ],
)
async def test_the_reason_of_a_failed_start_is_that_of_the_child(child: Any, expected: Any) -> None:
    """A Stop, an exit, an error of the constructor, a wrong specification: it is told as it is."""
    _, reason = failure(await start_and_fail([child]))
    assert expected == reason or (isinstance(expected, type) and isinstance(reason, expected))


async def test_a_crash_in_init_is_the_cause_of_the_error() -> None:
    """A traceback leads to the line in the child's init."""
    journal = Journal()
    journal.fail_inits["a"] = 1
    error = await start_and_fail([worker("a", journal)])
    detail = error.reason.detail  # type: ignore[attr-defined]
    assert isinstance(detail.__cause__, InitFailed)
    assert "a" in str(error)


async def test_an_init_that_takes_too_long_is_a_failed_start(autojump_clock: Any) -> None:
    """The child is killed at its time-out; the reason is TIMEOUT, and its name is free."""
    journal = Journal()
    slow = worker("a", journal, init_takes=60).having(timeout=2)
    assert ("a", otp.TIMEOUT) == failure(await start_and_fail([slow]))
    assert 2.0 == trio.current_time()
    assert [] == journal.take()


async def test_a_name_that_is_taken_is_a_failed_start_and_names_the_holder() -> None:
    """The other process is left alone; the init of the second never runs."""
    journal = Journal()
    async with otp.open_supervisor([worker("a", journal)]) as sup:
        twin = worker("a", journal).having(id="twin")
        with pytest.raises(otp.StartError) as caught:
            async with otp.open_supervisor([worker("b", journal), twin]):
                raise AssertionError("the block must not be entered")
        child_id, reason = failure(caught.value)
        assert "twin" == child_id
        assert isinstance(reason, otp.AlreadyStarted)
        assert otp.whereis("a") is reason.pid
        assert ["+a", "+b", "-b", "=b"] == journal.take()
        assert {"a": "running"} == statuses(await otp.which_children(sup))


async def test_a_name_of_the_supervisor_itself_that_is_taken_is_told() -> None:
    """`open_supervisor(name=)` raises AlreadyStarted with the holder."""
    async with otp.open_supervisor(name="top") as sup:
        with pytest.raises(otp.AlreadyStarted) as caught:
            async with otp.open_supervisor(name="top"):
                raise AssertionError("the block must not be entered")
        assert sup.pid is caught.value.pid


async def test_a_failed_first_start_is_reported_once() -> None:
    """One start_error of the child, and nothing of those that were stopped in order."""
    journal = Journal()
    journal.fail_inits["b"] = 1
    reports = Reports()
    await start_and_fail(workers("ab", journal))
    assert [("start_error", "b")] == reports.contexts


async def test_no_restart_happens_while_the_first_start_goes_on(autojump_clock: Any) -> None:
    """A child that crashes while a later one starts is restarted after all have started."""
    journal = Journal()
    children = [worker("a", journal), worker("b", journal, init_takes=5)]

    async def crash() -> None:
        await trio.sleep(1)
        otp.cast("a", Boom())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(crash)
        async with otp.open_supervisor(children):
            assert ["+a", "-a", "=a", "+b"] == journal.take()
            await settle()
            assert ["+a"] == journal.take()


# -- ignore ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("restart", ["permanent", "transient"])
async def test_a_child_that_ignores_keeps_its_place(restart: Any) -> None:
    """It is down, counted as a specification, and can be started later."""
    ignores = otp.child(Ignores).having(id="i", restart=restart)
    async with otp.open_supervisor([ignores]) as sup:
        assert {"i": "undefined"} == statuses(await otp.which_children(sup))
        assert otp.Counts(1, 0, 0, 1) == await otp.count_children(sup)
        assert None is await otp.restart_child(sup, "i")
        assert {"i": "undefined"} == statuses(await otp.which_children(sup))
        await otp.delete_child(sup, "i")


async def test_a_temporary_child_that_ignores_is_forgotten() -> None:
    """Nothing could ever start it again."""
    ignores = otp.child(Ignores).having(id="i", restart="temporary")
    async with otp.open_supervisor([ignores]) as sup:
        assert [] == await otp.which_children(sup)
        assert None is await otp.start_child(sup, ignores)
        assert [] == await otp.which_children(sup)


async def test_a_supervisor_may_ignore() -> None:
    """As a child it is then down like any other."""
    async with otp.open_supervisor([otp.child(Lazy).having(id="lazy")]) as sup:
        assert {"lazy": "undefined"} == statuses(await otp.which_children(sup))
        assert otp.Counts(1, 0, 1, 0) == await otp.count_children(sup)


async def test_a_child_may_ignore_when_it_is_restarted() -> None:
    """It is down then, its siblings run, and no retry follows."""
    wants = [True, False]

    class Moody(otp.GenServer):
        def init(self) -> Any:
            return None if wants.pop(0) else otp.IGNORE

        def handle_cast(self, message: Exception) -> None:
            raise message

    journal = Journal()
    children = [otp.child(Moody).having(name="m"), worker("a", journal)]
    async with otp.open_supervisor(children, strategy="one_for_all") as sup:
        otp.cast("m", Boom())
        await settle()
        assert {"m": "undefined", "a": "running"} == statuses(await otp.which_children(sup))
        assert {"m": 0, "a": 1} == {i.id: i.restarts for i in await otp.which_children(sup)}


# -- what is not accepted --------------------------------------------------------------------------


class Idle:
    """Is no behaviour."""


@pytest.mark.parametrize(
    ("junk", "told"),
    [("junk", "'junk'"), (None, "None"), (Idle, "Idle"), (Worker("a", Journal()), "Worker")],
)
async def test_what_is_no_child_is_refused_before_anything_starts(junk: Any, told: str) -> None:
    """The error shows the value and says how a child is written."""
    journal = Journal()
    with pytest.raises(otp.SpecError, match=r"otp\.child\(target, \*args\)") as caught:
        async with otp.open_supervisor([worker("a", journal), junk]):
            raise AssertionError("the block must not be entered")
    assert told in str(caught.value)
    assert [] == journal


async def test_two_children_of_one_id_are_refused_before_anything_starts() -> None:
    """The id is named."""
    journal = Journal()
    with pytest.raises(otp.SpecError, match="id='a'"):
        async with otp.open_supervisor(workers("aba", journal)):
            raise AssertionError("the block must not be entered")
    assert [] == journal


BAD_OPTIONS = [
    ("restart", "always", "'permanent', 'transient' or 'temporary'"),
    ("shutdown", -1, "seconds >= 0, 'brutal_kill', or None"),
    ("shutdown", "kill", "seconds >= 0, 'brutal_kill', or None"),
    ("shutdown", True, "seconds >= 0, 'brutal_kill', or None"),
    ("shutdown", float("nan"), "seconds >= 0, 'brutal_kill', or None"),
    ("significant", 1, "True or False"),
    ("timeout", -1, "a number of seconds >= 0, or None"),
    ("type", "boss", "'worker' or 'supervisor'"),
    ("id", ["a"], "any hashable value"),
    ("name", ("via", "registry", ["a"]), "any hashable value"),
]


@pytest.mark.parametrize(("option", "value", "accepted"), BAD_OPTIONS)
def test_a_wrong_option_of_a_child_is_refused_where_it_is_written(
    option: str, value: Any, accepted: str
) -> None:
    """The error names the option, the value and what is accepted."""
    with pytest.raises(otp.SpecError) as caught:
        otp.child(Worker, "a", Journal()).having(**{option: value})
    assert str(caught.value).startswith(f"{option}={value!r}: ")
    assert accepted in str(caught.value)


@pytest.mark.parametrize("auto_shutdown", ["never", "any_significant"])
def test_a_significant_child_that_could_never_count_is_refused(auto_shutdown: Any) -> None:
    """Significant needs auto_shutdown, and a child that may end."""
    child = otp.child(Worker, "a", Journal()).having(significant=True)
    with pytest.raises(otp.SpecError, match="significant=True needs"):
        otp.Supervisor.spec([child], auto_shutdown=auto_shutdown)


@pytest.mark.parametrize("flag", ["strategy", "max_restarts", "max_seconds", "auto_shutdown"])
async def test_a_wrong_flag_is_refused_by_the_block(flag: str) -> None:
    """`open_supervisor` checks its flags as a supervisor does."""
    flags: dict[str, Any] = {flag: "wrong"}
    with pytest.raises(otp.SpecError, match=f"{flag}='wrong'"):
        async with otp.open_supervisor(**flags):
            raise AssertionError("the block must not be entered")


def test_options_in_the_class_statement_are_the_defaults_of_its_children() -> None:
    """`having` overrides them; supervisors get all the time they need."""

    class Mailer(otp.GenServer, restart="transient", shutdown=2.0):
        pass

    spec = otp.child(Mailer).spec
    assert ("transient", 2.0, "Mailer") == (spec.restart, spec.shutdown, spec.id)
    assert "permanent" == otp.child(Mailer).having(restart="permanent").spec.restart
    assert (5.0, "worker") == (otp.child(Worker, "a", Journal()).spec.shutdown, spec.type)
    assert (None, "supervisor") == (
        otp.child(otp.DynamicSupervisor).spec.shutdown,
        otp.child(otp.DynamicSupervisor).spec.type,
    )


# -- cancellation ----------------------------------------------------------------------------------


async def test_a_start_that_is_cancelled_leaves_nothing(autojump_clock: Any) -> None:
    """The init that hangs is broken off, and those started before it are stopped in order."""
    journal = Journal()
    children = [*workers("ab", journal), worker("c", journal, init_takes=60)]
    with trio.move_on_after(3) as scope:
        async with otp.open_supervisor(children):
            raise AssertionError("the block must not be entered")
    assert scope.cancelled_caught
    assert 3.0 == trio.current_time()
    assert ["+a", "+b", "-b", "=b", "-a", "=a"] == journal.take()
    assert [] == leftovers()


async def test_a_nested_start_that_is_cancelled_leaves_nothing(autojump_clock: Any) -> None:
    """Also when the init that hangs is that of a child's child."""
    journal = Journal()
    deep = otp.child(otp.Supervisor, [worker("x", journal), worker("y", journal, init_takes=60)])
    children = [worker("a", journal), deep.having(id="s")]
    with trio.move_on_after(3):
        async with otp.open_supervisor(children):
            raise AssertionError("the block must not be entered")
    assert ["+a", "+x", "-x", "=x", "-a", "=a"] == journal.take()
    assert [] == leftovers()


async def test_a_supervisor_that_is_killed_during_its_start_is_dead_at_once(
    autojump_clock: Any,
) -> None:
    """Its starter is told KILLED; its children die of the link, without their terminate."""
    journal = Journal()
    inner = otp.child(
        otp.Supervisor, [worker("a", journal), worker("b", journal, init_takes=60)]
    ).having(name="inner")
    async with otp.open_supervisor() as sup, trio.open_nursery() as nursery:
        errors: list[object] = []

        async def start() -> None:
            with pytest.raises(otp.StartError) as caught:
                await otp.start_child(sup, inner)
            errors.append(caught.value.reason)

        nursery.start_soon(start)
        await settle()
        otp.exit("inner", otp.KILL)
        await settle()
        assert [otp.KILLED] == errors
        assert ["+a"] == journal.take()
        assert None is otp.whereis("a")
        assert 0.0 == trio.current_time()
