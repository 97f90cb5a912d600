"""A relay between two nodes: it hands on what they say, and can freeze or cut either direction."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

HOST = "127.0.0.1"


class Relay:
    """Hands on what comes to its port, to that of a node, and back.

    Args:
        target: the port of the node.
        nursery: where its tasks live.
    """

    def __init__(self, target: int, nursery: trio.Nursery) -> None:
        self.target = target
        self.port = 0
        self.connections = 0  # all that there were
        self.drip = 0.0  # seconds from one piece to the next
        self._nursery = nursery
        self._flows = {"to": Gate(), "back": Gate()}  # by direction
        self._open: set[trio.SocketStream] = set()

    async def listen(self) -> None:
        """Begin to take connections."""
        (listener,) = await trio.open_tcp_listeners(0, host=HOST)
        self.port = listener.socket.getsockname()[1]
        self._nursery.start_soon(trio.serve_listeners, self._handle, [listener])

    def freeze(self, *directions: str) -> None:
        """Hand on nothing more, and keep the connections open; both ways if none is named."""
        for direction in directions or self._flows:
            self._flows[direction].shut()

    def thaw(self) -> None:
        """Hand on again, and what has come meanwhile first."""
        for gate in self._flows.values():
            gate.open()

    async def cut(self) -> None:
        """Close all connections, as the end of either node would."""
        for stream in list(self._open):
            await trio.aclose_forcefully(stream)

    async def _handle(self, near: trio.SocketStream) -> None:
        self.connections += 1
        try:
            far = await trio.open_tcp_stream(HOST, self.target)
        except OSError:
            return
        self._open |= {near, far}
        async with near, far, trio.open_nursery() as nursery:
            nursery.start_soon(self._flow, near, far, "to", nursery.cancel_scope)
            nursery.start_soon(self._flow, far, near, "back", nursery.cancel_scope)
        self._open -= {near, far}

    async def _flow(
        self,
        source: trio.SocketStream,
        sink: trio.SocketStream,
        direction: str,
        scope: trio.CancelScope,
    ) -> None:
        try:
            while chunk := await source.receive_some():
                await self._flows[direction].pass_through()
                await trio.sleep(self.drip)
                await sink.send_all(chunk)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()


class Gate:
    """Lets through, or keeps waiting."""

    def __init__(self) -> None:
        self._is_open = trio.Event()
        self._is_open.set()

    def shut(self) -> None:
        self._is_open = trio.Event()

    def open(self) -> None:
        self._is_open.set()

    async def pass_through(self) -> None:
        while not (event := self._is_open).is_set():
            await event.wait()


@asynccontextmanager
async def open_relay(target: int) -> AsyncGenerator[Relay]:
    """Relay to a port of this machine while the block runs."""
    async with trio.open_nursery() as nursery:
        relay = Relay(target, nursery)
        await relay.listen()
        yield relay
        nursery.cancel_scope.cancel()
