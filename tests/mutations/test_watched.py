"""What the mutations rely on: a command that hangs is known to, one that works is left alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.mutations import watched

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

WAITS = "import threading; threading.Event().wait()"
SPINS = "while True: pass"


def run(code: str, cwd: Path, limit: float = 60) -> tuple[int, str] | None:
    """Run some code under watch."""
    return watched.run(["-c", code], cwd, os.environ, limit)


def test_what_ends_gives_its_status_and_its_text(tmp_path: Path) -> None:
    """Both streams of it."""
    code = "import sys; print('out', flush=True); sys.stderr.write('error'); sys.exit(3)"
    assert (3, "out\nerror") == run(code, tmp_path)


def test_what_waits_for_ever_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It uses no time of a processor; long before its limit."""
    monkeypatch.setattr(watched, "IDLE", 0.3)
    assert run(WAITS, tmp_path) is None


def test_what_is_busy_hangs_at_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However short it might be idle; so does one whose child is busy."""
    monkeypatch.setattr(watched, "IDLE", 60.0)
    assert run(SPINS, tmp_path, 0.3) is None
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SPINS!r}])"
    assert run(code, tmp_path, 0.3) is None
