"""Values of users are rendered within bounds, whatever their repr would do."""

from __future__ import annotations

import enum
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given
from inside import bounded, safe_repr, shown_text


class Colour(enum.Enum):
    """A value with a repr of its own."""

    RED = 1


class Rude:
    """A value whose repr raises."""

    def __repr__(self) -> str:
        raise ZeroDivisionError


class Point(NamedTuple):
    """A named tuple of `typing`."""

    x: int
    y: Any = None


class Masked(NamedTuple):
    """A named tuple that shows what it likes."""

    secret: str

    def __repr__(self) -> str:
        return "Masked"


@dataclass(frozen=True, slots=True)
class Account:
    """A dataclass with a field that is not shown."""

    owner: Any
    password: str = field(default="s3cr3t", repr=False)


@dataclass
class Quiet:
    """A dataclass with a repr of its own."""

    secret: str

    def __repr__(self) -> str:
        return "Quiet"


class Renamed(dict[Any, Any]):
    """A dict that shows itself in another way."""

    def __repr__(self) -> str:
        return "renamed"


@attrs.define
class Ticket:
    """A class of attrs with a field that is not shown."""

    holder: Any
    password: str = attrs.field(default="s3cr3t", repr=False)


@attrs.define
class Card:
    """A class of attrs with a field that is shown in its own way."""

    number: str = attrs.field(repr=lambda number: f"...{number[-2:]}")


Pair = namedtuple("Pair", "left right")  # the old kind is tested too
PLAIN = [
    None,
    True,
    1.5,
    "text",
    b"bytes",
    [1, [2]],
    (),
    (1,),
    (1, 2),
    {},
    {"a": [1, {"b": ()}]},
    set(),
    {1},
    frozenset(),
    frozenset({1}),
    deque([1, 2]),
    Colour.RED,
    ValueError("x", 1),
    KeyError("k"),
    Point(1, [2]),
    Pair({}, ()),
    Masked("s"),
    Account([Account(None)]),
    Quiet("s"),
    Ticket([Ticket(None)]),
    Card("123456"),
    Renamed(a=1),
    len,
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_a_small_value_is_its_repr(value: object) -> None:
    """Nothing is cut or worded anew."""
    assert repr(value) == bounded(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (defaultdict(int, a=1), "defaultdict({'a': 1})"),
        (OrderedDict(a=1), "OrderedDict({'a': 1})"),
        (Counter("aa"), "Counter({'a': 2})"),
        ([Rude(), 1], "[<Rude: repr raised ZeroDivisionError>, 1]"),
        (Account(Rude()), "Account(owner=<Rude: repr raised ZeroDivisionError>)"),
        (Ticket(Rude()), "Ticket(holder=<Rude: repr raised ZeroDivisionError>)"),
        (int, "int"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_values_are_shown_alike(value: object, text: str) -> None:
    """Contents come in the same way; what cannot be shown says so in its place."""
    assert text == bounded(value)


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10_000,
        b"x" * 10_000,
        list(range(10_000)),
        {number: [number] * 1000 for number in range(1000)},
        Account(list(range(10_000))),
        Ticket(list(range(10_000))),
        Point(1, "x" * 10_000),
        ValueError(["x"] * 10_000),
        Counter(range(10_000)),
        [[["x" * 100] * 50] * 50] * 10,
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("limit", [20, 200, 2000])
def test_a_huge_value_is_cut(value: object, limit: int) -> None:
    """The text has exactly the limit, and its end says that there is more."""
    text = bounded(value, limit)

    assert limit == len(text)
    assert text.endswith("...")
    assert repr(value)[: limit - 3] == text[:-3] or isinstance(value, Counter)


def test_the_walk_ends_with_the_text() -> None:
    """Of a million items only those are looked at that are shown."""
    seen: list[int] = []

    class Watched:
        def __init__(self, number: int) -> None:
            self.number = number

        def __repr__(self) -> str:
            seen.append(self.number)
            return "item"

    bounded([Watched(number) for number in range(1000)], 100)

    assert len(seen) < 25


def test_a_value_that_contains_itself_ends() -> None:
    """Nesting is shown to some depth."""
    value: list[Any] = []
    value.append(value)

    assert "[[[[[[[[...]]]]]]]]" == bounded(value)


def test_a_table_that_changes_meanwhile_does_not_hurt() -> None:
    """As it may when a repr adds to the table it is in: what was in it is shown."""
    table: dict[int, Any] = {}

    class Growing:
        def __repr__(self) -> str:
            table[len(table)] = None
            return "growing"

    table[0] = Growing()
    table[1] = 1

    assert "{0: growing, 1: 1}" == bounded(table)


def test_what_breaks_the_walk_is_told_in_its_place() -> None:
    """Here a set that its own contents change; what is around it is shown."""
    held: set[Any] = set()

    class Growing:
        def __repr__(self) -> str:
            held.add(len(held))
            return "growing"

    held.update([Growing(), 1])

    assert "[1, <set: repr raised RuntimeError>, 2]" == bounded([1, held, 2])


def test_a_repr_is_asked_once() -> None:
    """One that takes long does not take twice as long."""
    asked: list[int] = []

    class Slow:
        def __repr__(self) -> str:
            asked.append(1)
            return "slow" * 100

    for value in (
        Slow(),
        [Slow()],
        {1: Slow()},
        Account(Slow()),
        ValueError(Slow()),
        Ticket(Slow()),
    ):
        asked.clear()
        bounded(value)
        assert [1] == asked


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.binary() | st.floats(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
        max_leaves=20,
    ),
    st.integers(4, 60),
)
def test_any_value_is_its_repr_or_the_start_of_it(value: object, limit: int) -> None:
    """Whatever is not cut is the repr, and no text is longer than its limit."""
    text = bounded(value, limit)

    assert len(text) <= limit
    assert text == repr(value) or text.endswith("...") or "...]" in text


class Lie(str):
    """A text that lies about itself."""

    __slots__ = ()

    def __getitem__(self, _: Any) -> Any:
        return self

    def __len__(self) -> int:
        raise ZeroDivisionError

    def isprintable(self) -> bool:
        return True


class Told:
    """A value whose repr is a text that lies about itself."""

    def __repr__(self) -> str:
        return Lie("\x1b[2J" * 100)


class Nameless(type):
    """A class of classes whose names raise."""

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise ZeroDivisionError


class Lost(metaclass=Nameless):
    """A value of such a class, whose repr raises as well."""

    def __repr__(self) -> str:
        raise ZeroDivisionError


def test_a_text_that_lies_about_itself() -> None:
    """What a repr gives may be of a class of the user's."""
    for shown in (bounded(Told(), 30), bounded([Told()], 30), shown_text(Lie("\x1b" * 99), 30)):
        assert shown.__class__ is str
        assert shown.isprintable()
        assert len(shown) == 30
    assert safe_repr(Told()).__class__ is str
    assert bounded(Lost()) == "<Lost: repr raised ZeroDivisionError>"


@pytest.mark.parametrize("look", [dict.keys, dict.values, dict.items, MappingProxyType])
def test_a_look_into_a_dict_is_walked(look: Any) -> None:
    """As the dict itself: it shows what its own repr would, and takes no longer than it has to."""
    assert bounded(look({"a": [1], 2: "b"})) == repr(look({"a": [1], 2: "b"}))
    assert bounded(look({})) == repr(look({}))
    told = CountedRepr.told
    assert len(bounded(look({n: CountedRepr() for n in range(1000)}), 50)) <= 50
    assert CountedRepr.told - told < 50


class CountedRepr:
    """A value that counts how often it is shown."""

    told = 0

    def __repr__(self) -> str:
        CountedRepr.told += 1
        return "shown"
