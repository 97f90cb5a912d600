"""A browser, and a program that is looked at. `nox -s observer` has what these tests need.

Nothing is imported that the other tests lack: these are deselected, not skipped, where they do not
run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from browser_kit import LIMIT, Seen, chromium
from paths import SUPPORT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page


class Program:
    """The shop as a process of the operating system."""

    def __init__(self, directory: Path, *options: str) -> None:
        program = SUPPORT / "observed_shop.py"
        if "pictures" in options:  # they show its name
            program = shutil.copy(program, directory / "shop.py")
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(directory)}
        self.process = subprocess.Popen(
            [sys.executable, str(program), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        where: dict[str, Any] = json.loads(self.line())
        self.url: str = where["url"]
        self.pid: int = where["pid"]
        self.socket: str = where["socket"]
        self.address, _, self.token = self.url.partition("/#token=")
        self.port = urlsplit(self.url).port or 0

    def line(self) -> str:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def say(self, command: str) -> None:
        """Have it do something; without waiting until it is done."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()

    def do(self, command: str) -> None:
        """Have it do something, and wait until it says so."""
        self.say(command)
        assert "done\n" == self.line()

    def close(self) -> None:
        """End it, if it has not ended."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


@pytest.fixture
def directory() -> Iterator[Path]:
    """Give a directory for sockets, with a short name: the path of a socket has a limit."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def start(directory: Path) -> Iterator[Callable[..., Program]]:
    """Give a function that starts a program with options; all are ended after the test."""
    programs: list[Program] = []

    def started(*options: str) -> Program:
        programs.append(Program(directory, *options))
        return programs[-1]

    yield started
    for program in programs:
        program.close()


@pytest.fixture
def shop(start: Callable[..., Program]) -> Program:
    """Give a program that may be looked at, and acted on."""
    return start("actions")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give the browser of the system."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Give what the tabs of one user share."""
    opened = browser.new_context(viewport={"width": 1280, "height": 800})
    opened.set_default_timeout(LIMIT)
    yield opened
    opened.close()


@pytest.fixture
def seen() -> Seen:
    """Give a record of what pages do."""
    return Seen()


@pytest.fixture
def open_page(context: BrowserContext, seen: Seen) -> Iterator[Callable[[Program, str], Page]]:
    """Give a function that opens a screen of a program; no page may complain or ask others."""
    from playwright.sync_api import expect

    def opened(program: Program, screen: str = "overview") -> Page:
        page = seen.watch(context.new_page())
        page.goto(program.url)
        expect(page.locator("body[data-state=live]")).to_be_visible()
        page.goto(f"{program.address}/#/{screen}")
        return page

    yield opened
    assert [] == seen.errors
    assert seen.hosts <= {"127.0.0.1"}
