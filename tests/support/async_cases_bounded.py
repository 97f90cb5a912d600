"""What waits for room in a bounded mailbox, one case each."""

from __future__ import annotations

from typing import Any

from async_world import Slow, World, case

import trio_otp as otp


async def full(w: World) -> otp.Pid[Any]:
    """Start a server whose mailbox is full."""
    child = otp.child(Slow).having(name="new", mailbox=otp.BoundedMailbox(1, on_full="wait"))
    pid: Any = await otp.start(child)
    w.returned.append(pid)
    otp.cast(pid, "fills it")
    return pid


@case("cast_wait")
async def _(w: World) -> None:
    pid = await full(w)
    w.begin()
    await otp.cast_wait(pid, "x")


@case("cast_wait: with room")
async def _(w: World) -> None:
    w.begin()
    await otp.cast_wait("server", "x")


@case("cast_wait: of a client")
async def _(w: World) -> None:
    pid = await full(w)
    w.begin()
    await Slow.at(pid).note.wait("x")


@case("call: that waits for room")
async def _(w: World) -> None:
    pid = await full(w)
    w.begin()
    assert "x" == await otp.call(pid, "x")


@case("call: that waits for room, with a limit")
async def _(w: World) -> None:
    pid = await full(w)
    w.begin()
    assert "x" == await Slow.at(pid, timeout=30).echo("x")


@case("SendEnd.send: that waits for room")
async def _(w: World) -> None:
    pid = await full(w)
    with otp.send_end(pid) as end:
        w.begin()
        await end.send("x")
