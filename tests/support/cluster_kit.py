"""What the tests between nodes share: a node with desks, programs that are nodes, terms."""

from __future__ import annotations

import signal
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio
import trustme
from desk import Desk
from paths import SUPPORT

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from beam_kit import Epmd

LIMIT = 30  # seconds for what takes a moment on a machine that is not busy
HOST = "127.0.0.1"


@asynccontextmanager
async def open_desks(
    name: str, cookie_file: Path, epmd: Epmd, **options: Any
) -> AsyncGenerator[None]:
    """Be a node with a `desk`, and a `trapper` that traps exits, both of which are restarted."""
    desk = otp.child(Desk).having(name="desk", restart="permanent")
    trapper = otp.child(Desk, trap=True).having(name="trapper", restart="permanent")
    options = {"cookie_file": cookie_file, "epmd": (HOST, epmd.port), **options}
    with trio.fail_after(2 * LIMIT):
        async with (
            otp.cluster.open_node(name, **options),
            otp.open_supervisor([desk, trapper], max_restarts=10_000),
        ):
            yield


class Tls:
    """The certificate of a node on this machine, for both sides, by an authority of its own.

    Args:
        folder: where the files are written.
    """

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert(HOST)
        self.cert, self.key, self.ca = (
            str(folder / f"{what}.pem") for what in ("cert", "key", "ca")
        )
        issued.cert_chain_pems[0].write_to_path(self.cert)
        issued.private_key_pem.write_to_path(self.key)
        authority.cert_pem.write_to_path(self.ca)
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca)
        client = ssl.create_default_context(cafile=self.ca)
        server.verify_mode = ssl.CERT_REQUIRED
        for context in (server, client):
            context.load_cert_chain(self.cert, self.key)
        self.contexts = (server, client)
        files = (
            f'{{certfile, "{self.cert}"}}, {{keyfile, "{self.key}"}}, {{cacertfile, "{self.ca}"}}'
        )
        sni = "{server_name_indication, disable}"  # it takes an address for a name
        strict = "{verify, verify_peer}, {fail_if_no_peer_cert, true}"
        options = folder / "ssl.config"
        options.write_text(
            f"[{{server, [{files}, {strict}]}}, {{client, [{files}, {{verify, verify_peer}}, {sni}]}}]."
        )
        self.erl = f"-proto_dist inet_tls -ssl_dist_optfile {options}"

    @property
    def files(self) -> list[str]:
        """What a program is given."""
        return [self.cert, self.key, self.ca]


class DeskNode:
    """A program of ours that is a node with desks."""

    def __init__(self, name: str, cookie_file: Path, epmd: Epmd, *more: object) -> None:
        self.name = name
        command = [sys.executable, str(SUPPORT / "desk.py"), name, str(cookie_file)]
        words = [*command, str(epmd.port), *map(str, more)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def wait_up(self) -> DeskNode:
        """Wait until it can be reached."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == b"up\n", f"{self.name} has not started: {line!r}"
        return self

    @property
    def pid(self) -> int:
        """Its number in the operating system."""
        return self.process.pid

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


async def eventually(question: Callable[[], Awaitable[bool]]) -> None:
    """Ask until the answer is yes; each question is one to another node, so this is not busy."""
    with trio.fail_after(LIMIT):
        while not await question():
            pass
