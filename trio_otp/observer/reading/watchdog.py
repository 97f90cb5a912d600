"""Find out, from another thread, whether a Trio loop is stuck, without asking it anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..._process.doing import place_line
from ..._process.loop_now import loop_now, step_of

if TYPE_CHECKING:
    from ..._process.loop_now import LoopNow, Step
    from ..._process.runtime import Runtime

SHOWN: Final = 12  # frames, the innermost
# Seconds that count from one look to the next at most: if more have passed, the whole program has
# stood still, as by SIGSTOP, and not the loop alone.
APART: Final = 1.0


class Watchdog:
    """Looks at one loop; only its owner's thread uses it.

    Args:
        tables: those of the run.
        patience: seconds in one step after which the loop is stuck.
    """

    def __init__(self, tables: Runtime, patience: float = 0.5) -> None:
        self._tables = tables
        self.patience = patience
        self._step: Step | None = None
        self._seconds = 0.0  # for which that has been seen
        self._looked = 0.0

    def look(self, now: float) -> bool:
        """Look at the loop, a few times in a second; return whether it makes a step."""
        step = step_of(self._tables)
        if step is None or step != self._step:
            self._step, self._seconds = step, 0.0
        else:
            self._seconds += min(now - self._looked, APART)
        self._looked = now
        return step is not None

    def held(self, now: float) -> tuple[float, LoopNow] | None:
        """Return for how many seconds it has been stuck, and in what; None if it is not."""
        self.look(now)
        if self._step is None or self._seconds < self.patience:
            return None
        seen = loop_now(self._tables)
        if seen is None or seen.step != self._step:
            return None
        return self._seconds, seen

    def stuck(self, now: float) -> tuple[float, tuple[str, ...]] | None:
        """Do so with the stack as lines of text."""
        held = self.held(now)
        return held and (held[0], tuple(map(place_line, held[1].stack[-SHOWN:])))
