"""Tables of a process, each made when it is first asked for.

Most processes never fill most of theirs. An empty dict is 64 bytes, and one more object that the
garbage collector looks at; without them a process starts faster and an idle one is smaller.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Table(Generic[K, V]):
    """A dict of its owner, who keeps it in a slot of the same name with a leading underscore.

    The slot is None until then; whoever only looks, as the epilogue of a process, looks there.
    """

    __slots__ = ("_slot",)

    def __set_name__(self, _: type[Any], name: str) -> None:
        self._slot = f"_{name}"

    def __get__(self, owner: Any, _: type[Any] | None = None) -> dict[K, V]:
        table: dict[K, V] | None = getattr(owner, self._slot)
        if table is None:
            table = {}
            setattr(owner, self._slot, table)
        return table
