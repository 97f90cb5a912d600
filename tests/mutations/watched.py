"""A command that is ended once it hangs: when it uses no processor time, or takes too long."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LOOKS: Final = 0.25  # seconds from one look at what it has used to the next
IDLE: Final = 5.0  # seconds; tests do not sleep, so what does nothing for so long waits for ever
TICKS: Final = 2  # of processor time in that time, which a process that waits may use


def run(
    arguments: Sequence[str], cwd: Path, env: Mapping[str, str], limit: float
) -> tuple[int, str] | None:
    """Run Python; return its exit status and what it wrote, None if it hangs.

    Args:
        arguments: those of Python.
        cwd: the folder it runs in.
        env: its environment.
        limit: seconds it may take while it is busy.
    """
    with tempfile.TemporaryFile("w+") as written:
        process = subprocess.Popen(
            [sys.executable, "-P", *arguments],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = _ended(process, limit)
        finally:
            _end(process)
        written.seek(0)
        return None if status is None else (status, written.read())


def _ended(process: subprocess.Popen[bytes], limit: float) -> int | None:
    """Wait for the end; return None as soon as nothing but a hang is left."""
    began = since = time.monotonic()
    used, end = 0, os.pidfd_open(process.pid)
    try:
        while not select.select([end], [], [], LOOKS)[0]:
            now = time.monotonic()
            ticks = sum(_ticks(process.pid))
            if abs(ticks - used) > TICKS:  # less, too: one of its processes has ended
                used, since = ticks, now
            if now - since > IDLE or now - began > limit:
                return None
    finally:
        os.close(end)
    return process.wait()


def _ticks(session: int) -> Iterator[int]:
    """Yield the processor time of each process of a session."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[3]) == session:
            yield int(fields[11]) + int(fields[12])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing of it behind."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
