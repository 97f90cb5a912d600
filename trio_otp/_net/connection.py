"""One connection: what its process does, from the handshake to the close, and how its end counts.

Follows: `ranch_protocol` of Ranch, `trio.serve_listeners`.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.bare import part
from .._exits.reasons import passes_through
from .._process.runtime import need_process
from .._util.async_functions import expect_awaitable
from .._util.bounded import bounded, label_of
from .._util.copies import Handle
from .._util.user_code import interruptible, wait_for
from ..events import NoticeReport
from .sockets import is_disconnection, peer_of

if TYPE_CHECKING:
    from .._process.process import Process
    from .service import Handler, Service

CLOSE_WITHIN: Final = 5.0  # seconds for the farewell of TLS


class Connection(Handle):
    """An accepted connection, and whether it counts against the limits."""

    def __init__(self, service: Service, stream: object) -> None:
        self.service = service
        self.stream: Any = stream
        self.peer, self.address = peer_of(stream)
        self.handler: Handler = service.handler
        self.is_refused: bool = False  # it is only answered by `on_full`
        self.is_given_up: bool = False  # by the acceptor, before its process has begun
        self.process: Process | None = None
        self._is_admitted: bool = False

    def __repr__(self) -> str:
        return f"<connection of {self.peer}>"

    @property
    def is_secure(self) -> bool:
        """Whether it begins with a TLS handshake."""
        return isinstance(self.stream, trio.SSLStream)

    @enable_ki_protection
    def admit(self) -> bool:
        """Count it as served or as answered; return False if there is no room for either."""
        service, limits = self.service, self.service.limits
        service.accepted += 1
        if limits.may_serve(self.address):
            limits.acquire(self.address)
        else:
            service.refused += 1
            if service.on_full is None or not limits.may_answer():
                return False
            self.handler, self.is_refused = service.on_full, True
            limits.answered += 1
        self._is_admitted = True
        return True

    @enable_ki_protection
    async def give_up(self) -> None:
        """Close it, unless it has a process, which closes it itself.

        The request to start that process may still be on its way to the supervisor of connections
        after the acceptor that sent it has died.
        """
        if self.process is None and not self.is_given_up:
            self.is_given_up = True
            await self.close()

    @enable_ki_protection
    async def close(self) -> None:
        """Close it at once, and make room for the next one if that was not done before."""
        if isinstance(self.stream, trio.SocketStream):
            self.stream.socket.close()  # does all that `aclose` does, in a tenth of the time
        else:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(self.stream)
        if self._is_admitted:
            self._is_admitted = False
            if self.is_refused:
                self.service.limits.answered -= 1
            else:
                self.service.limits.release(self.address)
            self.service.wake_acceptors()


@enable_ki_protection
async def run_connection(connection: Connection) -> None:
    """Run the process of a connection."""
    if connection.is_given_up:
        return
    process = connection.process = need_process("a connection")
    process.label = connection.peer
    process.own_extras().first_label = label_of(connection.handler)
    trio.lowlevel.current_task().name = f"<otp {connection.peer}>"
    service = connection.service
    if not connection.is_refused:
        service.served[process.pid] = None
    crashed = False
    try:
        await _run(connection, process)
    except BaseException as exc:
        crashed = not passes_through(exc) and part(exc)[0] is not None
        raise
    finally:
        await connection.close()
        service.served.pop(process.pid, None)
        service.crashed += crashed  # when the crash is reported


async def _run(connection: Connection, process: Process) -> None:
    try:
        if connection.is_refused:
            with trio.move_on_after(connection.service.handshake_timeout):
                await _serve(connection, process)
        else:
            await _serve(connection, process)
    except Exception as exc:
        if not is_disconnection(exc, connection.stream):
            raise
        connection.service.disconnected += 1
        _notice(process, logging.DEBUG, f"{connection.peer} has disconnected: {bounded(exc)}")


async def _serve(connection: Connection, process: Process) -> None:
    if connection.is_secure and not await _shake_hands(connection, process):
        return
    handler, stream = connection.handler, connection.stream
    await wait_for(expect_awaitable(handler, interruptible(handler, stream)))
    if connection.is_refused or not isinstance(stream, trio.SocketStream):
        with trio.move_on_after(CLOSE_WITHIN), suppress(trio.BrokenResourceError):
            await _take_leave(connection)


async def _take_leave(connection: Connection) -> None:
    """Close a connection in order; the other side may have gone without closing it in order."""
    if connection.is_refused:
        await _take_what_is_sent(connection.stream, is_secure=connection.is_secure)
    await connection.stream.aclose()


async def _take_what_is_sent(stream: Any, *, is_secure: bool) -> None:
    """Read on until the other side has read the answer, and closes.

    To close while there is something to read resets the connection, and the answer is lost.
    """
    if is_secure:
        stream, _ = await stream.unwrap()
    elif isinstance(stream, trio.abc.HalfCloseableStream):
        await stream.send_eof()
    while await stream.receive_some():
        pass


async def _shake_hands(connection: Connection, process: Process) -> bool:
    """Complete the handshake of TLS; False if the other side does not."""
    limit = connection.service.handshake_timeout
    why: object = f"not within {limit:g} s"
    with trio.move_on_after(limit):
        try:
            await connection.stream.do_handshake()
        except trio.BrokenResourceError as exc:
            why = exc.__cause__ or exc
        else:
            return True
    connection.service.disconnected += 1
    text = f"{connection.peer} did not complete the TLS handshake: {why}"
    _notice(process, logging.INFO, text)
    return False


def _notice(process: Process, level: int, text: str) -> None:
    process.runtime.events.emit("notice", NoticeReport(process.pid, text, level))
