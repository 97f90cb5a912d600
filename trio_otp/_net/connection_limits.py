"""The limits of a service: its connections, counted in all and by address. No Trio in here."""

from __future__ import annotations

from collections import Counter
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Final

MAX_ANSWERED: Final = 100  # refused connections that are being answered at a time
# Prefixes of IPv6 addresses that stand for one of IPv4: `::ffff:0:0/96`, `64:ff9b::/96`.
_WITH_IPV4: Final = (bytes(10) + b"\xff\xff", b"\x00\x64\xff\x9b" + bytes(8))


class ConnectionLimits:
    """The limits of one service, and how much of them is in use.

    Args:
        max_connections: how many are served at a time; None for any number.
        max_per_address: how many of one client, see `client_at`; None for any number.
        answers: whether connections beyond the limits are accepted and answered; else they wait
            to be accepted.
    """

    def __init__(
        self, max_connections: int | None, max_per_address: int | None, *, answers: bool = False
    ) -> None:
        self._max_connections = max_connections
        self._max_per_address = max_per_address
        self._answers = answers
        self._by_client: Counter[str] = Counter()
        self.served: int = 0
        self.answered: int = 0

    def may_accept(self) -> bool:
        """Check whether one more may be accepted, to be served or answered."""
        return self._has_room() or self.may_answer()

    def may_serve(self, address: str | None) -> bool:
        """Check whether a connection may be served; `address` is None if it is not known."""
        if address is None or self._max_per_address is None:
            return self._has_room()
        return self._has_room() and self._by_client[client_at(address)] < self._max_per_address

    def may_answer(self) -> bool:
        """Check whether a refused connection may be answered."""
        return self._answers and self.answered < MAX_ANSWERED

    def _has_room(self) -> bool:
        return self._max_connections is None or self.served < self._max_connections

    def acquire(self, address: str | None) -> None:
        """Count a connection from an address as served."""
        self.served += 1
        if address is not None and self._max_per_address is not None:
            self._by_client[client_at(address)] += 1

    def release(self, address: str | None) -> None:
        """Undo one `acquire`."""
        self.served -= 1
        if address is not None and self._max_per_address is not None:
            client = client_at(address)
            self._by_client[client] -= 1
            if not self._by_client[client]:
                del self._by_client[client]


def client_at(address: str) -> str:
    """Return whom an address counts for: an IPv4 address itself, an IPv6 one its network.

    An IPv6 client has at least a network of 64 bits, and as many addresses. Those that do not
    leave a link are counted by themselves: all clients there share one network.

    Args:
        address: as `getpeername` gives it.

    >>> client_at("192.0.2.7"), client_at("::ffff:192.0.2.7"), client_at("2001:db8:0:1::7")
    ('192.0.2.7', '192.0.2.7', '2001:db8:0:1::/64')
    """
    try:
        packed = inet_pton(AF_INET6, address.partition("%")[0])
    except OSError:  # of another kind
        return address
    if packed[:12] in _WITH_IPV4:
        return inet_ntop(AF_INET, packed[12:])
    if packed[0] == 0xFE and packed[1] & 0xC0 == 0x80:  # fe80::/10
        return address
    return f"{inet_ntop(AF_INET6, packed[:8] + bytes(8))}/64"
