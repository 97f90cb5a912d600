"""Epmd in a test: the two requests that a node makes of it, over real sockets."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class SmallEpmd:
    """Knows the ports of nodes, for as long as their connections stay open."""

    def __init__(self) -> None:
        self.address = ("127.0.0.1", 0)
        self.ports: dict[str, int] = {}
        self.asked = 0  # registrations that have been asked for
        self._creation = 100
        self._scope = trio.CancelScope()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[SmallEpmd]:
        """Run it while a block runs."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.run)
            yield self
            self.stop()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run it until `stop`, on the port that it had before if it had one."""
        self.ports.clear()
        self._scope = trio.CancelScope()
        listeners = await trio.open_tcp_listeners(self.address[1], host="127.0.0.1")
        self.address = listeners[0].socket.getsockname()[:2]
        task_status.started()
        with self._scope:
            await trio.serve_listeners(self._answer, listeners)

    def stop(self) -> None:
        """Close all its connections."""
        self._scope.cancel()

    async def _answer(self, stream: trio.SocketStream) -> None:
        async with stream:
            data = b""
            while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
                data += await stream.receive_some()
            request = data[2:]
            if request[:1] == b"x":
                await self._register(stream, request)
            else:
                await self._tell_port(stream, request[1:].decode())

    async def _register(self, stream: trio.SocketStream, request: bytes) -> None:
        length = int.from_bytes(request[9:11], "big")
        name = request[11 : 11 + length].decode()
        self.asked += 1
        if name in self.ports:
            await stream.send_all(b"\x76\x01" + bytes(4))
            return
        self.ports[name] = int.from_bytes(request[1:3], "big")
        self._creation += 1
        await stream.send_all(b"\x76\x00" + self._creation.to_bytes(4, "big"))
        try:
            while await stream.receive_some():
                pass
        except trio.BrokenResourceError:
            pass
        finally:
            self.ports.pop(name, None)

    async def _tell_port(self, stream: trio.SocketStream, name: str) -> None:
        port = self.ports.get(name)
        if port is None:
            await stream.send_all(b"w\x01")
            return
        found = port.to_bytes(2, "big") + b"\x48\x00" + bytes([0, 6, 0, 6])
        text = name.encode()
        await stream.send_all(b"w\0" + found + len(text).to_bytes(2, "big") + text + bytes(2))
