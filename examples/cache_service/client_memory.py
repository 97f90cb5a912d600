"""A bound on the memory that all clients together may occupy.

A client that has sent half a command, or does not take its replies, makes the service keep bytes
for it and wait. Each may leave a few megabytes; that thousands of them do so together is not
foreseen. When they go over the bound, the one that has left most is turned away, as Redis does
with `maxmemory-clients`: those who send small commands and take their replies notice nothing.
"""

from __future__ import annotations

import logging
import math
from typing import Final

import trio

from .notices import Notice

_log = logging.getLogger("examples.cache_service")
EVICTED: Final = (
    "turned away %d client(s) that had left the most: half-sent commands and replies that are not "
    "taken are over max_client_memory"
)


class ClientMemory:
    """The bytes that are kept for clients that the service waits for.

    Args:
        limit: for all together.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waits: set[ClientWait] = set()  # those for which something is kept
        self.used = 0
        self.evicted = 0  # clients, since the start
        self._notice = Notice(_log, EVICTED)

    def add(self, wait: ClientWait) -> None:
        """Add what is kept; if the total is too much, cancel the wait that keeps most."""
        self._waits.add(wait)
        self.used += wait.size
        while self.used > self._limit:
            self._evict(max(self._waits, key=lambda each: each.size))

    def remove(self, wait: ClientWait) -> None:
        """Stop counting it."""
        if wait in self._waits:
            self._waits.discard(wait)
            self.used -= wait.size

    def _evict(self, wait: ClientWait) -> None:
        self.remove(wait)
        wait.evicted = True
        wait.scope.cancel()
        self.evicted += 1
        self._notice.tell()


class ClientWait:
    """The waits for one client, one after the other, within one cancel scope.

    The scope is around all that is done for the client, which is cheaper than one for each wait. It
    is cancelled only between `begin` and `end`, so never while a command is carried out.

    Args:
        memory: where to count.
    """

    def __init__(self, memory: ClientMemory) -> None:
        self._memory = memory
        self.scope = trio.CancelScope()
        self.size = 0
        self.evicted = False

    def begin(self, size: int, deadline: float) -> None:
        """Begin to wait for the client.

        Args:
            size: the bytes that are kept for it meanwhile.
            deadline: when the scope is cancelled, unless the wait is over by then.
        """
        if deadline != math.inf:  # the default; setting it costs time
            self.scope.deadline = deadline
        if size:
            self.size = size
            self._memory.add(self)

    def end(self) -> None:
        """End the wait."""
        if self.scope.deadline != math.inf:
            self.scope.deadline = math.inf
        if self.size:
            self._memory.remove(self)
            self.size = 0
