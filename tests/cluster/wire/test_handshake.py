"""The handshake of two nodes, over a line of which each byte is known."""

from __future__ import annotations

import itertools
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_otp.cluster.wire import flags, handshake
from trio_otp.cluster.wire.frames import framed
from trio_otp.cluster.wire.handshake import (
    Acceptor,
    Connected,
    HandshakeError,
    Initiator,
    Local,
    Peer,
    PeerNamed,
    Send,
    is_node_name,
    keeps_own,
)

A = Local("a@host", 1, b"cookie")
B = Local("b@host", 2, b"cookie")
PEER_A = Peer("a@host", 1, flags.OURS)
PEER_B = Peer("b@host", 2, flags.OURS)


class Line:
    """Two ends of a connection; what each says goes to the other, in pieces of one size."""

    def __init__(
        self, one: Initiator, other: Acceptor, *, answer: Any = "ok", piece: int = 10_000
    ) -> None:
        self.one, self.other, self.answer, self.piece = one, other, answer, piece
        self.connected: dict[str, Connected] = {}
        self.said: list[tuple[str, bytes]] = []

    def run(self) -> Line:
        """Go on until nobody has anything to say."""
        todo: list[tuple[str, list[Any]]] = [("one", self.one.begin())]
        while todo:
            who, events = todo.pop(0)
            for event in events:
                todo += [(end, more) for end, more in self._happened(who, event) if more]
        return self

    def _happened(self, who: str, event: Any) -> list[tuple[str, list[Any]]]:
        match event:
            case Send(data):
                self.said.append((who, data))
                to, name = (self.other, "other") if who == "one" else (self.one, "one")
                steps = range(0, len(data), self.piece)
                return [(name, to.feed(data[at : at + self.piece])) for at in steps]
            case PeerNamed(peer):
                assert peer == PEER_A
                return [("other", self.other.answer(self.answer))]
            case _:
                self.connected[who] = event
                return []


@pytest.mark.parametrize("width", [2, 4])
@pytest.mark.parametrize("piece", [1, 3, 10_000])
@pytest.mark.parametrize("answer", ["ok", "ok_simultaneous", "alive"])
def test_two_nodes_get_to_know_each_other(width: Literal[2, 4], piece: int, answer: str) -> None:
    """However the bytes are cut, and also if the connection takes the place of another one."""
    line = Line(
        Initiator(A, "b@host", width=width), Acceptor(B, width=width), answer=answer, piece=piece
    )
    line.run()

    assert {"one": Connected(PEER_B, b""), "other": Connected(PEER_A, b"")} == line.connected
    assert all(data[:width] == (len(data) - width).to_bytes(width, "big") for _, data in line.said)


@pytest.mark.parametrize("answer", ["nok", "not_allowed"])
def test_a_refusal_is_told(answer: Any) -> None:
    """Who connects hears why; on the other side it is over."""
    with pytest.raises(HandshakeError) as caught:
        Line(Initiator(A, "b@host"), Acceptor(B), answer=answer).run()

    assert answer == caught.value.kind


def test_of_two_connections_at_once_one_is_kept() -> None:
    """The one that the greater name has begun, in whatever order the two sides hear of them."""
    assert (keeps_own("b@host", "a@host"), keeps_own("a@host", "b@host")) == (True, False)
    for first_named in ("a", "b"):
        by_a, at_b = Initiator(A, "b@host"), Acceptor(B)
        by_b, at_a = Initiator(B, "a@host"), Acceptor(A)
        ways = [(by_a, at_b), (by_b, at_a)]
        for opener, listener in ways if first_named == "a" else reversed(ways):
            (named,) = listener.feed(sent(opener))
            assert isinstance(named, PeerNamed)
        refused = at_b.answer("nok" if keeps_own("b@host", "a@host") else "ok_simultaneous")
        going_on = at_a.answer("nok" if keeps_own("a@host", "b@host") else "ok_simultaneous")

        with pytest.raises(HandshakeError) as caught:
            by_a.feed(data_of(refused))
        (reply,) = by_b.feed(data_of(going_on))
        *acknowledged, at_a_done = at_a.feed(data_of([reply]))
        (at_b_done,) = by_b.feed(data_of(acknowledged))

        assert "nok" == caught.value.kind
        assert (at_a_done, at_b_done) == (Connected(PEER_B, b""), Connected(PEER_A, b""))


def sent(one: Initiator) -> bytes:
    return data_of(one.begin())


def data_of(events: list[Any]) -> bytes:
    return b"".join(event.data for event in events)


def test_another_cookie() -> None:
    """Who accepts finds out first, and says nothing that would help to guess; nobody shows it."""
    wrong = Local("a@host", 1, b"another cookie")
    line = Line(Initiator(wrong, "b@host"), Acceptor(B))

    with pytest.raises(HandshakeError, match="a@host has another cookie") as caught:
        line.run()

    assert "cookie" == caught.value.kind
    assert ["one", "other", "other", "one"] == [each for each, _ in line.said]
    assert not line.connected
    assert "cookie" not in repr(wrong)


def test_a_listener_with_another_cookie() -> None:
    """One that takes whatever it is answered is found out by its acknowledgement."""
    one, other = Initiator(A, "b@host", challenge=7), Acceptor(B)
    other.feed(sent(one))
    one.feed(data_of(other.answer("ok")))

    with pytest.raises(HandshakeError, match="b@host has another cookie") as caught:
        one.feed(framed(b"a" + handshake.digest(b"another cookie", 7), 2))

    assert "cookie" == caught.value.kind


def test_the_cookie_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the function that is made for it, on both sides."""
    compared: list[int] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(len(one))
        return one == other

    monkeypatch.setattr(handshake, "compare_digest", compare)
    Line(Initiator(A, "b@host"), Acceptor(B)).run()

    assert [16, 16] == compared


def test_challenges_are_not_the_same_twice() -> None:
    """Or an old answer would do."""
    line, other = (Line(Initiator(A, "b@host"), Acceptor(B)).run() for _ in range(2))

    differ = [one != two for one, two in zip(line.said, other.said, strict=True)]
    assert [False, False, True, True, True] == differ


def test_what_comes_right_behind_it_is_kept() -> None:
    """The other side may go on at once, in the same packet."""
    one, other = Initiator(A, "b@host"), Acceptor(B)
    other.feed(sent(one))
    (reply,) = one.feed(data_of(other.answer("ok")))
    *_, done = other.feed(data_of([reply]) + b"\0\0\0\0" + b"x" * 70_000)

    assert Connected(PEER_A, b"\0\0\0\0" + b"x" * 70_000) == done


def named(name: bytes, *, number: int = flags.OURS, tag: bytes = b"N", more: bytes = b"") -> bytes:
    return framed(handshake._NAME.pack(tag, number, 1, len(name)) + name + more, 2)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (named(b"b@host"), "name"),
        (named(b"a"), "name"),
        (named(b"@host"), "name"),
        (named(b"a@"), "name"),
        (named(b"a@b@c"), "name"),
        (named(b"a b@c"), "name"),
        (named(b"a\n@c"), "name"),
        (named(b"\xff@c"), "name"),
        (named(b"a@" + b"c" * 254), "name"),
        (named(b"a@host", number=flags.OURS | flags.NAME_ME), "name"),
        (named(b"a@host", number=0), "flags"),
        (named(b"a@host", number=flags.OURS & ~flags.ALIAS), "flags"),
        (named(b"a@host", number=flags.MANDATORY_25_DIGEST), "flags"),
        (framed(b"n\0\5\0\0\0\0a@host", 2), "flags"),
        (framed(b"", 2), "garbage"),
        (framed(b"N", 2), "garbage"),
        (named(b"a@host")[:-1].replace(b"\0\x15", b"\0\x14"), "garbage"),
        (named(b"a@host", tag=b"X"), "garbage"),
        (b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", "garbage"),
    ],
)
def test_a_client_that_is_no_node_is_not_let_in(data: bytes, kind: str) -> None:
    """Before anything is sent to it."""
    acceptor = Acceptor(B)
    with pytest.raises(HandshakeError) as caught:
        acceptor.feed(data + bytes(70_000))

    assert kind == caught.value.kind


def test_older_and_newer_nodes() -> None:
    """One of OTP 24 says its flags one by one; what is behind a name is for later versions."""
    older = flags.OURS & ~flags.MANDATORY_25_DIGEST
    for data in (named(b"a@host", number=older), named(b"a@host", more=b"new")):
        (found,) = Acceptor(B).feed(data)
        assert isinstance(found, PeerNamed)
        assert "a@host" == found.peer.name


@pytest.mark.parametrize(
    ("status", "kind"),
    [(b"snok", "nok"), (b"snot_allowed", "not_allowed"), (b"sno", "garbage"), (b"", "garbage")],
)
def test_a_status_that_ends_it(status: bytes, kind: str) -> None:
    """At the side that has opened the connection."""
    one = Initiator(A, "b@host")
    one.begin()
    with pytest.raises(HandshakeError) as caught:
        one.feed(framed(status, 2))

    assert kind == caught.value.kind


def test_somebody_else_at_the_other_end() -> None:
    """A port that another node has taken meanwhile."""
    with pytest.raises(HandshakeError, match="expected c@host, got b@host") as caught:
        Line(Initiator(A, "c@host"), Acceptor(B)).run()

    assert "name" == caught.value.kind


def test_a_node_that_finds_a_connection_takes_its_own_back() -> None:
    """After `alive`, the other side may say that it has found the connection that is up."""
    for word, kind in ((b"sfalse", "alive"), (b"sperhaps", "garbage")):
        acceptor = Acceptor(B)
        acceptor.feed(named(b"a@host"))
        assert b"salive" == data_of(acceptor.answer("alive"))[2:]
        with pytest.raises(HandshakeError) as caught:
            acceptor.feed(framed(word, 2))
        assert kind == caught.value.kind


@pytest.mark.parametrize("width", [2, 4])
def test_nobody_sends_more_than_64_kib(width: Literal[2, 4]) -> None:
    """In one frame, in many, or while it is being decided about."""
    slow, greedy = Acceptor(B, width=width), Acceptor(B, width=width)
    slow.feed(framed(named(b"a@host")[2:], width))

    for feed in (
        lambda: greedy.feed(b"\xff" * width + bytes(66_000)),
        lambda: slow.feed(bytes(66_000)),
    ):
        with pytest.raises(HandshakeError) as caught:
            feed()
        assert "garbage" == caught.value.kind


SAID = Line(Initiator(A, "b@host", challenge=1), Acceptor(B, challenge=2)).run().said


def replay(role: str, data: bytes) -> list[Any]:
    """Return what happens to one side when all that the other one says is this."""
    end: Any = Initiator(A, "b@host", challenge=1) if role == "one" else Acceptor(B, challenge=2)
    happened = end.begin() if role == "one" else []
    happened += end.feed(data)
    if happened and happened[-1] == PeerNamed(PEER_A):
        happened += end.answer("ok")
    return happened


@pytest.mark.parametrize("role", ["one", "other"])
def test_every_byte_counts(role: str) -> None:
    """Cut off anywhere nobody is connected; with any bit turned it is an error or no connection.

    But in what a node says of itself before it has proven anything: there it is another node.
    """
    data = b"".join(said for who, said in SAID if who != role)
    whole = replay(role, data)
    assert isinstance(whole[-1], Connected)

    for end in range(len(data)):
        assert not any(isinstance(each, Connected) for each in replay(role, data[:end]))
    for at, bit in itertools.product(range(len(data)), range(8)):
        turned = bytearray(data)
        turned[at] ^= 1 << bit
        try:
            happened = replay(role, bytes(turned))
        except HandshakeError:
            continue
        connected = [each for each in happened if isinstance(each, Connected)]
        assert [] == [each for each in connected if each == whole[-1]] or at < len(data) - 16


@given(st.binary(max_size=200), st.sampled_from(["one", "other"]))
def test_garbage_is_an_error_or_nothing(data: bytes, role: str) -> None:
    """No other exception comes out, and nobody is connected."""
    try:
        happened = replay(role, data)
    except HandshakeError:
        return
    assert not any(isinstance(each, Connected) for each in happened)


def test_names_of_nodes() -> None:
    """Something, an @ and a host, in 255 bytes."""
    good = ["a@b", "py@10.0.0.5", "ü@host", "a@" + "b" * 253, "x-1@fe80::1"]
    bad = ["", "a", "@", "a@", "@b", "a@b@c", "a @b", "a@b\t", "a@" + "ü" * 127]

    assert ([True] * len(good), [False] * len(bad)) == (
        [is_node_name(name) for name in good],
        [is_node_name(name) for name in bad],
    )
