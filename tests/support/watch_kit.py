"""A server that publishes a number, for tests of watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inside import runtime

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Boiler(otp.GenServer):
    """Holds a number, and does what it is told."""

    celsius: otp.Published[Any] = otp.published(20.0)

    @otp.on_cast
    def put(self, *values: Any) -> None:
        for value in values:
            self.celsius = value

    @otp.on_call
    def get(self) -> Any:
        return self.celsius

    @otp.on_cast
    def crash(self) -> None:
        raise ValueError("leak")


BOILER = otp.child(Boiler).having(name="boiler")
boiler = Boiler.at("boiler")


def nothing_is_left() -> bool:
    followed = [process for process in runtime().processes.values() if process.extras.followers]
    return not (Boiler.celsius._listeners or runtime().name_watchers or followed)


async def collect(values: AsyncIterator[Any], seen: list[Any]) -> None:
    """Note what comes, as it comes."""
    async for value in values:
        seen.append(value)  # noqa: PERF401  (others look at it meanwhile)
