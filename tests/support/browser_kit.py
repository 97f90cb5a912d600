"""The browser of the system, and what its pages ask for and complain of.

Nothing is imported that other tests lack.
"""

from __future__ import annotations

import atexit
import shutil
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Playwright

LIMIT = 30_000  # milliseconds for what has to come, on a busy machine
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser that asks nobody for anything by itself."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert found is not None, f"none of {BROWSERS} is on PATH; install Debian's `chromium`"
    browser = _playwright().chromium.launch(executable_path=found, args=QUIET)
    try:
        yield browser
    finally:
        browser.close()


@cache
def _playwright() -> Playwright:
    """Start what drives browsers: once, since it takes the thread to itself."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=LIMIT)
    started = sync_playwright().start()
    atexit.register(started.stop)
    return started


class Seen:
    """What the pages of a test have asked for and complained of."""

    def __init__(self) -> None:
        self.hosts: set[str] = set()
        self.errors: list[str] = []

    def watch(self, page: Page) -> Page:
        """Note what a page does."""
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or ""))
        page.on("websocket", lambda socket: self.hosts.add(urlsplit(socket.url).hostname or ""))
        page.on("console", lambda message: message.type == "error" and self.note(message.text))
        page.on("pageerror", lambda error: self.note(str(error)))
        return page

    def note(self, text: str) -> None:
        """Note an error, but that a program is gone, which a test ends."""
        if "ERR_CONNECTION_REFUSED" not in text:
            self.errors.append(text)
