"""A session: what the process of one connection does.

Its own task writes what the room sends to its mailbox; a helper reads what the browser sends. When
one of them ends, so does the other, and the room is notified by its monitor.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

import trio_otp as otp

from .rooms import Line, Room, enter

if TYPE_CHECKING:
    from collections.abc import Mapping

FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"


async def refuse(stream: trio.abc.Stream) -> None:
    """Answer a connection over the limit."""
    await stream.send_all(FULL)


async def serve(settings: Mapping[str, Any], stream: trio.abc.Stream) -> None:
    """Handle a connection to `ws://host/ROOM?who=NAME`."""
    async with trio.open_nursery() as nursery:
        websocket: WebSocketConnection | None = None
        with suppress(ConnectionClosed):
            with trio.move_on_after(settings["handshake_timeout"]):
                request = await wrap_server_stream(nursery, stream, max_message_size=10_000)
                websocket = await request.accept()
            if websocket is not None:
                nursery.start_soon(say_goodbye, websocket)
                await converse(websocket, settings, nursery)
        nursery.cancel_scope.cancel()


async def say_goodbye(websocket: WebSocketConnection) -> None:
    """Close the session when the service stops; browsers reconnect to the next one."""
    await otp.wait_draining()
    await websocket.aclose(1001, "going away")


async def converse(
    websocket: WebSocketConnection, settings: Mapping[str, Any], nursery: trio.Nursery
) -> None:
    """Send the lines of the room, until the browser has gone or is too slow."""
    name, _, query = (websocket.path or "").partition("?")  # the client may send anything
    who = dict(parse_qsl(query)).get("who", "somebody")
    room, lines = await enter(name.strip("/") or "lobby", who, settings["idle_after"])
    otp.monitor(room)
    nursery.start_soon(read, websocket, room, otp.self(), nursery)
    for line in lines:
        await send(websocket, line, settings["send_timeout"])
    while True:
        message = await otp.receive((Line, otp.Down))
        if isinstance(message, otp.Down):
            with trio.move_on_after(settings["send_timeout"]):
                await websocket.aclose(1011, "the room has crashed")
            return
        await send(websocket, message, settings["send_timeout"])


async def send(websocket: WebSocketConnection, line: Line, timeout: float) -> None:
    """Write a line; disconnect a slow reader, or lines would pile up in the mailbox."""
    with trio.move_on_after(timeout) as limit:
        await websocket.send_message(json.dumps({"who": line.who, "text": line.text}))
    if limit.cancelled_caught:
        otp.exit(otp.SHUTDOWN)


async def read(
    websocket: WebSocketConnection, room: otp.Pid[Room], session: otp.Pid, nursery: trio.Nursery
) -> None:
    """Pass on the lines of the browser; end the session when it disconnects."""
    try:
        while True:
            await Room.say(room, session, str(await websocket.get_message()))
    except ConnectionClosed:
        pass
    except (otp.NoProcess, otp.ServerExited):
        return  # so does the session, which closes the connection
    nursery.cancel_scope.cancel()
