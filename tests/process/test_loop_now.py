"""What the loop does now, seen from another thread and from a signal handler."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing
from hold_kit import Shop, help_with
from inside import loop_now, process_of, runtime, step_of

import trio_otp as otp

HERE = Path(__file__).name
PATIENCE = 30  # seconds that a thread is waited for


def seen_from_thread(tables: Any) -> Any:
    """Hold the loop until another thread has looked at it twice; return the looks."""
    found: list[Any] = []

    def look() -> None:
        found.extend((loop_now(tables), loop_now(tables)))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(PATIENCE)
    return found


async def test_a_thread_sees_which_server_holds_the_loop_and_where() -> None:
    """Both looks find the same step, of the server, at the line of its user, and the frames."""
    async with otp.open_process():
        shop = await otp.start_link(Shop)
        tables = runtime()
        assert shop is not None
        first, second = await Shop.hold(shop, lambda: seen_from_thread(tables))
        assert first.step == second.step
        assert (process_of(shop), True) == (first.process, first.is_own)
        path, _, function = first.place
        assert (HERE, "seen_from_thread") == (Path(path).name, function)
        names = [name for _, _, name in first.stack]
        assert names.index("hold") < names.index("seen_from_thread")


async def test_a_helper_task_is_seen_as_one_of_its_process() -> None:
    """The process is the one the helper belongs to, and it is told that it is a helper."""
    async with otp.open_process():
        shop = await otp.start_link(Shop)
        tables, found = runtime(), list[Any]()
        assert shop is not None
        await Shop.hold_in_helper(shop, lambda: found.extend(seen_from_thread(tables)))
        assert (process_of(shop), False) == (found[0].process, found[0].is_own)
        assert found[0].task.endswith(help_with.__name__)


async def test_plain_trio_code_is_seen_by_its_task() -> None:
    """There is no process to name, but the task and the line."""
    first, second = seen_from_thread(runtime())
    assert first.process is None
    assert first.step == second.step
    assert "test_plain_trio_code" in first.task
    assert "seen_from_thread" == first.place[2]


async def test_each_step_of_a_task_is_another_one() -> None:
    """So a server that is busy, but yields to others, never looks stuck."""
    tables = runtime()
    steps: list[Any] = []
    for _ in range(5):
        steps.append(step_of(tables))
        await trio.lowlevel.checkpoint()
    assert 5 == len(set(steps))
    assert None not in steps


class Racing:
    """A task whose steps go on while it is looked at."""

    coro = None
    _counter = 1
    made = 0

    @property
    def _schedule_points(self) -> int:
        self.made += 1
        return self.made


def test_a_step_that_is_over_before_it_was_seen_whole_is_not_told() -> None:
    """It is tried a few times, then the answer is None."""
    racing = Racing()
    tables: Any = SimpleNamespace(loop={"task": racing}, thread=threading.get_ident(), turn=None)
    assert None is loop_now(tables)
    assert 6 == racing.made


def test_a_trio_that_does_not_count_steps_tells_nothing() -> None:
    """Its tasks have no such attributes."""
    tables: Any = SimpleNamespace(loop={"task": object()}, thread=threading.get_ident())
    assert None is step_of(tables)
    assert None is loop_now(tables)


async def test_a_loop_that_waits_does_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """Nothing is found while all tasks wait, and looking wakes no task."""
    tables, found = runtime(), list[Any]()
    looked = threading.Event()

    def look() -> None:
        while loop_now(tables) is not None:
            pass
        found.append(loop_now(tables))
        token.run_sync_soon(done.set)
        looked.set()

    autojump_clock.autojump_threshold = float("inf")
    token, done = trio.lowlevel.current_trio_token(), trio.Event()
    thread = threading.Thread(target=look)
    thread.start()
    await done.wait()
    thread.join(PATIENCE)
    assert [None] == found
    assert 0 == trio.current_time()


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signal on Windows")
async def test_a_signal_handler_sees_the_step_that_it_interrupts() -> None:
    """The frames are those of the interrupted code, not of the handler."""
    async with otp.open_process():
        shop = await otp.start_link(Shop)
        tables, found = runtime(), list[Any]()
        before = signal.signal(
            signal.SIGUSR1, lambda _, frame: found.append(loop_now(tables, frame))
        )
        try:
            assert shop is not None
            await Shop.hold(shop, interrupted)
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert [process_of(shop)] == [each.process for each in found]
        assert "interrupted" == found[0].place[2] == found[0].stack[-1][2]


def interrupted() -> None:
    signal.raise_signal(signal.SIGUSR1)
    [None for _ in range(10)]  # the handler runs between two lines
