"""Stop one process: ask it to end, and kill it when its time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trio.lowlevel import enable_ki_protection

from .._exits.reasons import KILLED, SHUTDOWN, is_quiet
from .stack import report_stack
from .wait_edges import await_ends, leave_wait

if TYPE_CHECKING:
    from collections.abc import Container

    from .process import Process

LINK_LIMIT = 5.0  # seconds a `brutal_kill` child gets that dies of its killed supervisor
STUCK_AFTER = 1.0  # seconds after its kill at which a child that has not died is reported


@enable_ki_protection
async def stop(
    process: Process,
    reason: object,
    limit: float | None,
    *,
    interrupt: bool = False,
    waiter: Process | None = None,
) -> object:
    """Ask a process to end, and kill it when its time is over; return the reason of its end.

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
            ended = await process.wait_dead(limit)
            if process.dead:
                return ended
        return await kill(process)
    finally:
        leave_wait(waiter)


@enable_ki_protection
async def kill(process: Process, *, waiter: Process | None = None) -> object:
    """Kill a process and wait for its end; `waiter` and what it returns are as of `stop`."""
    process.exit_with(KILLED)
    await_ends(waiter, {process: None})
    try:
        return await process.wait_dead()
    finally:
        leave_wait(waiter)


def part_from(process: Process, leaving: Container[Process | None]) -> None:
    """Unlink a process that is about to be stopped from others whose turn comes after it.

    They would die of the link, without `terminate`. Those that trap exits are told as ever.

    Args:
        process: whom to stop now.
        leaving: all that are being stopped, one after another.
    """
    for peer in list(process.links or ()):
        if peer in leaving and not peer.trap_exit and not peer.dead:
            process.remove_link(peer)


@enable_ki_protection
async def stop_leftover(process: Process) -> None:
    """Stop a process because the nursery closes in which it lives."""
    await stop(process, _leftover_reason(process), _limit(process), interrupt=True)


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


class KillWatch:
    """A limit that a process meets by dying; one that does not is named."""

    __slots__ = ("_fifo", "_process")

    def __init__(self, process: Process) -> None:
        self._process = process
        self._fifo = process.runtime.timers.limit(self, STUCK_AFTER)
        process.add_watcher(self._met)

    def _met(self, _: Process) -> None:
        self._fifo.pop(self, None)

    def expire(self) -> None:
        """It will not die."""
        report_stack(
            self._process, f"was killed {STUCK_AFTER:g} s ago and does not end; it sits in"
        )
