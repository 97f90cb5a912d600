"""The observer that others look through: a thread with a Trio run of its own beside the program's.

It reads the tables of the program's run and asks nobody, so it answers also while the loop is
stuck, wakes no task, and a client that does not read keeps nobody but its own answers waiting.
"""

from __future__ import annotations

import contextvars
import logging
import os
import platform
import re
import secrets
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from .._exits.nurseries import OwnNursery
from .._port.worker_thread import WorkerThread
from .._process.runtime import runtime
from .._util.bounded import bounded
from .._util.checks import check_flag, is_whole
from .._util.public import public_in
from .._util.version import __version__
from .hub import Hub
from .reading.records import Records
from .session.lines import Lines
from .session.session import Session
from .web.token_file import token_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._process.pid import Pid
    from .._process.process import Process

_LOGGER: Final = logging.getLogger("trio_otp.observer")
PORTS: Final = 65_536
_APPLICATION: Final = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")  # as `trio-otp run` takes it


@public_in("observer")
@dataclass(frozen=True, slots=True)
class Served:
    """Where a program can be looked at: what `serve` returns.

    Args:
        pid: the process of the observer; `otp.stop(pid)` ends it.
        address: that of the page, without what opens it; None if there is no page.
        url: the address with the token, for a browser. It is a secret; None if there is no page.
        socket: the path of the Unix socket for `trio-otp ps` and the like; None if there is none.
    """

    pid: Pid
    address: str | None
    url: str | None = field(repr=False)
    socket: Path | None


@public_in("observer")
class Server(WorkerThread, restart="temporary", shutdown=1.0):
    """Serves the page of the observer and the socket of its commands; see `serve`.

    As a child it has started when it can be reached, and `otp.process_info(pid).started` is what
    `serve` returns. It is `temporary`: its errors are logged and end nothing else.

    Args:
        host: the address of the page; that of a network lets others see what is shown.
        port: its port, 0 for any that is free; None for no page, but the socket alone.
        hosts: names under which a proxy or tunnel makes the page known, besides those of this
            machine.
        token_file: a file with the token, so that an address stays good; made if it is not there.
        actions: whether clients may also act: kill, restart, suspend, resume.

    Raises:
        ModuleNotFoundError: the page needs the extra `observer`, which is not installed.
        TypeError, ValueError: an argument is invalid; the text says what was expected.
        OSError: the token file cannot be read.

    >>> import trio, trio_otp as otp
    >>> async def main():
    ...     children = [otp.child(otp.observer.Server, port=None).having(name="observer")]
    ...     async with otp.open_supervisor(children):
    ...         print(otp.process_info("observer").started.address)
    >>> trio.run(main)
    None
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int | None = 0,
        hosts: Iterable[str] = (),
        token_file: str | os.PathLike[str] | None = None,
        actions: bool = False,
    ) -> None:
        super().__init__(self._in_own_run, abandon_on_cancel=True)
        _check(host, port, hosts)
        check_flag("actions", actions)
        if port is not None:
            need_extra()
        self._host = host
        self._port = port
        self._hosts = tuple(hosts)
        self._token = token_of(token_file)
        self._actions = actions
        self._tables = runtime()
        self._records = Records(self._tables)
        self._program = trio.lowlevel.current_trio_token()  # of its loop
        # The run of the thread, once it has begun: what wakes it, what ends it
        self._own: tuple[trio.lowlevel.TrioToken, trio.CancelScope] | None = None

    # -- in the loop of the program ------------------------------------------------------------

    def _begin(self, process: Process) -> None:
        """Put off the end of init until the thread can be reached."""
        self._process = process

    async def _run(self, process: Process) -> None:
        with self._records.kept():
            await super()._run(process)

    def _is_up(self, served: Served) -> None:
        process = self._process
        process.own_extras().started = served
        if process.starting is not None:  # pragma: no branch - else it was ended meanwhile
            process.starting.ack()

    # -- in the thread -------------------------------------------------------------------------

    def _in_own_run(self) -> None:
        self._stopped = self.stop_event()
        self.on_stop(self._stop_run)
        # In a context of its own: nothing of the process belongs to that other run.
        contextvars.Context().run(trio.run, self._main)

    def _stop_run(self) -> None:
        """End the run of the thread; called in the loop of the program."""
        if self._own is not None:  # else the run looks at the event when it begins
            token, scope = self._own
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(scope.cancel)

    async def _main(self) -> None:
        with trio.CancelScope() as scope:
            self._own = trio.lowlevel.current_trio_token(), scope
            if self._stopped.is_set():
                scope.cancel()
            await self._serve()

    async def _serve(self) -> None:
        hub = Hub(self._tables, self._program, self._records)
        hub.actions = self._actions
        facts = self._facts()
        async with OwnNursery() as nursery:
            nursery.start_soon(hub.watch)
            address = await self._serve_page(hub, facts, nursery)
            url = None if address is None else f"{address}/#token={self._token}"
            hub.url = url
            socket = await self._serve_socket(hub, facts, nursery)
            served = Served(self._process.pid, address, url, socket)
            self._program.run_sync_soon(self._is_up, served)
            self._announce(served)

    async def _serve_page(
        self, hub: Hub, facts: dict[str, Any], nursery: trio.Nursery
    ) -> str | None:
        if self._port is None:
            await trio.lowlevel.checkpoint()
            return None
        from .web.server import Web  # noqa: PLC0415 - it needs the extra

        async def speak(link: Any) -> None:
            await Session(hub, facts, link.send, local=False).run(link.lines())

        listeners = await _listeners(self._host, self._port)
        nursery.start_soon(Web(self._token, speak, self._known_hosts()).serve, listeners)
        return _address(self._host, listeners[0].socket.getsockname()[1])

    def _known_hosts(self) -> tuple[str, ...]:
        """Return names that `Host` may be: also that of the address that is told."""
        return (*self._hosts, _shown_host(self._host))

    async def _serve_socket(
        self, hub: Hub, facts: dict[str, Any], nursery: trio.Nursery
    ) -> Path | None:
        if not hasattr(trio.socket, "AF_UNIX"):
            return None
        from .socket.server import serve_socket  # noqa: PLC0415 - with the rest of the thread

        async def speak(stream: trio.abc.Stream, peer: str) -> None:
            async def send(line: str) -> None:
                await stream.send_all(f"{line}\n".encode())

            await Session(hub, facts, send, local=True, peer=peer).run(Lines(stream))

        try:
            path: Path = await nursery.start(serve_socket, speak)
        except OSError as exc:  # somebody else may have made the directory
            if self._port is None:
                raise
            _LOGGER.warning("the observer has no socket for `trio-otp ps` and the like: %s", exc)
            return None
        return path

    def _announce(self, served: Served) -> None:
        """Tell where the program can be looked at; the token is for a terminal alone."""
        if served.address is not None:
            _LOGGER.info("the observer is at %s; `trio-otp url` opens it", served.address)
            if sys.stderr is not None and sys.stderr.isatty():
                sys.stderr.write(f"observer: {served.url}\n")

    def _facts(self) -> dict[str, Any]:
        return {
            "program": program_name(),
            "pid": os.getpid(),
            "run": secrets.token_hex(4),
            # The same for all observers of one run.
            "trio_run": self._tables.extras.setdefault(__name__, secrets.token_hex(4)),
            "python": platform.python_version(),
            "trio": trio.__version__,
            "trio_otp": __version__,
            "started": round(time.time(), 3),
            "actions": self._actions,
        }


def program_name() -> str:
    """Return what the program is called: its application if `trio-otp` runs it, else its file."""
    name, *rest = sys.argv or [""]
    if Path(name).name == "trio-otp" or Path(name).parts[-2:] == ("trio_otp", "__main__.py"):
        applications = [word for word in rest if _APPLICATION.fullmatch(word)]
        return applications[0] if applications else " ".join(["trio-otp", *rest[:1]])
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return Path(name).name or "python" if spec is None else spec.name.removesuffix(".__main__")


def need_extra() -> None:
    """Raise an error that names the extra if the page cannot be served without it."""
    missing = [name for name in ("h11", "wsproto") if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"the page of the observer needs {' and '.join(missing)}: "
            "pip install 'trio-otp[observer]'; port=None serves the socket of the commands alone",
            name=missing[0],
        )


async def _listeners(host: str, port: int) -> list[trio.SocketListener]:
    """Listen at each address of a host, on one port: with port 0 each would get its own."""
    listeners = await trio.open_tcp_listeners(port, host=host)
    if port == 0:
        for other in listeners[1:]:
            other.socket.close()
        del listeners[1:]
    return listeners


def _address(host: str, port: int) -> str:
    return f"http://{_shown_host(host)}:{port}"


def _shown_host(host: str) -> str:
    """Return a host as an address has it; of all of this machine, one."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104
    return f"[{shown}]" if ":" in shown and shown[0] != "[" else shown


def _check(host: Any, port: Any, hosts: Any) -> None:
    if not isinstance(host, str):
        raise TypeError(f"host={bounded(host)}: expected a str")
    if port is not None and not (is_whole(port) and 0 <= port < PORTS):
        raise ValueError(f"port={bounded(port)}: expected a number from 0 to 65535, or None")
    if isinstance(hosts, str) or not all(isinstance(each, str) for each in hosts):
        raise TypeError(f"hosts={bounded(hosts)}: expected a tuple of str, as in ('shop.test',)")
