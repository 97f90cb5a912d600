"""The process of a pool: it supervises the workers, starts them and ends them.

It answers its messages at once: each start and each stop runs in a task of its own, so that a
database that is slow to connect holds up no client that another worker could serve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import trio

from .._behaviour.results import IGNORE
from .._exits.errors import StartError
from .._exits.reasons import SHUTDOWN, is_quiet
from .._exits.remembered import remembered
from .._process.stopping import kill, stop
from .._start.start import Start as ChildStart
from .._start.start import start_and_wait
from .._supervisor.dynamic_loop import DelayedSlot, DynamicLoop
from .._supervisor.loop import SupervisorLoop
from .._util.unset import UNSET
from .helpers import Helpers
from .idle import wait_idle
from .lending import Lending, Work
from .pool_core import Start, Watch
from .pool_spec import PoolSpec

if TYPE_CHECKING:
    from .._process.pid import Pid
    from .._process.process import Process
    from .._supervisor.dynamic_loop import DynamicSupervisorSpec


class PoolLoop(DynamicLoop):
    """The shell of a `Pool`."""

    summary = "pool"
    spec_class: ClassVar[type[Any]] = PoolSpec
    spec_of = "Pool"
    lending: Lending | None = None  # once it has begun
    _pool: PoolSpec
    _helpers: Helpers

    async def begin(self, spec: DynamicSupervisorSpec) -> None:
        """Take the settings; no worker is started before a client wants one."""
        assert isinstance(spec, PoolSpec)
        process = self.process
        assert process.children is not None
        self.spec = self._pool = spec
        self._ending: set[Pid] = set()  # workers that a helper ends, and reports
        self._helpers = Helpers(process.children.trio_nursery)
        self.lending = Lending(process, spec)
        process.add_watcher(self._close)

    def change(self, spec: DynamicSupervisorSpec) -> None:
        """Take new limits; a new child counts for workers that are started from now on."""
        assert isinstance(spec, PoolSpec)
        assert self.lending is not None
        self.spec = self._pool = spec
        self.lending.change(spec)

    def _close(self, _: Process) -> None:
        """Lend nothing more, and cancel what is under way."""
        if self.lending is not None:
            process = self.process
            reason = process.pending_exit
            if reason is UNSET:
                reason = SHUTDOWN if process.stop_message is None else process.stop_message.reason
            self.lending.close(reason)
            self._helpers.cancel()
            self._ending.clear()  # this process ends them now, and reports it

    async def stop_children(self, *, interrupt: bool) -> None:
        """Fail the waiting clients, then stop all workers at the same time."""
        self._close(self.process)
        await super().stop_children(interrupt=interrupt)
        if self.lending is not None:
            await self._helpers.wait_for_end()

    # -- what takes time ---------------------------------------------------------------------------

    async def _handle(self, message: object) -> None:
        if isinstance(message, Work):
            self._begin_work()
        else:
            await super()._handle(message)

    def _begin_work(self) -> None:
        """Begin what the core has decided, each in a task of its own."""
        assert self.lending is not None
        work, self.lending.work = self.lending.work, []
        for action in work:
            if isinstance(action, Start):
                self._helpers.start(self._start, action.worker)
            elif isinstance(action, Watch):
                self._helpers.start(self._watch, action.worker)
            else:
                self._helpers.start(self._end, action.worker)

    async def _start(self, number: int) -> None:
        process, lending = self.process, self.lending
        slot = DelayedSlot(self._pool.child, None)
        assert process.children is not None
        assert lending is not None
        start = ChildStart(
            slot.child.runs, process.children, process, slot.spec, link=True, supervisor=process
        )
        lending.starts[number] = start
        try:
            slot.process = await start_and_wait(start)
        except StartError as exc:
            self._not_started(number, slot, exc)
        else:
            if slot.process is None:
                self._not_started(number, slot, StartError(IGNORE, slot.child.runs.label))
            else:
                self._started(number, slot, slot.process)

    def _not_started(self, number: int, slot: DelayedSlot, error: StartError) -> None:
        assert self.lending is not None
        kept = remembered(error.reason)  # without frames: it would keep the state of the dead
        self.lending.not_started(number, StartError(kept, slot.child.runs.label))
        self.reports.emit("start_error", slot, error.reason, restart_in=self.lending.restart_in())

    def _started(self, number: int, slot: DelayedSlot, worker: Process) -> None:
        assert self.lending is not None
        self.reports.emit_progress(slot)
        self.slots[worker.pid] = slot
        self.lending.started(number, worker)
        if worker.dead:  # and the news of it may have come already
            self._forget(worker.pid)

    async def _watch(self, number: int) -> None:
        """Wait until a worker has finished what its last client asked for."""
        assert self.lending is not None
        worker = self.lending.workers.get(number)
        if worker is None:
            return
        with trio.move_on_after(self._pool.busy_timeout) as scope:
            await wait_idle(worker)
        if scope.cancelled_caught:
            self.lending.overdue(number)
        else:
            self.lending.finished(number)

    async def _end(self, number: int) -> None:
        assert self.lending is not None
        worker = self.lending.workers.get(number)
        if worker is None:
            return
        self._ending.add(worker.pid)
        limit = self._pool.child.spec.shutdown
        if limit == "brutal_kill":
            await kill(worker)
        else:
            await stop(worker, SHUTDOWN, limit, interrupt=True)
        if worker.pid in self._ending:  # else the process of the pool sees to its end
            self._ending.remove(worker.pid)
            self.reports.emit_stop(self.slots.pop(worker.pid), worker.pid, worker.exit_reason)

    async def terminate_child(self, child: Any) -> None:
        """Stop a worker and forget it, also one that a helper has begun to end."""
        self._ending.discard(child)
        await super().terminate_child(child)

    # -- ends --------------------------------------------------------------------------------------

    async def child_exited(self, pid: Pid, reason: object) -> None:
        """Report the end of a worker; `Lending` acted on it at the moment of the death."""
        if pid not in self._ending:
            self._forget(pid)

    def _forget(self, pid: Pid) -> None:
        slot = self.slots.pop(pid, None)
        if slot is None or slot.process is None:
            return
        reason = slot.process.exit_reason
        if not is_quiet(reason):
            later = None if self.lending is None else self.lending.restart_in()
            self.reports.emit("child_terminated", slot, reason, pid, later)

    commands: ClassVar = {
        **SupervisorLoop.commands,
        "terminate_child": terminate_child,
        "which_child": DynamicLoop.which_child,
    }
