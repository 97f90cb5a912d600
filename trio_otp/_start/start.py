"""How a process comes to life: created at once; a behaviour is waited for until its init is over.

The starter of a process waits for one of three things: `ack` (init is over), the death of the
process (init failed, and by then its name is free), or its own cancellation or time-out (the
process is killed and its end awaited). So a failed start leaves nothing: no process, no name, no
message. Follows: OTP's `proc_lib:start_link/5`, as of OTP 26.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import outcome
import trio
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

from .._exits.call_errors import CallError
from .._exits.errors import AlreadyStarted, StartError
from .._exits.reasons import KILLED, NOPROC, SHUTDOWN, TIMEOUT, passes_through
from .._process.debug import switch_on
from .._process.name_watchers import tell_started
from .._process.names import check_name, find_even_exiting, take_name
from .._process.nursery import nursery_of
from .._process.process import Process
from .._process.runtime import calling_process, need_task
from .._process.stopping import stop
from .._process.wait_edges import enter_wait, leave_wait, set_wait
from .spec import PLAIN, ChildSpec, Runnable

if TYPE_CHECKING:
    from .._process.nursery import OrderedNursery
    from .._process.signals import Monitor
    from .._process.timers import Fifo


class Start:
    """One start: what is started, where and by whom; and what its starter waits on."""

    __slots__ = (
        "done",
        "ignored",
        "link",
        "monitor",
        "nursery",
        "process",
        "runs",
        "spec",
        "starter",
        "supervisor",
        "task",
        "timed_out",
        "waiting",
    )

    def __init__(
        self,
        runs: Runnable,
        nursery: OrderedNursery,
        starter: Process | None,
        spec: ChildSpec = PLAIN,
        *,
        link: bool = False,
        supervisor: Process | None = None,
    ) -> None:
        self.runs: Runnable = runs
        self.spec: ChildSpec = spec
        self.nursery: OrderedNursery = nursery
        self.starter: Process | None = starter
        self.link: bool = link
        self.supervisor: Process | None = supervisor
        self.monitor: Monitor | None = None  # of the starter, from the first moment on
        self.process: Process
        self.waiting: trio.CancelScope | None = None  # for the end of who has its name
        self.task: trio.lowlevel.Task | None = None  # of the starter
        self.done: bool = False
        self.ignored: bool = False
        self.timed_out: bool = False

    @enable_ki_protection
    def create(self) -> Process:
        """Make the process and its task, with its name and link, at once."""
        runs, spec, nursery, starter = self.runs, self.spec, self.nursery, self.starter
        runtime = nursery.runtime
        self.process = process = Process(runtime, nursery, runs.body, runs.label)
        process.make = runs.make
        process.behaviour = runs.behaviour
        shutdown = spec.shutdown
        process.shutdown = 0.0 if shutdown == "brutal_kill" else shutdown
        process.supervisor = self.supervisor
        if spec.mailbox is not None:
            spec.mailbox._limit(process)
        if spec.skip_abandoned:
            process.own_extras().skip_abandoned = True
        if starter is not None:
            process.ancestors = _ancestors_for(starter)
        nursery.add(process)
        runtime.processes[process.pid._number] = process
        if self.link and starter is not None:
            process.parent = starter
            process.add_link(starter)
        if self.monitor is not None:
            self.monitor.what = process.pid
            process.add_monitor(self.monitor)
        if spec.debug:
            switch_on(process, spec.debug)
        if (hook := runtime.events.process_start) is not None:
            hook(process.pid)
        return process

    @enable_ki_protection
    def ack(self) -> None:
        """Init is over, unless a signal is on its way: then the start fails by it."""
        process = self.process
        if process.alive:
            process.starting = None
            self._finish(self)
            if process.extras.followers is not None:
                process.tell_followers()
            if process.runtime.name_watchers:
                tell_started(process.runtime)

    def unwrap(self) -> Process | None:
        """Return what was started to the starter, which wakes with this as its outcome."""
        return None if self.ignored else self.process

    def failed(self, process: Process, reason: object) -> None:
        """The process died in init."""
        self.disown()
        if self.ignored:
            self._finish(self)
        else:
            reason = TIMEOUT if self.timed_out else reason
            self._finish(outcome.Error(StartError(reason, process.label)))

    def disown(self) -> None:
        """See to it that the starter hears of the end by an error, by no Exit and no Down."""
        self.process.unlink_parent()
        if self.monitor is not None:
            self.monitor._detach()

    def expire(self) -> None:
        """Init took too long: the process is killed, its end answers the starter."""
        if not self.done:  # pragma: no branch - else the starter is about to run
            self.timed_out = True
            self.process.exit_with(KILLED)

    async def break_off(self) -> None:
        """Fail the start, as nobody wants it any more; one whose init is over is left alone."""
        process: Process | None = getattr(self, "process", None)
        if process is None:
            if self.waiting is not None:  # pragma: no branch - else it fails by itself
                self.waiting.cancel(reason="the caller of the start was cancelled")
        elif process.starting is self:
            process.exit_with(SHUTDOWN, run_terminate=True)
            await stop(process, SHUTDOWN, process.shutdown, interrupt=True)

    def _finish(self, result: Any) -> None:
        if not self.done and self.task is not None:
            self.done = True
            reschedule(self.task, result)

    def abort(self, _raise_cancel: RaiseCancelT) -> Abort:
        """End the wait of the starter."""
        if self.done:  # it is being woken
            return Abort.FAILED
        self.done = True
        return Abort.SUCCEEDED


@enable_ki_protection
def acknowledge(process: Process, value: object, why_not: str) -> None:
    """Report to the starter of a plain process that it has started; keep the value it gives."""
    starting = process.starting
    if starting is None:
        raise RuntimeError(why_not)
    process.own_extras().started = value
    starting.ack()


@enable_ki_protection
async def start_and_wait(start: Start) -> Process | None:
    """Start a process and wait for its init; None if init ignores.

    Raises:
        StartError: init failed, or took longer than the time-out.
        AlreadyStarted: the name is taken.
    """
    spec = start.spec
    task = need_task()
    await trio.lowlevel.checkpoint_if_cancelled()
    try:
        if spec.name is not None:
            await _await_free_name(start)
        process = start.create()
        process.starting = start
    except Exception:  # the name is taken, or the nursery closed
        await trio.lowlevel.cancel_shielded_checkpoint()
        raise
    if spec.name is not None:
        await _take_name(start)
    caller = set_wait(calling_process(), process)
    limit = None if spec.timeout == math.inf else spec.timeout
    fifo: Fifo | None = None
    try:
        start.task = task
        if limit is not None:
            fifo = process.runtime.timers.limit(start, limit)
        started: Process | None = await wait_task_rescheduled(start.abort)
        return started
    except (trio.Cancelled, KeyboardInterrupt):
        if not _starter_dies():
            with trio.CancelScope(shield=True):
                start.disown()  # it may have started at this very moment
                process.exit_with(SHUTDOWN, run_terminate=True)
                await stop(process, SHUTDOWN, process.shutdown, interrupt=True)
        raise
    except StartError as exc:
        if isinstance(exc.reason, BaseException) and passes_through(exc.reason):
            await trio.lowlevel.checkpoint()  # Ctrl-C in init: all that lives in its nursery ends
        raise
    finally:
        leave_wait(caller)
        if fifo is not None:
            fifo.pop(start, None)


def _starter_dies() -> bool:
    """Check whether a start is cancelled because its starter dies: then their link settles it.

    A supervisor that is shut down takes the start back as if its scope had been cancelled.
    """
    starter = calling_process()
    return (
        starter is not None
        and starter.is_exiting
        and not (starter.runs_terminate and starter.hosts)
    )


async def _await_free_name(start: Start) -> None:
    """Refuse a name that is taken; wait for the end of a holder that is about to die."""
    spec, label = start.spec, start.runs.label
    check_name(spec.name)
    holder = _exiting_holder(spec.name, label)
    if holder is None:
        return
    limit = math.inf if spec.timeout is None else spec.timeout
    with trio.move_on_after(limit) as start.waiting:
        while holder is not None:
            await _wait_for_end(holder, start)
            holder = _exiting_holder(spec.name, label)
    if start.waiting.cancelled_caught:
        late = trio.current_time() >= start.waiting.deadline
        raise StartError(TIMEOUT if late else SHUTDOWN, label)
    _check_what_changed(start)


async def _wait_for_end(process: Process, start: Start) -> None:
    """Wait for the holder of a name, unless it waits, over others perhaps, for this very start."""
    try:
        edge = enter_wait(process, start.spec.name, None)
    except CallError as exc:
        raise StartError(exc, start.runs.label) from exc
    try:
        await process.wait_dead()
    finally:
        leave_wait(edge)


def _check_what_changed(start: Start) -> None:
    """Look again at what may have ended during the wait: the guard of the nursery, the starter."""
    if start.nursery.guarded:
        start.nursery = nursery_of(start.nursery.runtime, start.nursery.trio_nursery)
    needed = start.link or start.monitor is not None
    if needed and start.starter is not None and start.starter.dead:
        raise StartError(NOPROC, start.runs.label)


def _exiting_holder(name: object, label: str) -> Process | None:
    """Return who has a name and is about to die; raise `AlreadyStarted` for anybody else."""
    try:
        process = find_even_exiting(name)
    except Exception as exc:  # of a via registry
        raise StartError(exc, label) from exc
    if process is None or process.is_exiting:
        return process
    if process.supervisor is not None and process.supervisor.dead:  # it will be stopped
        return process
    raise AlreadyStarted(process.pid, label, name=name)


async def _take_name(start: Start) -> None:
    """Register the process under its name; undo the start if its registry refuses or is gone."""
    process, name, label = start.process, start.spec.name, start.runs.label
    try:
        if take_name(process, name):
            return
        rival = find_even_exiting(name)
        error = StartError(f"the registry refused {name!r}", label)
        if rival is not None:
            error = AlreadyStarted(rival.pid, label, name=name)
    except Exception as exc:
        error = StartError(exc, label)
    process.exit_with(KILLED)  # it is still starting, so its end is no signal to its starter
    with trio.CancelScope(shield=True):
        await process.wait_dead()
    raise error


def _ancestors_for(starter: Process) -> tuple[object, ...]:
    """Return the ancestors of what a process starts, shared by all it starts."""
    first = starter.name or starter.pid
    lineage = starter.lineage
    if lineage is None or lineage[0] is not first:  # it has taken another name
        lineage = starter.lineage = (first, *starter.ancestors)
    return lineage
