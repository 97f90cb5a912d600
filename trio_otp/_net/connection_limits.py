"""The limits of a service: its connections, counted in all and by address. No Trio in here."""

from __future__ import annotations

from collections import Counter
from typing import Final

MAX_ANSWERED: Final = 100  # refused connections that are being answered at a time


class ConnectionLimits:
    """The limits of one service, and how much of them is in use.

    Args:
        max_connections: how many are served at a time; None for any number.
        max_per_address: how many of one address; None for any number.
        answers: whether connections beyond the limits are accepted and answered; else they wait
            to be accepted.
    """

    def __init__(
        self, max_connections: int | None, max_per_address: int | None, *, answers: bool = False
    ) -> None:
        self._max_connections = max_connections
        self._max_per_address = max_per_address
        self._answers = answers
        self._by_address: Counter[str] = Counter()
        self.served: int = 0
        self.answered: int = 0

    def may_accept(self) -> bool:
        """Check whether one more may be accepted, to be served or answered."""
        return self._has_room() or self.may_answer()

    def may_serve(self, address: str | None) -> bool:
        """Check whether a connection may be served; `address` is None if it is not known."""
        if address is None or self._max_per_address is None:
            return self._has_room()
        return self._has_room() and self._by_address[address] < self._max_per_address

    def may_answer(self) -> bool:
        """Check whether a refused connection may be answered."""
        return self._answers and self.answered < MAX_ANSWERED

    def _has_room(self) -> bool:
        return self._max_connections is None or self.served < self._max_connections

    def acquire(self, address: str | None) -> None:
        """Count a connection from an address as served."""
        self.served += 1
        if address is not None:
            self._by_address[address] += 1

    def release(self, address: str | None) -> None:
        """Undo one `acquire`."""
        self.served -= 1
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]
