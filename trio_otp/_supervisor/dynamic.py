"""DynamicSupervisor: children that are started on demand, in any number, independent of each other.

**Why.** A session, a connection, a job: nobody knows at the start which there will be, and one that
fails is none of the others' business.

>>> import trio, trio_otp as otp
>>> class Session(otp.GenServer, restart="temporary"):
...     def __init__(self, user: str) -> None:
...         self.user = user
>>> async def main():
...     async with otp.open_supervisor([otp.child(otp.DynamicSupervisor).having(name="s")]):
...         await otp.start_child("s", otp.child(Session, "ada"))
...         await otp.start_child("s", otp.child(Session, "joe"))
...         print(await otp.count_children("s"))
>>> trio.run(main)
Counts(specs=2, active=2, supervisors=0, workers=2)

**Client side** `otp.start_child(ref, child)` gives the pid, by which `otp.terminate_child` knows
it; `otp.ensure_child` finds or starts one by its name. Those that have ended are forgotten.

**Server side** there is nothing to write: `max_children`, `max_restarts` and `max_seconds` are
arguments, and a child brings its own options.

**Supervise** it as any other child. Its children are stopped all at once, each within its own
limit.

**When not to use it.** If the children are known beforehand, or depend on each other's order, list
them with an `otp.Supervisor`. For work that ends by itself there is `otp.TaskSupervisor`.

It is long because its arguments are said three times: for the class, its constructor and `spec`.

Follows: Elixir's `DynamicSupervisor`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio

from .._behaviour.behaviour import ignore
from .._behaviour.results import IGNORE
from .._exits.errors import (
    AlreadyStarted,
    ChildNotFound,
    MaxChildren,
    SpecError,
    StartError,
    WrongServer,
)
from .._exits.reasons import KILLED, SHUTDOWN, is_quiet
from .._process.pid import Pid
from .._process.stopping import kill, part_from
from .._process.wait_edges import await_ends, leave_wait
from .._util.checks import check_whole
from .._util.public import public
from .._util.record import dataclass
from .._util.user_code import call_back
from .data import ChildInfo, Counts, Ending, RetryLater, Slot
from .loop import SupervisorBehaviour, SupervisorLoop, check_spec
from .policy import AutoShutdown, Intensity, check_intensity
from .template import check_template, child_of, with_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .._behaviour.behaviour import Behaviour
    from .._process.process import Process
    from .._start.child import Child, ChildSpec


@dataclass(frozen=True, slots=True)
class DynamicSupervisorSpec:
    """What the init of a dynamic supervisor returns; `DynamicSupervisor.spec` makes one."""

    max_children: int | None
    max_restarts: int
    max_seconds: float
    extra_arguments: tuple[Any, ...]
    template: Child[Any] | None = None
    auto_shutdown: AutoShutdown = "never"


@public
class DynamicSupervisor(SupervisorBehaviour):
    """A supervisor that starts empty; `otp.start_child` adds children.

    Use it as it is, `otp.child(otp.DynamicSupervisor, max_children=100)`, or subclass it and let
    `init` return `otp.DynamicSupervisor.spec(...)`.

    Args:
        max_children: how many children it may have; None for any number.
        max_restarts: how many restarts there may be within `max_seconds`; one more, and the
            supervisor stops its children and ends with SHUTDOWN.
        max_seconds: that window, a whole number; whole seconds of the clock count.
        extra_arguments: positional arguments put before those of every child.
        template: what every child is, as `otp.template` gives it, but for the arguments that
            `start_child` adds.
        auto_shutdown: with a template whose children are significant, whether the end of any of
            them, or of all, ends the supervisor. See `otp.Supervisor`.
    """

    def __init__(
        self,
        *,
        max_children: int | None = None,
        max_restarts: int = 3,
        max_seconds: float = 5,
        extra_arguments: tuple[Any, ...] = (),
        template: Child[Any] | None = None,
        auto_shutdown: AutoShutdown = "never",
    ) -> None:
        self._given = DynamicSupervisor.spec(
            max_children=max_children,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
            extra_arguments=extra_arguments,
            template=template,
            auto_shutdown=auto_shutdown,
        )

    def init(self) -> Any:
        """Return the limits; `def` or `async def`.

        Returns:
            `DynamicSupervisor.spec(...)`, or IGNORE.
        """
        return self._given

    @staticmethod
    def spec(
        *,
        max_children: int | None = None,
        max_restarts: int = 3,
        max_seconds: float = 5,
        extra_arguments: tuple[Any, ...] = (),
        template: Child[Any] | None = None,
        auto_shutdown: AutoShutdown = "never",
    ) -> DynamicSupervisorSpec:
        """Make what `init` returns; the arguments are those of the class.

        Args:
            max_children: how many children it may have; None for any number.
            max_restarts: how many restarts there may be within `max_seconds`.
            max_seconds: that window, a whole number.
            extra_arguments: positional arguments put before those of every child.
            template: what every child is, but for the arguments that `start_child` adds.
            auto_shutdown: `never`, `any_significant` or `all_significant`; needs a template.

        Raises:
            SpecError: one of them is not accepted.

        Follows: `DynamicSupervisor.init/1`, `supervisor`, `simple_one_for_one`.
        """
        check_intensity(max_restarts, max_seconds)
        if max_children is not None:
            check_whole("max_children", max_children, 0, error=SpecError)
        extra = tuple(extra_arguments)
        check_template(template, auto_shutdown)
        return DynamicSupervisorSpec(
            max_children, max_restarts, max_seconds, extra, template, auto_shutdown
        )

    @classmethod
    def run_process(
        cls, process: Process, make: Callable[[], Behaviour]
    ) -> Coroutine[Any, Any, None]:
        """Run the body of the process."""
        return DynamicLoop(process).run(make)


class DynamicLoop(SupervisorLoop):
    """The shell of a `DynamicSupervisor`."""

    summary = "dynamic"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.spec = DynamicSupervisor.spec()
        self.intensity = Intensity(0, 1)
        # {pid: child}, oldest first; a child that is being restarted stays under its old pid
        self.slots: dict[Pid[Any], Slot] = {}

    @property
    def extra_arguments(self) -> tuple[Any, ...]:  # type: ignore[override]  # they follow the spec
        """Return what comes before the arguments of every child."""
        return self.spec.extra_arguments

    def infos(self) -> list[ChildInfo]:
        """List the children, oldest first."""
        return [
            slot.info("restarting" if slot.process is None else "running", None)
            for slot in self.slots.values()
        ]

    def slot_of(self, pid: Pid[Any]) -> Slot | None:
        """Return a running child; None if there is no such child."""
        return self.slots.get(pid)

    async def set_up(self) -> None:
        """Take the limits."""
        wanted = await call_back(self.instance.init)
        if wanted is IGNORE:
            ignore(self.process)
        self.spec = spec = check_spec(wanted, DynamicSupervisorSpec, "DynamicSupervisor")
        self.intensity = Intensity(spec.max_restarts, spec.max_seconds)

    async def specify_anew(self) -> None:
        """Take other limits; with a template, its options and target hold for all children."""
        wanted = await call_back(self.instance.init)
        if wanted is IGNORE:
            return
        spec = check_spec(wanted, DynamicSupervisorSpec, "DynamicSupervisor")
        if spec.template is not None:
            self._change_all(spec.template)
        self.spec = spec
        self.intensity.change(Intensity(spec.max_restarts, spec.max_seconds))

    def _change_all(self, template: Child[Any]) -> None:
        """Let another template hold for all children, or for none."""
        slots = list(self.slots.values())
        children = [with_arguments(template, slot.child.args) for slot in slots]
        for slot, child in zip(slots, children, strict=True):
            slot.change(child)

    async def stop_children(self, *, interrupt: bool) -> None:
        """Ask all to end at once, and kill each when its own time is over."""
        running = [slot for slot in self.slots.values() if slot.process is not None]
        began = trio.current_time()
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
        if not process.dead:
            await kill(process)
        self.report_stop(slot, process)

    async def child_exited(self, pid: Pid[Any], reason: object) -> None:
        """Restart a child, or forget it."""
        slot = self.slots.get(pid)
        if slot is None or slot.pid is not pid:
            return
        slot.process = None
        restart = slot.spec.restart
        if restart == "permanent" or not is_quiet(reason):
            self.report("child_terminated", slot, reason, pid)
        if restart == "permanent" or (restart == "transient" and not is_quiet(reason)):
            await self._restart(pid, slot, reason)
        else:
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
        if slot is not None and slot.process is None:
            await self._restart(key, slot, reason)

    async def _restart(self, pid: Pid[Any], slot: Slot, reason: object) -> None:
        if not self.intensity.charge(trio.current_time()):
            del self.slots[pid]
            raise self.give_up(slot, reason)
        try:
            started = await self.start_slot(slot)
        except StartError as exc:
            if isinstance(exc, AlreadyStarted) and exc.pid in self.slots:
                # Between the child's end and the news of it somebody has started it again here.
                self.slots[exc.pid].restarts += self.slots.pop(pid).restarts + 1
                return
            self.report("start_error", slot, exc.reason)
            self.process.mailbox.put(RetryLater(pid, exc.reason))
            return
        del self.slots[pid]
        if started:
            assert slot.pid is not None
            slot.restarts += 1
            self.slots[slot.pid] = slot

    def admit(self, wanted: Any) -> Slot:
        """Make the slot of a child, if there may be one more."""
        child = child_of(self.spec.template, wanted)
        limit = self.spec.max_children
        if limit is not None and len(self.slots) >= limit:
            raise MaxChildren(limit)
        if child.blueprint.significant and self.spec.template is None:
            raise SpecError(
                "significant=True: a DynamicSupervisor has no significant children, but for those "
                "of a template; write template=otp.template(target).having(significant=True)"
            )
        return Slot(child)

    def settle(self, slot: Slot) -> None:
        """Note that a child was started."""
        assert slot.pid is not None
        self.slots[slot.pid] = slot

    async def do_terminate_child(self, pid: Pid[Any]) -> None:
        """Stop a child and forget it."""
        slot = self.slots.get(pid)
        if slot is None:
            if self.spec.template is not None and pid._process is None:
                return  # as simple_one_for_one: it is dead already
            raise ChildNotFound(pid)
        if slot.process is not None:
            await self.stop_slot(slot, interrupt=False)
        del self.slots[pid]

    async def do_count_children(self, _: None) -> Counts:
        """Count the children; a template is one specification."""
        counts = await super().do_count_children(None)
        return counts if self.spec.template is None else replace(counts, specs=1)

    async def do_which_child(self, child: Any) -> ChildInfo:
        """Describe the child of a pid."""
        slot = self._find("which_child", child)
        return slot.info("restarting" if slot.process is None else "running", None)

    async def do_get_childspec(self, child: Any) -> ChildSpec:
        """Return the specification of the child of a pid, or the template by its id."""
        template = self.spec.template
        if template is not None and child.__class__ is not Pid and child == template.spec.id:
            return template.spec
        return self._find("get_childspec", child).child.spec

    def _find(self, command: str, child: Any) -> Slot:
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
