"""The cache service as a program of its own, which tests fill, starve and kill."""

from __future__ import annotations

import random
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
import trio

from examples.cache_service.client import Client, connect

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]


def _free_port() -> int:
    """Return a port that the system gives nobody who asks for any, as clients do."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class OsProcess:
    """The service as a program of its own.

    Args:
        path: its database; a log is written beside it.
        wrapper: the program that starts it and becomes it.
        settings: its environment.
    """

    def __init__(self, path: Path, *, wrapper: Sequence[str] = (), **settings: Any) -> None:
        self.port: int = _free_port()
        self.log = path.with_name("service.log")
        self._wrapper = wrapper
        self._settings = {"port": self.port, "path": path, **settings}
        self.path = path
        self.process: trio.Process

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        with trio.CancelScope(shield=True):
            await self.kill()

    async def start(self) -> None:
        """Start it and wait until it serves."""
        application = "examples.cache_service.app:CacheService"
        arguments = [*self._wrapper, sys.executable, "-m", "trio_otp", "run", application]
        for name, value in self._settings.items():
            arguments += ["--set", f"{name}={value}"]
        with self.log.open("ab") as log:
            self.process = await trio.lowlevel.open_process(arguments, cwd=ROOT, stderr=log)
        while True:
            try:
                async with await connect(self.port) as client:
                    await client.ask("PING")
                    return
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                await trio.sleep(0.02)

    async def kill(self) -> None:
        """End it as a power failure would, as far as a program can tell."""
        self.process.kill()
        await self.process.wait()


class Ledger:
    """What one client was promised: the last number acknowledged for each key, and the one after.

    Args:
        name: the start of its keys.
    """

    def __init__(self, name: str) -> None:
        self.keys = [f"{name}:{n}" for n in range(20)]
        self.acknowledged = dict.fromkeys(self.keys, 0)
        self.tried = dict.fromkeys(self.keys, 0)

    async def write(self, port: int) -> None:
        """Write numbers that only grow until the connection breaks, some as counters."""
        async with await connect(port) as client:
            while True:
                key = random.choice(self.keys)
                self.tried[key] += 1
                command = ["INCR", key] if key.endswith("0") else ["SET", key, self.tried[key]]
                reply = await client.ask(*command)
                self.tried[key] = reply if isinstance(reply, int) else self.tried[key]
                self.acknowledged[key] = self.tried[key]

    async def check(self, client: Client) -> None:
        """Find every number acknowledged, or the one that was on its way."""
        values = await client.ask_all([("GET", key) for key in self.keys])
        for key, value in zip(self.keys, values, strict=True):
            stored = int(value or 0)  # type: ignore[arg-type]
            assert self.acknowledged[key] <= stored <= self.tried[key], key
            self.acknowledged[key] = self.tried[key] = stored


async def until_it_breaks(ledger: Ledger, port: int) -> None:
    """Write as a client until the service ends."""
    with pytest.raises((EOFError, trio.BrokenResourceError)):
        await ledger.write(port)


def acknowledged(ledgers: Sequence[Ledger]) -> int:
    """Return how much was acknowledged in all."""
    return sum(sum(ledger.acknowledged.values()) for ledger in ledgers)


async def until_acknowledged(ledgers: Sequence[Ledger], count: int) -> None:
    """Wait, while clients write, until so much was acknowledged."""
    while acknowledged(ledgers) < count:  # noqa: ASYNC110  # clients tell nobody
        await trio.sleep(0.002)
