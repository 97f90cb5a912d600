"""Timers: messages that arrive later, and the service behind them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
import trio.testing
from inside import runtime

import trio_otp as otp


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
        with pytest.raises(ValueError, match=r"delay=.*expected"):
            otp.send_after(me, "x", delay)
        assert 0 == runtime().timers.pending()


async def test_a_wrong_destination_is_refused_at_once() -> None:
    """What is no reference is a TypeError where the timer is set, not where it fires."""
    with pytest.raises(TypeError, match="not a reference"):
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


async def test_a_timer_to_an_exiting_process_is_dropped(autojump_clock: Any) -> None:
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


# -- absolute times --------------------------------------------------------------------------------


async def test_a_time_can_be_absolute(autojump_clock: Any) -> None:
    """`delay` is then a time of the clock; what is set later still comes in its order."""
    async with otp.open_process() as me:
        await trio.sleep(10)
        timer = otp.send_after(me, "at 13", 13, absolute=True)
        otp.send_after(me, "after 2", 2)
        assert 3 == otp.read_timer(timer)
        assert [(12, "after 2"), (13, "at 13")] == await arrivals()


@pytest.mark.parametrize("time", [10, 9.5, 0, -1])
async def test_an_absolute_time_that_is_over_is_now(autojump_clock: Any, time: float) -> None:
    """It goes through the mailbox, as a delay of 0."""
    async with otp.open_process() as me:
        await trio.sleep(10)
        assert 0 == otp.read_timer(otp.send_after(me, "late", time, absolute=True))
        otp.send(me, "sent")
        assert [(10, "sent"), (10, "late")] == await arrivals()


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf, True, "1", None])
async def test_a_wrong_time_is_refused(time: Any) -> None:
    """It is a finite number; whether it is absolute is a bool."""
    async with otp.open_process() as me:
        with pytest.raises(ValueError, match=r"delay=.*trio.current_time\(\)"):
            otp.send_after(me, "x", time, absolute=True)
        with pytest.raises(TypeError, match=r"absolute=.*True or False"):
            otp.send_after(me, "x", 1, absolute=time if time is not True else 1)
        assert 0 == runtime().timers.pending()


# -- exit_after, kill_after ------------------------------------------------------------------------


async def test_an_exit_signal_comes_after_a_time(autojump_clock: Any) -> None:
    """From nobody, to another process or to the one that sets it."""
    async with otp.open_process(trap_exit=True) as me:
        pid, watch = otp.spawn_monitor(idle)
        otp.exit_after(3, pid, "late")
        otp.exit_after(2, "mine")
        otp.exit_after(1, me, otp.NORMAL)
        assert [
            (1, otp.Exit(None, otp.NORMAL)),
            (2, otp.Exit(None, "mine")),
            (3, otp.Down(watch, pid, "late")),
        ] == await arrivals()


async def test_it_ends_who_does_not_trap_exits(autojump_clock: Any) -> None:
    """NORMAL is ignored, as that of otp.exit; any other reason is that of its end."""

    async def doubly() -> None:
        otp.exit_after(1, otp.NORMAL)
        otp.exit_after(2, "enough")
        await trio.sleep_forever()

    async with otp.open_process():
        otp.spawn_monitor(doubly)
        assert "enough" == (await otp.receive(otp.Down)).reason
        assert 2 == trio.current_time()


async def test_a_kill_comes_after_a_time(autojump_clock: Any) -> None:
    """To another process, also one that traps exits, or to the one that sets it."""

    async def trapping() -> None:
        otp.trap_exit()
        await trio.sleep_forever()

    async def brief() -> None:
        otp.kill_after(2)
        await trio.sleep_forever()

    async with otp.open_process():
        pid, _ = otp.spawn_monitor(trapping)
        otp.spawn_monitor(brief)
        otp.kill_after(1, pid)
        ends = [(at, message.reason) for at, message in await arrivals()]
        assert [(1, otp.KILLED), (2, otp.KILLED)] == ends


async def test_a_kill_reaches_also_who_is_being_stopped(autojump_clock: Any) -> None:
    """It cuts a terminate short that would take for ever; another signal does not."""

    class Slow(otp.GenServer):
        async def terminate(self, reason: object) -> None:
            await trio.sleep_forever()

    async with otp.open_process(), trio.open_nursery() as nursery:
        pid = await otp.start(otp.child(Slow).having(shutdown=None), nursery=nursery)
        otp.monitor(pid)
        otp.exit_after(1, pid, "ignored")
        otp.kill_after(2, pid)
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            down = await otp.receive(otp.Down)
        assert (2, otp.KILLED) == (trio.current_time(), down.reason)


async def test_a_signal_to_a_name_reaches_who_has_it_then(autojump_clock: Any) -> None:
    """And nobody if nobody does, which is counted."""
    async with otp.open_process():
        before = runtime().dropped
        otp.exit_after(1, "name", "early")
        otp.kill_after(3, "name")
        await trio.sleep(2)
        assert before + 1 == runtime().dropped
        pid, _ = otp.spawn_monitor(idle)
        otp.register("name", pid)
        assert otp.KILLED == (await otp.receive(otp.Down)).reason
        assert 3 == trio.current_time()


async def test_a_signal_can_be_taken_back(autojump_clock: Any) -> None:
    """By its handle, and by the death of the process it is for."""
    async with otp.open_process():
        pid, _ = otp.spawn_monitor(idle)
        timer, other = otp.exit_after(5, pid, "never"), otp.kill_after(7, pid)
        assert (5, 7) == (otp.read_timer(timer), otp.read_timer(other))
        assert 5 == otp.cancel_timer(timer)
        otp.exit(pid, "now")
        await otp.receive(otp.Down)
        assert otp.read_timer(other) is None
        assert 0 == runtime().timers.pending()
        assert otp.read_timer(otp.kill_after(1, pid)) is None


async def test_wrong_arguments_of_a_signal_are_refused() -> None:
    """Where it is set; without a reference it needs a process."""
    wrong: Any = 42
    with pytest.raises(TypeError, match="not a reference"):
        otp.exit_after(1, wrong, "x")
    with pytest.raises(TypeError, match="not a reference"):
        otp.kill_after(1, wrong)
    with pytest.raises(ValueError, match="delay=-1"):
        otp.exit_after(-1, "name", "x")
    with pytest.raises(ValueError, match="delay='1'"):
        otp.kill_after("1", "name")  # type: ignore[arg-type]
    with pytest.raises(otp.NotAProcess, match=r"otp.exit_after\(delay, reason\)"):
        otp.exit_after(1, "x")
    with pytest.raises(otp.NotAProcess, match=r"otp.kill_after\(delay\)"):
        otp.kill_after(1)
    assert 0 == runtime().timers.pending()
