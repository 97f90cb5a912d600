"""What is said to epmd, which knows the ports of the nodes on its host.

Follows: `erl_dist_protocol`, "EPMD Protocol".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from .terms import DecodeError

PORT: Final = 4369  # of epmd itself, unless ERL_EPMD_PORT says another
_VERSION: Final = 6  # of the handshake, the only one since OTP 25
_HIDDEN: Final = 72
_LIMIT: Final = 64 * 1024  # bytes of an answer
_ALIVE: Final = struct.Struct(">BHBBHHH")
_FOUND: Final = struct.Struct(">BBHBBHH")


@dataclass(frozen=True, slots=True)
class Alive:
    """The answer to `alive_request`: the creation, or None if the name is taken."""

    creation: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to `port_request`: the port, or None if there is no node of this name."""

    port: int | None


def alive_request(name: str, port: int) -> bytes:
    """Return what registers a hidden node for as long as the connection stays open.

    Args:
        name: the part of the node's name before the @.
        port: where it listens.
    """
    data = name.encode()
    head = _ALIVE.pack(120, port, _HIDDEN, 0, _VERSION, _VERSION, len(data))
    return _request(head + data + bytes(2))


def port_request(name: str) -> bytes:
    """Return what asks for the port of a node; epmd closes the connection behind its answer.

    Args:
        name: the part of the node's name before the @.
    """
    return _request(b"z" + name.encode())


def _request(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def read_alive(data: bytes) -> Alive | None:
    """Return the answer to `alive_request`, or None as long as it is not complete.

    Args:
        data: all that has been received.

    Raises:
        DecodeError: it is none.
    """
    if not data:
        return None
    long = {118: True, 121: False}.get(data[0])  # with a creation of 4 bytes, or of 2
    size = 6 if long else 4
    if long is None or len(data) > size:
        raise DecodeError(f"expected an answer of epmd of {size} bytes, got {data[:20]!r}")
    if len(data) < size:
        return None
    return Alive(None if data[1] else int.from_bytes(data[2:], "big"))


def read_port(data: bytes, *, closed: bool = False) -> Found | None:
    """Return the answer to `port_request`, or None as long as it is not complete.

    Args:
        data: all that has been received.
        closed: epmd has closed the connection.

    Raises:
        DecodeError: it is none, or cut off.
    """
    if data[:1] not in (b"", b"w") or len(data) > _LIMIT:
        raise DecodeError(f"expected an answer of epmd, got {data[:20]!r}")
    if len(data) > 1 and data[1]:
        return Found(None)
    if len(data) < _FOUND.size:
        if closed:
            raise DecodeError(f"epmd has closed the connection after {len(data)} bytes")
        return None
    _, _, port, _, _, highest, lowest = _FOUND.unpack_from(data)
    if not lowest <= _VERSION <= highest:
        text = f"versions {lowest} to {highest} of the handshake, this node {_VERSION}"
        raise DecodeError(f"the node speaks {text}")
    return Found(port)
