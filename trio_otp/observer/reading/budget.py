"""What a supervisor may still bear: its restarts within the window, and the last ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..._exits.log_text import exception_text
from ..._util.bounded import bounded

if TYPE_CHECKING:
    from ..._supervisor.data import Slot
    from ..._supervisor.intensity import Intensity
    from ..._supervisor.loop import SupervisorLoop


class Budget(NamedTuple):
    """The restarts that a supervisor has used.

    Args:
        used: within the window.
        limit: how many it may use; None for any number.
        seconds: the length of the window.
    """

    used: int
    limit: int | None
    seconds: float


def budget_of(loop: SupervisorLoop[Any], now: float) -> Budget | None:
    """Return what a supervisor has used; None before its init is over."""
    policy: Any = getattr(loop, "policy", loop)
    intensity: Intensity | None = getattr(policy, "intensity", None)
    if intensity is None:
        return None
    limit = intensity.limit
    used = 0 if limit is None else limit - int(intensity.left(now))
    return Budget(used, limit, intensity.seconds)


def restarts_of_children(loop: SupervisorLoop[Any]) -> int:
    """Return how often a supervisor has started the children that it has again.

    One that is down, and waits to be started, counts as well, so this grows with each restart.
    """
    slots: dict[Any, Slot] = getattr(loop, "slots", {})
    return sum(slot.restarts for slot in list(slots.values()))


def ends_of_children(
    loop: SupervisorLoop[Any], now: float, *, restarted: bool = False
) -> list[tuple[float, str, str]]:
    """Return `(seconds ago, child id, reason)` of the last ends, oldest first.

    Args:
        loop: that of the supervisor.
        now: seconds of the clock of the run.
        restarted: whether to leave out the children that are never started again.
    """
    reports = loop.reports
    history, is_final = list(reports.history), list(reports.is_final)
    ends = zip(history, is_final, strict=False)  # one may have come meanwhile
    return [
        (max(now - when, 0.0), bounded(child_id, 80), reason_text(reason))
        for (when, child_id, reason), never_again in ends
        if not (restarted and never_again)
    ]


def reason_text(reason: object, limit: int = 300) -> str:
    """Render an exit reason in one line."""
    if isinstance(reason, BaseException):
        return exception_text(reason, limit).splitlines()[0]
    return bounded(reason, limit)
