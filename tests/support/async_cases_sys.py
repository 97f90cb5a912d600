"""The requests of `otp.sys`, one case each."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import trio
from async_world import Slow, World, case, give

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@case("sys.get_state")
async def _(w: World) -> None:
    w.begin()
    assert isinstance(await otp.sys.get_state("server"), Slow)


@case("sys.replace_state")
async def _(w: World) -> None:
    w.begin()
    await otp.sys.replace_state("server", give)


@case("sys.get_status")
async def _(w: World) -> None:
    w.begin()
    assert "running" == (await otp.sys.get_status("sup")).sys


@asynccontextmanager
async def resumed() -> AsyncGenerator[None]:
    """See to it that the server goes on, whatever happens; it may have died."""
    try:
        yield
    finally:
        with trio.CancelScope(shield=True), suppress(otp.CallError):
            await otp.sys.resume("server")


@case("sys.suspend")
async def _(w: World) -> None:
    async with resumed():
        w.begin()
        await otp.sys.suspend("server")


@case("sys.resume")
async def _(w: World) -> None:
    async with resumed():
        await otp.sys.suspend("server")
        w.begin()
        await otp.sys.resume("server")


@case("sys.terminate")
async def _(w: World) -> None:
    w.begin()
    await otp.sys.terminate("server")


@case("sys.change_code")
async def _(w: World) -> None:
    async with resumed():
        await otp.sys.suspend("server")
        w.begin()
        await otp.sys.change_code("server")


@case("sys.trace")
async def _(w: World) -> None:
    w.begin()
    await otp.sys.trace("server", False)


@case("sys.log")
async def _(w: World) -> None:
    w.begin()
    await otp.sys.log("server", 5)


@case("sys.statistics")
async def _(w: World) -> None:
    w.begin()
    assert await otp.sys.statistics("server", "get") is None


@case("sys.log_to_file")
async def _(w: World) -> None:
    w.begin()
    await otp.sys.log_to_file("server", False)


@case("sys.install")
async def _(w: World) -> None:
    w.begin()
    await otp.sys.install("server", lambda state, _: state)


@case("sys.remove")
async def _(w: World) -> None:
    w.begin()
    await otp.sys.remove("server", "nothing")


@case("sys.no_debug")
async def _(w: World) -> None:
    w.begin()
    await otp.sys.no_debug("server")
