"""What the tests between nodes share: a node with desks, programs that are nodes, terms."""

from __future__ import annotations

import ipaddress
import signal
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from desk import Desk
from paths import SUPPORT

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from beam_kit import Epmd

LIMIT = 100  # seconds for what takes a moment where the machine is not busy and nothing traced
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

    It is not one of trustme, which limits what a key is for in a way that Erlang does not read.

    Args:
        folder: where the files are written.
    """

    def __init__(self, folder: Path) -> None:
        ca_key, key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        ca = _certificate("ca", ca_key, "ca", ca_key, None)
        cert = _certificate(HOST, key, "ca", ca_key, ca)
        self.cert, self.key, self.ca = (
            str(folder / f"{word}.pem") for word in ("cert", "key", "ca")
        )
        form = serialization.Encoding.PEM
        plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        Path(self.key).write_bytes(key.private_bytes(form, *plain))
        Path(self.cert).write_bytes(cert.public_bytes(form))
        Path(self.ca).write_bytes(ca.public_bytes(form))
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca)
        client = ssl.create_default_context(cafile=self.ca)
        server.verify_mode = ssl.CERT_REQUIRED
        for context in (server, client):
            context.load_cert_chain(self.cert, self.key)
        self.contexts = (server, client)
        self.erl = f"-proto_dist inet_tls -ssl_dist_optfile {self._erlang(folder)}"

    def _erlang(self, folder: Path) -> Path:
        """Write what Erlang reads."""
        paths = {"certfile": self.cert, "keyfile": self.key, "cacertfile": self.ca}
        files = ", ".join(f'{{{word}, "{path}"}}' for word, path in paths.items())
        server = f"{{server, [{files}, {{verify, verify_peer}}, {{fail_if_no_peer_cert, true}}]}}"
        client = f"{{client, [{files}, {{verify, verify_peer}}]}}"
        path = folder / "ssl.config"
        path.write_text(f"[{server},\n {client}].\n")
        return path


def _certificate(
    name: str, key: Any, issuer: str, issuer_key: Any, authority: x509.Certificate | None
) -> x509.Certificate:
    """Return a certificate for a name of this machine; of an authority if there is none above."""
    named, by = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in (name, issuer)
    )
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(authority is None, None), critical=True)
    )
    if authority is not None:
        # Erlang takes an address for a name of the DNS.
        names = [x509.IPAddress(ipaddress.ip_address(name)), x509.DNSName(name)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


class DeskNode:
    """A program of ours that is a node with desks."""

    def __init__(
        self,
        name: str,
        cookie_file: Path,
        epmd: Epmd,
        *more: object,
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        command = [*prefix, sys.executable, str(SUPPORT / "desk.py"), name, str(cookie_file)]
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
