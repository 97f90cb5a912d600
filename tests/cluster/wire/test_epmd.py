"""What is said to epmd, and its answers in pieces; `test_from_elixir` has those of a real one."""

from __future__ import annotations

import pytest

from trio_otp.cluster.wire.epmd import (
    Alive,
    Found,
    alive_request,
    port_request,
    read_alive,
    read_port,
)
from trio_otp.cluster.wire.terms import DecodeError

FOUND = b"w\0\x10\x92M\0\0\6\0\5\0\2py\0\0"


def test_requests() -> None:
    """A hidden node of handshake version 6, and the port of another one."""
    assert b"\0\x0fx\x12\x67H\0\0\6\0\6\0\2py\0\0" == alive_request("py", 4711)
    assert b"\0\3zpy" == port_request("py")


@pytest.mark.parametrize(
    ("answer", "means"),
    [
        (b"v\0\0\0\0\7", Alive(7)),
        (b"y\0\0\7", Alive(7)),
        (b"v\1\0\0\0\0", Alive(None)),
        (b"y\1\0\0", Alive(None)),
    ],
)
def test_answers_to_a_registration(answer: bytes, means: Alive) -> None:
    """Of new epmds and old ones; nothing before all of it is there."""
    assert means == read_alive(answer)
    assert {None} == {read_alive(answer[:end]) for end in range(len(answer))}
    for bad in (answer + b"x", b"x"):
        with pytest.raises(DecodeError, match="expected an answer of epmd"):
            read_alive(bad)


def test_answers_about_a_port() -> None:
    """What is behind the versions is not needed."""
    assert Found(0x1092) == read_port(FOUND) == read_port(FOUND[:10], closed=True)
    assert Found(None) == read_port(b"w\1") == read_port(b"w\1", closed=True)
    assert {None} == {read_port(FOUND[:end]) for end in range(10)}
    for end in range(10):
        with pytest.raises(DecodeError, match=f"closed the connection after {end} bytes"):
            read_port(FOUND[:end], closed=True)
    for bad in (b"x", b"w" * 70_000):
        with pytest.raises(DecodeError, match="expected an answer of epmd"):
            read_port(bad)


def test_a_node_that_is_too_old() -> None:
    """Its handshake is another one."""
    with pytest.raises(DecodeError, match="versions 5 to 5 of the handshake, this node 6"):
        read_port(FOUND.replace(b"\0\6\0\5", b"\0\5\0\5"))
