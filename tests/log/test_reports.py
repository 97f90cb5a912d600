"""What is logged of crashes, supervisors, progress and applications, and that it cannot hurt."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import trio
from inside import runtime
from log_kit import logging_to
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp
from trio_otp.events import (
    ApplicationReport,
    CrashReport,
    NoticeReport,
    ProgressReport,
    SupervisorReport,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    Records = pytest.LogCaptureFixture


class Boom(Exception):
    """A crash of these tests."""


class Server(otp.GenServer):
    """Ends as it is told, by a call or a cast: an exception is raised, a reason is an exit."""

    def __init__(self, state: Any = None) -> None:
        self.state = state

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        return self.end(request)

    def handle_cast(self, message: Any) -> None:
        self.end(message)

    def end(self, reason: Any) -> Any:
        if isinstance(reason, BaseException):
            raise reason
        if reason == "ping":
            return otp.Reply("pong")
        return otp.exit(reason)


def of(records: Records, name: str) -> list[logging.LogRecord]:
    """Return the records of one logger."""
    return [record for record in records.records if record.name == f"trio_otp.{name}"]


async def crash(server: Any, reason: object) -> None:
    """Let a server end in a call, and wait until everybody knows."""
    with pytest.raises(otp.ServerExited):
        await otp.call(server, reason)
    await wait_all_tasks_blocked()


# -- crashes ---------------------------------------------------------------------------------------


async def test_a_crash_is_one_record(caplog: Records) -> None:
    """It says who, why with the traceback, what was in hand, the state and the neighbours."""
    boom = Boom("wires crossed")
    async with otp.open_process(name="client", trap_exit=True) as me:
        a = await otp.start_link(otp.child(Server, {"limit": 10}).having(name="a"))
        await otp.call(a, "ping")
        await crash(a, boom)

    [record] = of(caplog, "crash")
    assert logging.ERROR == record.levelno
    assert record.exc_info is not None
    assert boom is record.exc_info[1]
    assert f"{a!r} terminated: Boom('wires crossed')" == record.getMessage().splitlines()[0]
    place = "  Client waits in: "
    number = crash.__code__.co_firstlineno + 3
    assert [f"{__file__}:{number} in crash"] == [
        line.removeprefix(place)
        for line in record.getMessage().splitlines()
        if line.startswith(place)
    ]
    assert {
        "  Last message: call Boom('wires crossed')",
        f"  Client: {me!r}",
        f"  Initial call: {__name__}.Server",
        "  State: {'state': {'limit': 10}}",
        "  Mailbox: 0 waiting, 1 handled",
        "  Ancestors: 'client'",
        f"  Links: {me!r}",
    } == {line for line in record.getMessage().splitlines()[1:] if not line.startswith(place)}
    assert "def end" in caplog.text or "in end" in caplog.text
    assert [record] == caplog.records


async def test_the_record_carries_report_and_flat_fields(caplog: Records) -> None:
    """Handlers need not parse the text; the fields are plain enough for JSON."""
    async with otp.open_process(name="client"):
        a = await otp.start(otp.child(Server).having(name="a"))
        await crash(a, Boom("x"))

    [record] = of(caplog, "crash")
    report = record.otp_report
    assert isinstance(report, CrashReport)
    assert (a, "a", "Server") == (report.pid, report.name, report.label)
    flat = {
        name: value
        for name, value in vars(record).items()
        if name.startswith("otp_") and name != "otp_report"
    }
    assert flat == json.loads(json.dumps(flat))
    assert {
        "otp_pid": repr(a),
        "otp_name": "a",
        "otp_label": "Server",
        "otp_reason": "Boom('x')",
        "otp_last_message": "call Boom('x')",
        "otp_state": "{'state': None}",
        "otp_client": report.client,
        "otp_handled": 0,
        "otp_queue_len": 0,
        "otp_ancestors": "('client',)",
        "otp_links": "()",
        "otp_callers": repr(report.callers),
        "otp_initial_call": f"{__name__}.Server",
        "otp_kind": "crash",
        "otp_domain": "otp",
    } == flat
    assert record.crash_reason is report.reason  # type: ignore[attr-defined]


@pytest.mark.parametrize("reason", [otp.NORMAL, otp.SHUTDOWN, otp.Shutdown("deploy")])
async def test_a_quiet_end_is_not_logged(caplog: Records, reason: object) -> None:
    """Nothing was wrong."""
    async with otp.open_process():
        await crash(await otp.start(Server), reason)

    assert [] == caplog.records


async def test_a_kill_is_not_a_crash(caplog: Records) -> None:
    """The victim cannot say anything; its supervisor tells of it."""
    async with otp.open_supervisor([otp.child(Server).having(name="a")]):
        otp.exit("a", otp.KILL)
        await wait_all_tasks_blocked()

    assert ["trio_otp.supervisor"] == [record.name for record in caplog.records]


async def test_a_reason_that_is_no_exception_has_no_traceback(caplog: Records) -> None:
    """The reason stands in the text."""
    async with otp.open_process():
        a = await otp.start(Server)
        await crash(a, ("disk", "full"))

    [record] = of(caplog, "crash")
    assert None is record.exc_info
    assert record.getMessage().startswith(f"{a!r} terminated: ('disk', 'full')\n")


async def test_the_crash_of_a_plain_process_is_logged(caplog: Records) -> None:
    """It has no state and no message, but a reason and a traceback."""

    async def fail() -> None:
        raise Boom("plain")

    async with otp.open_process():
        pid, _ = otp.spawn_monitor(fail)
        await otp.receive(otp.Down)

    [record] = of(caplog, "crash")
    assert record.exc_info is not None
    assert f"{pid!r} terminated: Boom('plain')" == record.getMessage().splitlines()[0]
    assert "State" not in record.getMessage()


async def test_a_failed_init_is_the_error_of_its_starter(caplog: Records) -> None:
    """Whoever starts it gets the error; nothing is logged besides."""

    class Failing(otp.GenServer):
        def init(self) -> None:
            raise Boom("init")

    async with otp.open_process():
        with pytest.raises(otp.StartError):
            await otp.start(Failing)

    assert [] == caplog.records


async def test_a_client_in_plain_trio_code_is_named_by_its_task(
    caplog: Records, autojump_clock: Any
) -> None:
    """And it is said if it has given up."""

    class Late(otp.GenServer):
        async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            await trio.sleep(2)
            raise Boom

    async with trio.open_nursery() as nursery:
        for timeout in (5, 1):
            a = await otp.start(Late, nursery=nursery)
            with pytest.raises(otp.CallError):
                await otp.call(a, "hello", timeout=timeout)
        await trio.sleep(5)

    clients = [record.otp_client for record in of(caplog, "crash")]
    assert f"task {trio.lowlevel.current_task().name!r}" == clients[0]
    assert f"{clients[0]}, which has given up" == clients[1]


async def test_a_group_of_many_keeps_its_parts(caplog: Records) -> None:
    """The traceback shows each exception of the group."""
    group = ExceptionGroup("both", [Boom("one"), Boom("two")])
    async with otp.open_process():
        await crash(await otp.start(Server), group)

    [record] = of(caplog, "crash")
    assert record.exc_info is not None
    assert group is record.exc_info[1]
    assert "Boom: one" in caplog.text
    assert "Boom: two" in caplog.text


# -- values that would hurt ------------------------------------------------------------------------


class Rude:
    """A value whose repr raises."""

    def __repr__(self) -> str:
        raise ZeroDivisionError


@dataclass
class Account:
    """A value that holds a secret."""

    owner: str
    password: str = field(repr=False)


async def test_a_repr_that_raises_does_not_hurt(caplog: Records) -> None:
    """In state, message, reason and name of the type of the exception it is said what happened."""
    async with otp.open_process():
        a = await otp.start(otp.child(Server, Rude()))
        await crash(a, Boom(Rude()))
        b = await otp.start(Server)
        await crash(b, Rude())

    first, second = of(caplog, "crash")
    broken = "<Rude: repr raised ZeroDivisionError>"
    assert f"{{'state': {broken}}}" == first.otp_state
    assert f"Boom({broken})" == first.otp_reason
    assert broken == second.otp_reason


async def test_a_huge_value_is_cut(caplog: Records) -> None:
    """State, message and reason of any size make a record of a few thousand characters."""
    table = dict.fromkeys(range(100000), "x" * 100)
    async with otp.open_process():
        await crash(await otp.start(otp.child(Server, table)), otp.Shutdown)
        await crash(await otp.start(otp.child(Server, [table] * 1000)), (table, "x" * 10**6))

    for record in of(caplog, "crash"):
        assert len(record.getMessage()) < 5000
        assert all(len(str(v)) <= 2000 for k, v in vars(record).items() if k == "otp_state")


async def test_what_is_hidden_stays_hidden(caplog: Records) -> None:
    """Fields that a dataclass leaves out, and what format_status leaves out, are not logged."""

    class Discreet(Server):
        def format_status(self) -> object:
            return "hidden"

    async with otp.open_process():
        await crash(await otp.start(otp.child(Server, Account("ada", "s3cr3t"))), Boom())
        await crash(await otp.start(otp.child(Discreet, "s3cr3t")), Boom())

    assert 2 == len(of(caplog, "crash"))
    assert "Account(owner='ada')" in caplog.text
    assert "s3cr3t" not in caplog.text


async def test_a_format_status_that_raises_does_not_hurt(caplog: Records) -> None:
    """The record says so in place of the state."""

    class Clumsy(Server):
        def format_status(self) -> object:
            raise Boom("oops")

    async with otp.open_process():
        await crash(await otp.start(Clumsy), RuntimeError("real"))

    [record] = of(caplog, "crash")
    assert "<format_status raised Boom('oops')>" == record.otp_state
    assert "RuntimeError('real')" == record.otp_reason


async def test_percent_signs_are_text(caplog: Records) -> None:
    """Nothing in a message or state is taken for a format."""
    async with otp.open_process():
        await crash(await otp.start(otp.child(Server, "100%s")), "50% off %d")

    [record] = of(caplog, "crash")
    assert "'50% off %d'" in record.getMessage()
    assert "100%s" in record.getMessage()


# -- supervisors -----------------------------------------------------------------------------------


async def test_a_supervisor_tells_of_a_child_that_ended(caplog: Records) -> None:
    """The traceback stands in the crash; the supervisor says which child it was."""
    async with otp.open_supervisor([otp.child(Server).having(name="a", id="first")]) as sup:
        a = otp.whereis("a")
        await crash("a", Boom("x"))

    [record] = of(caplog, "supervisor")
    assert f"{sup.pid!r}: child 'first' {a!r} terminated: Boom('x')" == record.getMessage()
    assert (logging.ERROR, None) == (record.levelno, record.exc_info)
    assert isinstance(record.otp_report, SupervisorReport)
    assert ("child_terminated", "first", "permanent", repr(sup.pid)) == (
        record.otp_context,
        record.otp_child_id,
        record.otp_restart,
        record.otp_supervisor,
    )


async def test_a_restart_that_fails_is_told_with_its_traceback(caplog: Records) -> None:
    """Nobody else gets that error."""
    fail = False
    boom = Boom("second init")

    class Flaky(Server):
        def init(self) -> None:
            nonlocal fail
            if fail:
                fail = False
                raise boom

    async with otp.open_supervisor([otp.child(Flaky).having(name="a")]):
        fail = True
        await crash("a", Boom("first"))

    first, second = of(caplog, "supervisor")
    assert ["child_terminated", "start_error"] == [first.otp_context, second.otp_context]
    assert "child 'a' did not start: Boom('second init')" in second.getMessage()
    assert second.exc_info is not None
    assert boom is second.exc_info[1]


async def test_a_child_that_stops_badly_is_told(caplog: Records, autojump_clock: Any) -> None:
    """One that had to be killed did not stop as asked."""

    class Slow(otp.GenServer):
        async def terminate(self, reason: object) -> None:
            await trio.sleep(100)

    async with otp.open_supervisor([otp.child(Slow).having(name="a", shutdown=1)]):
        pass

    [record] = of(caplog, "supervisor")
    assert "shutdown_error" == record.otp_context
    assert record.getMessage().endswith("did not stop as asked: KILLED")


async def test_giving_up_is_told_once_with_the_history(caplog: Records) -> None:
    """The record lists when which child ended and why."""

    async def program() -> None:
        async with otp.open_supervisor([otp.child(Server).having(name="a")], max_restarts=1):
            await crash("a", Boom("one"))
            await crash("a", Boom("two"))
            await trio.sleep_forever()

    with pytest.raises(otp.SupervisorExited):
        await program()

    told = [record for record in of(caplog, "supervisor") if record.otp_context == "shutdown"]
    [record] = told
    first, *history = record.getMessage().splitlines()
    assert first.endswith("ended once too often, the supervisor gives up: Boom('two')")
    assert ["Boom: one", "Boom: two"] == [line.split(": ", 2)[2] for line in history]
    assert all("child 'a'" in line for line in history)


async def test_progress_is_told_at_debug_only(caplog: Records) -> None:
    """Each start of a child is a record; at other levels nothing is written."""
    children = [otp.child(Server).having(name=name) for name in "ab"]
    async with otp.open_supervisor(children):
        assert [] == of(caplog, "progress")
    with caplog.at_level(logging.DEBUG, "trio_otp"):
        async with otp.open_supervisor(children) as sup:
            b = otp.whereis("b")

    records = of(caplog, "progress")
    assert [logging.DEBUG] * 2 == [record.levelno for record in records]
    assert f"{sup.pid!r}: child 'b' started: {b!r}" == records[1].getMessage()
    assert ProgressReport(sup.pid, "b", b) == records[1].otp_report


# -- applications and notices ----------------------------------------------------------------------


class Shop(otp.Application):
    """An application of one server."""

    name = "shop"

    def start(self) -> Any:
        return otp.child(otp.Supervisor, [otp.child(Server).having(name="a")], max_restarts=0)


async def test_an_application_is_told_at_info(caplog: Records) -> None:
    """Its start and its stop are records; a stop is no error."""
    with caplog.at_level(logging.INFO, "trio_otp"):
        async with otp.open_application(Shop):
            pass

    records = of(caplog, "application")
    assert [logging.INFO] * 2 == [record.levelno for record in records]
    assert "application shop started" == records[0].getMessage()
    assert ("shop", "stopped") == (records[1].otp_application, records[1].otp_phase)
    assert all(isinstance(record.otp_report, ApplicationReport) for record in records)


async def test_an_application_that_ends_badly_is_an_error(caplog: Records) -> None:
    """That it ended by itself is told above the level of its start."""
    runtime().events.emit("application", ApplicationReport("shop", "exited", Boom("x")))
    runtime().events.emit("application", ApplicationReport("shop", "exited", otp.NORMAL))

    [record] = of(caplog, "application")
    assert (logging.ERROR, "application shop exited: Boom('x')") == (
        record.levelno,
        record.getMessage(),
    )


async def test_a_message_that_nobody_handles_is_told(caplog: Records) -> None:
    """The server lives, and the log says what came."""
    async with otp.open_process():
        a = await otp.start(Server)
        otp.send(a, {"odd": "one"})
        assert "pong" == await otp.call(a, "ping")

    [record] = of(caplog, "notice")
    assert f"{a!r} got an unexpected message: {{'odd': 'one'}}" == record.getMessage()
    assert repr(a) == record.otp_pid


@pytest.mark.parametrize("level", [logging.DEBUG, logging.WARNING, logging.CRITICAL])
async def test_a_notice_has_its_own_level(caplog: Records, level: int) -> None:
    """What is of little weight is not shouted."""
    caplog.set_level(logging.DEBUG, "trio_otp")
    runtime().events.emit("notice", NoticeReport(None, "for your information", level))

    [record] = of(caplog, "notice")
    assert (level, "for your information") == (record.levelno, record.getMessage())


# -- logging itself --------------------------------------------------------------------------------


class Broken(logging.Handler):
    """A handler of a user that raises."""

    def emit(self, record: logging.LogRecord) -> None:
        raise ZeroDivisionError


@pytest.fixture
def broken_handler() -> Iterator[Broken]:
    """A handler of the library's loggers that raises."""
    with logging_to(Broken()) as handler:
        yield handler


async def test_a_handler_that_raises_hurts_nobody(
    caplog: Records, broken_handler: Broken, capsys: pytest.CaptureFixture[str]
) -> None:
    """The caller gets its answer, the child is restarted, no report is lost (LG-7)."""
    async with otp.open_supervisor([otp.child(Server).having(name="a")]):
        await crash("a", Boom("one"))
        await crash("a", Boom("two"))
        assert "pong" == await otp.call("a", "ping")

    assert ["Boom('one')", "Boom('two')"] == [r.otp_reason for r in of(caplog, "crash")]
    [told] = of(caplog, "reports")
    skipped = f"handler {broken_handler!r} of logging raised; it is skipped for this record"
    assert skipped == told.getMessage()
    assert told.exc_info is not None
    assert ZeroDivisionError is told.exc_info[0]
    assert [broken_handler] == logging.getLogger("trio_otp").handlers
    assert "" == capsys.readouterr().err


async def test_logging_may_be_told_to_be_silent_about_its_own_errors(
    broken_handler: Broken, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`logging.raiseExceptions` means here what it means to the standard handlers."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    async with otp.open_process():
        await crash(await otp.start(Server), Boom())

    assert "" == capsys.readouterr().err


async def test_a_run_can_do_without_the_log(caplog: Records) -> None:
    """The listeners can be detached, one by one, for the run that is going on."""
    otp.events.detach("crash", otp.reports.log_crash)
    async with otp.open_process():
        await crash(await otp.start(Server), Boom())

    assert [] == caplog.records


async def test_a_level_that_is_off_costs_nothing(caplog: Records, autojump_clock: Any) -> None:
    """No text is made for a record that nobody wants."""
    caplog.set_level(logging.CRITICAL, "trio_otp")
    async with otp.open_supervisor([otp.child(Server).having(name="a")]):
        await crash("a", Boom())

    assert [] == caplog.records


def test_every_run_logs(caplog: Records) -> None:
    """What one run has detached is there again in the next."""

    async def main(detach: bool) -> None:
        if detach:
            otp.events.detach("crash", otp.reports.log_crash)
        async with otp.open_process():
            await crash(await otp.start(Server), Boom())

    trio.run(main, True)
    trio.run(main, False)

    assert 1 == len(of(caplog, "crash"))


def test_nothing_is_configured() -> None:
    """No logger of the library has a handler or a level of its own."""
    names = ("", ".crash", ".supervisor", ".progress", ".application", ".notice", ".events")
    loggers = [logging.getLogger(f"trio_otp{name}") for name in names]

    assert [] == [handler for logger in loggers for handler in logger.handlers]
    assert {logging.NOTSET} == {logger.level for logger in loggers}


PROGRAM = """
import trio, trio_otp as otp
async def fail():
    raise ValueError("seen on stderr")
async def main():
    async with otp.open_process():
        otp.spawn_monitor(fail)
        await otp.receive(otp.Down)
trio.run(main)
"""


def test_a_crash_is_seen_without_any_logging_set_up() -> None:
    """A program that never heard of logging shows the crash with its traceback on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=True
    )

    assert "> terminated: ValueError('seen on stderr')" in done.stderr
    assert "in fail" in done.stderr
    assert "ValueError: seen on stderr" in done.stderr


async def test_an_error_that_cannot_be_rendered_is_logged_by_its_class(caplog: Records) -> None:
    """Whatever the class of a user does, the report is there."""

    class Broken(Exception):
        @property
        def __notes__(self) -> list[str]:
            raise RuntimeError("no notes")

        def __str__(self) -> str:
            raise RuntimeError("no text")

    async with otp.open_process(trap_exit=True):
        pid = await otp.start_link(Server)
        otp.cast(pid, Broken())
        await otp.receive(otp.Exit)
    assert "Broken" in caplog.text
