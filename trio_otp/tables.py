"""Tables of a process, each made when it is first asked for.

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

    The slot is None until then; whoever only looks, as the epilogue of a process, looks there. It
    may also be a tuple of the keys, see `slim`.
    """

    __slots__ = ("_slot",)

    def __set_name__(self, _: type[Any], name: str) -> None:
        self._slot = f"_{name}"

    def __get__(self, owner: Any, _: type[Any] | None = None) -> dict[K, V]:
        table: dict[K, V] | None = getattr(owner, self._slot)
        if table.__class__ is not dict:
            table = dict.fromkeys(table or ())
            setattr(owner, self._slot, table)
        return table


def slim(owner: Any, slots: Iterable[str]) -> None:
    """Let tables without values take little room until they are asked for again."""
    for slot in slots:
        table = getattr(owner, slot)
        if table is not None and len(table) <= FEW:
            setattr(owner, slot, tuple(table) or None)
