"""Applications: the order of start and stop, and blocks that share what runs."""

from __future__ import annotations

import math
import signal
from typing import Any

import pytest
import trio
import trio.testing
from application_kit import (
    Base,
    Traced,
    Weak,
    Web,
    Worker,
    ctrl_c,
    down,
    empty_log,
    log,
    running,
    up,
)
from inside import runtime

import trio_otp as otp

__all__ = ["ctrl_c", "empty_log"]


async def test_dependencies_start_first_and_stop_last() -> None:
    """A block starts dependencies depth first and stops all in reverse start order (AP-5, AP-9)."""
    async with otp.open_application(Web) as web:
        assert ["base", "web"] == running()
        assert "web" == web.name
        assert otp.is_alive(web)
    assert [*up("base"), *up("web"), *down("web"), *down("base")] == log
    assert [] == otp.registered()


async def test_a_deadline_stops_in_order(autojump_clock: trio.testing.MockClock) -> None:
    """A cancelled block stops its applications one after another (law 4)."""
    with trio.move_on_after(3) as scope:
        async with otp.open_application(Web):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert [*down("web"), *down("base")] == log[6:]


async def test_slow_ends_do_not_overlap(autojump_clock: trio.testing.MockClock) -> None:
    """Time to end is the sum of the limits: the next application waits for the one before it."""

    class Slow(otp.Application):
        def start(self) -> Any:
            return otp.Supervisor.spec([otp.child(Worker, "slow", math.inf)])

    class Slower(Slow):
        dependencies = (Slow,)

    with trio.CancelScope() as scope:
        async with otp.open_application(Slower):
            scope.cancel()
            await trio.lowlevel.checkpoint()
    assert pytest.approx(10, abs=0.01) == trio.current_time()


async def test_an_error_of_the_body_leaves_bare() -> None:
    """The body's own exception leaves as it is, its cause too, after an ordered stop."""
    with pytest.raises(ValueError, match="mine") as caught:
        async with otp.open_application(Base):
            raise ValueError("mine") from KeyError("cause")
    assert "KeyError('cause')" == repr(caught.value.__cause__)
    assert [*up("base"), *down("base")] == log


async def test_ctrl_c_in_a_worker_stops_all_in_order() -> None:
    """KeyboardInterrupt in a process passes through, and the other applications end in order."""

    async def program() -> None:
        async with otp.open_application(Web):
            otp.cast("web1", KeyboardInterrupt())
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        await program()
    ends = [entry for entry in log if entry[0] in {"prep_stop", "stop"}]
    names = [entry[:2] for entry in ends]
    assert [("prep_stop", "web"), ("stop", "web"), ("prep_stop", "base"), ("stop", "base")] == names
    assert ("stop", "web", 0) in ends
    assert ("stop", "base", 0) in ends


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_twice_in_plain_trio_code() -> None:
    """A second Ctrl-C, which hits the main task while it waits for the end, breaks nothing off."""

    @trio.lowlevel.enable_ki_protection
    def press_again() -> None:
        signal.raise_signal(signal.SIGINT)  # delivered to the main task at its next checkpoint

    class Pressed(Traced):
        dependencies = (Base,)

        async def stop(self) -> None:
            press_again()
            await trio.testing.wait_all_tasks_blocked()
            log.append(("stop", self.name))

    async def program() -> None:
        async with otp.open_application(Pressed):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        trio.run(program)
    assert [("stop", "pressed"), *down("base")] == log[-5:]


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_does_not_break_into_the_order_of_an_end() -> None:
    """Ctrl-C while code of ours runs waits until a callback or the body can take it."""

    def press(report: otp.events.ApplicationReport) -> None:
        if report.phase == "started":
            signal.raise_signal(signal.SIGINT)

    async def program() -> None:
        otp.events.attach("application", press)
        async with otp.open_application(Base):
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(program)
    assert [*up("base"), *down("base")] == log


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_breaks_into_a_callback() -> None:
    """A callback that does not come to an end can be interrupted; the rest of the end goes on."""

    class Busy(Traced):
        def prep_stop(self) -> None:
            signal.raise_signal(signal.SIGINT)
            log.append(("not interrupted",))

    async def program() -> None:
        async with otp.open_application(Busy):
            pass

    with pytest.raises(KeyboardInterrupt):
        trio.run(program)
    assert [("down", "busy2"), ("down", "busy1"), ("stop", "busy", 0)] == log[3:]


async def test_system_exit_in_a_worker_passes_through() -> None:
    """SystemExit in a process leaves the block with its code."""

    async def program() -> None:
        async with otp.open_application(Web):
            otp.cast("base1", SystemExit(7))
            await trio.sleep_forever()

    with pytest.raises(SystemExit) as caught:
        await program()
    assert 7 == caught.value.code


async def linger() -> None:
    try:
        await trio.sleep_forever()
    finally:
        log.append(("leftover", "gone"))


class Spawner(otp.GenServer):
    """Leaves a process behind that nobody supervises."""

    def init(self) -> None:
        otp.spawn(linger)

    def handle_cast(self, message: BaseException) -> None:
        raise message


@pytest.mark.parametrize("top", [otp.child(otp.Supervisor, [Spawner]), otp.child(Spawner)])
async def test_leftovers_are_gone_before_stop_runs(top: otp.Child[object]) -> None:
    """What the processes of an application have spawned does not outlive it (AP-5)."""

    class Leaky(otp.Application):
        def start(self) -> otp.Child[object]:
            return top

        def stop(self) -> None:
            log.append(("stop", len(runtime().processes)))

    async with otp.open_application(Leaky):
        await trio.testing.wait_all_tasks_blocked()
    assert [("leftover", "gone"), ("stop", 0)] == log


async def test_leftovers_of_a_top_that_ctrl_c_hit() -> None:
    """They are gone too when KeyboardInterrupt ends the top process itself."""

    class Leaky(otp.Application):
        def start(self) -> otp.Child[Spawner]:
            return otp.child(Spawner).having(name="spawner")

    with pytest.raises(KeyboardInterrupt):
        async with otp.open_application(Leaky):
            otp.cast("spawner", KeyboardInterrupt())
    assert [("leftover", "gone")] == log


# -- blocks --------------------------------------------------------------------------------------


async def test_nested_blocks_share_what_runs() -> None:
    """An inner block leaves alone what an outer one has started."""
    async with otp.open_application(Base):
        async with otp.open_application(Web):
            assert ["base", "web"] == running()
        assert ["base"] == running()
    assert [*up("base"), *up("web"), *down("web"), *down("base")] == log


async def test_start_from_a_process_lives_in_the_block() -> None:
    """A process may start an application; it lives in the block, not in the process."""

    async def starter() -> None:
        await otp.application.start(Weak)

    async with otp.open_application(Base):
        async with otp.open_process() as _:
            otp.spawn(starter)
            await trio.testing.wait_all_tasks_blocked()
        assert ["base", "weak"] == running()
    assert [*down("weak"), *down("base")] == log[6:]


async def test_what_ends_an_inner_block_does_not_end_the_outer_one() -> None:
    """An application lives in the block that started it: SystemExit leaves by that one."""
    async with otp.open_application(Base):
        with pytest.raises(SystemExit):
            async with otp.open_application(Web):
                otp.cast("web1", SystemExit(1))
        await trio.lowlevel.checkpoint()
        assert ["base"] == running()


async def test_callbacks_belong_to_no_process() -> None:
    """An application started from a process inherits nothing of it."""

    class Plain(otp.Application):
        def start(self) -> object:
            with pytest.raises(otp.NotAProcess):
                otp.self()
            log.append(("checked",))
            return otp.Supervisor.spec([])

    async with otp.open_application(Base), otp.open_process():
        log.clear()
        await otp.application.start(Plain)
    assert ("checked",) == log[0]
