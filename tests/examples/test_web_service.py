"""Hypercorn as a child: real requests, and what becomes of them when SIGTERM comes."""

from __future__ import annotations

import http.client
import signal
import sys
from functools import partial
from typing import Any

import pytest
import trio
from run_kit import program

import trio_otp as otp
from examples.web_service.app import Site

LIMIT = 30


def get(port: int, path: str) -> str:
    """Send a request, in a thread, and return the text of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        assert 200 == response.status
        return response.read().decode()
    finally:
        connection.close()


async def fetch(port: int, path: str) -> str:
    """Do so without holding up the loop."""
    return await trio.to_thread.run_sync(get, port, path)


def port_of(url: str) -> int:
    """Return the port of an address."""
    return int(url.rsplit(":", 1)[1])


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
async def test_requests_that_were_begun_are_answered_when_sigterm_comes() -> None:
    """It ends with status 0, and an answer for each request in hand; no new ones are accepted."""
    async with program("examples.web_service.app:Site", port=0) as site:
        port = port_of(await site.read_until("listens on"))
        answers: list[str] = []

        async def wait_for_news() -> None:
            answers.append(await fetch(port, "/news"))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(wait_for_news)
            await until_counted(port)
            site.process.send_signal(signal.SIGTERM)
        assert ["the service is about to end\n"] * 5 == answers
        assert 0 == await site.end()
        with pytest.raises(OSError, match="all attempts"):
            await trio.open_tcp_stream("127.0.0.1", port)
    assert "ERROR" not in site.text


async def until_counted(port: int) -> None:
    """Wait until the five requests for news are in hand."""
    while "5 have" not in await fetch(port, "/readers"):
        await trio.lowlevel.checkpoint()


async def test_a_server_that_requests_use_may_crash() -> None:
    """The next request finds it again; the web goes on."""
    with trio.fail_after(LIMIT):
        async with otp.open_application(Site, environment={"port": 0}):
            [url] = otp.process_info("web").started
            ask: Any = partial(fetch, port_of(url), "/")
            assert ["visit 1\n", "visit 2\n"] == [await ask(), await ask()]
            pid = otp.whereis("web")
            otp.exit("visits", "broken")
            assert "visit 1\n" == await ask()
            assert pid is otp.whereis("web")


async def test_the_web_alone_can_be_stopped_in_order() -> None:
    """It ends with the reason it was asked to end with, so nothing is logged."""
    with trio.fail_after(LIMIT):
        async with otp.open_application(Site, environment={"port": 0}) as site:
            [url] = otp.process_info("web").started
            reports: list[Any] = []
            otp.events.attach("supervisor", reports.append)
            await otp.terminate_child(site, "web")
            assert [] == reports
            with pytest.raises(OSError, match="all attempts"):
                await trio.open_tcp_stream("127.0.0.1", port_of(url))
