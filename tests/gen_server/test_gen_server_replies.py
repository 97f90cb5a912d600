"""Replies: deferred, twice, from elsewhere, and by helpers."""

from __future__ import annotations

from typing import Any

import outcome
import pytest
import trio
import trio.testing
from desk_kit import Callers, Desk, inside, waits_for
from inside import process_of, runtime

import trio_otp as otp

# -- deferred --------------------------------------------------------------------------------------


async def test_a_deferred_reply_from_anywhere() -> None:
    """After NoReply the call is answered by otp.reply, from any process or plain task (GS-14)."""
    async with otp.open_process(), trio.open_nursery() as nursery:
        desk = await otp.start(Desk)
        callers = Callers(nursery)
        for _ in range(3):
            callers.call(desk, "later", timeout=None)
        await trio.testing.wait_all_tasks_blocked()
        assert "pong" == await otp.call(desk, "ping")
        first, second, third = inside(desk).waiting
        assert otp.reply(first, 1)
        otp.spawn(replies, second, 2)
        trio.lowlevel.spawn_system_task(replies, third, outcome.Value(3))
    assert [1, 2, 3] == sorted(callers.got)


async def replies(from_: otp.From[Any], value: object) -> None:
    otp.reply(from_, value)


async def test_fault_10_a_from_is_used_once() -> None:
    """A second reply returns False, is counted, and changes nothing."""
    async with otp.open_process(), trio.open_nursery() as nursery:
        desk = await otp.start(Desk)
        callers = Callers(nursery)
        callers.call(desk, "later")
        await trio.testing.wait_all_tasks_blocked()
        (from_,) = inside(desk).waiting
        before = runtime().dropped
        assert otp.reply(from_, "first")
        assert not otp.reply(from_, "second")
        assert before + 1 == runtime().dropped
        assert "first" == await otp.call(desk, "twice")
        assert "pong" == await otp.call(desk, "ping")
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(timeout=0)
    assert ["first"] == callers.got


async def test_reply_takes_a_from_only() -> None:
    """Anything else is a TypeError that names the argument."""
    with pytest.raises(TypeError, match="from_=7: expected the From"):
        otp.reply(7, "x")


async def test_an_abandoned_request_tells(autojump_clock: Any) -> None:
    """from_.abandoned is True once the caller has timed out or was cancelled, not before."""
    async with otp.open_process(), trio.open_nursery() as nursery:
        desk = await otp.start(Desk)
        callers = Callers(nursery)
        callers.call(desk, "later", timeout=5)
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(2):
            await otp.call(desk, "later")
        one, two = inside(desk).waiting
        assert (False, True) == (one.abandoned, two.abandoned)
        await trio.sleep(4)
        assert one.abandoned
        assert not otp.reply(one, "too late")
        assert 0 == waits_for(desk)
        assert "done" in repr(one)


async def test_a_request_tells_what_was_asked_by_whom() -> None:
    """from_.caller is the pid of the process that calls, and None for plain Trio code."""
    async with otp.open_process() as me, trio.open_nursery() as nursery:
        desk = await otp.start(Desk)
        nursery.start_soon(otp.call, desk, "later")
        await trio.testing.wait_all_tasks_blocked()
        [asked] = inside(desk).waiting
        assert ("later", me) == (asked.message, asked.caller)
        assert otp.reply(asked, "now")
        assert me == asked.caller
    async with trio.open_nursery() as nursery:
        desk = await otp.start(Desk, nursery=nursery)
        nursery.start_soon(otp.call, desk, "later")
        await trio.testing.wait_all_tasks_blocked()
        [asked] = inside(desk).waiting
        assert None is asked.caller
        assert otp.reply(asked, "now")
        await otp.stop(desk)


# -- reply_from_task -------------------------------------------------------------------------------


async def test_a_helper_answers_while_the_server_goes_on(autojump_clock: Any) -> None:
    """reply_from_task answers with what the function returns; meanwhile the server serves."""

    async def slowly(answer: str) -> str:
        await trio.sleep(3)
        return answer

    async with otp.open_process(), trio.open_nursery() as nursery:
        desk = await otp.start(Desk)
        callers = Callers(nursery)
        callers.call(desk, ("helper", slowly, "done"))
        await trio.testing.wait_all_tasks_blocked()
        assert "pong" == await otp.call(desk, "ping")
        assert 0 == trio.current_time()
    assert ["done"] == callers.got
    assert 3 == trio.current_time()


@pytest.mark.parametrize(
    ("end", "reason"),
    [("raise", LookupError), ("exit", str), ("cancel", otp.KILLED), ("none", None)],
)
async def test_a_helper_that_ends_without_an_answer_answers(end: str, reason: Any) -> None:
    """A helper that raises, exits or is killed fails its call with the reason; the server lives."""

    async def helper() -> None:
        match end:
            case "raise":
                raise LookupError("helper")
            case "exit":
                otp.exit("left")
            case "cancel":
                otp.exit(otp.self(), otp.KILL)

    async with otp.open_process():
        desk = await otp.start(Desk)
        if reason is None:
            assert await otp.call(desk, ("helper", helper)) is None
            return
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call(desk, ("helper", helper))
        got = caught.value.reason
        assert got is reason or isinstance(got, reason)
        assert "pong" == await otp.call(desk, "ping")


async def test_a_helper_ends_with_its_server() -> None:
    """When the server ends, its helpers do, and their calls fail with the server's reason."""
    ended: list[str] = []

    async def helper() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("helper")

    async with otp.open_process(), trio.open_nursery() as nursery:
        desk = await otp.start(Desk)
        callers = Callers(nursery)
        for _ in range(3):
            callers.call(desk, ("helper", helper))
        await trio.testing.wait_all_tasks_blocked()
        otp.exit(desk, "gone")
        await trio.testing.wait_all_tasks_blocked()
        assert ["helper"] * 3 == ended
        assert 1 == len(runtime().processes)
    assert ["gone"] * 3 == [exc.reason for exc in callers.got]


async def test_helpers_that_are_done_are_forgotten() -> None:
    """A server keeps nothing of helpers that have answered."""

    async def helper() -> str:
        return "done"

    async with otp.open_process():
        desk = await otp.start(Desk)
        for _ in range(100):
            assert "done" == await otp.call(desk, ("helper", helper))
        await trio.testing.wait_all_tasks_blocked()
        process = process_of(desk)
        assert not process.watchers
        assert 2 == len(runtime().processes)


async def test_reply_from_task_needs_a_process() -> None:
    """In plain Trio code there is no server whose helper it could be."""
    with pytest.raises(otp.NotAProcess):
        otp.reply_from_task(object(), trio.sleep_forever)
