"""Worker threads as children: real threads, synchronised by events."""

from __future__ import annotations

import functools
import queue
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.lowlevel
import trio.testing
from depth import few
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inside import runtime, worker_thread
from supervision_kit import Reports, statuses

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable


class Gate:
    """What a thread and a test tell each other."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.leave = threading.Event()
        self.seen: list[object] = []

    async def wait_entered(self) -> None:
        """Wait until the thread is inside of its function."""
        assert await trio.to_thread.run_sync(self.entered.wait, 10)

    def sit_here(self) -> None:
        """Ignore every request to stop."""
        self.entered.set()
        assert self.leave.wait(10)

    def poll(self) -> None:
        """Stop by check_cancelled."""
        self.entered.set()
        try:
            while not self.leave.wait(0.001):
                trio.from_thread.check_cancelled()
        finally:
            self.seen.append("out")

    def obey(self) -> None:
        """Stop by the event."""
        stop = otp.WorkerThread.stop_event()
        self.entered.set()
        assert stop.wait(10)
        self.seen.append("told")

    def drain(self, items: queue.Queue[object]) -> None:
        """Stop by what a callback puts into a queue."""
        otp.WorkerThread.on_stop(functools.partial(items.put, None))
        self.entered.set()
        while (item := items.get(timeout=10)) is not None:
            self.seen.append(item)


def thread(fn: Callable[..., object], *args: Any, **options: Any) -> otp.Child[otp.WorkerThread]:
    """Return a thread as a child, called `t`."""
    return otp.child(otp.WorkerThread, fn, *args).having(name="t", **options)


async def test_it_runs_in_a_thread_of_its_own_and_its_return_is_normal() -> None:
    """The function gets its arguments, in another thread; its return ends the process normally."""
    seen: list[object] = []

    def work(*args: object) -> str:
        seen.extend([*args, threading.get_ident() != main])
        return "ignored"

    main = threading.get_ident()
    async with otp.open_process():
        pid, _ = await otp.start_monitor(otp.child(otp.WorkerThread, work, 1, "two"))
        down = await otp.receive(otp.Down)
    assert [1, "two", True] == seen
    assert (pid, otp.NORMAL) == (down.pid, down.reason)


@pytest.mark.parametrize(
    ("restart", "crash", "runs"),
    [
        ("permanent", False, 3),
        ("permanent", True, 3),
        ("transient", False, 1),
        ("transient", True, 3),
        ("temporary", True, 1),
    ],
)
async def test_it_is_restarted_by_its_rule(restart: Any, crash: bool, runs: int) -> None:
    """A return is a normal end and an exception a crash, so the restart types apply."""
    ran: list[int] = []
    third = threading.Event()

    def work() -> None:
        ran.append(1)
        if len(ran) == 3:
            third.set()
            assert otp.WorkerThread.stop_event().wait(10)
        elif crash:
            raise OSError("driver")

    async with otp.open_supervisor([thread(work, restart=restart)]) as sup:
        if runs == 3:
            assert await trio.to_thread.run_sync(third.wait, 10)
        else:
            while [i.pid for i in await otp.which_children(sup)] not in ([None], []):
                await trio.lowlevel.checkpoint()
    assert runs == len(ran)


async def test_its_exception_is_the_crash_with_its_traceback() -> None:
    """The crash report has the exception of the function, raised where it was."""

    def work() -> None:
        raise OSError("driver")

    async with otp.open_process():
        crashes = Reports("crash")
        otp.trap_exit()
        pid = await otp.start_link(thread(work))
        gone = await otp.receive(otp.Exit)
    assert pid is gone.pid
    assert isinstance(gone.reason, OSError)
    [report] = crashes
    assert report.reason is gone.reason
    names = []
    trace = gone.reason.__traceback__
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert "work" == names[-1]


@pytest.mark.parametrize("how", ["poll", "obey"])
async def test_it_stops_when_it_is_asked_to(how: str) -> None:
    """By check_cancelled or by the event, within its limit, and quietly."""
    gate = Gate()
    async with otp.open_supervisor([thread(getattr(gate, how), shutdown=10)]) as sup:
        reports = Reports("supervisor")
        await gate.wait_entered()
        await otp.terminate_child(sup, "t")
        assert {"t": "undefined"} == statuses(await otp.which_children(sup))
        assert 1 == len(gate.seen)
        assert [] == reports


async def test_a_callback_ends_what_it_waits_for() -> None:
    """on_stop is called once, when the thread is told to stop, and not when it ends by itself."""
    gate, items = Gate(), queue.Queue[object]()
    items.put("first")
    async with otp.open_supervisor([thread(gate.drain, items, shutdown=10)]) as sup:
        await gate.wait_entered()
        await otp.terminate_child(sup, "t")
        assert ["first"] == gate.seen
        items.put(None)
        await otp.restart_child(sup, "t")
        async with otp.open_process():
            otp.monitor("t")
            await otp.receive(otp.Down)
    assert items.empty()


async def test_a_callback_that_comes_late_is_called_at_once_and_one_that_raises_is_named() -> None:
    """A thread that is already told to stop, and a callback with a bug, end all the same."""
    gate = Gate()

    def work() -> None:
        otp.WorkerThread.on_stop(lambda: 1 / 0)
        gate.obey()
        otp.WorkerThread.on_stop(lambda: gate.seen.append("late"))

    async with otp.open_supervisor([thread(work, shutdown=10)]) as sup:
        notices = Reports("notice")
        await gate.wait_entered()
        await otp.terminate_child(sup, "t")
    assert ["told", "late"] == gate.seen
    [notice] = notices
    assert "of on_stop raised ZeroDivisionError" in notice.text


@pytest.mark.parametrize("shutdown", [2.0, "brutal_kill"])
async def test_one_that_does_not_stop_is_named_with_its_line_and_waited_for(
    autojump_clock: Any, shutdown: Any
) -> None:
    """Its supervisor does not start another one beside it."""
    gate = Gate()
    async with otp.open_supervisor([thread(gate.sit_here, shutdown=shutdown)]) as sup:
        notices, reports = Reports("notice"), Reports("supervisor")
        await gate.wait_entered()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(otp.terminate_child, sup, "t")
            await trio.sleep(5)
            [notice] = notices
            assert "in sit_here" in notice.text
            assert "'t'" in notice.text
            assert [] == reports
            gate.leave.set()
        kinds = [(report.context, report.reason) for report in reports]
        assert ([] if shutdown != 2.0 else [("shutdown_error", otp.KILLED)]) == kinds


async def test_one_that_may_be_left_behind_is_named_and_left(autojump_clock: Any) -> None:
    """After its limit, not before; the supervisor goes on and may start another."""
    gate = Gate()
    child = otp.child(otp.WorkerThread, gate.sit_here, abandon_on_cancel=True)
    async with otp.open_supervisor([child.having(name="t", shutdown=2)]) as sup:
        notices, reports = Reports("notice"), Reports("supervisor")
        await gate.wait_entered()
        began = trio.current_time()
        await otp.terminate_child(sup, "t")
        assert 2.0 == trio.current_time() - began
        [notice] = notices
        assert "left behind" in notice.text
        assert "in sit_here" in notice.text
        assert ["shutdown_error"] == [report.context for report in reports]
        gate.entered.clear()
        await otp.restart_child(sup, "t")
        await gate.wait_entered()
        gate.leave.set()


class Idle(trio.abc.Instrument):
    """Tells a thread that the loop waits, or makes one pass after the other and jumps in time."""

    def __init__(self) -> None:
        self.seen = threading.Event()
        self.passes = 0

    def before_io_wait(self, timeout: float) -> None:
        self.passes += 1
        if timeout > 1 or self.passes > 100:
            self.seen.set()


@pytest.mark.parametrize("how", ["shutdown", "kill"])
@pytest.mark.parametrize("abandon", [False, True])
async def test_a_virtual_clock_gives_it_a_moment_in_which_the_loop_goes_on(
    how: str, *, abandon: bool, monkeypatch: pytest.MonkeyPatch, autojump_clock: Any
) -> None:
    """It ends in its time, although what it waits for meanwhile comes from a task."""
    monkeypatch.setattr(worker_thread, "MOMENT", 10)  # a machine may be slow
    gate, idle, token = Gate(), Idle(), trio.lowlevel.current_trio_token()

    def obey_and_wait() -> None:
        gate.obey()
        assert idle.seen.wait(10)
        token.run_sync_soon(gate.leave.set)
        assert gate.leave.wait(10)

    child = otp.child(otp.WorkerThread, obey_and_wait, abandon_on_cancel=abandon)
    async with otp.open_supervisor([child.having(name="t", restart="temporary")]) as sup:
        notices, reports = Reports("notice"), Reports("supervisor")
        await gate.wait_entered()
        began = trio.current_time()
        trio.lowlevel.add_instrument(idle)
        if how == "kill":
            otp.exit("t", otp.KILL)
        await otp.terminate_child(sup, "t")
        assert began == trio.current_time()
    assert gate.leave.is_set()
    assert [] == notices
    assert ([] if how == "shutdown" else [otp.KILLED]) == [each.reason for each in reports]


async def test_one_that_may_be_left_behind_stops_by_the_event() -> None:
    """It has its time first, and is not named when it uses it."""
    gate = Gate()
    child = otp.child(otp.WorkerThread, gate.obey, abandon_on_cancel=True)
    async with otp.open_supervisor([child.having(name="t", shutdown=10)]) as sup:
        notices, reports = Reports("notice"), Reports("supervisor")
        await gate.wait_entered()
        await otp.terminate_child(sup, "t")
    assert ["told"] == gate.seen
    assert [] == notices
    assert [] == reports


async def test_it_calls_the_library_by_from_thread_run() -> None:
    """Calls, sends and receives of the thread are those of its process."""

    class Echo(otp.GenServer):
        @otp.on_call
        async def who(self, from_name: str) -> str:
            return f"hello {from_name}"

    got: list[object] = []

    def work() -> None:
        me = trio.from_thread.run_sync(otp.self)
        got.append(trio.from_thread.run(Echo.who, "echo", "thread"))
        trio.from_thread.run_sync(otp.send, "test", me)
        got.append(trio.from_thread.run(otp.receive))
        try:
            trio.from_thread.run(otp.call, "nobody", "x")
        except otp.NoProcess:
            got.append("no process")

    async with (
        otp.open_process(name="test"),
        otp.open_supervisor([otp.child(Echo).having(name="echo")]),
    ):
        await otp.start_link(thread(work))
        pid = await otp.receive(otp.Pid)
        assert otp.whereis("t") is pid
        otp.monitor(pid)
        otp.send(pid, "message")
        assert otp.NORMAL == (await otp.receive(otp.Down)).reason
    assert ["hello thread", "message", "no process"] == got


async def test_a_call_of_a_thread_that_is_told_to_stop_is_broken_off() -> None:
    """trio.from_thread.run raises Cancelled in the thread, which then ends."""

    class Never(otp.GenServer):
        def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            asked.set()
            return otp.NoReply()

    asked = trio.Event()
    seen: list[object] = []

    def work() -> None:
        try:
            trio.from_thread.run(functools.partial(otp.call, "never", 1, timeout=None))
        except trio.Cancelled:
            seen.append("cancelled")
            raise

    children = [otp.child(Never).having(name="never"), thread(work, shutdown=10)]
    async with otp.open_supervisor(children) as sup:
        await asked.wait()
        await otp.terminate_child(sup, "t")
    assert ["cancelled"] == seen


async def test_process_info_shows_the_thread_and_its_stack() -> None:
    """It is running, in the line of the function where the thread sits."""
    gate = Gate()
    async with otp.open_supervisor([thread(gate.sit_here)]):
        await gate.wait_entered()
        info = otp.process_info("t")
        assert "running" == info.status
        assert info.thread in {one.ident for one in threading.enumerate()}
        assert any("in sit_here" in line for line in info.stack)
        gate.leave.set()


async def test_what_is_meant_for_the_thread_is_refused_elsewhere() -> None:
    """The event and on_stop belong into the function; a wrong function is named."""
    with pytest.raises(otp.NotAProcess, match=r"stop_event\(\) can only be used in the function"):
        otp.WorkerThread.stop_event()
    with pytest.raises(otp.NotAProcess, match="on_stop"):
        await trio.to_thread.run_sync(otp.WorkerThread.on_stop, print)
    wrong: Any = 7
    async with otp.open_process():
        with pytest.raises(otp.StartError, match="expected a function") as caught:
            await otp.start(otp.child(otp.WorkerThread, wrong))
    assert isinstance(caught.value.reason, TypeError)


async def test_a_thread_takes_no_token_of_the_others() -> None:
    """However many threads are children, trio.to_thread.run_sync has all its tokens."""
    gate = Gate()
    async with otp.open_supervisor([thread(gate.sit_here)]):
        await gate.wait_entered()
        assert 0 == trio.to_thread.current_default_thread_limiter().borrowed_tokens
        gate.leave.set()


async def test_stop_ends_it_and_sys_refuses_it() -> None:
    """A thread reads no mailbox: it is told to stop by a cancellation, and not kept waiting for."""
    gate = Gate()
    async with otp.open_process():
        pid = await otp.start(thread(gate.obey))
        await gate.wait_entered()
        with pytest.raises(otp.WrongServer, match="WorkerThread"):
            await otp.sys.get_state(pid)
        await otp.stop(pid, "enough", timeout=10)
    assert ["told"] == gate.seen


async def test_a_crash_that_cannot_be_shown_is_a_crash_like_any_other() -> None:
    """Trio shows what ends a nursery; an error that cannot be shown must not come there."""

    class Unshowable(Exception):
        def __repr__(self) -> str:
            raise ValueError("repr")

    def work() -> None:
        raise Unshowable

    async with otp.open_process():
        _, _ = await otp.start_monitor(thread(work))
        assert isinstance((await otp.receive(otp.Down)).reason, Unshowable)


ENDS = ["return", "raise", "kill", "signal", "shutdown"]


@given(ends=st.lists(st.sampled_from(ENDS), min_size=1, max_size=4))
@settings(max_examples=few(25), deadline=None, suppress_health_check=list(HealthCheck))
def test_however_threads_end_nothing_is_left(ends: list[str]) -> None:
    """Whatever ends each of some threads, its process dies for that reason and its thread ends."""

    async def main() -> None:
        with trio.fail_after(60):
            async with otp.open_process() as me:
                otp.trap_exit()
                for number, how in enumerate(ends):
                    await end_one(str(number), how)
                assert [me] == otp.processes()

    trio.run(main)


async def end_one(name: str, how: str) -> None:
    """Run a thread, end it, and compare its exit reason with what is expected."""
    gate = Gate()

    def work() -> None:
        gate.poll()
        if how == "raise":
            raise OSError("driver")

    pid = await otp.start_link(otp.child(otp.WorkerThread, work).having(name=name, shutdown=5))
    await gate.wait_entered()
    reasons: dict[str, object] = {"kill": otp.KILL, "signal": "bye", "shutdown": otp.SHUTDOWN}
    if how in reasons:
        otp.exit(pid, reasons[how])
    else:
        gate.leave.set()
    gone = await otp.receive(otp.Exit)
    assert pid is gone.pid
    assert ["out"] == gate.seen
    if how == "raise":
        assert isinstance(gone.reason, OSError)
    else:
        reasons |= {"kill": otp.KILLED, "return": otp.NORMAL}
        assert reasons[how] == gone.reason
    assert name not in runtime().names


async def test_what_cannot_be_called_is_no_callback() -> None:
    """`on_stop` refuses it in the thread, as a mistake that crashes it."""

    def refused() -> None:
        otp.WorkerThread.on_stop("stop")  # type: ignore[arg-type]

    async with otp.open_process():
        await otp.start_monitor(otp.child(otp.WorkerThread, refused))
        reason = (await otp.receive(otp.Down)).reason
    assert isinstance(reason, TypeError)
    assert "callback='stop': expected a function" in str(reason)
