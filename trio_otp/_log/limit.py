"""A storm of reports: so many are logged in a while, the others are counted, the count is logged.

A supervisor that restarts a thousand children a second would otherwise do little but write.
Follows: the burst limit of Erlang's `logger_std_h`, 500 in a second.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

import trio

from .._process.runtime import runtime
from .._process.timers import Timer
from .._util.copies import create

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT: Final = 500
SECONDS: Final = 1.0


class Burst:
    """How many reports were let through since the window opened. Pure: it is told the time.

    >>> burst = Burst(count=2, seconds=1.0)
    >>> [burst.admits(time) for time in (0.0, 0.1, 0.2, 1.0)]
    [True, True, False, True]
    """

    def __init__(self, count: int | None = COUNT, seconds: float = SECONDS) -> None:
        self.count = count
        self.seconds = seconds
        self.closes = -math.inf
        self.used = 0

    def admits(self, now: float) -> bool:
        """Check whether one more may pass at this time, and count it."""
        if now >= self.closes:
            self.closes = now + self.seconds
            self.used = 0
        self.used += 1
        return self.count is None or self.used <= self.count


class Limit:
    """The limit of one run, and what it has kept from the log."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self.burst = Burst()
        self.kept: Counter[str] = Counter()  # {kind of report: how many since the window opened}
        self._tell = tell

    def admits(self, kind: str) -> bool:
        """Check whether one more report may be logged; if not, count it."""
        if self.burst.admits(trio.current_time()):
            return True
        if not self.kept:
            burst = self.burst
            runtime().timers.add(create(Timer, burst.closes, self._close))
            self._tell(
                f"more than {burst.count} reports in {burst.seconds:g} s: "
                "others are counted until that time is over, and not logged"
            )
        self.kept[kind] += 1
        return False

    def _close(self, _timer: Timer) -> None:
        kept, self.kept = self.kept, Counter()
        parts = ", ".join(f"{count} {kind}" for kind, count in kept.items())
        self._tell(f"{kept.total()} reports were not logged: {parts}")
