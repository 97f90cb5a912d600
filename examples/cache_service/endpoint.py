"""What all connections share: settings, counters and limits.

`Endpoint.handle` is the handler of an `otp.ConnectionSupervisor`, which gives each connection a
process of its own, counts them, and lets them end in order; what happens on one is in
`connection.py`.
"""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import trio

from .client_memory import ClientMemory
from .connection import Connection
from .glob import compile_pattern
from .info import Counters
from .notices import Notice
from .replies import error

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .commands import Auth

ENDPOINT: Final = "Endpoint"  # the name of the ConnectionSupervisor
KEEP_ALIVE: Final = 300  # seconds of silence before the kernel probes a client
WRONG: Final = "WRONGPASS invalid username-password pair or user is disabled."
_log = logging.getLogger("examples.cache_service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of connections.

    Args:
        keyspaces: how many there are.
        max_clients: how many connections are served at a time; more get an error
            and are closed.
        drain_timeout: seconds that clients have to get the replies to what they have sent, when the
            service ends.
        requirepass: the password that clients have to give; empty: none.
        timeout: seconds that a client may be idle; 0: for ever.
        stall_timeout: seconds that a client may take to show who it is, to complete a command, or
            to take a part of its replies.
        max_client_memory: bytes of half-sent commands and of replies that are not taken, of all
            clients together.
        export_dir: the directory for exports; without one they are refused.
    """

    keyspaces: int = 16
    max_clients: int = 10_000
    drain_timeout: float = 5.0
    requirepass: str = field(default="", repr=False)
    timeout: float = 0.0
    stall_timeout: float = 60.0
    max_client_memory: int = 64 * 1024 * 1024
    export_dir: Path | None = None


class Endpoint:
    """What connections belong to.

    Args:
        settings: what they go by.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.counters = Counters()
        self.memory = ClientMemory(self.settings.max_client_memory)
        self.name = ENDPOINT
        self.port = 0
        self.http = Notice(
            _log,
            "turned away %d connection(s) that spoke HTTP: perhaps a web page tries to send "
            "commands to this port",
        )

    async def open_listeners(self, port: int, host: str) -> list[trio.SocketListener]:
        """Listen, and warn if anybody can connect without a password."""
        listeners = await trio.open_tcp_listeners(port, host=host)
        addresses = [listener.socket.getsockname() for listener in listeners]
        self.port = int(addresses[0][1])
        if not self.settings.requirepass:
            for address in addresses:
                if not ip_address(address[0]).is_loopback:
                    _log.warning(
                        "listening on %s, beyond this machine, without a password: everybody who "
                        "can reach it can read and write; set requirepass",
                        address[0],
                    )
        return listeners

    async def handle(self, stream: trio.SocketStream) -> None:
        """Serve one connection until either side ends it."""
        _keep_alive(stream)
        self.counters.connections += 1
        await Connection(self, stream, self.counters.connections).serve()

    async def refuse(self, stream: trio.SocketStream) -> None:
        """Send a client the error that there are too many."""
        await stream.send_all(error("ERR max number of clients reached"))

    def refusal(self, auth: Auth) -> str | None:
        """Check a password; return the error reply if it is wrong.

        There is one user, and as in Redis any password of it is right if none is set.
        """
        password = self.settings.requirepass
        if auth.user is None and not password:
            return (
                "ERR AUTH <password> called without any password configured for the default user. "
                "Are you sure your configuration is correct?"
            )
        right = not password or hmac.compare_digest(auth.password, password.encode())
        return None if right and auth.user in (None, b"default") else WRONG

    def config(self, patterns: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        """Return the settings whose names fit one of the patterns, with their values."""
        settings = {
            b"appendonly": b"yes",
            b"databases": b"%d" % self.settings.keyspaces,
            b"maxclients": b"%d" % self.settings.max_clients,
            b"maxmemory-clients": b"%d" % self.settings.max_client_memory,
            b"save": b"",
            b"timeout": b"%d" % self.settings.timeout,
        }
        matchers = [compile_pattern(pattern.lower()) for pattern in patterns]
        return [
            (name, value)
            for name, value in settings.items()
            if any(fits(name) for fits in matchers)
        ]


def _keep_alive(stream: trio.SocketStream) -> None:
    """Turn on TCP keepalive, as Redis does, to detect clients that vanished."""
    stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_KEEPALIVE, 1)
    if hasattr(trio.socket, "TCP_KEEPIDLE"):  # not on every system
        stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_KEEPIDLE, KEEP_ALIVE)
