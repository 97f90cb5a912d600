"""Many tabs, tabs that do not read, and the end of the program that they look at."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
import wsproto
from wsproto import events as ws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Program, Seen
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser

TABS = 12


@contextmanager
def deaf(program: Program) -> Iterator[socket.socket]:
    """Open a tab that asks for much and never reads."""
    with socket.create_connection(("127.0.0.1", program.port)) as stream:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        key = base64.b64encode(os.urandom(16)).decode()
        host = f"127.0.0.1:{program.port}"
        stream.sendall(
            f"GET /socket HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert stream.recv(12).endswith(b"101")
        frames = wsproto.connection.Connection(wsproto.ConnectionType.CLIENT)
        lines: list[dict[str, Any]] = [{"token": program.token}]
        ask = {"ask": "rows", "count": 1000, "every": 0.25}
        lines += [{"id": number, **ask} for number in range(20)]
        for line in lines:
            stream.sendall(frames.send(ws.TextMessage(data=json.dumps(line))))
        yield stream


@pytest.mark.parametrize(("how", "tabs"), [("end", TABS), ("SIGTERM", 3), ("crash", 3)])
def test_all_tabs_stream_and_none_delays_the_end(
    start: Callable[..., Program], open_page: Callable[..., Page], how: str, tabs: int
) -> None:
    """Twelve tabs, and one that never reads: the end is later by less than a second."""
    from playwright.sync_api import expect

    shop = start()
    with deaf(shop):
        pages = [open_page(shop, "processes") for _ in range(tabs)]
        for page in pages:
            box = page.locator(".table-box")
            expect(box).to_have_attribute("data-frames", re.compile("."))
            expect(box).not_to_have_attribute("data-frames", box.get_attribute("data-frames") or "")
        alone = seconds_to_end(start(), how)

        assert seconds_to_end(shop, how) < alone + 1
        expect(pages[0].locator(".connection")).to_contain_text("connecting again")


def seconds_to_end(program: Program, how: str) -> float:
    """End a program in one way or another, and return how long that took."""
    began = time.monotonic()
    if how == "SIGTERM":
        os.kill(program.pid, signal.SIGTERM)
    else:
        program.say("end" if how == "end" else "no such command")
    assert (1 if how == "crash" else 0) == program.process.wait(60)
    return time.monotonic() - began


def test_the_end_of_the_observer_ends_nothing_else(
    shop: Program, open_page: Callable[..., Page]
) -> None:
    """Its process is killed: the page says so, the program goes on."""
    from playwright.sync_api import expect

    page = open_page(shop, "overview")
    expect(page.locator(".tile").first).to_contain_text("processes")
    shop.do("kill the observer")
    expect(page.locator(".connection")).to_contain_text("connecting again")
    shop.do("release")
    assert shop.process.poll() is None


def test_without_the_token_there_is_no_data(shop: Program, context: BrowserContext) -> None:
    """The page says how to get it, and takes it; a wrong one as well as none. No cookie is set."""
    from playwright.sync_api import expect

    page = context.new_page()
    for wrong in ("", "#token=wrong"):
        page.goto("about:blank")
        page.goto(f"{shop.address}/{wrong}")
        dialog = page.locator("dialog.token")
        expect(dialog).to_contain_text("trio-otp url")
        assert "shop" not in page.locator("main").inner_text()
        assert 0 == page.locator(".tile").count()
    dialog.locator("input").fill(shop.url)
    page.keyboard.press("Enter")
    expect(page.locator(".tile").first).to_contain_text("processes")
    assert "token" not in page.url
    assert [] == context.cookies()
    page.reload()
    expect(page.locator(".tile").first).to_contain_text("processes")


class Elsewhere(BaseHTTPRequestHandler):
    """A page of another program on this machine, which wants to know."""

    def do_GET(self) -> None:
        """Answer with a page that tries all it can."""
        target = self.path.partition("?")[2]
        script = f"""
            const said = [];
            const tell = (text) => {{ said.push(text); document.title = said.join(" "); }};
            fetch("http://{target}/").then(() => tell("read"), () => tell("unread"));
            const socket = new WebSocket("ws://{target}/socket");
            socket.onopen = () => tell("open");
            socket.onerror = () => tell("refused");
            const frame = document.createElement("iframe");
            frame.src = "http://{target}/";
            document.body.append(frame);
        """
        body = f"<!doctype html><body><script>{script}</script>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_page_of_another_port_gets_nothing(shop: Program, context: BrowserContext) -> None:
    """It reads no file, opens no socket, sees no token, and cannot frame the page."""
    from playwright.sync_api import expect

    seen = context.new_page()
    seen.goto(shop.url)
    expect(seen.locator(".tile").first).to_contain_text("processes")
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        Thread(target=server.serve_forever).start()
        try:
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/?127.0.0.1:{shop.port}")
            expect(page).to_have_title("unread refused")
            assert page.evaluate("sessionStorage.length + document.cookie.length") == 0
            framed = page.frames[-1]
            assert framed.url.startswith("chrome-error:") or framed.locator("main").count() == 0
        finally:
            server.shutdown()


def test_the_demonstration_shows_rows_at_once(
    directory: Path, context: BrowserContext, seen: Seen
) -> None:
    """`trio-otp demo --serve --observe`: rows within 2 s of the page; it asks no other host."""
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(directory)}
    command = [sys.executable, "-m", "trio_otp"]
    with subprocess.Popen(
        [*command, "demo", "--serve", "--observe"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        try:
            url = address_of(demo.pid, command, environment)
            page = seen.watch(context.new_page())
            page.goto(url)
            page.locator(".tile").first.wait_for()
            page.goto(f"{url.partition('#')[0]}#/processes")
            took = sorted(seconds_until_rows(page) for _ in range(5))
            assert took[2] < 2
            assert ([], {"127.0.0.1"}) == (seen.errors, seen.hosts)
        finally:
            demo.send_signal(signal.SIGTERM)
            assert demo.stdout is not None
            demo.stdout.read()


def seconds_until_rows(page: Page) -> float:
    """Load the page anew, and return after how long the first row is there."""
    began = time.monotonic()
    page.reload()
    page.locator("tr[data-pid]").first.wait_for()
    return time.monotonic() - began


def address_of(pid: int, command: list[str], environment: dict[str, str]) -> str:
    """Ask by `trio-otp url`, until the program can be found."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        asked = subprocess.run(
            [*command, "url", "--pid", str(pid)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode == 0:
            return asked.stdout.strip()
    raise AssertionError(asked.stderr)
