"""Applications: what may be started, and starts that fail or are given up."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from application_kit import Bad, Base, Traced, Weak, Web, Worker, down, empty_log, log, running, up
from inside import open_block

import trio_otp as otp

__all__ = ["empty_log"]


async def test_what_start_may_return() -> None:
    """The top is a supervisor child, class or specification, or another process; def or async."""

    class Top(otp.Supervisor):
        def init(self) -> Any:
            return otp.Supervisor.spec([otp.child(Worker, "w").having(name="w")])

    tops: list[Any] = [
        otp.child(otp.Supervisor, [otp.child(Worker, "w").having(name="w")]),
        Top,
        otp.Supervisor.spec([otp.child(Worker, "w").having(name="w")], strategy="rest_for_one"),
        otp.child(Worker, "w").having(name="w"),
    ]
    for top in tops:

        class App(otp.Application):
            async def start(self, top: Any = top) -> Any:
                await trio.lowlevel.checkpoint()
                return top

        async with otp.open_application(App):
            assert otp.is_alive("w")
        assert not otp.is_alive("w")


async def test_an_application_without_start_bundles_others() -> None:
    """Unless overridden, start gives an empty supervisor, so an application may only depend."""

    class Release(otp.Application):
        dependencies = (Base,)

    async with otp.open_application(Release) as release:
        assert ["base", "release"] == running()
        assert [] == await otp.which_children(release)


@pytest.mark.parametrize("value", [None, 5, "supervisor", Base])
async def test_a_wrong_return_of_start_is_said(value: Any) -> None:
    """A start that returns no child fails, and the error says what is accepted (AP-4)."""

    class Wrong(otp.Application):
        def start(self) -> Any:
            return value

    with pytest.raises(otp.ApplicationStartError, match=r"Supervisor\.spec") as caught:
        async with otp.open_application(Wrong):
            raise AssertionError("unreachable")
    assert "wrong" == caught.value.name
    assert isinstance(caught.value.reason, otp.BadReturn)


async def test_an_ignored_top_is_a_failed_start() -> None:
    """A top process whose init ignores is no application."""

    class Shy(otp.Supervisor):
        def init(self) -> Any:
            return otp.IGNORE

    class App(otp.Application):
        def start(self) -> Any:
            return Shy

    with pytest.raises(otp.ApplicationStartError) as caught:
        async with otp.open_application(App):
            raise AssertionError("unreachable")
    assert isinstance(caught.value.reason, otp.BadReturn)


async def test_a_crash_in_start_is_the_reason() -> None:
    """What start raises is the reason and the cause of the error (AP-4)."""

    class Crash(otp.Application):
        def start(self) -> Any:
            raise LookupError("no config")

    with pytest.raises(otp.ApplicationStartError, match=r"crash.*no config") as caught:
        async with otp.open_application(Crash):
            raise AssertionError("unreachable")
    assert isinstance(caught.value.reason, LookupError)
    assert caught.value.__cause__ is caught.value.reason


async def test_a_child_that_does_not_start_fails_the_application() -> None:
    """A failing child's reason is in the application's, and what was started is stopped."""

    class Failing(Traced):
        dependencies = (Base,)

        def start(self) -> Any:
            return otp.Supervisor.spec([otp.child(Worker, "first"), otp.child(broken)])

    async def broken(task_status: trio.TaskStatus[None]) -> None:
        raise OSError("address in use")

    with pytest.raises(otp.ApplicationStartError) as caught:
        async with otp.open_application(Failing):
            raise AssertionError("unreachable")
    match caught.value.reason:
        case otp.Shutdown(detail=otp.FailedToStartChild(child_id="broken", reason=OSError())):
            pass
        case other:
            raise AssertionError(other)
    assert [*up("base"), ("up", "first"), ("down", "first"), *down("base")] == log
    assert [] == running()


async def test_cancelled_while_starting(autojump_clock: trio.testing.MockClock) -> None:
    """A start in progress is given up when the block is cancelled; what ran is stopped in order."""

    class Hanging(Traced):
        dependencies = (Base,)

        def start(self) -> Any:
            return otp.Supervisor.spec([otp.child(Worker, "first"), otp.child(Hang)])

    class Hang(otp.GenServer):
        async def init(self) -> None:
            await trio.sleep_forever()

    with trio.move_on_after(1) as scope:
        async with otp.open_application(Hanging):
            raise AssertionError("unreachable")
    assert scope.cancelled_caught
    assert [*up("base"), ("up", "first"), ("down", "first"), *down("base")] == log
    assert pytest.approx(1) == trio.current_time()


async def test_a_hanging_start_callback_is_cancelled(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A start callback that waits is cancelled; stop does not run for what has not started."""

    class Hanging(Traced):
        async def start(self) -> Any:
            await trio.sleep_forever()

    with trio.move_on_after(1):
        async with otp.open_application(Hanging):
            raise AssertionError("unreachable")
    assert [] == log


async def test_dependency_not_running() -> None:
    """Start without its dependency is refused and nothing is started (AP-1)."""
    async with open_block():
        with pytest.raises(otp.ApplicationNotStarted, match="'web' depends on it") as caught:
            await otp.application.start(Web)
        assert "base" == caught.value.name
        assert [] == log


async def test_start_twice() -> None:
    """A running application is not started again; ensure_started does not mind (AP-3)."""
    async with open_block():
        await otp.application.start(Base)
        with pytest.raises(otp.AlreadyStarted, match="base") as caught:
            await otp.application.start(Base)
        assert otp.is_alive(caught.value.pid)
        await otp.application.ensure_started("base")
        with pytest.raises(otp.AlreadyStarted):
            async with otp.open_application(Base):
                raise AssertionError("unreachable")
        assert ["base"] == running()
    assert [*up("base"), *down("base")] == log


async def test_two_tasks_start_one_application(autojump_clock: trio.testing.MockClock) -> None:
    """Whoever starts what is being started already waits for that start."""

    class Slow(otp.Application):
        async def start(self) -> Any:
            log.append(("start",))
            await trio.sleep(1)
            return otp.Supervisor.spec([])

    async with open_block(), trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(otp.application.start, Slow)
    assert [("start",)] == log
    assert pytest.approx(1) == trio.current_time()


async def test_a_start_that_its_first_caller_gave_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Who joined it is told that the application did not start."""

    class Slow(otp.Application):
        async def start(self) -> Any:
            await trio.sleep(10)
            return otp.Supervisor.spec([])

    async def give_up() -> None:
        with trio.move_on_after(1):
            await otp.application.start(Slow)

    async with open_block(), trio.open_nursery() as nursery:
        nursery.start_soon(give_up)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(otp.ApplicationStartError, match="slow") as caught:
            await otp.application.start(Slow)
        assert otp.SHUTDOWN is caught.value.reason


async def test_ensure_all_started_lists_what_is_new() -> None:
    """Only what did not run is started and listed, in start order; later nothing is (AP-1)."""
    async with open_block():
        await otp.application.start(Base)
        assert ["web", "weak"] == await otp.application.ensure_all_started([Web, Weak, Base])
        assert [] == await otp.application.ensure_all_started(Web)
        assert ["base", "web", "weak"] == running()


async def test_a_failed_ensure_all_started_is_rolled_back() -> None:
    """Those it started are stopped in reverse, those that ran before go on (AP-2)."""
    async with open_block():
        await otp.application.start(Base)
        with pytest.raises(otp.ApplicationStartError, match="no_config") as caught:
            await otp.application.ensure_all_started(Bad)
        assert ("bad", "no_config") == (caught.value.name, caught.value.reason)
        assert ["base"] == running()
        assert [*up("base"), *up("web"), ("start", "bad"), *down("web")] == log
    log.clear()
    async with open_block():
        with pytest.raises(otp.ApplicationStartError):
            await otp.application.ensure_all_started(Bad)
        assert [] == running()
        assert [("start", "bad"), *down("web"), *down("base")] == log[6:]


async def test_a_cancelled_ensure_all_started_is_rolled_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A cancelled caller leaves nothing of what it has started."""

    class Hanging(Traced):
        dependencies = (Base,)

        async def start(self) -> Any:
            await trio.sleep_forever()

    async with open_block():
        with trio.move_on_after(1):
            await otp.application.ensure_all_started(Hanging)
        assert [] == running()
        assert [*up("base"), *down("base")] == log


async def test_dependencies_in_a_circle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A circle of dependencies is named before anything is started."""
    monkeypatch.setattr(Base, "dependencies", (Web,))
    async with open_block():
        with pytest.raises(otp.SpecError, match="web -> base -> web"):
            await otp.application.ensure_all_started(Web)
    assert [] == log


async def test_no_block_is_open() -> None:
    """Without a block there is nothing in which an application could live."""
    with pytest.raises(otp.NoApplicationController, match="open_application"):
        await otp.application.start(Base)


async def test_references() -> None:
    """A name is accepted once its class was used; what is no application is refused."""
    async with open_block():
        with pytest.raises(otp.UnknownApplication, match="'base'"):
            await otp.application.start("base")
        await otp.application.start(Base)
        await otp.application.stop("base")
        await otp.application.start("base")
        assert ["base"] == running()
        for wrong in (Worker, Base(), 5):
            with pytest.raises(TypeError, match=r"subclass of otp\.Application"):
                await otp.application.start(wrong)  # type: ignore[arg-type]
        with pytest.raises(otp.SpecError, match="'permanent'"):
            await otp.application.start(Weak, type="forever")  # type: ignore[arg-type]


async def test_system_exit_while_starting_passes_through() -> None:
    """What is not ours leaves bare also from start and from an init, after an ordered stop."""

    class InStart(Traced):
        dependencies = (Base,)

        def start(self) -> Any:
            raise SystemExit(3)

    class InInit(InStart):
        def start(self) -> Any:
            return otp.Supervisor.spec([otp.child(Worker, "first"), Leaving])

    class Leaving(otp.GenServer):
        def init(self) -> None:
            raise SystemExit(4)

    for application, code in ((InStart, 3), (InInit, 4)):
        log.clear()
        with pytest.raises(SystemExit) as caught:
            async with otp.open_application(application):
                raise AssertionError("unreachable")
        assert code == caught.value.code
        assert down("base") == log[-4:]
        assert ("down", "first") in log or application is InStart


async def test_a_dependency_that_ends_well_during_the_start() -> None:
    """A dependency that is gone before its dependent starts is why that fails."""

    class Brief(otp.Application):
        def start(self) -> Any:
            return otp.child(otp.Supervisor).having(name="brief")

    class Between(otp.Application):
        async def start(self) -> Any:
            await otp.stop("brief")
            return otp.Supervisor.spec([])

    class Needy(otp.Application):
        dependencies = (Brief, Between)

    with pytest.raises(otp.ApplicationStartError, match="'needy' depends on it") as caught:
        async with otp.open_application(Needy):
            raise AssertionError("unreachable")
    assert "brief" == caught.value.reason.name


async def test_a_block_for_what_another_task_is_starting(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A block owns its application, so it cannot take over a start that another has begun."""

    class Slow(otp.Application):
        async def start(self) -> Any:
            await trio.sleep(1)
            return otp.Supervisor.spec([])

    async with open_block(), trio.open_nursery() as nursery:
        nursery.start_soon(otp.application.start, Slow)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(otp.AlreadyStarted, match="slow"):
            async with otp.open_application(Slow):
                raise AssertionError("unreachable")
        assert ["slow"] == running()


@pytest.mark.parametrize("mode", ["serial", "concurrent"])
async def test_a_callback_does_not_wait_for_its_own_application(mode: Any) -> None:
    """Law 2: neither a start that starts itself nor an end that starts itself again hangs."""
    refused: list[str] = []

    class Snake(otp.Application):
        async def start(self) -> Any:
            await self._bite("start")
            return otp.Supervisor.spec([])

        async def stop(self) -> None:
            await self._bite("stop")

        async def _bite(self, where: str) -> None:
            with pytest.raises(RuntimeError, match="'snake' would wait for itself"):
                await otp.application.ensure_all_started([Snake], mode=mode)
            refused.append(where)

    with trio.fail_after(60):
        async with otp.open_application(Snake):
            assert ["snake"] == running()
    assert ["start", "stop"] == refused
