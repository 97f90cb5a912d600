"""Calls, request ids and the stop of a server, one case each."""

from __future__ import annotations

from async_world import Slow, World, case

import trio_otp as otp


@case("call")
async def _(w: World) -> None:
    w.begin()
    assert "ping" == await otp.call("server", "ping")


@case("call: helper")
async def _(w: World) -> None:
    w.begin()
    assert "helped" == await otp.call("server", "helper", timeout=30)


@case("call: on_call")
async def _(w: World) -> None:
    w.begin()
    assert "ping" == await Slow.at("server").echo("ping")


@case("stop")
async def _(w: World) -> None:
    w.begin()
    await otp.stop("server")


@case("receive_response")
async def _(w: World) -> None:
    w.begin()
    assert "ping" == await otp.receive_response(otp.send_request("server", "ping"))


@case("receive_response: helper")
async def _(w: World) -> None:
    w.begin()
    request_id = otp.send_request("server", "helper")
    assert "helped" == await otp.receive_response(request_id, timeout=None)


@case("wait_response")
async def _(w: World) -> None:
    w.begin()
    assert "ping" == await otp.wait_response(otp.send_request("server", "ping"))


@case("RequestIds.receive")
async def _(w: World) -> None:
    ids = otp.RequestIds()
    w.begin()
    ids.send("server", "ping")
    assert await ids.receive() is not None


@case("RequestIds.wait")
async def _(w: World) -> None:
    ids = otp.RequestIds()
    w.begin()
    ids.send("server", "ping")
    assert await ids.wait() is not None
    assert await ids.wait() is None


@case("multi_call")
async def _(w: World) -> None:
    w.begin()
    replies, _ = await otp.multi_call(["server", "up", "nobody"], "ping")
    assert [("server", "ping"), ("up", "ping")] == replies


@case("multi_call: nobody")
async def _(w: World) -> None:
    w.begin()
    assert ([], []) == await otp.multi_call([], "ping")
