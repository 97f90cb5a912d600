"""GET of the cache service of the examples, from 50 clients over real sockets.

The clients are tasks of the same run: they send what is encoded already, and count bytes.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import trio

import trio_otp as otp
from examples.cache_service import connection
from examples.cache_service.app import CacheService, port_of
from examples.cache_service.keyspace import Keyspace
from examples.cache_service.store import Entry

from ..measure import Sample, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CLIENTS: Final = 50
KEY, VALUE = b"key", b"v" * 100
SET: Final = b"*3\r\n$3\r\nSET\r\n$3\r\n%b\r\n$100\r\n%b\r\n" % (KEY, VALUE)
GET: Final = b"*2\r\n$3\r\nGET\r\n$3\r\n%b\r\n" % KEY
REPLY: Final = b"$100\r\n%b\r\n" % VALUE


async def gets(n: int, depth: int) -> Sample:
    """The service as it is: each batch is a call of the worker of its keyspace."""
    return await _measured(n, depth)


async def straight_gets(n: int, depth: int) -> Sample:
    """The same endpoint, whose batches are a checkpoint and the function of the keyspace."""
    with _without_worker():
        return await _measured(n, depth)


@contextmanager
def _without_worker() -> Iterator[None]:
    space = Keyspace(0, {KEY: Entry(VALUE)}, time.time)

    async def execute(_number: int, batch: Sequence[Any]) -> list[bytes]:
        await trio.lowlevel.checkpoint()
        return space.read(batch)

    with patch.object(connection, "execute", execute):
        yield


async def _measured(n: int, depth: int) -> Sample:
    with TemporaryDirectory() as folder:
        settings = {"port": 0, "path": str(Path(folder, "cache.db"))}
        async with otp.open_application(CacheService, environment=settings):
            streams = [await _connected() for _ in range(min(n // depth, CLIENTS))]
            if connection.execute.__module__ != __name__:
                await _ask(streams[0], SET, b"+OK\r\n")
            for stream in streams:
                await _ask(stream, GET, REPLY)
            times = n // depth // len(streams)
            watch = Watch()
            async with trio.open_nursery() as nursery:
                for stream in streams:
                    nursery.start_soon(_client, stream, times, depth)
            sample = watch.sample(times * depth * len(streams))
            for stream in streams:
                await stream.aclose()
    return sample


async def _connected() -> trio.SocketStream:
    stream = await trio.open_tcp_stream("127.0.0.1", port_of())
    stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
    return stream


async def _client(stream: trio.SocketStream, times: int, depth: int) -> None:
    request, reply = GET * depth, REPLY * depth
    for _ in range(times):
        await _ask(stream, request, reply)


async def _ask(stream: trio.SocketStream, request: bytes, reply: bytes) -> None:
    await stream.send_all(request)
    missing = len(reply)
    while missing > 0:
        received = await stream.receive_some(65536)
        if not received:
            raise trio.BrokenResourceError("the service has closed the connection")
        missing -= len(received)
