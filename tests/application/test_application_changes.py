"""Settings that change while a program runs, and who is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inside import change_of

import trio_otp as otp

if TYPE_CHECKING:
    from pathlib import Path

told: list[Any] = []


@pytest.fixture(autouse=True)
def empty() -> None:
    """Return an empty list, a new one for each test."""
    told.clear()


class Noting(otp.Application):
    """Notes what it is told."""

    environment = {"a": 1, "b": 2}  # noqa: RUF012

    async def config_change(self, changed: Any, new: Any, removed: Any) -> None:
        told.append((self.name, changed, new, removed))
        if self.environment["a"] == 666:
            raise LookupError(self.name)


class Inner(Noting):
    pass


class Base(Noting):
    included_applications = (Inner,)


class Top(Noting):
    dependencies = (Base,)


async def test_what_has_changed_is_told_in_start_order() -> None:
    """Each running application hears of its own settings only, included ones too."""
    async with otp.open_application(Top):
        config = {"top": {"b": 3}, "base": {"a": 5}, "inner": {"b": 2, "a": 7}}
        assert ["base", "inner", "top"] == await otp.application.reload_config(config)

    expected = [("base", {"a": 5}), ("inner", {"a": 7}), ("top", {"b": 3})]
    assert [(name, changed, {}, ()) for name, changed in expected] == told


async def test_what_has_not_changed_is_not_told() -> None:
    """The same configuration again tells nobody."""
    async with otp.open_application(Top, config={"top": {"a": 5}}):
        assert [] == await otp.application.reload_config({"top": {"a": 5}})
    assert [] == told


async def test_a_file_is_read_again(tmp_path: Path) -> None:
    """Without an argument it is the file that the program was opened with."""
    file = tmp_path / "app.toml"
    file.write_text("[top]\na = 5\n")
    async with otp.open_application(Top, config=file):
        file.write_text("[top]\nb = 6\n")
        assert ["top"] == await otp.application.reload_config()
        assert {"a": 1, "b": 6} == otp.application.get_all_env("top")
    assert [("top", {"a": 1, "b": 6}, {}, ())] == told


async def test_a_file_that_has_become_wrong_changes_nothing(tmp_path: Path) -> None:
    """The error names the mistake; the settings stay, nobody is told."""
    file = tmp_path / "app.toml"
    file.write_text("[top]\na = 5\n")
    async with otp.open_application(Top, config=file):
        file.write_text("[base]\na = 6\n[top]\na = 'x'\n")
        with pytest.raises(otp.SpecError, match=r"\[top\] a = 'x'"):
            await otp.application.reload_config()
        assert (5, 1) == tuple(otp.application.get_env(app, "a") for app in (Top, Base))
    assert [] == told


async def test_arguments_and_what_was_put_outrank_a_new_configuration() -> None:
    """They hide the change, so there is nothing to tell."""
    async with otp.open_application(Top, environment={"a": 2}):
        otp.application.put_env("base", "a", 3)
        config = {"top": {"a": 9}, "base": {"a": 9}}
        assert [] == await otp.application.reload_config(config)
        assert (2, 3) == tuple(otp.application.get_env(app, "a") for app in (Top, Base))


async def test_one_that_does_not_take_it_keeps_nobody_from_being_told() -> None:
    """The error has each failure; the settings are in force, the application goes on."""
    async with otp.open_application(Top):
        with pytest.raises(otp.ConfigChangeError, match="application base: LookupError") as caught:
            await otp.application.reload_config({"base": {"a": 666}, "top": {"a": 5}})
        assert ["base"] == list(caught.value.errors)
        assert caught.value.__cause__ is caught.value.errors["base"]
        assert ["base", "top"] == [name for name, *_ in told]
        assert 666 == otp.application.get_env("base", "a")
        assert ["base", "top"] == otp.application.which_applications()


async def test_an_application_that_does_not_run_is_configured_and_not_told() -> None:
    """It finds the settings when it starts."""
    async with otp.open_application(Base):
        otp.application.load(Top)
        assert [] == await otp.application.reload_config({"top": {"a": 5}})
        await otp.application.start(Top)
        assert 5 == otp.application.get_env("top", "a")


async def test_a_block_that_brings_a_configuration_tells_those_that_run() -> None:
    """Nothing changes behind the back of an application."""
    async with otp.open_application(Base), otp.open_application(Top, config={"base": {"b": 5}}):
        assert [("base", {"b": 5}, {}, ())] == told


async def test_without_a_configuration_there_is_nothing_to_read_again() -> None:
    """The error says what to pass."""
    async with otp.open_application(Base):
        with pytest.raises(otp.SpecError, match="config=None: expected the path"):
            await otp.application.reload_config()


async def test_the_default_callback_does_nothing() -> None:
    """An application need not care."""

    class Plain(otp.Application):
        environment = {"a": 1}  # noqa: RUF012

    async with otp.open_application(Plain):
        assert ["plain"] == await otp.application.reload_config({"plain": {"a": 2}})


# -- what a change is ------------------------------------------------------------------------------

VALUES = st.dictionaries(st.sampled_from("abcde"), st.sampled_from([0, 1, True, 1.0, "x", None]))


@given(VALUES, VALUES)
def test_a_change_leads_from_the_old_to_the_new(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Applied to the old settings it gives the new ones, and it names nothing else."""
    change = change_of(before, after)
    applied = {key: value for key, value in before.items() if key not in change.removed}
    applied |= change.changed | change.new

    assert _typed(after) == _typed(applied)
    assert set(change.changed) <= set(before) & set(after)
    assert set(change.new).isdisjoint(before)
    assert bool(change) == (_typed(before) != _typed(after))


def _typed(settings: dict[str, Any]) -> dict[str, tuple[type, Any]]:
    return {key: (type(value), value) for key, value in settings.items()}


def test_values_that_cannot_be_compared_have_changed() -> None:
    """An array says neither yes nor no; it is told rather than hidden."""

    class Array:
        def __eq__(self, other: object) -> Any:
            raise ValueError("ambiguous")

        __hash__ = None  # type: ignore[assignment]

    one = Array()
    assert ["a"] == list(change_of({"a": one, "b": one}, {"a": Array(), "b": one}).changed)


async def test_one_that_has_yet_to_start_is_not_told() -> None:
    """It begins with the settings that are in force by then."""

    class Eager(Noting):
        async def start(self) -> Any:
            assert [] == await otp.application.reload_config({"eager": {"a": 5}})
            return otp.Supervisor.spec([])

    async with otp.open_application(Eager) as eager:
        assert eager.environment["a"] == 5
    assert [] == told
