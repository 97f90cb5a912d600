"""The blocks of a registry, one case each."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio
from async_world import World, case, steps

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


REG = otp.registry("reg")


@asynccontextmanager
async def registry(w: World) -> AsyncGenerator[None]:
    """Start a registry, and begin."""
    child = otp.child(otp.Registry, keys="duplicate").having(name="reg")
    w.returned.append(await otp.start(child))
    w.begin()
    yield


@case("RegistryHandle.lock")
async def _(w: World) -> None:
    async with registry(w):
        for _ in range(2):
            async with REG.lock("key"):
                await steps()


@case("RegistryHandle.lock: waiting")
async def _(w: World) -> None:
    async def other() -> None:
        async with REG.lock("key"):
            await steps(4)

    async with registry(w), trio.open_nursery() as nursery:
        nursery.start_soon(other)
        async with REG.lock("key"):
            await steps()


@case("RegistryHandle.subscribe")
async def _(w: World) -> None:
    async with registry(w), REG.subscribe("news"):
        assert 1 == REG.send("news", "message")
    assert [] == REG.lookup("news")


@case("Subscription.receive")
async def _(w: World) -> None:
    async with registry(w), REG.subscribe("news") as channel:
        REG.send("news", "message")
        assert "message" == await channel.receive()


@case("Subscription.aclose")
async def _(w: World) -> None:
    async with registry(w), REG.subscribe("news") as channel:
        await channel.aclose()
        assert [] == REG.lookup("news")
