"""What travels with a message: from who sends it to the server, while that handles it."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest
import structlog
import trio
from inside import carrying
from log_kit import logging_to
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

request_id: ContextVar[Any] = ContextVar("request_id", default="unset")


class Server(otp.GenServer):
    """Tells which request it handles."""

    @otp.on_call
    async def tell(self) -> Any:
        before = request_id.get()
        await trio.lowlevel.checkpoint()
        return before if before == request_id.get() else "it has changed"

    @otp.on_call
    def tell_at_once(self) -> Any:
        return request_id.get()

    @otp.on_call
    async def ask(self, other: Any) -> Any:
        return await Server.at(other).tell()

    @otp.on_cast
    def note(self, into: list[Any]) -> None:
        into.append(request_id.get())

    @otp.on_call_deferred
    async def later(self, from_: otp.From[Any]) -> None:
        otp.reply_from_task(from_, helper)

    @otp.on_cast
    def crash(self) -> None:
        raise ValueError("boom")

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        return otp.Reply(request(from_))

    def handle_cast(self, message: Any) -> None:
        message.append(request_id.get())

    def handle_info(self, message: Any) -> None:
        message.append(request_id.get())


async def helper() -> Any:
    await trio.lowlevel.checkpoint()
    return request_id.get()


CHILDREN = [
    otp.child(Server).having(name="one", restart="temporary"),
    otp.child(Server).having(name="two", restart="temporary"),
]
ONE = Server.at("one")


@contextmanager
def request(value: Any) -> Iterator[None]:
    """Set the id of a request, as a web server does."""
    token = request_id.set(value)
    try:
        yield
    finally:
        request_id.reset(token)


# -- variables -------------------------------------------------------------------------------------


async def test_a_variable_has_in_the_server_the_value_of_the_caller() -> None:
    """In every kind of handler; the next message has its own, or none."""
    noted: list[Any] = []
    async with otp.open_supervisor(CHILDREN, propagate=[request_id]):
        with request("r-1"):
            assert "r-1" == await ONE.tell()
            assert "r-1" == await ONE.tell_at_once()
            assert "r-1" == await ONE.later()
            assert "r-1" == await ONE.ask("two")
            assert "r-1" == await otp.receive_response(
                otp.send_request("one", lambda _: request_id.get())
            )
            ONE.note(noted)
            otp.cast("one", noted)
            await otp.cast_wait("one", noted)
        with request(None):
            assert await ONE.tell() is None
        assert "unset" == await ONE.tell()
        assert "unset" == await ONE.later()
    assert ["r-1"] * 3 == noted


async def test_a_plain_message_carries_nothing() -> None:
    """It is the very object that was sent, with no room for more."""
    noted: list[Any] = []
    async with otp.open_supervisor(CHILDREN, propagate=[request_id]):
        with request("r-1"):
            otp.send("one", noted)
        await ONE.tell()
    assert ["unset"] == noted


async def test_each_of_many_callers_is_told_apart() -> None:
    """A server that handles one after another has the value of each."""
    got: dict[int, Any] = {}

    async def call(number: int) -> None:
        with request(number):
            got[number] = await ONE.tell()

    async with (
        otp.open_supervisor(CHILDREN, propagate=[request_id]),
        trio.open_nursery() as nursery,
    ):
        for number in range(20):
            nursery.start_soon(call, number)
    assert {number: number for number in range(20)} == got


async def test_without_propagators_nothing_travels() -> None:
    """Neither a call nor a cast has a context."""
    async with otp.open_supervisor(CHILDREN):
        with request("r-1"):
            assert "unset" == await ONE.tell()
            assert await otp.call("one", lambda from_: from_.context) is None
            assert otp.Cast(1).context is None


async def test_a_server_that_sleeps_wakes_with_what_the_call_brings(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Its next task takes the context over in between."""
    async with otp.open_supervisor([otp.child(Sleeper).having(name="s")], propagate=[request_id]):
        for value in ("r-1", "r-2"):
            await trio.sleep(2)
            with request(value):
                assert value == await Server.at("s").tell_at_once()
            assert "unset" == await Server.at("s").tell()


class Sleeper(Server):
    """Falls asleep when it is idle for a second."""

    hibernate_after = 1.0


# -- state machines --------------------------------------------------------------------------------


class Door(otp.GenStatem):
    """Puts everything off while it is closed."""

    initial = "closed"
    state_enter = True

    def init(self) -> None:
        self.noted: list[Any] = []

    def handle_event(self, kind: Any, content: Any, state: Any) -> Any:
        if content == "put off" and state == "closed":
            return otp.KeepState(otp.Postpone())
        self.noted.append((content, request_id.get()))
        if content == "open":
            return otp.NextState("open", otp.NextEvent("inserted"))
        if isinstance(kind, otp.From):
            return otp.KeepState(otp.Reply(self.noted))
        return None


async def test_an_event_that_comes_back_brings_its_own_request() -> None:
    """One that was postponed; what an event inserts and an enter call belong to that event."""
    async with otp.open_supervisor([otp.child(Door).having(name="door")], propagate=[request_id]):
        with request("r-1"):
            otp.cast("door", "put off")
        with request("r-2"):
            otp.cast("door", "open")
        with request("r-3"):
            noted = await otp.call("door", "tell")
    assert [
        ("closed", "unset"),
        ("open", "r-2"),
        ("closed", "r-2"),
        ("inserted", "r-2"),
        ("put off", "r-1"),
        ("tell", "r-3"),
    ] == noted


# -- propagators -----------------------------------------------------------------------------------


class Recorder:
    """A propagator that notes what it does, and raises where it is told to."""

    def __init__(self, raises_in: str = "") -> None:
        self.raises_in = raises_in
        self.done: list[Any] = []

    def note(self, what: str, *more: Any) -> None:
        self.done.append((what, *more))
        if what == self.raises_in:
            raise LookupError(f"in {what}")

    def capture(self) -> Any:
        self.note("capture")
        return len(self.done)

    @contextmanager
    def attach(self, captured: Any) -> Iterator[None]:
        self.note("attach", captured)
        try:
            yield
        except BaseException as exc:
            self.note("error", exc)
            raise
        finally:
            self.note("detach")


async def test_a_propagator_is_open_while_the_message_is_handled() -> None:
    """With what it has captured; of several the last one closes first."""
    recorder = Recorder()
    async with otp.open_supervisor(CHILDREN, propagate=[recorder]):
        recorder.done.clear()
        during = await otp.call("one", lambda _: list(recorder.done))
        assert [("capture",), ("attach", 1)] == during
    assert [("capture",), ("attach", 1), ("detach",)] == recorder.done


async def test_a_propagator_is_open_while_a_crash_is_reported() -> None:
    """And while `terminate` runs; its block is closed as after any message, without the error."""

    class Ending(Server):
        def terminate(self, reason: object) -> None:
            recorder.note("terminate")

    recorder = Recorder()
    children = [otp.child(Ending).having(name="one", restart="temporary")]
    async with otp.open_supervisor(children, propagate=[recorder]):
        otp.events.attach("crash", lambda _: recorder.note("crash"))
        recorder.done.clear()
        ONE.crash()
        await wait_all_tasks_blocked()
    assert ["capture", "attach", "crash", "terminate", "detach"] == [
        each[0] for each in recorder.done
    ]


async def test_nothing_travels_if_nothing_is_captured() -> None:
    """`capture` says so with None; the propagator is not asked to attach that."""

    class Silent(Recorder):
        def capture(self) -> Any:
            return None

    silent = Silent()
    async with otp.open_supervisor(CHILDREN, propagate=[silent]):
        assert await otp.call("one", lambda from_: from_.context) is None
    assert [] == silent.done


@pytest.mark.parametrize("where", ["capture", "attach", "detach"])
async def test_a_propagator_that_raises_is_removed_and_hurts_nobody(where: str) -> None:
    """It is logged once; the others go on, and so do callers and servers."""
    broken = Recorder(raises_in=where)
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]  # all of a handler that is needed
    async with otp.open_supervisor(CHILDREN, propagate=[broken, request_id]):
        broken.done.clear()
        with logging_to(handler, "trio_otp.events"), request("r-1"):
            for _ in range(3):
                assert "r-1" == await ONE.tell()
    assert [where] == [what for what, *_ in broken.done if what == where]
    [record] = records
    assert "it is removed" in record.getMessage()
    assert record.exc_info is not None
    assert "LookupError" in str(record.exc_text)


@pytest.mark.parametrize("where", ["attach", "detach"])
async def test_a_propagator_that_raises_is_removed_from_what_was_sent_before(where: str) -> None:
    """It is told once, not for each message in a queue; in the next block it is used again."""
    broken = Recorder()
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]  # all of a handler that is needed
    with logging_to(handler, "trio_otp.events"):
        async with otp.open_supervisor(CHILDREN, propagate=[broken, request_id]):
            with request("r-1"):
                seen: list[Any] = []
                for _ in range(5):
                    otp.cast("one", seen)
                broken.raises_in = where
                await wait_all_tasks_blocked()
                assert [where] == [what for what, *_ in broken.done if what == where]
                assert ["r-1"] * 5 == seen
        assert 1 == len(records)
        broken.raises_in = ""
        async with otp.open_supervisor(CHILDREN, propagate=[broken]):
            broken.done.clear()
            await ONE.tell()
        assert ["capture", "attach", "detach"] == [what for what, *_ in broken.done]


async def test_a_propagator_that_raises_in_two_servers_is_told_once() -> None:
    """It is open in both when it fails in the first."""
    broken = Recorder(raises_in="detach")
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]  # all of a handler that is needed
    with logging_to(handler, "trio_otp.events"):
        async with otp.open_supervisor(CHILDREN, propagate=[broken]):
            broken.done.clear()
            async with trio.open_nursery() as nursery:
                for name in ("one", "two"):
                    nursery.start_soon(Server.at(name).tell)
    assert 2 == len([what for what, *_ in broken.done if what == "detach"])
    assert 1 == len(records)


# -- for how long ----------------------------------------------------------------------------------


async def test_it_lasts_as_long_as_the_block() -> None:
    """Of two blocks that carry the same each counts; a message carries it once."""
    recorder = Recorder()
    both = [request_id, recorder]
    async with otp.open_process(propagate=both):
        await otp.start_link(CHILDREN[0])
        with request("r-1"):
            async with otp.open_process(propagate=both):
                recorder.done.clear()
                assert "r-1" == await ONE.tell()
                assert ["capture", "attach", "detach"] == [what for what, *_ in recorder.done]
            assert "r-1" == await ONE.tell()
    assert set() == carrying()
    async with otp.open_supervisor(CHILDREN):
        with request("r-1"):
            assert "unset" == await ONE.tell()


async def test_a_block_that_fails_takes_it_back() -> None:
    """Also one that did not open."""
    with pytest.raises(ZeroDivisionError):
        async with otp.open_process(propagate=[request_id]):
            raise ZeroDivisionError
    with pytest.raises(otp.StartError):
        async with otp.open_supervisor([otp.child(Failing)], propagate=[request_id]):
            raise AssertionError("it does not open")
    assert set() == carrying()


class Failing(otp.GenServer):
    """Does not start."""

    def init(self) -> None:
        raise ValueError


def test_another_run_carries_nothing() -> None:
    """Also beside one that does, and a cast made outside of any run has no context."""

    async def other() -> Any:
        async with otp.open_supervisor(CHILDREN):
            with request("of the other"):
                noted: list[Any] = []
                otp.cast("one", noted)
                return [await ONE.tell(), *noted]

    async def main() -> Any:
        async with otp.open_process(propagate=[request_id]):
            with request("r-1"):
                assert otp.Cast(1).context is not None
                outside = await trio.to_thread.run_sync(lambda: otp.Cast(1).context)
                assert outside is None
            return await trio.to_thread.run_sync(trio.run, other)

    assert ["unset", "unset"] == trio.run(main)


class Shop(otp.Application):
    """Calls its server and ends."""

    def start(self) -> Any:
        return otp.Supervisor.spec(
            [
                otp.child(Server).having(name="one"),
                otp.child(customer).having(significant=True, restart="temporary"),
            ],
            auto_shutdown="any_significant",
        )


TOLD: list[Any] = []


async def customer() -> None:
    with request("r-1"):
        TOLD.append(await ONE.tell())


def test_a_whole_program_carries_it() -> None:
    """`otp.run` and `open_application` take it as well."""
    TOLD.clear()
    assert 0 == otp.run(Shop, propagate=[request_id])
    assert 0 == otp.run(Shop)
    assert ["r-1", "unset"] == TOLD


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (request_id, r"expected a list; write propagate=\[...\]"),
        (7, "propagate=7: expected a list of variables and propagators"),
        ([7], r"propagate=\[7\]: expected a ContextVar, or an object with capture\(\)"),
        ([Recorder], r"write Recorder\(\)"),
        ([{}], r"expected a ContextVar"),
    ],
)
async def test_what_carries_nothing_is_refused(wrong: Any, text: str) -> None:
    """Before anything has begun, with what is expected."""
    with pytest.raises(TypeError, match=text):
        otp.run(Shop, propagate=wrong)
    with pytest.raises(TypeError, match=text):
        async with otp.open_process(propagate=wrong):
            raise AssertionError("it does not open")
    assert set() == carrying()


# -- structlog -------------------------------------------------------------------------------------


@contextmanager
def json_log() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Let records of `logging`, of the library as well, be rendered by structlog."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(default=str),
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_logger_name,
            ],
        )
    )
    with logging_to(handler, "", logging.INFO):
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


class Bank(otp.GenServer):
    """Logs what it does."""

    def init(self) -> None:
        structlog.contextvars.bind_contextvars(service="bank")

    @otp.on_call
    async def pay(self, amount: int) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        logging.getLogger("bank").info("paid %s", amount)
        if amount < 0:
            raise ValueError("not that way")
        return structlog.contextvars.get_contextvars()

    @otp.on_call
    def bound(self) -> dict[str, Any]:
        return structlog.contextvars.get_contextvars()


async def test_what_structlog_has_bound_reaches_the_records_of_the_server() -> None:
    """Its own and that of its crash; what the server binds itself stays its own."""
    carried = [otp.events.StructlogPropagator()]
    bank = Bank.at("bank")
    children = [otp.child(Bank).having(name="bank", restart="temporary")]
    with json_log() as lines:
        async with otp.open_supervisor(children, propagate=carried):
            with structlog.contextvars.bound_contextvars(request_id="r-1", service="web"):
                assert {"request_id": "r-1", "service": "web"} == await bank.pay(5)
            assert {"service": "bank"} == await bank.bound()
            with (
                structlog.contextvars.bound_contextvars(request_id="r-2"),
                pytest.raises(otp.ServerExited),
            ):
                await bank.pay(-1)
    told = {(line["logger"], line.get("request_id")) for line in lines()}
    assert {("bank", "r-1"), ("bank", "r-2"), ("trio_otp.crash", "r-2")} <= told


async def test_an_answer_that_makes_a_server_crash_has_the_request_in_its_report() -> None:
    """The handler has returned, and it is known all the same."""

    class Wrong(otp.GenServer):
        def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            return request

    carried = [otp.events.StructlogPropagator()]
    children = [otp.child(Wrong).having(name="w", restart="temporary")]
    with json_log() as lines:
        async with otp.open_supervisor(children, propagate=carried):
            with (
                structlog.contextvars.bound_contextvars(request_id="r-1"),
                pytest.raises(otp.ServerExited),
            ):
                await otp.call("w", "this is no Reply")
    [crash] = [line for line in lines() if line["logger"] == "trio_otp.crash"]
    assert "r-1" == crash["request_id"]


def test_without_structlog_there_is_an_error_that_names_it() -> None:
    """And nobody imports it who does not use it."""
    code = """
import sys, trio_otp as otp
otp.events.Propagator
assert "structlog" not in sys.modules
sys.modules["structlog"] = None
try:
    otp.events.StructlogPropagator()
except ImportError as exc:
    print(exc)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert "" == done.stderr
    assert "otp.events.StructlogPropagator needs structlog: pip install structlog\n" == done.stdout
