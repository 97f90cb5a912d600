"""GenServer: callbacks, what they may return, and in which order they run."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import trio
import trio.testing
from inside import process_of, runtime
from server_kit import a_server, end_of, end_of_start, inside

import trio_otp as otp

# -- calls and casts -------------------------------------------------------------------------------


async def test_callbacks_may_be_def_or_async_def() -> None:
    """Every callback is awaited if it is async, and taken as it is if not."""
    log: list[Any] = []

    class Plain(otp.GenServer):
        def init(self) -> None:
            log.append("init")

        def handle_call(self, request: Any, from_: Any) -> Any:
            return otp.Reply(request * 2)

        def handle_cast(self, message: Any) -> None:
            log.append(message)

        def terminate(self, reason: object) -> None:
            log.append(reason)

    class Async(Plain):
        async def init(self) -> None:
            await trio.lowlevel.checkpoint()
            log.append("init")

        async def handle_call(self, request: Any, from_: Any) -> Any:
            await trio.lowlevel.checkpoint()
            return otp.Reply(request * 2)

        async def terminate(self, reason: object) -> None:
            await trio.lowlevel.checkpoint()
            log.append(reason)

    for kind in (Plain, Async):
        log.clear()
        async with otp.open_process():
            pid = await otp.start_link(kind)
            otp.cast(pid, "cast")
            assert 42 == await otp.call(pid, 21)
            await otp.stop(pid)
        assert ["init", "cast", otp.NORMAL] == log


async def test_messages_of_one_sender_are_handled_in_order() -> None:
    """Casts, plain messages and calls of one sender are handled as they were sent (GS-15)."""
    async with otp.open_process():
        pid = await a_server()
        otp.cast(pid, 1)
        otp.send(pid, 2)
        otp.cast(pid, 3)
        await otp.call(pid, otp.Reply(None))
        kinds = [kind for kind, _ in inside(pid).log]
        assert ["cast", "info", "cast", "call"] == kinds


async def test_a_cast_to_nobody_is_counted() -> None:
    """A cast to a dead pid, an unknown name or via is dropped without an error (GS-15)."""
    async with otp.open_process():
        pid = await a_server()
        await otp.stop(pid)
        before = runtime().dropped
        for ref in (pid, "nobody", ("via", "nobody", "key")):
            otp.cast(ref, "x")
        assert before + 3 == runtime().dropped


async def test_a_call_to_nobody_is_no_process() -> None:
    """A call to a dead pid, an unknown name or via raises NoProcess with ref and request."""
    async with otp.open_process():
        pid = await a_server()
        await otp.stop(pid)
        for ref in (pid, "nobody", ("via", "nobody", "key")):
            with pytest.raises(otp.NoProcess, match="message 'ask'") as caught:
                await otp.call(ref, "ask")
            assert (ref, "ask", otp.NOPROC) == (
                caught.value.server,
                caught.value.message,
                caught.value.reason,
            )


async def test_one_message_at_a_time() -> None:
    """A handler that waits holds up the messages behind it: no reentrancy (GS-24)."""
    busy: list[str] = []

    async def slow() -> Any:
        busy.append("in")
        await trio.testing.wait_all_tasks_blocked()
        busy.append("out")
        return otp.Reply(None)

    async with otp.open_process():
        pid = await a_server()
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(otp.call, pid, slow)
    assert ["in", "out"] * 3 == busy


async def test_fault_16_a_flood_of_casts_lets_other_tasks_run() -> None:
    """While a server takes 10,000 casts, another task gets its turn again and again."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with otp.open_process():
        pid = await a_server()
        for number in range(10_000):
            otp.cast(pid, number)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            await otp.call(pid, otp.Reply(None), timeout=None)
            nursery.cancel_scope.cancel()
        assert 10_001 == len(inside(pid).log)
    assert turns > 10_000 / 66  # at most 64 in a row, after one that was waited for


class Steps(trio.abc.Instrument):
    """Counts the steps of one task."""

    def __init__(self, task: trio.lowlevel.Task | None) -> None:
        self.task = task
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += task is self.task


async def test_queued_messages_are_taken_many_at_a_time(autojump_clock: Any) -> None:
    """A server that never waits in its handlers takes up to 64 queued messages per step."""
    async with otp.open_process():
        pid = await a_server()
        await trio.testing.wait_all_tasks_blocked()
        for number in range(6400):
            otp.cast(pid, number)
        process = process_of(pid)
        steps = Steps(process.task)
        trio.lowlevel.add_instrument(steps)
        await otp.call(pid, otp.Reply(None))
        trio.lowlevel.remove_instrument(steps)
        assert 6400 / 65 <= steps.count <= 6400 / 60


class Thing:
    """What somebody may hold too long."""


async def test_a_server_that_waits_holds_nothing_of_its_last_message() -> None:
    """Neither message nor answer: each of many idle servers would keep a large one."""
    things: list[weakref.ref[Thing]] = []

    def thing() -> Thing:
        made = Thing()
        things.append(weakref.ref(made))
        return made

    async with otp.open_process():
        pid = await otp.start(Forgetful)
        for use in (otp.call, otp.cast, otp.call):
            used: Any = use(pid, thing)
            await (used or trio.testing.wait_all_tasks_blocked())
        await trio.testing.wait_all_tasks_blocked()
        assert [None] * 4 == [held() for held in things]


class Forgetful(otp.GenServer):
    """Answers what a function gives, and keeps nothing."""

    def handle_call(self, request: Any, from_: Any) -> Any:
        return otp.Reply(request())

    def handle_cast(self, message: Any) -> Any:
        message()
        return otp.NoReply(continue_=message)

    def handle_continue(self, token: Any) -> Any:
        token()


async def test_fault_11_a_server_that_casts_to_itself_does_not_block() -> None:
    """10,000 casts of a handler to its own server are all handled, after it has returned."""

    def flood() -> Any:
        for number in range(10_000):
            otp.cast(otp.self(), number)
        return otp.Reply("sent")

    async with otp.open_process():
        pid = await a_server()
        assert "sent" == await otp.call(pid, flood)
        await otp.stop(pid, timeout=None)


# -- what callbacks return -------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 0, "text", otp.NORMAL, [1], ValueError("as a value")])
async def test_fault_07_any_value_can_be_the_answer(value: Any) -> None:
    """Reply(value) answers with the value, None and exception objects included."""
    async with otp.open_process():
        assert value is await otp.call(await a_server(), otp.Reply(value))


async def test_fault_07_an_error_can_be_the_answer() -> None:
    """Reply(outcome.Error(exc)) raises exc in the caller; the server lives."""
    import outcome

    bug = LookupError("for the caller")
    async with otp.open_process():
        pid = await a_server()
        with pytest.raises(LookupError, match="for the caller") as caught:
            await otp.call(pid, otp.Reply(outcome.Error(bug)))
        assert bug is caught.value
        assert otp.is_alive(pid)
        assert "value" == await otp.call(pid, otp.Reply(outcome.Value("value")))


@pytest.mark.parametrize(
    ("send", "bad", "accepted"),
    [
        (otp.call, lambda: None, "Reply(None)"),
        (otp.call, lambda: 7, "Reply(value), NoReply() or Stop"),
        (otp.cast, lambda: 7, "None, NoReply() or Stop"),
        (otp.cast, lambda: otp.Reply(1), "None, NoReply() or Stop"),
        (otp.send, lambda: "x", "None, NoReply() or Stop"),
    ],
)
async def test_a_wrong_return_crashes_and_says_what_is_accepted(
    send: Any, bad: Any, accepted: str
) -> None:
    """What a callback may not return crashes the server with BadReturn (GS-9)."""
    async with otp.open_process():
        pid = await a_server()
        if send is otp.call:
            with pytest.raises(otp.ServerExited) as caught:
                await otp.call(pid, bad)
            reason = caught.value.reason
        else:
            send(pid, bad)
            reason = await end_of(pid)
        assert isinstance(reason, otp.BadReturn)
        assert accepted in str(reason)


@pytest.mark.parametrize("send", [otp.cast, otp.send])
async def test_stop_from_a_callback_ends_the_server(send: Any) -> None:
    """Stop(reason) from cast and info ends it with the reason."""
    async with otp.open_process():
        pid = await a_server()
        send(pid, otp.Stop("enough"))
        assert "enough" == await end_of(pid)


async def test_a_missing_callback_crashes_and_names_it() -> None:
    """A call or cast without a handler crashes the server with NoCallback (GS-16)."""
    async with otp.open_process():
        pid = await otp.start(otp.GenServer)
        with pytest.raises(otp.ServerExited, match="has no handle_call") as caught:
            await otp.call(pid, "what")
        assert isinstance(caught.value.reason, otp.NoCallback)
        pid = await otp.start(otp.GenServer)
        otp.cast(pid, "what")
        assert "has no handle_cast" in str(await end_of(pid))

        class Goes(otp.GenServer):
            def init(self) -> Any:
                return otp.NoReply(continue_="on")

        assert "has no handle_continue" in str(await end_of_start(Goes))


async def test_an_unknown_message_is_told_and_the_server_lives() -> None:
    """Without handle_info a message is a notice; with one, what it raises crashes (GS-16)."""
    notices: list[Any] = []
    async with otp.open_process():
        runtime().events.attach("notice", notices.append)
        pid = await otp.start(otp.GenServer)
        otp.send(pid, "surprise")
        await trio.testing.wait_all_tasks_blocked()
        assert otp.is_alive(pid)
        assert ["surprise" in notice.text for notice in notices] == [True]

        class Strict(otp.GenServer):
            def handle_info(self, message: Any) -> None:
                raise LookupError(message)

        pid = await otp.start(Strict)
        otp.send(pid, "surprise")
        assert isinstance(await end_of(pid), LookupError)


@pytest.mark.parametrize("timeout", [None, 60])
async def test_an_exit_signal_comes_before_a_message_of_the_same_moment(
    timeout: float | None,
) -> None:
    """A server that waits is handed a message, and told to end before it can handle it."""
    handled: list[Any] = []

    class Notes(otp.GenServer):
        def handle_cast(self, message: Any) -> otp.NoReply:
            handled.append(message)
            return otp.NoReply(timeout=timeout)

    async with otp.open_process():
        pid, _ = await otp.start_monitor(Notes)
        otp.cast(pid, "first")
        await trio.testing.wait_all_tasks_blocked()
        otp.cast(pid, "late")
        otp.exit(pid, otp.KILL)
        assert (await otp.receive(otp.Down)).reason is otp.KILLED
    assert ["first"] == handled
