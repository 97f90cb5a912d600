"""The handlers of an event manager, newest first. Pure: it runs none of them.

Two handlers may be of one class, and even have one id: then the newest is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True, eq=False)
class HandlerEntry:
    """A handler in its place."""

    handler: Any
    id: Any = None  # None: it has none
    owner: Any = None  # the process that supervises it

    @property
    def key(self) -> Any:
        """What it is called: its class, or class and id."""
        kind: type[Any] = self.handler.__class__
        return kind if self.id is None else (kind, self.id)


class HandlerTable:
    """The handlers, newest first.

    >>> table = HandlerTable()
    >>> table.add(HandlerEntry(1)); table.add(HandlerEntry("a", "id")); table.add(HandlerEntry(2))
    >>> table.keys()
    [<class 'int'>, (<class 'str'>, 'id'), <class 'int'>]
    >>> table.find(int, None).handler, table.find(str, None)
    (2, None)
    """

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: list[HandlerEntry] = []

    def __iter__(self) -> Iterator[HandlerEntry]:
        """Iterate over the present entries, newest first, whatever happens to the table."""
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def keys(self) -> list[Any]:
        """List what the handlers are called."""
        return [entry.key for entry in self._entries]

    def find(self, kind: type[Any], id: object) -> HandlerEntry | None:
        """Return the newest handler of a class with an id, None if there is none."""
        for entry in self._entries:
            if type(entry.handler) is kind and _same(entry.id, id):
                return entry
        return None

    def owned_by(self, pid: object) -> list[HandlerEntry]:
        """List the handlers that the process with a pid supervises."""
        owned = (entry for entry in self._entries if entry.owner is not None)
        return [entry for entry in owned if entry.owner.pid is pid]

    def owners(self) -> list[Any]:
        """List who supervises handlers, each once."""
        owners = (entry.owner for entry in self._entries if entry.owner is not None)
        return list(dict.fromkeys(owners))

    def place_of(self, entry: HandlerEntry) -> int:
        """Return the place of a handler; 0 is that of the newest."""
        return self._entries.index(entry)

    def add(self, entry: HandlerEntry, place: int = 0) -> None:
        """Add a handler: as the newest, or in a place."""
        self._entries.insert(place, entry)

    def remove(self, entry: HandlerEntry) -> None:
        """Take a handler out."""
        self._entries.remove(entry)


def _same(one: object, other: object) -> bool:
    if one is None or other is None:
        return one is other
    return bool(one == other)
