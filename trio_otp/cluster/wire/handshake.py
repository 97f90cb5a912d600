"""The handshake, for either role: bytes go in, events come out, until the peer is known.

Each side proves that it has the cookie by the digest of the other one's challenge. What one event
says is in `Event`; what goes wrong is a `HandshakeError`, after which the object is of no use.

Follows: `erl_dist_protocol`, "Distribution Handshake", version 6; `dist_util.erl`.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from ..._exits.errors import OtpError
from ..._util.bounded import bounded
from . import flags as of
from .frames import HANDSHAKE_LIMIT, FrameReader, framed
from .terms import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

Kind: TypeAlias = Literal["cookie", "nok", "alive", "not_allowed", "flags", "name", "garbage"]
Answer: TypeAlias = Literal["ok", "ok_simultaneous", "nok", "alive", "not_allowed"]

_NAME: Final = struct.Struct(">cQIH")  # tag, flags, creation, length of the name
_CHALLENGE: Final = struct.Struct(">cQIIH")  # with the challenge
_REPLY: Final = struct.Struct(">cI16s")
_ACK: Final = struct.Struct(">c16s")
_LONGEST: Final = 255  # bytes of the name of a node


class HandshakeError(OtpError):
    """A handshake has failed; `kind` says why, in a word."""

    def __init__(self, kind: Kind, text: str) -> None:
        super().__init__(text)
        self.kind: Kind = kind


@dataclass(frozen=True)
class Local:
    """What this side says of itself.

    Args:
        name: the name of the node.
        creation: its incarnation, from epmd or chosen at random; not 0.
        cookie: the secret of the cluster, in ASCII or Latin-1.
        flags: what it can do.
    """

    name: str
    creation: int
    cookie: bytes = field(repr=False)
    flags: int = of.OURS


@dataclass(frozen=True, slots=True)
class Peer:
    """What the other side has said of itself; proven once it is in a `Connected`."""

    name: str
    creation: int
    flags: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PeerNamed:
    """Somebody says to be this node, without proof as yet: `Acceptor.answer` decides about it."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class Connected:
    """The handshake is over; `rest` are the first bytes of what comes after it."""

    peer: Peer
    rest: bytes


Event: TypeAlias = Send | PeerNamed | Connected


def digest(cookie: bytes, challenge: int) -> bytes:
    """Return what proves that one has the cookie."""
    return hashlib.md5(cookie + str(challenge).encode(), usedforsecurity=False).digest()


def keeps_own(local: str, peer: str) -> bool:
    """Check whether the connection that this side makes is kept if both make one at a time.

    Then the peer's is answered with "nok", and otherwise with "ok_simultaneous", and the own one
    is given up.

    Args:
        local: the name of this node.
        peer: that of the other one.
    """
    return local > peer


def is_node_name(name: str) -> bool:
    """Check whether a text is the full name of a node: something, an @ and a host."""
    before, at, host = name.partition("@")
    fits = len(name.encode(errors="replace")) <= _LONGEST and name.isprintable()
    return bool(before and at and host and "@" not in host and fits and " " not in name)


class _Handshake:
    """What both roles have: frames in, one step after the other, and the challenge."""

    def __init__(
        self, local: Local, *, width: Literal[2, 4] = 2, challenge: int | None = None
    ) -> None:
        self._local = local
        self._width: Literal[2, 4] = width
        self._challenge = secrets.randbits(32) if challenge is None else challenge
        self._frames = FrameReader(width, limit=HANDSHAKE_LIMIT)
        self._received = 0
        self._peer: Peer | None = None
        self._step: Callable[[bytes], list[Event]] | None = None  # None: no frame is expected

    def feed(self, data: bytes) -> list[Event]:
        """Take what has been received, in pieces of any size; not after `Connected`.

        Args:
            data: some bytes.

        Raises:
            HandshakeError: the handshake has failed.
        """
        self._received += len(data)
        self._frames.feed(data)
        return self._go_on([])

    def _go_on(self, events: list[Event]) -> list[Event]:
        """Take one step for each frame that is there and expected."""
        try:
            while self._step is not None and (frame := self._frames.next()) is not None:
                events += self._step(frame)
        except DecodeError as exc:
            raise HandshakeError("garbage", str(exc)) from None
        over = bool(events) and isinstance(events[-1], Connected)
        if self._received > HANDSHAKE_LIMIT and not over:
            raise HandshakeError("garbage", f"more than {HANDSHAKE_LIMIT} bytes without an end")
        return events

    def _send(self, frame: bytes) -> Send:
        return Send(framed(frame, self._width))

    def _connected(self) -> Connected:
        self._step = None
        assert self._peer is not None
        return Connected(self._peer, self._frames.rest())

    def _check_peer(self, name: bytes, creation: int, flags: int) -> Peer:
        """Return what a peer says of itself, if it is somebody to talk to."""
        text = name.decode(errors="backslashreplace")
        wrong = text.encode() != name or not is_node_name(text) or text == self._local.name
        if wrong or flags & of.NAME_ME:
            raise HandshakeError("name", f"{bounded(text)} is no name of another node")
        if not of.is_enough(flags):
            shown = f"its flags are {flags:#x}"
            raise HandshakeError("flags", f"{text} is older than OTP 25, or no such node: {shown}")
        return Peer(text, creation, flags)

    def _check_digest(self, proof: bytes) -> None:
        if not compare_digest(digest(self._local.cookie, self._challenge), proof):
            assert self._peer is not None
            raise HandshakeError("cookie", f"{self._peer.name} has another cookie")


class Initiator(_Handshake):
    """The handshake of who has opened the connection.

    Args:
        local: this node.
        expected: the name of the node that is to be at the other end.
        width: bytes of the length of a frame: 2, and 4 over TLS.
        challenge: 32 bits; random if left out.
    """

    def __init__(
        self,
        local: Local,
        expected: str,
        *,
        width: Literal[2, 4] = 2,
        challenge: int | None = None,
    ) -> None:
        super().__init__(local, width=width, challenge=challenge)
        self._expected = expected

    def begin(self) -> list[Event]:
        """Return the first thing to send."""
        local, name = self._local, self._local.name.encode()
        self._step = self._status
        return [self._send(_NAME.pack(b"N", local.flags, local.creation, len(name)) + name)]

    def _status(self, frame: bytes) -> list[Event]:
        match frame:
            case b"sok" | b"sok_simultaneous":
                self._step = self._answer_challenge
                return []
            case b"salive":  # of a connection that this side has lost
                self._step = self._answer_challenge
                return [self._send(b"strue")]
            case b"snok":
                text = f"{self._expected} connects by itself at the moment, which goes first"
                raise HandshakeError("nok", text)
            case b"snot_allowed":
                raise HandshakeError("not_allowed", f"{self._expected} does not allow this node")
            case _:
                raise HandshakeError("garbage", f"expected a status, got {bounded(frame)}")

    def _answer_challenge(self, frame: bytes) -> list[Event]:
        _, flags, challenge, creation, length = _unpack(_CHALLENGE, b"N", frame, more=True)
        self._peer = peer = self._check_peer(_name(frame, _CHALLENGE, length), creation, flags)
        if peer.name != self._expected:
            raise HandshakeError("name", f"expected {self._expected}, got {peer.name}")
        self._step = self._ack
        proof = digest(self._local.cookie, challenge)
        return [self._send(_REPLY.pack(b"r", self._challenge, proof))]

    def _ack(self, frame: bytes) -> list[Event]:
        _, proof = _unpack(_ACK, b"a", frame)
        self._check_digest(proof)
        return [self._connected()]


class Acceptor(_Handshake):
    """The handshake of who has been connected to; see `PeerNamed`.

    Args:
        local: this node.
        width: bytes of the length of a frame: 2, and 4 over TLS.
        challenge: 32 bits; random if left out.
    """

    def __init__(
        self, local: Local, *, width: Literal[2, 4] = 2, challenge: int | None = None
    ) -> None:
        super().__init__(local, width=width, challenge=challenge)
        self._step = self._named

    def _named(self, frame: bytes) -> list[Event]:
        if frame[:1] == b"n":
            raise HandshakeError("flags", "the node is older than OTP 25: handshake of version 5")
        _, flags, creation, length = _unpack(_NAME, b"N", frame, more=True)
        self._peer = self._check_peer(_name(frame, _NAME, length), creation, flags)
        self._step = None  # until `answer`
        return [PeerNamed(self._peer)]

    def answer(self, status: Answer) -> list[Event]:
        """Decide about who has been named; see `keeps_own` for what is simultaneous.

        Args:
            status: "ok"; "ok_simultaneous" if the own connection to the same node is given up for
                this one; "nok" if that is kept; "alive" if there is one already, which the peer
                does not know of; "not_allowed". After "nok" and "not_allowed" it is over.

        Raises:
            HandshakeError: it has failed.
        """
        events: list[Event] = [self._send(b"s" + status.encode())]
        if status == "alive":
            self._step = self._still_wants
        elif status in {"ok", "ok_simultaneous"}:
            events.append(self._ask())
        return self._go_on(events)

    def _ask(self) -> Send:
        local, name = self._local, self._local.name.encode()
        head = (b"N", local.flags, self._challenge, local.creation, len(name))
        self._step = self._prove
        return self._send(_CHALLENGE.pack(*head) + name)

    def _still_wants(self, frame: bytes) -> list[Event]:
        if frame == b"sfalse":
            raise HandshakeError("alive", "the node has found its connection")
        if frame != b"strue":
            raise HandshakeError("garbage", f"expected true or false, got {bounded(frame)}")
        return [self._ask()]

    def _prove(self, frame: bytes) -> list[Event]:
        _, challenge, proof = _unpack(_REPLY, b"r", frame)
        self._check_digest(proof)
        ack = self._send(_ACK.pack(b"a", digest(self._local.cookie, challenge)))
        return [ack, self._connected()]


def _unpack(form: struct.Struct, tag: bytes, frame: bytes, *, more: bool = False) -> Any:
    """Return the fields of a frame; what is behind a name is for later versions."""
    size = len(frame)
    if frame[:1] != tag or size < form.size or (size > form.size and not more):
        raise HandshakeError("garbage", f"expected a message {tag!r}, got {bounded(frame)}")
    return form.unpack_from(frame)


def _name(frame: bytes, form: struct.Struct, length: int) -> bytes:
    name = frame[form.size : form.size + length]
    if len(name) < length:
        raise HandshakeError("garbage", "the name of the node is cut off")
    return name
