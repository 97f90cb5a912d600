"""The intensity: how many restarts there may be in a window of time. Pure: no Trio."""

from __future__ import annotations

import math
from collections import deque


class Intensity:
    """The restarts inside the window: at most `limit` of them within `seconds`; None: any."""

    def __init__(self, limit: int | None, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._times: deque[int] = deque()

    def change(self, other: Intensity) -> None:
        """Take other limits; restarts that have been charged stay charged."""
        self.limit, self.seconds = other.limit, other.seconds

    def charge(self, now: float) -> bool:
        """Record a restart; return whether it is within the limit.

        Args:
            now: seconds of a monotonic clock; whole seconds count, as in OTP.
        """
        if self.limit is None:
            return True
        second = math.floor(now)
        self._times.append(second)
        while self._times[0] < second - self.seconds:
            self._times.popleft()
        return len(self._times) <= self.limit

    def left(self, now: float) -> float:
        """Return how many more restarts there may be now."""
        if self.limit is None:
            return math.inf
        oldest = math.floor(now) - self.seconds
        return max(0, self.limit - sum(1 for second in self._times if second >= oldest))
