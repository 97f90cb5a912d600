"""What listeners raise while a process dies waits until everybody has heard of the death."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import Events


class Holding:
    """A block that is not broken off by listeners: what is no error of theirs leaves at its end.

    A `KeyboardInterrupt` or `SystemExit` in the middle of a death would leave callers waiting and
    links alive. An `Exception` is logged where it is raised, as everywhere. Inside of another such
    block it waits for the end of that one, since one death may bring about the next.

    Args:
        events: those of the run.
    """

    __slots__ = ("_events", "_is_inner")

    def __init__(self, events: Events) -> None:
        self._events = events
        self._is_inner = events._held is not None

    def __enter__(self) -> None:
        if not self._is_inner:
            self._events._held = []

    def __exit__(self, *_: object) -> None:
        if self._is_inner:
            return
        held, self._events._held = self._events._held, None
        if held:
            raise held[0] if len(held) == 1 else BaseExceptionGroup("listeners raised", held)
