"""The entries of a registry: who holds which keys, with which values. Pure: no Trio.

Owners are any objects that hash by identity. Adding an entry and removing one is O(1), so that a
hundred thousand owners go in linear time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._util.bounded import bounded
from .._util.checks import ends_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator


@dataclass(slots=True, eq=False)
class RegistryEntry:
    """One key of one owner."""

    owner: Any
    key: Any
    value: Any


def strict_key(key: Any) -> Hashable:
    """Return what tells keys apart as Erlang does: 1, 1.0 and True are three keys.

    It looks into tuples and frozensets, at any depth.

    Raises:
        TypeError: the key is not hashable.

    >>> strict_key(1) == strict_key(True), strict_key(("room", 1)) == strict_key(("room", 1.0))
    (False, False)
    >>> strict_key(("room", 1)) == strict_key(("room", 1))
    True
    """
    kind = key.__class__
    if kind is str:
        name: str = key
        return name  # all others become pairs
    items: Any = key
    if isinstance(key, tuple):
        return kind, tuple(strict_key(item) for item in items)
    if isinstance(key, frozenset):
        return kind, frozenset(strict_key(item) for item in items)
    try:
        hash(key)
    except TypeError:
        raise TypeError(f"key={bounded(key)}: expected any hashable value") from None
    return kind, key


class RegistryTable:
    """The entries, found by key and by owner."""

    __slots__ = ("_keys", "_owners")

    def __init__(self) -> None:
        # {key: {owner: its entries under the key}}, and {owner: its keys}; oldest first
        self._keys: dict[Hashable, dict[Any, list[RegistryEntry]]] = {}
        self._owners: dict[Any, dict[Hashable, None]] = {}

    def add(self, owner: object, key: object, value: object) -> None:
        """Add an entry; whether the key may have one more is the caller's affair."""
        strict = strict_key(key)
        self._keys.setdefault(strict, {}).setdefault(owner, []).append(
            RegistryEntry(owner, key, value)
        )
        self._owners.setdefault(owner, {})[strict] = None

    def take(self, owner: object, key: object, match: Callable[[Any], bool] | None = None) -> bool:
        """Remove the entries of an owner under a key: all, or those whose value matches.

        Returns:
            Whether the owner has none left under the key.
        """
        strict = strict_key(key)
        if match is not None:
            held = self.held(owner, key)
            wanted = {id(entry) for entry in held if match(entry.value)}
            entries = self._keys.get(strict, {}).get(owner, [])  # `match` may change the table
            entries[:] = [entry for entry in entries if id(entry) not in wanted]
            if entries:
                return False
        self._forget(owner, strict)
        return True

    def drop(self, owner: object) -> None:
        """Remove every entry of an owner."""
        for strict in self._owners.pop(owner, {}):
            self._remove(owner, strict)

    def under(self, key: object) -> list[RegistryEntry]:
        """List the entries under a key."""
        owners = self._keys.get(strict_key(key))
        if owners is None:
            return []
        return [entry for entries in owners.values() for entry in entries]

    def held(self, owner: object, key: object) -> list[RegistryEntry]:
        """List the entries of an owner under a key."""
        return list(self._keys.get(strict_key(key), {}).get(owner, ()))

    def of(self, owner: object) -> list[RegistryEntry]:
        """List the entries of an owner."""
        keys = self._owners.get(owner, {})
        return [entry for strict in keys for entry in self._keys[strict][owner]]

    def some_keys(self) -> list[Any]:
        """List keys, of very many the oldest and the newest, of which one may be meant."""
        entries = (next(iter(self._keys[strict].values())) for strict in ends_of(self._keys))
        return [first.key for first, *_ in entries]

    def __contains__(self, owner: object) -> bool:
        return owner in self._owners

    def __iter__(self) -> Iterator[RegistryEntry]:
        for owners in list(self._keys.values()):
            for entries in list(owners.values()):
                yield from list(entries)

    def _forget(self, owner: object, strict: Hashable) -> None:
        keys = self._owners.get(owner)
        if keys is None or strict not in keys:
            return
        del keys[strict]
        if not keys:
            del self._owners[owner]
        self._remove(owner, strict)

    def _remove(self, owner: object, strict: Hashable) -> None:
        owners = self._keys[strict]
        del owners[owner]
        if not owners:
            del self._keys[strict]
