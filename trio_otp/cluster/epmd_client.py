"""What is asked of epmd: a place for this node, and the ports of others.

Follows: `erl_dist_protocol`, "EPMD Protocol"; `erl_epmd`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import trio
from trio.lowlevel import enable_ki_protection

from .wire.epmd import alive_request, port_request, read_alive, read_port

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER: Final = 5.0  # seconds for one answer
TAKEN: Final = 2.0  # seconds for which a name that is taken is tried again
AGAIN: Final = 0.1  # seconds between two attempts
_SOME: Final = 1024


class NameTaken(Exception):
    """Epmd knows another node of this name."""


class NoSuchNode(Exception):
    """Epmd does not know the node."""


async def register(epmd: tuple[str, int], name: str, port: int) -> tuple[trio.SocketStream, int]:
    """Register a node for as long as the connection stays open.

    A node that was killed and started anew finds its old name for some milliseconds.

    Args:
        epmd: its address.
        name: what is before the @.
        port: where the node listens.

    Returns:
        The connection, and the creation that epmd gives.

    Raises:
        OSError: epmd is not there.
        NameTaken: another node has the name for two seconds.
    """
    deadline = trio.current_time() + TAKEN
    while True:
        stream = await trio.open_tcp_stream(*epmd)
        creation: int | None = None
        try:
            creation = await _ask_for_name(stream, name, port)
        finally:
            if creation is None:
                await trio.aclose_forcefully(stream)
        if creation is not None:
            return stream, creation
        if trio.current_time() >= deadline:
            raise NameTaken(f"epmd has another node called {name}")
        await trio.sleep(AGAIN)


async def _ask_for_name(stream: trio.SocketStream, name: str, port: int) -> int | None:
    answer: Any = await _ask(stream, alive_request(name, port), lambda data, _: read_alive(data))
    creation: int | None = answer.creation
    return creation


async def _ask(
    stream: trio.SocketStream, request: bytes, read: Callable[[bytes, bool], object]
) -> object:
    data, closed = b"", False
    with trio.fail_after(ANSWER):
        await stream.send_all(request)
        while (answer := read(data, closed)) is None:
            more = await stream.receive_some(_SOME)
            if closed and not more:
                raise OSError("epmd has closed the connection")
            data, closed = data + more, not more
    return answer


@enable_ki_protection
async def keep_registered(
    stream: trio.SocketStream, epmd: tuple[str, int], name: str, port: int
) -> None:
    """Hold the registration, and register again when epmd has been started anew."""
    while True:
        with suppress(OSError, trio.BrokenResourceError):
            async with stream:
                await stream.receive_some(_SOME)  # it says nothing, until it is gone
        stream = await _register_again(epmd, name, port)


async def _register_again(epmd: tuple[str, int], name: str, port: int) -> trio.SocketStream:
    while True:
        await trio.sleep(AGAIN * 5)
        try:
            stream, _ = await register(epmd, name, port)
        except (OSError, trio.BrokenResourceError, trio.TooSlowError, NameTaken, ValueError):
            continue
        return stream


async def port_of(epmd: tuple[str, int], name: str) -> int:
    """Return where a node listens.

    Args:
        epmd: the address of the epmd on the host of the node.
        name: what is before the @.

    Raises:
        OSError: epmd is not there.
        NoSuchNode: it does not know the node.
    """
    stream = await trio.open_tcp_stream(*epmd)
    async with stream:
        answer: Any = await _ask(
            stream, port_request(name), lambda data, closed: read_port(data, closed=closed)
        )
    port: int | None = answer.port
    if port is None:
        raise NoSuchNode(f"epmd at {epmd[0]}:{epmd[1]} knows no node called {name}")
    return port
