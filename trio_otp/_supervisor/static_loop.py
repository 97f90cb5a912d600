"""The loop of a `Supervisor`: carries out what the restart policy decides.

It keeps a slot for each child, oldest first, as the policy does; what is to be started, stopped and
reported is the policy's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from .._exits.errors import (
    AlreadyStarted,
    ChildAlreadyPresent,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    FailedToStartChild,
    StartError,
)
from .._exits.reasons import SHUTDOWN, Shutdown
from .._process.stopping import part_from
from .._util.bounded import bounded
from .data import ChildInfo, Ending, RetryLater, Slot
from .intensity import Intensity
from .jitter import random
from .loop import SupervisorLoop
from .policy import (
    Action,
    ChildEntry,
    Delay,
    GiveUp,
    Policy,
    Report,
    Retry,
    StartChild,
    State,
    StopChild,
)
from .template import need_child

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from .._behaviour.backoff import Backoff
    from .._process.pid import Pid
    from .._process.process import Process
    from .._start.child import Child
    from .._start.spec import ChildSpec
    from .delays import Wait
    from .flags import AutoShutdown, Strategy


@dataclass(frozen=True, slots=True)
class SupervisorSpec:
    """What the init of a supervisor returns; `Supervisor.spec` makes one."""

    children: tuple[Child[Any], ...]
    strategy: Strategy
    max_restarts: int | None
    max_seconds: float
    auto_shutdown: AutoShutdown
    backoff: Backoff | None = None


def new_policy(spec: SupervisorSpec) -> Policy:
    """Make the policy of a specification, with every child down."""
    intensity = Intensity(spec.max_restarts, spec.max_seconds)
    policy = Policy(
        spec.strategy, intensity, spec.auto_shutdown, backoff=spec.backoff, random=random
    )
    for child in spec.children:
        policy.add(_entry(child.spec))
    return policy


def _entry(spec: ChildSpec) -> ChildEntry:
    return ChildEntry(spec.id, spec.restart, spec.significant, backoff=spec.backoff)


class StaticLoop(SupervisorLoop[SupervisorSpec]):
    """The shell of a `Supervisor`: carries out what the policy decides."""

    spec_class = SupervisorSpec
    spec_of = "Supervisor"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.policy = Policy("one_for_one", Intensity(0, 1))
        self.slots: dict[object, Slot] = {}  # {child id: child}, oldest first, as in the policy
        self.ids: dict[Pid, object] = {}  # {pid of a running child: its id}

    @property
    def summary(self) -> str:  # type: ignore[override]  # nobody sets it
        """Return the strategy."""
        return self.policy.strategy

    def infos(self) -> list[ChildInfo]:
        """List the children, oldest first."""
        return [self._info(child_id, entry) for child_id, entry in self.policy.table.items()]

    def _info(self, child_id: object, entry: ChildEntry) -> ChildInfo:
        waits = entry.wait is not None and entry.state is State.RESTARTING
        left = self._left(entry) if waits else None
        return self.slots[child_id].info(entry.state.value, child_id, left)

    def _left(self, entry: ChildEntry) -> float | None:
        """Return the seconds that are left of a wait; also asked for by other threads."""
        return None if entry.wait is None else entry.wait.left(self.process.runtime.now())

    def slot_of(self, pid: Pid) -> Slot | None:
        """Return a running child; None if there is no such child."""
        return self.slots.get(self.ids[pid]) if pid in self.ids else None

    # -- life --------------------------------------------------------------------------------

    async def begin(self, spec: SupervisorSpec) -> None:
        """Start the children in order; stop those that were started if one does not start."""
        self.take_spec(spec)
        for slot in list(self.slots.values()):
            await self._start_first(slot)

    def take_spec(self, spec: SupervisorSpec) -> None:
        """Take the flags and the children, before the first of them is started."""
        self.policy = new_policy(spec)
        self.slots = {child.spec.id: Slot(child) for child in spec.children}

    def change(self, spec: SupervisorSpec) -> None:
        """Put new specifications in the place of those of the same id."""
        self.policy.change(new_policy(spec))
        for child in spec.children:
            self.slots.setdefault(child.spec.id, Slot(child)).change(child)
        self.slots = {child_id: self.slots[child_id] for child_id in self.policy.table}

    async def _start_first(self, slot: Slot) -> None:
        try:
            await self._start(slot)
        except StartError as exc:
            self.reports.emit("start_error", slot, exc.reason)
            raise Ending(Shutdown(FailedToStartChild(slot.spec.id, exc.reason))) from exc

    async def stop_children(self, *, interrupt: bool) -> None:
        """Stop the running children one by one, newest first."""
        running = self.policy.running_newest_first()
        leaving = self._processes(running)
        for child_id in running:
            await self._stop(child_id, leaving, interrupt=interrupt)

    def _processes(self, child_ids: Iterable[object]) -> set[Process | None]:
        return {self.slots[child_id].process for child_id in child_ids}

    async def child_exited(self, pid: Pid, reason: object) -> None:
        """Ask the policy what the end of a child calls for, and do it."""
        child_id = self.ids.pop(pid, None)
        if child_id is not None:
            self.slots[child_id].process = None
            actions = self.policy.exited(child_id, reason, self.process.runtime.now())
            await self._carry_out(actions, pid)
            self._forget_if_dropped(child_id)

    async def retry(self, key: object, reason: object) -> None:
        """Try a failed restart again, unless it has been settled in the meantime."""
        await self._carry_out(self.policy.retry(key, reason, self.process.runtime.now()))

    async def due(self, wait: Wait) -> None:
        """Restart what still waits for this."""
        await self._carry_out(self.policy.due(wait, self.process.runtime.now()))

    # -- actions -----------------------------------------------------------------------------

    async def _carry_out(self, actions: list[Action], pid: Pid | None = None) -> None:
        leaving = self._processes(a.id for a in actions if isinstance(a, StopChild))
        for action in actions:
            match action:
                case StopChild():
                    await self._stop(action.id, leaving, interrupt=False)
                case StartChild():
                    instead = await self._start_again(self.slots[action.id])
                    if instead is not None:
                        await self._carry_out(instead)
                        break
                case Retry():
                    self.process.mailbox.put(RetryLater(action.id, action.reason))
                case Delay():
                    for wait in action.void:
                        self.timers.cancel(wait)
                    self.timers.set(action.wait)
                case Report():
                    slot = self.slots[action.id]
                    self.reports.emit("child_terminated", slot, action.reason, pid, action.delay)
                case GiveUp(why="intensity"):
                    raise self.reports.give_up(self.slots[action.id], action.reason)
                case GiveUp():
                    raise Ending(SHUTDOWN)

    def _forget_if_dropped(self, child_id: object) -> None:
        """Follow the policy, which drops temporary children that are down."""
        if child_id not in self.policy.table:
            self.slots.pop(child_id, None)

    async def _start(self, slot: Slot) -> None:
        child_id = slot.spec.id
        if not await self.children.start(slot):
            self.policy.ignored(child_id)
            self._forget_if_dropped(child_id)
        elif self.children.is_void():  # its caller was cancelled: it is down again
            await self.children.stop(slot)
        else:
            assert slot.pid is not None
            self.ids[slot.pid] = child_id
            self.policy.started(child_id, self.process.runtime.now())
            self.reports.emit_progress(slot)

    async def _start_again(self, slot: Slot) -> list[Action] | None:
        """Start a child as a part of a restart; return what to do instead if it does not start."""
        child_id = slot.spec.id
        try:
            await self._start(slot)
        except StartError as exc:
            instead = self.policy.start_failed(child_id, exc.reason, self.process.runtime.now())
            left = self._left(self.policy.table[child_id])
            self.reports.emit("start_error", slot, exc.reason, restart_in=left)
            return instead
        slot.restarts += slot.process is not None
        return None

    async def _stop(
        self, child_id: object, leaving: Container[Process | None] = (), *, interrupt: bool
    ) -> None:
        """Stop a child; its end takes along none of those that are `leaving` as well."""
        slot = self.slots[child_id]
        assert slot.process is not None
        pid = slot.process.pid
        part_from(slot.process, leaving)
        await self.children.stop(slot, interrupt=interrupt)
        self.ids.pop(pid, None)
        self._stopped(child_id)

    def _stopped(self, child_id: object) -> None:
        """Record in the policy that a child is down, and do what follows."""
        void = self.policy.stopped(child_id, self.process.runtime.now())
        if void is not None:
            self.timers.cancel(void)
        self._forget_if_dropped(child_id)

    # -- management calls ---------------------------------------------------------------------

    async def start_child(self, wanted: object) -> Pid | None:
        """Start a child, as the last one; it is forgotten if it does not start."""
        slot = self._admit(wanted)
        child_id = slot.spec.id
        self.policy.add(_entry(slot.spec))
        self.slots[child_id] = slot
        try:
            await self._start(slot)
        except BaseException:
            self._forget(child_id)
            raise
        if self.children.is_void():
            self._forget(child_id)
        return slot.pid

    def _admit(self, wanted: object) -> Slot:
        """Make the slot of a child whose id is new."""
        child = need_child(wanted)
        spec = child.spec
        known = self.slots.get(spec.id)
        if known is not None:
            if known.pid is not None:
                raise AlreadyStarted(known.pid, f"child {bounded(spec.id)}")
            raise ChildAlreadyPresent(spec.id)
        return Slot(child)

    async def terminate_child(self, child_id: object) -> None:
        """Stop a child and keep its specification, unless it is temporary."""
        slot = self._find(child_id)
        if slot.process is not None:
            await self._stop(child_id, interrupt=False)
        else:  # a pending retry finds it down and does nothing
            self._stopped(child_id)

    async def restart_child(self, child_id: object) -> Pid | None:
        """Start a child that is down."""
        slot = self._find_down(child_id)
        await self._start(slot)
        return slot.pid

    def delete_child(self, child_id: object) -> None:
        """Forget a child that is down."""
        self._find_down(child_id)
        self._forget(child_id)

    def which_child(self, child: object) -> ChildInfo:
        """Describe the child of an id."""
        self._find(child)
        return self._info(child, self.policy.table[child])

    def get_childspec(self, child_id: object) -> ChildSpec:
        """Return the specification of a child."""
        return self._find(child_id).child.spec

    commands: ClassVar = {
        **SupervisorLoop.commands,
        "start_child": start_child,
        "terminate_child": terminate_child,
        "restart_child": restart_child,
        "delete_child": delete_child,
        "which_child": which_child,
        "get_childspec": get_childspec,
    }

    def _forget(self, child_id: object) -> None:
        self.slots.pop(child_id, None)
        self.policy.table.pop(child_id, None)

    def _find(self, child_id: object) -> Slot:
        try:
            return self.slots[child_id]
        except (KeyError, TypeError):
            raise ChildNotFound(child_id) from None

    def _find_down(self, child_id: object) -> Slot:
        slot = self._find(child_id)
        entry = self.policy.table[child_id]
        match entry.state:
            case State.RUNNING:
                raise ChildRunning(child_id)
            case State.RESTARTING:
                raise ChildRestarting(child_id, self._left(entry))
            case State.DOWN:
                return slot
