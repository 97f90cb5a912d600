"""Questions to streams and listeners, whatever is wrapped around their sockets, as TLS is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import trio

from .._exits.bare import as_group
from .._util.bounded import shown_text

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a stream raises when the other side is gone.
_BROKEN: Final = (trio.BrokenResourceError, ConnectionError, TimeoutError)
_WITH_ADDRESSES: Final = (trio.socket.AF_INET, trio.socket.AF_INET6)
_INSIDE: Final = ("transport_stream", "transport_listener")  # as Trio's TLS calls what it wraps


def layers(thing: object) -> Iterator[Any]:
    """Yield a stream or listener, and what it is wrapped around."""
    while thing is not None:
        yield thing
        thing = next((getattr(thing, name) for name in _INSIDE if hasattr(thing, name)), None)


def innermost(thing: object) -> Any:
    """Return what a stream or listener is wrapped around, be it itself."""
    *_, last = layers(thing)
    return last


def socket_of(thing: object) -> trio.socket.SocketType | None:
    """Return the socket of a stream or listener; None if it has none."""
    found = getattr(innermost(thing), "socket", None)
    return found if isinstance(found, trio.socket.SocketType) else None


def peer_of(stream: object) -> tuple[str, str | None]:
    """Return what the other side of a stream is shown as, and its address, if it has one."""
    sock = socket_of(stream)
    try:
        name: Any = None if sock is None else sock.getpeername()
    except OSError:  # it has gone already
        return "peer that has gone", None
    if name.__class__ is tuple:
        host, port = name[:2]
        return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}"), host
    if sock is not None:
        return f"unix:{shown_text(str(sock.getsockname()))}", None
    return shown_text(type(stream).__name__), None


def is_disconnection(error: BaseException, stream: object) -> bool:
    """Check whether an error only says that the other side of a stream has gone.

    Args:
        error: what its handler has raised.
        stream: the stream, which may be closed by now.
    """
    group = as_group(error)
    if group is not None:
        return all(is_disconnection(each, stream) for each in group.exceptions)
    if not isinstance(error, _BROKEN):
        return isinstance(error.__cause__, Exception) and is_disconnection(error.__cause__, stream)
    connected = _is_connected(stream)
    return _came_out_of(error, stream) if connected is None else not connected


def _is_connected(stream: object) -> bool | None:
    """Check whether a socket is connected; None if that is not known.

    One that was closed here does not, nor does one of the kind that has no addresses. A connection
    of TLS can be over while that beneath it is not.
    """
    sock = socket_of(stream)
    if sock is None or sock.fileno() == -1 or sock.family not in _WITH_ADDRESSES:
        return None
    try:
        sock.getpeername()
    except OSError:
        return False
    return True if innermost(stream) is stream else None


def _came_out_of(error: BaseException, stream: object) -> bool:
    """Check whether an error was raised by a method of this very stream, or of what it wraps."""
    own = list(layers(stream))
    traceback = error.__traceback__
    while traceback is not None:
        this = traceback.tb_frame.f_locals.get("self")
        if any(this is layer for layer in own):
            return True
        traceback = traceback.tb_next
    return False


# -- listeners ---------------------------------------------------------------------------------


def address_of(listener: object) -> Any:
    """Return the address that a listener listens on; None if it has none."""
    sock = socket_of(listener)
    return None if sock is None else sock.getsockname()


def is_listening(listener: object) -> bool:
    """Check whether a listener still listens; one without a socket counts as if it did not."""
    sock = socket_of(listener)
    if sock is None:
        return False
    try:
        return bool(sock.getsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_ACCEPTCONN))
    except OSError:
        return sock.fileno() != -1  # macOS does not say


async def bind_again(listener: object, address: object) -> None:
    """Bind a listener to the address of the one that it replaces, in place of its own."""
    inner = innermost(listener)
    old: trio.socket.SocketType = inner.socket
    sock = trio.socket.socket(old.family, old.type, old.proto)
    try:
        old.close()
        sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_REUSEADDR, 1)
        if sock.family == trio.socket.AF_INET6:
            sock.setsockopt(trio.socket.IPPROTO_IPV6, trio.socket.IPV6_V6ONLY, 1)
        await sock.bind(address)
        sock.listen(0xFFFF)  # as Trio does; the system takes what it can
    except BaseException:
        sock.close()
        raise
    inner.socket = sock
