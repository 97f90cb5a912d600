"""Bytes that are no terms, terms that are too much, and forms that old nodes send."""

from __future__ import annotations

import gc
import random
import struct
import time
import zlib
from contextlib import suppress
from typing import Any

import pytest
from hostile_terms import U32, colliding, hostile
from hypothesis import given
from wire_kit import CODEC, PID, REF, TERMS

from trio_otp.cluster import Atom, Fun, ImproperList
from trio_otp.cluster.wire.codec import Codec
from trio_otp.cluster.wire.decode import LARGE, Limits
from trio_otp.cluster.wire.opaque import make_pid, make_reference
from trio_otp.cluster.wire.terms import DecodeError

MEBIBYTE = hostile(1 << 20)
SMALL = hostile(LARGE)


def term(data: bytes) -> Any:
    return CODEC.decode_term(b"\x83" + data)


@pytest.mark.parametrize(
    ("data", "is_"),
    [
        (b"d\0\1a", Atom("a")),
        (b"d\0\1\xe9", Atom("é")),
        (b"s\1\xe9", Atom("é")),
        (b"s\4true", True),
        (b"v\0\2\xc3\xa9", Atom("é")),
        (b"v\0\3nil", None),
        (b"c" + b"1.50000000000000000000e+00".ljust(31, b"\0"), 1.5),
        (b"k\0\3\1\2\3", [1, 2, 3]),
        (b"i\0\0\0\1a\1", (1,)),
        (b"l\0\0\0\1a\1k\0\1\2", [1, 2]),
        (b"l\0\0\0\0a\1", 1),
        (b"l\0\0\0\1a\1l\0\0\0\1a\2a\3", ImproperList([1, 2], 3)),
        (b"n\0\0", 0),
        (b"o\0\0\0\2\1\1\1", -257),
        (b"gd\0\3a@b\0\0\0\1\0\0\0\2\3", make_pid("a@b", 1, 2, 3)),
        (b"Xd\0\3a@b\0\0\0\1\0\0\0\2\0\0\0\3", make_pid("a@b", 1, 2, 3)),
        (b"r\0\1d\0\3a@b\3\0\0\0\1", make_reference("a@b", 3, (1,))),
        (b"Z\0\1d\0\3a@b\0\0\0\3\0\0\0\1", make_reference("a@b", 3, (1,))),
    ],
)
def test_forms_of_older_nodes(data: bytes, is_: object) -> None:
    """What they send is the same term; pids and references are equal to those of newer nodes."""
    assert (is_, type(is_)) == (term(data), type(term(data)))


def test_the_pids_that_came_last_are_kept() -> None:
    """What sends again and again is made once; of the others, no more than some are kept."""
    made: list[int] = []

    def load(pid: Any) -> object:
        made.append(pid.number)
        return pid

    codec = Codec(load_pid=load)
    for number in (1, 2, 1, 2, *range(3, 200), 1):
        pid = make_pid("a@b", number, 2, 3)
        assert codec.decode_term(CODEC.encode_term(pid)) == pid
    assert made == [1, 2, *range(3, 200), 1]


@pytest.mark.parametrize("data", [b"fw\3a@b\0\0\0\1\3", b"Yw\3a@b\0\0\0\1\0\0\0\3"])
def test_ports_go_back_as_they_came(data: bytes) -> None:
    """Also those of older nodes."""
    assert b"\x83" + data == CODEC.encode_term(term(data))


EXPORT = b"qw\1mw\1fa\2"
FUN = b"p" + U32(54) + b"\2" + bytes(16) + bytes(4) + U32(1) + b"w\1ma\0a\0"
FUN += b"Xw\3a@b\0\0\0\1\0\0\0\2\0\0\0\3" + b"a\7"
FUN = FUN[:1] + U32(len(FUN) - 1) + FUN[5:]


def test_functions_are_looked_into_only_to_find_their_end() -> None:
    """And a broken one is not passed on to others."""
    assert isinstance(term(FUN), Fun)
    for at in (1, 4, 26):
        broken = bytearray(FUN)
        broken[at] ^= 1
        with pytest.raises(DecodeError):
            term(bytes(broken))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "expected 1 to 1 terms"),
        (b"\x82a\1", "expected a term of version 131, got 130"),
        (b"\x83a\1a\1", "got other bytes"),
        (b"\x83\1", "a term of tag 1 is unknown"),
        (b"\x83P\0\0\0\1x", "a term of tag 80 is compressed, which is refused"),
        (b"\x83F" + struct.pack(">d", float("inf")), "a float is not finite"),
        (b"\x83F" + struct.pack(">d", float("nan")), "a float is not finite"),
        (b"\x83c" + b"nan".ljust(31, b"\0"), "a float is not finite"),
        (b"\x83c" + b"one".ljust(31, b"\0"), "the text of a float is none"),
        (b"\x83w\1\xff", "can't decode byte"),
        (b"\x83M\0\0\0\1\x08\xff", "can't decode byte"),
        (b"\x83M\0\0\0\0\3", "a bit string has 0 bytes and 3 bits"),
        (b"\x83M\0\0\0\1\x09a", "a bit string has 1 bytes and 9 bits"),
        (b"\x83M\0\0\0\1\0a", "a bit string has 1 bytes and 0 bits"),
        (b"\x83v\1\0" + b"a" * 256, "an atom has more than 255 characters"),
        (b"\x83o\0\x08\0\0\0" + bytes(524_288), "an integer of 524288 bytes"),
        (b"\x83t\0\0\0\2a\1a\1a\1a\2", "a map has a key twice"),
        (b"\x83t\0\0\0\2ja\1ja\2", "a map has a key twice"),
        (b"\x83Z\0\0w\3a@b\0\0\0\1", "a reference has 0 numbers"),
        (b"\x83Z\0\6w\3a@b\0\0\0\1" + bytes(24), "a reference has 6 numbers"),
        (b"\x83Xa\1" + bytes(12), "the name of a node is not an atom"),
        (b"\x83Xw\3nil" + bytes(12), "the name of a node is not an atom"),
        (b"\x83Xv\1\x54" + "日".encode() * 100 + b"a" * 40 + bytes(12), "at most 255 bytes"),
        (b"\x83qw\1ma\1a\1", "an exported function is not"),
        (b"\x83l\xff\xff\xff\xffj", "are more than there can be"),
        (b"\x83t\xff\xff\xff\xffj", "are more than there can be"),
        (b"\x83i\xff\xff\xff\xffj", "are more than there can be"),
        (b"\x83m\xff\xff\xff\xffj", "a binary is cut off"),
    ],
)
def test_what_is_no_term(data: bytes, why: str) -> None:
    """The error says what is wrong with it."""
    with pytest.raises(DecodeError, match=why):
        CODEC.decode_term(data)


@given(TERMS)
def test_what_is_cut_off_anywhere_is_refused(sent: Any) -> None:
    """And what has one byte more."""
    data = CODEC.encode_term(sent)
    for end in [*range(min(len(data), 60)), *range(max(0, len(data) - 60), len(data))]:
        with pytest.raises(DecodeError):
            CODEC.decode_term(data[:end])
    with pytest.raises(DecodeError):
        CODEC.decode_term(data + b"a")


def test_every_form_is_refused_when_it_is_cut_off() -> None:
    """Each tag has been thought of."""
    forms = [EXPORT, FUN, b"w\1a", b"d\0\1a", b"v\0\1a", b"s\1a", b"a\1", b"b\0\0\0\1", b"n\1\0\1"]
    forms += [b"o\0\0\0\1\0\1", b"F" + bytes(8), b"c" + b"1.0".ljust(31, b"\0"), b"h\1j", b"j"]
    forms += [b"i\0\0\0\1j", b"k\0\1\1", b"l\0\0\0\1jj", b"t\0\0\0\1jj", b"m\0\0\0\1a"]
    forms += [b"M\0\0\0\1\3a", PID.data, REF.data, b"gw\3a@b" + bytes(9), b"r\0\1w\1a" + bytes(5)]
    forms += [b"xw\3a@b" + bytes(12), b"Yw\3a@b" + bytes(8), b"fw\3a@b" + bytes(5)]
    for form in forms:
        term(form)
        for end in range(len(form)):
            with pytest.raises(DecodeError):
                term(form[:end])


# -- limits ----------------------------------------------------------------------------------------


def test_limits() -> None:
    """Of terms and of nesting; one more than is allowed is refused."""
    codec = Codec(limits=Limits(terms=64, depth=3))

    assert [1] * 48 == codec.decode_term(CODEC.encode_term([1] * 48))
    assert ([], [], []) == codec.decode_term(CODEC.encode_term(([], [], [])))
    assert list(range(63)) == codec.decode_term(b"\x83k\0\x3f" + bytes(range(63)))
    assert ((((),),),) == CODEC.decode_term(CODEC.encode_term(((((),),),)))
    assert (((),),) == codec.decode_term(CODEC.encode_term((((),),)))
    many_lists = CODEC.encode_term(([],) * 4)
    for many in (CODEC.encode_term([1] * 49), many_lists, b"\x83k\0\x40" + bytes(64)):
        with pytest.raises(DecodeError, match=r"than there (can|may) be"):
            codec.decode_term(many)
    with pytest.raises(DecodeError, match="nested at most 3 deep"):
        codec.decode_term(CODEC.encode_term(((((),),),)))


def test_atoms_that_are_kept() -> None:
    """Each is the same object, up to a number; more of them, and long ones, are atoms as well."""
    codec = Codec(limits=Limits(atoms=5))
    names = [Atom(f"atom_{number}") for number in range(5)]
    long = Atom("x" * 100)

    first, again = (codec.decode_term(CODEC.encode_term([*names, long])) for _ in range(2))

    assert [*names, long] == first == again
    same = [one is other for one, other in zip(first, again, strict=True)]  # type: ignore[arg-type]
    assert [True, True, False, False, False, False] == same


def test_pids_of_more_nodes_than_are_recognized() -> None:
    """They are decoded all the same."""
    pids = [make_pid(f"n{number}@host", 1, 0, number) for number in range(300)]
    codec = Codec()

    assert pids == codec.decode_term(CODEC.encode_term(pids))
    assert pids == codec.decode_term(CODEC.encode_term(pids))


def test_compressed_terms_are_not_unpacked() -> None:
    """A few bytes would be gigabytes."""
    bomb = zlib.compress(bytes(10_000_000))

    with pytest.raises(DecodeError, match="compressed, which is refused"):
        term(b"P" + U32(10_000_000) + bomb)


@pytest.mark.parametrize("first", [b"", b"l\0\0\0\1jjj"], ids=["dict", "map"])
def test_keys_that_collide_are_refused(first: bytes) -> None:
    """They would cost the square of their number: 80,000 of them, 1 MiB, take half a minute."""
    assert len(term(colliding(90, first=first))) == 90 + bool(first)
    with pytest.raises(DecodeError, match="keys of a map have less than"):
        term(colliding(10_000, first=first))


def test_many_keys_are_no_attack() -> None:
    """A large map of a user arrives."""
    table = {number: str(number) for number in range(-5000, 5000)}

    assert table == CODEC.decode_term(CODEC.encode_term(table))


def cost_of(data: bytes) -> tuple[float, float]:
    """Return what it costs to decode bytes, and the longest pause of the garbage collector.

    In seconds of this thread, so nothing depends on what else the machine does.
    """
    pauses, begun = [0.0], 0.0

    def note(phase: str, _: object) -> None:
        nonlocal begun
        if phase == "start":
            begun = time.thread_time()
        else:
            pauses.append(time.thread_time() - begun)

    started = time.thread_time()
    gc.callbacks.append(note)
    try:
        with suppress(DecodeError):
            term(data)
    finally:
        gc.callbacks.remove(note)
    return time.thread_time() - started, max(pauses)


def best_cost_of(data: bytes) -> tuple[float, float]:
    """Return the least of three runs for each figure: a bad moment of the machine is not in it."""
    gc.collect()  # or what earlier tests have left would be looked through meanwhile
    costs, pauses = zip(*(cost_of(data) for _ in range(3)), strict=True)
    return min(costs), min(pauses)


@pytest.mark.timed
@pytest.mark.slow
@pytest.mark.parametrize("name", MEBIBYTE)
def test_a_mebibyte_is_soon_decoded_in_a_thread(name: str) -> None:
    """Whatever is in it; the loop is kept waiting by the garbage collector alone."""
    cost, pause = best_cost_of(MEBIBYTE[name])

    assert cost < 3.0
    assert pause < 0.15


@pytest.mark.timed
@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_what_is_decoded_in_the_loop_does_not_hold_it_up(name: str) -> None:
    """It is no larger than this."""
    assert best_cost_of(SMALL[name])[0] < 0.1


def test_the_same_bytes_are_the_same_term_in_every_order() -> None:
    """What one frame leaves behind changes nothing in the next."""
    codec = Codec()
    frames = [CODEC.encode_term(each) for each in ([1], {"a": (1, 2)}, Atom("x"), [[[]]])]
    chosen = random.Random(1).choices([*frames, b"\x83l", b"\x83h\2a\1"], k=300)

    for data in chosen:
        try:
            assert codec.decode_term(data) == CODEC.decode_term(data)
        except DecodeError:
            assert data not in frames
