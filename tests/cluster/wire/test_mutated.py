"""Frames with bytes that were turned, taken out, doubled: only `DecodeError`, however many."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from paths import ROOT
from wire_kit import CODEC, OTHER, PID, REF

from trio_otp.cluster import Atom, BitString, ImproperList, Map
from trio_otp.cluster.wire import control as c
from trio_otp.cluster.wire.codec import Codec
from trio_otp.cluster.wire.decode import Limits
from trio_otp.cluster.wire.terms import DecodeError

RECORDED: dict[str, Any] = json.loads(
    (ROOT / "tests" / "data" / "elixir_frames.json").read_text(encoding="utf-8")
)
CALL = (Atom("$gen_call"), (PID, ImproperList([Atom("alias")], REF)), (Atom("add"), 1, "x"))
OURS = [
    c.RegSend(PID, "shop", CALL),
    c.Send(OTHER, {"a": [1.5, -7, 1 << 70], 2: Map([([1], b"bytes")])}),
    c.SendSender(PID, OTHER, (None, True, BitString(b"\xa0", 3), "é" * 20)),
    c.AliasSend(PID, REF, (REF, [[], (), {}])),
    c.Monitor(PID, "shop", REF),
    c.MonitorExit("shop", PID, REF, ValueError("boom")),
    c.Exit(PID, OTHER, Atom("why")),
    c.Unlink(7, PID, OTHER),
]
FRAMES = [CODEC.encode(message)[4:] for message in OURS] + [
    bytes.fromhex(frame)
    for part in ("terms", "signals", "crash", "alias")
    for frame in RECORDED[part]
    if len(frame) < 400  # short ones are decoded fast
]
LENGTHS = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1", b"\0\1\0\0", b"\x7f\xff\xff\xff"]


def mutated(frame: bytes, chance: random.Random) -> bytes:
    """Return a frame with one or two faults, cheaply: few bytes of it are looked at."""
    data = bytearray(frame)
    for _ in range(1 + (chance.random() < 0.5)):
        size = len(data)
        at = int(chance.random() * size)
        fault = int(chance.random() * 6)
        if fault < 2:
            data[at : at + 1] = bytes([int(chance.random() * 256)])
        elif fault == 2:  # another tag
            data[at : at + 1] = bytes([TAGS[int(chance.random() * len(TAGS))]])
        elif fault == 3:
            data[at : at + 4] = LENGTHS[int(chance.random() * len(LENGTHS))]
        elif fault == 4:
            del data[at : at + 1 + int(chance.random() * 4)]
        else:
            data[at:at] = data[at : at + 8]
    return bytes(data)


TAGS = bytes(range(70, 121)) + b"\x83"


def decode_mutated(count: int, seed: int) -> tuple[int, int]:
    """Decode so many mutated frames; return how many were refused, and how many went through.

    What goes through is encoded again, and means the same then: nothing that came in is a trap for
    who passes it on.
    """
    chance = random.Random(seed)
    codec = Codec(limits=Limits(atoms=1000))
    refused = passed = 0
    for number in range(count):
        data = mutated(FRAMES[number % len(FRAMES)], chance)
        try:
            message = codec.decode(data)
        except DecodeError:
            refused += 1
            continue
        passed += 1
        if passed % 50 == 0:
            again = codec.encode(message)
            assert again == codec.encode(codec.decode(again[4:])), data
    return refused, passed


def test_mutated_frames_are_refused_or_messages() -> None:
    """No other exception comes out of the decoder; of both kinds there are enough."""
    refused, passed = decode_mutated(5000, seed=1)

    assert refused > 1000
    assert passed > 500


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_a_million_mutated_frames(part: int) -> None:
    """The same, a million of them in ten parts."""
    refused, passed = decode_mutated(100_000, seed=100 + part)

    assert refused + passed == 100_000
