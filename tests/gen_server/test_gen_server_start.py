"""The start of a server: init, names, time-outs, and what a failed one leaves: nothing."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
import trio.testing
from inside import process_of, runtime
from server_kit import Noted, Pages, raises

import trio_otp as otp


async def nothing_left() -> None:
    """Check that no process but the own one, no name and no message is left."""
    assert [otp.self()] == [process.pid for process in runtime().processes.values()]
    assert {} == runtime().names
    assert not runtime().processes[otp.self()._number].links
    with pytest.raises(otp.ReceiveTimeout):
        await otp.receive(timeout=0)


# -- start -----------------------------------------------------------------------------------------


async def test_a_start_returns_after_init(autojump_clock: Any) -> None:
    """The starter waits until init is over; messages sent meanwhile queue up (GS-1, GN-1)."""
    pages: Pages = []

    async def slow_init() -> None:
        pages.append("begin")
        await trio.sleep(5)
        pages.append("end")

    async def early() -> None:
        await trio.sleep(1)
        otp.cast("server", "early")

    async with otp.open_process(), trio.open_nursery() as nursery:
        nursery.start_soon(early)
        await otp.start_link(otp.child(Noted, pages, init=slow_init).having(name="server"))
        assert 5 == trio.current_time()
        await trio.testing.wait_all_tasks_blocked()
        assert ["begin", "end", "early"] == pages


async def test_the_constructor_runs_in_the_new_process() -> None:
    """In __init__ self() is the new process, and its name is taken already."""
    seen: list[Any] = []

    class Curious(otp.GenServer):
        def __init__(self) -> None:
            seen.extend([otp.self(), otp.whereis("curious"), otp.ancestors()])

    async with otp.open_process(name="boss"):
        pid = await otp.start_link(otp.child(Curious).having(name="curious"))
        assert [pid, pid, ("boss",)] == seen


@pytest.mark.parametrize("start", [otp.start_link, otp.start, otp.start_monitor])
@pytest.mark.parametrize(
    "init",
    [
        raises(ValueError("bad")),
        lambda: otp.exit("left"),
        lambda: otp.Stop("stopped"),
        lambda: 7,
        lambda: otp.Reply(1),
    ],
)
async def test_fault_17_a_failed_init_is_an_error_and_leaves_nothing(start: Any, init: Any) -> None:
    """init that raises, exits, stops or returns nonsense is StartError with the reason (GS-3,4)."""
    pages: Pages = []
    crashes: list[Any] = []
    async with otp.open_process(trap_exit=True):
        runtime().events.attach("crash", crashes.append)
        child = otp.child(Noted, pages, init=init).having(name="server")
        with pytest.raises(otp.StartError, match="Noted did not start") as caught:
            await start(child)
        reason = caught.value.reason
        assert reason in ("left", "stopped") or isinstance(reason, ValueError | otp.BadReturn)
        if isinstance(reason, BaseException):
            assert reason is caught.value.__cause__
            assert reason.__traceback__ is not None
        await nothing_left()
    assert [] == pages
    assert [] == crashes


async def test_fault_19_a_constructor_that_raises_leaves_nothing() -> None:
    """An error of __init__ is a StartError, a monitor of the name hears of the end."""

    class Broken(otp.GenServer):
        def __init__(self) -> None:
            otp.send("boss", otp.self())
            raise LookupError("constructor")

    async with otp.open_process(name="boss"):
        with pytest.raises(otp.StartError, match="constructor") as caught:
            await otp.start_link(otp.child(Broken).having(name="broken"))
        assert isinstance(caught.value.__cause__, LookupError)
        pid = await otp.receive(otp.Pid)
        assert not otp.is_alive(pid)
        otp.unregister("boss")
        await nothing_left()


async def test_a_wrong_argument_is_the_starters_type_error() -> None:
    """otp.child refuses arguments that the constructor does not take, before anything starts."""
    with pytest.raises(TypeError, match=r"Noted: .*'pages'; it is Noted\(pages: "):
        otp.child(Noted, pagse=[])


@pytest.mark.parametrize("start", [otp.start_link, otp.start, otp.start_monitor])
async def test_ignore_is_none(start: Any) -> None:
    """An init that returns IGNORE makes the start return None, and leaves nothing (GS-4)."""
    pages: Pages = []
    async with otp.open_process(trap_exit=True):
        assert await start(otp.child(Noted, pages, init=otp.IGNORE).having(name="server")) is None
        await nothing_left()
    assert [] == pages


async def test_fault_18_an_init_that_takes_too_long_is_killed(autojump_clock: Any) -> None:
    """After timeout= seconds the child is killed and the error is StartError(TIMEOUT) (GN-3)."""
    pages: Pages = []
    child = otp.child(Noted, pages, init=trio.sleep_forever).having(name="server", timeout=3)
    async with otp.open_process(trap_exit=True):
        for start in (otp.start_link, otp.start, otp.start_monitor):
            began = trio.current_time()
            with pytest.raises(otp.StartError) as caught:
                await start(child)
            assert otp.TIMEOUT is caught.value.reason
            assert began + 3 == trio.current_time()
            await nothing_left()
    assert [] == pages


@pytest.mark.parametrize("end", ["cancelled", "killed", "timed out"])
async def test_an_init_that_ends_too_late_has_failed(autojump_clock: Any, end: str) -> None:
    """An init that shields itself from its end, and then succeeds, is a failed one all the same."""
    pages: Pages = []

    async def shielded() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(5)

    async def kill() -> None:
        await trio.sleep(1)
        otp.exit("server", otp.KILL)

    async with otp.open_process(trap_exit=True):
        child = otp.child(Noted, pages, init=shielded).having(name="server")
        if end == "killed":
            otp.spawn(kill)
        with trio.move_on_after(1 if end == "cancelled" else 1000) as scope:
            with pytest.raises(otp.StartError) as caught:
                await otp.start_link(child.having(timeout=1 if end == "timed out" else None))
            assert (otp.TIMEOUT if end == "timed out" else otp.KILLED) is caught.value.reason
        assert (end == "cancelled") == scope.cancelled_caught
        assert 5 == trio.current_time()
        await nothing_left()
    assert [] == pages


@pytest.mark.parametrize("timeout", [math.inf, None, 5.0])
async def test_an_init_in_time_leaves_no_timer(autojump_clock: Any, timeout: Any) -> None:
    """A start time-out that is met, or infinite, leaves nothing with the timer service."""
    child = otp.child(Noted, []).having(timeout=timeout)
    async with otp.open_process():
        await otp.start_link(child)
        assert not any(runtime().timers._fifos.values())


async def test_a_name_that_is_taken_is_already_started() -> None:
    """A second start under a name raises AlreadyStarted, and its init never runs (GN-1)."""
    ran: list[str] = []
    async with otp.open_process():
        child = otp.child(Noted, [], init=lambda: ran.append("init")).having(name="server")
        pid = await otp.start_link(child)
        with pytest.raises(otp.AlreadyStarted) as caught:
            await otp.start_link(child)
        assert pid is caught.value.pid
        assert isinstance(caught.value, otp.StartError)
    assert ["init"] == ran


async def test_a_start_waits_for_the_end_of_a_dying_holder(autojump_clock: Any) -> None:
    """The name of a process that is about to end is waited for, not refused."""

    async def slow_end() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(4)

    async with otp.open_process():
        dying = otp.spawn(slow_end)
        otp.register("server", dying)
        await trio.testing.wait_all_tasks_blocked()
        otp.exit(dying, "slowly")
        pid = await otp.start_link(otp.child(Noted, []).having(name="server"))
        assert 4 == trio.current_time()
        assert pid is otp.whereis("server")


async def test_a_monitor_of_a_start_misses_nothing(autojump_clock: Any) -> None:
    """start_monitor tells the reason also of a server that ends right after its init."""
    async with otp.open_process():
        for _ in range(20):
            child = otp.child(Noted, [], init=otp.NoReply(continue_="x"))
            pid, monitor = await otp.start_monitor(child)
            message = await otp.receive(otp.Down, timeout=1)
            assert (monitor, pid) == (message.ref, message.pid)
            assert isinstance(message.reason, otp.NoCallback)


async def test_starts_in_plain_code_need_a_nursery() -> None:
    """start_link and start_monitor need a process, start a nursery; the errors say so."""
    with pytest.raises(otp.NotAProcess, match="open_process"):
        await otp.start_link(Noted)
    with pytest.raises(otp.NotAProcess, match="open_process"):
        await otp.start_monitor(Noted)
    with pytest.raises(otp.NotAProcess, match="nursery=nursery"):
        await otp.start(otp.child(Noted, []))


async def test_a_function_child_has_started_when_it_says_so() -> None:
    """A function with task_status is started at started(value), kept with the process."""

    async def service(name: str, *, task_status: Any) -> None:
        await trio.lowlevel.checkpoint()
        task_status.started(f"port of {name}")
        await trio.sleep_forever()

    async def never(*, task_status: Any) -> None:
        await trio.lowlevel.checkpoint()

    async def twice(*, task_status: Any) -> None:
        task_status.started()
        task_status.started()

    async with otp.open_process():
        pid = await otp.start(otp.child(service, "web"))
        process = process_of(pid)
        assert "port of web" == process.extras.started
        with pytest.raises(otp.StartError, match=r"without calling task_status\.started\(\)"):
            await otp.start(otp.child(never))
        pid, _ = await otp.start_monitor(otp.child(twice))
        assert "called twice" in str((await otp.receive(otp.Down)).reason)
