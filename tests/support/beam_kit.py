"""Real Elixir: an epmd of its own, nodes that take orders, and what they answer.

A node is a program of `BEAM`: it evaluates what it is told and says, as text, what came out. So the
tests compare with what Elixir itself shows, and no decoder of ours is in between. It serves any
number of Trio runs, one after the other, since starting one takes half a second.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import threading
from base64 import b64decode, b64encode
from collections import defaultdict
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import trio
from paths import TESTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

PROGRAM = TESTS / "cluster" / "interop" / "beam.exs"
COOKIE = "crumbs"
HOST = "127.0.0.1"
LIMIT = 30  # seconds for what takes a moment on a machine that is not busy


class Failed(Exception):
    """What was ordered has raised, thrown or exited; the text says what."""


class Epmd:
    """A port mapper daemon on a port that nobody else uses.

    Args:
        port: another port.
        prefix: a command that runs it, as in another network namespace.
        address: where it listens; None for everywhere.
    """

    def __init__(
        self, port: int | None = None, *, prefix: tuple[str, ...] = (), address: str | None = HOST
    ) -> None:
        self.port = free_port() if port is None else port
        where = [] if address is None else ["-address", address]
        command = [*prefix, "epmd", "-d", "-d", *where, "-port", str(self.port)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert self.process.stderr is not None
        said = self.process.stderr
        while b"select() loop" not in (line := said.readline()):  # it is running before it listens
            assert line, "epmd has not started"
        # It writes a line for each thing that it is asked, and waits if nobody reads.
        self._reader = threading.Thread(target=lambda: [None for _ in said], daemon=True)
        self._reader.start()

    @property
    def variables(self) -> dict[str, str]:
        """What tells a program of Erlang where it is."""
        return {"ERL_EPMD_PORT": str(self.port)}

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with closing(socket.create_server((HOST, 0))) as found:
        port: int = found.getsockname()[1]
    return port


class Beam:
    """A node of Elixir.

    Args:
        epmd: where it is registered.
        name: its name, before the "@".
        cookie: what it asks others for.
        erl: more words for Erlang's command line.
        prefix: a command that runs it, as in another network namespace.
        host: its name, behind the "@".
    """

    _numbers = itertools.count()

    def __init__(
        self,
        epmd: Epmd | None,
        name: str = "ex",
        *,
        cookie: str = COOKIE,
        erl: str = "",
        prefix: tuple[str, ...] = (),
        host: str = HOST,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = f"{name}@{host}"
        # No message of `global` about nodes that have gone, and no waiting for them.
        flags = f"-kernel prevent_overlapping_partitions false -kernel connect_all false {erl}"
        elixir = shutil.which("elixir")
        assert elixir is not None, "needs Elixir, as of `apt-get install elixir`"
        named = ["--name", self.name, "--cookie", cookie, "--erl", flags]
        self.process = subprocess.Popen(
            [*prefix, elixir, *named, str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **(epmd.variables if epmd else {}), **(env or {})},
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        self.rest = b""  # what it has said of a line that is not complete yet

    def wait_up(self) -> Beam:
        """Wait until it takes orders."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == b"up\n", f"{self.name} has not started: {line!r}"
        return self

    @property
    def pid(self) -> int:
        """Its number in the operating system."""
        return self.process.pid

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    @asynccontextmanager
    async def open(self, **words: str) -> AsyncGenerator[Orders]:
        """Take orders in this Trio run.

        Args:
            words: what stands for other words in the orders, as `PY` for the name of a node.
        """
        async with trio.open_nursery() as nursery:
            orders = Orders(self, words)
            nursery.start_soon(orders.listen)
            try:
                yield orders
            finally:
                nursery.cancel_scope.cancel()
                await orders.close()


class Orders:
    """A node of Elixir in one Trio run."""

    def __init__(self, beam: Beam, words: dict[str, str]) -> None:
        self.beam = beam
        self.name = beam.name
        self.words = words
        self._in = trio.lowlevel.FdStream(os.dup(beam.stdin))
        self._out = trio.lowlevel.FdStream(os.dup(beam.stdout))
        self._turn = trio.Lock()
        self._open: dict[str, trio.MemorySendChannel[tuple[str, str]]] = {}

    async def listen(self) -> None:
        """Hand on what it says, until it ends."""
        while chunk := await self._out.receive_some():
            *lines, self.beam.rest = (self.beam.rest + bytes(chunk)).split(b"\n")
            for line in lines:
                number, kind, text = line.decode().split(" ")
                if number in self._open:  # it may be from an order of an earlier run
                    self._open[number].send_nowait((kind, b64decode(text).decode()))
        for waits in self._open.values():
            waits.close()

    async def close(self) -> None:
        for stream in (self._in, self._out):
            await trio.aclose_forcefully(stream)

    async def start(self, code: str) -> Order:
        """Have code evaluated in a process of its own."""
        for word, name in self.words.items():
            code = code.replace(word, f':"{name}"')
        number = str(next(Beam._numbers))
        self._open[number], receives = trio.open_memory_channel[tuple[str, str]](1000)
        async with self._turn:
            await self._in.send_all(f"{number} {b64encode(code.encode()).decode()}\n".encode())
        return Order(code, receives)

    async def run(self, code: str) -> str:
        """Have code evaluated, and return what Elixir shows of its value."""
        return await (await self.start(code)).result()


class Order:
    """Code that is being evaluated."""

    def __init__(self, code: str, receives: trio.MemoryReceiveChannel[tuple[str, str]]) -> None:
        self.code = code
        self._receives = receives
        self._said: defaultdict[str, list[str]] = defaultdict(list)

    async def said(self) -> str:
        """Wait for what it says next, by `Orders.say`."""
        return await self._next("say")

    async def result(self) -> str:
        """Wait until it is over; raise what it fails with."""
        return await self._next("ok")

    async def failure(self) -> str:
        """Wait until it fails, and return with what."""
        return await self._next("exit")

    async def _next(self, wanted: str) -> str:
        with trio.fail_after(LIMIT):
            kind, text = await self._receives.receive()
        while kind == "say" != wanted:
            kind, text = await self._receives.receive()
        if kind != wanted:
            raise Failed(f"{self.code}: {kind} {text}")
        return text
