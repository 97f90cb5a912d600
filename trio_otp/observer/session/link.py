"""What belongs to one connection, for all that is asked over it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..acting.shell import Shell


class Link:
    """A connection.

    Args:
        peer: who is at the other end, for the log.
    """

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.closing: ExitStack = ExitStack()  # what is to be done at its end
        self.shell: Shell | None = None
