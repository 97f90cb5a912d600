"""Timers: messages that arrive later, and the service behind them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
import trio.testing

import trio_otp as otp
from trio_otp.runtime import runtime


async def idle() -> None:
    await trio.sleep_forever()


async def arrivals() -> list[tuple[float, Any]]:
    """Take messages until none comes for 100 s; each with the time of its arrival."""
    got: list[tuple[float, Any]] = []
    while True:
        try:
            message = await otp.receive(timeout=100)
        except otp.ReceiveTimeout:
            return got
        got.append((trio.current_time(), message))


async def test_a_message_arrives_after_its_delay(autojump_clock: Any) -> None:
    """send_after delivers once, at its time, whatever the order of setting (PR-16)."""
    async with otp.open_process() as me:
        for delay in (3, 1, 2):
            otp.send_after(me, f"after {delay}", delay)
        assert [(1, "after 1"), (2, "after 2"), (3, "after 3")] == await arrivals()


async def test_delays_of_one_moment_keep_the_order_of_setting(autojump_clock: Any) -> None:
    """Timers of the same time fire oldest first."""
    async with otp.open_process() as me:
        for number in range(20):
            otp.send_after(me, number, 1)
        assert list(range(20)) == [message for _, message in await arrivals()]


async def test_delay_zero_goes_through_the_mailbox(autojump_clock: Any) -> None:
    """A delay of 0 has no priority over what is in the mailbox (PR-16)."""
    async with otp.open_process() as me:
        otp.send_after(me, "timer", 0)
        otp.send(me, "sent")
        assert [(0, "sent"), (0, "timer")] == await arrivals()


@pytest.mark.parametrize("delay", [-1, math.nan, math.inf, True, "1", None])
async def test_a_wrong_delay_is_refused(delay: Any) -> None:
    """A delay is a finite number of seconds from 0 up; the error says so and nothing is set."""
    async with otp.open_process() as me:
        with pytest.raises(ValueError, match=r"delay=.*accepted is"):
            otp.send_after(me, "x", delay)
        assert 0 == runtime().timers.pending()


async def test_a_wrong_destination_is_refused_at_once() -> None:
    """What is no reference is a TypeError where the timer is set, not where it fires."""
    with pytest.raises(TypeError, match="no reference"):
        otp.send_after(42, "x", 1)


async def test_fault_48_a_cancelled_timer_never_fires(autojump_clock: Any) -> None:
    """cancel_timer gives the seconds that were left, and the message does not come."""
    async with otp.open_process() as me:
        timer = otp.send_after(me, "never", 10)
        await trio.sleep(4)
        assert 6 == otp.read_timer(timer)
        assert 6 == otp.cancel_timer(timer)
        assert otp.read_timer(timer) is None
        assert otp.cancel_timer(timer) is None
        assert [] == await arrivals()


async def test_a_timer_that_fired_is_done(autojump_clock: Any) -> None:
    """After its message was sent a timer reads None and cannot be cancelled."""
    async with otp.open_process() as me:
        timer = otp.send_after(me, "sent", 1)
        assert repr(timer).endswith("pending>")
        await trio.sleep(2)
        assert otp.read_timer(timer) is None
        assert otp.cancel_timer(timer) is None
        assert repr(timer).endswith("done>")
        assert "sent" == await otp.receive(timeout=0)


async def test_fault_48_a_timer_to_a_dead_process_never_fires(autojump_clock: Any) -> None:
    """The death of its process cancels a timer, and it does not hold up the end of the run."""
    async with otp.open_process():
        pid, _ = otp.spawn_monitor(idle)
        timer = otp.send_after(pid, "never", 1000)
        otp.exit(pid, otp.KILL)
        await otp.receive(otp.Down)
        assert otp.read_timer(timer) is None
        assert 0 == runtime().timers.pending()
        before = runtime().dropped
        await trio.sleep(2000)
        assert before == runtime().dropped


async def test_a_timer_to_the_dead_is_dead(autojump_clock: Any) -> None:
    """send_after to a pid that is dead already sets nothing."""
    async with otp.open_process():
        pid, _ = otp.spawn_monitor(trio.lowlevel.checkpoint)
        await otp.receive(otp.Down)
        timer = otp.send_after(pid, "never", 1)
        assert otp.read_timer(timer) is None
        assert 0 == runtime().timers.pending()


async def test_a_timer_to_a_doomed_process_is_dropped(autojump_clock: Any) -> None:
    """A timer that fires while its process is ending reaches nobody."""

    async def slow_end() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)

    async with otp.open_process():
        pid, _ = otp.spawn_monitor(slow_end)
        otp.send_after(pid, "never", 2)
        await trio.sleep(1)
        otp.exit(pid, "slowly")
        before = runtime().dropped
        assert "slowly" == (await otp.receive(otp.Down)).reason
        assert before + 1 == runtime().dropped


async def test_a_name_is_resolved_when_the_time_has_come(autojump_clock: Any) -> None:
    """A timer to a name reaches whoever has it then, and nobody if nobody does (PR-16)."""

    async def forward(me: otp.Pid[Any]) -> None:
        otp.send(me, (otp.self(), await otp.receive()))
        await trio.sleep_forever()

    async with otp.open_process() as me:
        first, second = (otp.spawn(forward, me) for _ in range(2))
        otp.register("target", first)
        otp.send_after("target", "hello", 1)
        otp.send_after("target", "again", 3)
        otp.unregister("target")
        otp.register("target", second)
        assert [(1, (second, "hello"))] == await arrivals()
        otp.unregister("target")
        before = runtime().dropped
        otp.send_after("target", "nobody", 1)
        await trio.sleep(2)
        assert before + 1 == runtime().dropped


async def test_a_timer_outlives_its_setter(autojump_clock: Any) -> None:
    """A message set by a process that has ended since still arrives."""

    async def sets(me: otp.Pid[Any]) -> None:
        otp.send_after(me, "from beyond", 5)

    async with otp.open_process() as me:
        otp.spawn(sets, me)
        assert [(5, "from beyond")] == await arrivals()


async def test_plain_code_can_set_a_timer(autojump_clock: Any) -> None:
    """send_after needs no process of its own."""
    async with trio.open_nursery() as nursery:
        got: list[object] = []

        async def take() -> None:
            got.append(await otp.receive())

        pid = otp.spawn(take, nursery=nursery)
        otp.send_after(pid, "hello", 2)
    assert ["hello"] == got
    assert 2 == trio.current_time()


async def test_a_registry_that_raises_does_not_take_the_run_down(autojump_clock: Any) -> None:
    """An error of a user's via registry, met when a timer fires, is told and drops the message."""

    class Broken:
        def register_name(self, key: Any, pid: Any) -> bool:
            return True

        def unregister_name(self, key: Any) -> None: ...

        def whereis_name(self, key: Any) -> None:
            raise LookupError("broken registry")

        def send(self, key: Any, message: Any) -> None: ...

    async with otp.open_process(name="no registry") as me:
        notices: list[Any] = []
        runtime().events.attach("notice", notices.append)
        before = runtime().dropped
        otp.send_after(("via", Broken(), "key"), "x", 1)
        otp.send_after(("via", "no registry", "key"), "y", 1)
        otp.send_after(me, "good", 1)
        assert [(1, "good")] == await arrivals()
        assert before + 2 == runtime().dropped
        assert ["broken registry" in n.text or "no registry" in n.text for n in notices] == [
            True,
            True,
        ]


# -- the service -----------------------------------------------------------------------------------


async def test_the_service_is_parked_while_nothing_is_pending(autojump_clock: Any) -> None:
    """Cancelled timers and met limits cause no wake after their time."""
    async with otp.open_process() as me:
        for _ in range(1000):
            otp.cancel_timer(otp.send_after(me, "never", 1))
        timers = runtime().timers
        assert len(timers._heap) < 200
        await trio.sleep(10)
        assert math.inf == timers._armed


class Echo(otp.GenServer):
    def handle_call(self, request: Any, from_: Any) -> otp.Reply[Any]:
        return otp.Reply(request)


class Wakes(trio.abc.Instrument):
    """Counts how often the timer service wakes."""

    def __init__(self) -> None:
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += task.name == "<trio_otp timers>"


async def test_answered_calls_wake_the_service_once_per_timeout(autojump_clock: Any) -> None:
    """Of 1,000 calls that were answered in time, only one deadline per value causes a wake."""
    async with otp.open_process():
        echo = await otp.start_link(Echo)
        await otp.call(echo, "first", timeout=7)
        await trio.sleep(100)
        wakes = Wakes()
        trio.lowlevel.add_instrument(wakes)
        for number in range(1000):
            await otp.call(echo, number, timeout=5 + number % 2)
        await trio.sleep(100)
        assert 0 < wakes.count <= 4  # each wake is a step, and a checkpoint after it


async def test_a_thousand_distinct_timeouts_do_not_pile_up(autojump_clock: Any) -> None:
    """Calls whose time-outs are all different, as those of a budget, leave no queue each."""
    async with otp.open_process():
        echo = await otp.start_link(Echo)
        for number in range(1000):
            assert number == await otp.call(echo, number, timeout=1 + number / 1000)
        timers = runtime().timers
        assert len(timers._fifos) <= 17
        await trio.sleep(10)
        assert {} == timers._fifos
        assert math.inf == timers._armed


async def test_an_earlier_timer_rearms_the_service(autojump_clock: Any) -> None:
    """A timer set later for an earlier time is not late."""
    async with otp.open_process() as me:
        otp.send_after(me, "late", 50)
        await trio.testing.wait_all_tasks_blocked()
        otp.send_after(me, "early", 1)
        await trio.testing.wait_all_tasks_blocked()
        otp.send_after(me, "middle", 20)
        assert [(1, "early"), (20, "middle"), (50, "late")] == await arrivals()
