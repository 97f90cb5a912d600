"""A small Redis client on a Trio stream, for the demonstration and the tests.

async with await connect(6379) as redis:
    await redis.ask("SET", "k", "v")
    await redis.ask_all([("GET", "k"), ("TTL", "k")])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeAlias

import trio

from .resp import array, bulk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Word: TypeAlias = "bytes | str | int"
Reply: TypeAlias = "str | bytes | int | ReplyError | list[Reply] | None"


class ReplyError(Exception):
    """An error that the server replied; the text is its first line."""

    @property
    def code(self) -> str:
        """The first word, as ERR or TRYAGAIN."""
        return str(self).partition(" ")[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReplyError) and str(other) == str(self)

    __hash__ = Exception.__hash__


class Client:
    """One connection; one task at a time may use it.

    Args:
        stream: the connection, which `aclose` closes.
    """

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self.stream = stream
        self._buffer = bytearray()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection."""
        await self.stream.aclose()

    async def ask(self, *command: Word) -> Reply:
        """Send a command and wait for its reply.

        Raises:
            ReplyError: the server replied an error.
            EOFError: it closed the connection instead.
        """
        await self.send([command])
        reply = await self.receive()
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    async def ask_all(self, commands: Sequence[Sequence[Word]]) -> list[Reply]:
        """Send commands together, then wait for all replies; errors are among them.

        Raises:
            EOFError: the server closed the connection before the last reply.
        """
        await self.send(commands)
        return [await self.receive() for _ in commands]

    async def send(self, commands: Iterable[Sequence[Word]]) -> None:
        """Send commands without waiting for replies."""
        await self.stream.send_all(b"".join(map(encode, commands)))

    async def receive(self) -> Reply:
        """Wait for one reply.

        Raises:
            EOFError: the server closed the connection instead.
        """
        line = await self._line()
        kind, rest = line[:1], line[1:]
        match kind:
            case b"+":
                return rest.decode()
            case b"-":
                return ReplyError(rest.decode())
            case b":":
                return int(rest)
            case b"$":
                return None if rest == b"-1" else await self._bytes(int(rest))
            case b"*":
                return [await self.receive() for _ in range(int(rest))]
            case _:
                raise ValueError(f"{line!r} is no reply")

    async def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            await self._receive_more()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    async def _bytes(self, length: int) -> bytes:
        while len(self._buffer) < length + 2:
            await self._receive_more()
        value = bytes(self._buffer[:length])
        del self._buffer[: length + 2]
        return value

    async def _receive_more(self) -> None:
        data = await self.stream.receive_some()
        if not data:
            raise EOFError("the server closed the connection")
        self._buffer += data


async def connect(port: int, host: str = "127.0.0.1") -> Client:
    """Connect to a server.

    Raises:
        OSError: nobody listens there.
    """
    return Client(await trio.open_tcp_stream(host, port))


def encode(command: Sequence[Word]) -> bytes:
    """Encode a command as clients send it."""
    return array(bulk(_as_bytes(word)) for word in command)


def _as_bytes(word: Word) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()
