"""What users hold of a process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from .bounded import bounded

if TYPE_CHECKING:
    from .process import Process

S_co = TypeVar("S_co", covariant=True)


class Pid(Generic[S_co]):
    """One incarnation of a process: opaque, hashable, never used again."""

    __slots__ = ("__weakref__", "_label", "_name", "_number", "_process")

    def __init__(self, number: int, label: str, process: Process) -> None:
        self._number = number
        self._label = label
        self._name: object = None
        self._process: Process | None = process

    def __repr__(self) -> str:
        shown = self._label if self._name is None else bounded(self._name)
        name = "" if shown == self._label else f" {shown}"
        return f"<Pid {self._number} {self._label}{name}>"
