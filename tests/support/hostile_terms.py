"""Terms that cost who decodes them much, without the version byte."""

from __future__ import annotations

import struct
from functools import cache

from wire_kit import CODEC

U32 = struct.Struct(">I").pack


def colliding(count: int, *, first: bytes = b"") -> bytes:
    """Return a map of keys that Python's hash throws together: multiples of 2**61 - 1."""
    keys = [CODEC.encode_term(number * ((1 << 61) - 1))[1:] for number in range(1, count + 1)]
    pairs = first + b"".join(key + b"j" for key in keys)
    return b"t" + U32(count + bool(first)) + pairs


@cache
def hostile(size: int) -> dict[str, bytes]:
    """Return terms of so many bytes, each of which costs much in its own way."""
    lists = b"l" + U32(size) + b"j" * size + b"j"
    numbers = range(size // 8)
    return {
        "empty lists": lists,
        "nested tuples": b"h\1" * (size // 2),
        "integers": b"l" + U32(size // 2) + b"a\1" * (size // 2) + b"j",
        "colliding keys": colliding(size // 13),
        "maps of colliding keys": b"l" + U32(size // 1300) + colliding(100) * (size // 1300) + b"j",
        "empty maps": b"l" + U32(size // 5) + b"t\0\0\0\0" * (size // 5) + b"j",
        "one integer": b"o" + U32(size) + b"\0" + b"\xff" * size,
        "large integers": b"l" + U32(size // 518) + (b"o" + U32(512) + bytes(513)) * (size // 518),
        "atoms": b"l" + U32(len(numbers)) + b"".join(b"w\6%06d" % each for each in numbers) + b"j",
        "tails": b"l\0\0\0\1a\1" * (size // 7) + b"j",
        "wide and deep": b"l\0\0\0\1" * 200 + lists + b"j" * 200,
        "keys without a hash": without_hash(size),
    }


def without_hash(size: int) -> bytes:
    """Return a map of so many bytes whose keys are lists, each another one."""
    keys = [b"l\0\0\0\1b" + U32(number) + b"j" for number in range(size // 13)]
    return b"t" + U32(len(keys)) + b"".join(key + b"a\1" for key in keys)
