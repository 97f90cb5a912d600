"""Take connections on the Unix socket, from the same user and root alone."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

import trio

from .unix_socket import is_welcome, listen, peer_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from .unix_socket import UnixSocket

    Session = Callable[[trio.SocketStream, str], Awaitable[object]]

MOST: Final = 32  # connections at a time
log: Final = logging.getLogger("trio_otp.observer")


async def serve_socket(
    session: Session, *, task_status: trio.TaskStatus[Path] = trio.TASK_STATUS_IGNORED
) -> None:
    """Make the socket, run a session for each connection until cancelled, and remove the socket.

    Args:
        session: gets the stream, and who is at its other end in words for the log. What it raises
            ends its connection, and is logged unless the connection is lost.
        task_status: gets the path.

    Raises:
        OSError: there can be no socket; also that its directory is not ours alone.
    """
    made = listen()
    try:
        await _serve(made, session, task_status)
    finally:
        made.close()


async def _serve(made: UnixSocket, session: Session, task_status: trio.TaskStatus[Path]) -> None:
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(made.listener))
    guard = _Guard(session)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, guard.welcome, [listener])
        task_status.started(made.path)


class _Guard:
    """Decides who gets a session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._count = 0

    async def welcome(self, stream: trio.SocketStream) -> None:
        """Hold a session with a peer, or hang up without a word."""
        peer = peer_of(stream.socket)
        if not is_welcome(peer, os.geteuid()):
            log.warning("the observer has refused a connection of user %s", peer and peer[1])
            return
        if self._count >= MOST:
            log.warning("the observer has refused a connection: %d are open", MOST)
            return
        self._count += 1
        try:
            await self._session(stream, _in_words(peer))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # who asked is gone
        except Exception:
            log.exception("a session of the observer has failed")
        finally:
            self._count -= 1


def _in_words(peer: tuple[int, int] | None) -> str:
    return "the Unix socket" if peer is None else f"user {peer[1]}, pid {peer[0]}"
