"""The order in which SCAN lists keys, so that a cursor tells how far a scan is.

>>> order = KeyOrder([b"a", b"b", b"c"])
>>> cursor, keys = order.page(0, 10)
>>> cursor, sorted(keys)
(0, [b'a', b'b', b'c'])

Each key has one of `PLACES` places, by a checksum, for good. A page is all keys of some places that
follow each other, and a cursor is the place that comes next, 0 at the start and the end. So a key
that is there from the first page to the last is listed once, whatever comes and goes meanwhile;
nothing has to be kept between two pages, and a cursor is as good after a restart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable

PLACES: Final = 4096
MOST: Final = 5000  # keys of a page, those of its last place apart


class KeyOrder:
    """The keys of a keyspace by their places.

    Args:
        keys: those that are there.
    """

    def __init__(self, keys: Iterable[bytes] = ()) -> None:
        self._places: dict[int, set[bytes]] = {}
        for key in keys:
            self.add(key)

    def add(self, key: bytes) -> None:
        """Add a key; one that is there is left alone."""
        self._places.setdefault(crc32(key) % PLACES, set()).add(key)

    def discard(self, key: bytes) -> None:
        """Remove a key if it is there."""
        place = crc32(key) % PLACES
        if keys := self._places.get(place):
            keys.discard(key)
            if not keys:
                del self._places[place]

    def page(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """List the keys of the next places.

        Args:
            cursor: 0, or what the page before gave.
            count: how many keys at least, unless there are no more, or it is more than `MOST`.

        Returns:
            The cursor for the next page, 0 if there is none, and the keys.
        """
        keys: list[bytes] = []
        for place in range(cursor, PLACES):
            keys += self._places.get(place, ())
            if len(keys) >= min(count, MOST):
                return (place + 1) % PLACES, keys
        return 0, keys
