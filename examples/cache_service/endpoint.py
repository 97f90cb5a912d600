"""What answers one client: a handler for `trio.serve_tcp`, which is a supervised child as it is.

A client may send many commands before it reads a reply. What has arrived is answered in order and
sent together; commands on keys that follow each other go to the keyspace's worker as one batch,
so that their writes share a commit. Nothing more is read until the replies have been taken: a
client that does not read cannot fill the memory.

A client that speaks HTTP is turned away at its first line: a browser lets any page send what it
likes to any port, and the body of such a request could be commands.

Whatever happens behind it, the worst that a connection meets is an error reply: workers and the
Repo may end and come back while it stays. Whatever the client does, the worst that the server
meets is a closed connection.
"""

from __future__ import annotations

import logging
import math
import os
import time
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, assert_never

import trio

import trio_otp as otp

from .commands import (
    CommandError,
    ConfigGet,
    Echo,
    Export,
    Hello,
    HttpError,
    Info,
    Inquiry,
    KeyCommand,
    Ping,
    Quit,
    Remark,
    Select,
    parse,
)
from .repo import Repo
from .resp import (
    NIL,
    NULL,
    OK,
    ProtocolError,
    RequestParser,
    array,
    bulk,
    error,
    integer,
    mapping,
    simple,
)
from .worker import TryAgain, execute, export_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import Literal

    from .commands import SessionCommand

RECEIVE: Final = 64 * 1024  # bytes
BATCH: Final = 100  # commands carried out, and replies sent, at once: others have their turn too
LINGER: Final = 1.0  # seconds a client gets to read why it is turned away
WARN_EVERY: Final = 60.0  # seconds between two warnings of clients that speak HTTP
VERSION: Final = b"7.0.0"  # of the Redis whose replies these are; clients decide by it

_log = logging.getLogger("examples.cache_service")


class Endpoint:
    """Serves connections, each in its own task of the server that calls it.

    Args:
        keyspaces: how many there are.
        max_clients: how many connections are served at a time; more are told so and closed.
        export_dir: the directory for exports; without one they are refused.
    """

    def __init__(
        self, *, keyspaces: int = 16, max_clients: int = 10_000, export_dir: Path | None = None
    ) -> None:
        self.keyspaces = keyspaces
        self.max_clients = max_clients
        self.export_dir = export_dir
        self.clients = 0
        self.connections = 0  # since the start
        self._unwarned = 0  # connections that spoke HTTP since the last warning
        self._quiet_until = -math.inf
        self.started_at = time.monotonic()

    async def handle(self, stream: trio.SocketStream) -> None:
        """Serve one connection until either side ends it; never raises an `Exception`."""
        self.clients += 1
        self.connections += 1
        try:
            if self.clients > self.max_clients:
                await _turn_away(stream, "ERR max number of clients reached")
            else:
                await Connection(self, stream).serve()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            _log.debug("a client broke its connection")
        except Exception:
            _log.exception("a connection failed and was closed")
        finally:
            self.clients -= 1

    def warn_of_http(self) -> None:
        """Log that a client spoke HTTP: the first at once, then a line a minute with the number."""
        self._unwarned += 1
        now = trio.current_time()
        if now >= self._quiet_until:
            _log.warning(
                "turned away %d connection(s) that spoke HTTP: perhaps a web page tries to send "
                "commands to this port",
                self._unwarned,
            )
            self._unwarned, self._quiet_until = 0, now + WARN_EVERY

    def config(self, patterns: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        """Return the settings whose names fit one of the patterns, with their values."""
        settings = {
            b"appendonly": b"yes",
            b"databases": b"%d" % self.keyspaces,
            b"maxclients": b"%d" % self.max_clients,
            b"save": b"",
        }
        wanted = [pattern.lower() for pattern in patterns]
        return [
            (name, value)
            for name, value in settings.items()
            if any(fnmatchcase(name, pattern) for pattern in wanted)
        ]

    async def info(self) -> bytes:
        """Describe the service, and the store if it is there."""
        lines = [
            "# Server",
            f"process_id:{os.getpid()}",
            f"uptime_in_seconds:{time.monotonic() - self.started_at:.0f}",
            "# Clients",
            f"connected_clients:{self.clients}",
            "# Persistence",
            *await _store_lines(),
        ]
        return bulk("\r\n".join([*lines, ""]).encode())


async def _store_lines() -> list[str]:
    try:
        stats = await Repo.stats(Repo)
    except otp.OtpError:
        return ["loading:1"]
    return [
        "loading:0",
        f"commits:{stats.commits}",
        f"operations:{stats.operations}",
        f"callers_waiting:{stats.waiting}",
    ]


class _Quit(Exception):
    """The client wants no more."""


class Connection:
    """One client: its keyspace, its commands in order, its replies.

    Args:
        endpoint: what it belongs to.
        stream: the socket; whoever opened it closes it.
    """

    def __init__(self, endpoint: Endpoint, stream: trio.SocketStream) -> None:
        self._endpoint = endpoint
        self._stream = stream
        self._parser = RequestParser()
        self._number = endpoint.connections
        self._version: Literal[2, 3] = 2  # of the protocol, for replies
        self._keyspace = 0
        self._batch: list[KeyCommand] = []
        self._replies: list[bytes] = []

    async def serve(self) -> None:
        """Answer until the client has no more to say, quits, or breaks the protocol."""
        try:
            while data := await self._stream.receive_some(RECEIVE):
                self._parser.feed(data)
                await self._answer()
        except _Quit:
            await self._send()
        except (ProtocolError, HttpError) as exc:
            if isinstance(exc, HttpError):
                self._endpoint.warn_of_http()
            await self._finish_batch()
            await self._send()
            await _turn_away(self._stream, str(exc))

    async def _answer(self) -> None:
        for request in self._parser:
            try:
                command = parse(request)
            except HttpError:
                raise
            except CommandError as exc:
                await self._finish_batch()
                self._replies.append(error(str(exc)))
                continue
            if isinstance(command, KeyCommand):
                self._batch.append(command)
                if len(self._batch) >= BATCH:
                    await self._finish_batch()
            else:
                await self._answer_one(command)
        if self._batch:
            await self._finish_batch()
        await self._send()

    async def _answer_one(self, command: SessionCommand | Export) -> None:
        if self._batch:
            await self._finish_batch()
        self._replies.append(await self._reply(command))
        if len(self._replies) >= BATCH:
            await self._send()
        if isinstance(command, Quit):
            raise _Quit

    async def _finish_batch(self) -> None:
        """Let the worker carry out the commands on keys that have come together."""
        batch, self._batch = self._batch, []
        while batch:
            try:
                replies = await execute(self._keyspace, batch)
            except TryAgain as exc:
                replies = [error(str(exc))] * len(batch)
            # An encoded value is never the same: it begins with its length.
            nil = NIL if self._version == 2 else NULL
            self._replies += [nil if reply == NIL else reply for reply in replies]
            batch = batch[len(replies) :]
            if batch or len(self._replies) >= BATCH:
                await self._send()

    async def _reply(self, command: SessionCommand | Export) -> bytes:
        match command:
            case Ping(None):
                return simple("PONG")
            case Ping(message) | Echo(message):
                return bulk(message)
            case Select(keyspace):
                return self._select(keyspace)
            case Export(path):
                return await self._export(path)
            case Info():
                return await self._endpoint.info()
            case ConfigGet(patterns):
                found = self._endpoint.config(patterns)
                return self._mapping((name, bulk(value)) for name, value in found)
            case Hello(version):
                self._version = version or self._version
                return self._hello()
            case Inquiry():
                return array([])
            case Remark() | Quit():
                return OK
            case _:
                assert_never(command)

    def _hello(self) -> bytes:
        return self._mapping(
            [
                (b"server", bulk(b"redis")),
                (b"version", bulk(VERSION)),
                (b"proto", integer(self._version)),
                (b"id", integer(self._number)),
                (b"mode", bulk(b"standalone")),
                (b"role", bulk(b"master")),
                (b"modules", array([])),
            ]
        )

    def _mapping(self, items: Iterable[tuple[bytes, bytes]]) -> bytes:
        return mapping(((bulk(key), value) for key, value in items), self._version)

    def _select(self, keyspace: int) -> bytes:
        if not 0 <= keyspace < self._endpoint.keyspaces:
            return error("ERR DB index is out of range")
        self._keyspace = keyspace
        return OK

    async def _export(self, path: str) -> bytes:
        root = self._endpoint.export_dir
        if root is None:
            return error("ERR EXPORT is off: the service has no export_dir in its environment")
        try:
            return await export_to(self._keyspace, root, path)
        except TryAgain as exc:
            return error(str(exc))

    async def _send(self) -> None:
        if self._replies:
            replies, self._replies = self._replies, []
            await self._stream.send_all(b"".join(replies))


async def _turn_away(stream: trio.SocketStream, why: str) -> None:
    """Send an error and close, leaving the client time to read it.

    A socket that is closed while there is something to receive is reset, and what was sent may
    be lost with it.
    """
    await stream.send_all(error(why))
    await stream.send_eof()
    with trio.move_on_after(LINGER):
        while await stream.receive_some(RECEIVE):
            pass
