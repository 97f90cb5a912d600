"""Frames of a connection into control messages, and back.

Follows: `erl_dist_protocol`, "Protocol between Connected Nodes", without distribution headers.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..._util.bounded import bounded
from . import control as c
from .decode import Decoder, Limits
from .encode import DEPTH, Encoder
from .frames import TICK
from .heads import Heads
from .opaque import Reference, WirePid
from .reasons import exception_term, reason_as_text, reason_of, reason_term
from .terms import Atom, DecodeError, ImproperList

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PASS_THROUGH: Final = 112
_HEAD: Final = b"\0\0\0\0p\x83"  # the length comes last
_LENGTH: Final = struct.Struct(">I").pack_into
_ALIAS: Final = b"l\0\0\0\1w\5alias"  # of the tag that Erlang's `gen` makes; a reference follows
_NOBODY: Final = Atom("")  # where there was a cookie, long ago

Build: TypeAlias = "Callable[..., c.Control]"


class Codec:
    """Encodes and decodes for one connection.

    Args:
        load_pid: returns what a pid is here; called in a thread for a frame decoded there.
        load_reference: the same for a reference.
        dumps: {class: function that returns the `WirePid`, `Reference` or other term in the place
            of an object of exactly this class}.
        pids: the classes of what `load_pid` returns; other things in its place are refused.
        references: the same for `load_reference`.
        limits: what is refused of the peer.
    """

    def __init__(
        self,
        *,
        load_pid: Callable[[WirePid], object] = lambda pid: pid,
        load_reference: Callable[[Reference], object] = lambda ref: ref,
        dumps: Mapping[type[Any], Callable[[Any], object]] | None = None,
        pids: tuple[type[Any], ...] = (WirePid,),
        references: tuple[type[Any], ...] = (Reference,),
        limits: Limits | None = None,
    ) -> None:
        self._decoder = Decoder(load_pid, load_reference, limits or Limits())
        self._encoder = Encoder(dumps or {}, exception_term)
        kinds: dict[str, Any] = {
            "p": pids,
            "r": references,
            "n": (*pids, Atom),
            "a": Atom,
            "i": int,
            ".": object,
        }
        self._builds = {
            number: (tuple(kinds[each] for each in fields), carries, build)
            for number, (fields, carries, build) in _BUILDS.items()
        }

    def decode(self, payload: bytes) -> c.Control:
        """Return what a frame says.

        Args:
            payload: a frame without its length.

        Raises:
            DecodeError: it is none.
        """
        if not payload:
            return c.TICKED
        if payload[0] != _PASS_THROUGH:
            raise DecodeError(
                f"expected a frame that begins with {_PASS_THROUGH}, got {payload[0]}"
            )
        head, *carried = self._decoder.terms(payload, 1, most=2)
        if not isinstance(head, tuple):
            raise DecodeError("a control message is not a tuple")
        return self._build(head, carried)

    def _build(self, head: Any, carried: list[Any]) -> c.Control:
        number, *fields = head or (None,)
        known = self._builds.get(number) if type(number) is int else None
        kinds, carries, build = known or _UNKNOWN
        if len(fields) != len(kinds) or len(carried) != carries:
            text = f"with {len(fields)} fields and {len(carried)} terms behind it"
            raise DecodeError(f"the control message {bounded(number)} {text} is unknown")
        if not all(map(isinstance, fields, kinds)):
            raise DecodeError(f"the control message {number} has a field of a wrong kind")
        return build(*fields, *carried)

    def encode(self, message: c.Control) -> bytes:
        """Return the frame, with its length, that says something.

        Of a reason without a form that links and monitors are told, the text is told: they have
        to hear of the end.

        Args:
            message: a control message.

        Raises:
            TypeError: something in it has no form on the wire; the text names it.
        """
        if isinstance(message, c.Tick):
            return TICK
        try:
            return self._frame(*_PARTS[type(message)](message))
        except TypeError:
            if not isinstance(message, c.Exit | c.MonitorExit):
                raise
            reason = reason_as_text(message.reason)
            return self._frame(*_PARTS[type(message)](replace(message, reason=reason)))

    def _frame(self, *terms: object) -> bytes:
        out = bytearray(_HEAD)
        self._encoder.put(out, terms[0])
        for term in terms[1:]:
            out.append(131)
            self._encoder.put(out, term)
        _LENGTH(out, 0, len(out) - 4)
        return bytes(out)

    def answer(self, sender: object, to: WirePid, tag: Any, value: object) -> bytes:
        """Return the frame of an answer to a call: to its alias if the tag has one, else to a pid.

        Args:
            sender: the pid of who answers.
            to: that of who has called.
            tag: what the answer is known by.
            value: the answer; a TypeError names what has no form.
        """
        put, out = self._encoder.put, bytearray(_HEAD)
        alias: Any = tag.tail if tag.__class__ is ImproperList else None
        if alias.__class__ is Reference:
            put(out, (33, sender, alias))
        else:
            out += b"h\3a\2w\0" + to._data
        out += b"\x83h\2"
        if alias.__class__ is Reference and _is_alias(tag.items):
            out += _ALIAS + alias._data
        else:
            put(out, tag, DEPTH - 1)
        put(out, value, DEPTH - 1)
        _LENGTH(out, 0, len(out) - 4)
        return bytes(out)

    def heads(self, sender: object, to: object) -> Heads:
        """Return what makes the frames from one process to another, or to a name."""
        return Heads(self._encoder, sender, to)

    def encode_term(self, term: object) -> bytes:
        """Return one term by itself, with its version byte.

        Raises:
            TypeError: something in it has no form on the wire; the text names it.
        """
        out = bytearray(b"\x83")
        self._encoder.put(out, term)
        return bytes(out)

    def decode_term(self, data: bytes) -> object:
        """Return what one term by itself is.

        Raises:
            DecodeError: it is none.
        """
        return self._decoder.terms(data)[0]


def _is_alias(items: tuple[Any, ...]) -> bool:
    return len(items) == 1 and items[0].__class__ is Atom and items[0] == "alias"


def _name(name: object) -> object:
    return Atom(name) if isinstance(name, str) and type(name) is not Atom else name


def _send(_: Any, to: Any, message: Any) -> c.Control:
    return c.Send(to, message)


def _reg_send(sender: Any, _: Any, name: Any, message: Any) -> c.Control:
    return c.RegSend(sender, name, message)


def _with_reason(kind: Build) -> Build:
    return lambda *fields: kind(*fields[:-1], reason_of(fields[-1]))


# Number: (its fields, how many terms there are behind it, what builds it). A field is a pid, a
# reference, a pid or name, an atom, an integer, or anything. Those that carry a reason behind them
# come only from peers that were told of it, but cost nothing.
_BUILDS: Final[dict[int, tuple[str, int, Build]]] = {
    1: ("pp", 0, c.Link),
    2: (".p", 1, _send),
    3: ("pp.", 0, _with_reason(c.Exit)),
    6: ("p.a", 1, _reg_send),
    7: ("pp", 0, c.GroupLeader),
    8: ("pp.", 0, _with_reason(c.Exit2)),
    19: ("pnr", 0, c.Monitor),
    20: ("pnr", 0, c.Demonitor),
    21: ("npr.", 0, _with_reason(c.MonitorExit)),
    22: ("pp", 1, c.SendSender),
    24: ("pp", 1, _with_reason(c.Exit)),
    26: ("pp", 1, _with_reason(c.Exit2)),
    28: ("npr", 1, _with_reason(c.MonitorExit)),
    29: ("rpp..", 1, c.SpawnRequest),
    31: ("rpi.", 0, c.SpawnReply),
    33: ("pr", 1, c.AliasSend),
    35: ("ipp", 0, c.Unlink),
    36: ("ipp", 0, c.UnlinkAck),
}
_UNKNOWN: Final = ((), -1, c.Tick)

_PARTS: Final[dict[type[Any], Callable[[Any], tuple[Any, ...]]]] = {
    c.Link: lambda m: ((1, m.sender, m.to),),
    c.Send: lambda m: ((2, _NOBODY, m.to), m.message),
    c.Exit: lambda m: ((3, m.sender, m.to, reason_term(m.reason)),),
    c.RegSend: lambda m: ((6, m.sender, _NOBODY, _name(m.name)), m.message),
    c.GroupLeader: lambda m: ((7, m.sender, m.to),),
    c.Exit2: lambda m: ((8, m.sender, m.to, reason_term(m.reason)),),
    c.Monitor: lambda m: ((19, m.sender, _name(m.to), m.ref),),
    c.Demonitor: lambda m: ((20, m.sender, _name(m.to), m.ref),),
    c.MonitorExit: lambda m: ((21, _name(m.sender), m.to, m.ref, reason_term(m.reason)),),
    c.SendSender: lambda m: ((22, m.sender, m.to), m.message),
    c.SpawnRequest: lambda m: (
        (29, m.ref, m.sender, m.group_leader, m.function, m.options),
        m.arguments,
    ),
    c.SpawnReply: lambda m: ((31, m.ref, m.to, m.flags, _name(m.result)),),
    c.AliasSend: lambda m: ((33, m.sender, m.alias), m.message),
    c.Unlink: lambda m: ((35, m.id, m.sender, m.to),),
    c.UnlinkAck: lambda m: ((36, m.id, m.sender, m.to),),
}
