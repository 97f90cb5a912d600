"""The settings of a pool: its workers, how many, and how long they may be idle or busy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._supervisor.dynamic_loop import DynamicSupervisorSpec

if TYPE_CHECKING:
    from .._start.child import Child
    from .pool_core import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec(DynamicSupervisorSpec):
    """What the init of a pool returns; the arguments are those of `Pool`."""

    child: Child[Any]
    limits: Limits
    busy_timeout: float  # seconds, perhaps infinity
