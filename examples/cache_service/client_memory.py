"""What clients may leave with the service at the expense of others: a bound for all together.

A client that has sent half a command, or does not take its replies, makes the service keep bytes
for it and wait. Each may leave a few megabytes; that thousands of them do so together is not
foreseen. When they go over the bound, the one that has left most is turned away, as Redis does
with `maxmemory-clients`: those who send small commands and take their replies notice nothing.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from .notices import Notice

if TYPE_CHECKING:
    from collections.abc import Generator

_log = logging.getLogger("examples.cache_service")
EVICTED: Final = (
    "turned away %d client(s) that had left the most: half-sent commands and replies that are not "
    "taken are over max_client_memory"
)


class Evicted(Exception):
    """The client has left more than any other, and all together too much."""


@dataclass(slots=True, eq=False)
class _Loan:
    size: int
    scope: trio.CancelScope
    evicted: bool = False


class ClientMemory:
    """The bytes that are kept for clients that the service waits for.

    Args:
        limit: for all together.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._loans: set[_Loan] = set()
        self.used = 0
        self.evicted = 0  # clients, since the start
        self._notice = Notice(_log, EVICTED)

    @contextmanager
    def keep(self, size: int, deadline: float) -> Generator[trio.CancelScope]:
        """Wait in the block for the client for whom so many bytes are kept.

        Args:
            size: the number of bytes.
            deadline: of the cancel scope around the block, which is the result.

        Raises:
            Evicted: the block was left since all together went over the limit.
        """
        loan = _Loan(size, trio.CancelScope(deadline=deadline))
        self._take(loan)
        try:
            with loan.scope:
                yield loan.scope
        finally:
            self._give_back(loan)
        if loan.evicted and loan.scope.cancelled_caught:
            raise Evicted

    def _take(self, loan: _Loan) -> None:
        if loan.size:
            self._loans.add(loan)
            self.used += loan.size
            while self.used > self._limit:
                self._evict(max(self._loans, key=lambda loan: loan.size))

    def _give_back(self, loan: _Loan) -> None:
        if loan in self._loans:
            self._loans.discard(loan)
            self.used -= loan.size

    def _evict(self, loan: _Loan) -> None:
        self._give_back(loan)
        loan.evicted = True
        loan.scope.cancel()
        self.evicted += 1
        self._notice.tell()
