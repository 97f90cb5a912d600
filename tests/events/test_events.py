"""Hook slots: who hears of what, and that a listener cannot hurt."""

from __future__ import annotations

import logging
from typing import Any, get_args

import pytest
import trio
import trio.testing
from inside import runtime
from log_kit import logging_to

import trio_otp as otp
from trio_otp.events import EVENT_NAMES, CrashReport, Events, ProgressReport, SupervisorReport


class Server(otp.GenServer):
    """Takes everything, and crashes when it is told to."""

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        if request == "crash":
            raise ValueError("boom")
        return otp.Reply(request, continue_="go on")

    def handle_cast(self, message: Any) -> None: ...

    def handle_info(self, message: Any) -> None: ...

    def handle_continue(self, token: Any) -> None: ...


class Heard(list[tuple[Any, ...]]):
    """What a listener was called with."""

    def __init__(self, event: Any) -> None:
        super().__init__()
        otp.events.attach(event, self.listen)

    def listen(self, *args: Any) -> None:
        self.append(args)


# -- what is told ----------------------------------------------------------------------------------


async def test_starts_and_ends_of_processes() -> None:
    """The pid is told, at the end with the reason."""
    starts, ends = Heard("process_start"), Heard("process_exit")
    async with otp.open_process() as me:
        a = await otp.start(Server)
        await otp.stop(a, otp.Shutdown("enough"))

    assert [(me,), (a,)] == starts
    assert [(a, otp.Shutdown("enough")), (me, otp.NORMAL)] == ends


async def test_the_end_is_told_when_everybody_else_knows() -> None:
    """The listener finds the name free already."""
    seen: list[object] = []
    otp.events.attach("process_exit", lambda pid, reason: seen.append(otp.whereis("a")))
    async with otp.open_process():
        await otp.start(otp.child(Server).having(name="a"))
        await otp.stop("a")

    assert None is seen[0]


async def test_messages_before_and_after_they_are_handled() -> None:
    """Calls, casts, plain messages and continues are told, with what they carry."""
    begun, done = Heard("handle_start"), Heard("handle_stop")
    async with otp.open_process():
        a = await otp.start(Server)
        await otp.call(a, 1)
        otp.cast(a, 2)
        otp.send(a, 3)
        await trio.testing.wait_all_tasks_blocked()

        expected = [(a, "call", 1), (a, "continue", "go on"), (a, "cast", 2), (a, "info", 3)]
        assert expected == begun == done


async def test_what_reaches_nobody() -> None:
    """Reference, message and reason are told, and all are counted."""
    dropped = Heard("dropped")
    async with otp.open_process():
        a = await otp.start(Server)
        await otp.stop(a)
        otp.send(a, 1)
        otp.cast("nobody", 2)

    assert [(a, 1), ("nobody", 2)] == [args[:2] for args in dropped]
    assert 2 == runtime().dropped


async def test_reports_of_a_crash_and_of_its_supervisor() -> None:
    """The process tells what it was doing, the supervisor what became of the child."""
    crashes, supervisors, progress = Heard("crash"), Heard("supervisor"), Heard("progress")
    async with otp.open_supervisor([otp.child(Server).having(name="a")]) as sup:
        old = otp.whereis("a")
        with pytest.raises(otp.ServerExited):
            await otp.call("a", "crash")
        await trio.testing.wait_all_tasks_blocked()
        new = otp.whereis("a")

    [[crash]] = crashes
    [[report]] = supervisors
    assert isinstance(crash, CrashReport)
    assert isinstance(report, SupervisorReport)
    assert (old, "a", "call 'crash'") == (crash.pid, crash.name, crash.last_message)
    assert ("child_terminated", "a", old) == (report.context, report.child_id, report.pid)
    assert crash.reason is report.reason
    assert [ProgressReport(sup.pid, "a", pid) for pid in (old, new)] == [p for [p] in progress]


# -- attaching and detaching -----------------------------------------------------------------------


@pytest.mark.parametrize("event", EVENT_NAMES)
async def test_every_event_can_be_listened_to(event: Any) -> None:
    """Attached twice it hears once, in the order of attaching; detached it hears nothing."""
    order: list[str] = []

    def first(*_: object) -> None:
        order.append("first")

    def second(*_: object) -> None:
        order.append("second")

    for default in [pair[1] for pair in otp.events.defaults if pair[0] == event]:
        otp.events.detach(event, default)
    for listener in (first, second, first):
        otp.events.attach(event, listener)
    runtime().events.emit(event, "arguments")
    otp.events.detach(event, first)
    otp.events.detach(event, first)
    runtime().events.emit(event, "arguments")

    assert ["first", "second", "second"] == order


async def test_a_slot_without_listeners_is_empty() -> None:
    """The hot path pays one test for None; only what is not on it is listened to from the first."""
    heard = {event for event, _ in otp.events.defaults}
    assert heard <= {"crash", "supervisor", "progress", "application", "notice", "dropped"}
    for event, listener in otp.events.defaults:
        otp.events.detach(event, listener)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]  # a name of an event
    for event in get_args(otp.events.EventName):
        assert None is getattr(runtime().events, event)
        otp.events.attach(event, print)
        otp.events.detach(event, print)
        assert None is getattr(runtime().events, event)


async def test_an_unknown_event_is_refused() -> None:
    """The error lists the events that there are."""
    for use in (otp.events.attach, otp.events.detach):
        with pytest.raises(ValueError, match=r"event='crush': expected process_start, .*crash"):
            use("crush", print)


async def test_a_listener_has_to_be_callable() -> None:
    """The error names it at the place of the mistake."""
    with pytest.raises(TypeError, match="listener='print': expected a function"):
        otp.events.attach("crash", "print")


def test_outside_of_a_run_there_is_nothing_to_attach_to() -> None:
    """The error is NotInRun."""
    with pytest.raises(otp.NotInRun):
        otp.events.attach("crash", print)


def test_two_runs_share_no_listeners() -> None:
    """What was attached in one run hears nothing of the next."""
    heard: list[object] = []

    async def listen() -> None:
        otp.events.attach("process_start", heard.append)

    async def start() -> None:
        async with otp.open_process():
            await otp.start(Server)

    trio.run(listen)
    trio.run(start)

    assert [] == heard


async def test_a_listener_may_detach_itself() -> None:
    """It hears once, and others are not passed over."""
    heard: list[str] = []

    def once(_: object) -> None:
        heard.append("once")
        otp.events.detach("process_start", once)

    async with otp.open_process():
        otp.events.attach("process_start", once)
        otp.events.attach("process_start", lambda _: heard.append("always"))
        await otp.start(Server)
        await otp.start(Server)

    assert ["once", "always", "always"] == heard


# -- listeners that fail ---------------------------------------------------------------------------


async def test_a_listener_that_raises_is_detached_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The process that caused the event and the other listeners go on."""

    def broken(pid: object, kind: object, message: object) -> None:
        raise ZeroDivisionError

    otp.events.attach("handle_start", broken)
    others = Heard("handle_start")
    async with otp.open_process():
        a = await otp.start(Server)

        assert (1, 2) == (await otp.call(a, 1), await otp.call(a, 2))

    [record] = [r for r in caplog.records if r.name == "trio_otp.events"]
    assert record.exc_info is not None
    assert ZeroDivisionError is record.exc_info[0]
    assert "broken" in record.getMessage()
    assert ["call", "continue"] * 2 == [kind for _, kind, _ in others]


class Broken(logging.Handler):
    """A handler of a user that raises."""

    def emit(self, record: logging.LogRecord) -> None:
        raise ZeroDivisionError


async def test_a_listener_that_raises_while_logging_is_broken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not even that reaches the process, in the middle of its death; both are told."""

    def broken(pid: object, reason: object) -> None:
        raise RuntimeError

    with logging_to(Broken(), "trio_otp.events"):
        otp.events.attach("process_exit", broken)
        async with otp.open_process():
            a = await otp.start(Server)
            monitor = otp.monitor(a)
            await otp.stop(a)

            assert otp.Down(monitor, a, otp.NORMAL) == await otp.receive(otp.Down)
        assert ["trio_otp.reports", "trio_otp.events"] == [r.name for r in caplog.records]


def test_slots_and_names_agree() -> None:
    """Every event has a slot; beside them there are what propagates and what the hot path tests."""
    others = ("_carrier", "_holding", "_on_call", "_on_handle", "_propagators", "_removed")
    assert (*EVENT_NAMES, *others) == Events.__slots__
