"""Who may be served: the connections there are, counted in all and by address. No Trio in here."""

from __future__ import annotations

from collections import Counter
from typing import Final

MOST_ANSWERS: Final = 100  # connections that are being told that there is no place


class Places:
    """The places of one service.

    Args:
        most: how many connections it serves at a time; None for any number.
        most_per_address: how many of one address; None for any number.
        answers: whether those that are too many get an answer, else they wait to be accepted.
    """

    def __init__(
        self, most: int | None, most_per_address: int | None, *, answers: bool = False
    ) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._answers = answers
        self._by_address: Counter[str] = Counter()
        self.served: int = 0
        self.answered: int = 0

    def may_accept(self) -> bool:
        """Check whether one more may be accepted, be it to get an answer."""
        return self._has_room() or self.may_answer()

    def may_serve(self, address: str | None) -> bool:
        """Check whether there is a place for a connection from an address, if that is known."""
        if address is None or self._most_per_address is None:
            return self._has_room()
        return self._has_room() and self._by_address[address] < self._most_per_address

    def may_answer(self) -> bool:
        """Check whether one that is refused may get an answer."""
        return self._answers and self.answered < MOST_ANSWERS

    def _has_room(self) -> bool:
        return self._most is None or self.served < self._most

    def take(self, address: str | None) -> None:
        """Take a place for a connection from an address."""
        self.served += 1
        if address is not None:
            self._by_address[address] += 1

    def give_back(self, address: str | None) -> None:
        """Free a place that was taken by `take`."""
        self.served -= 1
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]
