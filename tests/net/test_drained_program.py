"""A real program under SIGTERM: what was acknowledged is there, what was begun is acknowledged."""

from __future__ import annotations

import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trio
from run_kit import Program, program

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def shop(path: Path) -> AbstractAsyncContextManager[Program]:
    """Run the service."""
    return program("drained:Shop", path=path)


class Clients:
    """Clients that send numbers, one after the other, as fast as they are answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.acknowledged: list[bytes] = []
        self.enough = trio.Event()

    async def run(self, number: int) -> None:
        """Send until there is no answer any more; an answer must be whole."""
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            for count in range(1_000_000):
                line = b"%d.%d\n" % (number, count)
                try:
                    await stream.send_all(line)
                    answer = bytes(await stream.receive_some())
                except trio.BrokenResourceError:  # it was closed before it was read
                    return
                if not answer:
                    return
                assert answer == line
                self.acknowledged.append(line)
                if len(self.acknowledged) > 200:
                    self.enough.set()


async def test_what_is_stored_is_acknowledged_and_what_is_acknowledged_is_stored(
    tmp_path: Path,
) -> None:
    """Twenty busy clients when SIGTERM comes: what was acknowledged is exactly what is stored."""
    path = tmp_path / "numbers"
    async with shop(path) as program, trio.open_nursery() as nursery:
        clients = Clients(int((await program.read_until("port")).split()[0]))
        for number in range(20):
            nursery.start_soon(clients.run, number)
        await clients.enough.wait()
        program.process.send_signal(signal.SIGTERM)
        assert 0 == await program.end()
    stored = path.read_bytes().splitlines(keepends=True)
    assert sorted(clients.acknowledged) == sorted(stored)
    assert "ERROR" not in program.text
    assert program.text.index("draining") < program.text.index("store down")


@asynccontextmanager
async def draining(program: Program, request: bytes) -> AsyncGenerator[trio.SocketStream]:
    """Send SIGTERM amid a request that keeps its connection; wait until it waits for that."""
    port = int((await program.read_until("port")).split()[0])
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(request + b"\n")
        assert request + b"ing\n" == await stream.receive_some()
        program.process.send_signal(signal.SIGTERM)
        await program.read_until("draining")
        await until_refused(port)
        yield stream


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_cuts_draining_short_and_the_rest_ends_in_order(
    tmp_path: Path, second: signal.Signals
) -> None:
    """The connection that would not end is cancelled; the store is closed as ever."""
    async with shop(tmp_path / "numbers") as program:
        async with draining(program, b"stay") as stream:
            program.process.send_signal(second)
            assert b"" == await stream.receive_some()
        assert 0 == await program.end()
    assert f"{second.name}: cutting draining short" in program.text
    assert "store down" in program.text
    assert "ERROR" not in program.text


async def test_each_further_signal_goes_one_step_further(tmp_path: Path) -> None:
    """Stop, cut draining short, kill, end: the last signal also ends a program that resists."""
    async with shop(tmp_path / "numbers") as program, draining(program, b"cling"):
        for words in ("cutting draining short", "killing what is left"):
            program.process.send_signal(signal.SIGTERM)
            await program.read_on(f"SIGTERM: {words}")
        program.process.send_signal(signal.SIGTERM)
        assert -signal.SIGTERM == await program.end()


async def until_refused(port: int) -> None:
    """Wait until no client is accepted any more: from then on the service drains."""
    with pytest.raises(OSError, match="all attempts"):
        await connect_for_ever(port)


async def connect_for_ever(port: int) -> None:
    """Connect again and again."""
    while True:
        async with await trio.open_tcp_stream("127.0.0.1", port):
            await trio.lowlevel.checkpoint()
