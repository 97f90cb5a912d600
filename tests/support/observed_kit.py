"""Programs to look into, as processes of their own, and the commands that do it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from paths import SUPPORT

import trio_otp as otp
from trio_otp.observer.socket import directory as socket_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = os.fspath(Path(otp.__file__).parent.parent)  # where programs find the library
LIMIT = 120  # seconds for a program, most of which a busy machine takes to import Trio


@contextmanager
def own_places() -> Iterator[Path]:
    """Have directories in which there are no programs but those of a test."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        home = Path(name)
        home.chmod(0o711)
        (home / "run").mkdir(mode=0o700)
        (home / "tmp").mkdir()
        (home / "tmp").chmod(0o1777)
        patch.setenv("XDG_RUNTIME_DIR", os.fspath(home / "run"))
        patch.setenv("TMPDIR", os.fspath(home / "tmp"))
        patch.setattr(tempfile, "tempdir", os.fspath(home / "tmp"))
        patch.setattr(socket_directory, "RUNTIME_DIRECTORIES", home / "run-user")
        yield home


class Observed:
    """A program that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.pid = process.pid

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def wait_for(self, line: str) -> None:
        """Read what it prints until a line comes."""
        assert self.process.stdout is not None
        lines: list[str] = []
        while line not in lines:
            said = self.process.stdout.readline()
            assert said, f"{line!r} never came; {lines}; {self.process.communicate()[1]}"
            lines.append(said.strip())

    def end(self) -> str:
        """Tell it to end; return what it has logged."""
        self.process.terminate()
        _, errors = self.process.communicate(timeout=LIMIT)
        assert 0 == self.process.returncode, errors
        return errors


@contextmanager
def observed(*words: str, application: str = "observed_app:App") -> Iterator[Observed]:
    """Run an application with `trio-otp run`, and end it, if need be by a kill."""
    process = subprocess.Popen(
        [sys.executable, "-m", "trio_otp", "run", application, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=SUPPORT,
        env={**os.environ, "PYTHONPATH": PACKAGE},
    )
    watch = threading.Timer(LIMIT, process.kill)
    watch.start()
    try:
        program = Observed(process)
        program.wait_for("up")
        yield program
        process.terminate()  # in order, so that what it has run is counted by coverage
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=LIMIT)
    finally:
        watch.cancel()
        process.kill()
        process.communicate()


def has_room(path: Path, waiting: ExitStack) -> bool:
    """Let one more connection wait, if it can."""
    connection = waiting.enter_context(socket.socket(socket.AF_UNIX))
    connection.setblocking(False)
    try:
        connection.connect(os.fspath(path))
    except BlockingIOError:
        return False
    return True
