"""The restart policy of a supervisor: a child table and events in, actions out. Pure: no Trio.

The shell (`static_loop`) feeds events in the order they happen and carries the actions out in the
order they are given:

* `exited(id, reason, now)`: a child has ended by itself.
* `retry(id, reason, now)`: the retry that an earlier `Retry` asked for is due.
* `due(wait, now)`: the wait of an earlier `Delay` is over.
* `start_failed(id, reason, now)`: a start of the running action list failed; the rest of it is
  void.

Rules, after OTP's `supervisor`:

* A quiet end of a transient child, and any end of a temporary one, touches nobody else.
* Every restart is charged before anything is done, one charge per event, not per child; also the
  charge that exceeds the limit is one. The window counts whole seconds.
* `one_for_all` and `rest_for_one` stop in reverse start order and start in start order; children
  that were down come back, temporary ones are forgotten.
* A restart that fails marks the child `RESTARTING` and asks for a retry, so that other requests
  come in between; the retry is charged like any other.

Back-off, which OTP has not:

* The restart of a child with delays waits, and is charged when the wait is over. Its group is
  stopped at once and waits with it, as `RESTARTING`. So does the retry of one that did not start.
* What fails while others of its group wait joins them; all wait for the later of the two times.
* A child that is stopped during the wait stays down; the others come back.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .._exits.errors import SpecError
from .._exits.reasons import is_quiet
from .._util.bounded import bounded
from .delays import Delays, Wait, check_backoff, delays_of
from .flags import check_entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._behaviour.backoff import Backoff, BackoffOption
    from .._behaviour.child_options import Restart
    from .flags import AutoShutdown, Strategy
    from .intensity import Intensity


class State(enum.Enum):
    """What a child of the table is doing."""

    RUNNING = "running"
    RESTARTING = "restarting"
    DOWN = "undefined"


@dataclass(slots=True)
class ChildEntry:
    """One row of the child table."""

    id: object
    restart: Restart = "permanent"
    significant: bool = False
    state: State = State.DOWN
    backoff: BackoffOption = "supervisor"
    delays: Delays | None = None  # None if it is restarted at once, or never
    wait: Wait | None = None  # what it waits for; while it runs, that for which it is being stopped


@dataclass(frozen=True, slots=True)
class StopChild:
    """Stop a running child and wait until it is dead; its end is nobody's business."""

    id: object


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start a child; feed `started`, `ignored` or `start_failed`."""

    id: object


@dataclass(frozen=True, slots=True)
class Retry:
    """Feed `retry(id, reason)` after whatever is waiting."""

    id: object
    reason: object


@dataclass(frozen=True, slots=True)
class Report:
    """Report that a child has ended and that this matters; its restart waits for `delay`."""

    id: object
    reason: object
    delay: float | None = None


@dataclass(frozen=True, slots=True)
class Delay:
    """Feed `due(wait)` when the time of the wait has come; those that are `void` are over."""

    wait: Wait
    void: tuple[Wait, ...] = ()


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Stop all children in reverse order and end with SHUTDOWN."""

    why: Literal["intensity", "auto_shutdown"]
    id: object
    reason: object


Action: TypeAlias = StopChild | StartChild | Retry | Delay | Report | GiveUp


@dataclass(slots=True)
class Policy:
    """The child table of one supervisor, oldest child first, and what its flags make of events."""

    strategy: Strategy
    intensity: Intensity
    auto_shutdown: AutoShutdown = "never"
    table: dict[object, ChildEntry] = field(default_factory=dict[Any, ChildEntry])
    backoff: Backoff | None = None  # of children that have none of their own
    random: Callable[[], float] = float  # for jitter, from 0 up to 1

    # -- the table ---------------------------------------------------------------------------

    def add(self, entry: ChildEntry) -> None:
        """Append a child; it is down until `started`."""
        check_entry(entry, self.auto_shutdown)
        if entry.id in self.table:
            raise SpecError(
                f"id={bounded(entry.id)}: two children have this id; "
                "write .having(id=...) for one of them"
            )
        entry.delays = delays_of(entry.backoff, self.backoff, entry.restart)
        if entry.delays is not None:
            limits = self.intensity.limit, self.intensity.seconds
            check_backoff(entry.delays.backoff, *limits, f"child {bounded(entry.id)}: ")
        self.table[entry.id] = entry

    def started(self, id: object, now: float) -> None:
        """Record that a child runs."""
        entry = self.table[id]
        entry.state = State.RUNNING
        if entry.delays is not None:
            entry.delays.started(now)

    def ignored(self, id: object) -> None:
        """Record that a child did not want to run: it is down; a temporary one is forgotten."""
        self._put_down(self.table[id])

    def stopped(self, id: object, now: float) -> Wait | None:
        """Record that a child was stopped on purpose: it is down; a temporary one is forgotten.

        One that was stopped with its group waits, if that does.

        Returns:
            What it has waited for, if nobody else does.
        """
        entry, wait = self.table[id], self.table[id].wait
        if entry.delays is not None:
            entry.delays.ended(now)
        if wait is not None and entry.state is State.RUNNING:
            entry.state = State.RESTARTING
            return None
        entry.wait = None
        self._put_down(entry)
        return None if wait is None or self._waiting(wait) else wait

    def remove(self, id: object) -> None:
        """Forget a child."""
        del self.table[id]

    def change(self, other: Policy) -> None:
        """Take the flags and children of another policy, by its order; nothing is started.

        What runs goes on running, what waits goes on waiting. Children that the other does not know
        stay, after the others.
        """
        for entry in other.table.values():
            if entry.id in self.table:
                before = self.table[entry.id]
                entry.state, entry.wait = before.state, before.wait
                if entry.delays is not None and before.delays is not None:
                    entry.delays.go_on_from(before.delays)
        self.table = {
            **other.table,
            **{k: e for k, e in self.table.items() if k not in other.table},
        }
        self.strategy, self.auto_shutdown = other.strategy, other.auto_shutdown
        self.backoff = other.backoff
        self.intensity.change(other.intensity)

    def running_newest_first(self) -> list[object]:
        """List the ids of the running children in the order in which they are to be stopped."""
        return [e.id for e in reversed(self.table.values()) if e.state is State.RUNNING]

    def _put_down(self, entry: ChildEntry) -> None:
        entry.state = State.DOWN
        if entry.restart == "temporary":
            self.table.pop(entry.id, None)

    def _waiting(self, wait: Wait) -> list[ChildEntry]:
        """Return the children that wait for this, in the order in which they are to be started."""
        entries = (self.table.get(child_id) for child_id in wait.ids)
        return [entry for entry in entries if entry is not None and entry.wait is wait]

    # -- events ------------------------------------------------------------------------------

    def exited(self, id: object, reason: object, now: float) -> list[Action]:
        """A child has ended by itself."""
        entry = self.table[id]
        if entry.delays is not None:
            entry.delays.ended(now)
        if entry.restart == "permanent" or (entry.restart == "transient" and not is_quiet(reason)):
            actions = self._again(entry, reason, now)
            wait = entry.wait
            return [Report(id, reason, None if wait is None else wait.left(now)), *actions]
        actions = [] if is_quiet(reason) else [Report(id, reason)]
        self._put_down(entry)
        return [*actions, *self._auto_shutdown(entry, reason)]

    def retry(self, id: object, reason: object, now: float) -> list[Action]:
        """A retry is due, unless the child was stopped, restarted or deleted in the meantime."""
        entry = self.table.get(id)
        if entry is None or entry.state is not State.RESTARTING or entry.wait is not None:
            return []
        return self._restart(entry, self._group(entry), reason, now)

    def due(self, wait: Wait, now: float) -> list[Action]:
        """A wait is over: start those that still wait."""
        waiting = self._waiting(wait)
        if not waiting:
            return []
        ids = [entry.id for entry in waiting]
        if not self.intensity.charge(now):
            return [GiveUp("intensity", wait.id if wait.id in ids else ids[0], wait.reason)]
        for entry in waiting:
            entry.state, entry.wait = State.DOWN, None
        return [StartChild(child_id) for child_id in ids]

    def start_failed(self, id: object, reason: object, now: float) -> list[Action]:
        """A start that belongs to a restart has failed."""
        entry = self.table[id]
        entry.state = State.RESTARTING
        group = self._group(entry)
        due = self._due(entry, group, now)
        return [Retry(id, reason)] if due is None else self._wait(entry, group, reason, due)

    # -- decisions ---------------------------------------------------------------------------

    def _again(self, entry: ChildEntry, reason: object, now: float) -> list[Action]:
        """Restart a child with its group, at once or later."""
        entry.state = State.DOWN
        group = self._group(entry)
        due = self._due(entry, group, now)
        if due is None:
            return self._restart(entry, group, reason, now)
        return self._wait(entry, group, reason, due)

    def _due(self, entry: ChildEntry, group: list[ChildEntry], now: float) -> float | None:
        """Return when a group may be restarted; None if at once."""
        if entry.delays is None and len(group) == 1:
            return None  # most are so, and it has nobody to wait for
        times = [other.wait.due for other in group if other.wait is not None]
        if entry.delays is not None:
            times.append(now + entry.delays.next(self.random))
        return max(times, default=None)

    def _wait(
        self, entry: ChildEntry, group: list[ChildEntry], reason: object, due: float
    ) -> list[Action]:
        before = dict.fromkeys(e.wait for e in group if e.wait is not None)
        stops = [StopChild(e.id) for e in reversed(group) if e.state is State.RUNNING]
        lasting = [e for e in group if e.restart != "temporary"]
        wait = Wait(entry.id, reason, due, tuple(e.id for e in lasting))
        for each in lasting:
            each.wait = wait
            if each.state is not State.RUNNING:
                each.state = State.RESTARTING
        return [*stops, Delay(wait, tuple(old for old in before if not self._waiting(old)))]

    def _restart(
        self, entry: ChildEntry, group: list[ChildEntry], reason: object, now: float
    ) -> list[Action]:
        entry.state = State.DOWN
        if not self.intensity.charge(now):
            return [GiveUp("intensity", entry.id, reason)]
        stops = [StopChild(e.id) for e in reversed(group) if e.state is State.RUNNING]
        for pending in group:  # one that waits for a retry is started with the others
            if pending.state is State.RESTARTING:
                pending.state = State.DOWN
        return [*stops, *(StartChild(e.id) for e in group if e.restart != "temporary")]

    def _group(self, entry: ChildEntry) -> list[ChildEntry]:
        """Return the children that are restarted together with this one, in start order."""
        match self.strategy:
            case "one_for_one":
                return [entry]
            case "one_for_all":
                return list(self.table.values())
            case "rest_for_one":
                entries = list(self.table.values())
                return entries[entries.index(entry) :]

    def _auto_shutdown(self, entry: ChildEntry, reason: object) -> list[Action]:
        if not entry.significant or self.auto_shutdown == "never":
            return []
        if self.auto_shutdown == "all_significant" and self._significant_left():
            return []
        return [GiveUp("auto_shutdown", entry.id, reason)]

    def _significant_left(self) -> bool:
        return any(e.significant and e.state is not State.DOWN for e in self.table.values())
