"""What the tests of services share: a service with a name, clients, a listener of no socket."""

from __future__ import annotations

import math
import socket
import struct
from functools import partial
from typing import TYPE_CHECKING, Any

import trio
import trio.testing

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LIMIT = 30  # seconds for what takes no time on a machine that is not busy
opens = partial(trio.open_tcp_listeners, 0, host="127.0.0.1")


def service(handler: Any, *, opens: Any = opens, **options: Any) -> otp.Child[Any]:
    """Describe a service that is called `web`."""
    return otp.child(otp.ConnectionSupervisor, handler, opens, **options).having(name="web")


async def connect() -> trio.SocketStream:
    """Connect to the first listener of the service."""
    return await trio.testing.open_stream_to_socket_listener(otp.process_info("web").started[0])


async def connect_to(port: int, host: str) -> trio.SocketStream:
    """Connect to a port from an address of this machine, as another machine would."""
    sock = trio.socket.socket()
    try:
        await sock.bind((host, 0))
        await sock.connect(("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return trio.SocketStream(sock)


async def reset(stream: trio.SocketStream) -> None:
    """Reset a connection: the other side gets an error, not an end."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await stream.aclose()


async def ask(stream: trio.abc.Stream, data: bytes) -> bytes:
    """Send something and return what comes back first; nothing at the end."""
    with trio.fail_after(LIMIT):
        await stream.send_all(data)
        return bytes(await stream.receive_some())


async def shout(stream: trio.abc.Stream) -> None:
    """Answer in capitals, as a handler; crash when asked to."""
    async for chunk in stream:
        if chunk == b"crash":
            raise Boom
        await stream.send_all(chunk.upper())


def answer_after(seconds: float) -> Callable[[trio.abc.Stream], Awaitable[None]]:
    """Return a handler that takes its time; it begins nothing when the service is to end."""

    async def answer(stream: trio.abc.Stream) -> None:
        while True:
            request = b""
            with otp.move_on_when_draining():
                request = await stream.receive_some()
            if not request:
                return
            await trio.sleep(seconds)
            await stream.send_all(request.upper())

    return answer


class Boom(Exception):
    """The crash of a handler."""


class Memory(trio.abc.Listener[trio.StapledStream[Any, Any]]):
    """A listener without a socket, so that a virtual clock counts all that happens."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Any](math.inf)
        self.opened = 0
        self._accepted: list[Any] = []  # the streams

    async def open(self) -> list[Memory]:
        """Open it: it is the only one."""
        self.opened += 1
        return [self]

    def connect(self) -> trio.StapledStream[Any, Any]:
        """Connect to it."""
        client, server = trio.testing.memory_stream_pair()
        self.offer(server)
        return client

    def offer(self, stream: trio.abc.Stream) -> None:
        """Queue a stream to be accepted."""
        self._send.send_nowait(stream)

    def fail(self, error: BaseException) -> None:
        """Make the next accept raise."""
        self._send.send_nowait(error)

    async def accept(self) -> trio.StapledStream[Any, Any]:
        """Accept a connection."""
        what = await self._receive.receive()
        if isinstance(what, BaseException):
            raise what
        self._accepted.append(what)
        return what

    @property
    def accepted(self) -> int:
        """How many connections it has accepted."""
        return len(self._accepted)

    def all_closed(self) -> bool:
        """Check whether all that it has accepted is closed."""
        return all(stream.receive_stream._closed for stream in self._accepted)

    async def aclose(self) -> None:
        """Stop accepting; queued streams stay until it is opened again."""
        await trio.lowlevel.checkpoint()


async def until(condition: Callable[[], Any]) -> Any:
    """Wait until a condition is true, and return its value."""
    with trio.fail_after(LIMIT):
        while not (result := condition()):
            await trio.lowlevel.checkpoint()
    return result
