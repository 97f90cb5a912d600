"""Frames of every kind on real sockets, while the service is killed again and again.

Each client knows what has to be replied to what it sends, to the byte. Beside them others write
what they check after each kill, and the memory of the service is looked at all the time.
"""

from __future__ import annotations

import math
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import trio
from fuzz_frames import EVICTED, Conversation
from service_process import Ledger, OsProcess, until_it_breaks

from examples.cache_service.client import Client, connect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CLIENTS = 30
LEDGERS = 5
MEGABYTE = 1024 * 1024
CLIENT_MEMORY = 5 * MEGABYTE
# All that may come on top of what the service takes when it has just started: what clients leave,
# a command of four megabytes for some of them, and what Python keeps for itself.
GROWTH = 40 * MEGABYTE
RESET = b"\1\0\0\0\0\0\0\0"  # SO_LINGER: on, 0 seconds


class Fuzz:
    """Clients that send so many frames, and what was wrong with the replies.

    Args:
        random: decides what is sent, and how.
        port: of the service.
    """

    def __init__(self, random: Random, port: int) -> None:
        self.random = random
        self.port = port
        self.frames = 0  # that were answered as they have to be

    async def run(self, frames: int) -> None:
        """Send frames over connections, some at a time, until there were so many."""
        goal = self.frames + frames
        lengths = [5, 50, min(1500, frames // CLIENTS)]
        async with trio.open_nursery() as nursery:
            for _ in range(CLIENTS):
                nursery.start_soon(self._connect_until, goal, lengths)

    async def _connect_until(self, goal: int, lengths: Sequence[int]) -> None:
        while self.frames < goal:
            name = f"fuzz{self.random.getrandbits(60)}"
            conversation = Conversation(self.random, name, self.random.choice(lengths))
            if self.random.random() < 0.1:
                await self._break_off(conversation)
            else:
                await self._converse(conversation)

    async def _converse(self, conversation: Conversation) -> None:
        received = bytearray()
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(self._send, stream, conversation)
            with suppress(trio.BrokenResourceError):  # it may be reset, once all has come
                async for part in stream:
                    received += part
            nursery.cancel_scope.cancel()
        conversation.check(received)
        self.frames += len(conversation.sent)

    async def _send(self, stream: trio.SocketStream, conversation: Conversation) -> None:
        try:
            for piece in conversation.pieces():
                await stream.send_all(piece)
            await stream.send_eof()
        except trio.BrokenResourceError:
            return  # it has quit, or was turned away, before all was sent

    async def _break_off(self, conversation: Conversation) -> None:
        """Reset the connection at any point; what has come until then is right."""
        pieces = conversation.pieces()
        count = self.random.randrange(len(pieces))
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            with trio.move_on_after(1):  # nobody takes the replies
                for piece in pieces[:count]:
                    await stream.send_all(piece)
            received: bytes | bytearray = b""
            with trio.move_on_after(0.1):
                received = await stream.receive_some()
            told = b"".join(conversation.expected)
            assert told.startswith(received.removesuffix(EVICTED))
            stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, RESET)


async def facts(client: Client) -> dict[str, int]:
    """Return the numbers of INFO."""
    text: Any = await client.ask("INFO")
    lines = [line.split(":") for line in text.decode().splitlines() if ":" in line]
    return {name: int(value) for name, value in lines if value.isdigit()}


class Watch:
    """Looks at the memory of a service as long as it lasts."""

    def __init__(self) -> None:
        self.before = math.inf
        self.most = 0.0

    async def look(self, port: int) -> None:
        async with await connect(port) as client:
            self.before, self.most = (await facts(client))["used_memory_rss"], 0.0
            while True:
                await trio.sleep(0.02)
                found = await facts(client)
                self.most = max(self.most, found["used_memory_rss"])
                assert found["client_memory"] <= CLIENT_MEMORY


async def until_it_breaks_quietly(fuzz: Fuzz) -> None:
    """Go on with the fuzz while the service is killed: then anything may break."""
    try:
        await fuzz.run(100_000)
    except* (trio.BrokenResourceError, AssertionError, OSError):
        pass


@pytest.mark.parametrize(
    ("frames", "kills"),
    [
        (3_000, 1),
        pytest.param(50_000, 20, marks=pytest.mark.slow),
        pytest.param(1_000_000, 20, marks=pytest.mark.soak),
    ],
    ids=["some", "many", "a-million"],
)
async def test_frames_of_every_kind(tmp_path: Path, frames: int, kills: int) -> None:
    """Each frame is answered correctly, memory is bounded, and no kill loses an acknowledged write.

    Frames are nested, oversized, split anywhere, broken off; the service logs no error of them.
    """
    random = Random(20261130)
    service = OsProcess(tmp_path / "cache.db", max_client_memory=CLIENT_MEMORY, stall_timeout=60)
    ledgers = [Ledger(f"ledger{n}") for n in range(LEDGERS)]
    answered = 0
    with trio.fail_after(60 if kills < 20 else 1500):
        for _ in range(kills):
            async with service:
                await check(ledgers, service.port)
                answered += await one_life(service, ledgers, random, frames // kills)
        async with service:
            await check(ledgers, service.port)
    assert answered >= frames
    log = await trio.Path(service.log).read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log


async def one_life(service: OsProcess, ledgers: list[Ledger], random: Random, frames: int) -> int:
    """Send frames to a service that has just started, then kill it in the midst of more."""
    fuzz, watch = Fuzz(random, service.port), Watch()
    async with trio.open_nursery() as nursery:
        for ledger in ledgers:
            nursery.start_soon(until_it_breaks, ledger, service.port)
        async with trio.open_nursery() as watched:
            watched.start_soon(watch.look, service.port)
            await fuzz.run(frames)
            watched.cancel_scope.cancel()
        answered = fuzz.frames
        assert watch.most - watch.before < GROWTH, (watch.before, watch.most)
        nursery.start_soon(until_it_breaks_quietly, fuzz)
        await trio.sleep(random.uniform(0, 0.2))  # any moment will do
        await service.kill()
    return answered


async def check(ledgers: list[Ledger], port: int) -> None:
    """Find what was acknowledged, or the one write under way."""
    async with await connect(port) as client:
        for ledger in ledgers:
            await ledger.check(client)
