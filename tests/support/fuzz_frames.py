"""Conversations with the cache service: frames of every kind, and what is to be replied to each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from examples.cache_service.client import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

KEYS: Final = 20
FAULT: Final = b"-ERR Protocol error: %b\r\n"
EVICTED: Final = b"-ERR max client memory reached\r\n"
# What ends a conversation: frames that are nested, oversized or none, and what is said to them.
FATAL: Final[Sequence[tuple[bytes, bytes]]] = [
    (b"*2\r\n*1\r\n$4\r\nPING\r\n", b"expected '$', got '*'"),
    (b"*1\r\n" * 1000, b"expected '$', got '*'"),
    (b"*2\r\n$4\r\nECHO\r\n*0\r\n", b"expected '$', got '*'"),
    (b"*1\r\n%1\r\n", b"expected '$', got '%'"),
    (b"*1\r\n\0\r\n", b"expected '$', got '?'"),
    (b"*1\r\n:4\r\n", b"expected '$', got ':'"),
    (b"*1025\r\n", b"invalid multibulk length"),
    (b"*99999999999999999999\r\n", b"invalid multibulk length"),
    (b"*1x\r\n", b"invalid multibulk length"),
    (b"*1\r\n$524289\r\n", b"invalid bulk length"),
    (b"*1\r\n$-1\r\n", b"invalid bulk length"),
    (b"*2\r\n$4\r\nECHO\r\n$3\r\nabcde\r\n", b"expected CRLF after a bulk string"),
    (b"ECHO 'open\r\n", b"unbalanced quotes in request"),
    (b"x" * 70_000, b"too big inline request"),
    (b"*" + b"1" * 70_000, b"too big mbulk count string"),
    (b"*1\r\n$" + b"1" * 70_000, b"too big bulk count string"),
    (b"*10\r\n" + b"$500000\r\n%b\r\n" % (b"x" * 500_000) * 8 + b"$500000\r\n", b"too big command"),
]
MISTAKES: Final[Sequence[tuple[bytes, bytes]]] = [
    (b"GET\r\n", b"wrong number of arguments for 'get' command"),
    (b"%1\r\n", b"unknown command '%1', with args beginning with: "),
    (b"_\r\n", b"unknown command '_', with args beginning with: "),
    (b"FLY \xff\r\n", b"unknown command 'FLY', with args beginning with: '\xef\xbf\xbd' "),
    (encode(["SET", "k", "v", "EX", "0"]), b"invalid expire time in 'set' command"),
    (encode(["SCAN", "x"]), b"invalid cursor"),
]
# Frames that are complete and no commands, or no frames at all: nothing is replied.
NOTHING: Final = (b"*0\r\n", b"*-1\r\n", b"\r\n", b"\n", b"*0\r\n" * 50)


class Conversation:
    """What one client sends, and what it has to get.

    Args:
        random: decides all of it.
        name: the start of its keys; nobody else has it.
        frames: how many, without those that end it.
    """

    def __init__(self, random: Random, name: str, frames: int) -> None:
        self._random = random
        self._keys = [f"{name}:{number}".encode() for number in range(KEYS)]
        self._values: dict[bytes, bytes] = {}
        self.sent: list[bytes] = []
        self.expected: list[bytes] = []
        for _ in range(frames):
            random.choices(_KINDS, _WEIGHTS)[0](self)
        self._end()

    def _say(self, words: Sequence[bytes | str | int], reply: bytes) -> None:
        self.sent.append(encode(words))
        self.expected.append(reply)

    def _ping(self) -> None:
        self.sent.append(self._random.choice([b"PING\r\n", b"ping\n", encode(["PING"])]))
        self.expected.append(b"+PONG\r\n")

    def _echo(self) -> None:
        data = self._random.randbytes(self._random.choice([0, 1, 10, 200]))
        self._say(["ECHO", data], _bulk(data))

    def _set(self) -> None:
        key, value = self._key(), self._random.randbytes(self._random.randrange(100))
        self._values[key] = value
        self._say(["SET", key, value], b"+OK\r\n")

    def _get(self) -> None:
        value = self._values.get(key := self._key())
        self._say(["GET", key], b"$-1\r\n" if value is None else _bulk(value))

    def _delete(self) -> None:
        keys = self._random.sample(self._keys, 3)
        found = sum(self._values.pop(key, None) is not None for key in keys)
        self._say(["DEL", *keys], b":%d\r\n" % found)

    def _exists(self) -> None:
        keys = self._random.choices(self._keys, k=3)
        self._say(["EXISTS", *keys], b":%d\r\n" % sum(key in self._values for key in keys))

    def _list(self) -> None:
        self._say(["KEYS", self._key() + b"[^0-9]*"], b"*0\r\n")

    def _mistake(self) -> None:
        what, text = self._random.choice(MISTAKES)
        self.sent.append(what)
        self.expected.append(b"-ERR %b\r\n" % text)

    def _nothing(self) -> None:
        self.sent.append(self._random.choice(NOTHING))

    def _key(self) -> bytes:
        return self._random.choice(self._keys)

    def _end(self) -> None:
        """Tidy up, then quit, break the protocol, or stop within a command."""
        self._say(["DEL", *self._keys], b":%d\r\n" % len(self._values))
        way = self._random.random()
        if way < 0.4:
            self._say(["QUIT"], b"+OK\r\n")
            self.sent.append(b"PING\r\n" * 10)
        elif way < 0.8:
            frame, text = self._random.choice(FATAL)
            self.sent.append(frame)
            self.expected.append(FAULT % text)
        else:
            whole = encode(["SET", self._keys[0], b"x" * self._random.choice([5, 400_000])])
            self.sent.append(whole[: self._random.randrange(len(whole))])

    def check(self, received: bytes | bytearray) -> None:
        """Check that the replies are right, all of them unless all clients have left too much."""
        expected = b"".join(self.expected)
        if received.endswith(EVICTED):
            received = received.removesuffix(EVICTED)
            expected = expected[: len(received)]
        if expected != received:
            pairs = zip(expected, received, strict=False)
            at = next((n for n, (one, other) in enumerate(pairs) if one != other), len(received))
            around = slice(max(at - 50, 0), at + 50)
            raise AssertionError(
                f"at {at}: expected {expected[around]!r}, got {received[around]!r}"
            )

    def pieces(self) -> list[bytes]:
        """Cut what is sent anywhere, into few pieces or many."""
        data = b"".join(self.sent)
        most = self._random.choice([50, 1000, 30_000, len(data)])
        cuts, at = list[bytes](), 0
        while at < len(data):
            size = self._random.randint(1, max(most, len(data) // 60))
            cuts.append(data[at : at + size])
            at += size
        return cuts


def _bulk(data: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(data), data)


_KINDS: Final[Sequence[Callable[[Conversation], None]]] = [
    Conversation._ping,
    Conversation._echo,
    Conversation._set,
    Conversation._get,
    Conversation._delete,
    Conversation._exists,
    Conversation._list,
    Conversation._mistake,
    Conversation._nothing,
]
_WEIGHTS: Final = [20, 20, 10, 20, 3, 5, 1, 8, 8]
