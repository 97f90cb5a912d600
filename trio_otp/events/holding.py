"""What listeners raise while a process dies waits until everybody has heard of the death."""

from __future__ import annotations


class Holding:
    """A block that is not broken off by listeners: what is no error of theirs leaves at its end.

    A `KeyboardInterrupt` or `SystemExit` in the middle of a death would leave callers waiting and
    links alive. An `Exception` is logged where it is raised, as everywhere. Inside of another such
    block it waits for the end of that one, since one death may bring about the next.
    """

    __slots__ = ("_depth", "held")

    def __init__(self) -> None:
        self.held: list[BaseException] | None = None  # inside of a block, what has been raised
        self._depth = 0

    def __enter__(self) -> None:
        self._depth += 1
        if self._depth == 1:
            self.held = []

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth:
            return
        held, self.held = self.held, None
        if held:
            raise held[0] if len(held) == 1 else BaseExceptionGroup("listeners raised", held)
