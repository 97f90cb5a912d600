"""What Erlang has and Python has not: atoms, exact maps, and terms that only pass through.

Everything else is itself: `int`, `float`, `tuple`, `list`, `dict`, `bytes`, `str`, `bool`, `None`
for nil. What is in here is immutable, equal and hashable, and goes back as it came.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, final

from ..._exits.errors import OtpError
from ..._util.bounded import bounded
from ..._util.public import public_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

ATOM_LENGTH: Final = 255  # characters
_NONE: Final = object()


class DecodeError(OtpError, ValueError):
    """Bytes from another node are not what the protocol allows; ends that connection only."""


@public_in("cluster")
class Atom(str):
    """An atom of Erlang; a `str` itself travels as a string.

    Write one where the other side expects one: atoms are never freed there. An atom is equal to
    the `str` of its name, so `case ("add", a, b)` matches what Elixir sends as `{:add, a, b}`.

    Args:
        name: at most 255 characters. The atoms `nil`, `true` and `false` are None, True and False
            when they come back.

    Raises:
        TypeError: the name is not a str.
        ValueError: the name is too long, or has characters that UTF-8 cannot write.

    >>> import trio_otp as otp
    >>> otp.cluster.Atom("add"), otp.cluster.Atom("add") == "add"
    (Atom('add'), True)

    Follows: Erlang reference manual, "Atom".
    """

    __slots__ = ()

    def __new__(cls, name: str) -> Self:
        """Check the name."""
        if not isinstance(name, str):
            raise TypeError(f"name: expected a str, got {bounded(name)}")
        if len(name) > ATOM_LENGTH or not (name.isascii() or _can_be_written(name)):
            expected = f"at most {ATOM_LENGTH} characters that UTF-8 can write"
            raise ValueError(f"name: expected {expected}, got {bounded(name)}")
        return str.__new__(cls, name)

    def __repr__(self) -> str:
        """Return the call that makes it."""
        return f"Atom({str.__repr__(self)})"


def _can_be_written(name: str) -> bool:
    return not any("\ud800" <= each <= "\udfff" for each in name)


class Frozen:
    """The base of immutable terms: slots that are set once."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: cannot set {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: cannot delete {name}")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self


def _set(term: Frozen, name: str, value: object) -> None:
    object.__setattr__(term, name, value)


@final
@public_in("cluster")
class Map(Frozen):
    """A map whose keys a dict cannot hold apart, such as `%{[1] => 2}` or `%{1 => :a, 1.0 => :b}`.

    Whatever a dict can hold arrives as a dict. Keys are compared as Erlang does it, by type and
    value: 1, 1.0 and True are three keys.

    Args:
        pairs: the keys and their values.

    Raises:
        ValueError: a key is there twice.

    >>> import trio_otp as otp
    >>> both = otp.cluster.Map([(1, "one"), (1.0, "float"), ([1], "list")])
    >>> both[1.0], both[[1]], len(both), [1] in both, both.get(2)
    ('float', 'list', 3, True, None)

    Follows: `erl_ext_dist`, "MAP_EXT".
    """

    __slots__ = ("_exact", "_pairs", "_values")

    _exact: object  # found once, as a map may be in the keys of others, and those in further ones
    _pairs: tuple[tuple[Any, Any], ...]
    _values: dict[object, Any]

    def __init__(self, pairs: Iterable[tuple[Any, Any]] = ()) -> None:
        kept = tuple((key, value) for key, value in pairs)
        _set(self, "_pairs", kept)
        _set(self, "_values", {exact(key): value for key, value in kept})
        if len(self._values) < len(kept):
            raise ValueError(f"pairs: expected each key once, got {bounded(kept)}")
        values = [(key, exact(value)) for key, value in self._values.items()]
        _set(self, "_exact", (Map, frozenset(values)))

    @property
    def pairs(self) -> tuple[tuple[Any, Any], ...]:
        """The keys and values, in the order in which they came."""
        return self._pairs

    def get(self, key: object, default: Any = None) -> Any:
        """Return the value of a key, or a default.

        Args:
            key: any term.
            default: what to return if it is not there.
        """
        return self._values.get(exact(key), default)

    def __getitem__(self, key: object) -> Any:
        found = self.get(key, _NONE)
        if found is _NONE:
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        return exact(key) in self._values

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the keys."""
        return (key for key, _ in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __eq__(self, other: object) -> bool:
        return exact(self) == exact(other) if isinstance(other, Map) else NotImplemented

    def __hash__(self) -> int:
        return hash(exact(self))

    def __repr__(self) -> str:
        """Return the call that makes it."""
        return f"Map({list(self._pairs)!r})"

    def __reduce__(self) -> Any:
        return Map, (self._pairs,)


@final
@public_in("cluster")
class ImproperList(Frozen):
    """A list whose tail is not a list, such as `[:alias | ref]`.

    Args:
        items: what is before the tail; at least one.
        tail: what is in the place of the empty list.

    Raises:
        ValueError: there are no items, or the tail is a list.

    >>> import trio_otp as otp
    >>> otp.cluster.ImproperList([1, 2], 3)
    ImproperList((1, 2), 3)

    Follows: `erl_ext_dist`, "LIST_EXT".
    """

    __slots__ = ("items", "tail")

    items: tuple[Any, ...]
    tail: Any

    def __init__(self, items: Iterable[Any], tail: object) -> None:
        _set(self, "items", tuple(items))
        _set(self, "tail", tail)
        if not self.items or isinstance(tail, list):
            raise ValueError(f"expected items and a tail that is not a list, got {bounded(self)}")

    def __eq__(self, other: object) -> bool:
        return exact(self) == exact(other) if isinstance(other, ImproperList) else NotImplemented

    def __hash__(self) -> int:
        return hash(exact(self))

    def __repr__(self) -> str:
        """Return the call that makes it."""
        return f"ImproperList({self.items!r}, {self.tail!r})"

    def __reduce__(self) -> Any:
        return ImproperList, (self.items, self.tail)


def improper(items: tuple[Any, ...], tail: object) -> ImproperList:
    """Make one of what has been checked."""
    made = ImproperList.__new__(ImproperList)
    _put_items(made, items)
    _put_tail(made, tail)
    return made


_put_items: Final[Any] = vars(ImproperList)["items"].__set__  # the slots themselves
_put_tail: Final[Any] = vars(ImproperList)["tail"].__set__


@final
@public_in("cluster")
class BitString(Frozen):
    r"""A bit string whose length is no multiple of 8, such as `<<5::3>>`.

    Args:
        data: the bytes; what the last one has beside its bits is taken as zero.
        bits: how many of the last byte count, from the highest on: 1 to 7.

    Raises:
        ValueError: there are no bytes, or bits are not 1 to 7.

    >>> import trio_otp as otp
    >>> otp.cluster.BitString(bytes([0b101_11111]), 3)
    BitString(b'\xa0', 3)

    Follows: `erl_ext_dist`, "BIT_BINARY_EXT".
    """

    __slots__ = ("bits", "data")

    data: bytes
    bits: int

    def __init__(self, data: bytes, bits: int) -> None:
        if not data or not 0 < bits < 8:
            raise ValueError(f"expected bytes and 1 to 7 bits, got {bounded(data)}, {bits!r}")
        _set(self, "data", data[:-1] + bytes([data[-1] & (0xFF00 >> bits)]))
        _set(self, "bits", bits)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BitString):
            return NotImplemented
        return (self.data, self.bits) == (other.data, other.bits)

    def __hash__(self) -> int:
        return hash((self.data, self.bits))

    def __repr__(self) -> str:
        """Return the call that makes it."""
        return f"BitString({self.data!r}, {self.bits})"

    def __reduce__(self) -> Any:
        return BitString, (self.data, self.bits)


def exact(term: object) -> object:
    """Return what is hashable, and equal for terms only that are the same one in Erlang.

    Python holds 1, 1.0 and True, or an atom and a `str`, for equal, and cannot hash a list.
    """
    of, kind = _any(term), _any(type(term))
    match term:
        case tuple() | list():
            return kind, tuple(map(exact, of))
        case dict():
            return Map, frozenset((exact(key), exact(value)) for key, value in of.items())
        case Map():
            return term._exact
        case ImproperList(items=items, tail=tail):
            return ImproperList, exact(items), exact(tail)
        case float():
            return float, term.hex()  # 0.0 and -0.0 are two
        case _ if dataclasses.is_dataclass(term):  # of a struct: its fields may have no hash
            return kind, exact(_fields(of))
        case _:
            return kind, term


def _any(term: object) -> Any:
    return term


def _fields(term: Any) -> list[object]:
    return [getattr(term, field.name) for field in dataclasses.fields(term)]
