"""A call that is handled in the turn of its caller: nobody can tell it from another.

Each test is run both ways. What it leaves behind is the same, but for the task in whose turn the
callback ran, which shows that the two ways are two.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import traceback
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import outcome
import pytest
import trio
import trio.testing
from inside import MessageLoop, loop_now, message_loop, process_of, request, runtime, stack_of

import trio_otp as otp
from trio_otp.testing import explore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).name
variable: ContextVar[Any] = ContextVar("variable", default="unset")


class Server(otp.GenServer):
    """Does as a call says, and notes what it is sent."""

    mailbox: otp.BoundedMailbox | None = None

    def __init__(self) -> None:
        self.log: list[object] = []
        self.kept: list[Any] = []

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        result = request(self, from_)
        known = isinstance(result, otp.Reply | otp.NoReply | otp.Stop) or hasattr(result, "send")
        return result if known else otp.Reply(result)

    def handle_cast(self, message: Any) -> None:
        self.log.append(message)

    def handle_info(self, message: Any) -> None:
        self.log.append(message)

    def handle_continue(self, token: Any) -> None:
        self.log.append((token, own()))


class Typed(Server):
    """Has methods, too, and counts what they are asked."""

    asked = 0

    @otp.on_call
    def get(self) -> int:
        self.asked += 1
        return self.asked

    @otp.on_call
    async def get_async(self) -> int:
        self.asked += 1
        return self.asked


def own() -> bool:
    """Check whether the task of the server runs this, as Trio sees it."""
    return trio.lowlevel.current_task() is process_of(otp.self()).task


@pytest.fixture(params=["callers", "servers"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whose turn it is: that of the caller, or that of the server, as if there were no other."""
    monkeypatch.setattr(MessageLoop, "serves_callers", request.param == "callers")
    monkeypatch.setattr(message_loop, "BURST_SECONDS", 1e6)  # however slow this machine is
    kind: str = request.param
    return kind


async def waiting(child: Any = Server) -> otp.Pid[Any]:
    """Start a server that has handled a call, and waits."""
    pid: Any = await otp.start_link(child)
    await otp.call(pid, lambda _server, _from: None)
    server: otp.Pid[Any] = pid
    return server


async def ask(pid: otp.Pid[Any], way: str, request: Callable[[Any, Any], Any]) -> Any:
    """Ask a server that waits; see to it that it is handled in the right turn."""
    seen: list[bool] = []

    def handle(server: Any, from_: Any) -> Any:
        seen.append(own())
        return request(server, from_)

    await trio.testing.wait_all_tasks_blocked()
    try:
        return await otp.call(pid, handle)
    finally:
        assert [way == "servers"] == seen


# -- who runs ------------------------------------------------------------------------------------


async def test_the_callback_is_in_the_process_of_the_server(way: str, autojump_clock: Any) -> None:
    """`otp.self`, the dictionary, the label and the callers are those of the server."""
    async with otp.open_process() as me:
        pid = await waiting()
        otp.dictionary()["mine"] = True

        def look(_server: Any, from_: Any) -> Any:
            otp.set_label("asked")
            return otp.self(), otp.dictionary(), otp.callers(), from_.caller, repr(from_)

        who, dictionary, callers, caller, text = await ask(pid, way, look)
        assert (pid, {}, (), me) == (who, dictionary, callers, caller)
        assert text.endswith("waiting>")
        assert "asked" == otp.get_label(pid)


async def test_its_variables_are_those_of_the_server(way: str, autojump_clock: Any) -> None:
    """It sees none of its caller, and what it sets is there at the next call."""
    variable.set("caller's")
    async with otp.open_process():
        pid = await waiting()

        def swap(_server: Any, _from: Any) -> Any:
            before = variable.get()
            variable.set("server's")
            return before

        assert ["unset", "server's"] == [await ask(pid, way, swap), await ask(pid, way, swap)]
        assert "caller's" == variable.get()


async def test_what_it_starts_links_and_monitors_is_the_servers(
    way: str, autojump_clock: Any
) -> None:
    """A child is linked to the server and lives with it; a monitor's Down comes to the server."""

    async def sleep() -> None:
        await trio.sleep_forever()

    async with otp.open_process(trap_exit=True) as me:
        pid, other = await waiting(), await waiting()

        def start(server: Any, _from: Any) -> Any:
            otp.monitor(other)
            server.kept.append(otp.spawn_link(sleep))
            return server.kept[0]

        child = await ask(pid, way, start)
        assert pid in otp.process_info(child).links
        assert child not in otp.process_info(me).links
        otp.unlink(other)
        await otp.stop(other)
        (down,) = await ask(pid, way, lambda server, _from: server.log)
        assert (other, otp.NORMAL) == (down.pid, down.reason)
        await otp.stop(pid, otp.SHUTDOWN)
        await trio.testing.wait_all_tasks_blocked()
        assert not otp.is_alive(child)


async def test_it_may_end_itself_in_each_way(way: str, autojump_clock: Any) -> None:
    """`otp.exit`, with and without its own pid, a Stop and a crash: the caller learns of it."""

    def crash(_server: Any, _from: Any) -> Any:
        raise ValueError("boom")

    def kill(_server: Any, _from: Any) -> Any:
        otp.exit(otp.self(), otp.KILL)

    def leave(_server: Any, _from: Any) -> Any:
        otp.exit("left")

    def stop(_server: Any, _from: Any) -> Any:
        return otp.Stop("stopped", "bye")

    found: list[Any] = []
    async with otp.open_process(trap_exit=True):
        for end in (crash, kill, leave, stop):
            pid = await waiting()
            try:
                found.append(await ask(pid, way, end))
            except otp.ServerExited as exc:
                found.append(exc.reason)
            assert not otp.is_alive(pid)
    crashed, *rest = found
    assert "boom" == str(crashed)
    assert [otp.KILLED, "left", "bye"] == rest


async def test_a_crash_shows_the_frames_from_the_server_on(way: str, autojump_clock: Any) -> None:
    """None of the caller's, and nothing that the caller handled meanwhile."""

    def crash(_server: Any, _from: Any) -> Any:
        raise ValueError("boom")

    reports: list[Any] = []
    otp.events.attach("crash", reports.append)
    async with otp.open_process(trap_exit=True):
        pid = await waiting()
        with pytest.raises(otp.ServerExited):
            await ask(pid, way, crash)
    (report,) = reports
    names = [frame.name for frame in traceback.extract_tb(report.reason.__traceback__)]
    assert "ask" not in names
    assert "_in_turn" not in names
    assert ["handle_call", "handle", "crash"] == names[-3:]
    assert report.reason.__context__ is None
    assert (pid, 1) == (report.pid, report.handled)


async def test_a_crash_is_told_whatever_comes_before_the_next_turn(
    way: str, autojump_clock: Any
) -> None:
    """An exit signal that follows at once finds it reported, with the state and the caller."""
    reports: list[Any] = []
    otp.events.attach("crash", reports.append)

    def crash(_server: Any, _from: Any) -> Any:
        raise ValueError("boom")

    async with otp.open_process(trap_exit=True), trio.open_nursery() as nursery:
        pid = await waiting()

        async def caller() -> None:
            with pytest.raises(otp.ServerExited):
                await otp.call(pid, crash)

        async def killer() -> None:
            while not reports:
                await trio.lowlevel.checkpoint()
            otp.exit(pid, otp.KILL)

        nursery.start_soon(caller)
        nursery.start_soon(killer)
    (report,) = reports
    assert "boom" == str(report.reason)
    assert report.client is not None
    assert report.client_place is not None
    assert HERE in report.client_place


async def test_an_exception_that_the_caller_handles_does_not_show(
    way: str, autojump_clock: Any
) -> None:
    """`sys.exception` is None in the callback, whatever block the call stands in."""
    async with otp.open_process():
        pid = await waiting()
        try:
            raise KeyError("mine")
        except KeyError:
            assert await otp.call(pid, lambda _server, _from: sys.exception()) is None


async def test_a_caller_in_the_context_of_the_server(way: str, autojump_clock: Any) -> None:
    """One that has taken it over, as a task of a notebook has, waits for the server's task."""
    async with otp.open_process(), trio.open_nursery() as nursery:
        pid = await waiting()
        answers: list[Any] = []

        async def caller() -> None:
            trio.lowlevel.current_task().context = process_of(pid).task.context
            await trio.lowlevel.checkpoint()
            answers.append(await otp.call(pid, lambda _server, _from: own()))

        nursery.start_soon(caller)
        await trio.testing.wait_all_tasks_blocked()
        assert [True] == answers


async def test_a_caller_deep_in_its_stack_takes_none_of_the_servers(
    way: str, autojump_clock: Any
) -> None:
    """However deep it is, a callback may go as deep as ever."""

    def dive(depth: int) -> int:
        return 0 if depth == 0 else 1 + dive(depth - 1)

    async def deep(levels: int) -> Any:
        return await deep(levels - 1) if levels else await otp.call(pid, look)

    def look(_server: Any, _from: Any) -> Any:
        return dive(sys.getrecursionlimit() * 3 // 4)

    async with otp.open_process():
        pid = await waiting()
        expected = sys.getrecursionlimit() * 3 // 4
        for levels in (0, 400, 3, 0, 400):
            assert expected == await deep(levels)


# -- what is left to the task of the server ------------------------------------------------------


async def test_what_awaits_runs_in_the_task_of_the_server(way: str, autojump_clock: Any) -> None:
    """A coroutine that a `def` callback returns finds scopes, nurseries and time of its own."""

    async def work() -> Any:
        assert own()
        with trio.move_on_after(1) as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep, 5)
        return otp.Reply((scope.cancelled_caught, otp.self()))

    async with otp.open_process():
        pid = await waiting()
        for _ in range(3):
            assert (True, pid) == await otp.call(pid, lambda _server, _from: work())
        assert await otp.call(pid, lambda _server, _from: "plain") == "plain"


async def test_a_continue_and_a_time_out_are_handled_by_the_task(
    way: str, autojump_clock: Any
) -> None:
    """What comes after the answer is done before the next message, in the server's own turn."""
    async with otp.open_process():
        pid = await waiting()
        first = await ask(pid, way, lambda _server, _from: otp.Reply(1, continue_="more"))
        log = await otp.call(pid, lambda server, _from: server.log)
        assert (1, [("more", True)]) == (first, log)
        other = await waiting()
        await ask(other, way, lambda _server, _from: otp.Reply(2, timeout=1.0))
        await trio.sleep(2)
        assert [otp.Timeout()] == await otp.call(other, lambda server, _from: server.log)


async def test_an_answer_put_off_comes_later(way: str, autojump_clock: Any) -> None:
    """With NoReply the caller waits, and its time-out, its end and its answer are as ever."""
    async with otp.open_process():
        pid = await waiting()

        def keep(server: Any, from_: Any) -> Any:
            server.kept.append(from_)
            return otp.NoReply()

        def answer(server: Any, _from: Any) -> Any:
            return otp.reply(server.kept.pop(0), "late")

        with pytest.raises(otp.CallTimeout):
            await otp.call(pid, keep, timeout=1.0)
        assert await ask(pid, way, answer) is False
        with trio.move_on_after(1.0) as scope:
            await ask(pid, way, keep)
        assert scope.cancelled_caught
        assert await ask(pid, way, lambda server, _from: server.kept.pop(0).abandoned)
        async with trio.open_nursery() as nursery:
            answers: list[Any] = []

            async def caller() -> None:
                answers.append(await otp.call(pid, keep))

            nursery.start_soon(caller)
            await trio.testing.wait_all_tasks_blocked()
            assert await ask(pid, way, answer) is True
        assert ["late"] == answers


async def test_an_answer_by_reply_inside_the_callback_counts(way: str, autojump_clock: Any) -> None:
    """A value and an error; what the callback returns after that is NoReply."""

    def value(_server: Any, from_: Any) -> Any:
        assert otp.reply(from_, "early") is True
        assert otp.reply(from_, "twice") is False
        return otp.NoReply()

    def error(_server: Any, from_: Any) -> Any:
        otp.reply(from_, outcome.Error(KeyError("k")))
        return otp.NoReply()

    async with otp.open_process():
        pid = await waiting()
        assert "early" == await ask(pid, way, value)
        with pytest.raises(KeyError) as caught:
            await ask(pid, way, error)
        assert "caller" not in str(caught.value)


async def test_what_it_sends_itself_is_handled_by_its_task(way: str, autojump_clock: Any) -> None:
    """One call is one turn: a cast to itself is handled at the server's next, in order."""
    async with otp.open_process():
        pid = await waiting()

        def send(server: Any, _from: Any) -> Any:
            otp.cast(otp.self(), "cast")
            otp.send(otp.self(), "info")
            return list(server.log)

        assert [] == await ask(pid, way, send)
        assert ["cast", "info"] == await otp.call(pid, lambda server, _from: server.log)


async def test_casts_before_a_call_are_handled_first(way: str, autojump_clock: Any) -> None:
    """Messages of one sender keep their order, and plain code runs nothing."""
    async with otp.open_process():
        pid = await waiting()
        otp.cast(pid, 1)
        assert [] == process_of(pid).instance.log
        assert [1] == await otp.call(pid, lambda server, _from: list(server.log))


# -- a call is a checkpoint ----------------------------------------------------------------------


async def test_cancelled_before_the_call_nothing_runs(way: str, autojump_clock: Any) -> None:
    """Nor is it told to be answered, nor left in any table."""
    told: list[Any] = []
    otp.events.attach("call_start", lambda call: told.append("start"))
    otp.events.attach("call_stop", lambda call, error: told.append(type(error)))
    ran: list[Any] = []
    async with otp.open_process():
        pid = await waiting()
        told.clear()
        with trio.CancelScope() as scope:
            scope.cancel()
            await otp.call(pid, lambda _server, _from: ran.append(1))
        assert scope.cancelled_caught
        assert ([], ["start", trio.Cancelled]) == (ran, told)
        assert not process_of(pid).requests
        assert 1 == otp.process_info(pid).handled


async def test_a_call_is_one_checkpoint(way: str, autojump_clock: Any) -> None:
    """It lets others run, once, also if the answer is an error."""
    async with otp.open_process():
        pid = await waiting()
        with trio.testing.assert_checkpoints():
            await ask(pid, way, lambda _server, _from: None)
        with trio.testing.assert_checkpoints(), pytest.raises(KeyError):
            await ask(pid, way, lambda _server, from_: _answer(from_, outcome.Error(KeyError())))


def _answer(from_: Any, value: Any) -> Any:
    otp.reply(from_, value)
    return otp.NoReply()


async def test_a_callback_that_cancels_its_caller(way: str, autojump_clock: Any) -> None:
    """The caller is cancelled in its call, and gets no answer."""
    async with otp.open_process():
        pid = await waiting()
        with trio.CancelScope() as scope:
            await ask(pid, way, lambda _server, _from: scope.cancel())
            raise AssertionError("it was answered")
        assert scope.cancelled_caught


async def test_3000_callers_leave_others_their_turns(way: str, autojump_clock: Any) -> None:
    """Between two turns of another task a server handles no more calls than a burst has."""
    most = handled = 0

    def count(_server: Any, _from: Any) -> None:
        nonlocal handled
        handled += 1

    async def other() -> None:
        nonlocal most
        while True:
            before = handled
            await trio.lowlevel.checkpoint()
            most = max(most, handled - before)

    async def caller(pid: otp.Pid[Any]) -> None:
        for _ in range(2):
            await otp.call(pid, count, timeout=None)

    async with otp.open_process():
        pid = await waiting()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            async with trio.open_nursery() as callers:
                for _ in range(3000):
                    callers.start_soon(caller, pid)
            nursery.cancel_scope.cancel()
    assert 6000 == handled
    assert most <= 2 * 64


async def test_a_slow_callback_does_not_hold_the_loop_for_all_callers(
    way: str, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a millisecond of such calls others have their turn, as with messages in a queue."""
    most = handled = 0
    seconds = 0.0
    monkeypatch.setattr(message_loop, "BURST_SECONDS", 0.001)
    async with otp.open_process():
        tables: Any = runtime()
        real = tables.now
        tables.now = lambda: real() + seconds
        pid = await waiting()

        def work(_server: Any, _from: Any) -> None:
            nonlocal handled, seconds
            handled, seconds = handled + 1, seconds + 0.0004

        async def other() -> None:
            nonlocal most
            while True:
                before = handled
                await trio.lowlevel.checkpoint()
                most = max(most, handled - before)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            async with trio.open_nursery() as callers:
                for _ in range(50):
                    callers.start_soon(otp.call, pid, work)
            nursery.cancel_scope.cancel()
    assert 50 == handled
    assert most <= 8


async def test_a_scope_of_the_server_that_its_callback_cancels(
    way: str, autojump_clock: Any
) -> None:
    """A scope that its init has left open is cancelled in the task of the server, at once."""

    class Scoped(Server):
        async def init(self) -> None:
            self.scope = trio.CancelScope()
            self.scope.__enter__()

        async def terminate(self, reason: object) -> None:
            ended.append(type(reason))

    ended: list[Any] = []
    async with otp.open_process(trap_exit=True):
        pid = await waiting(Scoped)
        answer = await ask(pid, way, lambda server, _from: server.scope.cancel())
        await trio.testing.wait_all_tasks_blocked()
        assert answer is None
        assert not otp.is_alive(pid)


# -- who looks on --------------------------------------------------------------------------------


async def test_listeners_hear_the_same_in_the_same_order(way: str, autojump_clock: Any) -> None:
    """From the start of the call over the start and end of its handling to its end."""
    told: list[Any] = []
    names = ("call_start", "call_stop", "handle_start", "handle_stop", "handle_error")
    for name in names:
        otp.events.attach(name, lambda *_, name=name: told.append((name, _self())))  # type: ignore[arg-type]
    async with otp.open_process() as me:
        pid = await waiting()
        told.clear()
        await ask(pid, way, lambda _server, _from: None)
    expected = [("call_start", me), ("handle_start", pid), ("handle_stop", pid)]
    assert [*expected, ("call_stop", pid)] == told


def _self() -> Any:
    return otp.self()


class Raised(BaseException):
    """What `except Exception` lets pass."""


@pytest.mark.parametrize("event", ["call_stop", "handle_start", "handle_stop", "handle_error"])
@pytest.mark.parametrize("kills", [True, False])
async def test_a_listener_that_ends_the_server(
    way: str, event: Any, kills: bool, autojump_clock: Any
) -> None:
    """It raises what is no error, or kills it: the caller learns of it, and the task ends."""

    def end(*_: object) -> None:
        otp.events.detach(event, end)
        if kills:
            otp.exit(otp.self(), otp.KILL)
        raise Raised

    def handle(_server: Any, _from: Any) -> Any:
        if event == "handle_error":
            raise ValueError("boom")
        return "answer"

    found: Any = None
    try:
        async with otp.open_process(trap_exit=True):
            pid = await waiting()
            otp.events.attach(event, end)
            with trio.fail_after(1):
                try:
                    found = await otp.call(pid, handle)
                except otp.ServerExited as exc:
                    found = exc.reason
            await trio.sleep(1)
            assert kills, "Raised has to pass through"
            assert not otp.is_alive(pid)
    except Raised:
        assert not kills
    if event == "call_stop":
        assert "answer" == found
    else:
        assert found is otp.KILLED or isinstance(found, Raised)


async def test_a_listener_that_cancels_the_caller(way: str, autojump_clock: Any) -> None:
    """Told of the answer, or of the cancellation, it hurts neither the server nor the run."""
    async with otp.open_process(trap_exit=True):
        pid = await waiting()
        with trio.CancelScope() as outer, trio.CancelScope() as inner:
            otp.events.attach("call_stop", lambda *_: outer.cancel())
            await otp.call(pid, lambda _server, _from: None)
        assert outer.cancel_called
        with trio.CancelScope() as outer, trio.CancelScope() as inner:
            await otp.call(pid, lambda _server, _from: inner.cancel())
        assert inner.cancel_called
        with trio.CancelScope() as outer, trio.CancelScope() as inner:
            await otp.call(pid, lambda _server, _from: (inner.cancel(), otp.NoReply())[1])
        assert 3 == await otp.call(pid, lambda _server, _from: 3)


async def test_what_travels_with_a_call_is_attached_and_taken_back(
    way: str, autojump_clock: Any
) -> None:
    """The callback sees the variable of its caller that propagates, and nobody after it."""
    async with otp.open_process(), otp.open_supervisor([], propagate=[variable]):
        pid = await waiting()
        variable.set("travels")
        assert "travels" == await ask(pid, way, lambda _server, _from: variable.get())
        variable.set("unset")
        assert "unset" == await ask(pid, way, lambda _server, _from: variable.get())


async def test_the_records_of_a_callback_have_the_metadata_of_the_server(
    way: str, autojump_clock: Any
) -> None:
    """The pid of the server and its metadata stand in what it logs."""
    async with otp.open_process():
        pid = await waiting()
        otp.set_metadata(who="caller")

        def log(_server: Any, _from: Any) -> Any:
            record = logging.LogRecord("n", logging.INFO, HERE, 1, "text", None, None)
            otp.reports.add_metadata(record)
            return record.__dict__["otp_pid"], hasattr(record, "who")

        who, more = await ask(pid, way, log)
        assert (repr(pid), False) == (str(who), more)


async def test_what_is_in_hand_and_since_when(way: str, autojump_clock: Any) -> None:
    """The server has the call in hand since now; the caller waits for it."""
    async with otp.open_process() as me:
        pid = await waiting()
        await trio.sleep(3)

        def look(_server: Any, _from: Any) -> Any:
            server, caller = process_of(pid), process_of(me)
            info = otp.process_info(me)
            return trio.current_time() - server.since, caller.waits_for is server, info.status

        since, waits, _ = await ask(pid, way, look)
        assert since < 1
        assert waits
        assert process_of(me).waits_for is None


async def test_the_stack_of_the_server_and_of_the_caller(way: str, autojump_clock: Any) -> None:
    """Each has its own frames, asked from inside; the server's begin where it does."""
    async with otp.open_process() as me:
        pid = await waiting()

        def look(_server: Any, _from: Any) -> Any:
            return otp.process_info(pid).stack, otp.process_info(me).stack

        server, caller = await ask(pid, way, look)
        assert any(line.endswith("in look") for line in server)
        assert not any(line.endswith("in ask") for line in server)
        assert any(line.endswith("in _serve") for line in server)
        assert any(line.endswith("in ask") for line in caller)
        assert not any(line.endswith("in look") for line in caller)
        assert not any(line.endswith("in _serve") for line in caller)
        places = [f.f_code.co_name for f, _ in stack_of(process_of(pid))]
        assert "_serve" in places
        assert "ask" not in places


async def test_a_thread_sees_the_server_that_holds_the_loop(way: str, autojump_clock: Any) -> None:
    """`loop_now`, which the system monitor and the observer ask, names server and frames."""
    found: list[Any] = []
    tables = runtime()

    def hold(_server: Any, _from: Any) -> None:
        thread = threading.Thread(target=lambda: found.append(loop_now(tables)))
        thread.start()
        thread.join(30)

    async with otp.open_process():
        pid = await waiting()
        await ask(pid, way, hold)
        (seen,) = found
        assert (process_of(pid), True) == (seen.process, seen.is_own)
        assert process_of(pid).task.name == seen.task
        names = [name for _, _, name in seen.stack]
        assert "hold" in names
        assert "ask" not in names


async def test_a_circle_is_refused(way: str, autojump_clock: Any) -> None:
    """A server that in its callback begins to call its caller closes a circle."""
    async with otp.open_process(trap_exit=True):
        first, second = await waiting(), await waiting()

        async def back() -> Any:
            return otp.Reply(await otp.call(first, lambda _server, _from: None))

        async def through() -> Any:
            return otp.Reply(await otp.call(second, lambda _server, _from: back()))

        with pytest.raises(otp.ServerExited) as caught:
            await otp.call(first, lambda _server, _from: through())
        assert isinstance(_root(caught.value), otp.DeadlockError)


def _root(error: Any) -> Any:
    while isinstance(error, otp.ServerExited):
        error = error.reason
    return error


async def test_a_helper_of_a_server_may_call_it(way: str, autojump_clock: Any) -> None:
    """A task that the server has started is another one than its own."""
    async with otp.open_process(), trio.open_nursery() as nursery:
        pid = await waiting()
        answers: list[Any] = []

        async def help_() -> None:
            answers.append(await otp.call(otp.self(), lambda _server, _from: otp.self()))

        await ask(pid, way, lambda _server, _from: nursery.start_soon(help_))
        await trio.testing.wait_all_tasks_blocked()
        assert [pid] == answers


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(lambda ref: otp.call(ref, None), id="call"),
        pytest.param(lambda ref: otp.call(ref, None, timeout=0), id="no time"),
        pytest.param(lambda ref: Typed.at(ref).get(), id="typed"),
        pytest.param(lambda ref: Typed.at(ref).get_async(), id="typed, async"),
    ],
)
async def test_a_call_that_is_resumed_by_hand_is_refused(
    begin: Callable[[Any], Any], autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Turns do not nest: the callback gets the error, and nobody else has any harm."""
    monkeypatch.setattr(message_loop, "BURST_SECONDS", 1e6)
    async with otp.open_process():
        first, second = await waiting(), await waiting(Typed)

        def by_hand(_server: Any, _from: Any) -> Any:
            call = begin(second)
            try:
                call.send(None)
            except RuntimeError as exc:
                return str(exc), own()
            finally:
                call.close()

        text, in_own_task = await ask(first, "callers", by_hand)
        assert not in_own_task
        for part in (repr(first), "by hand", "`async def`", "otp.send_request"):
            assert part in text
        assert 1 == await Typed.at(second).get()
        assert await ask(first, "callers", lambda _server, _from: "as ever") == "as ever"


# -- what else a server may be -------------------------------------------------------------------


async def test_a_watched_or_suspended_server_is_left_to_its_task(
    way: str, autojump_clock: Any
) -> None:
    """`otp.sys` sees each message, and a suspended server handles none."""
    seen: list[Any] = []
    async with otp.open_process(), trio.open_nursery() as nursery:
        pid = await waiting()
        await otp.sys.suspend(pid)
        answers: list[Any] = []

        async def caller() -> None:
            answers.append(await otp.call(pid, lambda _server, _from: 1))

        nursery.start_soon(caller)
        await trio.testing.wait_all_tasks_blocked()
        assert [] == answers
        await otp.sys.resume(pid)
        await trio.testing.wait_all_tasks_blocked()
        assert [1] == answers
        await otp.sys.install(pid, lambda state, event: seen.append(event))
        await otp.call(pid, lambda _server, _from: 1)
        assert seen


async def test_a_bounded_mailbox_counts_as_ever(way: str, autojump_clock: Any) -> None:
    """The call that is in hand does not count, and the next one finds room."""

    class Bounded(Server, mailbox=otp.BoundedMailbox(1)):
        pass

    def count(pid: otp.Pid[Any]) -> int:
        return otp.send_end(pid).statistics().current_buffer_used

    def look(_server: Any, _from: Any) -> Any:
        before = count(otp.self())
        otp.cast(otp.self(), 1)
        return before, count(otp.self())

    async with otp.open_process():
        for _ in range(20):  # whose turn is next is up to the scheduler
            pid = await waiting(Bounded)
            assert (0, 1) == await ask(pid, way, look)
            assert 0 == await otp.call(pid, lambda _server, _from: count(otp.self()))


async def test_a_server_falls_asleep_after_a_call(way: str, autojump_clock: Any) -> None:
    """At once, or after its time; the next call wakes it, and the one after that finds it."""

    class Sleepy(Server):
        hibernate_after: float | None = 10.0

    async with otp.open_process():
        pid = await waiting(Sleepy)
        for _ in range(3):
            assert await ask(pid, way, lambda _server, _from: 1) == 1
            await trio.sleep(6)
        assert process_of(pid).task is not None
        await trio.sleep(6)
        assert process_of(pid).task is None
        await otp.call(pid, lambda _server, _from: 1)
        assert await ask(pid, way, lambda _server, _from: 1) == 1


async def test_an_exit_signal_that_its_callback_causes(way: str, autojump_clock: Any) -> None:
    """A callback during which an exit signal arrives answers nobody, and the links break."""
    async with otp.open_process(trap_exit=True):
        pid, other = await waiting(), await waiting()
        await otp.call(pid, lambda _server, _from: otp.link(other))
        with pytest.raises(otp.ServerExited) as caught:
            await ask(pid, way, lambda _server, _from: process_of(pid).exit_with("because"))
        assert "because" == caught.value.reason
        assert not otp.is_alive(other)


@contextmanager
def at_line(number: int, act: Callable[[], object], of_server: Any) -> Iterator[list[str]]:
    """Do something at one line of the way of a call, as a `__del__` may; give the line, if any."""
    lines = 0
    found: list[str] = []

    def each(frame: Any, event: str, _arg: object) -> Any:
        nonlocal lines
        if event == "line" and not found and Path(frame.f_code.co_filename).name in WAY:
            lines += 1
            if lines == number:
                sys.settrace(None)
                found.append(f"{frame.f_code.co_name}:{frame.f_lineno}")
                with suppress(BaseException):  # as what a `__del__` raises
                    act()
        return each

    before, coroutine = sys.gettrace(), of_server.coro
    while hasattr(coroutine, "cr_frame"):
        coroutine.cr_frame.f_trace = each
        coroutine = coroutine.cr_await
    sys.settrace(each)
    try:
        yield found
    finally:
        sys.settrace(before)


WAY = ("callers_turn.py", "message_loop.py", "request.py", "news.py", "handle.py")


@pytest.mark.parametrize("kind", ["callers", "servers"])
@pytest.mark.parametrize("act", ["cast", "exit", "cancel"])
def test_whatever_a_del_does_at_any_line(
    kind: str, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cast is handled, an exit ends the server, a cancelled caller goes on; nobody hangs."""
    monkeypatch.setattr(MessageLoop, "serves_callers", kind == "callers")
    number, seen = 0, [""]

    async def main() -> None:
        async with otp.open_process(trap_exit=True):
            pid = await waiting()
            await trio.testing.wait_all_tasks_blocked()
            log, task = process_of(pid).instance.log, process_of(pid).task
            with trio.CancelScope() as scope:
                acts: Any = {
                    "cast": lambda: otp.cast(pid, "cast"),
                    "exit": lambda: otp.exit(pid, "left"),
                    "cancel": scope.cancel,
                }
                with at_line(number, acts[act], task) as found, suppress(otp.ServerExited):
                    await otp.call(pid, lambda _server, _from: "answer")
            await trio.testing.wait_all_tasks_blocked()
            seen[:] = found
            assert otp.is_alive(pid) == (act != "exit" or not found)
            assert log == (["cast"] if act == "cast" and found else [])

    async def limited() -> None:
        with trio.fail_after(1):  # else it would hang
            await main()

    while seen:
        number += 1
        trio.run(limited, clock=trio.testing.MockClock(autojump_threshold=0))
    assert number > 40


@pytest.mark.parametrize("place", ["is_free", "offer", "park", "is_over"])
@pytest.mark.parametrize("exits", [True, False])
async def test_a_del_beside_a_turn(
    place: str, exits: bool, monkeypatch: pytest.MonkeyPatch, autojump_clock: Any
) -> None:
    """The same at four of these lines: before a turn, in it, before a wait, and after a turn."""

    class Sleepy(Server):
        hibernate_after: float | None = 1000.0

    async with otp.open_process(trap_exit=True):
        pid = await waiting(Sleepy)
        mailbox = type(process_of(pid).mailbox)
        log = process_of(pid).instance.log
        owners: Any = {"is_free": request, "is_over": message_loop.IdleTimer}
        owner = owners.get(place, mailbox)
        real = getattr(owner, place)

        def act(*args: Any) -> Any:
            monkeypatch.setattr(owner, place, real)
            with suppress(BaseException):  # as what a `__del__` raises
                if exits:
                    otp.exit(pid, "left")
                else:
                    otp.cast(pid, "cast")
            return real(*args)

        monkeypatch.setattr(owner, place, act)
        if place == "park":  # as it does after its own turn
            otp.cast(pid, "first")
        else:
            with suppress(otp.ServerExited):
                await otp.call(pid, lambda _server, _from: "answer")
        await trio.testing.wait_all_tasks_blocked()
        assert otp.is_alive(pid) == (not exits)
        assert log.count("cast") == (not exits)


async def test_a_caller_that_is_cancelled_as_it_is_answered(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: Any
) -> None:
    """The answer comes first, and the server lives."""
    async with otp.open_process(trap_exit=True):
        real = request.From._leave

        def act(from_: Any) -> None:
            scope.cancel()
            real(from_)

        def later(server: Any, from_: Any) -> Any:
            server.kept.append(from_)
            otp.send_after(otp.self(), "later", 1.0)
            return otp.NoReply()

        class Later(Server):
            def handle_info(self, message: Any) -> None:
                monkeypatch.setattr(request.From, "_leave", act)
                otp.reply(self.kept.pop(), message)
                monkeypatch.setattr(request.From, "_leave", real)

        pid = await waiting(Later)
        with trio.CancelScope() as scope:
            assert "later" == await otp.call(pid, later)
        assert otp.is_alive(pid)


async def test_a_wait_for_an_end_that_is_cancelled_as_it_ends(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: Any
) -> None:
    """The end comes first."""
    async with otp.open_process(trap_exit=True):
        pid = await waiting()
        kind = type(process_of(pid))
        real = kind.remove_watcher

        def act(*args: Any) -> None:
            scope.cancel()
            real(*args)

        with trio.CancelScope() as scope:
            monkeypatch.setattr(kind, "remove_watcher", act)
            await otp.stop(pid)
        assert not otp.is_alive(pid)


@pytest.mark.parametrize("what", ["end", "limit", "task"])
def test_a_wait_that_a_del_cancels_at_any_line(what: str) -> None:
    """Who waits for an end, for a limit or for a task is woken once."""
    number, seen = 0, [""]

    crashes: list[Any] = []

    async def main() -> None:
        otp.events.attach("crash", crashes.append)
        async with otp.open_process(trap_exit=True):
            pid = await waiting()
            task = otp.task.start_async(trio.sleep, 1)
            ways: Any = {
                "end": lambda: otp.stop(pid),
                "limit": lambda: process_of(pid).wait_dead(0.5),
                "task": lambda: otp.task.await_one(task),
            }
            with (
                trio.CancelScope() as scope,
                at_line(number, scope.cancel, process_of(pid).task) as found,
            ):
                await ways[what]()
            await trio.testing.wait_all_tasks_blocked()
            seen[:] = found
            assert [] == crashes

    async def limited() -> None:
        with trio.fail_after(2):
            await main()

    while seen:
        number += 1
        trio.run(limited, clock=trio.testing.MockClock(autojump_threshold=0))
    assert number > 10


@contextmanager
def _default_ctrl_c() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("kind", ["callers", "servers"])
def test_ctrl_c_in_the_callback_ends_the_server(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is raised in the callback at once, and goes through the server, not through the caller."""
    monkeypatch.setattr(MessageLoop, "serves_callers", kind == "callers")
    seen: list[Any] = []

    def interrupt(_server: Any, _from: Any) -> None:
        seen.append(own())
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            seen.append("in the callback")
            raise

    async def main() -> None:
        async with otp.open_process():
            pid = await waiting()
            try:
                await otp.call(pid, interrupt)
            except BaseException as exc:
                seen.append(type(exc))
                raise

    with _default_ctrl_c(), pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert [kind == "servers", "in the callback"] == seen[:2]
    assert KeyboardInterrupt not in seen


async def _meeting(trace: list[Any]) -> None:
    """Two clients call and cast, and one is called back later."""
    async with otp.open_process(), trio.open_nursery() as nursery:
        pid = await waiting()

        async def client(name: str) -> None:
            for number in range(2):
                otp.cast(pid, (name, number))
                handled = await otp.call(pid, lambda server, _from: len(server.log))
                trace.append((name, handled))

        for name in ("a", "b"):
            nursery.start_soon(client, name)
        await trio.testing.wait_all_tasks_blocked()
        trace.append(tuple(await otp.call(pid, lambda server, _from: list(server.log))))


def test_explored_orders_leave_the_same_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under many orders of the tasks, what can happen both ways is the same."""
    found: dict[bool, set[Any]] = {}
    for callers in (True, False):
        monkeypatch.setattr(MessageLoop, "serves_callers", callers)
        found[callers] = set()
        for seed in range(40):
            trace: list[Any] = []
            explore(_meeting, trace, seeds=[seed])
            found[callers].add(tuple(trace))
    assert found[True] == found[False]
