"""An interactive shell in a terminal of its own."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

INTERACTIVE = {  # without the user's own settings
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
LIMIT = 60.0  # seconds, on a machine that has much else to do


def type_into(shell: str, home: Path, keys: str, until: str) -> str:
    """Type into an interactive shell; return what it has shown up to `until`."""
    ours, theirs = pty.openpty()
    plain = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb"}
    process = subprocess.Popen(
        ["setsid", "--ctty", *INTERACTIVE[shell]],  # fish ends where no terminal controls it
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=home,
        env=plain,
    )
    os.close(theirs)
    try:
        os.write(ours, keys.encode())
        return _read(ours, until)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read(terminal: int, until: str) -> str:
    shown, deadline = "", time.monotonic() + LIMIT
    while until not in shown:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"{until!r} was not shown in {LIMIT:g} s, but {shown!r}"
        shown += os.read(terminal, 65536).decode(errors="replace")
    return shown
