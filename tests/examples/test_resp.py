"""The Redis wire protocol: any bytes, in any pieces."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.cache_service.replies import (
    NIL,
    OK,
    array,
    bulk,
    error,
    integer,
    simple,
)
from examples.cache_service.resp import Limits, ProtocolError, RequestParser

SMALL = Limits(bulk=16, args=4, line=24, command=40)


def encode(command: list[bytes]) -> bytes:
    """Encode a command as clients do."""
    return array(bulk(argument) for argument in command)


def parse(
    pieces: list[bytes], limits: Limits | None = None
) -> tuple[list[list[bytes]], str | None]:
    """Feed the pieces; give the commands and the text of the error that ended them."""
    parser = RequestParser(limits)
    commands: list[list[bytes]] = []
    try:
        for piece in pieces:
            parser.feed(piece)
            while (command := parser.next_command()) is not None:
                commands.append(command)
    except ProtocolError as exc:
        return commands, str(exc)
    return commands, None


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """Cut the data at these places."""
    places = [0, *sorted(place % (len(data) + 1) for place in at), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


words = st.text("abcXYZ019_:", min_size=1, max_size=8).map(str.encode)
multibulk = st.lists(st.binary(max_size=40), min_size=1, max_size=5).map(
    lambda command: ([command], encode(command))
)
inline = st.lists(words, min_size=1, max_size=4).map(
    lambda command: ([command], b"  ".join(command) + b"\r\n")
)
nothing = st.sampled_from([b"\r\n", b"\n", b"*0\r\n", b"*-1\r\n", b"  \t\r\n"]).map(
    lambda blank: ([], blank)
)
requests = st.lists(multibulk | inline | nothing, max_size=8).map(
    lambda parts: ([c for commands, _ in parts for c in commands], b"".join(d for _, d in parts))
)
cuts = st.lists(st.integers(0, 10_000), max_size=12)
scraps = st.sampled_from(
    [b"*", b"$", b"-", b"1", b"3", b"99", b"\r\n", b"\n", b"\r", b" ", b'"', b"'", b"\\", b"\\x4"]
)
garbage = st.lists(scraps | st.binary(max_size=6), max_size=30).map(b"".join)


@given(requests, cuts)
def test_commands_do_not_depend_on_how_the_bytes_are_split(
    request_: tuple[list[list[bytes]], bytes], at: list[int]
) -> None:
    """Pipelined commands of both kinds come out as they went in, whatever the pieces."""
    commands, data = request_

    assert (commands, None) == parse(cut(data, at))
    assert (commands, None) == parse([bytes([byte]) for byte in data])


@given(garbage, cuts)
def test_garbage_gives_a_protocol_error_or_nothing(data: bytes, at: list[int]) -> None:
    """Bytes that are no requests raise ProtocolError only, at the same place however split."""
    whole = parse([data], SMALL)

    assert whole == parse(cut(data, at), SMALL)
    assert whole == parse([bytes([byte]) for byte in data], SMALL)


@given(garbage)
def test_no_command_exceeds_the_limits(data: bytes) -> None:
    """What comes out is never larger than the limits allow."""
    commands, _ = parse([data], SMALL)

    assert all(0 < len(command) <= SMALL.args for command in commands)
    assert all(len(word) <= max(SMALL.bulk, SMALL.line) for command in commands for word in command)
    assert all(sum(map(len, command)) <= SMALL.command for command in commands)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*5\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*1_0\r\n", "invalid multibulk length"),
        (b"*" + b"1" * 21 + b"\r\n", "invalid multibulk length"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$17\r\n", "invalid bulk length"),
        (b"*1\r\n$ 1\r\n", "invalid bulk length"),
        (b"*1\r\n:5\r\n", "expected '$', got ':'"),
        (b"*1\r\n\xff\r\n", "expected '$', got '?'"),
        (b"*1\r\n\r\n", "expected '$', got '?'"),
        (b"*1\r\n$2\r\nabc\r\n", "expected CRLF after a bulk string"),
        (encode([b"x" * 16] * 3), "too big command"),
        (b"x" * 25, "too big inline request"),
        (b"*" + b"1" * 25, "too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 25, "too big bulk count string"),
        (b"a b c d e\r\n", "too many arguments in inline request"),
        (b'SET "a\r\n', "unbalanced quotes in request"),
        (b"SET 'a\\'\r\n", "unbalanced quotes in request"),
        (b'SET "a"b\r\n', "unbalanced quotes in request"),
    ],
)
def test_broken_requests_are_named(data: bytes, what: str) -> None:
    """Each way to break the protocol has its own text, and good commands before it count."""
    assert ([[b"PING"]], f"ERR Protocol error: {what}") == parse([b"PING\r\n" + data], SMALL)


@pytest.mark.parametrize("sign", [b"", b"-"])
def test_a_number_of_many_digits_is_a_protocol_error(sign: bytes) -> None:
    """A length with more digits than Python converts is as wrong as any other."""
    digits = sign + b"9" * 5000

    assert ([], "ERR Protocol error: invalid multibulk length") == parse([b"*" + digits + b"\n"])


def test_nothing_is_parsed_after_an_error() -> None:
    """A parser that failed fails again, and takes no more bytes."""
    parser = RequestParser()
    parser.feed(b"*x\r\n")
    with pytest.raises(ProtocolError) as first:
        list(parser)
    parser.feed(encode([b"PING"]))

    with pytest.raises(ProtocolError, match=str(first.value)):
        list(parser)


def test_half_a_megabyte_is_the_default_limit() -> None:
    """By default an argument of 512 KiB passes, and one byte more does not."""
    largest = b"x" * 512 * 1024

    assert ([[b"SET", b"k", largest]], None) == parse([encode([b"SET", b"k", largest])])
    assert ([], "ERR Protocol error: invalid bulk length") == parse([encode([largest + b"x"])])


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (rb'SET k "a b"', [b"SET", b"k", b"a b"]),
        (rb'SET k "\x00\xff\n\r\t\b\a\"\\\q"', [b"SET", b"k", b'\x00\xff\n\r\t\b\a"\\q']),
        (rb"SET k 'it\'s \n'", [b"SET", b"k", rb"it's \n"]),
        (rb"""SET "" ''""", [b"SET", b"", b""]),
        (rb'SET k"ey" v', [b"SET", b"key", b"v"]),
        (rb'  SET   "k"  ', [b"SET", b"k"]),
    ],
)
def test_inline_commands_may_quote(line: bytes, command: list[bytes]) -> None:
    """Quotes and escapes mean in an inline command what they mean in redis-cli."""
    assert ([command], None) == parse([line + b"\n"])


MANY = 4 * 1024 * 1024
SLOW_CLIENTS = {
    "line": b"x" * MANY + b"\r\n",
    "argument": encode([b"x" * MANY]),
    "arguments": encode([b"x"] * (MANY // 64)),
}


@pytest.mark.parametrize("data", SLOW_CLIENTS.values(), ids=SLOW_CLIENTS.keys())
def test_the_work_is_linear_in_the_bytes(data: bytes) -> None:
    """Four megabytes in pieces of 64 bytes cost no more than a look at each byte."""
    parser = RequestParser(Limits(bulk=MANY, line=MANY + 1, args=MANY, command=MANY))
    began = time.process_time()
    for start in range(0, len(data), 64):
        parser.feed(data[start : start + 64])
        commands = list(parser)

    assert [MANY if len(data) > MANY else MANY // 64] == [len(b"".join(c)) for c in commands]
    assert time.process_time() - began < 3.0, "to look at all bytes again per piece takes > 10 s"


def test_many_commands_in_one_piece_are_linear() -> None:
    """A hundred thousand pipelined commands in one piece are not copied for each other."""
    parser = RequestParser()
    began = time.process_time()
    parser.feed(encode([b"GET", b"key"]) * 100_000)

    assert 100_000 == sum(1 for _ in parser)
    assert time.process_time() - began < 5.0


def test_replies_are_encoded() -> None:
    """Each kind of reply has its own first byte, and values may be any bytes."""
    assert b"+PONG\r\n" == simple("PONG")
    assert simple("OK") == OK
    assert b"-ERR no such key\r\n" == error("ERR no such key")
    assert b":-7\r\n" == integer(-7)
    assert b"$4\r\n\r\n\x00\xff\r\n" == bulk(b"\r\n\x00\xff")
    assert b"$-1\r\n" == bulk(None) == NIL
    assert b"$0\r\n\r\n" == bulk(b"")
    assert b"*2\r\n:1\r\n*0\r\n" == array([integer(1), array([])])


@given(st.text())
def test_an_error_is_one_line(text: str) -> None:
    """No text can end an error reply early and so forge the next reply."""
    reply = error(text)

    assert reply.startswith(b"-")
    assert reply.endswith(b"\r\n")
    assert not {b"\r", b"\n"} & {reply[at : at + 1] for at in range(len(reply) - 2)}


@pytest.mark.parametrize("text", ["a\r", "\n"])
def test_a_status_of_two_lines_is_refused(text: str) -> None:
    """A status reply with a line end is a mistake of the caller."""
    with pytest.raises(ValueError, match="expected one line"):
        simple(text)
