"""The state of a pool in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._util.public import public
from .pool_core import State

if TYPE_CHECKING:
    from .lending import Lending


@public
@dataclass(frozen=True, slots=True)
class PoolStatus:
    """The state of a pool, as `PoolHandle.status` returns it.

    Args:
        size: how many workers may stay.
        max_overflow: how many more there may be for a while.
        idle: workers that can be lent.
        lent: workers that clients have.
        finishing: workers that were given back and still do something for their last client.
        starting: workers whose init is not over.
        ending: workers that are being stopped, or are dying.
        waiting: clients that wait for a worker.
        checkouts: how often a worker was lent.
        timeouts: how often no worker was free in time.
        failures: crashes and failed starts in a row; those within one back-off count once.
        restart_in: seconds until a missing worker is started, if back-off delays it; else None.
    """

    size: int
    max_overflow: int
    idle: int
    lent: int
    finishing: int
    starting: int
    ending: int
    waiting: int
    checkouts: int
    timeouts: int
    failures: int
    restart_in: float | None


def status_of(lending: Lending) -> PoolStatus:
    """Return the state of a pool."""
    core, counts = lending.core, lending.core.counts
    return PoolStatus(
        size=core.limits.size,
        max_overflow=core.limits.max_overflow,
        idle=counts[State.IDLE],
        lent=counts[State.LENT],
        finishing=counts[State.BUSY],
        starting=counts[State.STARTING],
        ending=counts[State.ENDING] + counts[State.LEAVING],
        waiting=len(core.waiting),
        checkouts=lending.checkouts,
        timeouts=lending.timeouts,
        failures=core.failures,
        restart_in=lending.restart_in(),
    )
