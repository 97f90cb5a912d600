"""A client of the observer: it speaks the protocol with a session in this run, or over a stream."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import trio
import trio.testing

import trio_otp as otp
from trio_otp.observer.hub import Hub
from trio_otp.observer.session.lines import Lines
from trio_otp.observer.session.session import Session

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncIterable, AsyncIterator

LIMIT = 20  # seconds of the real clock for what has to come


class Client:
    """Sends questions and gets the answers, each by its id."""

    def __init__(self, send: Any, lines: AsyncIterable[str]) -> None:
        self._send = send
        self._lines = lines.__aiter__()
        self._number = 0
        self.hello: dict[str, Any] = {}
        self.hub: Any = None  # of a session in this run

    async def greet(self) -> dict[str, Any]:
        """Return what the program says of itself."""
        self.hello = (await self.next())["hello"]
        return self.hello

    async def say(self, ask: str, **arguments: Any) -> int:
        """Send a question; return its id."""
        self._number += 1
        await self.send_line(json.dumps({"id": self._number, "ask": ask, **arguments}))
        return self._number

    async def send_line(self, line: str) -> None:
        await self._send(line)

    async def next(self) -> dict[str, Any]:
        """Return the next message."""
        message: dict[str, Any] = json.loads(await self._lines.__anext__())
        return message

    async def answer(self, number: int) -> dict[str, Any]:
        """Return the next answer with this id."""
        while True:
            message = await self.next()
            if message.get("id") == number:
                return message

    async def ask(self, question: str, **arguments: Any) -> Any:
        """Ask once, and return the result."""
        answer = await self.answer(await self.say(question, **arguments))
        assert "result" in answer, answer
        return answer["result"]

    async def until_the_end(self) -> None:
        """Read until the program hangs up."""
        with suppress(StopAsyncIteration, trio.BrokenResourceError):
            while True:
                await self.next()

    async def refused(self, question: str, **arguments: Any) -> tuple[str, str]:
        """Ask, and return kind and text of the error."""
        answer = await self.answer(await self.say(question, **arguments))
        assert "error" in answer, answer
        return answer["error"]["kind"], answer["error"]["text"]


@asynccontextmanager
async def client_here(*, local: bool = True) -> AsyncIterator[Client]:
    """Open a client of a session that lives in this very run: time is that of its clock."""
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, trio.testing.MockClock), "an answer waits for samples: autojump_clock"
    tables, token = otp_tables(), trio.lowlevel.current_trio_token()
    hub = Hub(tables, token)
    to_session, lines = trio.open_memory_channel[str](10)
    send, answers = trio.open_memory_channel[str](10)
    session = Session(hub, {"program": "test"}, send.send, local=local)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.watch)
        nursery.start_soon(session.run, lines)
        client = Client(to_session.send, answers)
        client.hub = hub
        await client.greet()
        yield client
        nursery.cancel_scope.cancel()


def otp_tables() -> Any:
    from inside import runtime

    return runtime()


class Server(otp.GenServer):
    """Waits for what it is told to wait for."""

    def __init__(self, secret: str = "") -> None:
        self.secret = secret

    @otp.on_call
    async def wait(self, event: trio.Event) -> None:
        await event.wait()

    @otp.on_call
    async def ask(self, other: str, event: trio.Event) -> None:
        await Server.at(other, timeout=None).wait(event)

    @otp.on_cast
    def crash(self) -> None:
        raise KeyError("colour")

    @otp.on_cast
    def note(self, number: int) -> None:
        """Do nothing with it."""


class Blocked(otp.GenServer):
    """Holds the loop until an event of a thread is set."""

    def __init__(self, told: threading.Event) -> None:
        self.told = told

    @otp.on_call(timeout=None)
    async def hold(self) -> bool:
        return self.told.wait(LIMIT)


@asynccontextmanager
async def client_at(path: Any) -> AsyncIterator[Client]:
    """Open a client at the Unix socket of an observer, of this program or another."""
    stream = await trio.open_unix_socket(path)
    async with stream:

        async def send(line: str) -> None:
            await stream.send_all(f"{line}\n".encode())

        client = Client(send, Lines(stream, 10**8))
        with trio.fail_after(LIMIT):
            await client.greet()
        yield client
