"""Terms between two Pythons: each comes back as the same one, and bad ones never leave."""

from __future__ import annotations

import copy
import enum
import pickle
import sys
from collections import OrderedDict, defaultdict
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from wire_kit import CODEC, PID, REF, TERMS, there_and_back

import trio_otp as otp
from trio_otp.cluster import Atom, BitString, ImproperList, Map, Reference
from trio_otp.cluster.wire import encode
from trio_otp.cluster.wire.codec import Codec
from trio_otp.cluster.wire.opaque import make_pid, make_reference
from trio_otp.cluster.wire.terms import DecodeError, exact


@given(TERMS)
def test_every_term_comes_back_equal(term: Any) -> None:
    """Also by type, which `==` does not look at: an atom is no str, 1 is not 1.0."""
    assert exact(term) == exact(there_and_back(term))


@pytest.mark.parametrize("length", [0, 1, 255, 256, 65_535, 65_536])
def test_no_length_is_special(length: int) -> None:
    """Of what has a length in front."""
    for term in ["x" * length, b"x" * length, (None,) * length, [1.5] * length]:
        assert term == there_and_back(term)


@pytest.mark.parametrize("power", [7, 8, 31, 32, 63, 64, 255 * 8, 256 * 8, 300 * 8])
def test_no_integer_is_special(power: int) -> None:
    """Of either sign, at the ends of what fits into which form."""
    for number in ((1 << power) + add for add in (-1, 0, 1)):
        assert [number, -number] == there_and_back([number, -number])


class Colour(enum.IntEnum):
    RED = 1


class Suit(enum.StrEnum):
    SPADES = "spades"


class Point(NamedTuple):
    x: int
    y: int


@pytest.mark.parametrize(
    ("term", "arrives"),
    [
        (Colour.RED, 1),
        (Suit.SPADES, "spades"),
        (Point(1, 2), (1, 2)),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (otp.NORMAL, Atom("normal")),
        (otp.Shutdown([1]), (Atom("shutdown"), [1])),
        (Atom("nil"), None),
        (Atom("true"), True),
    ],
)
def test_what_is_a_kind_of_something_arrives_as_that(term: Any, arrives: Any) -> None:
    """Nobody has to convert an enum of integers or a named tuple."""
    assert exact(arrives) == exact(there_and_back(term))


class Plain:
    def __repr__(self) -> str:
        return "<a plain one>"


class State(enum.Enum):
    OPEN = "open"


@pytest.mark.parametrize(
    ("term", "named"),
    [
        ({1, 2}, r"\{1, 2\} is a set, which has no form"),
        (Plain(), "<a plain one> is a Plain"),
        (State.OPEN, "State.OPEN.* is a State"),
        (float("nan"), "nan has no form"),
        (float("-inf"), "-inf has no form"),
        ("\ud800", "UTF-8 cannot write"),
        (bytearray(b"x"), "is a bytearray"),
        ({None: 1, Atom("nil"): 2}, r"the keys None and 'nil' are one key there"),
        ({otp.NORMAL: 1, Atom("normal"): 2}, "are one key there"),
        ({"a": 1, b"a": 2}, "the keys 'a' and b'a' are one key there"),
        ({("a", 1): 1, (b"a", 1): 2}, "are one key there"),
        (Map([([""], 1), ([b""], 2)]), "are one key there"),
        (Map([(0.0, 1), (-0.0, 2)]), "are one key there"),
        (Map([(Map([("a", 1), (b"a", 1)]), 2)]), "are one key there"),
        (Map([({"a": 1, b"b": 2}, 1), ({"b": 2, b"a": 1}, 2)]), "are one key there"),
    ],
)
def test_what_has_no_form_is_named(term: Any, named: str) -> None:
    """By a TypeError, wherever it is; nothing has been made of the rest."""
    for around in (term, [1, (term,)], ImproperList([1], term)):
        with pytest.raises(TypeError, match=named):
            CODEC.encode_term(around)


def test_what_is_nested_too_deeply_has_no_form() -> None:
    """And what holds itself; as deep as 256 goes, there and back."""
    deep: list[Any] = []
    for _ in range(256):
        deep = [deep]
    ring: list[Any] = []
    ring.append(ring)
    table: dict[int, Any] = {}
    table[1] = (table,)

    assert deep == there_and_back(deep)
    tuples: tuple[Any, ...] = ()
    for _ in range(257):
        tuples = (tuples,)
    values = keys = Map()
    for _ in range(257):
        values, keys = Map([(1, values)]), Map([(keys, 1)])
    for term in ([deep], (deep,), {1: deep}, tuples, ring, table, values, keys, {keys: 1}):
        with pytest.raises(TypeError, match="nested at most 256 deep, and in no circle"):
            CODEC.encode_term(term)


def test_an_integer_has_a_size_that_the_beam_takes() -> None:
    """A larger one would cost the connection there."""
    largest = (1 << (8 * 524_287)) - 1

    assert largest == there_and_back(largest)
    with pytest.raises(TypeError, match="an integer of 524288 bytes has no form"):
        CODEC.encode_term(largest + 1)


def test_a_full_stack_is_no_crash() -> None:
    """Who sends from deep within gets a TypeError; what comes in is a DecodeError there."""

    def overflow(_: object) -> object:
        raise RecursionError

    codec = Codec(dumps={Handle: overflow}, load_pid=overflow)

    with pytest.raises(TypeError, match="nested at most 256 deep"):
        codec.encode_term([Handle()])
    with pytest.raises(DecodeError, match="nested too deeply for what is left of the stack"):
        codec.decode_term(CODEC.encode_term([PID]))


def test_a_map_holds_apart_what_erlang_does() -> None:
    """Keys by type and value, whatever they are; two of one are refused."""
    keys = [1, 1.0, True, "a", b"b", Atom("a"), [1], (1, []), {}, {1: 2}, 0.0, REF, None]
    both = Map([(key, number) for number, key in enumerate(keys)])

    assert len(both) == len(keys)
    assert [both[key] for key, _ in both.pairs] == [value for _, value in both.pairs]
    assert both == there_and_back(both) == Map(reversed(both.pairs))
    assert hash(both) == hash(there_and_back(both))
    assert list(both) == [key for key, _ in both.pairs]
    assert [2] not in both
    assert both.get([2], "none") == "none"
    assert both != Map()
    assert both != {}
    with pytest.raises(KeyError):
        both[2]
    with pytest.raises(ValueError, match="pairs: expected each key once"):
        Map([([1], 2), ([1], 3)])


def test_maps_in_the_keys_of_others_take_no_longer() -> None:
    """However many are within each other: what is seen of each takes its time once."""
    numbers = b"l" + (3000).to_bytes(4, "big") + b"a\1" * 3000 + b"j"
    data = b"\x83" + b"t\0\0\0\1" * 100 + numbers + b"a\1" * 100
    steps = 0

    def count(_frame: object, _event: str, _arg: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        term = CODEC.decode_term(data)
        again = CODEC.decode_term(CODEC.encode_term(term))
    finally:
        sys.setprofile(None)
    assert term == again
    assert steps < 300_000, steps


def test_an_empty_text_is_what_the_beam_takes() -> None:
    """A bit string of no bytes has no bits; with 8, the BEAM would close the connection."""
    assert CODEC.encode_term("") == b"\x83M" + bytes(5)
    assert (there_and_back(["", b""]), there_and_back({"": ""})) == (["", b""], {"": ""})
    with pytest.raises(DecodeError, match="a bit string has 0 bytes and 8 bits"):
        CODEC.decode_term(b"\x83M\0\0\0\0\x08")


def test_a_dict_is_what_a_map_is_if_it_can_be() -> None:
    """So a user meets `Map` only where there is no other way."""
    assert {1: "a"} == there_and_back(Map([(1, "a")]))
    assert isinstance(there_and_back(Map([((1, [2]), "a")])), Map)


def test_atoms_whose_bytes_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that makes more and more of them does not grow by it here."""
    monkeypatch.setattr(encode, "_CACHED", 0)

    assert [Atom("never seen before")] == there_and_back([Atom("never seen before")])
    assert "never seen before" not in encode._atoms


def test_atoms() -> None:
    """They are texts of their own kind."""
    assert (repr(Atom("a")), str(Atom("a")), Atom("a") == "a") == ("Atom('a')", "a", True)
    assert there_and_back(Atom("é" * 255)) == "é" * 255
    assert isinstance(there_and_back(Atom("x")), Atom)
    with pytest.raises(TypeError, match="name: expected a str, got 5"):
        Atom(5)  # type: ignore[arg-type]
    for bad in ("x" * 256, "\ud800"):
        with pytest.raises(ValueError, match="name: expected at most 255 characters that UTF-8"):
            Atom(bad)


IMMUTABLE = [
    (Map([([1], 2)]), "Map([([1], 2)])"),
    (ImproperList([1, [2]], 3), "ImproperList((1, [2]), 3)"),
    (BitString(b"\xa0", 3), "BitString(b'\\xa0', 3)"),
    (PID, "<Pid 17.3 of py@host, incarnation 1737075661>"),
    (REF, "<Reference 5.0.4294967295 of ex@host>"),
    (CODEC.decode_term(b"\x83qw\1mw\1fa\2"), "<Export 77016d7701666102>"),
]


@pytest.mark.parametrize(("term", "shown"), IMMUTABLE)
def test_terms_of_erlang_are_values(term: Any, shown: str) -> None:
    """Immutable, hashable, shown so that one knows them; copies and pickles are equal."""
    assert shown == repr(term)
    for same in (copy.copy(term), copy.deepcopy(term), pickle.loads(pickle.dumps(term))):
        assert (same, hash(same)) == (term, hash(term))
    assert term != "something else"
    with pytest.raises(AttributeError, match="is immutable: cannot set data"):
        term.data = b""
    with pytest.raises(AttributeError, match="is immutable: cannot delete data"):
        del term.data


def test_wrong_arguments_of_terms() -> None:
    """They say what they expect."""
    for items, tail in (([], 1), ([1], [])):
        with pytest.raises(ValueError, match="expected items and a tail that is not a list"):
            ImproperList(items, tail)
    for data, bits in ((b"", 3), (b"a", 0), (b"a", 8)):
        with pytest.raises(ValueError, match="expected bytes and 1 to 7 bits"):
            BitString(data, bits)
    with pytest.raises(TypeError, match=r"Reference has no public constructor: otp\.call"):
        Reference(b"")  # type: ignore[call-arg]


def test_pids_and_references_say_what_they_are() -> None:
    """What the shell reads of them; two of different kinds are never equal."""
    pid = make_pid("ü@host", 1, 2, 3)

    assert (pid.node, pid.number, pid.serial, pid.creation) == ("ü@host", 1, 2, 3)
    assert (REF.node, REF.numbers, REF.creation) == ("ex@host", (5, 0, 0xFFFF_FFFF), 0x1234_5678)
    assert make_reference("ex@host", 0x1234_5678, (5, 0, 0xFFFF_FFFF)) == REF
    assert pid != REF


class Handle:
    """An object of a caller, which goes out as a pid."""


def test_pids_and_references_become_what_the_caller_wants() -> None:
    """And go out as what it says."""
    mine, other, monitor = Handle(), Handle(), object()
    table = {PID: mine, REF: monitor}
    codec = Codec(
        load_pid=lambda pid: table.get(pid, other),
        load_reference=table.__getitem__,
        dumps={Handle: lambda each: PID if each is mine else make_pid("x@h", 1, 1, 1)},
    )
    term = (PID, [REF], {1: make_pid("y@h", 1, 1, 1)})

    arrived: Any = codec.decode_term(codec.encode_term(term))

    assert arrived == (mine, [monitor], {1: other})
    assert CODEC.decode_term(codec.encode_term([mine])) == [PID]
    assert [("a", 1)] == there_and_back_by(Codec(dumps={Handle: lambda _: ("a", 1)}), [mine])


def there_and_back_by(codec: Codec, term: object) -> object:
    return codec.decode_term(codec.encode_term(term))
