"""GenServer: callbacks, what they may return, and in which order they run."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

import trio_otp as otp
from trio_otp.runtime import runtime


class Script(otp.GenServer):
    """Does in each callback what the message says: a value to return, or a function to call."""

    def __init__(self, init: Any = None) -> None:
        self.first = init
        self.log: list[Any] = []
        self.ended: list[Any] = []

    def init(self) -> Any:
        return self.first() if callable(self.first) else self.first

    async def handle_call(self, request: Any, from_: Any) -> Any:
        self.log.append(("call", request))
        return await self._do(request)

    async def handle_cast(self, message: Any) -> Any:
        self.log.append(("cast", message))
        return await self._do(message)

    async def handle_info(self, message: Any) -> Any:
        self.log.append(("info", message))
        return await self._do(message)

    async def handle_continue(self, token: Any) -> Any:
        self.log.append(("continue", token))
        return await self._do(token)

    async def _do(self, what: Any) -> Any:
        if callable(what):
            result = what()
            return await result if hasattr(result, "__await__") else result
        return what if isinstance(what, otp.Reply | otp.NoReply | otp.Stop) else None


def inside(pid: otp.Pid[Any]) -> Script:
    """Give the instance behind a pid."""
    process = pid._process
    assert process is not None
    instance: Script = process.instance
    return instance


async def log_of(pid: otp.Pid[Any]) -> list[Any]:
    """Give what a server has logged once it has nothing more to do."""
    await trio.testing.wait_all_tasks_blocked()
    return inside(pid).log


async def end_of(pid: otp.Pid[Any]) -> object:
    monitor = otp.monitor(pid)
    down = await otp.receive(lambda m: isinstance(m, otp.Down) and m.ref is monitor)
    return down.reason


async def end_of_start(child: Any) -> object:
    """Give the exit reason of a server that ends by itself after its init."""
    _, monitor = await otp.start_monitor(child)
    down = await otp.receive(otp.Down)
    assert monitor is down.ref
    return down.reason


async def a_server(*args: Any) -> otp.Pid[Script]:
    return await otp.start(otp.child(Script, *args))


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
            with pytest.raises(otp.NoProcess, match="request 'ask'") as caught:
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


# -- continue --------------------------------------------------------------------------------------


async def test_continue_comes_before_any_message() -> None:
    """continue_ of init runs before what was sent during init, and may chain (GS-2)."""

    def first() -> Any:
        for number in range(3):
            otp.cast(otp.self(), number)
        return otp.NoReply(continue_=lambda: otp.NoReply(continue_="second"))

    async with otp.open_process():
        pid = await a_server(first)
        kinds = [kind for kind, _ in await log_of(pid)]
        assert ["continue", "continue", "cast", "cast", "cast"] == kinds


async def test_continue_after_any_callback() -> None:
    """Reply and NoReply of call, cast and info take continue_; it runs next."""
    async with otp.open_process():
        pid = await a_server()
        for send in (otp.cast, otp.send):
            send(pid, otp.NoReply(continue_=f"after {send.__name__}"))
        assert 1 == await otp.call(pid, otp.Reply(1, continue_="after call"))
        tokens = [token for kind, token in await log_of(pid) if kind == "continue"]
        assert ["after cast", "after send", "after call"] == tokens


async def test_continue_may_stop() -> None:
    """Stop from handle_continue ends the server with the reason."""
    async with otp.open_process():
        child = otp.child(Script, otp.NoReply(continue_=otp.Stop("from continue")))
        assert "from continue" == await end_of_start(child)


# -- idle time-outs --------------------------------------------------------------------------------


async def test_an_idle_timeout_comes_once(autojump_clock: Any) -> None:
    """After timeout= seconds without a message handle_info gets Timeout(), once (GS-11)."""
    async with otp.open_process():
        pid = await a_server(otp.NoReply(timeout=5))
        await trio.sleep(4)
        assert [] == inside(pid).log
        await trio.sleep(100)
        assert [("info", otp.Timeout())] == inside(pid).log


async def test_any_message_cancels_an_idle_timeout(autojump_clock: Any) -> None:
    """A message ends the wait unless its callback returns the time-out again (GS-11)."""
    async with otp.open_process():
        for send in (otp.cast, otp.send):
            pid = await a_server(otp.NoReply(timeout=5))
            await trio.sleep(3)
            send(pid, "unrelated")
            await trio.sleep(100)
            assert 1 == len(inside(pid).log)
            send(pid, otp.NoReply(timeout=5))
            await trio.sleep(100)
            assert ("info", otp.Timeout()) == inside(pid).log[-1]
        assert 1 == await otp.call(pid, otp.Reply(1, timeout=5))
        await trio.sleep(5.5)
        assert [("info", otp.Timeout())] * 2 == [e for e in inside(pid).log if e[0] == "info"][-2:]


async def test_a_queued_message_beats_an_idle_timeout_of_zero(autojump_clock: Any) -> None:
    """timeout=0 fires only if the mailbox is empty (GS-11)."""

    def with_a_message() -> Any:
        otp.cast(otp.self(), "queued")
        return otp.NoReply(timeout=0)

    async with otp.open_process():
        pid = await a_server(with_a_message)
        assert [("cast", "queued")] == await log_of(pid)
        pid = await a_server(otp.NoReply(timeout=0))
        assert [("info", otp.Timeout())] == await log_of(pid)


@pytest.mark.parametrize("timeout", [-1, "x", True, float("nan")])
async def test_a_wrong_idle_timeout_crashes(timeout: Any) -> None:
    """A time-out that is none crashes the server that returned it, naming what is accepted."""
    async with otp.open_process():
        pid = await a_server()
        otp.cast(pid, otp.NoReply(timeout=timeout))
        assert "accepted is a number of seconds" in str(await end_of(pid))
