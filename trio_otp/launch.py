"""How a process comes to life: created at once; a behaviour is waited for until its init is over.

Whoever starts a process waits for one of three things: `ack` (init is over), the death of the
process (init failed, and by then its name is free), or its own cancellation or time-out (the
process is killed and its end awaited). So a failed start leaves nothing: no process, no name, no
message. Follows: OTP's `proc_lib:start_link/5`, as of OTP 26.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import outcome
import trio
from trio.lowlevel import Abort, enable_ki_protection, reschedule, wait_task_rescheduled

from .bounded import bounded, label_of
from .debug import switch_on
from .exits import (
    KILLED,
    NOPROC,
    SHUTDOWN,
    TIMEOUT,
    AlreadyStarted,
    CallError,
    NotAProcess,
    StartError,
    passes_through,
)
from .home import Home, home_of, stop
from .names import check_name, holder, take_name
from .process import UNSET, Process
from .record import dataclass
from .request import enter_wait, leave_wait
from .runtime import calling_process, own_process, runtime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .process import Heritage
    from .signals import Monitor


@dataclass(slots=True, kw_only=True)
class Launch:
    """Everything there is to say about a process that is to be started."""

    body: Callable[[Process], Awaitable[object]] | None  # None for a behaviour
    label: str
    home: Home
    make: Callable[[], Any] | None = None  # the instance of a behaviour
    parent: Process | None = None
    starter: Process | None = None
    link: bool = False
    name: object = None
    behaviour: type[Any] | None = None
    hosts: bool = False
    timeout: float | None = None
    shutdown: float | None = 5.0
    supervisor: Process | None = None
    monitor: Monitor | None = None  # of the starter, from the first moment on
    debug: tuple[Any, ...] = ()

    @enable_ki_protection
    def create(self) -> Process:
        """Make the process and its task, with its name and link, at once."""
        process = Process(self.home.runtime, self.home, self.body, self.label)
        process.make = self.make
        process.behaviour = self.behaviour
        process.hosts = self.hosts
        process.shutdown = self.shutdown
        process.supervisor = self.supervisor
        if self.starter is not None:
            process.ancestors, process.callers = _heritage_of(self.starter)
        self.home.add(process)
        process.runtime.processes[process.pid._number] = process
        if self.link and self.parent is not None:
            process.parent = self.parent
            connect(process, self.parent)
        if self.monitor is not None:
            self.monitor.what = process.pid
            self.monitor._attach(process)
        if self.debug:
            switch_on(process, self.debug)
        if (hook := process.runtime.events.process_start) is not None:
            hook(process.pid)
        return process


class Starting:
    """What the starter of a process waits on."""

    __slots__ = ("done", "ignored", "monitor", "process", "task", "timed_out")

    def __init__(self, process: Process, monitor: Monitor | None = None) -> None:
        self.process = process
        self.monitor = monitor
        self.task: trio.lowlevel.Task | None = None  # that of the starter
        self.done = False
        self.ignored = False
        self.timed_out = False

    def ack(self) -> None:
        """Init is over, unless a signal is on its way: then the start fails by it."""
        if self.process.doom is UNSET:
            self.process.starting = None
            self._finish(outcome.Value(self.process))

    def failed(self, process: Process, reason: object) -> None:
        """The process died in init."""
        self.disown()
        if self.ignored:
            self._finish(outcome.Value(None))
        else:
            self._finish(
                outcome.Error(StartError(TIMEOUT if self.timed_out else reason, process.label))
            )

    def disown(self) -> None:
        """See to it that the starter hears of the end by an error, by no Exit and no Down."""
        self.process.unlink_parent()
        if self.monitor is not None:
            self.monitor._detach()

    def expire(self) -> None:
        """Init took too long: the process is killed, its end answers the starter."""
        self.timed_out = True
        self.process.condemn(KILLED)

    def _finish(self, result: outcome.Outcome[Process | None]) -> None:
        if not self.done and self.task is not None:
            self.done = True
            reschedule(self.task, result)

    def abort(self, _raise_cancel: Callable[[], Any]) -> Abort:
        """Let the starter wait no longer."""
        self.done = True
        return Abort.SUCCEEDED


def acknowledge(process: Process, value: Any, why_not: str) -> None:
    """Tell the starter of a plain process that it has started, and keep the value it gives."""
    starting = process.starting
    if starting is None:
        raise RuntimeError(why_not)
    process.started = value
    starting.ack()


@enable_ki_protection
async def start(launch: Launch) -> Process | None:
    """Start a process and wait for its init; None if init ignores.

    Raises:
        StartError: init failed, or took longer than the time-out.
        AlreadyStarted: the name is taken.
    """
    await trio.lowlevel.checkpoint_if_cancelled()
    if launch.name is not None:
        await _free_name(launch)
    process = launch.create()
    process.starting = starting = Starting(process, launch.monitor)
    if launch.name is not None:
        await _take_name(process, launch)
    caller = calling_process()
    if caller is not None:  # no cycle can close: what has not run waits for nobody
        caller.waits_for = process
    limit = None if launch.timeout == math.inf else launch.timeout
    try:
        starting.task = trio.lowlevel.current_task()
        if limit is not None:
            process.runtime.timers.limit(starting, limit)
        result: Process | None = await wait_task_rescheduled(starting.abort)
        return result
    except (trio.Cancelled, KeyboardInterrupt):
        if not _starter_dies():
            with trio.CancelScope(shield=True):
                starting.disown()  # it may have started at this very moment
                process.condemn(SHUTDOWN, orderly=True)
                await stop(process, SHUTDOWN, launch.shutdown, now=True)
        raise
    except StartError as exc:
        if isinstance(exc.reason, BaseException) and passes_through(exc.reason):
            await trio.lowlevel.checkpoint()  # Ctrl-C in init: whoever lives in its nursery ends
        raise
    finally:
        leave_wait(caller)
        if limit is not None:
            process.runtime.timers.retire(limit)


def _starter_dies() -> bool:
    """Tell whether a start is cancelled because its starter dies: then their link settles it.

    A supervisor that is shut down takes the start back as if its scope had been cancelled.
    """
    starter = calling_process()
    return (
        starter is not None
        and starter.doom is not UNSET
        and not (starter.orderly and starter.hosts)
    )


async def _free_name(launch: Launch) -> None:
    """Refuse a name that is taken; wait for the end of a holder that is about to die."""
    check_name(launch.name)
    with trio.move_on_after(math.inf if launch.timeout is None else launch.timeout) as scope:
        while (process := _holder(launch.name, launch.label)) is not None:
            orphaned = process.supervisor is not None and process.supervisor.dead
            if process.alive and not orphaned:
                await trio.lowlevel.checkpoint()
                raise AlreadyStarted(process.pid, launch.label)
            await _wait_for_end(process, launch)
    if scope.cancelled_caught:
        raise StartError(TIMEOUT, launch.label)
    _check_what_changed(launch)


async def _wait_for_end(process: Process, launch: Launch) -> None:
    """Wait for the holder of a name, unless it waits, over others perhaps, for this very start."""
    try:
        edge = enter_wait(process, launch.name, None)
    except CallError as exc:
        raise StartError(exc, launch.label) from exc
    try:
        await process.wait_dead()
    finally:
        leave_wait(edge)


def _check_what_changed(launch: Launch) -> None:
    """Look again at what may have ended during the wait: the guard of the home, the starter."""
    if launch.home.guarded:
        launch.home = home_of(launch.home.runtime, launch.home.nursery)
    needed = launch.link or launch.monitor is not None
    if needed and launch.starter is not None and launch.starter.dead:
        raise StartError(NOPROC, launch.label)


def _holder(name: object, label: str) -> Process | None:
    try:
        return holder(name)
    except Exception as exc:  # of a via registry
        raise StartError(exc, label) from exc


async def _take_name(process: Process, launch: Launch) -> None:
    """Give the process its name, or undo the start: a via registry may refuse, or not be there."""
    try:
        if take_name(process, launch.name):
            return
        rival = holder(launch.name)
        error = StartError(f"the registry refused {launch.name!r}", launch.label)
        if rival is not None:
            error = AlreadyStarted(rival.pid, launch.label)
    except Exception as exc:
        error = StartError(exc, launch.label)
    process.condemn(KILLED)  # it is still starting, so its end is no signal to its starter
    with trio.CancelScope(shield=True):
        await process.wait_dead()
    raise error


def _heritage_of(starter: Process) -> Heritage:
    """Give the ancestors and callers of what a process starts, shared by all it starts."""
    first = starter.name or starter.pid
    heritage = starter.heritage
    if heritage is None or heritage[0][0] is not first:  # it has taken another name
        ancestors, callers = (first, *starter.ancestors), (starter.pid, *starter.callers)
        heritage = starter.heritage = ancestors, callers
    return heritage


def connect(one: Process, other: Process) -> None:
    """Link two processes; once is enough."""
    one.peers[other] = None
    other.peers[one] = None


def expect_awaitable(function: Any, result: Any) -> Awaitable[Any]:
    """Give what an async function returned; refuse the result of any other, with its name."""
    if inspect.isawaitable(result):
        return result
    raise TypeError(
        f"{label_of(function)} returned {bounded(result)}; accepted is an async function"
    )


def where_to_live(nursery: trio.Nursery | None, what: str) -> Home:
    """Give the home of a new process: that of its starter, or the user's nursery."""
    if nursery is not None:
        if not isinstance(nursery, trio.Nursery):
            raise TypeError(f"nursery={bounded(nursery)}: accepted is a trio.Nursery")
        return home_of(runtime(), nursery)
    process = own_process()
    if process is None:
        raise NotAProcess(
            f"{what} in plain Trio code needs a nursery: {what}(..., nursery=nursery)"
        )
    return nest_of(process)


def nest_of(process: Process) -> Home:
    """Give the home of what a process starts: its own nursery if it hosts, else where it lives."""
    return process.home if process.children_home is None else process.children_home
