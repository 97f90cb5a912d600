"""The time-outs of a state machine that run. Pure: no Trio.

Every timer has a generation. The end of one that was cancelled or set anew while it was already on
its way finds another generation, so it is stale and ignored. A time-out of zero seconds has no
timer: it is handled after all that waits in the machine, and before any message.

Follows: `gen_statem`, type `timeout_action()`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .effects import Arm, Disarm, Happening
from .timeouts import CancelTimeout, UpdateTimeout

if TYPE_CHECKING:
    from .effects import Effect
    from .timeouts import Which


@dataclass(slots=True)
class Running:
    """A time-out that runs; one of zero seconds has no generation."""

    generation: int
    content: Any


class RunningTimeouts(dict["Which", Running]):
    """Those of one machine, by what they are called."""

    __slots__ = ("_generation", "zero")

    def __init__(self) -> None:
        super().__init__()
        self.zero: list[Which] = []  # those of zero seconds, in order
        self._generation = 0

    def take_zero(self) -> Happening:
        """Take the first of zero seconds, as the event that it is."""
        which = self.zero.pop(0)
        return Happening(which, self.pop(which).content)

    def take_fired(self, which: Which, generation: int) -> Happening | None:
        """Take one whose timer has ended, as the event that it is; None if that is stale."""
        running = self.get(which)
        if running is None or running.generation != generation:
            return None
        del self[which]
        return Happening(which, running.content)

    def carry_out(self, which: Which, action: Any, effects: list[Effect]) -> None:
        """Set, change or cancel a time-out as an action asks for."""
        if isinstance(action, UpdateTimeout):
            self._update(which, action.content)
            return
        if isinstance(action, CancelTimeout):
            self.cancel(which, effects)
            return
        seconds: float | None = action.seconds
        if seconds is None or seconds == math.inf:
            self.cancel(which, effects)
        elif seconds == 0:
            self.cancel(which, effects)
            self._start_zero(which, action.content)
        else:
            self._start(which, action, effects)

    def cancel(self, which: Which, effects: list[Effect]) -> None:
        """Cancel a time-out, if it runs."""
        if self.pop(which, None) is None:
            return
        if which in self.zero:
            self.zero.remove(which)
        else:
            effects.append(Disarm(which))

    def _start(self, which: Which, action: Any, effects: list[Effect]) -> None:
        if which in self.zero:
            self.zero.remove(which)
        self._generation += 1
        self[which] = Running(self._generation, action.content)
        effects.append(Arm(which, self._generation, action.seconds, action.absolute))

    def _start_zero(self, which: Which, content: object) -> None:
        self[which] = Running(0, content)
        self.zero.append(which)

    def _update(self, which: Which, content: object) -> None:
        running = self.get(which)
        if running is None:
            self._start_zero(which, content)
        else:
            running.content = content
