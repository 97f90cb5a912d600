"""Bytes into terms. Nothing that another node can send raises anything but `DecodeError`.

What a peer can make this side do is bounded by the length of the frame: a list cannot be longer
than the bytes that are left, no term is built before its bytes are there, and keys of a map that
Python's hash throws together are refused, since they would cost the square of their number.

The file is long because each form of a term is read at one place in the frame, which they share.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from . import structs, tags
from .encode import BIG, DEPTH
from .opaque import Export, Fun, Port, Reference, WirePid, atom_bytes, opaque
from .terms import Atom, BitString, DecodeError, ImproperList, Map, exact, improper

if TYPE_CHECKING:
    from collections.abc import Callable

LARGE: Final = 32 * 1024  # bytes of a frame that is better decoded in a thread
_COLLIDING: Final = 100  # keys of a map with a hash that another key has
_CONTAINER: Final = 15  # terms that a container counts as, beside itself
_NODES: Final = 256  # nodes that pids are recognized of at once
_PIDS: Final = 128  # pids that are kept, so that a message does not make them anew
_SHORT: Final = 64  # bytes of an atom that is kept

_U16: Final = struct.Struct(">H").unpack_from
_U32: Final = struct.Struct(">I").unpack_from
_I32: Final = struct.Struct(">i").unpack_from
_F64: Final = struct.Struct(">d").unpack_from
_BROKEN: Final = (IndexError, struct.error, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may make this side hold.

    Args:
        terms: terms in one frame, of which a list, tuple or map counts as sixteen: the garbage
            collector looks at each of them, in one go and with every thread waiting for it.
        depth: levels of nesting.
        atoms: atoms that are kept, so that each arrives as the same object.
    """

    terms: int = 8_000_000
    depth: int = DEPTH
    atoms: int = 65_536


class Decoder:
    """Decodes the terms of one connection, one frame after the other.

    Args:
        load_pid: returns what a pid is here.
        load_reference: returns what a reference is here.
        limits: what is refused.
    """

    def __init__(
        self,
        load_pid: Callable[[WirePid], object],
        load_reference: Callable[[Reference], object],
        limits: Limits,
    ) -> None:
        self._load_pid = load_pid
        self._load_reference = load_reference
        self._limits = limits
        self._atoms: dict[bytes, Any] = dict(_CONSTANTS)
        self._nodes: set[bytes] = set()  # their names, as they travel
        # The last ones: who has sent something, or was sent it, is likely to be named again.
        self._pids: dict[bytes, object] = {}
        self._data = b""
        self._size: int = 0
        self._at: int = 0
        self._left: int = 0

    def terms(self, data: bytes, at: int = 0, *, most: int = 1) -> list[Any]:
        """Return the terms, each with a version byte in front, that data consists of.

        Args:
            data: the bytes.
            at: where the first term begins.
            most: how many there may be.

        Raises:
            DecodeError: the bytes are something else, or the limits are exceeded.
        """
        self._data, self._size, self._at = data, len(data), at
        self._left = self._limits.terms
        try:
            found: list[Any] = []
            while self._at < self._size and len(found) < most:
                if data[self._at] != tags.VERSION:
                    raise DecodeError(f"expected a term of version 131, got {data[self._at]}")
                found.append(self._one(self._limits.depth))
        except _BROKEN as exc:
            raise DecodeError(f"the term is cut off or broken: {exc}") from None
        except RecursionError:
            raise DecodeError(
                "the term is nested too deeply for what is left of the stack"
            ) from None
        finally:
            self._data = b""
        if self._at != self._size or not found:
            raise DecodeError(f"expected 1 to {most} terms in {self._size} bytes, got other bytes")
        return found

    def _one(self, depth: int) -> Any:
        """Return the term behind a version byte; most are small tuples, which need a step less."""
        if self._data[self._at + 1] == tags.SMALL_TUPLE:
            self._left -= 1
            self._at += 3
            return tuple(self._some(self._data[self._at - 1], depth))
        self._left += _CONTAINER  # this one is in no container
        self._at += 1
        return self._some(1, depth + 1)[0]

    def _some(self, count: int, depth: int) -> list[Any]:  # noqa: PLR0912, PLR0915 - see below
        # One loop for what is frequent, since a call of a function costs more than it does. A slice
        # that is cut off is found by the end, which is behind that of the data then.
        if not depth:
            raise DecodeError(f"expected terms nested at most {self._limits.depth} deep")
        self._left -= count + _CONTAINER
        if self._left < 0 or count > self._size - self._at:
            raise DecodeError(f"{count} more terms, or bytes of them, are more than there can be")
        data, atoms, size, pids = self._data, self._atoms, self._size, self._pids.get
        nodes, load_reference = self._nodes, self._load_reference
        at: int = self._at
        found: list[Any] = []
        add = found.append
        for _ in repeat(None, count):
            tag = data[at]
            if tag == 119:  # SMALL_ATOM_UTF8
                end = at + 2 + data[at + 1]
                raw = data[at:end]
                add(atoms[raw] if raw in atoms else self._new_atom(raw, 2))
                at = end
            elif tag == 97:  # SMALL_INTEGER
                add(data[at + 1])
                at += 2
            elif tag == 104:  # SMALL_TUPLE
                self._at = at + 2
                add(tuple(self._some(data[at + 1], depth - 1)))
                at = self._at
            elif tag == 88 and (known := pids(data[at : at + 15 + data[at + 2]])) is not None:
                add(known)  # NEW_PID
                at += 15 + data[at + 2]
            elif (
                tag == 90
                and (end := at + 9 + data[at + 4] + 4 * data[at + 2]) <= size
                and (data[at + 3 : at + 5 + data[at + 4]] in nodes and 0 < data[at + 2] <= 5)
            ):  # NEWER_REFERENCE
                add(load_reference(opaque(Reference, data[at:end])))
                at = end
            elif tag == 77 or tag == 109:  # BIT_BINARY, BINARY  # noqa: PLR1714 - it is faster
                start = at + 6 if tag == 77 else at + 5
                end = start + _U32(data, at + 1)[0]
                if end > size:
                    raise DecodeError("a binary is cut off")
                raw = data[start:end]
                add(raw if tag == 109 else _bits(raw, data[at + 5]))
                at = end
            elif tag == 98:  # INTEGER
                add(_I32(data, at + 1)[0])
                at += 5
            elif tag == 106:  # NIL
                add([])
                at += 1
                self._left -= _CONTAINER
                if self._left < 0:
                    raise DecodeError("a frame has more lists than there may be")
            else:
                self._at = at
                add(_OTHERS.get(tag, _unknown)(self, depth - 1))
                at = self._at
        self._at = at
        return found

    def _new_atom(self, raw: bytes, head: int) -> Any:
        """Return an atom that is not among those that are kept."""
        name = raw[head:]
        if raw[0] in (tags.SMALL_ATOM_UTF8, tags.SMALL_ATOM):
            whole = len(name) == raw[1]
        else:
            whole = len(name) == _U16(raw, 1)[0]
        if not whole:
            raise DecodeError("an atom is cut off")
        latin = raw[0] in (tags.ATOM, tags.SMALL_ATOM)
        text = name.decode("latin-1" if latin else "utf-8")
        if len(text) > 255:
            raise DecodeError("an atom has more than 255 characters")
        atom = _WORDS[text] if text in _WORDS else str.__new__(Atom, text)
        if len(raw) <= _SHORT and len(self._atoms) < self._limits.atoms:
            self._atoms[raw] = atom
        return atom

    def _take(self, count: int) -> bytes:
        """Return so many bytes and go on behind them."""
        end = self._at + count
        if end > self._size:
            raise DecodeError("a term is cut off")
        taken, self._at = self._data[self._at : end], end
        return taken

    # -- what is less frequent; each is called with its tag in front ------------------------------

    def _atom(self, _: int) -> Any:
        at, data = self._at, self._data
        short = data[at] == tags.SMALL_ATOM
        head = 2 if short else 3
        raw = self._take(head + (data[at + 1] if short else _U16(data, at + 1)[0]))
        return self._atoms[raw] if raw in self._atoms else self._new_atom(raw, head)

    def _integer(self, _: int) -> int:
        at, data = self._at, self._data
        short = data[at] == tags.SMALL_BIG
        length = data[at + 1] if short else _U32(data, at + 1)[0]
        if length > BIG:
            raise DecodeError(f"an integer of {length} bytes is larger than {BIG}")
        raw = self._take((3 if short else 6) + length)
        number = int.from_bytes(raw[-length:] if length else b"", "little")
        return -number if raw[2 if short else 5] else number

    def _float(self, _: int) -> float:
        if self._data[self._at] == tags.FLOAT:
            number = self._text_float()
        else:
            number = _F64(self._take(9), 1)[0]
        if not math.isfinite(number):
            raise DecodeError("a float is not finite")
        return number

    def _text_float(self) -> float:
        text = self._take(32)[1:].rstrip(b"\0")
        try:
            return float(text)
        except ValueError:
            raise DecodeError("the text of a float is none") from None

    def _large_tuple(self, depth: int) -> tuple[Any, ...]:
        self._at += 5
        return tuple(self._some(_U32(self._data, self._at - 4)[0], depth))

    def _string(self, _: int) -> list[int]:
        length = _U16(self._data, self._at + 1)[0]
        self._left -= length
        if self._left < 0:
            raise DecodeError("a list has more items than there may be")
        return list(self._take(3 + length)[3:])

    def _list(self, depth: int) -> Any:
        self._at += 5
        items = self._some(_U32(self._data, self._at - 4)[0], depth)
        if self._data[self._at] == tags.NIL:
            self._at += 1
            return items
        (tail,) = self._some(1, depth)
        if isinstance(tail, list):
            return items + tail
        if isinstance(tail, ImproperList) and items:
            return improper((*items, *tail.items), tail.tail)
        return improper(tuple(items), tail) if items else tail

    def _map(self, depth: int) -> object:
        self._at += 5
        items = self._some(2 * _U32(self._data, self._at - 4)[0], depth)
        keys = items[::2]
        try:
            _check_hashes(keys)
            # A loop, in which another thread has its turn; `dict(...)` would be one step.
            found = {key: value for key, value in zip(keys, items[1::2], strict=True)}  # noqa: C416
        except TypeError:  # a key has no hash
            return _exact_map(keys, items[1::2])
        if len(found) < len(keys):
            return _exact_map(keys, items[1::2])
        return structs.loaded(found) if structs.NAME in found else found

    def _pid(self, _: int) -> object:
        if length := self._known_node():
            data = self._take(1 + length + 12)
        else:
            old = self._data[self._at] == tags.PID
            data = b"X" + self._node(1) + self._ids(8, old=old)
        if len(self._pids) == _PIDS:
            self._pids.clear()
        pid = self._pids[data] = self._load_pid(opaque(WirePid, data))
        return pid

    def _reference(self, _: int) -> object:
        old = self._data[self._at] == tags.NEW_REFERENCE
        count = _U16(self._data, self._at + 1)[0]
        if not 0 < count <= 5:
            raise DecodeError(f"a reference has {count} numbers, not 1 to 5")
        node = self._node(3)
        creation = self._ids(0, old=old)
        data = b"Z%c%c" % (0, count) + node + creation + self._take(4 * count)
        return self._load_reference(opaque(Reference, data))

    def _port(self, _: int) -> Port:
        start, tag = self._at, self._data[self._at]
        self._node(1)
        self._take({tags.V4_PORT: 12, tags.NEW_PORT: 8, tags.PORT: 5}[tag])
        return opaque(Port, self._data[start : self._at])

    def _known_node(self) -> int:
        """Return the length of the name in a pid, if it is that of a node that is known; or 0.

        Most pids begin so, and are what they are here already.
        """
        data, start = self._data, self._at + 1
        length = 2 + data[start + 1]
        known = data[start : start + length] in self._nodes
        return length if known and data[self._at] == tags.NEW_PID else 0

    def _node(self, skipped: int) -> bytes:
        """Return the bytes of the atom that is the name of a node."""
        self._at += skipped
        start, short = self._at, self._data[self._at] == tags.SMALL_ATOM_UTF8
        (name,) = self._some(1, 1)
        if type(name) is not Atom or len(name.encode()) > 255:
            raise DecodeError("the name of a node is not an atom of at most 255 bytes")
        node = self._data[start : self._at] if short else atom_bytes(name)
        if len(self._nodes) < _NODES:
            self._nodes.add(node)
        return node

    def _ids(self, length: int, *, old: bool) -> bytes:
        """Return numbers and the creation behind them, which had one byte before OTP 23."""
        if not old:
            return self._take(length + 4)
        return self._take(length) + b"\0\0\0" + self._take(1)

    def _export(self, _: int) -> Export:
        start, self._at = self._at, self._at + 1
        module, function, arity = self._some(3, 1)
        if (type(module), type(function), type(arity)) != (Atom, Atom, int):
            raise DecodeError("an exported function is not {atom, atom, integer}")
        return opaque(Export, self._data[start : self._at])

    def _fun(self, depth: int) -> Fun:
        start, data = self._at, self._data
        end = start + 1 + _U32(data, start + 1)[0]
        self._take(30)  # size, arity, unique bytes, index, number of free variables
        self._some(4 + _U32(data, start + 26)[0], depth)  # also module, index, unique number, pid
        if self._at != end:
            raise DecodeError("a function has another size than it says")
        return opaque(Fun, data[start:end])


def _unknown(decoder: Decoder, _: int) -> object:
    tag = decoder._data[decoder._at]
    what = "compressed, which is refused" if tag == tags.COMPRESSED else "unknown"
    raise DecodeError(f"a term of tag {tag} is {what}")


def _bits(data: bytes, bits: int) -> str | BitString:
    """Return a bit string; one with all 8 bits of the last byte is a `str` of this library."""
    if bits == (8 if data else 0):
        return data.decode()
    if not data or not 0 < bits < 8:
        raise DecodeError(f"a bit string has {len(data)} bytes and {bits} bits in the last one")
    return BitString(data, bits)


def _check_hashes(keys: list[Any]) -> None:
    if len(keys) > _COLLIDING and len(keys) - len(set(map(hash, keys))) > _COLLIDING:
        raise DecodeError(f"{len(keys)} keys of a map have less than {len(keys)} hashes by far")


def _exact_map(keys: list[Any], values: list[Any]) -> Map:
    _check_hashes([exact(key) for key in keys])
    try:
        return Map(zip(keys, values, strict=True))
    except ValueError:
        raise DecodeError("a map has a key twice") from None


def _handlers() -> dict[int, Callable[[Decoder, int], Any]]:
    of = Decoder
    found: dict[int, Callable[[Decoder, int], Any]] = {
        tags.MAP: of._map,
        tags.LIST: of._list,
        tags.STRING: of._string,
        tags.LARGE_TUPLE: of._large_tuple,
        tags.NEW_FUN: of._fun,
        tags.EXPORT: of._export,
    }
    found |= dict.fromkeys((tags.ATOM, tags.ATOM_UTF8, tags.SMALL_ATOM), of._atom)
    found |= dict.fromkeys((tags.SMALL_BIG, tags.LARGE_BIG), of._integer)
    found |= dict.fromkeys((tags.NEW_FLOAT, tags.FLOAT), of._float)
    found |= dict.fromkeys((tags.NEW_PID, tags.PID), of._pid)
    found |= dict.fromkeys((tags.NEWER_REFERENCE, tags.NEW_REFERENCE), of._reference)
    return found | dict.fromkeys((tags.V4_PORT, tags.NEW_PORT, tags.PORT), of._port)


_OTHERS: Final = _handlers()
_WORDS: Final = {"nil": None, "true": True, "false": False}
_CONSTANTS: Final = {b"w%c%s" % (len(word), word.encode()): value for word, value in _WORDS.items()}
