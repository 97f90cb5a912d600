"""What a run knows of applications that need not run, and the function that hears of the end."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from inside import controller, open_block, runtime

import trio_otp as otp


class Inner(otp.Application):
    environment = {"depth": 1}  # noqa: RUF012


class Shop(otp.Application):
    """Sells things."""

    included_applications = (Inner,)
    start_phases = ("open",)
    environment = {"port": 80}  # noqa: RUF012

    def start_phase(self, phase: str) -> None: ...


async def test_loading_makes_settings_known() -> None:
    """An application that is loaded can be read and put before it starts (AP-13)."""
    async with open_block():
        assert "shop" == otp.application.load(Shop)
        assert ["shop", "inner"] == otp.application.loaded_applications()
        assert [] == otp.application.which_applications()
        otp.application.put_env("inner", "depth", 2)
        assert 2 == otp.application.get_env(Inner, "depth")


@pytest.mark.parametrize("again", [Shop, "shop", Inner, "inner"])
async def test_what_is_loaded_cannot_be_loaded(again: Any) -> None:
    """The error names it, and its settings stay; what was included counts as well (AP-13)."""
    async with open_block():
        otp.application.load(Shop)
        otp.application.put_env(Shop, "port", 1)
        with pytest.raises(otp.ApplicationAlreadyLoaded, match="is loaded already") as caught:
            otp.application.load(again)
        assert again in (caught.value.name, Shop, Inner)
        assert 1 == otp.application.get_env("shop", "port")
        otp.application.unload(Shop)
        assert "shop" == otp.application.load(Shop)
        assert 80 == otp.application.get_env("shop", "port")


async def test_what_has_started_is_loaded() -> None:
    """Also when it has ended (AP-13)."""
    async with open_block():
        await otp.application.start(Shop)
        with pytest.raises(otp.ApplicationAlreadyLoaded):
            otp.application.load(Shop)
        await otp.application.stop(Shop)
        with pytest.raises(otp.ApplicationAlreadyLoaded):
            otp.application.load(Shop)
    with pytest.raises(otp.UnknownApplication):
        otp.application.load("nobody")


async def test_unloading_forgets_the_settings() -> None:
    """What was put is gone too; the name alone does not lead to it any more (AP-13)."""
    async with open_block():
        otp.application.put_env(Shop, "port", 1)
        otp.application.unload(Shop)
        assert [] == otp.application.loaded_applications()
        with pytest.raises(otp.UnknownApplication):
            otp.application.unload("shop")
        assert 80 == otp.application.get_env(Shop, "port")


async def test_what_runs_cannot_be_unloaded() -> None:
    """The error has its top process, and nothing is forgotten."""
    async with otp.open_application(Shop) as shop:
        with pytest.raises(otp.AlreadyStarted) as caught:
            otp.application.unload("shop")
        assert caught.value.pid is shop.pid
        assert "shop" in otp.application.loaded_applications()


async def test_the_specification_has_the_keys_of_otp() -> None:
    """The settings in it are those in force."""
    async with otp.open_application(Shop, environment={"port": 1}):
        assert {
            "description": "Sells things.",
            "mod": Shop,
            "applications": (),
            "optional_applications": (),
            "included_applications": (Inner,),
            "start_phases": ("open",),
            "env": {"port": 1},
        } == otp.application.spec("shop")


# -- shutdown_func ---------------------------------------------------------------------------------


class Ending:
    """A function that hears of the end, and what ran when it did."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.heard: list[Any] = []
        self.over = False

    async def __call__(self, reason: object) -> None:
        self.heard += [reason, otp.application.which_applications()]
        await trio.sleep(self.seconds)
        self.over = True


class Weak(otp.Application):
    """Ends when it is told to."""

    def start(self) -> Any:
        return otp.child(otp.Supervisor, []).having(name="weak")


async def test_it_is_called_before_anything_stops() -> None:
    """It gets SHUTDOWN, and everything still runs (AP-9)."""
    ending = Ending()
    async with otp.open_application(Shop, shutdown_func=ending):
        assert [] == ending.heard

    assert [otp.SHUTDOWN, ["shop"]] == ending.heard


async def test_it_gets_the_error_that_ends_the_block() -> None:
    """That of the application that ended by itself."""
    ending = Ending()

    async def program() -> None:
        async with otp.open_application(Weak, type="permanent", shutdown_func=ending):
            await otp.stop("weak")
            await trio.sleep_forever()

    with pytest.raises(otp.ApplicationExited) as caught:
        await program()

    reason = ending.heard[0]
    assert isinstance(reason, otp.ApplicationExited)
    assert (caught.value.name, caught.value.reason) == (reason.name, reason.reason)


async def test_a_block_that_is_cancelled_calls_it_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """It is shielded, like everything that belongs to the end."""
    ending = Ending(1.0)
    with trio.move_on_after(5):
        async with otp.open_application(Shop, shutdown_func=ending):
            await trio.sleep_forever()

    assert [otp.SHUTDOWN, ["shop"]] == ending.heard
    assert ending.over


async def test_one_that_raises_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """The applications stop all the same, and the end was not a good one."""

    def broken(reason: object) -> None:
        raise LookupError("broken")

    async with otp.open_application(Shop, shutdown_func=broken):
        pass
    assert not controller().clean
    assert {} == runtime().processes
    [record] = [record for record in caplog.records if record.name == "trio_otp.crash"]
    assert record.getMessage().startswith("shutdown_func terminated: LookupError('broken')")


async def test_its_time_counts(autojump_clock: trio.testing.MockClock) -> None:
    """It shares the limit of the shutdown; what is left after that is killed."""
    ending = Ending(100.0)
    async with otp.open_application(Shop, shutdown_func=ending, shutdown_timeout=2):
        pass
    assert pytest.approx(2) == trio.current_time()
    assert not ending.over
    assert not controller().clean


async def test_system_exit_passes_through_it() -> None:
    """After all else has stopped."""

    def leave(reason: object) -> None:
        raise SystemExit(3)

    async def program() -> None:
        async with otp.open_application(Shop, shutdown_func=leave):
            pass

    with pytest.raises(SystemExit):
        await program()
    assert {} == runtime().processes


def test_a_program_has_one_too() -> None:
    """`otp.run` passes it on."""
    ending = Ending()

    class Once(otp.Application):
        def start(self) -> Any:
            job = otp.child(trio.lowlevel.checkpoint).having(significant=True, restart="temporary")
            return otp.Supervisor.spec([job], auto_shutdown="any_significant")

    assert 0 == otp.run(Once, shutdown_func=ending)
    assert otp.SHUTDOWN is ending.heard[0]
    assert ending.over
