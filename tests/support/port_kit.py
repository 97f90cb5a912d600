"""Programs for the tests of ports, and a pipe by which the test hears of them and of their end."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


def python(code: str, *args: str) -> list[str]:
    """Return the command that runs some Python, without site packages, which start slowly."""
    return [sys.executable, "-ISuc", code, *args]


# Each takes the path of a FIFO as its argument, and writes `up` there when it is ready.
READY = "import os, signal, sys, time; line = open(sys.argv[1], 'w', 1); "
OBEYS = READY + "line.write('up\\n'); signal.pause()"
IGNORES = READY + "signal.signal(15, signal.SIG_IGN); line.write('up\\n'); signal.pause(); 1/0"
CLEANS_UP = (
    READY + "signal.pthread_sigmask(signal.SIG_BLOCK, [15]); line.write('up\\n');"
    "signal.sigwait([15]); line.write('bye\\n'); sys.exit(3)"
)
FREEZES = READY + "line.write('up\\n'); os.kill(os.getpid(), signal.SIGSTOP)"
FORKS = (  # the first ends on SIGTERM, the second, which it has started, ignores it
    READY + "parent = os.fork();"
    "parent or signal.signal(15, signal.SIG_IGN); parent or line.write('up\\n'); signal.pause()"
)


class Line:
    """A FIFO that programs have open for writing; its end is their end, also of orphans."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.text = ""

    async def read(self) -> str:
        """Wait for what comes next; nothing means that nobody has it open any more."""
        await trio.lowlevel.wait_readable(self._fd)
        data = os.read(self._fd, 4096).decode()
        self.text += data
        return data

    async def wait_up(self) -> None:
        """Wait until a program is ready."""
        while "up" not in await self.read():
            pass

    async def wait_gone(self) -> str:
        """Wait until every program is gone; give what was written meanwhile."""
        os.close(os.open(self.path, os.O_WRONLY))  # one that nobody has opened has no end
        said = ""
        while data := await self.read():
            said += data
        return said

    def close(self) -> None:
        os.close(self._fd)


@asynccontextmanager
async def open_line(path: Path) -> AsyncGenerator[Line]:
    """Open a line."""
    line = Line(path / "line")
    try:
        yield line
    finally:
        line.close()


def port(line: Line, code: str, **options: Any) -> otp.Child[otp.Port]:
    """Return a program as a child, called `p`."""
    return otp.child(otp.Port, python(code, line.path)).having(name="p", **options)
