"""The system monitor beside loops that are really held: by locks, by C code, by a flood."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import hold_kit
import pytest
import trio
import trio.testing
from inside import clocks, monitor, runtime

import trio_otp as otp
from trio_otp.events import LongMessageQueue, LongSchedule

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60  # seconds after which a test fails that waits for the monitor
LIMIT = 0.02  # seconds that the loop may be held in these tests
NAME = "trio_otp system monitor"


class Shop(hold_kit.Shop):
    """Waits as well, and holds the loop in a method that all servers have."""

    @otp.on_call
    async def wait(self, event: trio.Event) -> None:
        await event.wait()

    def handle_call(self, request: Any, from_: Any) -> Any:
        return otp.Reply(self.function())

    function: Callable[[], Any] = staticmethod(lambda: None)


class Reports:
    """What the monitor has reported of the holds of these tests, and of queues.

    On a machine that has much to do, the loop may be held anywhere.
    """

    def __init__(self) -> None:
        self.told: list[Any] = []
        self._event = threading.Event()
        self._wake: Callable[[], object] = list  # who waits for more

    def __call__(self, report: Any) -> None:
        if isinstance(report, LongSchedule) and not report.place.endswith(" in hold"):
            return
        self.told.append(report)
        if isinstance(report, LongSchedule) and not report.over:
            self._event.set()
        self._wake()

    def hold(self) -> bool:
        """Hold the loop until that is reported."""
        self._event.clear()
        return self._event.wait(PATIENCE)

    def held(self, *, over: bool = False) -> list[LongSchedule]:
        """List the reports on the loop."""
        of_loop = [each for each in self.told if isinstance(each, LongSchedule)]
        return [each for each in of_loop if each.over == over]

    async def wait(self, is_there: Callable[[], bool]) -> None:
        """Wait until the events make a condition true."""
        token = trio.lowlevel.current_trio_token()
        with trio.fail_after(PATIENCE):
            while True:
                arrived = trio.Event()
                self._wake = lambda arrived=arrived: token.run_sync_soon(arrived.set)
                if is_there():
                    break
                await arrived.wait()
        self._wake = list


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """Count how often the monitor samples the loop."""
    counted = Looks(monitor.step_of)
    monkeypatch.setattr(monitor, "step_of", counted)
    return counted


class Looks:
    """Stands for the monitor's sampler."""

    def __init__(self, real: Any) -> None:
        self.count = 0
        self._real = real
        self._cond = threading.Condition()

    def __call__(self, tables: Any) -> Any:
        with self._cond:
            self.count += 1
            self._cond.notify_all()
        return self._real(tables)

    def wait(self, more: int = 40) -> None:
        """Wait for that many more samples: ten times the limit."""
        with self._cond:
            wanted = self.count + more
            assert self._cond.wait_for(lambda: self.count >= wanted, PATIENCE)


def hold_by_power(digits: int) -> None:
    """Hold the loop by one long call of C code."""

    def hold() -> int:
        return pow(7, digits)

    hold()


def watch(reports: Reports, queue: Any = None, limit: float | None = LIMIT) -> None:
    """Set the monitor of this run."""
    otp.events.attach("system_monitor", reports)
    otp.system_monitor(long_schedule=limit, long_message_queue=queue)


def threads() -> list[str]:
    """List the threads of monitors."""
    return [each.name for each in threading.enumerate() if each.name == NAME]


# -- who holds the loop ----------------------------------------------------------------------------


async def test_a_server_that_holds_the_loop_is_told_while_it_does(reports: Reports) -> None:
    """With its pid, what it is handling, the line, the stack; and how long it was, when it ends."""
    async with otp.open_supervisor([otp.child(Shop).having(name="shop")]):
        watch(reports)
        shop = Shop.at("shop", timeout=None)
        assert await shop.hold(reports.hold)
        await reports.wait(lambda: bool(reports.held(over=True)))
    (report,), (over,) = reports.held(), reports.held(over=True)
    assert not report.over
    assert report.pid == over.pid
    assert "<Pid 2 Shop 'shop'>" == repr(report.pid)
    assert "handling `hold(...)`" == report.doing
    assert report.place.startswith(f"{__file__}:")
    assert report.place.endswith(" in hold")
    functions = [frame.rpartition(" in ")[2] for frame in report.stack]
    assert ["hold", "hold", "wait"] == functions[functions.index("hold") :][:3]
    assert LIMIT <= report.seconds <= over.seconds
    assert report.text.startswith(f"the event loop is held for {report.seconds:.3g} s by <Pid 2 ")
    assert over.text.endswith(", and goes on")


async def test_whatever_holds_the_loop_is_named(reports: Reports) -> None:
    """A helper task by its process, plain code by its task, an init as what it is."""

    class Slow(otp.GenServer):
        def init(self) -> None:
            reports.hold()

    async with otp.open_process():
        shop = await otp.start(Shop)
        watch(reports)
        await Shop.at(shop, timeout=None).hold_in_helper(reports.hold)
        slow = await otp.start(Slow)
    reports.hold()
    await reports.wait(lambda: len(reports.held()) == 3)
    helper, init, plain = reports.held()
    assert (shop, "in a task that helps it") == (helper.pid, helper.doing)
    assert helper.task.endswith(hold_kit.help_with.__name__)
    assert (None, "") == (plain.pid, plain.doing)
    assert "by task <test 'test_whatever_holds_the_loop_is_named'>, at " in plain.text
    assert (slow, "in init") == (init.pid, init.doing)


async def test_messages_are_told_without_running_code_of_their_classes(reports: Reports) -> None:
    """A text is shown, of other messages the class; of a server that hides them nothing."""

    class Hiding(Shop):
        def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
            return {**status, "message": "hidden"}

    class Loud:
        def __repr__(self) -> str:
            raise AssertionError("in the wrong thread")

    Shop.function = staticmethod(reports.hold)
    try:
        async with otp.open_process():
            watch(reports)
            for server, message in ((Shop, "tea"), (Shop, Loud()), (Hiding, "secret")):
                await otp.call(await otp.start(server), message, timeout=None)
    finally:
        Shop.function = staticmethod(lambda: None)
    told = [report.doing for report in reports.held()]
    assert ["handling `'tea'`", "handling a message, Loud", "handling a message"] == told


async def test_a_long_call_of_c_code_is_told_with_its_line(reports: Reports) -> None:
    """It keeps the interpreter lock, so nothing can be sampled: it is reported when it ends."""
    async with otp.open_process():
        shop = Shop.at(await otp.start(Shop), timeout=None)
        watch(reports)
        digits, deadline = 1 << 18, time.monotonic() + PATIENCE
        while not reports.told and time.monotonic() < deadline:
            digits *= 2
            await shop.hold(lambda digits=digits: hold_by_power(digits))
    assert reports.told


async def test_a_server_that_is_busy_but_gives_way_is_not_told(reports: Reports) -> None:
    """At each sample it is in another step, at the same line; then in one alone."""
    watching = monitor.Monitor(runtime(), LIMIT, None, reports)
    for _ in range(100):
        hold(watching, 1)
        await trio.lowlevel.checkpoint()
    assert [] == reports.told
    hold(watching, 100)
    assert 1 == len(reports.told)


def hold(watching: Any, looks: int) -> None:
    for _ in range(looks):
        watching._look(LIMIT, 0.0, 0.0)


async def test_nobody_is_blamed_for_a_step_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop may go on between the sample and the look at its frames."""
    told: list[Any] = []
    watching = monitor.Monitor(runtime(), LIMIT, None, told.append)
    seen: list[Any] = []

    def loop_now(tables: Any) -> Any:
        seen.append(real(tables))
        return seen[-1]._replace(step=(0, 0))

    real = monitor.loop_now
    monkeypatch.setattr(monitor, "loop_now", loop_now)
    hold(watching, 100)
    assert seen
    assert [] == told


async def test_a_wait_in_a_debugger_is_not_told(reports: Reports) -> None:
    """Its frames are known; when they are left, monitoring goes on as before."""
    code = compile("def hold(*args): function(*args)", "/usr/lib/python3.11/bdb.py", "exec")
    space: dict[str, Any] = {"function": hold}
    exec(code, space)
    watching = monitor.Monitor(runtime(), LIMIT, None, reports)
    space["hold"](watching, 100)
    assert [] == reports.told
    hold(watching, 100)
    assert 1 == len(reports.told)


# -- whose queue is long ---------------------------------------------------------------------------


async def test_a_queue_is_told_when_it_is_long_and_when_it_is_short_again(
    reports: Reports,
) -> None:
    """Once each, also if it swings about the limit; with what the server does."""
    event = trio.Event()
    async with otp.open_supervisor([otp.child(Shop).having(name="shop")]):
        async with trio.open_nursery() as nursery:
            watch(reports, (2, 5), None)
            for _ in range(6):
                nursery.start_soon(Shop.at("shop", timeout=None).wait, event)
            await reports.wait(lambda: len(reports.told) == 1)
            event.set()
        await reports.wait(lambda: len(reports.told) == 2)
    long, short = reports.told
    assert isinstance(long, LongMessageQueue)
    assert (5, True) == (long.length, long.long)
    assert long.text.startswith("5 messages wait for <Pid 2 Shop 'shop'>: handling `wait(...)` for")
    assert (0, False) == (short.length, short.long)
    assert "is short again" in short.text


async def test_of_very_many_queues_some_are_measured_at_each_look(reports: Reports) -> None:
    """A long one is found wherever it is among them."""
    async with otp.open_process():
        pids = [await otp.start(trio.sleep_forever) for _ in range(2500)]
        for pid in pids[::1000]:
            for _ in range(3):
                otp.send(pid, "x")
        watch(reports, 3, None)
        await reports.wait(lambda: len(reports.told) == 3)
    assert set(pids[::1000]) == {report.pid for report in reports.told}


async def test_a_process_that_ends_between_two_looks_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has a number and no process behind it; the others are measured."""
    told: list[Any] = []
    monkeypatch.setattr(monitor, "SLICE", 1)
    async with otp.open_process() as me:
        watching = monitor.Monitor(runtime(), None, (0, 1), told.append)
        gone = otp.spawn(trio.sleep_forever)
        otp.send(me, "x")
        otp.send(gone, "x")
        last = otp.spawn(trio.sleep_forever)
        otp.send(last, "x")
        watching._look(LIMIT, 0.0, 0.0)
        otp.exit(gone, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(2):
            watching._look(LIMIT, 0.0, 0.0)
    assert [last, me] == [report.pid for report in told]


# -- its life --------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["return", "error", "cancelled", "interrupted"])
def test_the_thread_ends_with_the_run(end: str) -> None:
    """However that ends; and it is there only once, whatever is set."""

    async def main() -> None:
        otp.system_monitor()
        otp.system_monitor(long_schedule=1)
        assert [NAME] == threads()
        if end == "error":
            raise LookupError
        if end == "interrupted":
            raise KeyboardInterrupt
        if end == "cancelled":
            with trio.move_on_after(0):
                await trio.sleep_forever()

    with contextlib.suppress(LookupError, KeyboardInterrupt):
        trio.run(main)
    assert [] == threads()


async def test_it_says_what_was_set_before_and_can_be_switched_off() -> None:
    """What it returns sets that again; two None leave no thread."""
    off = {"long_schedule": None, "long_message_queue": None}
    assert off == otp.system_monitor(long_message_queue=(3, 7))
    before = otp.system_monitor(long_schedule=2.0)
    assert {"long_schedule": 0.1, "long_message_queue": (3, 7)} == before
    assert {"long_schedule": 2.0, "long_message_queue": 1000} == otp.system_monitor(**before)
    assert before == otp.system_monitor(**off)
    assert [] == threads()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"long_schedule": 0}, "long_schedule=0: expected a number of seconds >= 0.01, or None"),
        ({"long_schedule": float("inf")}, "long_schedule=inf: expected"),
        ({"long_schedule": "1"}, "long_schedule='1': expected"),
        ({"long_message_queue": 0}, "long_message_queue=0: expected a whole number >= 1, a pair"),
        ({"long_message_queue": (5, 5)}, r"long_message_queue=\(5, 5\): expected"),
        ({"long_message_queue": True}, "long_message_queue=True: expected"),
        ({"long_message_queue": (1, 2, 3)}, r"long_message_queue=\(1, 2, 3\): expected"),
    ],
)
async def test_what_it_does_not_accept_is_told(options: dict[str, Any], told: str) -> None:
    """And changes nothing."""
    with pytest.raises(ValueError, match=told):
        otp.system_monitor(**options)
    assert [] == threads()


def test_outside_of_a_run_there_is_nothing_to_watch() -> None:
    """It is refused as everywhere."""
    with pytest.raises(otp.NotInRun):
        otp.system_monitor()


def test_two_runs_in_two_threads_are_watched_each_for_itself() -> None:
    """Each gets reports of its own holds, while the other one waits."""
    told: dict[str, Reports] = {"one": Reports(), "two": Reports()}
    ready = threading.Barrier(2, timeout=PATIENCE)

    async def main(name: str) -> None:
        async with otp.open_supervisor([otp.child(Shop).having(name=name)]):
            watch(told[name])
            ready.wait()
            for turn in ("one", "two"):
                if turn == name:
                    await Shop.at(name, timeout=None).hold(told[name].hold)
                await trio.to_thread.run_sync(ready.wait)

    running = [threading.Thread(target=trio.run, args=(main, name)) for name in told]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(PATIENCE)
    for name, reports in told.items():
        holds = [each for each in reports.held() if each.pid is not None]
        assert [f"<Pid 2 Shop {name!r}>"] == [repr(each.pid) for each in holds]
    assert [] == threads()


class Turns(trio.abc.Instrument):
    """Counts how often the loop goes on after a wait."""

    count = 0

    def after_io_wait(self, timeout: float) -> None:
        self.count += 1


async def test_it_never_wakes_the_loop(reports: Reports, looks: Looks) -> None:
    """While all tasks wait, it samples many times, and the loop turns only for the test."""
    watch(reports)
    await trio.testing.wait_all_tasks_blocked()
    turns = Turns()
    trio.lowlevel.add_instrument(turns)
    await trio.to_thread.run_sync(looks.wait)
    trio.lowlevel.remove_instrument(turns)
    assert turns.count <= 3


async def test_virtual_time_runs_as_if_it_were_not_there(
    reports: Reports, autojump_clock: trio.testing.MockClock
) -> None:
    """A day of timers takes no time, and time stands still while the loop is held."""
    async with otp.open_process() as me:
        watch(reports)
        otp.send_interval(me, "tick", 600)
        await trio.sleep(24 * 3600 + 1)
        assert reports.hold()
        assert 24 * 3600 + 1 == trio.current_time()
        assert 144 == otp.process_info(me).message_queue_len


async def test_a_listener_that_raises_is_detached_and_the_monitor_goes_on(
    reports: Reports, caplog: pytest.LogCaptureFixture
) -> None:
    """As with any event."""

    def broken(_: Any) -> None:
        raise LookupError("broken")

    otp.events.attach("system_monitor", broken)
    async with otp.open_process():
        watch(reports)
        assert reports.hold()
        await trio.lowlevel.checkpoint()
        assert reports.hold()
    assert 1 == caplog.text.count("of system_monitor raised; it is detached")


# -- the log ---------------------------------------------------------------------------------------


async def test_the_log_is_told_once_in_a_while_for_each_place(
    reports: Reports, caplog: pytest.LogCaptureFixture
) -> None:
    """The event comes each time; the notice has the frames of the user."""
    caplog.set_level(logging.INFO, "trio_otp.notice")
    async with otp.open_process():
        shop = Shop.at(await otp.start(Shop), timeout=None)
        watch(reports)
        for count in range(1, 4):
            await shop.hold(reports.hold)
            await reports.wait(lambda count=count: len(reports.held(over=True)) == count)
    assert 3 == len(reports.held())
    records = [record for record in caplog.records if " in hold" in record.getMessage()]
    long = [record for record in records if record.levelno == logging.WARNING]
    over = [record for record in records if record.levelno == logging.INFO]
    assert [1, 1] == [len(long), len(over)]
    assert long[0].getMessage().startswith(reports.held()[0].text + "\n  ")
    assert "message_loop.py" not in long[0].getMessage()
    assert "notice" == vars(long[0])["otp_kind"]
    assert reports.held(over=True)[0].text == over[0].getMessage()


async def test_a_translator_is_asked_about_the_notice(
    reports: Reports, caplog: pytest.LogCaptureFixture
) -> None:
    """It comes as a `NoticeReport`, with OTP's words in its detail."""
    asked: list[Any] = []

    def skip(report: Any) -> otp.reports.Skip:
        if "in hold" in report.text:
            asked.append(report)
        return otp.reports.SKIP

    otp.reports.add_translator(skip)
    async with otp.open_process():
        watch(reports)
        assert reports.hold()
        await reports.wait(lambda: bool(reports.held(over=True)))
    assert "" == caplog.text
    assert "long_schedule" == asked[0].detail["monitor"]
    assert asked[0].detail["timeout"] >= LIMIT * 1000


def test_clocks_that_are_not_there_are_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no clock for a thread, and only Linux has one for its waiting."""
    monkeypatch.delattr(time, "pthread_getcpuclockid", raising=False)
    assert clocks.computing_of_this_thread() is time.process_time
    monkeypatch.setattr(clocks, "_STATISTICS", "/nowhere")
    with clocks.waiting_of_this_thread() as waited:
        assert 0.0 == waited()


# -- the whole program stands still ----------------------------------------------------------------

PROGRAM = f"""
import os, signal, sys, threading, trio, trio_otp as otp
told, event = [], threading.Event()

class Shop(otp.GenServer):
    @otp.on_call
    def stop(self):
        os.kill(os.getpid(), signal.SIGSTOP)
    @otp.on_call
    def hold(self):
        event.wait({PATIENCE})

def watch(report):
    told.append(report)
    event.set()

async def main():
    otp.events.attach("system_monitor", watch)
    otp.system_monitor(long_schedule=0.2)
    async with otp.open_supervisor([otp.child(Shop).having(name="shop")]):
        shop = Shop.at("shop", timeout=None)
        await shop.stop()
        print("continued", flush=True)
        await shop.hold()
        places = [report.place.split()[-1] for report in told if not report.over]
    # A busy machine may hold the start for long, which is told rightly.
    print([place for place in places if place in ("stop", "hold")], flush=True)

trio.run(main)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no such signal on Windows")
def test_a_pause_of_the_whole_program_is_not_told() -> None:
    """It was in the middle of a step, for many times the limit; a hold after it is told."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as program:
        os.waitid(os.P_PID, program.pid, os.WSTOPPED | os.WNOWAIT)
        stopped = time.monotonic()
        while time.monotonic() < stopped + 1:  # the pause itself is what is tested
            time.sleep(0.1)
        program.send_signal(signal.SIGCONT)
        output, _ = program.communicate(timeout=PATIENCE)
    assert b"continued\n['hold']\n" == output


DEBUGGED = f"""
import io, os, pdb, threading, trio, trio_otp as otp
from trio_otp._inspect import monitor
reader, writer = os.pipe()
looks, told, real = [], [], monitor.step_of

def count(tables):
    looks.append(real(tables))
    if looks[-50:] == [looks[-1]] * 50:  # it has seen the same step for long
        looks.append(None)
        os.write(writer, b"c\\n")
    return looks[-1] or real(tables)

monitor.step_of = count

class Shop(otp.GenServer):
    @otp.on_call
    def debug(self):
        debugger = pdb.Pdb(stdin=os.fdopen(reader), stdout=io.StringIO(), nosigint=True)
        debugger.set_trace()
        return debugger is not None

async def main():
    otp.events.attach("system_monitor", lambda report: told.append(report.doing))
    otp.system_monitor(long_schedule={LIMIT})
    async with otp.open_supervisor([otp.child(Shop).having(name="shop")]):
        assert await Shop.at("shop", timeout=None).debug()
    print([doing for doing in told if "debug" in doing])

trio.run(main)
"""


def test_a_debugger_is_not_told() -> None:
    """A real one waits for a command, until the monitor has looked fifty times."""
    command = [sys.executable, "-c", DEBUGGED]
    ended = subprocess.run(command, timeout=PATIENCE, capture_output=True, text=True, check=False)
    assert (0, "[]\n") == (ended.returncode, ended.stdout), ended.stderr


FORKING = """
import os, threading, trio, trio_otp as otp

async def child():
    otp.system_monitor()
    assert "trio_otp system monitor" in [each.name for each in threading.enumerate()]

async def main():
    before = otp.system_monitor()
    pid = os.fork()
    if pid == 0:
        try:
            otp.system_monitor(**before)  # there is no thread that could end
            thread = threading.Thread(target=trio.run, args=(child,))
            thread.start()
            thread.join()
            os._exit(len(threading.enumerate()))
        finally:
            os._exit(99)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == 1, status

trio.run(main)
assert threading.active_count() == 1
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on Windows")
def test_a_fork_has_no_monitor_and_can_have_one() -> None:
    """The thread does not survive the fork; setting a monitor in the child does not block."""
    command = [sys.executable, "-W", "ignore", "-c", FORKING]
    ended = subprocess.run(command, timeout=PATIENCE, capture_output=True, check=False)
    assert (0, b"") == (ended.returncode, ended.stderr)
