"""The watches and waits of plain code, one case each."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio
from async_world import World, case, slow, steps

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Gauge(otp.GenServer):
    """Publishes a number."""

    level = otp.published(0)

    async def init(self) -> None:
        await steps()
        self.level = 1

    async def handle_cast(self, message: Any) -> None:
        await steps()
        self.level = message


@asynccontextmanager
async def gauge(w: World) -> AsyncGenerator[None]:
    """Start a gauge, and begin."""
    w.returned.append(await otp.start(otp.child(Gauge).having(name="gauge")))
    w.begin()
    yield
    assert {} == Gauge.level._listeners


@case("watch")
async def _(w: World) -> None:
    async with gauge(w), otp.watch("gauge", Gauge.level) as level:
        assert 1 == level.value
        await steps()


@case("watch: of a pid")
async def _(w: World) -> None:
    async with gauge(w), otp.watch(w.returned[-1], Gauge.level) as level:
        otp.cast("gauge", 2)
        assert 2 == await level.wait_value(2)


@case("watch: of what is still to come")
async def _(w: World) -> None:
    w.begin()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(start_later, w)
        async with otp.watch("gauge", Gauge.level) as level:
            assert 1 == level.value
    assert {} == Gauge.level._listeners


async def start_later(w: World) -> None:
    await steps()
    w.returned.append(await otp.start(otp.child(Gauge).having(name="gauge")))


@case("Watch.wait_value")
@case("WatchedValue.wait_value")
async def _(w: World) -> None:
    async with gauge(w), otp.watch("gauge", Gauge.level) as level:
        await level.wait_value(1)
        otp.cast("gauge", 2)
        await level.wait_value(2, held_for=1)


@case("Watch.wait_transition")
@case("WatchedValue.wait_transition")
async def _(w: World) -> None:
    async with gauge(w), otp.watch("gauge", Gauge.level) as level:
        otp.cast("gauge", 2)
        assert (2, 1) == await level.wait_transition()


@case("wait_for_name")
async def _(w: World) -> None:
    w.begin()
    assert await otp.wait_for_name("up") == otp.whereis("up")


@case("wait_for_name: still to come")
async def _(w: World) -> None:
    w.begin()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(start_later, w)
        assert await otp.wait_for_name("gauge", timeout=5) == otp.whereis("gauge")


@case("wait_for_child")
async def _(w: World) -> None:
    w.begin()
    assert "running" == (await otp.wait_for_child("sup", "up")).status


@case("wait_for_child: still to come")
async def _(w: World) -> None:
    async def restart() -> None:
        await steps()
        await otp.restart_child("sup", "down")

    w.begin()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(restart)
        assert "running" == (await otp.wait_for_child("sup", "down", timeout=5)).status


@case("wait_down")
async def _(w: World) -> None:
    w.begin()
    otp.exit("server", "enough")
    assert "enough" == await otp.wait_down("server")


@case("wait_down: of nobody")
async def _(w: World) -> None:
    w.begin()
    assert otp.NOPROC is await otp.wait_down("nobody")


@case("while_alive")
async def _(w: World) -> None:
    w.begin()
    async with otp.while_alive("up"):
        await steps()


@case("while_alive: until it dies")
async def _(w: World) -> None:
    pid = await otp.start(slow("new"))
    w.returned.append(pid)
    w.begin()
    async with otp.while_alive(pid) as scope:
        otp.exit(pid, otp.KILL)
        await trio.sleep_forever()
    assert scope.cancelled_caught
