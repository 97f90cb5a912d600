"""Calls that are answered late, or not, or whose callers gave up."""

from __future__ import annotations

import contextlib
import gc
import math
import weakref
from typing import Any

import pytest
import trio
import trio.testing
from desk_kit import Callers, Desk, Probe, inside, waits_for
from inside import runtime

import trio_otp as otp


@pytest.mark.parametrize(
    ("elapsed", "shown"),
    [
        (5.00103, "5 s"),
        (0.301691, "0.3 s"),
        (3600.5, "3600.5 s"),
        (0.0012, "0.0012 s"),
        (0.0, "0 s"),
    ],
)
def test_the_text_has_no_more_digits_than_a_person_needs(elapsed: float, shown: str) -> None:
    """The wait is always a little longer than its limit; `elapsed` has it in full."""
    error = otp.CallTimeout("desk", "later", elapsed)
    assert f"'desk' did not answer within {shown} (request 'later')" == str(error)
    assert elapsed == error.elapsed


async def test_fault_03_late_replies_change_nothing(autojump_clock: Any) -> None:
    """1,000 replies after the time-out leave server, mailbox and memory as they were."""
    async with otp.open_process():
        desk = await otp.start(Desk)
        for _ in range(1000):
            with pytest.raises(otp.CallTimeout):
                await otp.call(desk, "later", timeout=0.1)
        waiting = inside(desk).waiting
        before = runtime().dropped
        assert [False] * 1000 == [otp.reply(from_, "late") for from_ in waiting]
        assert before + 1000 == runtime().dropped
        waiting.clear()
        assert 0 == waits_for(desk)
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(timeout=10)
        assert {} == runtime().timers._fifos
        assert "pong" == await otp.call(desk, "ping")


async def test_answered_calls_leave_no_request_behind(autojump_clock: Any) -> None:
    """Neither tables nor timer queues hold an answered request."""
    async with otp.open_process():
        desk = await otp.start(Desk)
        requests: list[Any] = []
        for timeout in (5.0, None, 0.5, math.inf, 0.0):
            probe = Probe()
            requests.append(weakref.ref(probe))
            with contextlib.suppress(otp.CallTimeout):
                assert "pong" == await otp.call(desk, probe, timeout=timeout)
            del probe
        await trio.sleep(10)
        gc.collect()
        assert [None] * 5 == [request() for request in requests]
        assert {} == runtime().timers._fifos
        assert 0 == waits_for(desk)


async def test_a_time_out_tells_who_what_and_how_long(autojump_clock: Any) -> None:
    """CallTimeout has server, message, elapsed time, and is a TooSlowError."""
    async with otp.open_process():
        desk = await otp.start(otp.child(Desk).having(name="desk"))
        with pytest.raises(trio.TooSlowError) as caught:
            await otp.call("desk", "later", timeout=2.5)
        exc = caught.value
        assert isinstance(exc, otp.CallTimeout)
        assert ("desk", "later", 2.5, otp.TIMEOUT) == (
            exc.server,
            exc.message,
            exc.elapsed,
            exc.reason,
        )
        expected = "'desk' did not answer within 2.5 s (request 'later')"
        assert f"{expected}: idle, and has left this call without an answer" == str(exc)
        assert otp.is_alive(desk)


async def test_fault_05_a_busy_server_with_a_full_mailbox_does_not_delay_a_timeout(
    autojump_clock: Any,
) -> None:
    """call(timeout=0.1) of a server that is busy for 2 s returns after 0.1 s."""
    async with otp.open_process(), trio.open_nursery() as nursery:
        desk = await otp.start(Desk)
        Callers(nursery).call(desk, ("sleep", 2))
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(10_000):
            otp.send(desk, "noise")
        with pytest.raises(otp.CallTimeout):
            await otp.call(desk, "ping", timeout=0.1)
        assert 0.1 == trio.current_time()


async def test_an_answer_of_the_last_moment_wins(autojump_clock: Any) -> None:
    """A reply at the very moment of the time-out wins over it, every time (GN-7)."""
    async with otp.open_process():
        desk = await otp.start(Desk)
        for _ in range(50):
            assert "slept" == await otp.call(desk, ("sleep", 1), timeout=1)


async def test_fault_06_a_timeout_of_zero_sends_and_does_not_wait(autojump_clock: Any) -> None:
    """timeout=0 raises CallTimeout, every time, and the request is handled all the same."""
    async with otp.open_process():
        desk = await otp.start(Desk)
        for number in range(20):
            with trio.testing.assert_checkpoints(), pytest.raises(otp.CallTimeout):
                await otp.call(desk, "later", timeout=0)
            await trio.testing.wait_all_tasks_blocked()
            assert number + 1 == inside(desk).served
        assert all(from_.abandoned for from_ in inside(desk).waiting)
        assert 0 == waits_for(desk)


async def test_fault_06_a_timeout_of_zero_refuses_what_can_never_be() -> None:
    """A process that calls itself is told so, and sends nothing."""
    async with otp.open_process():
        with trio.testing.assert_checkpoints(), pytest.raises(otp.CallingSelf):
            await otp.call(otp.self(), "me", timeout=0)
        assert 0 == otp.process_info(otp.self()).message_queue_len


@pytest.mark.parametrize("timeout", [math.inf, None])
async def test_fault_06_a_timeout_of_infinity_waits(autojump_clock: Any, timeout: Any) -> None:
    """timeout=inf and None leave the limit to the cancel scope."""
    async with otp.open_process():
        desk = await otp.start(Desk)
        assert "slept" == await otp.call(desk, ("sleep", 1e6), timeout=timeout)


@pytest.mark.parametrize("timeout", [-1, math.nan, -math.inf, True, "5"])
async def test_fault_06_a_wrong_timeout_is_refused_before_anything_is_sent(timeout: Any) -> None:
    """A negative time-out, nan or no number is a ValueError of the caller."""
    async with otp.open_process():
        desk = await otp.start(Desk)
        with pytest.raises(ValueError, match=r"timeout=.*: expected"):
            await otp.call(desk, "ping", timeout=timeout)
        await trio.testing.wait_all_tasks_blocked()
        assert 0 == inside(desk).served


async def test_fault_04_a_caller_that_is_cancelled_before_it_calls_sends_nothing() -> None:
    """A call in a scope that is cancelled already raises Cancelled and reaches nobody."""
    async with otp.open_process():
        desk = await otp.start(Desk)
        with trio.CancelScope() as scope:
            scope.cancel()
            await otp.call(desk, "ping")
        assert scope.cancelled_caught
        await trio.testing.wait_all_tasks_blocked()
        assert 0 == inside(desk).served


@pytest.mark.parametrize("timeout", [5.0, None, 0.5, 0.0])
@pytest.mark.parametrize("with_channel", [False, True])
async def test_fault_04_a_call_that_is_taken_back_leaves_the_others(
    timeout: float | None, with_channel: bool
) -> None:
    """It wakes a server for nothing, which waits on; what was queued before it is handled."""
    async with otp.open_process(), trio.open_nursery() as nursery:
        desk = await otp.start(Desk)
        if with_channel:
            otp.send_end(desk).close()
        for queued in (0, 1):
            callers = Callers(nursery)
            for _ in range(queued):
                callers.call(desk, "ping")
            with trio.CancelScope() as scope:
                if queued:
                    await trio.lowlevel.checkpoint()
                scope.cancel()
                await otp.call(desk, "later", timeout=timeout)
            assert scope.cancelled_caught
            await trio.testing.wait_all_tasks_blocked()
            assert ["pong"] * queued == callers.got
        assert (1, [], 0) == (inside(desk).served, inside(desk).waiting, waits_for(desk))
        assert "pong" == await otp.call(desk, "ping")


async def test_fault_04_a_queued_call_whose_caller_gave_up_is_still_handled(
    autojump_clock: Any,
) -> None:
    """A cancelled caller's queued request is handled, as in OTP, and its reply is dropped."""
    async with otp.open_process(), trio.open_nursery() as nursery:
        desk = await otp.start(Desk)
        callers = Callers(nursery)
        callers.call(desk, ("sleep", 5), timeout=None)
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(1):
            await otp.call(desk, "ping")
        assert 1 == trio.current_time()
        assert 1 == inside(desk).served
        await trio.sleep(5)
        assert 2 == inside(desk).served
    assert ["slept"] == callers.got


async def test_fault_09_what_arrives_during_a_call_is_there_afterwards() -> None:
    """Messages that reach a caller while it waits for an answer stay in its mailbox, in order."""

    async def sends(pid: otp.Pid[Any]) -> str:
        for number in range(3):
            otp.send(pid, number)
        return "answer"

    async with otp.open_process() as me:
        desk = await otp.start(Desk)
        assert "answer" == await otp.call(desk, ("helper", sends, me))
        assert [0, 1, 2] == [await otp.receive() for _ in range(3)]
