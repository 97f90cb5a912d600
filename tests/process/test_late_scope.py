"""The scope of a process, made late: whatever ends it ends it alike, in every state."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from inside import process_of

import trio_otp as otp


class Worker(otp.GenServer):
    """Notes how it ended; an `async def` callback is what makes it need a scope."""

    def __init__(self, ended: list[object], *, wait_in_init: bool = False) -> None:
        self.ended = ended
        self.wait_in_init = wait_in_init

    def init(self) -> Any:
        return self._prepare() if self.wait_in_init else None

    async def _prepare(self) -> None:
        await trio.sleep(1)

    def handle_call(self, request: Any, from_: Any) -> Any:
        return self._wait(request) if isinstance(request, float) else otp.Reply(request)

    async def _wait(self, seconds: float) -> otp.Reply[float]:
        await trio.sleep(seconds)
        return otp.Reply(seconds)

    def terminate(self, reason: object) -> None:
        self.ended.append(reason)


# -- the states ----------------------------------------------------------------------------------


async def waits(pid: otp.Pid[Any], nursery: trio.Nursery) -> None:
    """It waits for its first message."""
    await trio.testing.wait_all_tasks_blocked()


async def waits_again(pid: otp.Pid[Any], nursery: trio.Nursery) -> None:
    """It has handled a message without waiting."""
    assert await otp.call(pid, "plain") == "plain"


async def has_waited(pid: otp.Pid[Any], nursery: trio.Nursery) -> None:
    """It has handled a message for which it waited."""
    assert await otp.call(pid, 1.0) == 1.0


async def waits_inside(pid: otp.Pid[Any], nursery: trio.Nursery) -> None:
    """It handles a message, and waits."""
    otp.send_request(pid, 100.0)
    await trio.testing.wait_all_tasks_blocked()


async def has_a_message(pid: otp.Pid[Any], nursery: trio.Nursery) -> None:
    """It has been given a message and has not run since."""
    await trio.testing.wait_all_tasks_blocked()
    otp.send_request(pid, "plain")


async def has_a_channel(pid: otp.Pid[Any], nursery: trio.Nursery) -> None:
    """It waits, and somebody has asked for the send end of its mailbox."""
    await trio.testing.wait_all_tasks_blocked()
    otp.send_end(pid).close()
    await trio.testing.wait_all_tasks_blocked()


State = "Callable[[otp.Pid[Any], trio.Nursery], Awaitable[None]]"
STATES = [waits, waits_again, has_waited, waits_inside, has_a_message, has_a_channel]
each_state = pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)


@each_state
@pytest.mark.parametrize(
    ("reason", "expected"), [(otp.KILL, otp.KILLED), ("boom", "boom")], ids=["kill", "signal"]
)
async def test_an_exit_signal_ends_it_without_terminate(
    state: Any, reason: object, expected: object, autojump_clock: object
) -> None:
    """A kill and another signal end it with their reason, and `terminate` does not run."""
    ended: list[object] = []
    async with otp.open_process(), trio.open_nursery() as nursery:
        pid = await otp.start(otp.child(Worker, ended), nursery=nursery)
        watch = otp.monitor(pid)
        await state(pid, nursery)
        otp.exit(pid, reason)

        assert not otp.is_alive(pid)
        down = await otp.receive(otp.Down, timeout=1)
        assert (down.ref, down.reason) == (watch, expected)
    assert ended == []


@each_state
async def test_a_supervisor_stops_it_in_order(state: Any, autojump_clock: object) -> None:
    """An end that was asked for runs `terminate` once, also if it has never needed a scope."""
    ended: list[object] = []
    async with trio.open_nursery() as nursery, otp.open_supervisor() as sup:
        pid = await otp.start_child(sup, otp.child(Worker, ended).having(id=1))
        await state(pid, nursery)
        await otp.terminate_child(sup, 1)

        assert ended == [otp.SHUTDOWN]
        assert not otp.is_alive(pid)


@each_state
async def test_stop_comes_after_what_was_sent_before(state: Any, autojump_clock: object) -> None:
    """`otp.stop` is a message: what waits is answered, then it ends in order."""
    ended: list[object] = []
    async with trio.open_nursery() as nursery:
        pid = await otp.start(otp.child(Worker, ended), nursery=nursery)
        await state(pid, nursery)
        await otp.stop(pid, "done")
    assert ended == ["done"]


@each_state
async def test_a_cancelled_nursery_stops_the_newest_first(
    state: Any, autojump_clock: object
) -> None:
    """Cancelling where they live ends nobody by itself: the guard stops them one by one."""
    ended: list[object] = []
    calls: list[object] = []

    class Caller(Worker):
        async def terminate(self, reason: object) -> None:
            calls.append(await otp.call(older, "still there"))
            await trio.sleep(1)
            ended.append("newer")

    async with trio.open_nursery() as nursery:
        older = await otp.start(otp.child(Worker, ended), nursery=nursery)
        newer = await otp.start(otp.child(Caller, ended), nursery=nursery)
        await state(newer, nursery)
        if state is not waits_inside:
            await state(older, nursery)
        nursery.cancel_scope.cancel()
    assert calls == ["still there"]
    assert ended == ["newer", otp.SHUTDOWN]


async def test_a_server_in_a_cancelled_nursery_serves_until_it_is_stopped(
    autojump_clock: object,
) -> None:
    """Nothing of the cancellation is visible in its callbacks, before or after they wait."""
    seen: list[object] = []

    class Looking(otp.GenServer):
        async def handle_call(self, request: Any, from_: Any) -> otp.Reply[float]:
            await trio.sleep(1)
            return otp.Reply(trio.current_effective_deadline())

    class Last(otp.GenServer):
        async def terminate(self, reason: object) -> None:
            seen.extend([await otp.call(looking, 1), await otp.call(looking, 2)])

    async with trio.open_nursery() as nursery:
        looking = await otp.start(Looking, nursery=nursery)
        await otp.start(Last, nursery=nursery)
        nursery.cancel_scope.cancel()
    assert seen == [float("inf"), float("inf")]


async def test_a_terminate_that_cannot_wait_has_no_scope(autojump_clock: object) -> None:
    """A `def` sees the deadline around its server; an `async def` is shielded from it."""
    seen: list[object] = []

    class Plain(otp.GenServer):
        def terminate(self, reason: object) -> None:
            seen.append(trio.current_effective_deadline())

    class Waiting(otp.GenServer):
        async def terminate(self, reason: object) -> None:
            await trio.sleep(1)
            seen.append(trio.current_effective_deadline())

    async with trio.open_nursery() as nursery:
        nursery.cancel_scope.deadline = at = trio.current_time() + 9
        await otp.stop(await otp.start(Plain, nursery=nursery))
        await otp.start(Waiting, nursery=nursery)
        await otp.start(Plain, nursery=nursery)
    async with otp.open_supervisor([Plain]):
        pass
    assert seen == [at, float("-inf"), float("inf"), float("inf")]


@pytest.mark.parametrize("reason", [otp.KILL, "boom"])
async def test_a_signal_before_the_first_step_ends_the_start(
    reason: object, autojump_clock: object
) -> None:
    """Who is killed before its task has run never runs, and the start says so."""
    ended: list[object] = []
    made: list[object] = []

    class Never(Worker):
        def init(self) -> None:
            made.append(self)

    def kill(pid: otp.Pid[Any]) -> None:
        otp.exit(pid, reason)

    otp.events.attach("process_start", kill)
    async with trio.open_nursery() as nursery:
        with pytest.raises(otp.StartError) as caught:
            await otp.start(otp.child(Never, ended), nursery=nursery)
        assert caught.value.reason == (otp.KILLED if reason is otp.KILL else reason)
    assert (made, ended, otp.process_count()) == ([], [], 0)


async def test_a_signal_of_its_own_init_ends_the_start(autojump_clock: object) -> None:
    """An init without a checkpoint that lets itself be killed does not start."""

    class Suicidal(otp.GenServer):
        def init(self) -> None:
            process = otp.self()
            helper = otp.spawn(trio.sleep_forever)
            otp.exit(helper, otp.KILL)
            process_of(process).exit_with("boom")

    async with trio.open_nursery() as nursery:
        with pytest.raises(otp.StartError) as caught:
            await otp.start(Suicidal, nursery=nursery)
        assert caught.value.reason == "boom"


async def test_a_nursery_cancelled_before_the_first_step(autojump_clock: object) -> None:
    """A process that has not run yet is started, then stopped as any other."""
    ended: list[object] = []
    async with trio.open_nursery() as nursery:
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as helper:
                helper.start_soon(otp_start, otp.child(Worker, ended), nursery)
                nursery.cancel_scope.cancel()
    assert ended in ([], [otp.SHUTDOWN])
    assert otp.process_count() == 0


async def otp_start(child: Any, nursery: trio.Nursery) -> None:
    """Start a server in a nursery that is about to be cancelled."""
    await otp.start(child, nursery=nursery)


async def test_an_init_that_waits_is_ended_by_its_time_out(autojump_clock: object) -> None:
    """An `async` init has a scope from its first moment on."""
    ended: list[object] = []
    async with trio.open_nursery() as nursery:
        slow = otp.child(Worker, ended, wait_in_init=True)
        with pytest.raises(otp.StartError) as caught:
            await otp.start(slow.having(timeout=0.5), nursery=nursery)
        assert caught.value.reason is otp.TIMEOUT
        await otp.start(slow, nursery=nursery)
        nursery.cancel_scope.cancel()
    assert ended == [otp.SHUTDOWN]


async def test_a_callback_that_raises_in_a_cancelled_nursery_runs_terminate(
    autojump_clock: object,
) -> None:
    """The crash of a server without a scope finds a shielded `terminate`, and is reported once."""
    reports: list[otp.CrashReport] = []
    ended: list[object] = []
    otp.events.attach("crash", reports.append)

    class Crashing(otp.GenServer):
        def handle_cast(self, message: Any) -> None:
            raise ValueError(message)

        async def terminate(self, reason: object) -> None:
            await trio.sleep(1)
            ended.append(type(reason))

    class Last(otp.GenServer):
        async def terminate(self, reason: object) -> None:
            otp.cast(crashing, "boom")
            await trio.sleep(2)

    async with trio.open_nursery() as nursery:
        crashing = await otp.start(Crashing, nursery=nursery)
        await otp.start(Last, nursery=nursery)
        nursery.cancel_scope.cancel()
    assert ended == [ValueError]
    assert [type(report.reason) for report in reports] == [ValueError]


async def test_a_time_out_of_an_idle_server_in_a_cancelled_nursery(autojump_clock: object) -> None:
    """Its idle time-out runs out as ever: the wait for it is shielded too."""
    seen: list[object] = []

    class Idle(otp.GenServer):
        def init(self) -> otp.NoReply:
            return otp.NoReply(timeout=1)

        def handle_info(self, message: Any) -> None:
            seen.append(message)

    class Last(otp.GenServer):
        async def terminate(self, reason: object) -> None:
            await trio.sleep(2)

    async with trio.open_nursery() as nursery:
        await otp.start(Idle, nursery=nursery)
        await otp.start(Last, nursery=nursery)
        nursery.cancel_scope.cancel()
    assert [type(message) for message in seen] == [otp.Timeout]


async def test_a_server_that_never_waits_has_no_scope(autojump_clock: object) -> None:
    """What it is for: neither start nor plain callbacks make one, a callback that waits does."""
    ended: list[object] = []
    async with trio.open_nursery() as nursery:
        pid = await otp.start(otp.child(Worker, ended), nursery=nursery)
        process = process_of(pid)
        for state in (waits, waits_again, has_a_message, waits):
            await state(pid, nursery)
            assert process.scope is None
        await has_waited(pid, nursery)
        assert process.scope is not None
        nursery.cancel_scope.cancel()
