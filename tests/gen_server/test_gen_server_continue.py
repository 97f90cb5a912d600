"""GenServer: continue, which comes before any message, and idle time-outs."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from server_kit import Script, a_server, end_of, end_of_start, inside, log_of

import trio_otp as otp

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
        assert "expected a number of seconds" in str(await end_of(pid))
