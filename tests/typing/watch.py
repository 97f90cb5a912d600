"""What the checkers make of watches: the attribute says of what type the value is."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, assert_type

import trio
from trio_util import (  # pyright: ignore[reportMissingTypeStubs]  # it has no types
    compose_values,  # pyright: ignore[reportUnknownVariableType]
    wait_any,  # pyright: ignore[reportUnknownVariableType]
)

import trio_otp as otp


class Boiler(otp.GenServer):
    """Publishes what it holds."""

    celsius = otp.published(20.0)
    fault: otp.Published[str | None] = otp.published(None)

    @otp.on_cast
    def heat(self, degrees: float) -> None:
        """For the server it is an ordinary attribute."""
        assert_type(self.celsius, float)
        assert_type(self.fault, str | None)
        self.celsius += degrees
        self.fault = "too hot"


class Kettle(otp.GenServer):
    """Assigns what it has not published."""

    celsius: otp.Published[float] = otp.published(20.0)

    @otp.on_cast
    def heat(self) -> None:
        """Refused."""
        self.celsius = "hot"  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]


class Light(enum.Enum):
    """The states of a machine."""

    RED = "red"
    GREEN = "green"


class Lamp(otp.GenStatem[Light]):
    """Publishes its state by itself."""

    initial = Light.RED

    def handle_event(self, kind: Any, content: Any, state: Light) -> Any:
        """Change."""
        assert_type(self.state, Light)
        self.state = Light.RED  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]


class Counts(otp.Agent[dict[str, int]]):
    """An agent with a class of its own."""


async def check_watches(pid: otp.Pid[Boiler]) -> None:
    """A watch has the type of its attribute, also through its methods."""
    async with (
        otp.watch("boiler", Boiler.celsius) as celsius,
        otp.watch(pid, Boiler.fault) as fault,
    ):
        assert_type(celsius, otp.Watch[float])
        assert_type(celsius.value, float)
        assert_type(fault.value, str | None)
        assert_type(celsius.alive.value, bool)
        assert_type(celsius.pid, otp.Pid[Any] | None)
        assert_type(await celsius.wait_value(lambda c: c > 90), float)
        assert_type(await celsius.wait_value(90.0, held_for=2), float)
        assert_type(await celsius.wait_transition(lambda new, old: new > old), tuple[float, float])
        assert_type(celsius.eventual_values(), AsyncIterator[float])
        async for value in celsius.eventual_values(lambda c: c > 90):
            assert_type(value, float)
        async for new, old in celsius.transitions():
            assert_type((new, old), tuple[float, float])
        celsius.value = 3.0  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
        await celsius.wait_value("hot")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def check_states() -> None:
    """The state of a machine is that of its class, the value of an agent too."""
    async with otp.watch("lamp", Lamp.state) as state, otp.watch("counts", Counts.value) as counts:
        assert_type(state.value, Light)
        assert_type(await state.wait_value(Light.GREEN), Light)
        assert_type(counts.value, dict[str, int])


async def check_waits(pid: otp.Pid[Boiler]) -> None:
    """The waits of plain code."""
    assert_type(await otp.wait_for_name("boiler", timeout=5), otp.Pid[Any])
    assert_type(await otp.wait_down(pid), Any)
    assert_type(await otp.wait_for_child("sup", "boiler", timeout=5), otp.ChildInfo)
    async with otp.while_alive("boiler") as scope:
        assert_type(scope, trio.CancelScope)


async def check_trio_util() -> None:
    """Its functions take what is here."""
    async with otp.watch("boiler", Boiler.celsius) as celsius:
        with compose_values(celsius=celsius, alive=celsius.alive):  # pyright: ignore[reportArgumentType, reportCallIssue]  # it takes a guess of its own
            pass
        await wait_any(partial(otp.wait_down, "boiler"), partial(celsius.wait_value, 90.0))
