"""What `format_status` keeps out is in no record, status or error text; nothing else is lost."""

from __future__ import annotations

import functools
import io
import logging
from typing import TYPE_CHECKING, Any

import pytest
import trio.testing
from log_kit import logging_to

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "hunter2"


class Log(logging.Handler):
    """Keeps what is written, and each record."""

    def __init__(self) -> None:
        super().__init__()
        self.text = io.StringIO()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.text.write(f"{self.format(record)}\n{vars(record)!r}\n{record.exc_info!r}\n")

    def of(self, name: str) -> list[logging.LogRecord]:
        return [record for record in self.records if record.name == f"trio_otp.{name}"]


@pytest.fixture
def log() -> Iterator[Log]:
    """Everything that is logged."""
    with logging_to(Log()) as handler:
        yield handler


def replaced(status: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(status, "hidden")


class Login(otp.GenServer, restart="temporary"):
    """Crashes with what it was sent."""

    def __init__(self) -> None:
        self.password = SECRET

    def handle_call(self, request: Any, from_: Any) -> Any:
        try:
            raise KeyError(request)
        except KeyError as exc:
            raise ValueError(f"bad password {request}") from exc


class Positional(Login):
    def format_status(self, status: dict[str, Any]) -> Any:
        return replaced(status)


class Optional(Login):
    def format_status(self, status: Any = None) -> Any:
        return "hidden" if status is None else replaced(status)


class Named(Login):
    def format_status(self, *, status: dict[str, Any]) -> Any:
        return replaced(status)


class Keywords(Login):
    def format_status(self, **status: Any) -> Any:
        return replaced(status)


class InPlace(Login):
    def format_status(self, status: dict[str, Any]) -> Any:
        for key in status:
            status[key] = "hidden"


class Static(Login):
    @staticmethod
    def format_status(status: dict[str, Any]) -> Any:
        return replaced(status)


class Parent(Login):
    def format_status(self, status: dict[str, Any]) -> Any:
        return replaced(super().format_status(status))


class Whole(Login):
    def format_status(self, status: dict[str, Any]) -> Any:
        return "hidden"


class Raising(Login):
    def format_status(self, status: dict[str, Any]) -> Any:
        raise LookupError(status["message"])


class Misspelt(Login):
    def format_status(self, status: dict[str, Any]) -> Any:
        return {"state": "hidden", "messages": "hidden", "reason": "hidden"}


class Asynchronous(Login):
    async def format_status(self, status: dict[str, Any]) -> Any:
        return status


class Exiting(Login):
    def format_status(self, status: dict[str, Any]) -> Any:
        otp.exit("why")


WORKING: list[type[Login]] = [
    Positional,
    Optional,
    Named,
    Keywords,
    InPlace,
    Static,
    Parent,
    Whole,
]
BROKEN: list[type[Login]] = [Raising, Misspelt, Asynchronous, Exiting]


async def crash(server: type[Any], request: Any = SECRET) -> otp.ServerExited:
    """Let one crash under a supervisor; give what its caller is told."""
    async with otp.open_supervisor([otp.child(server).having(name="login")]):
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call("login", request)
        await trio.testing.wait_all_tasks_blocked()
    return caught.value


@pytest.mark.parametrize("server", [*WORKING, *BROKEN])
async def test_nothing_of_a_secret_is_in_any_record(server: type[Login], log: Log) -> None:
    """The text, every attribute, the traceback with its chain, what the supervisor says of it."""
    error = await crash(server)

    assert SECRET not in log.text.getvalue()
    assert SECRET not in str(error)
    [record], [supervisor] = log.of("crash"), log.of("supervisor")
    assert (None, None) == (record.exc_info, supervisor.exc_info)
    assert "ValueError" in (record.exc_text or "")
    assert "in handle_call" in (record.exc_text or "")
    assert (__file__, "handle_call") == (record.pathname, record.funcName)


@pytest.mark.parametrize("server", [*WORKING, *BROKEN])
async def test_the_caller_has_the_crash_as_it_was(server: type[Login]) -> None:
    """What is shown changes, and nothing else: reason, cause and request are the very objects."""
    error = await crash(server)
    assert isinstance(error.reason, ValueError)
    assert error.reason is error.__cause__
    assert (f"bad password {SECRET}",) == error.reason.args
    assert isinstance(error.reason.__cause__, KeyError)
    assert SECRET == error.message


@pytest.mark.parametrize("server", WORKING)
async def test_what_is_given_is_shown(server: type[Login], log: Log) -> None:
    """In place of the state, the message and the reason."""
    await crash(server)
    [record] = log.of("crash")
    shown: Any = record
    assert ("call 'hidden'", "'hidden'") == (shown.otp_last_message, shown.otp_state)
    assert "hidden" == shown.crash_reason == shown.otp_report.reason


@pytest.mark.parametrize(
    ("server", "why"),
    [
        (Raising, "format_status raised LookupError, test_secrets.py:"),
        (Misspelt, "format_status returned ['messages']; expected state, message, reason, log"),
        (Asynchronous, "format_status is an async def; expected a def"),
        (Exiting, "format_status raised ProcessExit"),
    ],
)
async def test_one_that_is_broken_hides_no_report(server: type[Login], why: str, log: Log) -> None:
    """The crash is told, with the class of the reason, and what is wrong."""
    await crash(server)
    [record] = log.of("crash")
    shown: Any = record
    assert why in shown.otp_state
    assert why in shown.otp_last_message
    assert f"ValueError <{why}" in shown.otp_reason


async def test_a_key_that_is_left_out_is_shown_as_it_is(log: Log) -> None:
    """As in OTP."""

    class Partly(Login):
        def format_status(self, status: dict[str, Any]) -> Any:
            return {"state": "hidden"}

    await crash(Partly, "harmless")
    [record] = log.of("crash")
    shown: Any = record
    assert ("call 'harmless'", "'hidden'") == (shown.otp_last_message, shown.otp_state)
    assert isinstance(shown.crash_reason, ValueError)
    assert record.exc_info is not None


async def test_one_without_an_argument_gives_the_state(log: Log) -> None:
    """The message and the reason are shown as they are."""

    class Old(Login):
        def format_status(self) -> object:
            return "hidden"

    error = await crash(Old, "harmless")
    [record] = log.of("crash")
    shown: Any = record
    assert ("call 'harmless'", "'hidden'") == (shown.otp_last_message, shown.otp_state)
    assert "harmless" in str(error)


async def test_it_is_called_once_for_each_report(log: Log) -> None:
    """With what there is: a copy of the state, the message, the reason, the log."""
    seen: list[dict[str, Any]] = []

    class Once(Login):
        def format_status(self, status: dict[str, Any]) -> Any:
            seen.append(dict(status))
            status["state"].clear()
            return status

        def terminate(self, reason: object) -> None:
            assert SECRET == self.password  # the state itself is untouched

    child = otp.child(Once).having(name="login", debug=["log"])
    async with otp.open_supervisor([child]):
        with pytest.raises(otp.ServerExited):
            await otp.call("login", "request")
        await trio.testing.wait_all_tasks_blocked()
    [status] = seen
    assert ["state", "message", "reason", "log"] == list(status)
    assert "request" == status["message"]
    assert isinstance(status["reason"], ValueError)
    assert ["in"] == [event.kind for event in status["log"]]
    assert 1 == len(log.of("crash"))


async def give_up(server: type[Any]) -> otp.SupervisorExited:
    """Let one crash until its supervisor gives up; give what the block raises."""
    child = otp.child(server).having(name="login", restart="permanent")
    try:
        async with otp.open_supervisor([child], max_restarts=1) as sup:
            for _ in range(2):
                with pytest.raises(otp.ServerExited):
                    await otp.call("login", SECRET)
                await trio.testing.wait_all_tasks_blocked()
            await sup.wait()
    except otp.SupervisorExited as exc:
        return exc
    raise AssertionError("it did not give up")


class Data(otp.GenServer, restart="temporary"):
    """Ends with a reason that is no exception."""

    def handle_call(self, request: Any, from_: Any) -> Any:
        return otp.Stop(("bad password", request))

    def handle_info(self, message: Any) -> Any:
        return None

    def format_status(self, status: dict[str, Any]) -> Any:
        return replaced(status)


async def test_a_reason_that_is_data_is_kept_out_as_well(log: Log) -> None:
    """Of the records of the server and of its supervisor, of its history, of its callers."""
    error = await crash(Data)
    assert SECRET not in log.text.getvalue()
    assert SECRET not in str(error)
    assert ("bad password", SECRET) == error.reason
    gave_up = await give_up(Data)
    assert SECRET not in log.text.getvalue()
    assert SECRET not in str(gave_up)


async def test_a_supervisor_that_gives_up_keeps_it_out(log: Log) -> None:
    """The list of ends in the record and in the error."""
    error = await give_up(Positional)
    assert SECRET not in log.text.getvalue()
    assert SECRET not in str(error)
    assert "child 'login': 'hidden'" in str(error)


async def test_a_caller_that_crashes_of_it_keeps_it_out(log: Log) -> None:
    """Its own record has the error of its call, with the crash of the server as its cause."""

    async def caller() -> None:
        await otp.call("login", SECRET)

    once = otp.child(caller).having(id="c", restart="temporary")
    async with otp.open_supervisor([otp.child(Positional).having(name="login"), once]):
        await trio.testing.wait_all_tasks_blocked()
    _, record = log.of("crash")
    assert "ServerExited: 'login' exited: 'hidden' (request not shown)" in (record.exc_text or "")
    assert SECRET not in log.text.getvalue()


async def test_requests_are_in_no_text_of_such_a_server(autojump_clock: Any, log: Log) -> None:
    """Also of those that wait, are late, or would wait for ever; and of what nobody expects."""

    class Slow(Positional):
        def handle_call(self, request: Any, from_: Any) -> Any:
            return otp.NoReply()

    async with otp.open_supervisor([otp.child(Slow).having(name="login")]):
        with pytest.raises(otp.CallTimeout) as late:
            await otp.call("login", SECRET, timeout=1)
        with pytest.raises(otp.CallTimeout) as request:
            await otp.receive_response(otp.send_request("login", SECRET), timeout=1)
        with pytest.raises(otp.CallTimeout) as at_once:
            await otp.call("login", SECRET, timeout=0)
        [(_, many)] = (await otp.multi_call(["login"], SECRET, timeout=1)).bad
        otp.send("login", SECRET)
        await trio.testing.wait_all_tasks_blocked()
        for error in (late.value, request.value, at_once.value, many):
            assert SECRET not in str(error)
            assert "(request not shown)" in str(error)
            assert SECRET == error.message  # type: ignore[attr-defined]  # each is a CallTimeout
    assert SECRET not in log.text.getvalue()


# -- other behaviours ------------------------------------------------------------------------------


class Machine(otp.GenStatem[str]):
    """Crashes with what it was sent, after it has postponed the same."""

    initial = SECRET

    def __init__(self) -> None:
        self.password = SECRET

    def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        if content == ("keep", SECRET):
            return otp.KeepState(otp.Postpone())
        raise ValueError(content)

    def format_status(self, status: dict[str, Any]) -> Any:
        return replaced(status)


async def test_a_state_machine_shows_what_it_likes(log: Log) -> None:
    """Its state, data, queue and what it has postponed."""
    child = otp.child(Machine).having(name="m", restart="temporary")
    async with otp.open_supervisor([child]):
        otp.cast("m", ("keep", SECRET))
        await trio.testing.wait_all_tasks_blocked()
        status = await otp.sys.get_status("m")
        assert SECRET not in repr(status)
        assert ("hidden", "hidden") == (status.state, status.misc["state"])
        otp.cast("m", SECRET)
        await trio.testing.wait_all_tasks_blocked()
    [record] = log.of("crash")
    assert "State: 'hidden' 'hidden', postponed 'hidden'" in record.getMessage()
    assert SECRET not in log.text.getvalue()


class Handler(otp.GenEvent):
    """Crashes with what it was told."""

    def __init__(self) -> None:
        self.password = SECRET

    def handle_event(self, event: Any) -> Any:
        raise ValueError(event)

    def format_status(self, status: dict[str, Any]) -> Any:
        return replaced(status)


async def test_a_handler_of_events_shows_what_it_likes(log: Log) -> None:
    """In its report, and in the status of its manager."""
    async with otp.open_supervisor([otp.child(otp.EventManager).having(name="m")]):
        await otp.gen_event.add_handler("m", Handler())
        assert SECRET not in repr(await otp.sys.get_status("m"))
        otp.gen_event.notify("m", SECRET)
        await trio.testing.wait_all_tasks_blocked()
    [record] = log.of("crash")
    shown: Any = record
    assert ("cast 'hidden'", "'hidden'") == (shown.otp_last_message, shown.otp_state)
    assert SECRET not in log.text.getvalue()


async def test_the_status_shows_what_is_given() -> None:
    """State and log, of a server and of a supervisor; message and reason are of crashes alone."""

    class Keys(Login):
        def format_status(self, status: dict[str, Any]) -> Any:
            assert ["state", "log"] == list(status)
            return replaced(status)

    class Tree(otp.Supervisor):
        def init(self) -> Any:
            return otp.Supervisor.spec([])

        def format_status(self, status: dict[str, Any]) -> Any:
            assert "strategy" in status["state"]
            return replaced(status)

    child = otp.child(Keys).having(name="login", debug=["log"])
    async with otp.open_supervisor([child, otp.child(Tree).having(name="tree")]):
        for name in ("login", "tree"):
            status = await otp.sys.get_status(name)
            assert ("hidden", ("hidden",)) == (status.state, status.log)


def through(wrap: Callable[[Any], Any]) -> type[Login]:
    return type("Wrapped", (Login,), {"format_status": wrap(Positional.format_status)})


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize("wrap", [decorated, functools.partialmethod])
async def test_a_wrapped_one_is_one(wrap: Callable[[Any], Any], log: Log) -> None:
    """What counts is what it can be called with."""
    await crash(through(wrap))
    assert SECRET not in log.text.getvalue()
