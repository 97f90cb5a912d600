"""Intervals, and functions that run later: their times, and with whom they end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import runtime

import trio_otp as otp

if TYPE_CHECKING:
    from trio_otp.testing import VirtualTime


async def times(count: int) -> list[float]:
    """Take messages; give when each arrived."""
    got: list[float] = []
    for _ in range(count):
        await otp.receive(timeout=100)
        got.append(trio.current_time())
    return got


async def idle() -> None:
    await trio.sleep_forever()


# -- send_interval ---------------------------------------------------------------------------------


async def test_messages_arrive_again_and_again(autojump_clock: Any) -> None:
    """The first comes after one period; cancel_timer ends them and tells what was left."""
    async with otp.open_process() as me:
        timer = otp.send_interval(me, "tick", 3)
        assert [3, 6, 9] == await times(3)
        await trio.sleep(1)
        assert 2 == otp.read_timer(timer)
        assert 2 == otp.cancel_timer(timer)
        assert otp.read_timer(timer) is None
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(timeout=100)
        assert 0 == runtime().timers.pending()


async def test_an_interval_does_not_drift(autojump_clock: Any) -> None:
    """Each time is a multiple of the period, whatever the receiver does in between."""
    async with otp.open_process() as me:
        otp.send_interval(me, "tick", 0.1)
        await trio.sleep(0.55)
        await times(5)
        assert [i * 0.1 for i in range(6, 1000)] == await times(994)


async def test_a_loop_that_was_held_up_catches_up(mock_clock: trio.testing.MockClock) -> None:
    """No message is left out when the clock makes a leap."""
    async with otp.open_process() as me:
        otp.send_interval(me, "tick", 1)
        mock_clock.jump(4.5)
        await trio.testing.wait_all_tasks_blocked()
        assert ["tick"] * 4 == [await otp.receive(timeout=0) for _ in range(4)]
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(timeout=0)
        mock_clock.jump(0.5)
        assert "tick" == await otp.receive()


async def test_an_interval_ends_with_its_target(
    start_supervised: Any, virtual_time: VirtualTime
) -> None:
    """It belongs to the process that had the name; its successor gets nothing."""

    class Ticks(otp.GenServer):
        def __init__(self) -> None:
            self.ticks = 0

        def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            return otp.Reply(self.ticks)

        @otp.on_info(str)
        def tick(self, _: str) -> None:
            self.ticks += 1

    await start_supervised(otp.child(Ticks).having(name="ticks"))
    timer = otp.send_interval("ticks", "tick", 1)
    await virtual_time.advance(3)
    assert 3 == await otp.call("ticks", "count")
    otp.exit("ticks", otp.KILL)
    await virtual_time.advance(5)
    assert 0 == await otp.call("ticks", "count")
    assert otp.cancel_timer(timer) is None


async def test_a_target_that_is_about_to_die_gets_nothing_more(autojump_clock: Any) -> None:
    """So nothing is counted as lost."""

    async def slow_to_die() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)

    async with otp.open_process():
        pid = otp.spawn(slow_to_die)
        otp.send_interval(pid, "tick", 2)
        await trio.sleep(1)
        otp.exit(pid, "custom")
        before = runtime().dropped
        await trio.sleep(10)
        assert before == runtime().dropped
        assert 1 == otp.process_count()


async def test_an_interval_outlives_who_set_it(autojump_clock: Any) -> None:
    """The end of its setter changes nothing, unless that is the target."""
    async with otp.open_process() as me:

        async def setter() -> None:
            otp.send_interval(me, "tick", 1)

        otp.spawn(setter)
        assert [1, 2] == await times(2)


async def test_an_interval_to_nobody(autojump_clock: Any) -> None:
    """A dead pid gets nothing; a name that nobody has is an error."""
    async with otp.open_process():
        pid = otp.spawn(idle)
        otp.exit(pid, otp.KILL)
        await trio.sleep(1)
        assert otp.read_timer(otp.send_interval(pid, "tick", 1)) is None
        with pytest.raises(otp.NoProcess):
            otp.send_interval("nobody", "tick", 1)
        with pytest.raises(TypeError, match="not a reference"):
            otp.send_interval(5, "tick", 1)  # type: ignore[arg-type]
        assert 0 == runtime().timers.pending()


@pytest.mark.parametrize("period", [0, -1, 0.0009, math.inf, math.nan, True, "1", None])
async def test_a_wrong_period_is_refused(period: Any) -> None:
    """A period is a finite number of seconds, and not so short that nothing else would run."""
    async with otp.open_process() as me:
        with pytest.raises(ValueError, match=r"period=.*expected a finite number"):
            otp.send_interval(me, "x", period)
        with pytest.raises(ValueError, match=r"period=.*expected a finite number"):
            otp.apply_interval(period, idle)
        assert 0 == runtime().timers.pending()


# -- apply_after -----------------------------------------------------------------------------------


async def test_a_function_runs_later_in_a_process_of_its_own(autojump_clock: Any) -> None:
    """It gets its arguments at its time; its setter need not live any more."""
    done: list[Any] = []

    async def work(word: str) -> None:
        done.append((word, trio.current_time(), otp.ancestors(), otp.self()))

    async with otp.open_process() as me:

        async def setter() -> None:
            otp.apply_after(2, work, "in a process")

        pid = otp.spawn(setter)
        await trio.sleep(3)
        [(word, when, ancestors, worker)] = done
        assert ("in a process", 2, (pid, me)) == (word, when, ancestors)
        assert worker not in (pid, me)


async def test_plain_trio_code_gives_a_nursery(autojump_clock: Any) -> None:
    """The process lives there; without one the error has the line to write."""
    done: list[float] = []

    async def work() -> None:
        done.append(trio.current_time())

    with pytest.raises(otp.NotAProcess, match=r"otp.apply_after\(..., nursery=nursery\)"):
        otp.apply_after(1, work)
    async with trio.open_nursery() as nursery:
        otp.apply_after(2, work, nursery=nursery)
        await trio.sleep(3)
    assert [2] == done


async def test_what_runs_in_a_nursery_is_shut_down_with_it(autojump_clock: Any) -> None:
    """Also if nothing else lived there when its time came."""
    ends: list[float] = []

    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ends.append(trio.current_time())

    with trio.move_on_after(3):
        async with trio.open_nursery() as nursery:
            otp.apply_after(1, work, nursery=nursery)
            await trio.sleep_forever()
    assert [3] == ends


async def test_a_crash_of_the_function_is_logged(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It harms nobody else."""

    async def crash() -> None:
        raise ValueError("bad")

    async with otp.open_process() as me:
        otp.apply_after(1, crash)
        await trio.sleep(2)
        assert otp.is_alive(me)
    assert ["trio_otp.crash"] == [record.name for record in caplog.records]
    assert "crash" in caplog.text


async def test_a_function_can_be_taken_back(autojump_clock: Any) -> None:
    """cancel_timer tells the seconds that were left, and nothing runs."""
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    async with otp.open_process():
        timer = otp.apply_after(10, work)
        await trio.sleep(4)
        assert 6 == otp.cancel_timer(timer)
        await trio.sleep(100)
    assert [] == done


@pytest.mark.parametrize("cancel", [False, True])
async def test_a_nursery_that_is_closed_takes_nobody(cancel: bool, autojump_clock: Any) -> None:
    """What was to run there is dropped, which is counted and told."""
    told: list[Any] = []
    otp.events.attach("dropped", lambda *what: told.append(what))
    async with trio.open_nursery() as nursery:
        otp.apply_after(1, idle, nursery=nursery)
        timer = otp.apply_interval(1, idle, nursery=nursery)
        if cancel:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await trio.sleep(2)
    await trio.sleep(5)
    assert [
        (idle, (), "apply_after in a nursery that is closed"),
        (idle, (), "apply_interval in a nursery that is closed"),
    ] == told
    assert otp.read_timer(timer) is None
    assert 0 == runtime().timers.pending()


async def test_a_block_that_is_over_takes_nobody(autojump_clock: Any) -> None:
    """What a block of open_process was to run later is dropped when the block is over."""
    before = runtime().dropped
    async with otp.open_process():
        otp.apply_after(1, idle)
    await trio.sleep(2)
    assert before + 1 == runtime().dropped
    assert 0 == otp.process_count()


@pytest.mark.parametrize("apply", [otp.apply_after, otp.apply_interval])
async def test_what_cannot_run_is_refused_at_once(apply: Any) -> None:
    """A call in place of a function is the usual mistake; the text has the line to write."""
    async with otp.open_process():
        with pytest.raises(TypeError, match=rf"fn=None: .*write {apply.__name__}\(seconds, fn"):
            apply(1, None)
        assert 0 == runtime().timers.pending()


@pytest.mark.parametrize("delay", [-1, math.inf, math.nan, True, "1", None])
async def test_a_wrong_delay_is_refused(delay: Any) -> None:
    """A delay is a finite number of seconds from 0 up."""
    async with otp.open_process():
        with pytest.raises(ValueError, match=r"delay=.*expected"):
            otp.apply_after(delay, idle)


# -- apply_interval --------------------------------------------------------------------------------


async def test_a_function_runs_again_and_again(autojump_clock: Any) -> None:
    """Each run is a process of its own, and does not wait for the one before."""
    starts: list[float] = []

    async def slow() -> None:
        starts.append(trio.current_time())
        await trio.sleep(2.5)

    async with otp.open_process():
        timer = otp.apply_interval(1, slow)
        await trio.sleep(3.2)
        assert 4 == otp.process_count()
        otp.cancel_timer(timer)
        await trio.sleep(10)
        assert 1 == otp.process_count()
    assert [1, 2, 3] == starts


async def test_the_interval_of_a_process_ends_with_it(autojump_clock: Any) -> None:
    """What has been started already goes on."""
    starts: list[float] = []

    async def work() -> None:
        starts.append(trio.current_time())

    async def setter() -> None:
        otp.apply_interval(1, work)
        await trio.sleep(2.5)

    async with otp.open_process():
        otp.spawn(setter)
        await trio.sleep(10)
    assert [1, 2] == starts
    assert 0 == runtime().timers.pending()


async def test_the_interval_of_plain_code_ends_with_its_nursery(autojump_clock: Any) -> None:
    """It runs while the nursery is open."""
    starts: list[float] = []

    async def work() -> None:
        starts.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        otp.apply_interval(1, work, nursery=nursery)
        await trio.sleep(3.5)
    await trio.sleep(5)
    assert [1, 2, 3] == starts
    assert 0 == runtime().timers.pending()
