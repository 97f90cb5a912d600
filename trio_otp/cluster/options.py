"""What a node is opened with, checked before anything is opened."""

from __future__ import annotations

import math
import os
import secrets
import ssl
import stat
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from .._exits.errors import StartError
from .._util.bounded import bounded
from .._util.checks import is_seconds
from .wire.frames import FRAME_LIMIT
from .wire.handshake import is_node_name

Listen: TypeAlias = "tuple[str, int] | str | os.PathLike[str]"
Resolve: TypeAlias = "Mapping[str, Listen] | Callable[[str], Listen | None]"
Allow: TypeAlias = "Collection[str] | Callable[[str], bool]"
Tls: TypeAlias = tuple[ssl.SSLContext, ssl.SSLContext]
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_EPMD_PORT: Final = "ERL_EPMD_PORT"
DEFAULT_TICK: Final = 15.0  # seconds, as of the BEAM
_SMALLEST: Final = 1024  # bytes of a frame


@dataclass(frozen=True)
class Options:
    """What a node is opened with; `open_node` says what each of them is."""

    name: str
    cookie: bytes = field(repr=False)
    tls: Tls | None = None
    listen: Listen | None = None
    epmd: tuple[str, int] | None = None
    must_register: bool = False
    resolve: Resolve | None = None
    allow: Allow | None = None
    tick: float = DEFAULT_TICK
    max_frame: int = FRAME_LIMIT
    insecure: bool = False

    @property
    def alive(self) -> str:
        """What epmd knows the node by."""
        return self.name.partition("@")[0]

    @property
    def host(self) -> str:
        """The host in the name of the node."""
        return self.name.partition("@")[2]

    @property
    def is_trusted(self) -> bool:
        """Whether each side has to show a certificate."""
        return self.tls is not None and all(
            context.verify_mode is ssl.CERT_REQUIRED for context in self.tls
        )

    def allows(self, name: str) -> bool:
        """Check whether a node may be a peer."""
        if self.allow is None:
            return True
        return bool(self.allow(name)) if callable(self.allow) else name in self.allow

    def address_of(self, name: str) -> Listen | None:
        """Return where `resolve` says that a node listens."""
        if self.resolve is None:
            return None
        found = self.resolve(name) if callable(self.resolve) else self.resolve.get(name)
        return _checked_address(f"resolve of {name}", found)


def checked(
    name: str,
    *,
    cookie_file: str | os.PathLike[str] | None,
    tls: Tls | None,
    listen: Listen | None,
    epmd: Any,
    resolve: Resolve | None,
    allow: Allow | None,
    tick: float,
    max_frame: int,
    insecure: bool,
) -> Options:
    """Return what a node is opened with.

    Raises:
        ValueError, TypeError: an argument is not accepted.
        StartError: the cookie file is not there, or others can read it.
    """
    if not isinstance(name, str) or not is_node_name(name):
        raise ValueError(f'name={bounded(name)}: expected the name of a node, as "py@host"')
    if not is_seconds(tick) or tick in {0, math.inf}:
        raise ValueError(f"tick={bounded(tick)}: expected a finite number of seconds > 0")
    if type(max_frame) is not int or max_frame < _SMALLEST:
        raise ValueError(f"max_frame={bounded(max_frame)}: expected a number of bytes >= 1024")
    _check_tls(tls)
    _check_lists(resolve, allow)
    is_alone = cookie_file is None and epmd is False and resolve is None
    return Options(
        name=name,
        cookie=_cookie_of_peers() if is_alone else _cookie(cookie_file),
        tls=tls,
        listen=_checked_address("listen", listen),
        epmd=_epmd(epmd),
        must_register=epmd is not None and epmd is not False,
        resolve=resolve,
        allow=allow,
        tick=float(tick),
        max_frame=max_frame,
        insecure=bool(insecure),
    )


def _check_tls(tls: object) -> None:
    pair: Any = tls
    contexts = tls is None or (
        isinstance(tls, tuple)
        and len(pair) == 2
        and all(isinstance(context, ssl.SSLContext) for context in pair)
    )
    if not contexts:
        expected = "(context of the server, context of the client), two ssl.SSLContext, or None"
        raise TypeError(f"tls={bounded(pair)}: expected {expected}")


def _check_lists(resolve: object, allow: object) -> None:
    if resolve is not None and not (callable(resolve) or isinstance(resolve, Mapping)):
        expected = "a dict of names and addresses, or a function of a name"
        raise TypeError(f"resolve={bounded(resolve)}: expected {expected}")
    if isinstance(allow, str) or not (
        allow is None or callable(allow) or isinstance(allow, Collection)
    ):
        raise TypeError(f"allow={bounded(allow)}: expected names of nodes, or a function of a name")


def _checked_address(what: str, address: Any) -> Listen | None:
    """Return where to listen; a path is that of a unix socket."""
    found: Listen | None = address
    match address:
        case None | str() | os.PathLike():
            return found
        case (str() as host, int() as port):
            return host, port
        case _:
            expected = '(host, port), as ("127.0.0.1", 0), or the path of a unix socket'
            raise TypeError(f"{what}={bounded(found)}: expected {expected}")


def _epmd(epmd: Any) -> tuple[str, int] | None:
    """Return where epmd is asked; None if it is not."""
    match epmd:
        case False:
            return None
        case None | True:
            return "127.0.0.1", _usual_port()
        case int(port):
            return "127.0.0.1", port
        case (str(host), int(port)):
            return host, port
        case _:
            shown: object = epmd
            expected = "(host, port), a port, False or None"
            raise TypeError(f"epmd={bounded(shown)}: expected {expected}")


def _usual_port() -> int:
    port = os.environ.get(_EPMD_PORT, "4369")
    if not port.isdecimal():
        raise ValueError(f"{_EPMD_PORT}={bounded(port)} of the environment: expected a port")
    return int(port)


def _cookie_of_peers() -> bytes:
    """Return a cookie that nobody knows but those who are started here."""
    return secrets.token_hex(16).encode()


def _cookie(path: str | os.PathLike[str] | None) -> bytes:
    """Read the cookie: the first line of a file that nobody else can read."""
    file = Path.home() / ".erlang.cookie" if path is None else Path(path)
    try:
        mode = file.stat().st_mode
        data = file.read_bytes()
    except OSError as exc:
        raise StartError(exc, f"node: its cookie_file {os.fspath(file)!r}") from exc
    if mode & _OTHERS:
        error = PermissionError(f"others can read {os.fspath(file)!r}; write chmod 600")
        raise StartError(error, "node")
    cookie = data.split(b"\n", 1)[0].strip()
    if not cookie:
        empty = ValueError(f"cookie_file={os.fspath(file)!r} has no first line")
        raise StartError(empty, "node")
    return cookie
