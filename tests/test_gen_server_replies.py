"""Replies: deferred, late, twice, from elsewhere, and what becomes of those who wait."""

from __future__ import annotations

import contextlib
import gc
import math
import weakref
from typing import Any

import outcome
import pytest
import trio
import trio.testing

import trio_otp as otp
from trio_otp.runtime import runtime


class Desk(otp.GenServer):
    """Answers at once, later, twice or never."""

    def __init__(self) -> None:
        self.waiting: list[otp.From[Any]] = []
        self.served = 0

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        self.served += 1
        match request:
            case "later":
                self.waiting.append(from_)
                return otp.NoReply()
            case ("sleep", seconds):
                await trio.sleep(seconds)
                return otp.Reply("slept")
            case ("helper", function, *args):
                otp.reply_from_task(from_, function, *args)
                return otp.NoReply()
            case "twice":
                otp.reply(from_, "first")
                return otp.Reply("second")
            case "ping" | Probe():
                return otp.Reply("pong")
            case _:
                raise LookupError(request)


class Probe:
    """A request whose end can be observed."""


def inside(pid: otp.Pid[Any]) -> Desk:
    process = pid._process
    assert process is not None
    instance: Desk = process.instance
    return instance


def waits_for(pid: otp.Pid[Any]) -> int:
    """Count the requests that a server has yet to answer."""
    process = pid._process
    assert process is not None
    return len(process.requests)


class Callers:
    """Any number of callers, in tasks of their own, and what each of them got."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.got: list[Any] = []

    def call(self, *args: Any, **kwargs: Any) -> None:
        self.nursery.start_soon(self._call, args, kwargs)

    async def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            self.got.append(await otp.call(*args, **kwargs))
        except otp.CallError as exc:
            self.got.append(exc)


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
    with pytest.raises(TypeError, match="from_=7: accepted is the From"):
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


# -- late ------------------------------------------------------------------------------------------


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
        assert "'desk' did not answer within 2.5 s (request 'later')" == str(exc)
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
        with pytest.raises(ValueError, match=r"timeout=.*: accepted is"):
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
        process = desk._process
        assert process is not None
        assert {} == process.watchers
        assert 2 == len(runtime().processes)


async def test_reply_from_task_needs_a_process() -> None:
    """In plain Trio code there is no server whose helper it could be."""
    with pytest.raises(otp.NotAProcess):
        otp.reply_from_task(object(), trio.sleep_forever)
