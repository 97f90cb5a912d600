"""The testing kit, one case for each of its functions."""

from __future__ import annotations

import trio
from async_world import World, case, steps

import trio_otp as otp
from trio_otp.testing import (
    assert_call_fails,
    assert_down,
    assert_receive,
    assert_restarted,
    open_system,
    pause,
    refute_receive,
)


@case("testing.assert_receive")
async def _(w: World) -> None:
    w.begin()
    otp.send("me", "message")
    try:
        assert "message" == await assert_receive("message")
    except trio.Cancelled:
        with trio.CancelScope(shield=True):
            assert "message" == await otp.receive(str, timeout=0)
        raise


@case("testing.refute_receive")
async def _(w: World) -> None:
    w.begin()
    await refute_receive("message", within=0)


@case("testing.assert_down")
async def _(w: World) -> None:
    pid = otp.spawn(steps)
    w.begin()
    await assert_down(pid, otp.NORMAL)


@case("testing.assert_restarted")
async def _(w: World) -> None:
    w.begin()
    await assert_restarted("up", 0)


@case("testing.assert_call_fails")
async def _(w: World) -> None:
    w.begin()
    await assert_call_fails(otp.call("nobody", "x"), otp.NoProcess)


@case("testing.pause")
async def _(w: World) -> None:
    w.begin()
    async with pause("up"):
        await steps()


@case("testing.open_system")
async def _(w: World) -> None:
    w.begin()
    async with open_system() as system:
        await system.start_supervised(otp.child(otp.Agent, dict))
