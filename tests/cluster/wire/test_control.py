"""Control messages: what one Python says is what the other one hears, and garbage is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_kit import ATOMS, CODEC, OTHER, PID, REF, TERMS

import trio_otp as otp
from trio_otp.cluster import Atom
from trio_otp.cluster.wire import control as c
from trio_otp.cluster.wire.codec import Codec
from trio_otp.cluster.wire.opaque import make_reference
from trio_otp.cluster.wire.terms import DecodeError, exact

PIDS = st.sampled_from([PID, OTHER])
REFS = st.sampled_from([REF, make_reference("a@b", 1, (2,))])
NAMES = st.one_of(PIDS, ATOMS)
IDS = st.integers(0, (1 << 64) - 1)
REASONS = st.one_of(
    st.sampled_from([otp.NORMAL, otp.KILLED, otp.NOPROC, otp.Shutdown("x"), Atom("why")]),
    st.builds(otp.Shutdown, st.integers()),
    st.text(st.characters(exclude_categories=["Cs"])),
)
MESSAGES = st.one_of(
    st.just(c.Tick()),
    st.builds(c.Send, PIDS, TERMS),
    st.builds(c.SendSender, PIDS, PIDS, TERMS),
    st.builds(c.RegSend, PIDS, ATOMS, TERMS),
    st.builds(c.AliasSend, PIDS, REFS, TERMS),
    st.builds(c.Link, PIDS, PIDS),
    st.builds(c.Unlink, IDS, PIDS, PIDS),
    st.builds(c.UnlinkAck, IDS, PIDS, PIDS),
    st.builds(c.Exit, PIDS, PIDS, REASONS),
    st.builds(c.Exit2, PIDS, PIDS, REASONS),
    st.builds(c.Monitor, PIDS, NAMES, REFS),
    st.builds(c.Demonitor, PIDS, NAMES, REFS),
    st.builds(c.MonitorExit, NAMES, PIDS, REFS, REASONS),
    st.builds(c.GroupLeader, PIDS, PIDS),
    st.builds(c.SpawnRequest, REFS, PIDS, PIDS, TERMS, TERMS, TERMS),
    st.builds(c.SpawnReply, REFS, PIDS, st.integers(0, 3), ATOMS),
)


@given(MESSAGES)
def test_every_message_arrives_as_it_was_sent(message: Any) -> None:
    """Also by the types of what is in it."""
    frame = CODEC.encode(message)
    arrived = CODEC.decode(frame[4:])

    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert exact(message) == exact(arrived)


def carrying(*head: object, message: object) -> bytes:
    return b"p" + CODEC.encode_term(head) + CODEC.encode_term(message)


def test_reasons_behind_the_message_are_understood() -> None:
    """Some nodes send them so; this side does not ask for it."""
    reason = (Atom("shutdown"), 1)
    done = otp.Shutdown(1)

    assert CODEC.decode(carrying(24, PID, OTHER, message=reason)) == c.Exit(PID, OTHER, done)
    assert CODEC.decode(carrying(26, PID, OTHER, message=reason)) == c.Exit2(PID, OTHER, done)
    ended = CODEC.decode(carrying(28, PID, OTHER, REF, message=reason))
    assert ended == c.MonitorExit(PID, OTHER, REF, done)


def test_names_may_be_plain_texts() -> None:
    """To send; they arrive as atoms."""
    for message in (c.RegSend(PID, "shop", 1), c.Monitor(PID, "shop", REF)):
        arrived: Any = CODEC.decode(CODEC.encode(message)[4:])
        name = arrived.name if isinstance(message, c.RegSend) else arrived.to
        assert (Atom, "shop") == (type(name), name)


@pytest.mark.parametrize(
    "payload",
    [
        b"q",
        b"D",
        b"p",
        b"p\x83",
        b"p\x83j",
        b"p\x83h\0",
        b"p\x83h\1j",
        b"p" + CODEC.encode_term((True, PID, OTHER)),
        b"p" + CODEC.encode_term((4, PID, OTHER)),
        b"p" + CODEC.encode_term((1 << 70, PID, OTHER)),
        b"p" + CODEC.encode_term((1, PID)),
        b"p" + CODEC.encode_term((1, PID, OTHER, OTHER)),
        b"p" + CODEC.encode_term((1, PID, Atom("shop"))),
        b"p" + CODEC.encode_term((19, PID, 5, REF)),
        b"p" + CODEC.encode_term((19, PID, OTHER, PID)),
        b"p" + CODEC.encode_term((35, "1", PID, OTHER)),
        b"p" + CODEC.encode_term((22, PID, OTHER)),
        carrying(1, PID, OTHER, message=1),
        carrying(6, PID, Atom(""), PID, message=1),
        carrying(22, PID, OTHER, message=1) + b"\x83j",
    ],
)
def test_what_is_no_message(payload: bytes) -> None:
    """Unknown numbers, too many or too few fields, fields of a wrong kind."""
    with pytest.raises(DecodeError):
        CODEC.decode(payload)


def test_the_kinds_of_fields_are_those_of_the_caller() -> None:
    """What `load_pid` returns counts as a pid, and nothing else does."""
    codec = Codec(
        load_pid=lambda pid: [pid], load_reference=lambda _: 7, pids=(list,), references=(int,)
    )

    assert codec.decode(CODEC.encode(c.Monitor(PID, OTHER, REF))[4:]) == c.Monitor(
        [PID], [OTHER], 7
    )
    with pytest.raises(DecodeError, match="has a field of a wrong kind"):
        Codec(pids=(list,)).decode(CODEC.encode(c.Link(PID, OTHER))[4:])


def test_a_message_without_a_form_is_the_senders_error() -> None:
    """It is named; an exit that somebody sends is such a message as well."""
    for message in (c.Send(PID, [object]), c.Exit2(PID, OTHER, object)):
        with pytest.raises(TypeError, match="object is a type, which has no form"):
            CODEC.encode(message)


def test_an_end_is_told_whatever_its_reason() -> None:
    """Those who wait for it would wait forever; the reason is told as text."""
    for reason, told in [({1}, "{1}"), (otp.Shutdown({1}), otp.Shutdown("{1}"))]:
        assert CODEC.decode(CODEC.encode(c.Exit(PID, OTHER, reason))[4:]) == c.Exit(
            PID, OTHER, told
        )
        ended = CODEC.decode(CODEC.encode(c.MonitorExit(PID, OTHER, REF, reason))[4:])
        assert ended == c.MonitorExit(PID, OTHER, REF, told)
