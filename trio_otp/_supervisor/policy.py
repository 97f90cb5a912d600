"""The restart policy of a supervisor: a child table and events in, actions out. Pure: no Trio.

The shell (`static_loop`) feeds events in the order they happen and carries the actions out in the
order they are given:

* `exited(id, reason, now)`: a child has ended by itself.
* `retry(id, reason, now)`: the retry that an earlier `Retry` asked for is due.
* `start_failed(id, reason)`: a start of the running action list failed; the rest of it is void.

Rules, after OTP's `supervisor`:

* A quiet end of a transient child, and any end of a temporary one, touches nobody else.
* Every restart is charged before anything is done, one charge per event, not per child; also the
  charge that exceeds the limit is one. The window counts whole seconds.
* `one_for_all` and `rest_for_one` stop in reverse start order and start in start order; children
  that were down come back, temporary ones are forgotten.
* A restart that fails marks the child `RESTARTING` and asks for a retry, so that other requests
  come in between; the retry is charged like any other.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from .._exits.errors import SpecError
from .._exits.reasons import is_quiet
from .._util.bounded import bounded
from .._util.checks import check_choice, check_whole, is_number

if TYPE_CHECKING:
    from .._behaviour.child_options import Restart
    from .._start.spec import ChildSpec

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown: TypeAlias = Literal["never", "any_significant", "all_significant"]
STRATEGIES: Final[tuple[str, ...]] = get_args(Strategy)
AUTO_SHUTDOWNS: Final[tuple[str, ...]] = get_args(AutoShutdown)


class State(enum.Enum):
    """What a child of the table is doing."""

    RUNNING = "running"
    RESTARTING = "restarting"
    DOWN = "undefined"


@dataclass(slots=True)
class ChildEntry:
    """One row of the child table."""

    id: Any
    restart: Restart = "permanent"
    significant: bool = False
    state: State = State.DOWN


@dataclass(frozen=True, slots=True)
class StopChild:
    """Stop a running child and wait until it is dead; its end is nobody's business."""

    id: Any


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start a child; feed `started`, `ignored` or `start_failed`."""

    id: Any


@dataclass(frozen=True, slots=True)
class Retry:
    """Feed `retry(id, reason)` after whatever is waiting."""

    id: Any
    reason: object


@dataclass(frozen=True, slots=True)
class Report:
    """Report that a child has ended and that this matters."""

    id: Any
    reason: object


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Stop all children in reverse order and end with SHUTDOWN."""

    why: Literal["intensity", "auto_shutdown"]
    id: Any
    reason: object


Action: TypeAlias = StopChild | StartChild | Retry | Report | GiveUp


class Intensity:
    """The restarts inside the window: at most `limit` of them within `seconds`."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._times: deque[int] = deque()

    def change(self, other: Intensity) -> None:
        """Take other limits; restarts that have been charged stay charged."""
        self.limit, self.seconds = other.limit, other.seconds

    def charge(self, now: float) -> bool:
        """Enter a restart; tell whether it is within the limit.

        Args:
            now: seconds of a monotonic clock; whole seconds count, as in OTP.
        """
        second = math.floor(now)
        self._times.append(second)
        while self._times[0] < second - self.seconds:
            self._times.popleft()
        return len(self._times) <= self.limit

    def left(self, now: float) -> int:
        """Return how many more restarts there may be now."""
        oldest = math.floor(now) - self.seconds
        return max(0, self.limit - sum(1 for second in self._times if second >= oldest))


@dataclass(slots=True)
class Policy:
    """The child table of one supervisor, oldest child first, and what its flags make of events."""

    strategy: Strategy
    intensity: Intensity
    auto_shutdown: AutoShutdown = "never"
    table: dict[Any, ChildEntry] = field(default_factory=dict[Any, ChildEntry])

    # -- the table ---------------------------------------------------------------------------

    def add(self, entry: ChildEntry) -> None:
        """Append a child; it is down until `started`."""
        check_entry(entry, self.auto_shutdown)
        if entry.id in self.table:
            raise SpecError(
                f"id={bounded(entry.id)}: two children have this id; "
                "write .having(id=...) for one of them"
            )
        self.table[entry.id] = entry

    def started(self, id: Any) -> None:
        """Record that a child runs."""
        self.table[id].state = State.RUNNING

    def ignored(self, id: Any) -> None:
        """Record that a child did not want to run: it is down; a temporary one is forgotten."""
        self._put_down(self.table[id])

    def stopped(self, id: Any) -> None:
        """Record that a child was stopped on purpose: it is down; a temporary one is forgotten."""
        self._put_down(self.table[id])

    def remove(self, id: Any) -> None:
        """Forget a child."""
        del self.table[id]

    def change(self, other: Policy) -> None:
        """Take the flags and children of another policy, by its order; nothing is started.

        What runs goes on running. Children that the other does not know stay, after the others.
        """
        for entry in other.table.values():
            if entry.id in self.table:
                entry.state = self.table[entry.id].state
        self.table = {
            **other.table,
            **{k: e for k, e in self.table.items() if k not in other.table},
        }
        self.strategy, self.auto_shutdown = other.strategy, other.auto_shutdown
        self.intensity.change(other.intensity)

    def running_newest_first(self) -> list[Any]:
        """List the ids of the running children in the order in which they are to be stopped."""
        return [e.id for e in reversed(self.table.values()) if e.state is State.RUNNING]

    def _put_down(self, entry: ChildEntry) -> None:
        entry.state = State.DOWN
        if entry.restart == "temporary":
            self.table.pop(entry.id, None)

    # -- events ------------------------------------------------------------------------------

    def exited(self, id: Any, reason: object, now: float) -> list[Action]:
        """A child has ended by itself."""
        entry = self.table[id]
        if entry.restart == "permanent":
            return [Report(id, reason), *self._restart(entry, reason, now)]
        if entry.restart == "transient" and not is_quiet(reason):
            return [Report(id, reason), *self._restart(entry, reason, now)]
        actions: list[Action] = [] if is_quiet(reason) else [Report(id, reason)]
        self._put_down(entry)
        return [*actions, *self._auto_shutdown(entry, reason)]

    def retry(self, id: Any, reason: object, now: float) -> list[Action]:
        """A retry is due, unless the child was stopped, restarted or deleted in the meantime."""
        entry = self.table.get(id)
        if entry is None or entry.state is not State.RESTARTING:
            return []
        return self._restart(entry, reason, now)

    def start_failed(self, id: Any, reason: object) -> list[Action]:
        """A start that belongs to a restart has failed."""
        self.table[id].state = State.RESTARTING
        return [Retry(id, reason)]

    # -- decisions ---------------------------------------------------------------------------

    def _restart(self, entry: ChildEntry, reason: object, now: float) -> list[Action]:
        entry.state = State.DOWN
        if not self.intensity.charge(now):
            return [GiveUp("intensity", entry.id, reason)]
        group = self._group(entry)
        stops = [StopChild(e.id) for e in reversed(group) if e.state is State.RUNNING]
        for pending in group:  # one that waits for a retry is started with the others
            if pending.state is State.RESTARTING:
                pending.state = State.DOWN
        return [*stops, *(StartChild(e.id) for e in group if e.restart != "temporary")]

    def _group(self, entry: ChildEntry) -> list[ChildEntry]:
        """Return the children that are restarted together with this one, in start order."""
        if self.strategy == "one_for_one":
            return [entry]
        entries = list(self.table.values())
        return entries if self.strategy == "one_for_all" else entries[entries.index(entry) :]

    def _auto_shutdown(self, entry: ChildEntry, reason: object) -> list[Action]:
        if not entry.significant or self.auto_shutdown == "never":
            return []
        if self.auto_shutdown == "all_significant" and self._significant_left():
            return []
        return [GiveUp("auto_shutdown", entry.id, reason)]

    def _significant_left(self) -> bool:
        return any(e.significant and e.state is not State.DOWN for e in self.table.values())


def check_entry(entry: ChildEntry | ChildSpec, auto_shutdown: str) -> None:
    """Refuse a significant child that could never be one."""
    if not entry.significant:
        return
    if auto_shutdown == "never":
        raise SpecError(
            f"child {bounded(entry.id)}: significant=True needs a supervisor with "
            "auto_shutdown='any_significant' or 'all_significant', not 'never'"
        )
    if entry.restart == "permanent":
        raise SpecError(
            f"child {bounded(entry.id)}: significant=True needs "
            "restart='transient' or 'temporary', not 'permanent'"
        )


def check_flags(
    strategy: object, max_restarts: object, max_seconds: object, auto_shutdown: object
) -> None:
    """Refuse flags of a supervisor that are not accepted, saying what is."""
    check_choice("strategy", strategy, STRATEGIES, error=SpecError)
    check_intensity(max_restarts, max_seconds)
    check_choice("auto_shutdown", auto_shutdown, AUTO_SHUTDOWNS, error=SpecError)


def check_intensity(max_restarts: object, max_seconds: object) -> None:
    """Refuse limits that are not accepted."""
    check_whole("max_restarts", max_restarts, 0, error=SpecError)
    if not is_number(max_seconds) or not 0 < max_seconds < math.inf or max_seconds % 1:
        shown = bounded(max_seconds)
        raise SpecError(f"max_seconds={shown}: expected a whole number of seconds > 0")
