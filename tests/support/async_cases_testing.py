"""The testing kit, one case for each of its functions."""

from __future__ import annotations

import trio
from async_world import World, case, slow, steps

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


@case("OtpSystem.start_supervised")
async def _(w: World) -> None:
    async with open_system() as system:
        w.begin()
        await system.start_supervised(slow("new"))


@case("OtpSystem.stop_supervised")
async def _(w: World) -> None:
    async with open_system() as system:
        await system.start_supervised(slow("new"))
        w.begin()
        await system.stop_supervised("new")


@case("Probe.receive")
async def _(w: World) -> None:
    async with open_system() as system:
        probe = system.probe()
        otp.send(probe.pid, "message")
        w.begin()
        assert "message" == await probe.receive(str)


@case("Probe.receive_call")
async def _(w: World) -> None:
    async with open_system() as system:
        probe = system.probe()
        request = otp.send_request(probe.pid, "request")
        w.begin()
        assert otp.reply(await probe.receive_call("request"), "reply")
        assert "reply" == await otp.receive_response(request)


@case("Probe.refute")
async def _(w: World) -> None:
    async with open_system() as system:
        probe = system.probe()
        w.begin()
        await probe.refute(within=0)
