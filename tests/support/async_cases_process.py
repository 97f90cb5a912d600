"""Starts, messages and `open_process`, one case each."""

from __future__ import annotations

import trio
from async_world import World, case, slow

import trio_otp as otp


@case("receive: there")
async def _(w: World) -> None:
    w.begin()
    otp.send("me", "message")
    try:
        assert "message" == await otp.receive(str)
    except trio.Cancelled:
        with trio.CancelScope(shield=True):
            assert "message" == await otp.receive(str, timeout=0)
        raise


@case("receive: later")
async def _(w: World) -> None:
    w.begin()
    timer = otp.send_after("me", "message", 1)
    try:
        assert "message" == await otp.receive(str, timeout=5)
    except trio.Cancelled:
        with trio.CancelScope(shield=True):
            if otp.cancel_timer(timer) is None:
                assert "message" == await otp.receive(str, timeout=0)
        raise


@case("SendEnd.send")
async def _(w: World) -> None:
    with otp.send_end("me") as end:
        w.begin()
        await end.send("message")
    with trio.CancelScope(shield=True):
        assert "message" == await otp.receive(str, timeout=0)


@case("SendEnd.aclose")
async def _(w: World) -> None:
    end = otp.send_end("me")
    w.begin()
    await end.aclose()


@case("start")
async def _(w: World) -> None:
    w.begin()
    w.returned.append(await otp.start(slow("new"), nursery=w.nursery))


@case("start: in the process")
async def _(w: World) -> None:
    w.begin()
    w.returned.append(await otp.start(slow("new")))


@case("start_link")
async def _(w: World) -> None:
    w.begin()
    w.returned.append(await otp.start_link(slow("new").having(timeout=50)))


@case("start_link: a supervisor")
async def _(w: World) -> None:
    w.begin()
    children = [slow("one"), slow("two")]
    pid = await otp.start_link(otp.child(otp.Supervisor, children))
    w.returned += [pid, otp.whereis("one"), otp.whereis("two")]


@case("start_monitor")
async def _(w: World) -> None:
    w.begin()
    pid, monitor = await otp.start_monitor(slow("new"))
    otp.demonitor(monitor, flush=True)
    w.returned.append(pid)


@case("open_process")
async def _(w: World) -> None:
    w.begin()
    async with otp.open_process(name="block"):
        await otp.start_link(slow("new"))
        await otp.start(slow("newer"))


@case("open_process: alone")
async def _(w: World) -> None:
    w.begin()
    async with otp.open_process(name="block"):
        pass
