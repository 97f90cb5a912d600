"""Structs of Elixir: dicts, or objects of a dataclass that is registered for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from wire_kit import CODEC, there_and_back

import trio_otp as otp
from trio_otp.cluster import Atom, Map

A = Atom


@dataclass(frozen=True)
class Order:
    id: int
    customer: str
    note: str | None = None
    raw: bytes = b""
    lines: list[Any] = field(default_factory=list)
    total: int = field(default=0, init=False)


@dataclass
class Strict:
    limit: int

    def __post_init__(self) -> None:
        if self.limit < 0:
            raise LookupError


@dataclass
class Odd:
    other: Missing  # type: ignore[name-defined]  # noqa: F821 - nobody can look it up


otp.cluster.struct("Elixir.Order", Order)
otp.cluster.struct("Elixir.Strict", Strict)
otp.cluster.struct("Elixir.Odd", Odd)


def from_elixir(name: str, **fields: object) -> dict[Atom, object]:
    """Return the map that a struct travels as."""
    return {A("__struct__"): A(name), **{A(key): value for key, value in fields.items()}}


def test_objects_of_a_registered_class_travel() -> None:
    """As structs, so Elixir matches them, and as equal objects between Pythons."""
    order = Order(1, "Ann", None, b"\xff", [(1, "pen")])

    assert [order] == there_and_back([order])
    assert b"\x83" + CODEC.encode_term(from_elixir("Elixir.Strict", limit=1))[
        1:
    ] == CODEC.encode_term(Strict(1))


def test_texts_of_elixir_are_text_where_the_class_says_so() -> None:
    """A binary in a field that is a `str`; others stay bytes."""
    sent = from_elixir("Elixir.Order", id=1, customer=b"Ann", note=b"\xc3\xa9", raw=b"raw")

    assert Order(1, "Ann", "é", b"raw") == there_and_back(sent)


@pytest.mark.parametrize(
    "sent",
    [
        from_elixir("Elixir.Unknown", id=1),
        from_elixir("Elixir.Order", id=1),
        from_elixir("Elixir.Order", id=1, customer=b"Ann", extra=1),
        from_elixir("Elixir.Order", id=1, customer=b"\xff"),
        from_elixir("Elixir.Strict", limit=-1),
        {**from_elixir("Elixir.Strict", limit=1), "text": 1},
        {A("__struct__"): "Elixir.Strict", A("limit"): 1},
        {A("__struct__"): [1]},
    ],
)
def test_what_does_not_fit_is_a_dict(sent: Any) -> None:
    """One of another version of the program loses nothing, and costs no connection."""
    assert sent == there_and_back(sent)


def test_a_class_whose_annotations_cannot_be_read() -> None:
    """It works, and decodes nothing."""
    assert Odd(b"x") == there_and_back(from_elixir("Elixir.Odd", other=b"x"))


def test_objects_that_have_no_hash_can_be_keys() -> None:
    """Of a map that Python cannot hold."""
    for key in (Strict(1), Order(1, "Ann", lines=[[]])):
        table = Map([(key, "one"), (1, 2)])
        assert table == there_and_back(table)
        assert "one" == there_and_back(table)[key]


def test_wrong_registrations() -> None:
    """One name, one class; a class that is defined anew takes the place of the old one."""

    @dataclass
    class Other:
        limit: int

    with pytest.raises(ValueError, match=r"name: Elixir\.Strict is Strict already, not .*Other"):
        otp.cluster.struct("Elixir.Strict", Other)
    with pytest.raises(ValueError, match=r"kind: Strict is Elixir\.Strict already, not Elixir\.S"):
        otp.cluster.struct("Elixir.S", Strict)
    with pytest.raises(TypeError, match="kind: expected a dataclass, got int"):
        otp.cluster.struct("Elixir.Int", int)
    with pytest.raises(TypeError, match="kind: expected a dataclass, got Strict"):
        otp.cluster.struct("Elixir.Strict", Strict(1))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="name: expected a str, got 5"):
        otp.cluster.struct(5, Strict)  # type: ignore[arg-type]

    for _ in range(2):
        again = dataclass(
            type("Again", (), {"__module__": __name__, "__annotations__": {"a": int}})
        )
        assert otp.cluster.struct("Elixir.Again", again) is again
        assert type(there_and_back(again(1))) is again
    assert otp.cluster.struct("Elixir.Strict", Strict) is Strict


def test_one_that_is_not_registered_says_how_to() -> None:
    """In the error of who sends it."""

    @dataclass
    class New:
        a: int

    with pytest.raises(TypeError, match=r'otp\.cluster\.struct\("Elixir\.New", New\) registers it'):
        CODEC.encode_term([New(1)])
