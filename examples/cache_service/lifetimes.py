"""The lifetimes of entries: which have expired, and how long the others have."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .commands import Lifetime
    from .store import Entry


def is_mortal(entry: Entry) -> bool:
    """Check whether an entry can expire."""
    return entry.expires_at is not None


def living(entry: Entry | None, now: float) -> Entry | None:
    """Return an entry unless it has expired."""
    if entry is None or entry.expires_at is None or entry.expires_at > now:
        return entry
    return None


def end_of(lifetime: Lifetime | None, now: float) -> float | None:
    """Return the Unix time in seconds at which a lifetime ends."""
    if lifetime is None:
        return None
    return lifetime.seconds if lifetime.absolute else now + lifetime.seconds


def time_left(entry: Entry | None, unit: int, now: float) -> int:
    """Return how long an entry has left, as TTL shows it, in units of a second / `unit`."""
    if entry is None:
        return -2
    if entry.expires_at is None:
        return -1
    return math.floor((entry.expires_at - now) * unit + 0.5)
