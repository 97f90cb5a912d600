"""Frames that a process sends to the same process or name again and again, made from their heads.

All of a frame but its end is the same each time: a monitor differs in its reference, a call in its
reference and request. They are what `Codec.encode` makes of the same control messages.

Follows: `erl_dist_protocol`, "Protocol between Connected Nodes"; Erlang's `gen`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .encode import DEPTH
from .terms import Atom

if TYPE_CHECKING:
    from collections.abc import Callable

    from .encode import Encoder

_CONTROL: Final = b"p\x83"
_LENGTH: Final = 4


class Heads:
    """The frames from one process to another, or to a name.

    Args:
        encoder: of the terms.
        sender: the pid of who sends.
        to: a pid, or the name of a process.
    """

    __slots__ = ("_call", "_cast", "_demonitor", "_monitor", "_put", "_send")

    def __init__(self, encoder: Encoder, sender: object, to: object) -> None:
        def data(term: object) -> bytes:
            out = bytearray()
            encoder.put(out, term)
            return bytes(out)

        who, whom = data(sender), data(to)
        self._put: Callable[[bytearray, object, int], None] = encoder.put
        self._monitor = _CONTROL + b"h\4a\x13" + who + whom
        self._demonitor = _CONTROL + b"h\4a\x14" + who + whom
        if isinstance(to, str):
            head = _CONTROL + b"h\4a\x06" + who + b"w\0" + whom + b"\x83"
        else:
            head = _CONTROL + b"h\3a\x02w\0" + whom + b"\x83"
        self._send = bytes(_LENGTH) + head
        self._cast = self._send + b"h\2" + data(Atom("$gen_cast"))
        self._call = head + b"h\3" + data(Atom("$gen_call")) + b"h\2" + who

    def send(self, message: object) -> bytes:
        """Return a message; what has no form is a TypeError, as in `cast` and `call`."""
        return self._with(self._send, message, DEPTH)

    def cast(self, message: object) -> bytes:
        """Return a cast."""
        return self._with(self._cast, message, DEPTH - 1)

    def _with(self, head: bytes, message: object, depth: int) -> bytes:
        out = bytearray(head)
        self._put(out, message, depth)
        out[:_LENGTH] = (len(out) - _LENGTH).to_bytes(_LENGTH, "big")
        return bytes(out)

    def call(self, ref: bytes, request: object) -> bytes:
        """Return a monitor, and behind it a call of the same reference: two frames."""
        rest = bytearray()
        self._put(rest, request, DEPTH - 1)
        monitor, call = self._monitor, self._call
        first = (len(monitor) + len(ref)).to_bytes(_LENGTH, "big")
        second = (len(call) + len(ref) + len(rest)).to_bytes(_LENGTH, "big")
        return b"".join((first, monitor, ref, second, call, ref, rest))

    def demonitor(self, ref: bytes) -> bytes:
        """Return the end of a monitor."""
        head = self._demonitor
        return b"".join(((len(head) + len(ref)).to_bytes(_LENGTH, "big"), head, ref))
