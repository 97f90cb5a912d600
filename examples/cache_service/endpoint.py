"""What answers one client: a handler for `trio.serve_tcp`, which is a supervised child as it is.

A client may send many commands before it reads a reply. What has arrived is answered in order and
sent together; commands on keys that follow each other go to the keyspace's worker as one batch,
so that their writes share a commit. Nothing more is read until the replies have been taken: a
client that does not read cannot fill the memory.

Whatever happens behind it, the worst that a connection meets is an error reply: workers and the
Repo may end and come back while it stays. Whatever the client does, the worst that the server
meets is a closed connection.
"""

from __future__ import annotations

import logging
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
from .resp import OK, ProtocolError, RequestParser, array, bulk, error, integer, simple
from .worker import TryAgain, execute, export_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .commands import SessionCommand

RECEIVE: Final = 64 * 1024  # bytes
BATCH: Final = 100  # commands carried out, and replies sent, at once: others have their turn too
LINGER: Final = 1.0  # seconds a client gets to read why it is turned away
HELLO: Final = array([bulk(b"server"), bulk(b"redis"), bulk(b"proto"), integer(2)])

_log = logging.getLogger("examples.cache_service")


class Endpoint:
    """Serves connections, each in its own task of the server that calls it.

    Args:
        keyspaces: how many there are.
        max_clients: how many connections are served at a time; more are told so and closed.
    """

    def __init__(self, *, keyspaces: int = 16, max_clients: int = 10_000) -> None:
        self.keyspaces = keyspaces
        self.max_clients = max_clients
        self.clients = 0
        self.started_at = time.monotonic()

    async def handle(self, stream: trio.SocketStream) -> None:
        """Serve one connection until either side ends it; never raises an `Exception`."""
        self.clients += 1
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

    def config(self, patterns: Sequence[bytes]) -> bytes:
        """Encode the settings whose names fit one of the patterns."""
        settings = {
            b"appendonly": b"yes",
            b"databases": b"%d" % self.keyspaces,
            b"maxclients": b"%d" % self.max_clients,
            b"save": b"",
        }
        wanted = [pattern.lower() for pattern in patterns]
        found = [
            (name, value)
            for name, value in settings.items()
            if any(fnmatchcase(name, pattern) for pattern in wanted)
        ]
        return array(bulk(word) for setting in found for word in setting)

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
        except ProtocolError as exc:
            await self._finish_batch()
            await self._send()
            await _turn_away(self._stream, str(exc))

    async def _answer(self) -> None:
        for request in self._parser:
            try:
                command = parse(request)
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
            self._replies += replies
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
                return self._endpoint.config(patterns)
            case Hello():
                return HELLO
            case Inquiry():
                return array([])
            case Remark() | Quit():
                return OK
            case _:
                assert_never(command)

    def _select(self, keyspace: int) -> bytes:
        if not 0 <= keyspace < self._endpoint.keyspaces:
            return error("ERR DB index is out of range")
        self._keyspace = keyspace
        return OK

    async def _export(self, path: str) -> bytes:
        try:
            return await export_to(self._keyspace, path)
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
