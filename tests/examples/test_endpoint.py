"""Clients on real sockets: what they send is answered or refused, and never hurts the server."""

from __future__ import annotations

import resource
from contextlib import AsyncExitStack
from random import Random
from typing import TYPE_CHECKING

import pytest
import trio
from worker_kit import until_gone

import trio_otp as otp
from examples.cache_service.client import ReplyError, encode
from examples.cache_service.connection import BATCH
from examples.cache_service.endpoint import ENDPOINT
from examples.cache_service.keyspace import REPLY_LIMIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from conftest import Service

    from examples.cache_service.client import Client


@pytest.fixture
async def service(service: Service) -> AsyncIterator[Service]:
    """The service; whatever a test does to it, its endpoint lives through it and serves."""
    endpoint = otp.whereis(ENDPOINT)
    yield service
    assert endpoint == otp.whereis(ENDPOINT)
    assert 0 == otp.ConnectionSupervisor.counts(ENDPOINT).crashed
    async with await service.connect() as client:
        assert await client.ask("PING") == "PONG"


async def received(service: Service, data: bytes) -> bytes:
    """Send bytes, end the sending side, and give all that comes back."""
    async with await trio.open_tcp_stream("127.0.0.1", service.port) as stream:
        await stream.send_all(data)
        await stream.send_eof()
        return b"".join([part async for part in stream])


async def test_commands_of_a_session(redis: Client) -> None:
    """Commands that concern no key are answered by the endpoint itself."""
    replies = await redis.ask_all(
        [
            ("PING",),
            ("ping", "hello"),
            ("ECHO", b"\r\n\0\xff"),
            ("COMMAND", "DOCS"),
            ("CLIENT", "SETNAME", "me"),
            ("CONFIG", "GET", "app*", "SAVE"),
            ("HELLO", "4"),
            ("SELECT", "16"),
            ("SELECT", "-1"),
            ("SELECT", "15"),
        ]
    )

    assert [
        "PONG",
        b"hello",
        b"\r\n\0\xff",
        [],
        "OK",
        [b"appendonly", b"yes", b"save", b""],
        ReplyError("NOPROTO unsupported protocol version"),
        ReplyError("ERR DB index is out of range"),
        ReplyError("ERR DB index is out of range"),
        "OK",
    ] == replies


async def test_hello_changes_what_replies_look_like(service: Service) -> None:
    """After HELLO 3 nothing is a null and a mapping a map, until HELLO 2; others do not notice."""
    ask = b"GET x\r\nSET x 1 XX\r\nCONFIG GET save\r\nCOMMAND DOCS\r\n"
    in_2 = b"$-1\r\n$-1\r\n*2\r\n$4\r\nsave\r\n$0\r\n\r\n*0\r\n"
    in_3 = b"_\r\n_\r\n%1\r\n$4\r\nsave\r\n$0\r\n\r\n*0\r\n"

    said = await received(
        service,
        ask + b"HELLO 3\r\n" + ask + b"HELLO\r\nHELLO 4\r\n" + ask + b"HELLO 2\r\n" + ask,
    )

    hello_3, hello = said.removeprefix(in_2).split(in_3)[:2]
    assert hello_3.startswith(b"%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n")
    refused = b"-NOPROTO unsupported protocol version\r\n"
    assert hello == hello_3 + refused
    hello_2 = b"*14" + hello_3.removeprefix(b"%7").replace(b"proto\r\n:3", b"proto\r\n:2")
    assert said == in_2 + hello_3 + in_3 + hello + in_3 + hello_2 + in_2
    assert in_2 == await received(service, ask)


async def test_numbers_are_added_as_in_redis(redis: Client) -> None:
    """INCRBY and its kin start at nothing, keep the end, and refuse what does not fit 64 bits."""
    most = 2**63 - 1
    replies = await redis.ask_all(
        [
            ("INCRBY", "n", 5),
            ("DECR", "n"),
            ("DECRBY", "n", -2),
            ("SET", "n", most, "EX", 100),
            ("INCRBY", "n", 0),
            ("INCR", "n"),
            ("INCRBY", "n", most),
            ("DECRBY", "n", most),
            ("TTL", "n"),
            ("DECRBY", "n", most),
            ("DECR", "n"),
            ("DECRBY", "n", 1),
            ("SET", "n", "1.5"),
            ("INCRBY", "n", 1),
            ("GET", "n"),
        ]
    )

    overflow = ReplyError("ERR increment or decrement would overflow")
    not_a_number = ReplyError("ERR value is not an integer or out of range")
    assert [5, 4, 6, "OK", most, overflow, overflow, 0, 100, -most, -most - 1, overflow] == (
        replies[:12]
    )
    assert ["OK", not_a_number, b"1.5"] == replies[12:]


async def test_commands_on_keys(redis: Client) -> None:
    """Entries are stored, read, counted, ended and removed as Redis does."""
    replies = await redis.ask_all(
        [
            ("SET", "k", "v"),
            ("GET", "k"),
            ("SET", "k", "w", "NX"),
            ("SET", "n", 41, "EX", 100),
            ("INCR", "n"),
            ("TTL", "n"),
            ("TTL", "k"),
            ("EXPIRE", "k", 50),
            ("TTL", "k"),
            ("PERSIST", "k"),
            ("TTL", "k"),
            ("INCR", "k"),
            ("EXISTS", "k", "n", "x"),
            ("DBSIZE",),
            ("DEL", "k", "n", "x"),
            ("GET", "k"),
            ("TTL", "k"),
        ]
    )

    not_a_number = ReplyError("ERR value is not an integer or out of range")
    assert ["OK", b"v", None, "OK", 42, 100, -1, 1, 50, 1, -1, not_a_number, 2, 2, 2, None, -2] == (
        replies
    )


async def test_entry_ends_in_time(redis: Client) -> None:
    """An entry with an end is there until it has come."""
    await redis.ask("SET", "k", "v", "PX", 3_600_000)
    assert await redis.ask("GET", "k") == b"v"
    await redis.ask("SET", "k", "v", "PX", 1)
    await until_gone(redis, "k")


async def test_info_counts_commits(redis: Client) -> None:
    """INFO tells who is connected and how many commits there were for how many operations."""
    await redis.ask_all([("SET", f"k{n}", n) for n in range(10)])
    text = await redis.ask("INFO")
    assert isinstance(text, bytes)
    facts = dict(line.split(b":") for line in text.splitlines() if b":" in line)

    assert b"1" == facts[b"connected_clients"]
    assert (b"1", b"10") == (facts[b"commits"], facts[b"operations"])


async def test_each_connection_has_its_keyspace(service: Service, redis: Client) -> None:
    """SELECT concerns the connection that sent it; the same key elsewhere is another entry."""
    async with await service.connect() as other:
        await redis.ask_all([("SET", "k", "zero"), ("SELECT", 1), ("SET", "k", "one")])

        assert b"zero" == await other.ask("GET", "k")
        assert [b"one", "OK", b"zero"] == await redis.ask_all(
            [("GET", "k"), ("SELECT", 0), ("GET", "k")]
        )


async def test_pipeline_is_answered_in_order(redis: Client) -> None:
    """However many commands of every kind come together, replies come in their order."""
    commands: list[tuple[str | int, ...]] = []
    expected: list[object] = []
    for n in range(3 * BATCH):
        commands += [("SET", "k", n), ("GET", "k"), ("ECHO", n), ("FLY",)]
        unknown = ReplyError("ERR unknown command 'FLY', with args beginning with: ")
        expected += ["OK", b"%d" % n, b"%d" % n, unknown]

    assert expected == await redis.ask_all(commands)


async def test_split_anywhere(redis: Client) -> None:
    """A command that arrives byte by byte is one command."""
    for byte in encode(["SET", "k", "v"]) + b"GET k\r\n":
        await redis.stream.send_all(bytes([byte]))
    assert ["OK", b"v"] == [await redis.receive(), await redis.receive()]


async def test_many_large_replies(redis: Client) -> None:
    """Large values are sent in parts, all of them."""
    value = b"x" * (REPLY_LIMIT // 2)
    await redis.ask("SET", "k", value)

    assert [value] * 20 == await redis.ask_all([("GET", "k")] * 20)


async def test_client_that_does_not_read_delays_nobody(service: Service, redis: Client) -> None:
    """While one client lets its replies pile up, others are served."""
    value = b"x" * 500_000
    await redis.ask("SET", "k", value)
    async with await service.connect() as lazy:
        await lazy.send([("GET", "k")] * 100)
        for _ in range(50):
            assert await redis.ask("PING") == "PONG"
        assert value == await lazy.receive()


async def test_quit(service: Service) -> None:
    """QUIT is answered, what comes after it is not, and the connection is closed."""
    assert b"$2\r\nhi\r\n+OK\r\n" == await received(service, b"ECHO hi\r\nQUIT\r\nPING\r\n")


async def test_half_closed_socket_gets_its_replies(service: Service) -> None:
    """A client that sends all it has to say and ends its side is answered before the close."""
    data = encode(["SET", "k", "v"]) + encode(["GET", "k"]) + b"*2\r\n$3\r\nGET"

    assert b"+OK\r\n$1\r\nv\r\n" == await received(service, data)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"*1\r\nPING\r\n", "expected '$', got 'P'"),
        (b"*zwei\r\n", "invalid multibulk length"),
        (b"*1000000000\r\n", "invalid multibulk length"),
        (b"*1\r\n" * 100_000, "expected '$', got '*'"),
        (b"*1\r\n$-5\r\n", "invalid bulk length"),
        (b"*1\r\n$9999999999\r\n", "invalid bulk length"),
        (b"*1\r\n$4\r\nPINGPONG", "expected CRLF after a bulk string"),
        (b"ECHO 'open\r\n", "unbalanced quotes in request"),
        (b"x" * 200_000, "too big inline request"),
        (encode(["ECHO", *["x" * 500_000] * 9]), "too big command"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_broken_frame_is_refused(service: Service, data: bytes, text: str) -> None:
    """What is no request is answered with an error, after what came before it, and a close."""
    reply = b"+PONG\r\n-ERR Protocol error: %b\r\n" % text.encode()

    assert reply == await received(service, b"PING\r\n" + data)


@pytest.mark.parametrize(
    "head",
    [
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n",
        "post / http/1.1\n\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "PUT /x HTTP/1.0\r\n\r\n",
        "PING\r\nHost: x\r\n",
        "*1\r\n$4\r\nPOST\r\n",
        "\r\nOPTIONS * HTTP/1.1\r\n",
        "Content-Type: text/plain\r\n",
    ],
)
async def test_http_is_turned_away(
    service: Service, caplog: pytest.LogCaptureFixture, head: str
) -> None:
    """What comes before HTTP is carried out, nothing after it, and a warning tells of it once."""
    before, after = "SET before 1\r\n", "SET after 1\r\nEXPORT out\r\n" * 100
    reply = await received(service, (before + head + after).encode())

    assert reply.startswith(b"+OK\r\n")
    assert reply.endswith(b"-ERR this port speaks the Redis protocol, not HTTP\r\n")
    assert reply.count(b"\r\n") == 2 + head.startswith("PING")
    async with await service.connect() as client:
        assert [b"1", None] == await client.ask_all([("GET", "before"), ("GET", "after")])
    assert [] == list(service.exports.iterdir())
    assert [1] == [text.count("HTTP") for text in caplog.messages if "connection" in text]


async def test_a_minute_of_http_is_one_warning(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """A page that tries again and again does not fill the log."""
    for _ in range(5):
        await received(service, b"POST / HTTP/1.1\r\n\r\n")

    assert 1 == sum("HTTP" in text for text in caplog.messages)


async def test_refusal_is_read_by_a_client_that_still_sends(service: Service) -> None:
    """A client in the middle of a huge frame gets to read why it is turned away."""
    async with await trio.open_tcp_stream("127.0.0.1", service.port) as stream:
        await stream.send_all(b"*2\r\n$4\r\nECHO\r\n$99999999\r\n" + b"x" * 3_000_000)
        reply = await stream.receive_some()

    assert b"-ERR Protocol error: invalid bulk length\r\n" == reply


PIECES = [
    *[b"*%d\r\n" % n for n in (-1, 0, 1, 2, 3, 1024, 1025)],
    *[b"$%d\r\n" % n for n in (-1, 0, 1, 3, 4, 600_000)],
    *[b"SET", b"GET", b"INCRBY", b"HELLO", b"CLIENT", b"CONFIG", b"EXPORT", b"SELECT", b"AUTH"],
    *[b"k", b"1", b"9" * 30, b"-0", b"..", b"/etc", b"\r\n", b"\n", b"\r", b" ", b"\0", b"\xff"],
    *[b"'", b'"', b"\\x", b"Host:", b"POST", b"HTTP/1.1", b"_\r\n", b"%1\r\n", b"x" * 500],
]


async def test_any_bytes_are_answered_or_refused(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever clients send, no connection fails by an error of the service."""
    random = Random(1)
    for _ in range(150):
        pieces = random.choices(PIECES, k=random.randrange(1, 30))
        reply = await received(service, b"".join(pieces))
        assert reply == b"" or reply[:1] in b"+-:$*%_"
    assert [] == [record for record in caplog.records if record.levelname == "ERROR"]
    assert [] == list(service.exports.iterdir())


async def test_connections_that_break(service: Service) -> None:
    """Clients that vanish at any point leave nothing behind."""
    for data in (b"", b"PING\r\n", b"*2\r\n$3\r\nGE", encode(["SET", "k", "v"]) * 1000):
        stream = await trio.open_tcp_stream("127.0.0.1", service.port)
        await stream.send_all(data)
        linger = b"\1\0\0\0\0\0\0\0"  # on, 0 seconds: closing resets the connection
        stream.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)
        await stream.aclose()


@pytest.fixture
def many_files() -> Iterator[None]:
    """Allow so many open files that both ends of all connections find room in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_too_many_connections(stopped: Service) -> None:
    """One client more than the service takes is told so, and nobody else notices."""
    async with stopped.run(max_clients=1), await stopped.connect() as first:
        assert await first.ask("PING") == "PONG"
        assert b"-ERR max number of clients reached\r\n" == await received(stopped, b"PING\r\n")
        assert await first.ask("PING") == "PONG"


@pytest.mark.slow
async def test_thousand_connections(service: Service, many_files: None) -> None:
    """A thousand clients are connected at once, and each is served."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(await service.connect()) for _ in range(1000)]
        for n, client in enumerate(clients):
            await client.send([("SET", f"k{n}", n), ("GET", f"k{n}")])
        for n, client in enumerate(clients):
            assert ["OK", b"%d" % n] == [await client.receive(), await client.receive()]
