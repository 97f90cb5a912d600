"""A whole program: an application whose supervisor is one_for_one.

Its workers do not depend on each other, so when one ends it alone is started again. `main` opens
the application inside other Trio code, as a test would. As a program, which Ctrl-C and SIGTERM stop
in order, it is `otp.run(Weather)`, or in a shell

    trio-otp run examples.one_for_one_app:Weather --set unit=F
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import trio

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Mapping

TOWNS = ("Oslo", "Rome")


class Station(otp.GenServer):
    """Keeps the last temperature of one town."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.degrees: float | None = None

    @otp.on_cast
    def measured(self, degrees: float) -> None:
        self.degrees = degrees

    @otp.on_call
    async def last(self) -> str:
        return "nothing yet" if self.degrees is None else f"{self.degrees:g} {self.unit}"

    @otp.on_call
    async def mean(self, others: list[float]) -> float:
        return sum(others) / len(others)  # a bug: crashes the station if there are no others


class Weather(otp.Application):
    environment: ClassVar[Mapping[str, object]] = {"unit": "C"}

    def start(self) -> otp.Child[otp.Supervisor]:
        """Say what the top of the application is."""
        unit = str(self.environment["unit"])
        stations = [otp.child(Station, unit).having(name=town) for town in TOWNS]
        return otp.child(otp.Supervisor, stations, strategy="one_for_one")


async def report() -> None:
    print(" | ".join([f"{town}: {await Station.at(town).last()}" for town in TOWNS]))


async def main() -> None:
    async with otp.open_application(Weather, environment={"unit": "K"}) as weather:
        Station.at("Oslo").measured(268)
        Station.at("Rome").measured(291)
        await report()

        try:
            await Station.at("Oslo").mean([])
        except otp.ServerExited as exc:  # the log, on standard error, has the whole story
            print("Oslo crashed:", exc.reason)

        children = await otp.which_children(weather)
        print("restarts:", {child.id: child.restarts for child in children})
        await report()


if __name__ == "__main__":
    trio.run(main)
