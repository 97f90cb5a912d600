"""Giving tasks up: shutdown with its five outcomes, and ignore."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from task_kit import crash, give, leave, messages, run_owner, settle, stay

import trio_otp as otp
from trio_otp import task


async def test_shutdown_of_a_task_that_runs(autojump_clock: trio.abc.Clock) -> None:
    """A running task ends as asked: None, and the owner, unlinked, does not notice."""
    cleaned: list[float] = []

    async def tidy() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(2)
            cleaned.append(trio.current_time())

    async def owner() -> None:
        assert await task.shutdown(task.start_async(give, 1, 9)) is None
        running = task.start_async(tidy)
        await settle()
        assert await task.shutdown(running) is None
        assert not otp.is_alive(running.pid)

    async with otp.open_process(trap_exit=True):
        assert await run_owner(owner) is otp.NORMAL
        assert [2.0] == cleaned
        assert await task.shutdown(task.start_async(give, 1, 9)) is None
        assert [] == [m for m in await messages() if isinstance(m, otp.Exit)]


async def test_shutdown_of_a_task_that_has_replied() -> None:
    """A task that has replied gives its result, once; then it is dead and handled."""
    async with otp.open_process():
        quick = task.start_async(give, 1)
        await settle()

        assert task.Ok(1) == await task.shutdown(quick)
        assert task.Exited(otp.NOPROC) == await task.shutdown(quick)


@pytest.mark.parametrize("how", [5.0, "brutal_kill", None])
async def test_shutdown_of_a_task_that_has_ended(how: Any) -> None:
    """A task that ended without a result gives its reason."""
    async with otp.open_process(trap_exit=True):
        gone = task.start_async(leave, "why")
        await settle()

        assert task.Exited("why") == await task.shutdown(gone, timeout=how)


async def test_an_end_that_looks_as_asked_is_none() -> None:
    """A reason that is the one asked for is None, whoever it came from: SHUTDOWN, or a kill."""
    async with otp.open_process(trap_exit=True):
        outcomes = []
        for reason, how in [
            (otp.SHUTDOWN, 5.0),
            (otp.KILLED, "brutal_kill"),
            (otp.SHUTDOWN, "brutal_kill"),
            (otp.KILLED, 5.0),
        ]:
            gone = task.start_async(leave, reason)
            await settle()
            outcomes.append(await task.shutdown(gone, timeout=how))  # type: ignore[arg-type]
        assert [None, None] == outcomes[:2]
        assert [task.Exited(otp.SHUTDOWN), task.Exited(otp.KILLED)] == outcomes[2:]


async def test_shutdown_of_a_stubborn_task(autojump_clock: trio.abc.Clock) -> None:
    """A task that traps exits gets its time, then it is killed; brutal_kill gives it none."""
    async with otp.open_process():
        stubborn, other = task.start_async(stay), task.start_async(stay)
        await settle()

        assert (task.Exited(otp.KILLED), 3.0) == (
            await task.shutdown(stubborn, timeout=3),
            trio.current_time(),
        )
        assert (None, 3.0) == (
            await task.shutdown(other, timeout="brutal_kill"),
            trio.current_time(),
        )


async def test_a_trapping_task_may_still_give_its_result(autojump_clock: trio.abc.Clock) -> None:
    """A task that replies within its time gives its result."""
    async with otp.open_process():
        for limit in (5.0, None):
            trapping = task.start_async(stay, "made it", 2)
            await settle()

            assert task.Ok("made it") == await task.shutdown(trapping, timeout=limit)


async def test_shutdown_after_a_time_out(autojump_clock: trio.abc.Clock) -> None:
    """A task whose await timed out, or that was ignored, can still be ended."""
    async with otp.open_process():
        for let_go in (task.await_one, None):
            running = task.start_async(give, 1, 60)
            if let_go is None:
                assert task.ignore(running) is None
            else:
                with pytest.raises(otp.TaskTimeout):
                    await let_go(running, timeout=1)
            assert await task.shutdown(running) is None
            assert not otp.is_alive(running.pid)


async def test_a_cancelled_shutdown_kills(autojump_clock: trio.abc.Clock) -> None:
    """A shutdown that is cancelled leaves no unlinked task behind."""
    async with otp.open_process():
        stubborn = task.start_async(stay)
        await settle()
        with trio.move_on_after(1):
            await task.shutdown(stubborn, timeout=None)
        await settle()

        assert (False, 1.0) == (otp.is_alive(stubborn.pid), trio.current_time())
        assert task.Exited(otp.KILLED) == await task.yield_one(stubborn)


async def test_shutdown_from_plain_code() -> None:
    """Plain code ends its tasks in the same way."""
    async with trio.open_nursery() as nursery:
        running, gone = (task.start_async(fn, nursery=nursery) for fn in (stay, crash))
        await settle()

        assert await task.shutdown(running, timeout="brutal_kill") is None
        assert isinstance(await task.shutdown(gone), task.Exited)


async def test_ignore_lets_a_task_run_on(autojump_clock: trio.abc.Clock) -> None:
    """An ignored task outlives its owner's crash, and its own reaches nobody."""
    ignored: list[otp.Task[Any]] = []

    async def owner() -> None:
        ignored.append(task.start_async(give, 1, 5, deliver=True))
        ignored.append(task.start_async(crash, 1))
        await settle()
        assert [None, None] == [task.ignore(t) for t in ignored]
        await trio.sleep(2)
        otp.exit("custom")

    async with otp.open_process():
        assert "custom" == await run_owner(owner)
        assert [True, False] == [otp.is_alive(t.pid) for t in ignored]


async def test_ignore_gives_what_has_come() -> None:
    """Ignoring a task that has ended gives what came of it, once."""
    async with otp.open_process(trap_exit=True):
        good, bad = task.start_async(give, 1), task.start_async(leave, "why")
        await settle()

        assert [task.Ok(1), task.Exited("why")] == [task.ignore(t) for t in (good, bad)]
        assert [None, None] == [task.ignore(t) for t in (good, bad)]


async def test_a_wrong_limit_is_refused() -> None:
    """The time-out of shutdown is seconds, None, or brutal_kill."""
    async with otp.open_process():
        running = task.start_async(give, 1)
        with pytest.raises(ValueError, match="timeout='brutal'"):
            await task.shutdown(running, timeout="brutal")  # type: ignore[arg-type]
        assert 1 == await running
