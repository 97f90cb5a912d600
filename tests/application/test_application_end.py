"""Applications: stops, and what follows when one ends by itself."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from application_kit import Base, Traced, Weak, Web, Worker, down, empty_log, log, running, up
from inside import open_block, runtime

import trio_otp as otp

__all__ = ["empty_log"]


async def test_stop() -> None:
    """Stop runs prep_stop, the tree in reverse, stop; then it can be started again (AP-5, AP-8)."""
    async with open_block():
        await otp.application.start(Base)
        await otp.application.stop(Base)
        assert [*up("base"), *down("base")] == log
        with pytest.raises(otp.ApplicationNotStarted, match="'base' is not started"):
            await otp.application.stop(Base)
        await otp.application.start(Base)
        assert otp.is_alive("base1")


async def test_stopping_a_dependency() -> None:
    """What depends on a stopped application goes on (AP-6)."""
    async with open_block():
        await otp.application.ensure_all_started(Web)
        await otp.application.stop(Base)
        assert ["web"] == running()
        assert otp.is_alive("web1")


async def test_stop_of_itself_while_starting() -> None:
    """An application that is being started is not started yet (AP-14)."""

    class Eager(otp.Application):
        async def start(self) -> Any:
            await otp.application.stop(Eager)

    async with open_block():
        with pytest.raises(otp.ApplicationStartError) as caught:
            await otp.application.start(Eager)
        assert isinstance(caught.value.reason, otp.ApplicationNotStarted)


async def test_stop_from_inside(autojump_clock: trio.testing.MockClock) -> None:
    """A trapping child that stops its application waits until its own limit kills it (AP-14)."""

    class Suicidal(otp.GenServer):
        def init(self) -> None:
            otp.trap_exit()

        async def handle_cast(self, message: Any) -> None:
            await otp.application.stop("app")

    class App(otp.Application):
        def start(self) -> Any:
            return otp.Supervisor.spec([otp.child(Suicidal).having(name="s", shutdown=0.3)])

    async with open_block():
        await otp.application.start(App)
        otp.cast("s", "go")
        await trio.sleep(0.2)
        assert [] == running()  # asking while it stops does not wait
        await trio.sleep(0.2)
        await otp.application.start(App)
        assert ["app"] == running()


async def test_start_while_stopping(autojump_clock: trio.testing.MockClock) -> None:
    """A start that meets a stop in progress waits for its end, then starts anew."""

    class Slow(Traced):
        async def stop(self) -> None:
            await trio.sleep(1)

    async with open_block(), trio.open_nursery() as nursery:
        await otp.application.start(Slow)
        nursery.start_soon(otp.application.stop, Slow)
        await trio.testing.wait_all_tasks_blocked()
        assert [] == running()
        await otp.application.start(Slow)
        assert ["slow"] == running()
        assert pytest.approx(1) == trio.current_time()


async def test_callbacks_that_raise_do_not_stop_the_stop() -> None:
    """A crash in prep_stop or stop is reported once, and the rest of the end goes on (law 8)."""

    class Clumsy(Traced):
        def prep_stop(self) -> None:
            raise KeyError("prep_stop")

        def stop(self) -> None:
            raise KeyError("stop")

    reports: list[otp.events.CrashReport] = []
    otp.events.attach("crash", reports.append)
    async with otp.open_application(Clumsy):
        pass
    assert ["clumsy.prep_stop", "clumsy.stop"] == [report.label for report in reports]
    assert [*up("clumsy"), ("down", "clumsy2"), ("down", "clumsy1")] == log


async def test_a_shutdown_timeout_kills_what_is_left(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """After shutdown_timeout everything that still runs is killed, in every application (AP-9)."""

    class Slow(Traced):
        dependencies = (Base,)

        async def prep_stop(self) -> None:
            await trio.sleep_forever()

        async def stop(self) -> None:
            await trio.sleep(1000)

    async with otp.open_application(Slow, shutdown_timeout=2):
        pass
    assert pytest.approx(2) == trio.current_time()
    assert {} == runtime().processes
    assert [] == [entry for entry in log if entry[0] == "down"]
    assert [] == running()


async def test_giving_up_cancels_the_block() -> None:
    """An application that gives up ends its block with its name, reason and history (AP-8)."""
    crash = RuntimeError("boom")

    async def program() -> None:
        async with otp.open_application(Weak) as weak:
            otp.cast("weak1", crash)
            await weak.wait()
            raise AssertionError("unreachable")

    with pytest.raises(otp.ApplicationExited, match=r"'weak' exited.*(\n.*)*boom") as caught:
        await program()
    assert ("weak", otp.SHUTDOWN) == (caught.value.name, caught.value.reason)
    assert [("weak1", crash)] == [entry[1:] for entry in caught.value.history]
    assert caught.value.__cause__ is crash
    ends = [entry for entry in log[3:] if entry[0] != "down"]
    assert [("prep_stop", "weak", 0), ("stop", "weak", 0)] == ends


async def test_a_dependency_that_gives_up_ends_the_block() -> None:
    """A block does not go on without an application that it has started itself."""

    class Needy(Traced):
        dependencies = (Weak,)

    async def program() -> None:
        async with otp.open_application(Needy):
            otp.cast("weak1", RuntimeError("boom"))
            await trio.sleep_forever()

    with pytest.raises(otp.ApplicationExited) as caught:
        await program()
    assert "weak" == caught.value.name
    ends = [entry[:2] for entry in log if entry[0] in {"prep_stop", "stop"}]
    assert ("stop", "needy") in ends
    assert ("stop", "weak") in ends


async def test_a_dependency_that_gives_up_during_the_start_ends_the_block(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Also before the application itself has started."""

    class Needy(Traced):
        dependencies = (Weak,)

        async def start(self) -> Any:
            otp.cast("weak1", RuntimeError("boom"))
            await trio.sleep_forever()

    with pytest.raises(otp.ApplicationExited, match="weak"):
        async with otp.open_application(Needy):
            raise AssertionError("unreachable")


async def test_a_quiet_end_lets_the_block_go_on() -> None:
    """An auto-shutdown ends well: wait returns, stop has run, nothing is raised."""

    class Batch(Traced):
        def start(self) -> Any:
            job = otp.child(Worker, "job")
            job = job.having(name="job", significant=True, restart="transient")
            return otp.Supervisor.spec([job], auto_shutdown="any_significant")

    async with otp.open_application(Batch) as batch:
        otp.cast("job", otp.NORMAL)
        await batch.wait()
        log.append(("after",))
        assert [] == running()
    ends = [("down", "job"), ("prep_stop", "batch", 0), ("stop", "batch", 0), ("after",)]
    assert ends == log[1:]


async def test_permanent_means_any_end() -> None:
    """A permanent application ends the block also if it ended well (AP-7)."""

    async def program() -> None:
        async with otp.open_application(Base, type="permanent") as base:
            await otp.stop(base)
            await trio.sleep_forever()

    with pytest.raises(otp.ApplicationExited) as caught:
        await program()
    assert otp.NORMAL is caught.value.reason


async def test_a_temporary_application_is_only_reported() -> None:
    """A temporary one that crashes is reported and can be started again (AP-7, AP-8)."""
    reports: list[otp.events.ApplicationReport] = []
    otp.events.attach("application", reports.append)
    async with open_block():
        await otp.application.start(Weak)
        otp.cast("weak1", RuntimeError("boom"))
        await trio.testing.wait_all_tasks_blocked()
        assert [] == running()
        await otp.application.start(Weak)
        assert ["weak"] == running()
    assert ["started", "exited", "started", "stopped"] == [report.phase for report in reports]


async def test_a_transient_application_that_ends_normally() -> None:
    """A transient one whose tree ends normally is stopped; others go on (AP-7)."""

    class Mild(otp.Application):
        def start(self) -> Any:
            return otp.child(otp.Supervisor).having(name="top")

    async with open_block():
        await otp.application.start(Base)
        await otp.application.start(Mild, type="transient")
        await otp.stop("top")
        await trio.testing.wait_all_tasks_blocked()
        assert ["base"] == running()


class Brief(otp.Application):
    """Has one job, and ends when that is done."""

    def start(self) -> Any:
        job = otp.child(Worker, "job").having(name="job", significant=True, restart="transient")
        return otp.Supervisor.spec([job], auto_shutdown="any_significant")


class NeedsBrief(otp.Application):
    dependencies = (Brief,)


@pytest.mark.parametrize("needed", [False, True])
@pytest.mark.parametrize("reason", [otp.NORMAL, otp.SHUTDOWN, otp.Shutdown("done")])
async def test_a_transient_application_that_shuts_down_ends_the_block(
    reason: object, needed: bool
) -> None:
    """Its top process does not end with NORMAL, so the others cannot go on (AP-7)."""

    async def program() -> None:
        async with otp.open_application(NeedsBrief if needed else Base):
            if not needed:
                await otp.application.start(Brief, type="transient")
            otp.cast("job", reason)
            await trio.sleep_forever()

    with pytest.raises(otp.ApplicationExited, match="brief") as caught:
        await program()
    assert otp.SHUTDOWN is caught.value.reason


async def test_a_transient_application_that_is_stopped_with_shutdown_ends_the_block() -> None:
    """Also if it has been told to end by somebody who is not its block (AP-7)."""

    class Mild(otp.Application):
        def start(self) -> Any:
            return otp.child(otp.Supervisor).having(name="top")

    async def program() -> None:
        async with otp.open_application(Base):
            await otp.application.ensure_all_started(Mild, type="transient")
            await otp.stop("top", otp.Shutdown("enough"))
            await trio.sleep_forever()

    with pytest.raises(otp.ApplicationExited, match="mild") as caught:
        await program()
    assert otp.Shutdown("enough") == caught.value.reason


async def test_a_permanent_one_started_by_hand_ends_the_block() -> None:
    """`application.start(type=...)` decides what its end means for the block it lives in."""

    async def program() -> None:
        async with otp.open_application(Base):
            await otp.application.start(Weak, type="permanent")
            otp.cast("weak1", RuntimeError("boom"))
            await trio.sleep_forever()

    with pytest.raises(otp.ApplicationExited, match="weak"):
        await program()
    assert down("base") == log[-4:]


async def test_a_top_that_was_killed() -> None:
    """A killed top supervisor takes its tree along, and the block says KILLED."""

    async def program() -> None:
        async with otp.open_application(Base) as base:
            otp.exit(base, otp.KILL)
            await trio.sleep_forever()

    with pytest.raises(otp.ApplicationExited) as caught:
        await program()
    assert otp.KILLED is caught.value.reason
    assert ("stop", "base", 0) == log[-1]


async def test_a_stop_does_not_wait_for_a_hanging_restart(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A supervisor that is stuck in the start of a child breaks that off at an end."""
    starts: list[str] = []

    class Once(otp.GenServer):
        async def init(self) -> None:
            starts.append("start")
            if len(starts) > 1:
                await trio.sleep_forever()

    class App(otp.Application):
        def start(self) -> Any:
            return otp.Supervisor.spec([otp.child(Once).having(name="once")])

    async with otp.open_application(App):
        otp.exit("once", otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        assert ["start", "start"] == starts
    assert pytest.approx(0) == trio.current_time()


async def test_only_processes_of_the_application_are_killed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """When the time to stop is over, all in its nursery is killed, also in nurseries of its own."""

    async def owner() -> None:
        async with trio.open_nursery() as nursery:
            inner = otp.child(Worker, "inner", 1000.0).having(name="inner")
            await otp.start(inner, nursery=nursery)

    class App(otp.Application):
        def start(self) -> Any:
            return otp.Supervisor.spec([otp.child(owner).having(shutdown=None)])

    async with otp.open_process() as me:
        async with otp.open_application(App, shutdown_timeout=1):
            await trio.testing.wait_all_tasks_blocked()
            assert otp.is_alive("inner")
        assert pytest.approx(1) == trio.current_time()
        assert not otp.is_alive("inner")
        assert otp.is_alive(me)


async def test_system_exit_in_a_callback_passes_through() -> None:
    """What is not ours leaves also from stop and prep_stop, after all else has stopped."""

    class Leaving(Traced):
        dependencies = (Base,)

        def prep_stop(self) -> None:
            raise SystemExit(3)

        async def stop(self) -> None:
            await super().stop()
            raise SystemExit(4)

    async def program() -> None:
        async with otp.open_application(Leaving):
            pass

    with pytest.raises(SystemExit) as caught:
        await program()
    assert 4 == caught.value.code
    ends = [("down", "leaving2"), ("down", "leaving1"), ("stop", "leaving", 0), *down("base")]
    assert ends == log[6:]


async def test_two_that_end_at_once_end_the_block_once() -> None:
    """The first to end is the one that is told."""

    class Frail(Weak):
        pass

    async def use() -> None:
        async with open_block():
            for each in (Weak, Frail):
                await otp.application.start(each, type="permanent")
            for worker in ("weak1", "frail1"):
                otp.cast(worker, RuntimeError(worker))
            await trio.sleep_forever()

    with pytest.raises(otp.ApplicationExited) as caught:
        await use()
    assert (caught.value.name, str(caught.value.__cause__)) in {
        ("weak", "weak1"),
        ("frail", "frail1"),
    }


async def test_nothing_starts_in_a_block_that_is_being_left() -> None:
    """What is stopping starts no more applications."""
    seen: list[Exception] = []

    class Late(Traced):
        async def stop(self) -> None:
            try:
                await otp.application.start(Base)
            except otp.NoApplicationController as exc:
                seen.append(exc)

    async with open_block():
        await otp.application.start(Late)
    assert len(seen) == 1
