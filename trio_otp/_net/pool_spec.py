"""What a pool is made of: its workers, how many, and how long they may idle or be busy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._supervisor.dynamic_loop import DynamicSupervisorSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._start.child import Child


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec(DynamicSupervisorSpec):
    """What the init of a pool returns; the arguments are those of `Pool`."""

    child: Child[Any]
    size: int
    max_overflow: int
    idle_timeout: float | None
    busy_timeout: float | None
    delay: Callable[[int], float]  # seconds without a start, after so many failures in a row
