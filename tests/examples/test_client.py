"""The demonstration's own client: a reply is that of its command, or there is none."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from examples.cache_service.client import (
    DEEPEST,
    LARGEST,
    Client,
    Disconnected,
    NoReply,
    ReplyError,
    encode,
)
from examples.cache_service.load import Journal, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Service

    from examples.cache_service.client import Reply


def pair() -> tuple[Client, trio.StapledStream[trio.abc.SendStream, trio.abc.ReceiveStream]]:
    """Return a client, and the server's end of its connection."""
    here, there = trio.testing.memory_stream_pair()
    return Client(here), there


async def cancel_after(turns: int, scope: trio.CancelScope) -> None:
    for _ in range(turns):
        await trio.lowlevel.checkpoint()
    scope.cancel()


async def test_a_cancelled_command_keeps_its_reply(service: Service) -> None:
    """However far a command got before it was cancelled, the next one is not given its reply."""
    for turns in range(12):
        async with await service.connect() as client:
            await client.ask_all([("SET", "foo", "of foo"), ("SET", "bar", "of bar")])
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(cancel_after, turns, scope)
                    await client.ask("GET", "foo")
            if scope.cancelled_caught:
                with pytest.raises(Disconnected, match="connect anew"):
                    await client.ask("GET", "bar")
            else:
                assert await client.ask("GET", "bar") == b"of bar"


async def test_a_cancelled_session_connects_anew(service: Service) -> None:
    """A client that does not give up goes on after a time-out, with replies of its own."""
    async with Session(service.port, 0, Journal()) as session:
        await session.store([(b"foo", b"of foo"), (b"bar", b"of bar")])
        for turns in range(12):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(cancel_after, turns, scope)
                    await session.ask_all([("GET", "foo")])
            assert [b"of bar"] == await session.ask_all([("GET", "bar")])
        assert session.journal.closed > 3


@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.ask("PING"),
        lambda client: client.ask_all([("PING",), ("PING",)]),
        lambda client: client.receive(),
    ],
    ids=["ask", "ask_all", "receive"],
)
async def test_after_a_time_out_the_connection_is_closed(
    use: Callable[[Client], object], autojump_clock: trio.testing.MockClock
) -> None:
    """A time-out in the middle of a reply closes the connection, for every later use."""
    client, server = pair()
    await server.send_all(b"*2\r\n:1\r\n$5\r\nhal")

    with trio.move_on_after(1) as scope:
        await use(client)  # type: ignore[misc]
    assert scope.cancelled_caught

    with pytest.raises(trio.BrokenResourceError):
        await server.send_all(b"f a\r\n")
    for again in (client.ask("PING"), client.send([("PING",)]), client.receive()):
        with pytest.raises(Disconnected):
            await again


async def test_tasks_take_turns(service: Service) -> None:
    """Each of many tasks that ask over one connection gets its own reply."""
    replies: dict[int, Reply] = {}
    async with await service.connect() as client:

        async def ask(number: int) -> None:
            replies[number] = await client.ask("ECHO", number)

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(ask, number)

    assert {number: b"%d" % number for number in range(20)} == replies


async def test_what_was_sent_is_received_before_more_is_asked(service: Service) -> None:
    """A reply to `send` is never taken for that to `ask`, however tasks follow each other."""
    async with await service.connect() as client:
        await client.send([("ECHO", "first"), ("ECHO", "second")])
        with pytest.raises(RuntimeError, match="2 replies"):
            await client.ask("ECHO", "third")
        assert [b"first", b"second"] == [await client.receive(), await client.receive()]
        assert b"third" == await client.ask("ECHO", "third")

        async def ask() -> None:
            assert b"asked" == await client.ask("ECHO", "asked")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            await client.send([("ECHO", "sent")])
            assert b"sent" == await client.receive()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"*1\r\n" * 100_000, f"more than {DEEPEST} arrays"),
        (b"%1\r\n$1\r\nk\r\n" * 100_000, f"more than {DEEPEST} arrays"),
        (b"$%d\r\n" % (LARGEST + 1), "more than"),
        pytest.param(
            b"*%d\r\n" % 10**15 + b":1\r\n" * 1_100_000, "more than", marks=pytest.mark.slow
        ),
        (b"+" + b"x" * 200_000, "a line of more than"),
        (b"$-2\r\n", "negative"),
        (b"*-2\r\n", "negative"),
        (b"$1_0\r\n0123456789\r\n", "no number"),
        (b":\r\n", "no number"),
        (b":" + b"9" * 5000 + b"\r\n", "no number"),
        (b"$2\r\nabcd\r\n", "without its line end"),
        (b"%1\r\n*0\r\n:1\r\n", "key of a map"),
        (b"\r\n", "is no reply"),
        (b"HTTP/1.1 400 Bad Request\r\n", "is no reply"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_no_reply_closes_the_connection(data: bytes, error: str) -> None:
    """A server that sends too much, too deep or nonsense costs a connection and little memory."""
    client, server = pair()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def _() -> None:
            with suppress(trio.BrokenResourceError):
                for start in range(0, len(data), 4096):
                    await server.send_all(data[start : start + 4096])

        with pytest.raises(NoReply, match=error):
            await client.ask("PING")
    with pytest.raises(Disconnected):
        await client.ask("PING")


async def test_replies_of_both_versions() -> None:
    """Every kind of reply that the service sends is understood."""
    client, server = pair()
    await server.send_all(
        b"*7\r\n_\r\n$-1\r\n*-1\r\n%1\r\n$1\r\nk\r\n*1\r\n:-5\r\n+OK\r\n-ERR no\r\n$0\r\n\r\n"
    )

    assert [None, None, None, {b"k": [-5]}, "OK", ReplyError("ERR no"), b""] == (
        await client.receive()
    )


async def test_as_deep_as_allowed() -> None:
    """Arrays within each other are a reply, up to the limit."""
    client, server = pair()
    await server.send_all(b"*1\r\n" * DEEPEST + b":7\r\n")
    reply = await client.receive()
    for _ in range(DEEPEST):
        assert isinstance(reply, list)
        [reply] = reply
    assert reply == 7


LINES = st.sampled_from(
    [b"*1", b"*2", b"%1", b"$3", b"abc", b"$0", b"", b":1", b"_", b"+a", b"-ERR", b"$-1", b"*x"]
)


@given(
    st.binary(max_size=200) | st.lists(LINES, max_size=20).map(b"\r\n".join),
    st.lists(st.integers(1, 50), max_size=5),
)
def test_any_bytes_are_replies_or_an_error(data: bytes, cuts: list[int]) -> None:
    """Whatever a server sends, and however it is split, nothing else is raised."""

    async def main() -> None:
        client, server = pair()
        at = 0
        for cut in cuts:
            await server.send_all(data[at : at + cut])
            at += cut
        await server.send_all(data[at:])
        await server.aclose()
        with suppress(EOFError, NoReply):
            for _ in range(len(data) + 1):
                await client.receive()
            pytest.fail("there are more replies than bytes")

    trio.run(main)


def test_commands_are_encoded_as_arrays_of_strings() -> None:
    """Words may be bytes, text or numbers."""
    assert encode([b"SET", "k", 5]) == b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n5\r\n"
