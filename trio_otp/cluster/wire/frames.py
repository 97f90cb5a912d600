"""Frames: a length in front of so many bytes, of 2 bytes in a handshake and of 4 after it."""

from __future__ import annotations

import struct
from typing import Final, Literal

from .terms import DecodeError

HANDSHAKE_LIMIT: Final = 64 * 1024  # bytes of a whole handshake, in one direction
FRAME_LIMIT: Final = 64 * 1024 * 1024
TICK: Final = bytes(4)  # a frame with nothing in it


class FrameReader:
    """Cuts what comes in into frames; `b""` is a tick.

    Args:
        width: bytes of a length.
        limit: bytes that a frame may have.
    """

    def __init__(self, width: Literal[2, 4] = 4, *, limit: int = FRAME_LIMIT) -> None:
        self._width = width
        self._length = struct.Struct(">H" if width == 2 else ">I").unpack_from
        self._limit = limit
        self._bytes = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Take what has been received; what has been cut off already is forgotten."""
        del self._bytes[: self._at]
        self._at = 0
        self._bytes += data

    def next(self) -> bytes | None:
        """Return the next frame, or None until all of it is there.

        Raises:
            DecodeError: it is longer than it may be; nothing of it is waited for.
        """
        start = self._at + self._width
        if start > len(self._bytes):
            return None
        length: int = self._length(self._bytes, self._at)[0]
        if length > self._limit:
            raise DecodeError(f"a frame of {length} bytes is longer than {self._limit}")
        end = start + length
        if end > len(self._bytes):
            return None
        self._at = end
        return bytes(self._bytes[start:end])

    def rest(self) -> bytes:
        """Return what belongs to no frame yet."""
        return bytes(self._bytes[self._at :])


def framed(payload: bytes, width: Literal[2, 4] = 4) -> bytes:
    """Return a payload with its length in front.

    Args:
        payload: below 64 KiB if the width is 2.
        width: bytes of the length.
    """
    return len(payload).to_bytes(width, "big") + payload
