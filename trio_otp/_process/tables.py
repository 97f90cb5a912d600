"""Tables of a process, each made when it is first asked for, and values that few have.

Most processes never fill most of theirs. An empty dict is 64 bytes, and one more object that the
garbage collector looks at; without them a process starts faster and an idle one is smaller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

FEW: Final = 8  # entries, which as a tuple take half the room of the dict at least
K = TypeVar("K")
V = TypeVar("V")


class Table(Generic[K, V]):
    """A dict of its owner, who keeps it in a slot of the same name with a leading underscore.

    The slot is None until then; what only looks, as the epilogue of a process, looks there. It
    may also be a tuple of the keys, see `slim`. A thread may only look: what it made would replace
    what the loop has made meanwhile.
    """

    __slots__ = ("_slot",)

    def __set_name__(self, _: type[Any], name: str) -> None:
        self._slot = f"_{name}"

    def __get__(self, owner: Any, _: type[Any] | None = None) -> dict[K, V]:
        kept: Any = getattr(owner, self._slot)
        table: dict[K, Any] = kept
        if kept.__class__ is not dict:
            table = dict.fromkeys(kept or ())
            setattr(owner, self._slot, table)
        return table


class Rare(Generic[V]):
    """What few owners have: they keep it in a dict in their slot `_rare`, the others keep nothing.

    Args:
        default: what those others have.
    """

    __slots__ = ("_default", "_name")

    def __init__(self, default: V) -> None:
        self._default = default

    def __set_name__(self, _: type[Any], name: str) -> None:
        self._name = name

    def __get__(self, owner: Any, _: type[Any] | None = None) -> V:
        rare: dict[str, V] | None = owner._rare
        return self._default if rare is None else rare.get(self._name, self._default)

    def __set__(self, owner: Any, value: V) -> None:
        rare: dict[str, V] = owner._rare or {}
        if value is self._default:
            rare.pop(self._name, None)
        else:
            rare[self._name] = value
        owner._rare = rare or None


def slim(owner: Any, slots: Iterable[str]) -> None:
    """Let tables without values take little room until they are asked for again."""
    for slot in slots:
        table = getattr(owner, slot)
        if table is not None and len(table) <= FEW:
            setattr(owner, slot, tuple(table) or None)
