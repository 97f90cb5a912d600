"""Terms into bytes.

A `str` is a bit string with 8 bits in its last byte: Erlang reads a binary, Python a `str` again,
and `bytes` stay bytes. What has no form on the wire is a TypeError that names it, where it is sent.
"""

from __future__ import annotations

import enum
import math
import struct
from typing import TYPE_CHECKING, Any, Final

from ..._exits.reasons import SHUTDOWN, Reason, Shutdown
from ..._util.bounded import article, bounded
from . import structs
from .opaque import Opaque
from .terms import Atom, BitString, ImproperList, Map

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DEPTH: Final = 256  # levels of nesting, on both ways
BIG: Final = 524_287  # bytes of an integer: what the BEAM takes at most
_CACHED: Final = 4096  # atoms whose bytes are kept

_SMALL: Final = {number: b"a%c" % number for number in range(256)}
_I32: Final = struct.Struct(">bi").pack
_F64: Final = struct.Struct(">bd").pack
_U32: Final = struct.Struct(">bI").pack
_BITS: Final = struct.Struct(">bIB").pack
_HEAD: Final = 6  # bytes of it
# Of keys of these classes that a dict holds apart no two are one in Erlang.
_TEXTS: Final = frozenset([int, float, str, Atom])
_BINARIES: Final = frozenset([int, float, bytes, Atom])


_type: Final[Callable[[object], Any]] = type


class Encoder:
    """Encodes terms; it has no state but a cache, so calls do not disturb each other.

    Args:
        dumps: {class: function that returns a term in the place of an object of exactly it}.
        exception: returns the map that an exception travels as.
    """

    def __init__(
        self,
        dumps: Mapping[type[Any], Callable[[Any], object]],
        exception: Callable[[BaseException], object],
    ) -> None:
        self._dumps: Mapping[Any, Callable[[Any], object]] = dumps
        self._exception = exception

    def put(self, out: bytearray, term: Any, depth: int = DEPTH) -> None:
        """Append a term, without the version byte.

        Args:
            out: what it is appended to.
            term: the term.
            depth: levels of nesting that it may have.

        Raises:
            TypeError: the term, or what is in it, has no form on the wire.
        """
        try:
            if _type(term) is tuple:  # as most are: a step less
                out += _tuple_head(len(term))
                self._put_all(out, term, depth - 1)
            else:
                self._put_all(out, (term,), depth)
        except RecursionError:
            raise _too_deep(term) from None

    def _put_all(  # noqa: PLR0912 - see below
        self, out: bytearray, terms: Sequence[Any], depth: int
    ) -> None:
        # One loop for what is frequent, since a call of a function costs more than it does.
        put: Callable[[bytes], None] = out.extend
        for term, kind in zip(terms, map(_type, terms), strict=False):
            if kind is Atom:
                put(_atoms.get(term) or _atom(term))
            elif kind is int:
                put(_SMALL.get(term) or _integer(term))
            elif kind is str:
                put(_string(term))
            elif kind is tuple:
                if not depth:
                    raise _too_deep(term)
                put(_tuple_head(len(term)))
                self._put_all(out, term, depth - 1)
            elif kind is bytes:
                put(_U32(109, len(term)))
                put(term)
            elif kind is list:
                self._put_list(out, term, depth)
            elif kind is dict:
                self._put_dict(out, term, depth)
            elif kind is float:
                put(_float(term))
            elif (dump := self._dumps.get(kind)) is not None:
                found = dump(term)
                if isinstance(found, Opaque):
                    put(found._data)
                else:
                    self._put_all(out, (found,), depth)
            elif (constants := _CONSTANTS.get(kind)) is not None:
                put(constants[term])
            elif isinstance(term, Opaque):
                put(term._data)
            elif kind is ImproperList:
                self._put_items(out, term.items, depth)
                self._put_all(out, (term.tail,), depth - 1)
            else:
                self._put_other(out, term, depth)

    def _put_list(self, out: bytearray, term: list[Any], depth: int) -> None:
        if term:
            self._put_items(out, term, depth)
        out += b"j"

    def _put_items(self, out: bytearray, items: list[Any] | tuple[Any, ...], depth: int) -> None:
        if not depth:
            raise _too_deep(items)
        out += _U32(108, len(items))
        self._put_all(out, items, depth - 1)

    def _put_dict(self, out: bytearray, term: Mapping[Any, Any], depth: int) -> None:
        if _TEXTS.issuperset(map(_type, term)) or _BINARIES.issuperset(map(_type, term)):
            self._put_pairs(out, term, term.items(), depth)
        else:
            self._put_odd(out, term, term.items(), depth)

    def _put_pairs(self, out: bytearray, term: object, pairs: Any, depth: int) -> None:
        if not depth:
            raise _too_deep(term)
        out += _U32(116, len(pairs))
        for pair in pairs:
            self._put_all(out, pair, depth - 1)

    def _put_odd(self, out: bytearray, term: object, pairs: Any, depth: int) -> None:
        """Append pairs with keys of which two may be one in Erlang, once that is seen not to be."""
        checking = _Checking(self._dumps, self._exception)
        checking.check(term, pairs, depth)
        keys = _Checked(self._dumps, self._exception)
        out += _U32(116, len(pairs))
        for key, value in pairs:
            keys._put_all(out, (key,), depth - 1)
            self._put_all(out, (value,), depth - 1)

    def _put_other(self, out: bytearray, term: Any, depth: int) -> None:
        """Append what is rare: terms of Erlang's own, structs, exceptions, subclasses."""
        match term:
            case Map(pairs=pairs):
                self._put_odd(out, term, pairs, depth)
            case BitString(data=data, bits=bits):
                out += _BITS(77, len(data), bits) + data
            case Shutdown(detail=detail):
                self._put_all(out, ((SHUTDOWN, detail),), depth)
            case BaseException():
                self._put_all(out, (self._exception(term),), depth)
            case _ if (fields := structs.dumped(term)) is not None:
                self._put_dict(out, fields, depth)
            case _:
                self._put_all(out, (_as_base(term),), depth)


class _Checked(Encoder):
    """Encodes keys that have been checked, with whatever maps are in them."""

    _put_odd = Encoder._put_pairs


class _Checking(Encoder):
    """Encodes keys so that two have the same bytes if they are one in Erlang.

    A text is a binary there, the pairs of a map have no order, and before OTP 27 there was one
    zero. Maps in keys are checked as well, so each key is encoded twice, however deep it is.
    """

    def check(self, term: object, pairs: Any, depth: int) -> dict[bytes, tuple[object, object]]:
        """Return pairs by the bytes of their keys; refuse two that are one, as None and `nil`."""
        if not depth:
            raise _too_deep(term)
        found: dict[bytes, tuple[object, object]] = {}
        for key, value in pairs:
            data = bytearray()
            self._put_all(data, (key,), depth - 1)
            other = found.setdefault(bytes(data), (key, value))
            if other[0] is not key:
                text = f"the keys {bounded(other[0])} and {bounded(key)} are one key there"
                raise TypeError(f"{bounded(term)} has no form on another node: {text}")
        return found

    def _put_all(self, out: bytearray, terms: Sequence[Any], depth: int) -> None:
        super()._put_all(out, list(map(_as_there, terms)), depth)

    def _put_pairs(self, out: bytearray, term: object, pairs: Any, depth: int) -> None:
        out += _U32(116, len(pairs))
        for data, (_, value) in sorted(self.check(term, pairs, depth).items()):
            out += data
            self._put_all(out, (value,), depth - 1)

    _put_odd = _put_pairs


def _as_there(term: Any) -> object:
    if _type(term) is str:
        return _string(term)[_HEAD:]
    return term + 0.0 if _type(term) is float else term


def _as_base(term: Any) -> object:
    """Return an object of a subclass as one of the class that travels."""
    if isinstance(term, enum.Enum) and not isinstance(term, int | str):
        raise _no_form(term)
    if isinstance(term, str):
        return str.__str__(term)  # not that of the class
    for base in _BASES:
        if isinstance(term, base):
            return base(term)
    raise _no_form(term)


_BASES: Final[tuple[type[Any], ...]] = (int, float, bytes, tuple, list, dict)


def _no_form(term: object) -> TypeError:
    name = type(term).__name__
    text = f"{bounded(term)} is {article(name)} {name}, which has no form on another node; "
    if hasattr(type(term), "__dataclass_fields__"):
        return TypeError(f'{text}otp.cluster.struct("Elixir.{name}", {name}) registers it')
    expected = "None, bool, int, float, str, bytes, Atom, tuple, list, dict, a pid or a reference"
    return TypeError(f"{text}expected {expected}")


def _too_deep(term: object) -> TypeError:
    text = f"nested at most {DEPTH} deep, and in no circle"
    return TypeError(f"{bounded(term)} has no form on another node: expected what is {text}")


def _tuple_head(length: int) -> bytes:
    return b"h%c" % length if length < 256 else _U32(105, length)


def _integer(number: int) -> bytes:
    if -(1 << 31) <= number < 1 << 31:
        return _I32(98, number)
    length = (number.bit_length() + 7) // 8
    if length > BIG:
        raise TypeError(f"an integer of {length} bytes has no form on another node, {BIG} has")
    head = b"n%c" % length if length < 256 else _U32(111, length)
    return head + (b"\1" if number < 0 else b"\0") + abs(number).to_bytes(length, "little")


def _float(number: float) -> bytes:
    if not math.isfinite(number):
        raise TypeError(f"{number} has no form on another node: expected a finite float")
    return _F64(70, number)


def _string(text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        why = "UTF-8 cannot write all its characters"
        raise TypeError(f"{bounded(text)} has no form on another node: {why}") from None
    return _BITS(77, len(data), 8 if data else 0) + data  # the BEAM takes no 8 bits of nothing


def _atom(name: str) -> bytes:
    data = name.encode()
    size = len(data)
    data = (b"w%c" % size if size < 256 else struct.pack(">bH", 118, size)) + data
    if len(_atoms) < _CACHED:
        _atoms[name] = data
    return data


_atoms: Final[dict[str, bytes]] = {}


_CONSTANTS: Final[dict[object, Mapping[Any, bytes]]] = {
    bool: {True: b"w\4true", False: b"w\5false"},
    type(None): {None: b"w\3nil"},
    Reason: {reason: _atom(Atom(reason.value)) for reason in Reason},
}
