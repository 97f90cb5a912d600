"""Nodes for tests: one in the run of the test, others in threads with runs of their own.

They talk over real sockets of the loopback interface, without epmd.
"""

from __future__ import annotations

import ssl
import sys
import threading
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from pathlib import Path

    import trustme

HERE = "here@127.0.0.1"
THERE = "there@127.0.0.1"
LIMIT = 20.0  # seconds, for whatever is expected to happen at once


class Net:
    """Where the nodes of one test are, and their cookie.

    Args:
        directory: for the file with the cookie.
    """

    def __init__(self, directory: Path) -> None:
        self.addresses: dict[str, Any] = {}
        self.cookie = directory / "cookie"
        self.cookie.touch(0o600)
        self.cookie.write_text("secret of the test")

    def options(self, **more: Any) -> dict[str, Any]:
        """Return the options of a node."""
        common = {"cookie_file": self.cookie, "epmd": False, "resolve": self.addresses.get}
        return common | more

    @asynccontextmanager
    async def here(
        self, name: str = HERE, *, limit: float = LIMIT, **more: Any
    ) -> AsyncGenerator[str]:
        """Make the run of the test a node."""
        async with otp.cluster.open_node(name, **self.options(**more)):
            self.note_address(name)
            with trio.fail_after(limit):
                yield name

    def note_address(self, name: str) -> None:
        """Let the others find the node of this run."""
        from trio_otp.cluster.opening import node_of_run

        self.addresses.setdefault(name, node_of_run().addresses[0])

    @contextmanager
    def there(
        self, *children: Any, name: str = THERE, start: bool = True, **more: Any
    ) -> Generator[OtherNode]:
        """Run another node with a supervisor of these children."""
        other = OtherNode(self, name, children, more)
        if start:
            other.start()
        try:
            yield other
        finally:
            other.end()


class OtherNode:
    """A node in a thread."""

    def __init__(
        self, net: Net, name: str, children: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        self._net = net
        self.name = name
        self._children = children
        self._options = options
        self._ready = threading.Event()
        self._token: trio.lowlevel.TrioToken
        self._end: Callable[[], object] = self._ready.set
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def start(self) -> None:
        """Start it, and wait until it is there."""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name)
        self._thread.start()
        assert self._ready.wait(LIMIT)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as exc:
            self._error = exc
            self._ready.set()

    async def _main(self) -> None:
        async with (
            otp.cluster.open_node(self.name, **self._net.options(**self._options)),
            otp.open_supervisor(list(self._children)),
        ):
            self._net.note_address(self.name)
            with trio.CancelScope() as scope:
                self._token = trio.lowlevel.current_trio_token()
                self._end = scope.cancel
                self._ready.set()
                await trio.sleep_forever()

    async def do(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run an async function there; return what it returns."""
        run = partial(trio.from_thread.run, function, *args, trio_token=self._token)
        return await trio.to_thread.run_sync(run)

    async def ask(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run a plain function there; return what it returns."""
        run = partial(trio.from_thread.run_sync, function, *args, trio_token=self._token)
        return await trio.to_thread.run_sync(run)

    def end(self) -> None:
        """End it, and wait for that."""
        if self._thread is not None:
            if self._error is None:
                self._token.run_sync_soon(self._end)
            self._thread.join(LIMIT)
            assert not self._thread.is_alive()
            self._thread = None
            if self._error is not None:
                raise self._error


@contextmanager
def fast_threads() -> Generator[None]:
    """Switch between threads often: each waits for the other one."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def contexts(ca: trustme.CA, *, mutual: bool = True) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a node whose certificate is from this authority."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    certificate = ca.issue_cert("127.0.0.1", "localhost")
    for context in (server, client):
        certificate.configure_cert(context)
        ca.configure_trust(context)
    server.verify_mode = ssl.CERT_REQUIRED if mutual else ssl.CERT_NONE
    return server, client
