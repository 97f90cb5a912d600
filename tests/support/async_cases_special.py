"""Special processes, and what watches a whole run, one case each."""

from __future__ import annotations

import io
from typing import Any

import trio
from async_world import Slow, World, case, steps

import trio_otp as otp


@case("SpecialProcess.receive")
async def _(w: World) -> None:
    special = otp.SpecialProcess()
    w.begin()
    otp.send("me", "message")
    try:
        assert "message" == await special.receive(str)
    except trio.Cancelled:
        with trio.CancelScope(shield=True):
            assert "message" == await otp.receive(str, timeout=0)
        raise


@case("enter_loop")
async def _(w: World) -> None:
    async def begin(*, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        await steps()
        await otp.enter_loop(Slow())

    w.begin()
    w.returned.append(await otp.start(otp.child(begin).having(name="new")))


@case("observer.problems")
async def _(w: World) -> None:
    w.begin()
    await otp.observer.problems()


@case("observer.serve")
async def _(w: World) -> None:
    w.begin()
    w.returned.append((await otp.observer.serve(port=None)).pid)


@case("observer.start")
async def _(w: World) -> None:
    w.begin()
    w.returned.append(await otp.observer.start(stream=io.StringIO()))
