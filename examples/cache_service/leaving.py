"""How a connection ends, so that the client can read what it was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from .replies import error

if TYPE_CHECKING:
    from trio.abc import HalfCloseableStream

LINGER: Final = 1.0  # seconds that a client gets for that


async def turn_away(stream: HalfCloseableStream, why: str) -> None:
    """Send an error, and end the connection."""
    with trio.move_on_after(LINGER):
        await stream.send_all(error(why))
    await leave(stream)


async def leave(stream: HalfCloseableStream) -> None:
    """End the connection, leaving the client time to read what was sent.

    A socket that is closed while there is something to receive is reset, and what was sent may
    be lost with it.
    """
    with trio.move_on_after(LINGER):
        await stream.send_eof()
        while await stream.receive_some():
            pass
