"""A small Redis client on a Trio stream, for the demonstration and the tests.

async with await connect(6379) as redis:
    await redis.ask("SET", "k", "v")
    await redis.ask_all([("GET", "k"), ("TTL", "k")])

Replies say nothing of what they answer but by their order. So when an exchange is left before its
end, by a cancellation, a time-out or bytes that are no reply, the connection is closed: the next
command gets `Disconnected`, never the reply of another one.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Self, TypeAlias

import trio

from .replies import array, bulk

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence

Word: TypeAlias = "bytes | str | int"
Reply: TypeAlias = "str | bytes | int | ReplyError | list[Reply] | dict[bytes, Reply] | None"

DEEPEST: Final = 32  # arrays within each other
LARGEST: Final = 64 * 1024 * 1024  # bytes of one reply, each element counted as `ELEMENT` more
ELEMENT: Final = 64
LONGEST_LINE: Final = 64 * 1024  # bytes
_NUMBER: Final = re.compile(rb"-?[0-9]{1,19}")


class ReplyError(Exception):
    """An error that the server replied; the text is its first line."""

    @property
    def code(self) -> str:
        """The first word, as ERR or TRYAGAIN."""
        return str(self).partition(" ")[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReplyError) and str(other) == str(self)

    __hash__ = Exception.__hash__


class NoReply(ValueError):
    """The server sent what is no reply, or one that is too large or too deep."""


class Disconnected(trio.ClosedResourceError):
    """The connection is closed, perhaps since an exchange on it was left before its end."""


class Client:
    """One connection. Tasks that ask over it at the same time take turns.

    Args:
        stream: the connection, which `aclose` closes.
    """

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self.stream = stream
        self._buffer = bytearray()
        self._turn = trio.Lock()
        self._closed: str | None = None  # why
        self._owed = 0  # replies to what `send` has sent
        self._room = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection."""
        self._closed = "this connection was closed"
        await self.stream.aclose()

    async def ask(self, *command: Word) -> Reply:
        """Send a command and wait for its reply.

        Raises:
            ReplyError: the server replied an error.
            EOFError: it closed the connection instead.
            Disconnected: it is closed, or an earlier exchange was left before its end.
            NoReply: the server sent something else. The connection is closed.
            RuntimeError: replies to `send` have not been received.
        """
        [reply] = await self.ask_all([command])
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    async def ask_all(self, commands: Sequence[Sequence[Word]]) -> list[Reply]:
        """Send commands together, then wait for all replies; errors are among them.

        Raises:
            EOFError: the server closed the connection before the last reply.
            Disconnected: it is closed, or an earlier exchange was left before its end.
            NoReply: the server sent something else. The connection is closed.
            RuntimeError: replies to `send` have not been received.
        """
        data = _encode_all(commands)
        async with self._turn:
            if self._owed and self._closed is None:
                raise RuntimeError(f"{self._owed} replies to send() are to be received before that")
            async with self._exchange():
                await self.stream.send_all(data)
                return [await self._reply() for _ in commands]

    async def send(self, commands: Sequence[Sequence[Word]]) -> None:
        """Send commands without waiting for replies; `receive` gives each of them.

        Raises:
            Disconnected: it is closed, or an earlier exchange was left before its end.
        """
        data = _encode_all(commands)
        async with self._exchange():
            self._owed += len(commands)
            await self.stream.send_all(data)

    async def receive(self) -> Reply:
        """Wait for one reply.

        Raises:
            EOFError: the server closed the connection instead.
            Disconnected: it is closed, or an earlier exchange was left before its end.
            NoReply: the server sent something else. The connection is closed.
        """
        async with self._turn, self._exchange():
            reply = await self._reply()
            self._owed = max(self._owed - 1, 0)
            return reply

    @asynccontextmanager
    async def _exchange(self) -> AsyncGenerator[None]:
        """Close the connection if the block is left by an error: who knows what comes next."""
        if self._closed is not None:
            await trio.lowlevel.checkpoint()
            raise Disconnected(f"{self._closed}; connect anew")
        try:
            yield
        except BaseException:
            self._closed = "an exchange on this connection was left before its end"
            await trio.aclose_forcefully(self.stream)
            raise

    async def _reply(self) -> Reply:
        self._room = LARGEST
        return await self._element(0)

    async def _element(self, depth: int) -> Reply:
        line = await self._line()
        kind, rest = line[:1], line[1:]
        match kind:
            case b"+":
                return rest.decode(errors="replace")
            case b"-":
                return ReplyError(rest.decode(errors="replace"))
            case b":":
                return _number(line)
            case b"_" if not rest:
                return None
            case b"$" | b"*" if rest == b"-1":
                return None
            case b"$":
                return await self._bytes(_length(line))
            case b"*" | b"%" if depth == DEEPEST:
                raise NoReply(f"a reply of more than {DEEPEST} arrays within each other")
            case b"*":
                return [await self._element(depth + 1) for _ in range(_length(line))]
            case b"%":
                return await self._mapping(_length(line), depth + 1)
            case _:
                raise NoReply(f"{line[:80]!r} is no reply")

    async def _mapping(self, length: int, depth: int) -> Reply:
        found: dict[bytes, Reply] = {}
        for _ in range(length):
            key = await self._element(depth)
            if not isinstance(key, bytes):
                raise NoReply(f"expected a string as the key of a map, got {type(key).__name__}")
            found[key] = await self._element(depth)
        return found

    async def _line(self) -> bytes:
        seen = 0
        while (end := self._buffer.find(b"\r\n", seen)) < 0:
            if len(self._buffer) > LONGEST_LINE:
                raise NoReply(f"a line of more than {LONGEST_LINE} bytes")
            seen = max(len(self._buffer) - 1, 0)
            await self._receive_more()
        self._claim(end + ELEMENT)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    async def _bytes(self, length: int) -> bytes:
        self._claim(length)
        while len(self._buffer) < length + 2:
            await self._receive_more()
        if not self._buffer.startswith(b"\r\n", length):
            raise NoReply("a string without its line end")
        value = bytes(self._buffer[:length])
        del self._buffer[: length + 2]
        return value

    def _claim(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise NoReply(f"a reply of more than {LARGEST} bytes")

    async def _receive_more(self) -> None:
        data = await self.stream.receive_some()
        if not data:
            raise EOFError("the server closed the connection")
        self._buffer += data


def _number(line: bytes) -> int:
    if _NUMBER.fullmatch(line, 1) is None:
        raise NoReply(f"{line[:80]!r} is no number")
    return int(line[1:])


def _length(line: bytes) -> int:
    length = _number(line)
    if length < 0:
        raise NoReply(f"{line!r} has a negative length")
    return length


async def connect(port: int, host: str = "127.0.0.1") -> Client:
    """Connect to a server.

    Raises:
        OSError: nobody listens there.
    """
    return Client(await trio.open_tcp_stream(host, port))


def encode(command: Sequence[Word]) -> bytes:
    """Encode a command as clients send it."""
    return array(bulk(_as_bytes(word)) for word in command)


def _encode_all(commands: Iterable[Sequence[Word]]) -> bytes:
    return b"".join(map(encode, commands))


def _as_bytes(word: Word) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()
