"""Terms that this library does not look into: they are their bytes, and go back unchanged.

Pids and references are among them; what stands for them in a run is the caller's, see `Codec`.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, TypeVar, final

from ..._util.bounded import visible
from ..._util.copies import NoConstructor
from ..._util.public import public_in
from .terms import Frozen

if TYPE_CHECKING:
    T = TypeVar("T", bound="Opaque")

_IDS: Final = struct.Struct(">III")  # number, serial, creation
_U16: Final = struct.Struct(">H")


class Opaque(NoConstructor, Frozen):
    """The base: equal and hashable by the bytes of the term, without the version in front."""

    _origin = 'otp.call(("name", "ex@host"), request) may return one'
    __slots__ = ("_data",)

    _data: bytes

    @property
    def data(self) -> bytes:
        """The term as it travels, without the version byte."""
        return self._data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and (type(self), self._data) == (type(other), other._data)

    def __hash__(self) -> int:
        return hash(self._data)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._data[1:41].hex()}>"

    def __reduce__(self) -> Any:
        return _restored, (type(self), self._data)


def opaque(kind: type[T], data: bytes) -> T:
    """Make one of bytes that have been checked."""
    made: T = object.__new__(kind)
    _put(made, data)
    return made


_put: Final[Any] = vars(Opaque)["_data"].__set__  # the slot itself, which nothing else can set


def _restored(kind: type[T], data: bytes) -> T:
    return opaque(kind, data)


@final
@public_in("cluster")
class Port(Opaque):
    """A port of another node, such as an open file or socket there.

    Follows: `erl_ext_dist`, "V4_PORT_EXT".
    """

    __slots__ = ()


@final
@public_in("cluster")
class Fun(Opaque):
    """A function value of another node, with what it has closed over; it cannot be called here.

    Follows: `erl_ext_dist`, "NEW_FUN_EXT".
    """

    __slots__ = ()


@final
@public_in("cluster")
class Export(Opaque):
    """An exported function of another node, such as `&Enum.map/2`; it cannot be called here.

    Follows: `erl_ext_dist`, "EXPORT_EXT".
    """

    __slots__ = ()


@final
class WirePid(Opaque):
    """A pid as it travels: the node, a number, a serial, and the node's creation."""

    __slots__ = ()

    def __repr__(self) -> str:
        numbers = f"{self.number}.{self.serial}"
        return f"<Pid {numbers} of {visible(self.node)}, incarnation {self.creation}>"

    @property
    def node(self) -> str:
        """The name of the node."""
        return self._data[3:-12].decode()

    @property
    def number(self) -> int:
        """The number of the process; two of one number differ in the serial."""
        return self._numbers[0]

    @property
    def serial(self) -> int:
        """The serial of the process."""
        return self._numbers[1]

    @property
    def creation(self) -> int:
        """The incarnation of the node."""
        return self._numbers[2]

    @property
    def _numbers(self) -> tuple[int, int, int]:
        return _IDS.unpack_from(self._data, len(self._data) - _IDS.size)


@final
@public_in("cluster")
class Reference(Opaque):
    """A reference of another node, as `make_ref()` returns one there.

    Follows: `erl_ext_dist`, "NEWER_REFERENCE_EXT".
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<Reference {'.'.join(map(str, self.numbers))} of {visible(self.node)}>"

    @property
    def node(self) -> str:
        """The name of the node that has made it."""
        return self._data[5 : 5 + self._data[4]].decode()

    @property
    def creation(self) -> int:
        """The incarnation of the node."""
        return self._words[0]

    @property
    def numbers(self) -> tuple[int, ...]:
        """What tells the references of one incarnation apart."""
        return self._words[1:]

    @property
    def _words(self) -> tuple[int, ...]:
        return struct.unpack_from(f">{self._data[2] + 1}I", self._data, 5 + self._data[4])


def make_pid(node: str, number: int, serial: int, creation: int) -> WirePid:
    """Return the pid of a process: the node's name, its number and serial, the node's creation."""
    return opaque(WirePid, b"X" + atom_bytes(node) + _IDS.pack(number, serial, creation))


def make_reference(node: str, creation: int, numbers: tuple[int, ...]) -> Reference:
    """Return the reference of one to five numbers of 32 bits, of which each is used once."""
    head = reference_head(node, creation, len(numbers))
    return opaque(Reference, head + struct.pack(f">{len(numbers)}I", *numbers))


def reference_head(node: str, creation: int, count: int) -> bytes:
    """Return the bytes of a reference up to its numbers, of which there are so many."""
    return b"Z" + _U16.pack(count) + atom_bytes(node) + creation.to_bytes(4, "big")


def atom_bytes(name: str) -> bytes:
    """Return the name of a node as an atom that travels; it has at most 255 bytes."""
    text = name.encode()
    return b"w" + bytes([len(text)]) + text
