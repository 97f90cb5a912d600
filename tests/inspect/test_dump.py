"""What SIGUSR1 writes, made at each moment of a program: nothing is raised, nothing is changed."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar
from unittest.mock import create_autospec

import pytest
import trio
import trio.testing
from inside import dump, process_of, runtime

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

PLACES = (str(Path(otp.__file__).parent), str(Path(trio.__file__).parent))


class Moments:
    """Makes a report before lines, or bytecodes, of Trio and of the library: each `stride`-th."""

    def __init__(self, event: str, stride: int) -> None:
        self.event = event
        self.stride = stride
        self.tables: Any = None
        self.reports: set[str] = set()
        self.count = 0

    def trace(self, frame: FrameType, event: str, _: object) -> Any:
        """Trace a run, as `sys.settrace` calls it."""
        if not frame.f_code.co_filename.startswith(PLACES):
            return None
        frame.f_trace_opcodes = self.event == "opcode"
        if event == self.event:
            self.count += 1
            if self.count % self.stride:
                return self.trace
            self.reports.update(dump(self.tables, frame, "why").splitlines())
        return self.trace

    def run(self, main: Callable[[], Any]) -> Any:
        """Run an async function, with a report before each of its steps."""
        before = sys.gettrace()

        async def traced() -> Any:
            self.tables = runtime()
            sys.settrace(self.trace)
            self._trace_loop()
            try:
                return await main()
            finally:
                sys.settrace(before)

        return trio.run(traced, clock=trio.testing.MockClock(autojump_threshold=0))

    def _trace_loop(self) -> None:
        """Sample Trio's loop as well, which has started earlier."""
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            if frame.f_code.co_filename.startswith(PLACES):
                frame.f_trace = self.trace
            frame = frame.f_back


class Till(otp.GenServer):
    """Counts, and crashes when it is asked to."""

    def __init__(self) -> None:
        self.count = 0

    @otp.on_call
    async def add(self, number: int) -> int:
        await trio.sleep(0.1)
        self.count += number
        return self.count

    @otp.on_cast
    def crash(self) -> None:
        raise ValueError("boom")


async def some_of_all() -> tuple[int, int, str]:
    """Start, call, crash, restart, wait in nurseries, stop."""
    helpers = otp.child(otp.DynamicSupervisor).having(name="d")
    async with otp.open_supervisor([otp.child(Till).having(name="till"), helpers]):
        first = await Till.at("till").add(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Till.at("till").add, 1)
            await otp.start_child("d", otp.child(otp.Agent, dict).having(restart="temporary"))
        Till.at("till").crash()
        await trio.sleep(1)
        second = await Till.at("till").add(5)
        with trio.move_on_after(0.05):
            await Till.at("till").add(5)
        job = otp.task.start_async(trio.lowlevel.checkpoint)
        await job
        return first, second, "done"


@pytest.mark.parametrize(
    ("event", "stride"),
    [("line", 23), *(pytest.param(each, 1, marks=pytest.mark.slow) for each in ("line", "opcode"))],
)
def test_a_report_at_any_moment_raises_nothing(event: str, stride: int) -> None:
    """As a signal comes: between any two lines or bytecodes of Trio and of the library."""
    moments = Moments(event, stride)
    assert (1, 5, "done") == moments.run(within(some_of_all))
    assert moments.count > 1000
    assert any("Till 'till'>, handling call add for 0.0 s" in line for line in moments.reports)
    assert any("waiting for <Pid" in line for line in moments.reports)
    wrong = [line for line in moments.reports if "cannot be read" in line]
    assert [] == [line for line in wrong if "AttributeError" not in line]


def within(main: Callable[[], Any]) -> Callable[[], Any]:
    async def inner() -> Any:
        async with otp.open_process():
            return await main()

    return inner


class Rude:
    """Has a repr that must not be called in a signal handler."""

    def __repr__(self) -> str:
        raise AssertionError("called")


async def test_no_code_of_a_user_is_run() -> None:
    """Of a message its kind is shown, of a typed one the method; never its contents."""

    class Server(otp.GenServer):
        seen: str

        def handle_call(self, request: Any, from_: Any) -> Any:
            self.seen = dump(runtime(), sys._getframe(), "why")
            return otp.Reply(None)

        def handle_info(self, message: Any) -> None:
            self.seen = dump(runtime(), sys._getframe(), "why")

        @otp.on_cast
        def method(self, argument: Any) -> None:
            self.seen = dump(runtime(), sys._getframe(), "why")

    async with otp.open_supervisor([otp.child(Server).having(name="s")]):
        server = process_of(otp.whereis("s")).instance
        await otp.call("s", Rude())
        assert "handling call <Rude> for 0.0 s, at " in server.seen
        otp.send("s", Rude())
        await trio.testing.wait_all_tasks_blocked()
        assert "handling <Rude> for 0.0 s, at " in server.seen
        Server.at("s").method(Rude())
        await trio.testing.wait_all_tasks_blocked()
        assert "handling cast method for 0.0 s, at " in server.seen


async def test_many_that_do_the_same_stand_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Busy processes come first in the table, which is bounded; a stack is written once."""
    monkeypatch.setattr("trio_otp._inspect.dump.ROWS", 3)
    servers = [otp.child(otp.Agent, dict).having(id=number) for number in range(20)]
    hangs = otp.child(Hangs).having(name="hangs")
    async with otp.open_supervisor([*servers, hangs]):
        otp.cast("hangs", "now")
        await trio.testing.wait_all_tasks_blocked()
        text = dump(runtime(), sys._getframe(), "why")
        assert 1 == text[text.index("stacks of") :].count("<Pid 2 Agent>")
        assert text.index("<Pid 22 Hangs 'hangs'>") < text.index("<Pid 1 Supervisor>")
        assert "\n  and 19 more\n" in text
        assert "<Pid 6 Agent> and 15 more\n" in text
        otp.exit("hangs", otp.KILL)


class Hangs(otp.GenServer, restart="temporary"):
    """Never returns from its handler."""

    async def handle_cast(self, message: Any) -> None:
        await trio.sleep_forever()


async def test_threads_have_stacks_too() -> None:
    """A worker thread of Trio, by its name."""
    gate = trio.Event()
    token = trio.lowlevel.current_trio_token()
    texts: list[str] = []

    def work() -> None:
        trio.from_thread.run_sync(gate.set, trio_token=token)
        trio.from_thread.run(wait_for_text, trio_token=token)

    async def wait_for_text() -> None:
        await trio.testing.wait_all_tasks_blocked()
        texts.append(dump(runtime(), sys._getframe(), "why"))

    await trio.to_thread.run_sync(work)
    assert gate.is_set()
    [text] = texts
    assert "stacks of other threads\n" in text
    assert f"{__file__}:" in text[text.index("stacks of other threads") :]
    assert " in work\n" in text


def test_it_waits_for_no_lock_of_the_threads() -> None:
    """What was interrupted may hold it: `threading.enumerate`, at each of its lines."""
    lock = threading._active_limbo_lock  # type: ignore[attr-defined]  # no public way holds it
    with ThreadPoolExecutor(1, thread_name_prefix="pool") as pool:
        pool.submit(int).result()  # its thread has started
        with lock:
            text = pool.submit(dump, None, None, "why").result(timeout=60)
    assert "\nMainThread\n" in text
    assert "cannot be read" not in text


def test_threads_whose_names_another_python_keeps_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They have their numbers."""
    monkeypatch.delattr(threading, "_enumerate")
    with ThreadPoolExecutor(1) as pool:
        text = pool.submit(dump, None, None, "why").result()
    assert f"\n{threading.get_ident()}\n" in text


def test_a_part_that_cannot_be_read_costs_no_other() -> None:
    """A signal comes in the middle of a change; what it raised would hit what it interrupted."""

    class Torn:
        """Tables whose processes cannot be listed."""

        loop: ClassVar[dict[str, Any]] = {}

        def __getattr__(self, name: str) -> Any:
            raise LookupError(name)

    text = dump(Torn(), sys._getframe(), "why")  # type: ignore[arg-type]  # something like tables
    assert text.startswith("why: what program ")
    assert "\nthe loop carries out no task" in text
    assert 3 == text.count(f"\na part that cannot be read now: LookupError at {__file__}:")


async def test_a_task_that_has_just_ended_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no frames left, so it is listed without a stack; the others have theirs."""
    task = trio.lowlevel.spawn_system_task(trio.lowlevel.checkpoint, name="ended")
    await trio.testing.wait_all_tasks_blocked()
    found = trio.lowlevel.current_root_task()
    assert found is not None
    tasks = SimpleNamespace(child_tasks=[task, found])
    above = create_autospec(trio.lowlevel.Task, instance=True, child_nurseries=[tasks])
    above.context, above.name = task.context, "above"
    above.iter_await_frames.side_effect = AttributeError("f_lineno")  # it cannot be read
    monkeypatch.setattr(trio.lowlevel, "current_root_task", lambda: above)
    text = dump(runtime(), sys._getframe(), "why")
    assert "ended" in text
    assert "\n<init>\n  " in text
    assert "cannot be read" not in text


def test_without_a_run_there_is_little_to_tell() -> None:
    """A signal may come before the run or after it."""
    text = dump(None, sys._getframe(), "why")
    assert text.startswith("why: what program ")
    assert "\nthe loop carries out no task" in text
    assert "processes" not in text
