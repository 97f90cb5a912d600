"""The tables of a process, which most processes never fill: none is made before it is needed.

An empty dict is 64 bytes, and one more object that the garbage collector looks at; without them a
process starts faster and an idle one is smaller. So a table that has no values is None, a dict, or
after `packed` a tuple of its keys. Who looks writes `table or ()`; a thread may do no more.
"""

from __future__ import annotations

from typing import Final, TypeAlias, TypeVar

MOST_PACKED: Final = 8  # keys, which as a tuple take half the room of the dict at least
K = TypeVar("K")
Keys: TypeAlias = "dict[K, None] | tuple[K, ...] | None"


def with_key(table: Keys[K], key: K) -> dict[K, None]:
    """Return a table with one key more; a dict stays the same object."""
    grown = table if isinstance(table, dict) else dict.fromkeys(table or ())
    grown[key] = None
    return grown


def without_key(table: Keys[K], key: K) -> Keys[K]:
    """Return a table without a key, whether it is there or not; a dict stays the same object."""
    if not table or key not in table:
        return table
    shrunk = table if isinstance(table, dict) else dict.fromkeys(table)
    del shrunk[key]
    return shrunk


def packed(table: Keys[K]) -> Keys[K]:
    """Return a small table as a tuple, for a time in which nothing is added."""
    return tuple(table) if table and len(table) <= MOST_PACKED else table or None
