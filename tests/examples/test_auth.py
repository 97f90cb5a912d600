"""Passwords: clients that do not give it are refused; a service without one logs a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from examples.cache_service.client import ReplyError, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from conftest import Service

    from examples.cache_service.client import Client

PASSWORD = "open säsame"
NOAUTH = ReplyError("NOAUTH Authentication required.")
WRONG = ReplyError("WRONGPASS invalid username-password pair or user is disabled.")
NONE_SET = ReplyError(
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
HELLO_FIRST = ReplyError(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
    "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP "
    "protocol version at the same time"
)


@pytest.fixture
async def locked(stopped: Service) -> AsyncIterator[Service]:
    """The service, with a password."""
    async with stopped.run(requirepass=PASSWORD):
        yield stopped


@pytest.fixture
async def stranger(locked: Service) -> AsyncIterator[Client]:
    """A client of it that has not given the password."""
    async with await locked.connect() as client:
        yield client


async def test_stranger_can_do_nothing(stranger: Client) -> None:
    """Every command is refused, and what is refused is not done."""
    commands = [("SET", "k", "v"), ("GET", "k"), ("PING",), ("INFO",), ("KEYS", "*"), ("SCAN", 0)]
    assert [NOAUTH] * 6 == await stranger.ask_all(commands)
    assert [HELLO_FIRST, HELLO_FIRST] == await stranger.ask_all([("HELLO",), ("HELLO", 3)])
    assert [WRONG, WRONG, WRONG, WRONG, NOAUTH] == await stranger.ask_all(
        [
            ("AUTH", "open"),
            ("AUTH", ""),
            ("AUTH", "me", PASSWORD),
            ("HELLO", 3, "AUTH", "default", "open"),
            ("GET", "k"),
        ]
    )
    assert ["OK", None, "OK"] == await stranger.ask_all(
        [("AUTH", PASSWORD), ("GET", "k"), ("QUIT",)]
    )


async def test_password_opens_the_connection(locked: Service, stranger: Client) -> None:
    """AUTH with or without a user, and HELLO, each open it; a mistake later closes nothing."""
    async with await locked.connect() as other:
        assert "OK" == await stranger.ask("AUTH", "default", PASSWORD)
        hello = await other.ask("HELLO", 3, "AUTH", "default", PASSWORD)
        assert isinstance(hello, dict)
        assert hello[b"proto"] == 3
        assert [WRONG, "PONG"] == await stranger.ask_all([("AUTH", "x"), ("PING",)])
        assert ["OK", b"v"] == await other.ask_all([("SET", "k", "v"), ("GET", "k")])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"*11\r\n", "unauthenticated multibulk length"),
        (b"*2\r\n$4\r\nAUTH\r\n$16385\r\n", "unauthenticated bulk length"),
        (b"*-x\r\n", "invalid multibulk length"),
        (b"*1\r\n$-5\r\n", "invalid bulk length"),
        (b"x" * 20_000, "too big inline request"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_stranger_cannot_send_much(locked: Service, data: bytes, text: str) -> None:
    """As in Redis, large commands are for those who have given the password."""
    async with await trio.open_tcp_stream("127.0.0.1", locked.port) as stream:
        await stream.send_all(data)
        await stream.send_eof()
        reply = b"".join([part async for part in stream])
    assert b"-ERR Protocol error: %b\r\n" % text.encode() == reply


async def test_large_command_right_behind_the_password(stranger: Client) -> None:
    """What may be large is known by the order of commands, however they arrive."""
    large = b"x" * 500_000
    await stranger.stream.send_all(encode(["AUTH", PASSWORD]) + encode(["ECHO", large]))
    assert ["OK", large] == [await stranger.receive(), await stranger.receive()]


async def test_without_a_password_any_is_right(redis: Client) -> None:
    """As in Redis: the user is named, or the client is told that there is no password."""
    assert [NONE_SET, "OK", WRONG] == await redis.ask_all(
        [("AUTH", "x"), ("AUTH", "default", "x"), ("AUTH", "me", "x")]
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "::"])
async def test_warns_if_everybody_may_write(
    stopped: Service, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    """Listening beyond this machine without a password is worth a warning, and nothing else is."""
    async with stopped.run(host=host):
        pass
    warned = [text for text in caplog.messages if "requirepass" in text]
    assert len(warned) == (host in ("0.0.0.0", "::"))
    caplog.clear()

    async with stopped.run(host=host, requirepass=PASSWORD):
        pass
    assert [] == [text for text in caplog.messages if "requirepass" in text]


async def test_password_is_shown_nowhere(
    locked: Service, stranger: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither CONFIG GET nor INFO nor a log has it."""
    await stranger.ask("AUTH", PASSWORD)
    shown = await stranger.ask_all([("CONFIG", "GET", "*"), ("INFO",)])
    assert PASSWORD.encode() not in repr(shown).encode()
    assert PASSWORD not in caplog.text
