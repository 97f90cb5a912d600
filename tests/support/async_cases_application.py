"""Applications: starts, ends and blocks, one case each."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from async_world import App, Base, World, case, steps

import trio_otp as otp


@case("open_application")
async def _(w: World) -> None:
    w.begin()
    async with otp.open_application(App):
        await steps()


async def end(pid: otp.Pid[Any]) -> None:
    with suppress(otp.CallError):
        await otp.stop(pid)


@case("OpenApplication.wait")
async def _(w: World) -> None:
    async with otp.open_application(App, type="temporary") as app:
        w.begin()
        w.nursery.start_soon(end, app.pid)
        await app.wait()


@case("OpenApplication.wait_over")
async def _(w: World) -> None:
    async with otp.open_application(App, type="temporary") as app:
        w.begin()
        w.nursery.start_soon(end, app.pid)
        await app.wait_over()


@case("application.start")
async def _(w: World) -> None:
    async with otp.open_application(Base):
        w.begin()
        await otp.application.start(App)


@case("application.ensure_started")
async def _(w: World) -> None:
    async with otp.open_application(Base):
        w.begin()
        await otp.application.ensure_started(App)


@case("application.ensure_all_started")
async def _(w: World) -> None:
    async with otp.open_application(Base):
        w.begin()
        assert ["app"] == await otp.application.ensure_all_started(App)


@case("application.stop")
async def _(w: World) -> None:
    async with otp.open_application(App, type="temporary"):
        w.begin()
        await otp.application.stop(App)


@case("application.reload_config")
async def _(w: World) -> None:
    async with otp.open_application(App, type="temporary"):
        w.begin()
        assert ["app"] == await otp.application.reload_config({"app": {"size": 2}})
