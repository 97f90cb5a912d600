"""All races, in the order of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .workloads import bookkeeping, calls, casts, others, service, starts, whole

if TYPE_CHECKING:
    from .lanes import Race

RACES: Final[tuple[Race, ...]] = (
    *calls.RACES,
    *casts.RACES,
    *starts.RACES,
    *others.RACES,
    *service.RACES,
    *whole.RACES,
    *bookkeeping.RACES,  # last: the copies of the library stay in the process
)
