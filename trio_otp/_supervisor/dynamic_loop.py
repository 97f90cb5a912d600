"""The loop of a `DynamicSupervisor`: its children come and go by request, and end all at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import trio

from .._exits.errors import (
    AlreadyStarted,
    ChildNotFound,
    ChildRestarting,
    MaxChildren,
    SpecError,
    StartError,
    WrongServer,
)
from .._exits.reasons import KILLED, SHUTDOWN, is_quiet
from .._process.pid import Pid
from .._process.stopping import kill, part_from
from .._process.wait_edges import await_ends, leave_wait
from .._util.bounded import bounded
from .data import ChildInfo, Counts, Ending, RetryLater, Slot
from .delays import Delays, Wait, check_backoff, delays_of
from .intensity import Intensity
from .jitter import random
from .loop import SupervisorLoop
from .template import child_of, with_arguments

if TYPE_CHECKING:
    from .._behaviour.backoff import Backoff
    from .._process.process import Process
    from .._start.child import Child
    from .._start.spec import ChildSpec
    from .flags import AutoShutdown


@dataclass(frozen=True, slots=True)
class DynamicSupervisorSpec:
    """What the init of a dynamic supervisor returns; `DynamicSupervisor.spec` makes one."""

    max_children: int | None
    max_restarts: int | None
    max_seconds: float
    extra_arguments: tuple[object, ...]
    template: Child[Any] | None = None
    auto_shutdown: AutoShutdown = "never"
    backoff: Backoff | None = None


class DelayedSlot(Slot):
    """A child of a dynamic supervisor: it keeps its delays itself, as there is no table."""

    __slots__ = ("delays", "wait")

    def __init__(self, child: Child[Any], backoff: Backoff | None) -> None:
        super().__init__(child)
        self.delays: Delays | None = delays_of(child.spec.backoff, backoff, child.spec.restart)
        self.wait: Wait | None = None  # for its restart

    def take(self, child: Child[Any], backoff: Backoff | None) -> None:
        """Take another specification; what waits goes on waiting."""
        self.change(child)
        before = self.delays
        self.delays = delays_of(child.spec.backoff, backoff, child.spec.restart)
        if self.delays is not None and before is not None:
            self.delays.go_on_from(before)


class DynamicLoop(SupervisorLoop[DynamicSupervisorSpec]):
    """The shell of a `DynamicSupervisor`."""

    summary = "dynamic"
    spec_class = DynamicSupervisorSpec
    spec_of = "DynamicSupervisor"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.spec = DynamicSupervisorSpec(None, 0, 1, ())
        self.intensity = Intensity(0, 1)
        # {pid: child}, oldest first; a child that is being restarted stays under its old pid
        self.slots: dict[Pid, DelayedSlot] = {}
        self.waiting: dict[object, DelayedSlot] = {}  # {name: child whose restart waits}

    def infos(self) -> list[ChildInfo]:
        """List the children, oldest first."""
        return [self._info(slot) for slot in self.slots.values()]

    def _info(self, slot: DelayedSlot) -> ChildInfo:
        """Describe a child; another thread may ask for it."""
        left = None if slot.wait is None else slot.wait.left(self.process.runtime.now())
        return slot.info("restarting" if slot.process is None else "running", None, left)

    def slot_of(self, pid: Pid) -> Slot | None:
        """Return a running child; None if there is no such child."""
        return self.slots.get(pid)

    async def begin(self, spec: DynamicSupervisorSpec) -> None:
        """Take the limits."""
        self.spec = spec
        self.intensity = Intensity(spec.max_restarts, spec.max_seconds)

    def change(self, spec: DynamicSupervisorSpec) -> None:
        """Take other limits; with a template, its options and target hold for all children."""
        if spec.template is not None:
            self._change_all(spec.template, spec.backoff)
        self.spec = spec
        self.intensity.change(Intensity(spec.max_restarts, spec.max_seconds))

    def _change_all(self, template: Child[Any], backoff: Backoff | None) -> None:
        """Apply another template to all children, or to none."""
        slots = list(self.slots.values())
        children = [with_arguments(template, slot.child.args) for slot in slots]
        for slot, child in zip(slots, children, strict=True):
            slot.take(child, backoff)
        self.waiting = {s.spec.name: s for s in slots if s.wait and s.spec.name is not None}

    async def stop_children(self, *, interrupt: bool) -> None:
        """Ask all to end at once, and kill each when its own time is over."""
        running = [slot for slot in self.slots.values() if slot.process is not None]
        began = self.process.runtime.now()
        leaving = {slot.process: None for slot in running if slot.process is not None}
        for process in leaving:
            part_from(process, leaving)
        for slot in running:
            self._ask_to_end(slot, interrupt=interrupt)
        await_ends(self.process, leaving)
        try:
            for slot in sorted(running, key=_limit):
                await self._wait_for_end(slot, began + _limit(slot))
            for slot in running:
                await self._bury(slot)
        finally:
            leave_wait(self.process)
        self.slots.clear()

    def _ask_to_end(self, slot: Slot, *, interrupt: bool) -> None:
        assert slot.process is not None
        if slot.spec.shutdown == "brutal_kill":
            slot.process.exit_with(KILLED)
        else:
            slot.process.request_shutdown(self.process.pid, SHUTDOWN, interrupt=interrupt)

    async def _wait_for_end(self, slot: Slot, deadline: float) -> None:
        assert slot.process is not None
        with trio.move_on_at(deadline):
            await slot.process.wait_dead()
        if not slot.process.dead:
            slot.process.exit_with(KILLED)

    async def _bury(self, slot: Slot) -> None:
        process = slot.process
        assert process is not None
        reason = process.exit_reason if process.dead else await kill(process)
        self.children.stopped(slot, reason)

    async def child_exited(self, pid: Pid, reason: object) -> None:
        """Restart a child, or forget it."""
        slot = self.slots.get(pid)
        if slot is None or slot.pid is not pid:
            return
        slot.process = None
        restart, now = slot.spec.restart, self.process.runtime.now()
        if slot.delays is not None:
            slot.delays.ended(now)
        again = restart == "permanent" or (restart == "transient" and not is_quiet(reason))
        delay = self._delay(pid, slot, reason, now) if again else None
        if again or not is_quiet(reason):
            self.reports.emit("child_terminated", slot, reason, pid, delay)
        if again and delay is None:
            await self._restart(pid, slot, reason)
        elif not again:
            del self.slots[pid]
            if slot.spec.significant and not self._goes_on_without():
                raise Ending(SHUTDOWN)

    def _goes_on_without(self) -> bool:
        """Check whether a significant child may have ended: all are, as they have one template."""
        wanted = self.spec.auto_shutdown
        return wanted == "never" or (wanted == "all_significant" and bool(self.slots))

    async def retry(self, key: Any, reason: object) -> None:
        """Try a failed restart again, unless the child was terminated in the meantime."""
        slot = self.slots.get(key)
        if slot is not None and slot.process is None and slot.wait is None:
            await self._restart(key, slot, reason)

    async def due(self, wait: Wait) -> None:
        """Restart a child that still waits for this."""
        slot = self.slots.get(wait.id)
        if slot is not None and slot.wait is wait:
            self._end_wait(slot)
            await self._restart(wait.id, slot, wait.reason)

    def _delay(self, pid: Pid, slot: DelayedSlot, reason: object, now: float) -> float | None:
        """Delay a restart; return the seconds, None if the child has no back-off."""
        if slot.delays is None:
            return None
        delay = slot.delays.next(random)
        slot.wait = Wait(pid, reason, now + delay, (pid,))
        self.timers.set(slot.wait)
        if slot.spec.name is not None:
            self.waiting[slot.spec.name] = slot
        return delay

    def _end_wait(self, slot: DelayedSlot) -> None:
        self.waiting.pop(slot.spec.name, None)
        slot.wait = None

    async def _restart(self, pid: Pid, slot: DelayedSlot, reason: object) -> None:
        if not self.intensity.charge(self.process.runtime.now()):
            del self.slots[pid]
            raise self.reports.give_up(slot, reason)
        try:
            started = await self.children.start(slot, self.spec.extra_arguments)
        except StartError as exc:
            if isinstance(exc, AlreadyStarted) and exc.pid in self.slots:
                # Between the child's end and the news of it somebody has started it again here.
                self.slots[exc.pid].restarts += self.slots.pop(pid).restarts + 1
                return
            delay = self._delay(pid, slot, exc.reason, self.process.runtime.now())
            self.reports.emit("start_error", slot, exc.reason, restart_in=delay)
            if delay is None:
                self.process.mailbox.put(RetryLater(pid, exc.reason))
            return
        del self.slots[pid]
        if started:
            slot.restarts += 1
            self._keep(slot)

    def _keep(self, slot: DelayedSlot) -> None:
        """Keep a child that runs."""
        assert slot.pid is not None
        self.slots[slot.pid] = slot
        if slot.delays is not None:
            slot.delays.started(self.process.runtime.now())

    async def start_child(self, wanted: object) -> Pid | None:
        """Start a child, as the last one."""
        slot = self._admit(wanted)
        started = await self.children.start(slot, self.spec.extra_arguments)
        if started and self.children.is_void():
            await self.children.stop(slot)
        elif started:
            self._keep(slot)
        return slot.pid

    def _admit(self, wanted: object) -> DelayedSlot:
        """Make the slot of a child, if there may be one more."""
        child = child_of(self.spec.template, wanted)
        limit = self.spec.max_children
        if limit is not None and len(self.slots) >= limit:
            raise MaxChildren(limit)
        waiting = self.waiting.get(child.spec.name)
        if waiting is not None:
            raise ChildRestarting(child.spec.name, self._info(waiting).restart_in)
        if child.spec.significant and self.spec.template is None:
            raise SpecError(
                "significant=True: a DynamicSupervisor has no significant children, but for those "
                "of a template; write template=otp.template(target).having(significant=True)"
            )
        slot = DelayedSlot(child, self.spec.backoff)
        if slot.delays is not None:
            limits = self.intensity.limit, self.intensity.seconds
            check_backoff(slot.delays.backoff, *limits, f"{bounded(child)}: ")
        return slot

    async def terminate_child(self, child: Any) -> None:
        """Stop a child and forget it: by its pid, or by its name while its restart waits."""
        waiting = None if child.__class__ is Pid else self.waiting.get(child)
        pid = child if waiting is None or waiting.wait is None else waiting.wait.id
        slot = self.slots.get(pid)
        if slot is None:
            if self.spec.template is not None and pid.__class__ is Pid and pid._process is None:
                return  # as simple_one_for_one: it is dead already
            raise ChildNotFound(child)
        if slot.process is not None:
            await self.children.stop(slot)
        elif slot.wait is not None:
            self.timers.cancel(slot.wait)
            self._end_wait(slot)
        del self.slots[pid]

    def count_children(self, _: None) -> Counts:
        """Count the children; a template is one specification."""
        counts = super().count_children(None)
        return counts if self.spec.template is None else replace(counts, specs=1)

    def which_child(self, child: object) -> ChildInfo:
        """Describe the child of a pid."""
        return self._info(self._find("which_child", child))

    def get_childspec(self, child: object) -> ChildSpec:
        """Return the specification of the child of a pid, or the template by its id."""
        template = self.spec.template
        if template is not None and child.__class__ is not Pid and child == template.spec.id:
            return template.spec
        return self._find("get_childspec", child).child.spec

    commands: ClassVar = {
        **SupervisorLoop.commands,
        "start_child": start_child,
        "terminate_child": terminate_child,
        "which_child": which_child,
        "count_children": count_children,
        "get_childspec": get_childspec,
    }

    def _find(self, command: str, child: Any) -> DelayedSlot:
        if child.__class__ is not Pid:
            raise WrongServer(command, self.process.pid, "DynamicSupervisor, which has no ids")
        slot = self.slots.get(child)
        if slot is None:
            raise ChildNotFound(child)
        return slot


def _limit(slot: Slot) -> float:
    """Return the seconds a child gets to end."""
    limit = slot.spec.shutdown
    if limit == "brutal_kill":
        return 0.0
    return math.inf if limit is None else float(limit)
