"""Clients that keep the service waiting: each has limited time, and all together limited memory."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from examples.cache_service.client import encode
from examples.cache_service.client_memory import ClientMemory, ClientWait
from examples.cache_service.connection import Connection
from examples.cache_service.endpoint import Endpoint, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from conftest import Service
    from trio.testing import MockClock

STALLED = b"-ERR Protocol error: the rest of a command did not come in time\r\n"
NOAUTH = b"-NOAUTH Authentication required.\r\n"
EVICTED = b"-ERR max client memory reached\r\n"
HALF = b"*2\r\n$4\r\nECHO\r\n$500000\r\n" + b"x" * 400_000
MB = 1024 * 1024
PAIRS = {
    "memory": trio.testing.memory_stream_pair,
    "lockstep": trio.testing.lockstep_stream_pair,  # to send is to wait until it is taken
}


async def until_it_is_closed(stream: trio.abc.ReceiveStream) -> bytes:
    """Return what arrives until the service ends the connection."""
    return b"".join([part async for part in stream])


async def info(service: Service) -> dict[str, str]:
    async with await service.connect() as client:
        text = await client.ask("INFO")
    assert isinstance(text, bytes)
    return dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)


async def connected(stack: AsyncExitStack, service: Service) -> trio.SocketStream:
    return await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", service.port))


@asynccontextmanager
async def serving(**settings: Any) -> AsyncGenerator[tuple[Endpoint, trio.StapledStream[Any, Any]]]:
    """A connection on the virtual clock; the stream is that of the client."""
    ours, theirs = PAIRS[settings.pop("pair", "memory")]()
    endpoint = Endpoint(Settings(**settings))

    async def serve() -> None:
        async with theirs:
            await Connection(endpoint, theirs, 1).serve()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        yield endpoint, ours
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("half", [b"*", b"*2\r\n", b"GE", HALF, b"*2\r\n$3\r\nGET\r\n$0\r\n\r"])
async def test_half_a_command_has_its_time(autojump_clock: MockClock, half: bytes) -> None:
    """A client that never sends the rest gets an error, after the replies to what was whole."""
    async with serving(stall_timeout=60.0) as (endpoint, client):
        await client.send_all(b"PING\r\n" + half)
        began = trio.current_time()
        assert b"+PONG\r\n" + STALLED == await until_it_is_closed(client)
        assert began + 60 == trio.current_time()
    assert 1 == endpoint.counters.timed_out


async def test_a_byte_now_and_then_is_not_enough(autojump_clock: MockClock) -> None:
    """The time is that of the whole command, however it trickles in."""
    async with serving(stall_timeout=60.0) as (_, client), trio.open_nursery() as nursery:

        async def trickle() -> None:
            while True:
                await client.send_all(b"x")
                await trio.sleep(7)

        began = trio.current_time()
        nursery.start_soon(trickle)
        assert STALLED == await until_it_is_closed(client)
        assert began + 60 == trio.current_time()
        nursery.cancel_scope.cancel()


async def test_commands_that_are_complete_in_time_may_go_on(autojump_clock: MockClock) -> None:
    """A client is served for ever, though there is always half a command of it."""
    data = encode(["ECHO", "hello"])
    async with serving(stall_timeout=60.0) as (_, client):
        await client.send_all(data[:5])
        for _ in range(100):
            await trio.sleep(59)
            await client.send_all(data[5:] + data[:5])
            assert b"$5\r\nhello\r\n" == await client.receive_some()


async def test_idle_client_stays_unless_told_otherwise(autojump_clock: MockClock) -> None:
    """Without a time-out, which is as in Redis, only half-sent commands have their time."""
    async with serving() as (_, client):
        await client.send_all(b"PING\r\n")
        assert b"+PONG\r\n" == await client.receive_some()
        await trio.sleep(80_000)
        await client.send_all(b"PI")  # its time begins now
        await trio.sleep(59)
        await client.send_all(b"NG\r\n")
        assert b"+PONG\r\n" == await client.receive_some()


async def test_idle_client_is_closed_after_its_time(autojump_clock: MockClock) -> None:
    """With a time-out a silent client is disconnected without an error."""
    async with serving(timeout=300.0) as (endpoint, client):
        for _ in range(3):
            await trio.sleep(299)
            await client.send_all(b"PING\r\n")
            assert b"+PONG\r\n" == await client.receive_some()
        began = trio.current_time()
        assert b"" == await until_it_is_closed(client)
        assert began + 300 == trio.current_time()
    assert 1 == endpoint.counters.timed_out


async def test_stranger_has_little_time(autojump_clock: MockClock) -> None:
    """A client that gives no password keeps its place only so long, whatever else it sends."""
    async with serving(requirepass="x", stall_timeout=60.0) as (_, client):
        for _ in range(3):
            await trio.sleep(19)
            await client.send_all(b"PING\r\n")
            assert NOAUTH == await client.receive_some()
        assert NOAUTH == await until_it_is_closed(client)
        assert trio.current_time() == 60


async def test_a_client_that_takes_no_replies_has_its_time(autojump_clock: MockClock) -> None:
    """A client that reads no replies is disconnected; one that reads some now and then is not."""
    ask = encode(["ECHO", b"x" * 500_000])
    async with serving(pair="lockstep", stall_timeout=60.0) as (endpoint, client):
        await client.send_all(ask)
        received = 0
        while received < 500_011:
            received += len(await client.receive_some(65_536))
            await trio.sleep(20)
        await client.send_all(ask)
        await trio.sleep(61)
        assert (0, 1) == (endpoint.memory.used, endpoint.counters.timed_out)


async def test_all_together_have_a_bound(
    stopped: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """If incomplete commands exceed it, the largest is disconnected; small clients notice nothing.

    The log has one line, however many there are.
    """
    async with stopped.run(max_client_memory=2 * MB), AsyncExitStack() as stack:
        small = await stack.enter_async_context(await stopped.connect())
        streams = [await connected(stack, stopped) for _ in range(20)]
        for stream in streams:
            await stream.send_all(HALF)
            assert await small.ask("PING") == "PONG"
        with trio.fail_after(60):
            while (await info(stopped))["evicted_clients"] != "15":
                pass
        facts = await info(stopped)
        assert 5 * 400_000 <= int(facts["client_memory"]) <= 2 * MB

        left = 0
        for stream in streams:
            with trio.move_on_after(0.05) as scope:
                assert EVICTED == await until_it_is_closed(stream)
            left += scope.cancelled_caught
        assert left == 5
        assert await small.ask("SET", "k", b"x" * 100_000) == "OK"
    assert 1 == sum("max_client_memory" in text for text in caplog.messages)


async def test_the_largest_goes_first() -> None:
    """The client that occupies most is disconnected, not the last; freed memory does not count."""
    memory = ClientMemory(100)
    turned_away: list[int] = []

    async def wait(size: int) -> None:
        wait = ClientWait(memory)
        with wait.scope:
            wait.begin(size, trio.current_time() + 1000)
            await trio.sleep_forever()
        assert wait.evicted
        wait.end()
        turned_away.append(size)

    async with trio.open_nursery() as nursery:
        for size in (0, 60, 30, 20, 5, 200):
            nursery.start_soon(wait, size)
            await trio.testing.wait_all_tasks_blocked()
        assert [60, 200] == turned_away
        assert 55 == memory.used
        nursery.cancel_scope.cancel()
    assert 2 == memory.evicted
