"""What a test has left behind: what fails it, and what does not."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from testing_kit import COUNTER, Counter, Noted, forever

import trio_otp as otp
from trio_otp.testing import Leaked, open_system


class Tired(otp.GenServer):
    """Ends for a reason that is no error."""

    def handle_cast(self, message: Any) -> otp.Stop:
        return otp.Stop("tired")


async def left_behind(use: Any) -> str:
    """Return what is said of what a test has left."""
    with pytest.raises(Leaked) as caught:
        async with open_system("test_shop") as system:
            await use(system)
    assert 0 == otp.process_count()
    return str(caught.value)


async def test_a_test_that_is_clean(autojump_clock: Any) -> None:
    """Owned processes, answered tasks, timers of servers and quiet ends are no leaks."""

    class Ticks(otp.GenServer):
        def init(self) -> None:
            otp.send_after(otp.self(), "tick", 60)
            otp.apply_interval(60, trio.lowlevel.checkpoint)
            otp.spawn_link(forever)

        @otp.on_call_deferred
        def slow(self, from_: otp.From[None]) -> None:
            otp.reply_from_task(from_, forever)

    async with open_system() as system:
        pid = await system.start_supervised(Ticks)
        otp.spawn_link(forever)
        probe = system.probe(name="probe")
        await otp.task.start_async(trio.lowlevel.checkpoint)
        ended = otp.spawn_link(trio.lowlevel.checkpoint)
        probe.watch(ended)
        otp.cancel_timer(otp.send_after("probe", 1, 60))
        with trio.move_on_after(0.01):  # and leave the helper alone
            await Ticks.slow(pid)


async def test_a_process_that_is_left() -> None:
    """It is named with the place where it waits, also one that a server has left."""

    class Leaves(otp.GenServer):
        def handle_info(self, message: Any) -> None:
            otp.spawn(forever, label="orphan")

    async def use(system: Any) -> None:
        otp.send(await system.start_supervised(Leaves), "x")
        otp.spawn(forever)

    first, *lines = (await left_behind(use)).splitlines()
    assert "test_shop has left behind:" == first
    advice = "stop it, link it to the test, or start it with start_supervised"
    assert [
        f"  process <Pid 4 forever>: {advice}",
        f"  process <Pid 5 orphan>: {advice}",
    ] == sorted(lines[::2])
    assert all(line.startswith("    it waits in ") for line in lines[1::2])
    assert all(line.endswith("in forever") for line in lines[1::2])

    async def use_no_code_of_its_own(system: Any) -> None:
        otp.spawn(trio.sleep_forever)

    assert (
        f"test_shop has left behind:\n  process <Pid 7 sleep_forever>: {advice}"
    ) == await left_behind(use_no_code_of_its_own)


async def test_a_timer_that_is_left(autojump_clock: object) -> None:
    """Those to nobody in particular, those to the test, and intervals."""

    async def use(system: Any) -> None:
        otp.send_after("nobody", "tick", 60)
        otp.send_after(otp.self(), "tock", 61)
        otp.apply_after(62, forever)
        otp.send_interval(otp.self(), "tack", 63)
        otp.apply_interval(64, forever)
        otp.cancel_timer(otp.send_after("nobody", "never", 1))
        await trio.sleep(1)

    advice = "otp.cancel_timer it"
    assert (
        "test_shop has left behind:\n"
        f"  timer to 'nobody' with 'tick', due in 59 s: {advice}\n"
        f"  timer to <Pid 1 test_shop> with 'tock', due in 60 s: {advice}\n"
        f"  timer of forever, due in 61 s: {advice}\n"
        f"  timer with 'tack' every 63 s, due in 62 s: {advice}\n"
        f"  timer of forever every 64 s, due in 63 s: {advice}"
    ) == (await left_behind(use))


async def test_a_name_that_is_left() -> None:
    """The name of the test itself."""

    async def use(system: Any) -> None:
        otp.register("me", otp.self())

    text = "test_shop has left behind:\n  name 'me' of the test itself: otp.unregister it"
    assert text == await left_behind(use)


async def test_a_task_that_is_left() -> None:
    """One that runs, one that has ended, and one that has crashed."""

    async def two() -> int:
        return 2

    async def fails() -> None:
        raise ValueError("bad")

    async def use(system: Any) -> None:
        otp.task.start_async(forever)
        otp.task.start_async(two)
        ignored = otp.task.start_async(forever)
        await otp.task.shutdown(ignored)

    assert (
        "test_shop has left behind:\n"
        "  <Task two <Pid 3 two>>: nobody has awaited it, and Ok(value=2) came of it\n"
        "  <Task forever <Pid 2 forever>>: nobody has awaited it, and it runs"
    ) == await left_behind(use)

    async def use_one_that_fails(system: Any) -> None:
        otp.task.start_async(fails)

    assert (
        "test_shop has left behind:\n"
        "  <Task fails <Pid 6 fails>>: nobody has awaited it, "
        "and Exited(reason=ValueError('bad'), input=None) came of it\n"
        "  crash of <Pid 6 fails>: ValueError('bad'), message in hand: fails()\n"
        "    if it is to be: with otp_log.expect_crash(ValueError): ..."
    ) == await left_behind(use_one_that_fails)


async def test_a_crash_that_nobody_expected() -> None:
    """Before the end, in the moment of the end, and while everything is stopped."""

    async def use(system: Any) -> None:
        notes: list[Any] = []
        await system.start_supervised(otp.child(Noted, notes, "a", OSError("disk")))
        await system.start_supervised(COUNTER)
        with pytest.raises(otp.ServerExited):
            await Counter.count("counter", "tea")
        otp.cast(await system.start_supervised(otp.child(Counter).having(id=2)), "odd")
        otp.cast(await system.start_supervised(otp.child(Tired)), "work")

    assert (
        "test_shop has left behind:\n"
        "  crash of <Pid 4 Counter 'counter'>: KeyError('tea'), "
        "message in hand: call count('tea')\n"
        "    if it is to be: with otp_log.expect_crash(KeyError): ...\n"
        "  crash of <Pid 6 Counter>: NoCallback(\"Counter got 'odd' and has no handle_cast; "
        "its methods are add: write Counter.at(ref).add(...)\"), message in hand: cast 'odd'\n"
        "    if it is to be: with otp_log.expect_crash(NoCallback): ...\n"
        "  crash of <Pid 7 Tired>: 'tired', message in hand: cast 'work'\n"
        "    if it is to be: with otp_log.expect_crash('tired'): ...\n"
        "  crash of <Pid 3 Noted>: OSError('disk')\n"
        "    if it is to be: with otp_log.expect_crash(OSError): ..."
    ) == await left_behind(use)


async def test_a_child_that_crashes_at_every_start(otp_system: Any) -> None:
    """It ends the test instead of holding it up for ever, and its crashes are not all listed."""

    async def crash() -> None:
        raise ValueError("bad")

    async def use(system: Any) -> None:
        await system.start_supervised(otp.child(crash))

    async def run() -> None:
        lines.extend((await left_behind(use)).splitlines())

    lines: list[str] = []
    await trio.to_thread.run_sync(trio.run, run)
    assert "  the supervisor of the test gave up: 300 restarts in 5 s" == lines[1]
    assert "  crash of <Pid 3 crash>: ValueError('bad')" == lines[2]
    assert "  and 291 crashes more" == lines[-1]


async def test_an_end_that_nobody_read() -> None:
    """A kill is no crash; its message, unread in a mailbox, is left all the same."""

    async def use(system: Any) -> None:
        linked = otp.spawn_link(forever)
        watched = otp.spawn(forever)
        system.probe().watch(watched)
        for pid in (linked, watched):
            otp.exit(pid, otp.KILL)

    assert (
        "test_shop has left behind:\n"
        "  message that nobody has read: Exit(pid=<Pid 2 forever>, reason=KILLED)\n"
        "  message that nobody has read: "
        "Down(ref=<Monitor of <Pid 3 forever>>, pid=<Pid 3 forever>, reason=KILLED)"
    ) == await left_behind(use)


async def test_an_error_of_the_test_is_told_alone() -> None:
    """A test that fails half way leaves things behind; they are stopped and not mentioned."""
    pids: list[otp.Pid[Any]] = []

    async def use() -> None:
        async with open_system() as system:
            pids.append(await system.start_supervised(COUNTER))
            pids.append(otp.spawn(forever))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await use()
    assert [False, False] == [otp.is_alive(pid) for pid in pids]


async def test_a_test_that_is_cancelled_is_stopped_in_order(autojump_clock: object) -> None:
    """A deadline around it ends it as any other block of this library."""
    notes: list[Any] = []
    with trio.move_on_after(1) as scope:
        async with open_system() as system:
            for name in ("a", "b"):
                await system.start_supervised(otp.child(Noted, notes, name).having(id=name))
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert ["b", "a"] == [name for name, _ in notes]


async def test_the_task_of_a_process_that_is_left_is_not_told() -> None:
    """It ends with its owner, which is."""

    async def owns() -> None:
        otp.task.start_async(forever)
        await forever()

    async def use(system: Any) -> None:
        otp.spawn(owns)
        await trio.testing.wait_all_tasks_blocked()

    assert ["test_shop has left behind:", "  process <Pid 2 owns>"] == [
        line.partition(": ")[0]
        for line in (await left_behind(use)).splitlines()
        if "waits in" not in line
    ]
