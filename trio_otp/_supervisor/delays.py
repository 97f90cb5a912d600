"""Restart back-off: how long each child waits before its next start. Pure: no Trio.

A delay lies between its lower edge, which grows by the factor each time, and that edge with the
whole jitter. The longest one keeps room for its jitter below `max_delay`, so that children that
fail for a long time do not fall into step.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._behaviour.backoff import Backoff
from .._exits.errors import SpecError
from .._util.bounded import bounded

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._behaviour.backoff import BackoffOption


@dataclass(slots=True, eq=False)
class Wait:
    """A restart that waits, of one child or of a group.

    Args:
        id: the child that has failed.
        reason: why.
        due: the time of the restart.
        ids: the children that wait, in start order.
    """

    id: Any
    reason: object
    due: float
    ids: tuple[object, ...]

    def left(self, now: float) -> float:
        """Return the seconds that are left."""
        return max(0.0, self.due - now)


class Delays:
    """The delays of one child."""

    __slots__ = ("_low", "_since", "backoff")

    def __init__(self, backoff: Backoff) -> None:
        self.backoff = backoff
        self._low: float = backoff.min_delay  # the lower edge of the next delay
        self._since: float | None = None  # when its last start was over; None while it is down

    def started(self, now: float) -> None:
        """Record that the child runs."""
        self._since = now

    def ended(self, now: float) -> None:
        """Record that the child is down; begin anew if it has been well for long enough."""
        since, self._since = self._since, None
        if since is not None and now - since >= self.backoff.reset_after:
            self._low = self.backoff.min_delay

    def next(self, random: Callable[[], float]) -> float:
        """Return the seconds before the next restart.

        Args:
            random: returns a number from 0 up to 1, for the jitter.
        """
        backoff, low = self.backoff, self._low
        self._low = next_edge(backoff, low)
        if not backoff.jitter:
            return low
        return min(low * (1 + backoff.jitter * random()), backoff.max_delay)

    def go_on_from(self, before: Delays) -> None:
        """Take over how far another back-off had come, and since when the child runs."""
        backoff, self._since = self.backoff, before._since
        while self._low < before._low and self._low < (edge := next_edge(backoff, self._low)):
            self._low = edge


def next_edge(backoff: Backoff, low: float) -> float:
    """Return the lower edge of the delay after one, without powers, which would overflow."""
    highest = max(backoff.min_delay, backoff.max_delay / (1 + backoff.jitter))
    return min(low * backoff.factor, highest)


def delays_of(wanted: BackoffOption, default: Backoff | None, restart: str) -> Delays | None:
    """Return the delays of a child, None if it is restarted at once, or never.

    Args:
        wanted: what it has of its own.
        default: what its supervisor has.
        restart: its restart type.
    """
    backoff = default if wanted == "supervisor" else wanted
    return None if backoff is None or restart == "temporary" else Delays(backoff)


def check_backoff(backoff: object, limit: int | None, seconds: float, whose: str = "") -> None:
    """Refuse an invalid back-off, and one with which a failing child must exceed the intensity.

    Args:
        backoff: of a supervisor, or of a child; None is accepted.
        limit: how many restarts there may be; None for any number.
        seconds: in how many seconds.
        whose: what it belongs to, for the text.
    """
    if backoff is None:
        return
    if not isinstance(backoff, Backoff):
        raise SpecError(f"{whose}backoff={bounded(backoff)}: expected otp.Backoff(...) or None")
    if limit is not None and _shortest(backoff, limit, seconds + 1) < seconds + 1:
        raise SpecError(
            f"{whose}backoff={backoff}: a child that fails at each start would be restarted "
            f"{limit + 1} times in the window of max_seconds={seconds}, and max_restarts={limit}; "
            "write max_restarts=None to never give up, allow more, or wait longer"
        )


def _shortest(backoff: Backoff, count: int, enough: float) -> float:
    """Return the least seconds in which a number of delays after the first one can follow.

    The window counts whole seconds, so restarts within less than one second more than it has can
    all fall into it.
    """
    total, low = 0.0, backoff.min_delay
    for number in range(count):
        edge = next_edge(backoff, low)
        if edge == low:  # all that follow are alike
            return total + min(count - number, sys.float_info.max) * edge
        total, low = total + edge, edge
        if total >= enough:
            break
    return total
