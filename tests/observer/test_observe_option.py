"""`trio-otp run --observe`: what it serves, whom it tells, and that it never ends a program."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
import trio
from observed_kit import LIMIT, PACKAGE, observed
from paths import SUPPORT

import trio_otp as otp
from trio_otp import cli
from trio_otp.observer.beside import observing

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
TOKEN = re.compile(r"/#token=([\w-]{20,})")


def test_it_serves_a_page_and_a_socket(capsys: pytest.CaptureFixture[str]) -> None:
    """The log has the address, without the token, which only the socket tells; the end is quick."""
    with observed("--observe") as program:
        assert 0 == cli.main(["list"])
        listed = capsys.readouterr().out
        assert "observed_app:App" in listed
        assert 0 == cli.main(["url"])
        url = capsys.readouterr().out.strip()
        with urllib.request.urlopen(url, timeout=LIMIT) as page:
            assert b"<script" in page.read()
        errors = program.end()
    address, token = ADDRESS.search(url), TOKEN.search(url)
    assert address is not None
    assert token is not None
    assert f"the observer is at {address[0]}" in errors
    assert token[1] not in errors
    assert "Traceback" not in errors
    assert 2 == cli.main(["ps"])  # with the program its socket has gone


def test_a_terminal_is_told_the_whole_address() -> None:
    """And it alone: it is not in a pipe or a file that may be kept."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "trio_otp", "run", "observed_app:App", "--observe"],
        stdin=subprocess.PIPE,
        stderr=theirs,
        stdout=subprocess.DEVNULL,
        cwd=SUPPORT,
        env={**os.environ, "PYTHONPATH": PACKAGE},
    )
    os.close(theirs)
    said = b""
    while not TOKEN.search(said.decode()):
        said += os.read(ours, 10_000)
    process.terminate()
    process.communicate(timeout=LIMIT)
    os.close(ours)
    assert 0 == process.returncode


def test_a_program_that_does_not_come_up_can_be_looked_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is served before the applications start."""
    with observed("--observe", application="observed_app:Slow") as program:
        assert 0 == cli.main(["ps", "status:starting"])
        assert "hang_in_init" in capsys.readouterr().out
        program.end()


def test_without_the_extra_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is run."""
    monkeypatch.chdir(SUPPORT)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("trio_otp.observer.server.find_spec", lambda name: None)
    assert 2 == cli.main(["run", "observed_app:App", "--observe"])
    error = capsys.readouterr().err
    assert "pip install 'trio-otp[observer]'" in error
    assert 1 == len(error.splitlines())


def test_a_directory_that_is_not_ours_is_no_reason_to_end(places: Path) -> None:
    """The program goes on without a socket, and says why."""
    (places / "run" / "trio-otp").mkdir(mode=0o755)
    with observed("--observe") as program:
        assert "the observer is at http://" in (errors := program.end())
    assert "no socket" in errors
    assert "expected mode 0700, got 0755" in errors


def test_an_observer_that_cannot_be_started_is_no_reason_to_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The program runs as without it, and says in one line what was wrong."""

    class Brief(otp.Application):
        name = "brief"

        def start(self) -> Any:
            return otp.Supervisor.spec([otp.child(come_up).having(restart="temporary")])

    async def come_up() -> None:
        came_up.append(True)
        signal.raise_signal(signal.SIGTERM)
        await trio.sleep_forever()

    async def no_listeners(*args: object, **options: object) -> list[trio.SocketListener]:
        raise OSError("no address of this machine can be used")

    came_up: list[bool] = []
    monkeypatch.setattr(trio, "open_tcp_listeners", no_listeners)
    with observing(actions=False):
        otp.run(Brief)
    assert [True] == came_up
    [error] = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert "no address of this machine can be used" in error


@pytest.mark.parametrize("words", [["--observe", "observed_app:App"], ["a:B", "--observe=all"]])
def test_another_word_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An application that stands behind the option would be its value."""
    with pytest.raises(SystemExit):
        cli.main(["run", *words])
    assert "expected --observe at the end of the line, or --observe=actions" in (
        capsys.readouterr().err
    )
