"""Frames: however the bytes come in, the same frames come out."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_otp.cluster.wire.frames import TICK, FrameReader, framed
from trio_otp.cluster.wire.terms import DecodeError


def all_of(reader: FrameReader) -> list[bytes]:
    found = []
    while (frame := reader.next()) is not None:
        found.append(frame)
    return found


@given(st.lists(st.binary(max_size=300)), st.lists(st.integers(1, 50)), st.sampled_from([2, 4]))
def test_pieces_of_any_size(payloads: list[bytes], sizes: list[int], width: Literal[2, 4]) -> None:
    """Nothing is lost, invented or put together wrongly."""
    data = b"".join(framed(payload, width) for payload in payloads)
    reader = FrameReader(width)
    got: list[bytes] = []
    for size in sizes:
        reader.feed(data[:size])
        data = data[size:]
        got += all_of(reader)
    reader.feed(data)

    assert payloads == got + all_of(reader)
    assert reader.rest() == b""


def test_a_tick_is_an_empty_frame() -> None:
    """As it is between nodes, all the time."""
    reader = FrameReader(4)
    reader.feed(TICK + framed(b"x") + TICK)

    assert [b"", b"x", b""] == all_of(reader)


def test_what_is_too_long_is_not_waited_for() -> None:
    """The length alone is enough to refuse it; just as long is fine."""
    reader = FrameReader(4, limit=3)
    reader.feed(framed(b"abc") + b"\0\0\0\4")

    assert b"abc" == reader.next()
    with pytest.raises(DecodeError, match="a frame of 4 bytes is longer than 3"):
        reader.next()


def test_the_rest_belongs_to_what_comes_after_a_handshake() -> None:
    """It is all that has not been cut off."""
    reader = FrameReader(2)
    reader.feed(framed(b"last", 2) + framed(b"first")[:6])

    assert b"last" == reader.next()
    assert framed(b"first")[:6] == reader.rest()
