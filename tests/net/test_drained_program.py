"""A real program under SIGTERM: what was acknowledged is there, what was begun is acknowledged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from paths import SUPPORT

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LIMIT = 60  # seconds for a program, most of which a busy machine takes to import Trio
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


class Program:
    """A program that runs, and what it prints."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.text = ""

    async def read_until(self, words: str) -> str:
        """Read what it prints until a line begins with these words; return the rest of that."""
        assert self.process.stdout is not None
        while True:
            for line in self.text.splitlines(keepends=True):
                if line.startswith(words) and line.endswith("\n"):
                    return line.removeprefix(words).strip()
            chunk = await self.process.stdout.receive_some()
            assert chunk, f"{words!r} never came; {self.text}"
            self.text += chunk.decode()

    async def read_on(self, words: str) -> None:
        """Read what it prints until these words come anywhere."""
        assert self.process.stdout is not None
        while words not in self.text:
            chunk = await self.process.stdout.receive_some()
            assert chunk, f"{words!r} never came; {self.text}"
            self.text += chunk.decode()

    async def end(self) -> int:
        """Read the rest, and return the exit status."""
        assert self.process.stdout is not None
        async for chunk in self.process.stdout:
            self.text += chunk.decode()
        return await self.process.wait()


@asynccontextmanager
async def shop(path: Path, **settings: object) -> AsyncIterator[Program]:
    """Run the service; kill it if it has not ended by itself."""
    given = [f"--set={name}={value}" for name, value in {"path": path, **settings}.items()]
    folders = [str(Path(otp.__file__).parent.parent), str(SUPPORT)]
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "trio_otp", "run", "drained:Shop", *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
    )
    try:
        with trio.fail_after(LIMIT):
            yield Program(process)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


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
    """Twenty clients in full swing, when SIGTERM comes: neither set has one more."""
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


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_cuts_draining_short_and_the_rest_ends_in_order(
    tmp_path: Path, second: signal.Signals
) -> None:
    """The connection that would not end is cancelled; the store is closed as ever."""
    async with shop(tmp_path / "numbers") as program:
        port = int((await program.read_until("port")).split()[0])
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"stay\n")
            assert b"staying\n" == await stream.receive_some()
            program.process.send_signal(signal.SIGTERM)
            await program.read_until("draining")
            await until_refused(port)
            program.process.send_signal(second)
            assert b"" == await stream.receive_some()
        assert 0 == await program.end()
    assert f"{second.name}: cutting draining short" in program.text
    assert "store down" in program.text
    assert "ERROR" not in program.text


async def test_each_further_signal_goes_one_step_further(tmp_path: Path) -> None:
    """Stop, cut draining short, kill, end: the last one ends also what clings to its life."""
    async with shop(tmp_path / "numbers") as program:
        port = int((await program.read_until("port")).split()[0])
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"cling\n")
            assert b"clinging\n" == await stream.receive_some()
            program.process.send_signal(signal.SIGTERM)
            await program.read_until("draining")
            await until_refused(port)
            for words in ("cutting draining short", "killing what is left"):
                program.process.send_signal(signal.SIGTERM)
                await program.read_on(f"SIGTERM: {words}")
            program.process.send_signal(signal.SIGTERM)
            assert -signal.SIGTERM == await program.end()


async def until_refused(port: int) -> None:
    """Wait until nothing is accepted any more: from then on it waits for connections."""
    with pytest.raises(OSError, match="all attempts"):
        await connect_for_ever(port)


async def connect_for_ever(port: int) -> None:
    """Connect again and again."""
    while True:
        async with await trio.open_tcp_stream("127.0.0.1", port):
            await trio.lowlevel.checkpoint()
