"""One connection to another node, once the handshake is over: a reader, a writer and a clock.

What is sent is written at the end of the turn, without the writer; what answers, before the reader
waits again. The writer writes what the socket does not take at once, and all if there is no socket
to write to but a stream, as with TLS.

Every received byte is a sign of life, also in the middle of a long frame, and so is a frame that is
still being decoded. A node that has given none for four ticks is lost.

Follows: Erlang's `net_kernel`, "net_ticktime"; `dist_util`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import trio
from trio.lowlevel import (
    Abort,
    current_task,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

from .._exits.nurseries import OwnNursery
from .._util.bounded import bounded
from .remote_node import CHUNK
from .streams import bare_socket
from .wire.decode import LARGE
from .wire.frames import TICK, FrameReader
from .wire.terms import DecodeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .remote_node import RemoteNode
    from .turn_end import TurnEnd
    from .wire.codec import Codec

SILENT: Final = 4  # ticks without a sign of life
RECEIVE: Final = 64 * 1024  # bytes at once
BURST: Final = 256  # frames that are carried out without a checkpoint


class ConnectionLost(Exception):
    """Ends the tasks of a connection; the text says why."""


class Misbehaved(ConnectionLost):
    """The other node does not do what it should: that is logged."""


class Connection:
    """One connection.

    Args:
        node: the node at the other end.
        stream: to it.
        codec: decodes what comes in.
        take: carries out a control message.
        turn_end: calls what writes.
        tick: seconds between two signs of life.
        max_frame: bytes that a frame may have.
    """

    def __init__(
        self,
        node: RemoteNode,
        stream: trio.abc.Stream,
        codec: Codec,
        take: Callable[[Any], object],
        turn_end: TurnEnd,
        *,
        tick: float,
        max_frame: int,
    ) -> None:
        self._node = node
        self._stream, self._socket = bare_socket(stream)
        self._codec = codec
        self._take = take
        self._turn_end = turn_end
        self._token = trio.lowlevel.current_trio_token()
        self._tick = tick
        self._frames = FrameReader(4, limit=max_frame)
        self._received = 0  # how often there has been something
        self._written = 0
        self._decoding = False
        # A token of its own: those of the program may all be held by threads that wait for this.
        self._limiter = trio.CapacityLimiter(1)
        self._rest = b""  # what the socket has not taken at the end of a turn
        self._writer: trio.lowlevel.Task | None = None  # while it waits
        self._scope = trio.CancelScope()
        self._why = ""
        self.is_logged: bool = False  # why it has ended
        self.over: trio.Event = trio.Event()  # when everybody has been told

    def close(self, why: str, *, is_logged: bool = False) -> None:
        """End the connection."""
        if not self._why:
            self._why, self.is_logged = why, is_logged
        self._scope.cancel(reason=why)

    async def run(self, rest: bytes) -> str:
        """Serve the connection until it is lost; return why.

        Args:
            rest: what has been received behind the handshake.
        """
        try:
            with self._scope:
                async with OwnNursery() as nursery:
                    nursery.start_soon(self._run, self._write)
                    nursery.start_soon(self._run, self._watch)
                    await self._run(self._read, rest)
        finally:
            await trio.aclose_forcefully(self._stream)
        return self._why

    @enable_ki_protection
    async def _run(self, task: Callable[..., Awaitable[None]], *args: object) -> None:
        """Run a task; what goes wrong in it ends this connection and nothing else."""
        try:
            await task(*args)
        except ConnectionLost as exc:
            self.close(str(exc), is_logged=isinstance(exc, Misbehaved))
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            self.close(f"the connection broke: {bounded(exc)}")

    # -- reading ---------------------------------------------------------------------------------

    async def _read(self, data: bytes) -> None:
        """Carry out what comes in, in order."""
        while True:
            self._frames.feed(data)
            try:
                await self._take_frames()
            except DecodeError as exc:
                raise Misbehaved(f"it sent what is no message: {exc}") from None
            if self._turn_end.is_urgent:
                self._turn_end.call()
            data = await self._receive()
            if not data:
                raise ConnectionLost("it has closed the connection")
            self._received += 1

    async def _receive(self) -> bytes:
        if self._socket is None:
            return bytes(await self._stream.receive_some(RECEIVE))
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                return self._socket.recv(RECEIVE)
            except BlockingIOError:  # pragma: no cover - a system may wake for nothing
                continue

    async def _take_frames(self) -> None:
        done = 0
        while (payload := self._frames.next()) is not None:
            if len(payload) > LARGE:
                self._decoding = True
                decode = self._codec.decode
                message = await trio.to_thread.run_sync(decode, payload, limiter=self._limiter)
                self._decoding = False
            else:
                message = self._codec.decode(payload)
            if self._why:  # it was closed meanwhile
                return
            self._take(message)
            done += 1
            if done % BURST == 0:
                await trio.lowlevel.checkpoint()

    # -- writing ---------------------------------------------------------------------------------

    async def _write(self) -> None:
        """Write what waits to be sent, oldest first."""
        node = self._node
        while True:
            while (node.frames or self._rest) and not self._why:
                data, self._rest = self._rest or node.take(), b""
                await self._stream.send_all(data)
                self._written += 1
                if not self._why:  # else what is queued is for the next connection
                    node.sent(len(data))
            self._writer = current_task()
            await wait_task_rescheduled(self._unpark)

    def write_soon(self, urgent: bool) -> None:
        """Write what waits at the end of this turn, or in its own time if it is much."""
        if self._socket is None or self._node.queued > CHUNK:
            self._wake()
        else:
            self._turn_end.call_soon(self._flush, urgent=urgent)

    @enable_ki_protection
    def _flush(self) -> None:
        """Write what waits, if the writer is not at it; it goes on with what the socket left."""
        node = self._node
        if self._writer is None or self._socket is None or self._rest or not node.frames:
            return
        data = node.take()
        try:
            done = self._socket.send(data)
        except OSError:  # it is full; or broken, which the writer tells
            done = 0
        self._written += 1
        node.queued -= done  # nobody waits for room: that is asked for below `CHUNK`
        if done < len(data):
            self._rest = data[done:]
            self._token.run_sync_soon(self._wake)  # as the turn is over

    def _wake(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            reschedule(writer)

    def _unpark(self, _: object) -> Abort:
        waits, self._writer = self._writer is not None, None
        return Abort.SUCCEEDED if waits else Abort.FAILED  # if it is being woken

    # -- signs of life ---------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Send a sign of life in each tick without another frame, and miss those of the peer."""
        received = written = silent = 0
        while True:
            await trio.sleep(self._tick)
            if self._received != received or self._decoding:
                received, silent = self._received, 0
            else:
                silent += 1
            if silent >= SILENT:
                raise Misbehaved(f"no sign of life in {SILENT} ticks of {self._tick:g} s")
            if self._written == written and not self._node.queued and not self._why:
                self._node.add(TICK)
            written = self._written
