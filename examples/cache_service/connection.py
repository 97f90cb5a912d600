"""One client: its commands in order, its replies, and its limits.

A client may send many commands before it reads a reply. What has arrived is answered in order and
sent together; commands on keys that follow each other go to the keyspace's worker as one batch,
so that their writes share a commit. Nothing more is read until the replies have been taken: a
client that does not read cannot fill the memory.

Where the service waits for a client there is a limit of time and of bytes: for the rest of a
command, for a password, for room for replies. A client that has nothing to say may stay.

When the service ends, what has been received is carried out and answered; nothing more is read.

A client that speaks HTTP is turned away at its first line: a browser lets any page send what it
likes to any port, and the body of such a request could be commands.

Whatever happens behind it, the worst that a connection meets is an error reply: workers and the
Repo may end and come back while it stays. Whatever the client does, the worst that the server
meets is a closed connection.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, assert_never

import trio

import trio_otp as otp

from .client_memory import ClientWait
from .commands import (
    Auth,
    CommandError,
    ConfigGet,
    Echo,
    Export,
    Hello,
    Info,
    Inquiry,
    KeyCommand,
    Keys,
    Ping,
    Quit,
    Remark,
    Scan,
    Select,
)
from .info import VERSION, describe
from .keyspaces import execute, export_to, keys, scan
from .leaving import leave, turn_away
from .parsing import HttpError, parse
from .replies import (
    NIL,
    NULL,
    OK,
    array,
    bulk,
    error,
    integer,
    mapping,
    simple,
)
from .resp import Limits, ProtocolError, RequestParser
from .worker import TryAgain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from .commands import Command, KeyspaceCommand, SessionCommand
    from .endpoint import Endpoint

CHUNK: Final = 64 * 1024  # bytes received, and sent, at once
BATCH: Final = 100  # commands carried out, and replies sent, at once: others have their turn too
# What a client that has not authenticated may send, as in Redis.
STRANGER: Final = Limits(bulk=16 * 1024, args=10, line=16 * 1024, fault="unauthenticated")


class _Quit(Exception):
    """The client has asked to quit."""


class Connection:
    """One client.

    Args:
        endpoint: what it belongs to.
        stream: the socket; the caller closes it.
        number: which client it is.
    """

    def __init__(
        self, endpoint: Endpoint, stream: trio.abc.HalfCloseableStream, number: int
    ) -> None:
        self._endpoint = endpoint
        self._stream = stream
        self._number = number
        self._authenticated = not endpoint.settings.requirepass
        self._parser = RequestParser(None if self._authenticated else STRANGER)
        self._wait = ClientWait(endpoint.memory)
        self._since = trio.current_time()  # when the wait for the client began
        self._is_sending = False
        self._version: Literal[2, 3] = 2  # of the protocol, for replies
        self._keyspace = 0
        self._batch: list[KeyCommand] = []
        self._replies: list[bytes] = []

    async def serve(self) -> None:
        """Answer until the client disconnects, quits, or is disconnected."""
        try:
            with self._wait.scope:
                await self._serve()
                return
        finally:
            self._wait.end()
        await self._lose_patience()

    async def _serve(self) -> None:
        try:
            while data := await self._receive():
                await self._answer(data)
                if otp.is_draining():
                    await leave(self._stream)
                    return
        except _Quit:
            await self._send()
            await leave(self._stream)
        except (ProtocolError, HttpError) as exc:
            if isinstance(exc, HttpError):
                self._endpoint.http.tell()
            await self._finish_batch()
            await self._send()
            await turn_away(self._stream, str(exc))

    async def _lose_patience(self) -> None:
        """Disconnect the client: too much is kept for it, or it is too slow."""
        if not self._wait.evicted:
            self._endpoint.counters.timed_out += 1
        if self._is_sending:
            return  # it would not read an error either
        if self._wait.evicted:
            await turn_away(self._stream, "ERR max client memory reached")
        elif self._parser.held:
            text = "ERR Protocol error: the rest of a command did not come in time"
            await turn_away(self._stream, text)
        elif not self._authenticated:
            await turn_away(self._stream, "NOAUTH Authentication required.")

    # -- the socket --------------------------------------------------------------------------

    async def _receive(self) -> bytes | bytearray:
        """Wait for data from the client; return b"" if either side is to end."""
        self._wait.begin(self._parser.held, self._deadline())
        data: bytes | bytearray = b""
        with otp.move_on_when_draining():
            data = await self._stream.receive_some(CHUNK)
        self._wait.end()
        self._endpoint.counters.bytes_in += len(data)
        return data

    def _deadline(self) -> float:
        settings = self._endpoint.settings
        if self._parser.held or not self._authenticated:
            return self._since + settings.stall_timeout
        return self._since + (settings.timeout or math.inf)

    async def _send(self) -> None:
        """Send the pending replies; the time limit holds for each chunk."""
        replies, self._replies = memoryview(b"".join(self._replies)), []
        self._is_sending = True
        while replies:
            deadline = trio.current_time() + self._endpoint.settings.stall_timeout
            self._wait.begin(len(replies), deadline)
            await self._stream.send_all(replies[:CHUNK])
            self._wait.end()
            self._endpoint.counters.bytes_out += min(len(replies), CHUNK)
            replies = replies[CHUNK:]
        self._is_sending = False

    # -- commands ----------------------------------------------------------------------------

    async def _answer(self, data: bytes | bytearray) -> None:
        """Carry out the commands that are complete, and send the replies."""
        was_waiting = self._parser.held > 0
        self._parser.feed(data)
        count = 0
        for request in self._parser:
            count += 1
            command = self._read(request)
            if isinstance(command, KeyCommand):
                self._batch.append(command)
                if len(self._batch) >= BATCH:
                    await self._finish_batch()
            else:
                await self._answer_alone(command)
        if self._batch:
            await self._finish_batch()
        await self._send()
        self._endpoint.counters.count(count)
        if self._authenticated and (count or not was_waiting):
            self._since = trio.current_time()

    def _read(self, request: list[bytes]) -> Command | CommandError:
        try:
            return parse(request, authenticated=self._authenticated)
        except HttpError:
            raise
        except CommandError as exc:
            return exc

    async def _answer_alone(self, command: SessionCommand | KeyspaceCommand | CommandError) -> None:
        if self._batch:
            await self._finish_batch()
        self._replies.append(await self._reply(command))
        if len(self._replies) >= BATCH:
            await self._send()
        if isinstance(command, Quit):
            raise _Quit

    async def _finish_batch(self) -> None:
        """Have the worker execute the commands on keys that came together."""
        batch, self._batch = self._batch, []
        while batch:
            try:
                replies = await execute(self._keyspace, batch)
            except TryAgain as exc:
                replies = [error(str(exc))] * len(batch)
            # No encoded value is equal to it: each begins with its length.
            nil = NIL if self._version == 2 else NULL
            self._replies += [nil if reply == NIL else reply for reply in replies]
            batch = batch[len(replies) :]
            if batch or len(self._replies) >= BATCH:
                await self._send()

    async def _reply(self, command: SessionCommand | KeyspaceCommand | CommandError) -> bytes:
        match command:
            case CommandError():
                return error(str(command))
            case Ping(None):
                return simple("PONG")
            case Ping(message) | Echo(message):
                return bulk(message)
            case Select(keyspace):
                return self._select(keyspace)
            case Keys() | Scan() | Export():
                return await self._reply_of_keyspace(command)
            case Info(sections):
                return bulk(await describe(self._endpoint, sections))
            case ConfigGet(patterns):
                found = self._endpoint.config(patterns)
                return self._mapping((name, bulk(value)) for name, value in found)
            case Auth():
                return self._log_in(command) or OK
            case Hello():
                return self._hello(command)
            case Inquiry():
                return array([])
            case Remark() | Quit():
                return OK
            case _:
                assert_never(command)

    # -- authentication ---------------------------------------------------------------------

    def _log_in(self, auth: Auth) -> bytes | None:
        """Check a password; return an error reply if it is wrong."""
        refusal = self._endpoint.refusal(auth)
        if refusal is not None:
            return error(refusal)
        self._authenticated = True
        self._parser.limits = Limits()
        return None

    def _hello(self, hello: Hello) -> bytes:
        refused = self._log_in(hello.auth) if hello.auth else None
        if refused is not None:
            return refused
        if not self._authenticated:
            return error(
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the "
                "HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client "
                "and select the RESP protocol version at the same time"
            )
        self._version = hello.version or self._version
        return self._mapping(
            [
                (b"server", bulk(b"redis")),
                (b"version", bulk(VERSION.encode())),
                (b"proto", integer(self._version)),
                (b"id", integer(self._number)),
                (b"mode", bulk(b"standalone")),
                (b"role", bulk(b"master")),
                (b"modules", array([])),
            ]
        )

    def _mapping(self, items: Iterable[tuple[bytes, bytes]]) -> bytes:
        return mapping(((bulk(key), value) for key, value in items), self._version)

    # -- its keyspace ------------------------------------------------------------------------

    def _select(self, keyspace: int) -> bytes:
        if not 0 <= keyspace < self._endpoint.settings.keyspaces:
            return error("ERR DB index is out of range")
        self._keyspace = keyspace
        return OK

    async def _reply_of_keyspace(self, command: KeyspaceCommand) -> bytes:
        try:
            match command:
                case Keys(pattern):
                    return array(map(bulk, await keys(self._keyspace, pattern)))
                case Scan():
                    return await self._scan(command)
                case Export(path):
                    return await self._export(path)
                case _:
                    assert_never(command)
        except (TryAgain, CommandError) as exc:
            return error(str(exc))

    async def _scan(self, command: Scan) -> bytes:
        cursor, found = await scan(self._keyspace, command.cursor, command.count, command.pattern)
        if command.kind != b"string":  # all entries are
            found = []
        return array([bulk(b"%d" % cursor), array(map(bulk, found))])

    async def _export(self, path: str) -> bytes:
        root = self._endpoint.settings.export_dir
        if root is None:
            return error("ERR EXPORT is off: the service has no export_dir in its environment")
        return await export_to(self._keyspace, root, path)
