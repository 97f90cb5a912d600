"""Listening for other nodes and reaching them: sockets, TLS, and what is allowed in the open."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from .._net.sockets import socket_of

if TYPE_CHECKING:
    from .options import Listen, Options

_AGAIN: Final = 0.01  # seconds between two attempts to listen
_SECURE = "expected TLS with certificates on both sides, or insecure=True"


class Refused(Exception):
    """A connection that is not made, or not taken; the text says why."""


async def open_listeners(options: Options) -> list[trio.SocketListener]:
    """Listen where the options say, or at the host in the name of the node.

    Raises:
        OSError: that cannot be listened to.
        Refused: others could reach it, and nothing would keep them out.
    """
    listen = options.listen if options.listen is not None else (options.host, 0)
    if not isinstance(listen, tuple):
        return [await _open_unix(os.fspath(listen))]
    host, port = listen
    found = await trio.open_tcp_listeners(port, host=host)
    reached = [each for each in found if not is_loopback(each)]
    if reached and not (options.is_trusted or options.insecure):
        where = _shown(reached[0])
        close_all(found, None)
        raise Refused(f"it would listen at {where}, which others can reach; {_SECURE}")
    if port == 0:  # one port for all of them, as epmd tells only one
        close_all(found[1:], None)
        found = found[:1]
    return found


async def _open_unix(path: str) -> trio.SocketListener:
    while True:
        await trio.lowlevel.checkpoint()
        try:
            return trio.SocketListener(trio.socket.from_stdlib_socket(_bind_alone(path)))
        except BlockingIOError:  # somebody else does the same at this moment
            await trio.sleep(_AGAIN)


def _bind_alone(path: str) -> socket.socket:
    """Listen at a path while nobody else begins to, so that who has bound there listens as well.

    Raises:
        BlockingIOError: somebody else begins to listen in the directory.
        OSError: there is something that is not the socket of a node that was killed.
    """
    import fcntl  # noqa: PLC0415 - not on Windows

    directory = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_left(path):
            _unlink(path)
        return _bind(path)
    finally:
        os.close(directory)


def _bind(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(path)  # a file that is there already is another's
        Path(path).chmod(0o600)
        sock.listen()
    except BaseException:
        sock.close()
        raise
    return sock


def _is_left(path: str) -> bool:
    """Check whether a path is that of a socket at which nobody listens any more."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.setblocking(False)  # one that has too many to serve does not let us wait
                return sock.connect_ex(path) == errno.ECONNREFUSED
    return False


def close_all(listeners: list[trio.SocketListener], listen: Listen | None) -> None:
    """Close listeners, some of which may be closed; the file of a unix socket goes with it."""
    for listener in listeners:
        listener.socket.close()
    if listeners and listen is not None and not isinstance(listen, tuple):
        _unlink(os.fspath(listen))


def _unlink(path: str) -> None:
    with suppress(OSError):
        Path(path).unlink()


def is_loopback(stream: Any) -> bool:
    """Check whether a listener can only be reached from this host; or the peer of a stream."""
    sock: Any = socket_of(stream)
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return True
    name = sock.getpeername() if isinstance(stream, trio.abc.Stream) else sock.getsockname()
    return ipaddress.ip_address(name[0].partition("%")[0]).is_loopback


def _shown(listener: trio.SocketListener) -> str:
    host, port, *_ = listener.socket.getsockname()
    return f"{host}:{port}"


async def open_stream(address: Listen, options: Options, host: str) -> trio.abc.Stream:
    """Connect to a node.

    Args:
        address: where it listens.
        options: of this node.
        host: the host in its name, which its certificate is for.

    Raises:
        OSError, trio.BrokenResourceError: it cannot be reached.
        Refused: others could read what is said.
    """
    stream: trio.abc.Stream
    if isinstance(address, tuple):
        stream = await trio.open_tcp_stream(*address)
    else:
        stream = await trio.open_unix_socket(os.fspath(address))
    try:
        if not (options.insecure or options.is_trusted or is_loopback(stream)):
            raise Refused(f"{host} is not this host; {_SECURE}")
        if options.tls is not None and isinstance(address, tuple):
            stream = trio.SSLStream(
                stream, options.tls[1], server_hostname=host, https_compatible=True
            )
            await stream.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


async def accept_stream(stream: trio.abc.Stream, options: Options) -> trio.abc.Stream:
    """Take the connection of who has come, over TLS if that is asked for.

    Who can come by a Unix socket is known by the rights of the file.
    """
    sock = socket_of(stream)
    is_unix = sock is not None and sock.family not in (socket.AF_INET, socket.AF_INET6)
    if options.tls is None or is_unix:
        return stream
    secured = trio.SSLStream(stream, options.tls[0], server_side=True, https_compatible=True)
    await secured.do_handshake()
    return secured


def bare_socket(stream: trio.abc.Stream) -> tuple[trio.abc.Stream, socket.socket | None]:
    """Return a stream in the place of this one, and its socket, to be used beside it.

    Only of a stream that is nothing but a socket; of others it is None.
    """
    if not isinstance(stream, trio.SocketStream):
        return stream, None
    bare = socket.socket(fileno=stream.socket.detach())
    return trio.SocketStream(trio.socket.from_stdlib_socket(bare)), bare
