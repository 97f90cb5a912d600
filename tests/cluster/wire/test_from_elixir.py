"""What real Elixir has sent, see `record_frames`, and what it means here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from paths import ROOT

import trio_otp as otp
from trio_otp.cluster import (
    Atom,
    BitString,
    Export,
    Fun,
    ImproperList,
    Map,
    Port,
    Reference,
    RemoteError,
)
from trio_otp.cluster.wire.codec import Codec
from trio_otp.cluster.wire.control import (
    AliasSend,
    Control,
    Demonitor,
    Exit,
    Exit2,
    GroupLeader,
    Link,
    Monitor,
    RegSend,
    SendSender,
    Unlink,
)
from trio_otp.cluster.wire.epmd import Alive, Found, read_alive, read_port
from trio_otp.cluster.wire.handshake import Acceptor, Connected, Initiator, Local, PeerNamed, Send
from trio_otp.cluster.wire.opaque import WirePid, make_reference
from trio_otp.cluster.wire.terms import exact

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = ROOT / "tests" / "data" / "elixir_frames.json"
SAID: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
CODEC = Codec()
LOCAL = Local("py@127.0.0.1", 0x1234_5678, b"secret")
CHALLENGE = 0xC0FFEE

A = Atom
# As Elixir shows them: None for what is checked below, by its class.
TERMS: dict[str, Any] = {
    "1": 1,
    "255": 255,
    "256": 256,
    "-1": -1,
    "2147483648": 2**31,
    "-2147483648": -(2**31),
    "9223372036854775808": 2**63,
    "-18446744073709551616": -(2**64),
    str(2**3000): 2**3000,
    "1.5": 1.5,
    "-0.0": -0.0,
    "1.0e308": 1.0e308,
    ":a": A("a"),
    ":é": A("é"),
    ":日本": A("日本"),
    "nil": None,
    "true": True,
    "false": False,
    ':""': A(""),
    '""': b"",
    '"héllo"': "héllo".encode(),
    "<<255>>": b"\xff",
    "<<5::size(3)>>": BitString(b"\xa0", 3),
    "[]": [],
    "[1, 2, 3]": [1, 2, 3],
    "[1 | 2]": ImproperList([1], 2),
    "[1, 2 | :tail]": ImproperList([1, 2], A("tail")),
    '[:a, "b"]': [A("a"), b"b"],
    "[256, -1]": [256, -1],
    "{}": (),
    "{1}": (1,),
    "{1, 2, 3, 4, 5, ...}": tuple(range(1, 301)),
    "[250, 251, 252, 253, 254, ...]": list(range(250, 261)),
    "[0, 1, 2, 3, 4, ...]": list(range(256)),
    "%{}": {},
    '%{:a => 1, "b" => 2}': {A("a"): 1, b"b": 2},
    "%{[1] => 2}": Map([([1], 2)]),
    "%{1 => :a, 1.0 => :b}": Map([(1, A("a")), (1.0, A("b"))]),
    "%{{[], 1} => %{}}": Map([(([], 1), {})]),
    '%RuntimeError{message: "boom"}': {
        A("__struct__"): A("Elixir.RuntimeError"),
        A("__exception__"): True,
        A("message"): b"boom",
    },
    "~D[2024-02-29]": {
        A("__struct__"): A("Elixir.Date"),
        A("calendar"): A("Elixir.Calendar.ISO"),
        A("year"): 2024,
        A("month"): 2,
        A("day"): 29,
    },
    "MapSet.new([1, 2])": {
        A("__struct__"): A("Elixir.MapSet"),
        A("map"): {1: [], 2: []},
        A("version"): 2,
    },
    "1..3": {
        A("__struct__"): A("Elixir.Range"),
        A("first"): 1,
        A("last"): 3,
        A("step"): 1,
    },
    "'charlist'": list(b"charlist"),
}
KINDS = {"#PID<": WirePid, "#Reference<": Reference, "#Port<": Port, "#Function<": Fun}


def messages(part: str) -> list[Control]:
    return [CODEC.decode(bytes.fromhex(frame)) for frame in SAID[part]]


def sent_terms() -> Iterator[tuple[str, Any, bytes]]:
    """Yield how Elixir shows each term, what it is here, and its bytes."""
    for frame, message in zip(SAID["terms"], messages("terms"), strict=True):
        assert isinstance(message, SendSender)
        shown, term = message.message
        before = CODEC.encode_term((shown, None))[: -len(b"w\3nil")]
        data = bytes.fromhex(frame)
        yield shown.decode(), term, data[data.index(before) + len(before) :]


def test_each_term_arrives_as_the_table_says() -> None:
    """Integers, binaries, maps, structs, and what Python has no word for."""
    arrived = {shown: term for shown, term, _ in sent_terms()}

    assert {} == {
        shown: term
        for shown, term in arrived.items()
        if shown in TERMS and exact(term) != exact(TERMS[shown])
    }
    others = {shown: type(term) for shown, term in arrived.items() if shown not in TERMS}
    assert others == {
        shown: next((KINDS[start] for start in KINDS if shown.startswith(start)), Export)
        for shown in others
    }
    assert len(others) == 5
    assert len(arrived) == len(TERMS) + 5


def test_each_term_goes_back_as_the_same_bytes() -> None:
    """Byte for byte, but for lists of small integers, which have two forms."""
    two_forms = {"[1, 2, 3]", "[0, 1, 2, 3, 4, ...]", "'charlist'", "%{[1] => 2}"}
    wrong = {
        shown
        for shown, term, data in sent_terms()
        if CODEC.encode_term(term)[1:] != data and shown not in two_forms
    }

    assert set() == wrong


def test_signals() -> None:
    """What links, monitors and exits are as events, in their order."""
    said = messages("signals")
    them, me = said[0].sender, said[0].to  # type: ignore[union-attr]
    ref = said[2].ref  # type: ignore[union-attr]
    other = said[4].ref  # type: ignore[union-attr]

    assert said == [
        Link(them, me),
        Unlink(1, them, me),
        Monitor(them, me, ref),
        Demonitor(them, me, ref),
        Monitor(them, A("nobody"), other),
        Exit2(them, me, otp.KILL),
        Exit2(them, me, otp.Shutdown(b"x")),
        GroupLeader(them, me),
        RegSend(them, A("name"), b"to a name"),
        SendSender(them, me, A("last")),
    ]
    assert (them.node, me.node, me.number, me.creation) == (
        "ex@127.0.0.1", "py@127.0.0.1", 5, 0x1234_5678,
    )  # fmt: skip
    assert ref != other


def test_a_message_to_an_alias() -> None:
    """The reference is the one that this side has made."""
    (said,) = messages("alias")

    assert isinstance(said, AliasSend)
    assert said.alias == make_reference("py@127.0.0.1", 0x1234_5678, (1, 2, 3))
    assert said.message == b'to an alias of :"py@127.0.0.1"'


def test_crashes_are_remote_errors() -> None:
    """Of Elixir and of Erlang; what is no crash is the reason itself."""
    reasons = [said.reason for said in messages("crash") if isinstance(said, Exit)]

    assert [str(each) if isinstance(each, RemoteError) else each for each in reasons] == [
        "boom",
        "ArgumentError: bad",
        "('badkey', 'key')",
        "badarith",
        "('nocatch', 'ball')",
        A("why"),
        otp.Shutdown(b"done"),
        otp.NORMAL,
        "('badthing', 1)",
    ]
    assert all(each.stack for each in reasons if isinstance(each, RemoteError))


@pytest.mark.parametrize("role", ["initiator", "acceptor"])
def test_the_handshake(role: str) -> None:
    """The same bytes lead to the same answers, and to the node that it was."""
    handshake: Any
    if role == "initiator":
        handshake = Initiator(LOCAL, "ex@127.0.0.1", challenge=CHALLENGE)
        todo = handshake.begin()
    else:
        handshake, todo = Acceptor(LOCAL, challenge=CHALLENGE), []
    sent: list[str] = []
    for line in [*(line for line in SAID[role] if line[0] == "<"), None]:
        for event in todo:
            match event:
                case Send(data):
                    sent.append(">" + data.hex())
                case PeerNamed():
                    todo += handshake.answer("ok")
                case Connected(peer):
                    assert ("ex@127.0.0.1", b"") == (peer.name, event.rest)
        todo = handshake.feed(bytes.fromhex(line[1:])) if line is not None else []

    assert sent == [line for line in SAID[role] if line[0] == ">"]


def test_epmd() -> None:
    """Its answers: a port or none, a creation, a name that is taken."""
    port = read_port(bytes.fromhex(SAID["port"]))
    alive = read_alive(bytes.fromhex(SAID["alive"]))

    assert port is not None
    assert 1024 < (port.port or 0) < 65536
    assert alive is not None
    assert (alive.creation or 0) > 0
    assert Alive(None) == read_alive(bytes.fromhex(SAID["taken"]))
    assert Found(None) == read_port(bytes.fromhex(SAID["nobody"]))
