"""What the tests between nodes share: a node with desks, programs that are nodes, terms."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio
from desk import Desk
from paths import SUPPORT

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from beam_kit import Epmd

LIMIT = 30  # seconds for what takes a moment on a machine that is not busy
HOST = "127.0.0.1"


@asynccontextmanager
async def open_desks(
    name: str, cookie_file: Path, epmd: Epmd, **options: Any
) -> AsyncGenerator[None]:
    """Be a node with a `desk`, and a `trapper` that traps exits, both of which are restarted."""
    desk = otp.child(Desk).having(name="desk", restart="permanent")
    trapper = otp.child(Desk, trap=True).having(name="trapper", restart="permanent")
    options = {"cookie_file": cookie_file, "epmd": (HOST, epmd.port), **options}
    with trio.fail_after(2 * LIMIT):
        async with (
            otp.cluster.open_node(name, **options),
            otp.open_supervisor([desk, trapper], max_restarts=10_000),
        ):
            yield


class DeskNode:
    """A program of ours that is a node with desks."""

    def __init__(self, name: str, cookie_file: Path, epmd: Epmd, *more: object) -> None:
        self.name = name
        command = [sys.executable, str(SUPPORT / "desk.py"), name, str(cookie_file)]
        words = [*command, str(epmd.port), *map(str, more)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def wait_up(self) -> DeskNode:
        """Wait until it can be reached."""
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
        self.process.send_signal(signal.SIGCONT)
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


async def eventually(question: Callable[[], Awaitable[bool]]) -> None:
    """Ask until the answer is yes; each question is one to another node, so this is not busy."""
    with trio.fail_after(LIMIT):
        while not await question():
            pass
