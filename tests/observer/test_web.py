"""The endpoint of the observer's page: over real sockets, and by frames made by hand."""

from __future__ import annotations

import json
import logging
import re
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import h11
import pytest
import trio
import trio.testing
import wsproto
from wsproto import events as ws
from wsproto.utilities import LocalProtocolError

from trio_otp.observer.web import server as web
from trio_otp.observer.web.access import CSP, is_host, refusal, shows_token
from trio_otp.observer.web.files import page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

TOKEN = "a-token-of-a-test"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


async def echo(link: web.Link) -> None:
    """Say hello, then say again what comes."""
    await link.send("hello")
    async for line in link.lines():
        await link.send(f"heard {line}")


@asynccontextmanager
async def served(
    session: Callable[[web.Link], Awaitable[None]] = echo, **options: Any
) -> AsyncIterator[int]:
    """Serve on a free port of this machine; what is opened by `tab` is closed in the end."""
    endpoint = web.Web(TOKEN, session, **options)
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener, trio.open_nursery() as nursery:
        nursery.start_soon(endpoint.serve, [listener])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def tab(port: int, first: str | None = None) -> AsyncIterator[Tab]:
    """Open the WebSocket as a page does, and send the first frame."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        yield await Tab.opened(stream, first)


async def ask(stream: trio.abc.Stream, head: str) -> tuple[int, dict[str, str], bytes]:
    """Send a request, and return the status, the headers and the body of the answer."""
    await stream.send_all(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n")
    return await answer(stream, "HEAD" if head.startswith("HEAD") else "GET")


async def answer(stream: trio.abc.Stream, method: str) -> tuple[int, dict[str, str], bytes]:
    client = h11.Connection(h11.CLIENT)
    headers = [("Host", "x"), ("Connection", "Upgrade"), ("Upgrade", "websocket")]
    client.send(h11.Request(method=method, target="/", headers=headers))
    client.send(h11.EndOfMessage())
    body = b""
    status, found = 0, {}
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA:
            client.receive_data(await stream.receive_some())
        elif isinstance(event, h11.Response | h11.InformationalResponse):
            status = event.status_code
            found = {name.decode(): value.decode() for name, value in event.headers}
            if status == 101:
                return status, found, b""
        elif isinstance(event, h11.Data):
            body += event.data
        else:
            return status, found, body


async def get(port: int, head: str) -> tuple[int, dict[str, str], bytes]:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        return await ask(stream, head)


def upgrade(host: str, origin: str | None) -> str:
    origins = "" if origin is None else f"\nOrigin: {origin}"
    return (
        f"GET /socket HTTP/1.1\nHost: {host}{origins}\nUpgrade: websocket\nConnection: Upgrade\n"
        f"Sec-WebSocket-Key: {KEY}\nSec-WebSocket-Version: 13"
    )


class Tab:
    """What a page does at the other end of a stream."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.protocol = wsproto.connection.Connection(wsproto.ConnectionType.CLIENT)

    @classmethod
    async def opened(cls, stream: trio.abc.Stream, first: str | None = None) -> Tab:
        """Open the WebSocket and send the first frame, which has the token if none is given."""
        status, _, _ = await ask(stream, upgrade("localhost", "http://localhost"))
        assert 101 == status
        opened = cls(stream)
        await opened.send(ws.TextMessage(data=first or json.dumps({"token": TOKEN})))
        return opened

    async def send(self, event: ws.Event) -> None:
        await self.stream.send_all(self.protocol.send(event))

    async def say(self, line: str) -> None:
        await self.send(ws.TextMessage(data=line))

    async def hear(self) -> str | int:
        """Return the next line, or the code of the close."""
        while True:
            for event in self.protocol.events():
                if isinstance(event, ws.TextMessage):
                    return event.data
                if isinstance(event, ws.CloseConnection):
                    return event.code
            self.protocol.receive_data(await self.stream.receive_some() or None)


# -- files ---------------------------------------------------------------------------------------


async def test_the_page_is_served_with_its_policy() -> None:
    """Each file is what the package holds, and may load and run only what is served here."""
    async with served() as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        for path, file in page().items():
            status, headers, body = await ask(stream, f"GET {path} HTTP/1.1\nHost: localhost")

            assert (200, file.body, file.type) == (status, body, headers["content-type"])
            assert CSP == headers["content-security-policy"]
            assert "nosniff" == headers["x-content-type-options"]
            assert "no-referrer" == headers["referrer-policy"]
            assert "set-cookie" not in headers


def test_the_policy_lets_nothing_in() -> None:
    """It is exactly this one."""
    assert CSP == (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def test_the_page_is_small_and_loads_nothing_from_elsewhere() -> None:
    """All files together are below 80 KB; no address in them leads to another host."""
    files = {file.body for path, file in page().items() if path != "/"}

    assert sum(map(len, files)) < 80_000
    for body in files:
        found = re.findall(r"https?://[^\s\"'`]+", body.decode())
        assert [] == [each for each in found if not each.startswith("http://www.w3.org/")]


def test_the_page_makes_no_markup_of_a_text() -> None:
    """Nothing in the scripts could: there is no place that a text would become an element in."""
    unsafe = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc"
    for path, file in page().items():
        if path.endswith(".js"):
            assert [] == re.findall(unsafe, file.body.decode()), path


async def test_a_client_may_want_no_more() -> None:
    """With `Connection: close` the answer is the last one; so it is if a body does not come."""
    for last in ("Connection: close", "Content-Length: 5"):
        async with served() as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
            status, _, body = await ask(stream, f"GET / HTTP/1.1\nHost: localhost\n{last}")

            assert (200, page()["/"].body) == (status, body)
            assert b"" == await stream.receive_some()


async def test_a_session_hears_that_its_client_has_closed() -> None:
    """What it sends after that is refused as what is sent to one who is gone."""
    refused = trio.Event()

    async def goes_on(link: web.Link) -> None:
        assert [] == [line async for line in link.lines()]
        with pytest.raises(trio.BrokenResourceError):
            await link.send("too late")
        refused.set()

    async with served(goes_on) as port, tab(port) as opened:
        await opened.send(ws.CloseConnection(code=1000))
        assert 1000 == await opened.hear()
        await refused.wait()


async def test_head_has_no_body() -> None:
    """`HEAD` tells what `GET` would send."""
    async with served() as port:
        status, headers, body = await get(port, "HEAD / HTTP/1.1\nHost: localhost")

    assert (200, b"") == (status, body)
    assert str(len(page()["/"].body)) == headers["content-length"]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("GET /page/../web.py HTTP/1.1\nHost: localhost", 404),
        ("GET /../web.py HTTP/1.1\nHost: localhost", 404),
        ("GET /%2e%2e/web.py HTTP/1.1\nHost: localhost", 404),
        ("GET http://localhost/ HTTP/1.1\nHost: localhost", 404),
        ("POST / HTTP/1.1\nHost: localhost\nContent-Length: 0", 405),
        ("OPTIONS / HTTP/1.1\nHost: localhost", 405),
        ("GET /socket HTTP/1.1\nHost: localhost\nOrigin: http://localhost", 400),
        ("GET / HTTP/1.0", 421),
        ("GET / HTTP/1.1", 400),
        ("GET / HTTP/1.1\nHost: a\nHost: b", 400),
        ("nonsense", 400),
        ("GET / HTTP/1.1\nHost: localhost\nContent-Length: x", 400),
        ("GET / HTTP/1.1\nHost: localhost\nX: " + "y" * 60_000, 431),
    ],
)
async def test_what_is_no_request_for_a_file_is_refused(head: str, expected: int) -> None:
    """Other files, methods, and what is no request, are answered by an error and the end."""
    async with served() as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        status, headers, _ = await ask(stream, head)

        assert (expected, "close") == (status, headers["connection"])
        assert b"" == await stream.receive_some()


@pytest.mark.parametrize(
    ("method", "version", "line"),
    [
        ("GET", "1.1", b"Sec-WebSocket-Protocol: \xff"),
        ("GET", "1.1", b"Sec-WebSocket-Extensions: \xff;=\xfe"),
        ("GET", "1.1", b"Connection: \xff"),
        ("GET", "1.1", b"Sec-WebSocket-Version: \xff"),
        ("POST", "1.1", b"Content-Length: 0"),
        ("GET", "1.0", b"X: y"),
    ],
)
async def test_what_is_no_request_for_a_websocket_is_refused(
    method: str, version: str, line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever sends it, with a token or without; nothing of it is logged."""
    head = upgrade("localhost", "http://localhost").replace("GET", method).replace("1.1", version)
    sent = head.replace("\n", "\r\n").encode() + b"\r\n" + line + b"\r\n\r\n"
    async with served() as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(sent)
        status, _, _ = await answer(stream, method)

        assert (405 if method == "POST" else 400) == status
    assert [] == caplog.records


async def test_a_body_that_is_none_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Anybody on this machine can send one."""
    head = "GET / HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\nno chunk"
    async with served() as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        status, _, _ = await ask(stream, head)

        assert 200 == status
        assert b"" == await stream.receive_some()
    assert [] == caplog.records


# -- who may ask ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("localhost:8000", True),
        ("LOCALHOST:1", True),
        ("127.0.0.1:40000", True),
        ("127.8.9.1", True),
        ("[::1]:9", True),
        ("shop.test", True),
        ("shop.test:444", True),
        ("far.test:7", True),
        ("far.test", False),
        ("far.test:8", False),
        ("evil.test", False),
        ("localhost.evil.test", False),
        ("127.0.0.1.evil.test", False),
        ("evil.test@localhost", False),
        ("localhost:80/x", False),
        ("[::2]", False),
        ("192.168.0.7", False),
        ("", False),
        ("localhost:", False),
        ("[localhost]", False),
    ],
)
async def test_a_foreign_host_is_misdirected(host: str, *, allowed: bool) -> None:
    """Names of this machine lead here with any port, and `hosts`; 421 is the answer to others."""
    assert allowed == is_host(host, {"shop.test", "far.test:7"})
    async with served(hosts={"shop.test", "far.test:7"}) as port:
        status, headers, body = await get(port, f"GET / HTTP/1.1\nHost: {host}")

        assert (200 if allowed else 421) == status
        assert allowed == (b"<html" in body)
        assert CSP == headers["content-security-policy"]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:7", True),
        ("https://localhost:7", True),
        ("http://localhost:8", False),
        ("http://localhost", False),
        ("http://127.0.0.1:7", False),
        ("http://evil.test", False),
        ("ftp://localhost:7", False),
        ("localhost:7", False),
        ("null", False),
        (None, False),
    ],
)
async def test_another_page_gets_no_connection(origin: str | None, *, allowed: bool) -> None:
    """The origin of a WebSocket is the host it asks; 403 is the answer to others."""
    async with served() as port:
        status, _, _ = await get(port, upgrade("localhost:7", origin))

        assert (101 if allowed else 403) == status


def test_a_file_may_be_asked_for_without_an_origin() -> None:
    """Browsers send none with a navigation; one that is sent has to be right."""
    host = (b"host", b"localhost")

    assert refusal([host], (), upgrade=False) is None
    assert 403 == refusal([host, (b"origin", b"http://x")], (), upgrade=False).status  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "first",
    [
        '{"token": "wrong"}',
        '{"token": ""}',
        '{"token": null}',
        '{"token": "\\ud800"}',
        '{"id": 1, "ask": "overview"}',
        f'["{TOKEN}"]',
        TOKEN,
        "[" * 50_000,
        "no JSON",
    ],
)
async def test_no_token_no_data(first: str) -> None:
    """A first frame without it is the last: nothing is said, and the code tells the page why."""
    async with served() as port, tab(port, first) as opened:
        assert web.WRONG_TOKEN == await opened.hear()
        assert b"" == await opened.stream.receive_some()


def test_the_token_is_shown_whole() -> None:
    """No part of it opens anything."""
    assert shows_token('{"token": "abc"}', "abc")
    assert not any(shows_token(f'{{"token": "{part}"}}', "abc") for part in ("", "a", "ab", "abcd"))


async def test_lines_go_both_ways() -> None:
    """After the token each frame is a line, also one in parts, or longer than a packet."""
    async with served() as port, tab(port) as opened:
        assert "hello" == await opened.hear()
        await opened.say("one")
        assert "heard one" == await opened.hear()
        await opened.send(ws.TextMessage(data="t", message_finished=False))
        await opened.send(ws.Ping(payload=b"now"))
        await opened.send(ws.TextMessage(data="wo"))
        assert "heard two" == await opened.hear()
        await opened.say("x" * 60_000)
        assert 60_006 == len(await whole(opened, 60_006))
        await opened.send(ws.CloseConnection(code=1000))
        assert 1000 == await opened.hear()


async def test_parts_with_nothing_in_them_are_not_kept() -> None:
    """They have no length that could be too much, and need have no end."""
    links: list[Any] = []

    async def keep(link: web.Link) -> None:
        links.append(link)
        await echo(link)

    async with served(keep) as port, tab(port) as opened:
        assert "hello" == await opened.hear()
        for part in ["t", *[""] * 100]:
            await opened.send(ws.TextMessage(data=part, message_finished=False))
        await opened.send(ws.Ping(payload=b"now"))
        opened.protocol.receive_data(await opened.stream.receive_some())
        assert [ws.Pong(payload=bytearray(b"now"))] == list(opened.protocol.events())
        assert ["t"] == links[0]._parts
        await opened.say("wo")
        assert "heard two" == await opened.hear()


async def whole(opened: Tab, size: int) -> str:
    text = ""
    while len(text) < size:
        part = await opened.hear()
        assert isinstance(part, str)
        text += part
    return text


# -- hostile bytes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x81\x03abc", 1002),  # not masked
        (b"\xff" * 64, 1002),
        (b"\x83\x80\0\0\0\0", 1002),  # no such opcode
        (b"\x81\x82\0\0\0\0\xff\xfe", 1007),  # no UTF-8
        (b"\x82\x81\0\0\0\0a", 1003),  # bytes
        (b"\x81\xff" + (2**40).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * 70_000, 1009),
        (b"\x81\xff" + (70_000).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * 70_000, 1009),
        (b"\x88\x82\0\0\0\0\x03\xe8", 1000),
    ],
)
async def test_what_is_no_line_ends_that_connection_only(sent: bytes, code: int) -> None:
    """The code says what was wrong; others are served on."""
    async with served() as port, tab(port) as other:
        async with tab(port) as hostile:
            assert "hello" == await hostile.hear()
            await hostile.stream.send_all(sent)

            assert code == await hostile.hear()
        assert "hello" == await other.hear()
        await other.say("still")
        assert "heard still" == await other.hear()


@pytest.mark.parametrize("cut", [1, 20, 200, 260])
async def test_a_client_that_breaks_off_is_forgotten(
    cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    """In the middle of a request or a frame; nothing is logged."""
    caplog.set_level(logging.INFO)
    sent = upgrade("localhost", "http://localhost").replace("\n", "\r\n").encode() + b"\r\n\r\n"
    client = wsproto.connection.Connection(wsproto.ConnectionType.CLIENT)
    sent += client.send(ws.TextMessage(data=json.dumps({"token": TOKEN})))
    async with served() as port:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(sent[:cut])
        status, _, _ = await get(port, "GET / HTTP/1.1\nHost: localhost")

        assert 200 == status
    assert [] == caplog.records


async def test_a_failure_of_a_session_ends_its_connection_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged, and the endpoint goes on."""

    async def fails(link: web.Link) -> None:
        await link.send("soon")
        raise ZeroDivisionError("a fault of a session")

    async with served(fails) as port:
        for _ in range(2):
            async with tab(port) as opened:
                assert "soon" == await opened.hear()
                assert 1006 == await opened.hear()
    assert 2 == caplog.text.count("connection of the observer's page has failed")


# -- those who wait ------------------------------------------------------------------------------


async def test_a_silent_client_is_not_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    """A connection without a request, or without a first frame, is closed after ten seconds."""
    endpoint = web.Web(TOKEN, echo)
    async with trio.open_nursery() as nursery:
        for begun in (False, True):
            client, server = trio.testing.memory_stream_pair()
            nursery.start_soon(endpoint.connect, server)
            if begun:
                assert 101 == (await ask(client, upgrade("localhost", "http://localhost")))[0]
            began = trio.current_time()

            assert b"" == await client.receive_some()
            assert web.PATIENCE == pytest.approx(trio.current_time() - began)


async def test_the_oldest_stranger_makes_room(autojump_clock: trio.testing.MockClock) -> None:
    """Whoever opens many connections and says nothing keeps none away that shows the token."""
    endpoint = web.Web(TOKEN, echo)
    async with trio.open_nursery() as nursery:
        clients = []
        for _ in range(web.STRANGERS + 1):
            client, server = trio.testing.memory_stream_pair()
            nursery.start_soon(endpoint.connect, server)
            await trio.testing.wait_all_tasks_blocked()
            clients.append(client)

        assert b"" == await clients[0].receive_some()
        assert 0 == trio.current_time()
        opened = await Tab.opened(clients[1])
        assert "hello" == await opened.hear()
        nursery.cancel_scope.cancel()


async def test_there_are_so_many_clients_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One more is told so; when another has gone there is room again."""
    monkeypatch.setattr(web, "CLIENTS", 2)
    async with served() as port, tab(port) as first, tab(port) as second:
        assert ("hello", "hello") == (await first.hear(), await second.hear())
        async with tab(port) as late:
            assert web.TOO_MANY == await late.hear()
        await first.send(ws.CloseConnection(code=1000))
        assert 1000 == await first.hear()
        assert b"" == await first.stream.receive_some()
        async with tab(port) as later:
            assert "hello" == await later.hear()


async def test_a_tab_that_never_reads_is_dropped(autojump_clock: trio.testing.MockClock) -> None:
    """What it was sent may take five seconds, then it is gone; the session hears of it."""
    ended = trio.Event()

    async def floods(link: web.Link) -> None:
        try:
            while True:
                await link.send("x" * 1000)
        finally:
            ended.set()

    endpoint = web.Web(TOKEN, floods)
    async with trio.open_nursery() as nursery:
        client, server = trio.testing.lockstep_stream_pair()
        nursery.start_soon(endpoint.connect, server)
        await opened_in_lockstep(client)
        began = trio.current_time()
        await ended.wait()

        assert web.SLOW == pytest.approx(trio.current_time() - began)


async def opened_in_lockstep(client: trio.abc.Stream) -> None:
    opened = Tab(client)
    head = upgrade("localhost", "http://localhost").replace("\n", "\r\n").encode() + b"\r\n\r\n"
    await client.send_all(head)
    await client.receive_some()
    await opened.send(ws.TextMessage(data=json.dumps({"token": TOKEN})))


async def test_a_tab_that_never_reads_delays_no_end() -> None:
    """Nothing is shielded: the endpoint ends at once, whatever has been sent and not read."""
    full = trio.Event()

    async def floods(link: web.Link) -> None:
        while True:
            with trio.move_on_after(0.2) as scope:
                await link.send("x" * 100_000)
            if scope.cancelled_caught:
                full.set()
                await trio.sleep_forever()

    async with AsyncExitStack() as after:
        async with served(floods) as port:
            await after.enter_async_context(tab(port))
            await full.wait()
            began = trio.current_time()
        assert trio.current_time() - began < 1


async def test_a_line_is_sent_whole_by_whichever_task() -> None:
    """Two tasks of a session may send at a time."""

    async def two(link: web.Link) -> None:
        async with trio.open_nursery() as nursery:
            for letter in "ab":
                nursery.start_soon(link.send, letter * 300_000)

    async with served(two) as port:
        async with tab(port) as opened:
            text = await whole(opened, 600_000)

        assert text in {"a" * 300_000 + "b" * 300_000, "b" * 300_000 + "a" * 300_000}


def test_the_client_here_masks() -> None:
    """The tests' own frames are those of a browser."""
    client = wsproto.connection.Connection(wsproto.ConnectionType.CLIENT)

    assert client.send(ws.TextMessage(data="x"))[1] & 0x80
    with pytest.raises(LocalProtocolError):
        client.send(ws.AcceptConnection())
