"""The charts of the overview: a point a second, for ten minutes, while somebody looks.

How late the loop is, is measured by a call that it has to make. An idle loop is not late and is
never woken: a call is sent only if two looks in a row have found the loop at work.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import trio

if TYPE_CHECKING:
    from .sampler import Sampler

KEPT: Final = 600
APART: Final = 0.95  # seconds between two points


class Point(NamedTuple):
    """The state of a program in one second.

    Args:
        number: in order, from 1 on.
        at: seconds since the epoch.
        handled: messages in a second.
        queued: messages that wait.
        restarts: since the point before.
        late: by how many seconds the loop was late, at most; None if it was never at work.
    """

    number: int
    at: float
    handled: float
    queued: int
    restarts: int
    late: float | None


class Beats:
    """Measures how late a loop is.

    Args:
        token: wakes that loop.
    """

    def __init__(self, token: trio.lowlevel.TrioToken) -> None:
        self._token = token
        self._was_busy = False
        self._sent: float | None = None  # when the call was sent that has not come back
        self._latest: float | None = None  # since it was last asked for

    def look(self, busy: bool) -> None:
        """Take note whether the loop is at work, and send a call if it was before."""
        if busy and self._was_busy and self._sent is None:
            self._sent = time.perf_counter()
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._come_back)
        self._was_busy = busy

    def _come_back(self) -> None:
        """Measure; called in the loop of the program."""
        sent = self._sent
        if sent is not None:  # pragma: no branch - a call comes back once
            self._latest = max(self._latest or 0.0, time.perf_counter() - sent)
            self._sent = None

    def take(self) -> float | None:
        """Return how late it was at most since this was asked last."""
        latest, self._latest = self._latest, None
        sent = self._sent
        if sent is not None:
            latest = max(latest or 0.0, time.perf_counter() - sent)
        return latest


class Vitals:
    """The points of the charts."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque(maxlen=KEPT)
        self._count = 0
        self._restarts: int | None = None
        self._next = 0.0

    def add(self, sampler: Sampler, beats: Beats | None) -> None:
        """Add a point, if the last one is a second old."""
        now = time.monotonic()
        if sampler.rounds < 2 or now < self._next:
            return
        self._next = now + APART
        before, self._restarts = self._restarts, sampler.restarts
        grown = 0 if before is None else max(sampler.restarts - before, 0)
        late = None if beats is None else beats.take()
        self._count += 1
        self._points.append(
            Point(
                self._count,
                round(time.time(), 1),
                round(sampler.rate, 1),
                sampler.queued,
                grown,
                None if late is None else round(late, 4),
            )
        )

    def since(self, number: int) -> list[Point]:
        """Return the points after one of them, oldest first."""
        return [point for point in list(self._points) if point.number > number]
