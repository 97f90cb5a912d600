"""The chat: rooms in a registry, sessions that disturb nobody else, announced shutdowns."""

from __future__ import annotations

import json
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
from net_kit import LIMIT, reset, until
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

import trio_otp as otp
from examples.chat.app import Chat
from examples.chat.rooms import ROOMS, Line, Room, enter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio_otp.testing import OtpLog


@asynccontextmanager
async def chat(**settings: Any) -> AsyncIterator[otp.OpenApplication]:
    """Run the chat on a port of its own."""
    with trio.fail_after(LIMIT):
        async with otp.open_application(Chat, environment={"port": 0, **settings}) as app:
            yield app


class Browser:
    """A client; `stream` is what its WebSocket stands on."""

    def __init__(self, websocket: WebSocketConnection, stream: trio.SocketStream) -> None:
        self.websocket = websocket
        self.stream = stream

    async def say(self, text: str) -> None:
        await self.websocket.send_message(text)

    async def hear(self) -> tuple[str, str]:
        """Return who says what."""
        line = json.loads(await self.websocket.get_message())
        return line["who"], line["text"]

    async def hear_until(self, text: str) -> list[str]:
        """Return what is said until a text comes."""
        heard: list[str] = []
        while not heard or heard[-1] != text:
            heard.append((await self.hear())[1])
        return heard


@asynccontextmanager
async def browser(room: str, who: str) -> AsyncIterator[Browser]:
    """Join a room."""
    [listener] = otp.process_info("web").started
    stream = await trio.testing.open_stream_to_socket_listener(listener)
    async with trio.open_nursery() as nursery:
        path = f"/{room}?who={who}"
        websocket = await wrap_client_stream(nursery, stream, "localhost", path)
        try:
            yield Browser(websocket, stream)
        finally:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)


async def test_a_room_tells_its_members_what_one_of_them_says() -> None:
    """Not in another room; later members are shown the earlier lines."""
    async with chat(), browser("tea", "ada") as ada, browser("coffee", "eve") as eve:
        assert ("ada", "has come in") == await ada.hear()
        assert ("eve", "has come in") == await eve.hear()
        await ada.say("hello")
        assert ("ada", "hello") == await ada.hear()
        async with browser("tea", "joe") as joe:
            assert ["has come in", "hello"] == await joe.hear_until("hello")
            assert ("joe", "has come in") == await joe.hear() == await ada.hear()
            await joe.say("hi")
            assert ("joe", "hi") == await joe.hear() == await ada.hear()
        assert ("joe", "has left") == await ada.hear()
        await eve.say("nobody here?")
        assert ("eve", "nobody here?") == await eve.hear()
        assert 2 == ROOMS.count()


async def test_members_whose_connection_is_reset_have_left() -> None:
    """However they go; the others go on."""
    async with chat(), browser("tea", "ada") as ada:
        assert ("ada", "has come in") == await ada.hear()
        for number in range(10):
            async with browser("tea", f"b{number}") as other:
                await other.hear_until("has come in")
                await reset(other.stream)
                await ada.hear_until("has left")
        await ada.say("quiet here")
        assert ("ada", "quiet here") == await ada.hear()
        assert 0 == otp.ConnectionSupervisor.counts("web").crashed


async def test_a_room_that_crashes_is_the_end_of_its_sessions_alone(otp_log: OtpLog) -> None:
    """The next member gets a new room."""
    async with chat(), browser("tea", "ada") as ada, browser("coffee", "eve") as eve:
        await ada.hear(), await eve.hear()
        otp.exit(ROOMS.via("tea"), "broken")
        with pytest.raises(ConnectionClosed) as closed:
            await ada.hear()
        assert 1011 == closed.value.reason.code
        await eve.say("still here")
        assert ("eve", "still here") == await eve.hear()
        async with browser("tea", "ada") as again:
            assert ("ada", "has come in") == await again.hear()


async def test_a_member_that_reads_too_slowly_is_sent_away() -> None:
    """It costs a bounded number of lines; the others go on."""
    async with chat(waiting_lines=20, send_timeout=1000), browser("tea", "ada") as ada:
        await ada.hear_until("has come in")
        [listener] = otp.process_info("web").started
        async with await trio.testing.open_stream_to_socket_listener(listener) as slow:
            await slow.send_all(hello(b"/tea?who=slow"))
            await ada.hear_until("has come in")
            for _ in range(2000):
                await ada.say("x" * 9000)
                if "has left" in await ada.hear_until("x" * 9000):
                    break
            else:
                raise AssertionError("still a member")
            await until(lambda: counts().active == 1)
            assert 0 == counts().crashed


def hello(target: bytes) -> bytes:
    """Return the request of a WebSocket as bytes, with a target that no browser would send."""
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket"
    return b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n%s\r\n\r\n" % (target, upgrade, key)


@pytest.mark.parametrize(
    "sent",
    [
        b"\0\xff" * 100,
        b"GET / HTTP/1.1\r\n\r\n",
        hello(b"//[r?who=w"),
        hello(b"http://[r?who=w"),
        hello(b"/%ff?who=%00"),
        hello(b"/r") + b"\xff" * 100,
    ],
)
async def test_whatever_a_client_sends_is_no_crash(sent: bytes) -> None:
    """It is closed, or waits for what comes next."""
    async with chat(handshake_timeout=0.3):
        [listener] = otp.process_info("web").started
        async with await trio.testing.open_stream_to_socket_listener(listener) as stream:
            await stream.send_all(sent)
            with suppress(trio.BrokenResourceError):
                await stream.receive_some()
        await until(lambda: counts().accepted and not counts().active)
        assert 0 == counts().crashed


def counts() -> otp.ConnectionCounts:
    return otp.ConnectionSupervisor.counts("web")


async def test_a_client_that_reads_nothing_has_to_go() -> None:
    """Also if it is what was said before that it does not read: else lines would pile up."""
    async with chat(send_timeout=0.2), browser("tea", "ada") as ada:
        for _ in range(20):
            await ada.say("\x01" * 9000)
        await ada.hear_until("\x01" * 9000)
        with socket.socket() as sleepy:
            sleepy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            [listener] = otp.process_info("web").started
            await trio.to_thread.run_sync(sleepy.connect, listener.socket.getsockname())
            sleepy.sendall(hello(b"/tea?who=sleepy"))
            await ada.hear_until("has left")


async def test_the_end_is_told_to_all_browsers() -> None:
    """By a close frame with the reason, and without a crash."""
    async with chat() as app:
        ways: list[int] = []

        async def stay(room: str) -> None:
            async with browser(room, "x") as client:
                await client.hear()
                ready.append(room)
                with pytest.raises(ConnectionClosed) as closed:
                    await client.hear()
                ways.append(closed.value.reason.code)

        ready: list[str] = []
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(stay, f"room{number}")
            await until(lambda: len(ready) == 5)
            nursery.start_soon(otp.terminate_child, app, "web")
        assert [1001] * 5 == ways


async def test_one_browser_too_many_is_told_so() -> None:
    """In the words of HTTP, as there is no WebSocket yet."""
    async with chat(max_connections=1), browser("tea", "ada") as ada:
        await ada.hear()
        [listener] = otp.process_info("web").started
        async with await trio.testing.open_stream_to_socket_listener(listener) as stream:
            await stream.send_all(b"GET /tea HTTP/1.1\r\n\r\n")
            answer = b"".join([bytes(chunk) async for chunk in stream])
        assert answer.startswith(b"HTTP/1.1 503 ")


# -- rooms alone, in virtual time ------------------------------------------------------------------


@asynccontextmanager
async def rooms() -> AsyncIterator[None]:
    """Run what rooms need."""
    registry = otp.child(otp.Registry).having(name="rooms")
    supervisor = otp.child(otp.DynamicSupervisor).having(name="room supervisor")
    async with otp.open_supervisor([registry, supervisor]):
        yield


async def visit(seconds: float) -> None:
    """Stay in a room for a while."""
    room, _ = await enter("tea", "ada", 60)
    await Room.say(room, otp.self(), "hello")
    assert Line("tea", "ada", "has come in") == await otp.receive(Line)
    assert Line("tea", "ada", "hello") == await otp.receive(Line)
    await trio.sleep(seconds)


async def test_a_room_ends_by_itself_when_nobody_has_come_for_long(autojump_clock: Any) -> None:
    """Not while it has a member, however quiet; a later member gets a new one."""
    async with rooms(), otp.open_process():
        otp.spawn(visit, 1000.0)
        await trio.sleep(1059)
        room = otp.whereis(ROOMS.via("tea"))
        assert room is not None
        otp.spawn(visit, 0.0)  # comes in time
        await trio.sleep(59)
        assert room is otp.whereis(ROOMS.via("tea"))
        await trio.sleep(2)
        assert otp.whereis(ROOMS.via("tea")) is None
        assert 0 == (await otp.count_children("room supervisor")).specs
        _, lines = await enter("tea", "joe", 60)
        assert [] == lines


async def test_a_client_that_enters_as_a_room_ends_finds_a_new_one(
    autojump_clock: Any,
) -> None:
    """Or the old one; never none."""
    for moment in (59.999, 60, 60.001):
        async with rooms(), otp.open_process():
            await enter("tea", "ada", 60)
            await otp.stop(ROOMS.via("tea"))
            otp.spawn(visit, 0.0)
            await trio.sleep(moment)
            room, _ = await enter("tea", "joe", 60)
            assert room is otp.whereis(ROOMS.via("tea"))
