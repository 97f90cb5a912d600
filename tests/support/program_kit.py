"""Programs as processes of the operating system: start one, read what it says, wait for its end."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
from paths import SUPPORT
from run_kit import killed_at_the_end

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

PROGRAM = SUPPORT / "signalled.py"
NO_MORE: Mapping[str, str] = {}
LIMIT = 120  # seconds for a program, most of which a busy machine takes to import Trio


class Running:
    """A program that runs, and the lines it has printed."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self.errors = ""
        self._rest = b""

    async def read_until(self, line: str) -> None:
        """Read what it prints until a line comes."""
        assert self.process.stdout is not None
        while line not in self.lines:
            chunk = await self.process.stdout.receive_some()
            assert chunk, f"{line!r} never came; {self.lines}"
            self._split(chunk)

    async def read_errors_until(self, *texts: str) -> str:
        """Read standard error until one of the texts comes; return what came since last time."""
        assert self.process.stderr is not None
        before = len(self.errors)
        while not any(text in self.errors[before:] for text in texts):
            chunk = await self.process.stderr.receive_some()
            assert chunk, f"{texts!r} never came; {self.errors}"
            self.errors += chunk.decode()
        return self.errors[before:]

    async def end(self) -> int:
        """Wait for its end, read the rest, give its exit status."""
        assert self.process.stdout is not None
        async for chunk in self.process.stdout:
            self._split(chunk)
        if self.process.stderr is not None:
            async for chunk in self.process.stderr:
                self.errors += chunk.decode()
        return await self.process.wait()

    def _split(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self.lines += [line.decode() for line in lines]


@asynccontextmanager
async def program(
    name: str,
    *before: str,
    script: Path = PROGRAM,
    arguments: Sequence[str] = (),
    env: Mapping[str, str] = NO_MORE,
    **options: Any,
) -> AsyncIterator[Running]:
    """Start an application of a script; kill it if it has not ended by itself."""
    repository = str(Path(otp.__file__).parent.parent)
    process = await trio.lowlevel.open_process(
        [*before, sys.executable, str(script), name, *arguments],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": repository, **env},
        **{"stderr": subprocess.PIPE, **options},
    )
    async with killed_at_the_end(process, LIMIT):
        yield Running(process)
