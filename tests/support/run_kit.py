"""A program of `trio-otp run`, for tests that send it signals and read what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import trio
from paths import ROOT, SUPPORT

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LIMIT = 60  # seconds for a program, most of which a busy machine takes to import Trio


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
async def program(application: str, **settings: object) -> AsyncIterator[Program]:
    """Run an application; kill it if it has not ended by itself."""
    given = [f"--set={name}={value}" for name, value in settings.items()]
    folders = [str(Path(otp.__file__).parent.parent), str(SUPPORT), str(ROOT)]
    process = await trio.lowlevel.open_process(
        [sys.executable, "-P", "-m", "trio_otp", "run", application, *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
    )
    async with killed_at_the_end(process, LIMIT):
        yield Program(process)


@asynccontextmanager
async def killed_at_the_end(process: trio.Process, limit: float) -> AsyncIterator[None]:
    """Leave no process behind; fail if the block takes longer than the limit."""
    try:
        with trio.fail_after(limit):
            yield
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
