"""The decisions of the system monitor about what it sees at each look. Pure: no Trio, no clock.

>>> held = Held(interval=0.25, limit=0.5)
>>> for step in (None, "a", "a", "a", "a", "b"):
...     print(step, held.look(step, 0.25, 0.0))
None Verdict(over=None, long=None)
a Verdict(over=None, long=None)
a Verdict(over=None, long=None)
a Verdict(over=None, long=0.5)
a Verdict(over=None, long=None)
b Verdict(over=0.75, long=None)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container, Hashable

AGAIN: Final = 10.0  # seconds after which a loop that is still held is reported again
LOCKED: Final = 0.1  # seconds for which Python code never keeps the interpreter lock
QUIET: Final = 10.0  # seconds in which a notice of one kind is logged once
MOST: Final = 20  # notices of all kinds in that time
KINDS: Final = 1000  # of notices that are remembered


class Verdict(NamedTuple):
    """What is to be reported after a look, in seconds; None for nothing.

    Args:
        over: how long a reported step, which is over now, held the loop.
        long: for how long the present step has held it.
    """

    over: float | None
    long: float | None


class Held:
    """For how long one and the same step has held the loop.

    Time counts only as far as the looker could have looked, or the thread of the loop has computed.
    So a pause of the whole program counts for nothing. A step that was not seen before may have
    begun at any time. But if the looker was kept waiting for long while the loop computed, it has
    waited for the interpreter lock, which one call of what is no Python code has kept.

    Args:
        interval: seconds from one look to the next.
        limit: seconds after which the loop is held for long.
    """

    def __init__(self, interval: float, limit: float) -> None:
        self._interval = interval
        self._limit = limit
        self._step: Hashable = None
        self._seconds = 0.0
        self._next = limit  # seconds at which it is reported

    def look(self, step: Hashable, elapsed: float, computed: float, starved: float = 0) -> Verdict:
        """Judge what has been seen.

        Args:
            step: which step the loop makes; None if it makes none.
            elapsed: seconds since the last look.
            computed: seconds that the thread of the loop has computed since.
            starved: seconds in which the looker has waited for a processor since.
        """
        over = None
        if step is None or step != self._step:
            over = self._seconds if self._next > self._limit else None
            locked = min(elapsed - self._interval - starved, computed)
            self._seconds = 0.0 if step is None or locked < LOCKED else locked
            self._step, self._next = step, self._limit
        else:
            self._seconds += min(elapsed, max(self._interval, computed))
        if self._seconds < self._next:
            return Verdict(over, None)
        self._next = self._seconds + AGAIN
        return Verdict(over, self._seconds)

    def forgive(self) -> None:
        """Begin anew with the present step: the program is not to blame for what holds the loop."""
        self._seconds, self._next = 0.0, self._limit


class LongQueues:
    """The mailboxes that have more messages than they should.

    Args:
        disable: how many there may be for a long queue to be short again.
        enable: how many make it long.
    """

    def __init__(self, disable: int, enable: int) -> None:
        self.disable = disable
        self.enable = enable
        self._long: set[Hashable] = set()

    def look(self, process: Hashable, length: int) -> bool | None:
        """Return whether a queue has become long, or short again; None if nothing has changed."""
        if process in self._long:
            if length > self.disable:
                return None
            self._long.discard(process)
            return False
        if length < self.enable:
            return None
        self._long.add(process)
        return True

    def forget(self, living: Container[Hashable]) -> None:
        """Forget all processes but those that live."""
        self._long = {process for process in self._long if process in living}


class Notices:
    """A rate limit of notices: each kind once in a while, and not too many in all."""

    def __init__(self) -> None:
        self._next: dict[Hashable, float] = {}  # when one of a kind is logged again
        self._left_out: dict[Hashable, int] = {}  # how many were not, since
        self._closes = -math.inf
        self._used = 0

    def admits(self, kind: Hashable, now: float) -> int | None:
        """Return how many of the kind were left out before this one; None if it is one more."""
        if now >= self._closes:
            self._closes, self._used = now + QUIET, 0
        if now < self._next.get(kind, -math.inf) or self._used >= MOST:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return None
        self._used += 1
        if len(self._next) >= KINDS:
            self._next.clear()
            self._left_out.clear()
        self._next[kind] = now + QUIET
        return self._left_out.pop(kind, 0)
