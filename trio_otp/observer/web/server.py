"""The observer's page and its WebSocket, over HTTP/1.1 in the observer's own thread.

A connection has one task, which is cancelled with all others when the program ends: nothing here is
shielded, so a browser that does not read keeps nobody waiting. What a client sends can end its own
connection and nothing else. A client that has not shown the token holds little and not for long.

Each line of the protocol is a text frame; `Link` is what a session gets to speak through.
Follows: RFC 9112 (h11), RFC 6455 (wsproto).
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import h11
import trio
import wsproto
from wsproto import events as ws
from wsproto.connection import ConnectionState
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from .access import SAFE, Refusal, refusal, shows_token
from .files import page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Generator

    from .files import File

HEADERS: Final = 16 * 1024  # bytes of a request that has not come whole
FRAME: Final = 64 * 1024  # bytes of a message of a client
STRANGERS: Final = 32  # connections without the token; the oldest goes
CLIENTS: Final = 64  # connections with it
PATIENCE: Final = 10.0  # seconds for a request, for a first frame
SLOW: Final = 5.0  # seconds in which a client takes what it was sent, or is dropped
LINGER: Final = 1.0  # seconds for which a client may still send when it has got its last answer
SOCKET: Final = "/socket"  # the path of the WebSocket
WRONG_TOKEN: Final = 4401  # codes of a close that the page explains
TOO_MANY: Final = 4429
_READ: Final = 16 * 1024
_LOGGER: Final = logging.getLogger("trio_otp.observer")


class Web:
    """The endpoint: what all of its connections share.

    Args:
        token: what a client has to show.
        session: serves a client that has, until it returns or the client is gone.
        hosts: names in `Host` besides those of this machine.
    """

    def __init__(
        self,
        token: str,
        session: Callable[[Link], Awaitable[None]],
        hosts: Collection[str] = (),
    ) -> None:
        self.token = token
        self.session = session
        self.hosts: frozenset[str] = frozenset(hosts)
        self.clients: int = 0
        self._strangers: dict[trio.CancelScope, None] = {}  # the oldest first

    async def serve(self, listeners: list[trio.SocketListener]) -> None:
        """Serve connections until cancelled."""
        await trio.serve_listeners(self.connect, listeners)

    async def connect(self, stream: trio.abc.HalfCloseableStream) -> None:
        """Serve one connection, and close it; what goes wrong in it goes no further."""
        async with stream:
            try:
                connection = Connection(self, stream)
                await connection.run()
                await connection.linger()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # the other side has gone, or did not read
            except Exception:
                _LOGGER.exception("a connection of the observer's page has failed")

    @contextmanager
    def stranger(self) -> Generator[trio.CancelScope]:
        """Limit the time and the number of clients that have not shown the token."""
        with trio.move_on_after(PATIENCE) as scope:
            self._strangers[scope] = None
            if len(self._strangers) > STRANGERS:
                oldest = next(iter(self._strangers))
                oldest.cancel()
                self._strangers.pop(oldest)
            try:
                yield scope
            finally:
                self._strangers.pop(scope, None)


class Connection:
    """One connection of a browser: requests for files, then perhaps a WebSocket."""

    def __init__(self, web: Web, stream: trio.abc.HalfCloseableStream) -> None:
        self._web = web
        self._stream = stream
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADERS)

    async def run(self) -> None:
        """Answer requests until the client closes, misbehaves, or opens the WebSocket."""
        link = None
        with self._web.stranger() as scope:
            while (request := await self._request()) is not None:
                if _path(request) == SOCKET:
                    link = await self._open(request)
                    break
                if not await self._answer(request):
                    break
                scope.deadline = trio.current_time() + PATIENCE
        if link is not None:
            await self._speak(link)

    async def _request(self) -> h11.Request | None:
        """Return the next request, or None when there is none to come."""
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as exc:
                await self._refuse(Refusal(exc.error_status_hint, "This is not a request."))
                return None
            if isinstance(event, h11.Request):
                return event
            if event is not h11.NEED_DATA:  # the client has closed
                return None
            self._http.receive_data(await self.receive())

    # -- files ------------------------------------------------------------------------------------

    async def _answer(self, request: h11.Request) -> bool:
        """Answer a request for a file; return whether another one may follow."""
        refused = refusal(request.headers, self._web.hosts, upgrade=False) or _no_file(request)
        if refused is not None:
            await self._refuse(refused)
            return False
        file = page()[_path(request)]
        return await self._send_file(file, file.body if request.method == b"GET" else b"")

    async def _send_file(self, file: File, body: bytes) -> bool:
        headers = [("Content-Type", file.type), ("Content-Length", str(len(file.body))), *SAFE]
        await self._respond(200, headers, body)
        if self._http.our_state is h11.MUST_CLOSE:
            return False
        while self._http.their_state is h11.SEND_BODY:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError:
                return False
            if event is h11.NEED_DATA:  # a body that nobody asked for
                return False
        self._http.start_next_cycle()
        return True

    async def _refuse(self, refused: Refusal) -> None:
        body = f"{refused.text}\n".encode()
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close")]
        await self._respond(
            refused.status, [*headers, ("Content-Length", str(len(body))), *SAFE], body
        )

    async def _respond(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        response = h11.Response(status_code=status, headers=headers)
        whole = [response, h11.Data(data=body), h11.EndOfMessage()]
        await self.send(b"".join(self._http.send(event) or b"" for event in whole))

    # -- the WebSocket ----------------------------------------------------------------------------

    async def _open(self, request: h11.Request) -> Link | None:
        """Open the WebSocket and look at its first frame; None if it is refused."""
        refused = refusal(request.headers, self._web.hosts, upgrade=True) or _no_upgrade(request)
        if refused is not None:
            await self._refuse(refused)
            return None
        protocol = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        headers = [(bytes(name), bytes(value)) for name, value in request.headers]
        try:
            protocol.initiate_upgrade_connection(headers, SOCKET)
            protocol.receive_data(self._http.trailing_data[0])
        except (RemoteProtocolError, UnicodeDecodeError):  # wsproto lets the second one out
            await self._refuse(Refusal(400, "This is not a WebSocket's request."))
            return None
        link = Link(self, protocol)
        await link.accept()
        if not shows_token(await link.receive() or "", self._web.token):
            await link.close(WRONG_TOKEN, "wrong token")
            return None
        return link

    async def _speak(self, link: Link) -> None:
        if self._web.clients >= CLIENTS:
            await link.close(TOO_MANY, f"{CLIENTS} pages are open already")
            return
        self._web.clients += 1
        try:
            await self._web.session(link)
            await link.close(1000, "")
        finally:
            self._web.clients -= 1

    async def send(self, data: bytes) -> None:
        """Send bytes, or drop a client that does not take them."""
        with trio.move_on_after(SLOW) as scope:
            await self._stream.send_all(data)
        if scope.cancelled_caught:
            await trio.aclose_forcefully(self._stream)
            raise trio.BrokenResourceError("the client does not read")

    async def receive(self) -> bytes:
        """Receive some bytes; none when the client has closed."""
        return bytes(await self._stream.receive_some(_READ))

    async def linger(self) -> None:
        """Read on for a moment: a close before all is read would take back what was answered."""
        await self._stream.send_eof()
        with trio.move_on_after(LINGER):
            while await self._stream.receive_some(_READ):
                pass


def _path(request: h11.Request) -> str:
    return request.target.partition(b"?")[0].decode("latin-1")


def _no_file(request: h11.Request) -> Refusal | None:
    """Return why a request is not answered by a file, or None."""
    if request.method not in {b"GET", b"HEAD"}:
        return Refusal(405, "The observer's page is only read.")
    return None if _path(request) in page() else Refusal(404, "There is no such file.")


def _no_upgrade(request: h11.Request) -> Refusal | None:
    """Return why a request opens no WebSocket, which wsproto does not look at; or None."""
    if request.method != b"GET":
        return Refusal(405, "A WebSocket is opened by GET.")
    return None if request.http_version == b"1.1" else Refusal(400, "This needs HTTP/1.1.")


class Link:
    """A client that has opened the WebSocket: lines to it and from it."""

    def __init__(self, connection: Connection, protocol: wsproto.WSConnection) -> None:
        self._connection = connection
        self._protocol = protocol
        self._turn = trio.Lock()  # a frame is sent whole, by whichever task
        self._parts: list[str] = []
        self._size = 0

    async def accept(self) -> None:
        """Answer the request; compression is not offered, so no frame is larger than it looks."""
        safe = [(name.encode(), value.encode()) for name, value in SAFE]
        await self._send(ws.AcceptConnection(extra_headers=safe))

    async def send(self, line: str) -> None:
        """Send a line as one frame.

        Raises:
            trio.BrokenResourceError: the client has closed, or did not read for five seconds.
        """
        await self._send(ws.TextMessage(data=line))

    async def lines(self) -> AsyncIterator[str]:
        """Yield what the client sends, until it goes."""
        while (line := await self.receive()) is not None:
            yield line

    async def receive(self) -> str | None:
        """Return the next line; None when the client closes or sends what it should not."""
        while True:
            for event in self._protocol.events():
                match event:
                    case ws.TextMessage():
                        if (line := self._joined(event)) is not None:
                            return line
                        if self._size > FRAME:
                            await self.close(1009, f"expected a line of at most {FRAME} bytes")
                            return None
                    case ws.Ping():
                        await self._send(event.response())
                    case ws.CloseConnection():  # or what is no frame: the code says what is wrong
                        await self.close(event.code, "")
                        return None
                    case ws.BytesMessage():
                        await self.close(1003, "expected a line of text")
                        return None
                    case _:
                        pass
            data = await self._connection.receive()
            self._protocol.receive_data(data or None)
            if not data:
                return None

    def _joined(self, event: ws.TextMessage) -> str | None:
        """Return a message when its last part has come; one that is too long never is."""
        self._size += len(event.data)
        if self._size > FRAME:
            return None
        if event.data:  # else parts without an end would be kept, though they have no length
            self._parts.append(event.data)
        if not event.message_finished:
            return None
        line = "".join(self._parts)
        self._parts.clear()
        self._size = 0
        return line

    async def close(self, code: int, reason: str) -> None:
        """Close the WebSocket, with a code that says why."""
        if self._protocol.state not in {ConnectionState.CLOSED, ConnectionState.LOCAL_CLOSING}:
            await self._send(ws.CloseConnection(code=code, reason=reason))

    async def _send(self, event: ws.Event) -> None:
        async with self._turn:
            try:
                data = self._protocol.send(event)
            except LocalProtocolError:
                raise trio.BrokenResourceError("the client has closed") from None
            await self._connection.send(data)
