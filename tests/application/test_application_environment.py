"""Applications: settings, and what a class says of itself."""

from __future__ import annotations

import pytest
import trio
from application_kit import Base, empty_log, running
from inside import open_block

import trio_otp as otp

__all__ = ["empty_log"]


class Settings(otp.Application):
    environment = {"port": 80, "hosts": []}  # noqa: RUF012


async def test_arguments_override_defaults() -> None:
    """Arguments override defaults until the application ends (AP-13)."""
    async with otp.open_application(Settings, environment={"port": 1}) as app:
        assert {"port": 1, "hosts": []} == app.environment
        assert 1 == otp.application.get_env(Settings, "port")
    assert 80 == otp.application.get_env(Settings, "port")
    async with otp.open_application(Settings) as app:
        assert {"port": 80, "hosts": []} == app.environment


async def test_what_is_put_lasts() -> None:
    """put_env overrides defaults and arguments, is seen at once, and outlives the application."""
    async with otp.open_application(Settings, environment={"port": 1}) as app:
        otp.application.put_env("settings", "port", 2)
        assert 2 == app.environment["port"]
    otp.application.put_all_env({Settings: {"port": 3, "extra": "x"}})
    async with otp.open_application(Settings) as app:
        assert {"port": 3, "hosts": [], "extra": "x"} == app.environment
        assert 3 == len(app.environment)
    async with otp.open_application(Settings, environment={"port": 4}) as app:
        assert 4 == app.environment["port"]
        assert "settings" in repr(app.environment)


async def test_get_fetch_delete() -> None:
    """get_env has a default, fetch_env raises, delete_env takes a default away (AP-13)."""
    otp.application.put_env("later", "colour", "red")
    assert "red" == otp.application.get_env("later", "colour")
    assert None is otp.application.get_env("later", "size")
    assert 5 == otp.application.get_env("later", "size", 5)
    assert 80 == otp.application.fetch_env(Settings, "port")
    otp.application.delete_env(Settings, "port")
    with pytest.raises(KeyError, match="'settings' has no setting 'port'; it has 'hosts'"):
        otp.application.fetch_env(Settings, "port")
    with pytest.raises(otp.SettingNotFound):
        otp.application.fetch_env("later", "size")


async def test_a_mistyped_argument_is_refused() -> None:
    """An unknown key is an error that names what is accepted, before anything starts."""
    with pytest.raises(otp.SpecError, match=r"'prot'; its settings are: port, hosts; .* 'port'\?"):
        async with otp.open_application(Settings, environment={"prot": 1}):
            raise AssertionError("unreachable")
    with pytest.raises(TypeError, match="dict"):
        async with otp.open_application(Settings, environment=[1]):  # type: ignore[arg-type]
            raise AssertionError("unreachable")
    async with open_block():
        with pytest.raises(otp.SpecError, match="prot"):
            await otp.application.start(Settings, environment={"prot": 1})
        assert [] == running()


def test_class_attributes_are_checked() -> None:
    """A wrong name, dependency or environment is refused where the class is written."""
    with pytest.raises(otp.SpecError, match="tuple of applications"):

        class NoTuple(otp.Application):
            dependencies = Base  # type: ignore[assignment]

    with pytest.raises(otp.SpecError, match="str keys"):

        class NoDict(otp.Application):
            environment = {1: 2}  # type: ignore[dict-item]  # noqa: RUF012

    with pytest.raises(otp.SpecError, match="name="):

        class NoName(otp.Application):
            name = ""


def test_default_names() -> None:
    """The default name is that of the class in snake case."""

    class HTTPServer2Go(otp.Application):
        pass

    class MyApp(otp.Application):
        pass

    assert ("my_app", "httpserver2_go") == (MyApp.name, HTTPServer2Go.name)


def test_two_runs_share_nothing() -> None:
    """Applications and settings of one run are unknown to the next (law 7)."""

    async def first() -> None:
        otp.application.put_env(Settings, "port", 1)
        async with otp.open_application(Settings):
            otp.application.get_env(Settings, "hosts").append("dirty")

    async def second() -> None:
        assert [] == running()
        assert {"port": 80, "hosts": []} == otp.application.get_all_env(Settings)

    trio.run(first)
    trio.run(second)
    with pytest.raises(otp.NotInRun):
        running()
