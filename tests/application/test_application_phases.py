"""Start phases of an application."""

from __future__ import annotations

import pytest

import trio_otp as otp


class Pump(otp.GenServer):
    """A server that notes its end."""

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes

    def terminate(self, reason: object) -> None:
        self.notes.append(f"terminate {reason!r}")


def phased(refused: str | None = None) -> tuple[type[otp.Application], list[str]]:
    """Return an application of three phases, of which one may be refused, and what it notes."""
    notes: list[str] = []

    class Plant(otp.Application):
        start_phases = ("fill", "heat", "open")

        def start(self) -> object:
            return otp.Supervisor.spec([otp.child(Pump, notes).having(name="pump")])

        async def start_phase(self, phase: str) -> None:
            notes.append(f"{phase} {otp.whereis('pump') is not None}")
            if phase == refused:
                raise otp.StartError("cold")

        def prep_stop(self) -> None:
            notes.append("prep_stop")

        def stop(self) -> None:
            notes.append("stop")

    return Plant, notes


async def test_phases_run_in_order_before_the_start_is_over() -> None:
    """Each phase runs once, in order, with the processes there, before the block is entered."""
    plant, notes = phased()
    async with otp.open_application(plant):
        assert ["fill True", "heat True", "open True"] == notes


async def test_a_refused_phase_takes_the_start_back() -> None:
    """A phase that raises ends the processes and the start, without prep_stop and stop."""
    plant, notes = phased(refused="heat")
    with pytest.raises(otp.ApplicationStartError, match="cold"):
        async with otp.open_application(plant):
            pass
    assert ["fill True", "heat True", "terminate SHUTDOWN"] == notes


def test_phases_are_a_tuple_of_names() -> None:
    """A class whose start_phases is no tuple of str is refused, with what is accepted."""
    with pytest.raises(otp.SpecError, match=r"start_phases='fill': expected a tuple of str"):

        class _Plant(otp.Application):
            start_phases = "fill"  # type: ignore[assignment]


async def test_a_phase_needs_its_callback() -> None:
    """A phase without start_phase fails the start and says what is missing."""

    class Bare(otp.Application):
        start_phases = ("fill",)

    with pytest.raises(otp.ApplicationStartError) as caught:
        async with otp.open_application(Bare):
            pass
    assert "Bare.start_phases has 'fill'" in str(caught.value.__cause__)
