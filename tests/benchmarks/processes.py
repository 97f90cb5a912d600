"""What needs a fresh interpreter: the time of an import, and the memory of very many servers.

`python -m tests.benchmarks.processes KIND N` starts N servers, asks each for an answer, and prints
the bytes by which its process has grown by then, and the number of answers.
"""

from __future__ import annotations

import atexit
import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import trio

from .measure import Sample

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def import_time(n: int, line: str) -> Sample:
    """Return the processor time of n interpreters that run an import and end.

    All they import has been compiled before, as with an installed package; the compiled files lie
    in a folder of this run, also where the environment says that none are to be written. To compile
    the library anew takes longer than to import it.
    """
    _compile(line)
    return Sample(sum(_spent(line) for _ in range(n)), n)


@functools.cache
def _compile(line: str) -> None:
    _spent(line)


def _spent(line: str) -> float:
    process = subprocess.Popen([sys.executable, "-c", line], cwd=ROOT, env=_environment())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{line} has failed")
    return usage.ru_utime + usage.ru_stime


@functools.cache
def _environment() -> dict[str, str]:
    folder = tempfile.TemporaryDirectory(prefix="trio_otp_compiled_")
    atexit.register(folder.cleanup)
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": folder.name}


def many(n: int, kind: str) -> Sample:
    """Let a fresh process start n servers; give the bytes by which it grew."""
    command = [sys.executable, "-m", "tests.benchmarks.processes", kind, str(n)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(ran.stderr.strip().rpartition("\n")[2] or "its process was ended")
    size, answered = ran.stdout.split()
    return Sample(float(size), int(answered))


def resident() -> int:
    """Return the resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE


async def _servers(kind: str, n: int) -> None:
    import trio_otp as otp

    from .ours.servers import KINDS

    server: Any = KINDS[kind]
    async with trio.open_nursery() as nursery:
        await otp.start(server, nursery=nursery)
        before = resident()
        pids = [await otp.start(server, nursery=nursery) for _ in range(n)]
        answered = 0
        for pid in pids:
            answered += await otp.call(pid, 0)
        grown = resident() - before
        os.write(1, f"{grown} {answered}\n".encode())
        os._exit(0)  # to stop them all is another race


if __name__ == "__main__":
    trio.run(_servers, sys.argv[1], int(sys.argv[2]))
