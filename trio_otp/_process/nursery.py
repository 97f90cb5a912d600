"""An ordered nursery: a Trio nursery and the processes that live in it, oldest first.

Trio cancels the tasks of a nursery all at once and in random order. Processes shield themselves
from that, and the ordered nursery stops them one by one, newest first, each within its own limit.
Nothing is orphaned: it does not close before the last of its processes is dead.
"""

from __future__ import annotations

import contextvars
import math
import sys
import traceback
from functools import lru_cache
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.reasons import KILLED, SHUTDOWN, is_quiet
from ..events import NoticeReport
from .wait_edges import await_ends, leave_wait

if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from types import FrameType

    from .process import Process
    from .runtime import Runtime

LINK_LIMIT = 5.0  # seconds a `brutal_kill` child gets that dies of its killed supervisor
STUCK_AFTER = 1.0  # seconds after its kill at which a child that has not died is reported


class OrderedNursery:
    """The processes of one nursery."""

    __slots__ = ("_empty", "guarded", "processes", "runtime", "trio_nursery")

    def __init__(self, runtime: Runtime, trio_nursery: trio.Nursery) -> None:
        self.runtime = runtime
        self.trio_nursery = trio_nursery
        self.processes: dict[Process, None] = {}  # oldest first
        self.guarded = False  # a user's nursery: the guard leaves when it is empty
        self._empty: trio.Event | None = None  # of the guard, if there is one

    def add(self, process: Process) -> None:
        """Start the task of a process here, in a blank context: nothing surprising is inherited."""
        run = process.run_hosting if process.hosts else process.run
        name = task_name(process.label)
        start_soon: Callable[..., None] = self.trio_nursery.start_soon
        contextvars.Context().run(start_soon, run, name=name)
        self.processes[process] = None

    def remove(self, process: Process) -> None:
        """Forget a process that died."""
        self.processes.pop(process, None)
        if self._empty is not None and not self.processes:
            self._empty.set()

    @enable_ki_protection
    async def close(self) -> None:
        """Stop what is left, newest first. Shielded: it ends when everything here is dead."""
        with trio.CancelScope(shield=True):
            while self.processes:
                # A copy: looking for the last key again after each removal would be quadratic.
                for process in reversed(list(self.processes)):
                    if not process.dead:
                        part_from(process, self.processes)
                        await stop(
                            process, _leftover_reason(process), _limit(process), interrupt=True
                        )

    @enable_ki_protection
    async def close_after(self, leave: trio.Event) -> None:
        """Stop what lives here once a block is left, in a task of its own.

        A task of its own, because Ctrl-C may break into whatever the main task waits for, but for
        the end of a nursery.
        """
        with trio.CancelScope(shield=True):
            await leave.wait()
            await self.close()

    @enable_ki_protection
    async def guard(self) -> None:
        """Live in a user's nursery while processes do; stop them in order when it is cancelled."""
        try:
            while self.processes:
                self._empty = trio.Event()
                await self._empty.wait()
        finally:
            self.runtime.nurseries.pop(self.trio_nursery, None)
            await self.close()


def part_from(process: Process, leaving: Container[Process | None]) -> None:
    """Unlink a process that is about to be stopped from others whose turn comes after it.

    They would die of the link, without `terminate`. Those that trap exits are told as ever.

    Args:
        process: whom to stop now.
        leaving: all that are being stopped, one after another.
    """
    for peer in list(process._peers or ()):
        if peer in leaving and not peer.trap_exit and not peer.dead:
            process.peers.pop(peer, None)
            peer.peers.pop(process, None)


@lru_cache(maxsize=512)
def task_name(label: str) -> str:
    """Name the task of a process; those of one class share the text."""
    return f"<otp {label}>"


def _leftover_reason(process: Process) -> object:
    """Return the exit reason of what is left: a child of somebody killed dies of the link."""
    parent = process.parent
    if parent is None or not parent.dead or is_quiet(parent.exit_reason):
        return SHUTDOWN
    return parent.exit_reason


def _limit(process: Process) -> float | None:
    """Return the seconds it gets: `brutal_kill` is for its supervisor, a link lets it clean up."""
    if process.shutdown != 0.0 or _leftover_reason(process) is SHUTDOWN:
        return process.shutdown
    return None if process.hosts else LINK_LIMIT


@enable_ki_protection
def nursery_of(runtime: Runtime, nursery: trio.Nursery) -> OrderedNursery:
    """Return what orders a user's nursery, with a guard that stops its processes."""
    ordered = runtime.nurseries.get(nursery)
    if ordered is None:
        ordered = OrderedNursery(runtime, nursery)
        ordered.guarded = True
        start_soon: Callable[..., None] = nursery.start_soon
        contextvars.Context().run(start_soon, ordered.guard, name="<otp guard>")
        runtime.nurseries[nursery] = ordered
    return ordered


@enable_ki_protection
async def stop(
    process: Process,
    reason: object,
    limit: float | None,
    *,
    interrupt: bool = False,
    waiter: Process | None = None,
) -> None:
    """Ask a process to end, and kill it when its time is over.

    Args:
        process: whom to stop.
        reason: its exit reason, if it ends as asked.
        limit: seconds it gets; None waits for ever.
        interrupt: a supervisor breaks off what it is doing, as the start of a child.
        waiter: whose own task waits for that, if a process's does.
    """
    sender = process.supervisor or process.parent or process
    if limit == 0 and not process.trap_exit:
        process.exit_with(reason)  # there is no time for terminate
    else:
        process.request_shutdown(sender.pid, reason, interrupt=interrupt)
    await_ends(waiter, {process: None})
    try:
        if limit is None or limit > 0:
            with trio.move_on_after(math.inf if limit is None else limit):
                await process.wait_dead()
        if not process.dead:
            await kill(process)
    finally:
        leave_wait(waiter)


@enable_ki_protection
async def kill(process: Process, *, waiter: Process | None = None) -> None:
    """Kill a process and wait for its end; `waiter` is as of `stop`."""
    process.exit_with(KILLED)
    await_ends(waiter, {process: None})
    try:
        await process.wait_dead()
    finally:
        leave_wait(waiter)


def lives_in(process: Process, nursery: trio.Nursery | None) -> bool:
    """Check whether a process lives in a nursery, or in one inside of it."""
    around: trio.Nursery | None = process.nursery.trio_nursery
    while around is not None and around is not nursery:
        around = around.parent_task.parent_nursery
    return around is not None


class KillWatch:
    """A limit that a process meets by dying; one that does not is named."""

    __slots__ = ("_fifo", "_process")

    def __init__(self, process: Process) -> None:
        self._process = process
        self._fifo = process.runtime.timers.limit(self, STUCK_AFTER)
        process.watchers[self._met] = None

    def _met(self, _: Process) -> None:
        self._fifo.pop(self, None)

    def expire(self) -> None:
        """It will not die."""
        report_stuck(self._process)


def report_stuck(process: Process) -> None:
    """Name a child that will not die, with the stack where it sits."""
    report_stack(process, f"was killed {STUCK_AFTER:g} s ago and does not end; it sits in")


def report_stack(process: Process, what: str) -> None:
    """Tell of a process, with the stack where it sits."""
    where = [
        f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"
        for frame, line in stack_of(process)
    ]
    text = f"{process.pid!r} {what}:\n  " + "\n  ".join(where)
    report = NoticeReport(process.pid, text, detail={"stack": where})
    process.runtime.events.emit("notice", report)


def stack_of(process: Process) -> list[tuple[FrameType, int]]:
    """List the frames of a waiting process, outermost first, and of a thread that works for it."""
    frames = [] if process.task is None else list(process.task.iter_await_frames())
    return frames if process.thread is None else [*frames, *frames_of_thread(process.thread)]


def frames_of_thread(ident: int) -> list[tuple[FrameType, int]]:
    """List the frames of a thread, outermost first; nothing if it has ended."""
    innermost = sys._current_frames().get(ident)
    return list(traceback.walk_stack(innermost))[::-1] if innermost is not None else []
