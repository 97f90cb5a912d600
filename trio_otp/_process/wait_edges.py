"""Who waits for whom: the edges of the deadlock check.

A process whose own task waits, in a call, a `stop`, a start or for the end of what it stops, has an
edge to each process it waits for. A call that would close a circle of edges is refused. A wait for
an end is not; it answers the call that came before it and made the circle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._exits.call_errors import CallingSelf, DeadlockError
from .runtime import calling_process
from .status import shown_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .process import Process


def enter_wait(server: Process, ref: object, message: object) -> Process | None:
    """Set the wait-for edge of the calling process, unless it would close a circle.

    Raises:
        CallingSelf: a process waits for itself.
        DeadlockError: the server waits, over others perhaps, for the caller.
    """
    caller = calling_process()
    if caller is not None:
        set_edge(caller, server, ref, message)
    return caller


def set_edge(caller: Process, server: Process, ref: object, message: object) -> None:
    """Do so for a process whose own task runs this; raises as `enter_wait`."""
    if server is caller:
        raise CallingSelf(ref, message, shown=shown_request(server))
    if server.waits_for is not None and (path := way([server], caller)) is not None:
        raise _deadlock(server, ref, message, (caller, *path))
    caller.waits_for = server


def _deadlock(
    server: Process, ref: object, message: object, cycle: Iterable[Process]
) -> DeadlockError:
    pids = [process.pid for process in cycle]
    return DeadlockError(ref, message, pids, shown=shown_request(server))


def way(starts: Iterable[Process], end: Process) -> list[Process] | None:
    """Return over whom one of some processes waits for another, first to last; None if none does.

    Waits for an end may have closed circles, so no process is looked at twice.
    """
    before: dict[Process, Process | None] = dict.fromkeys(starts)
    todo = list(before)
    while todo:
        process = todo.pop()
        for target in _targets(process, end):
            if target is end:
                path = [process]
                while (previous := before[path[-1]]) is not None:
                    path.append(previous)
                return path[::-1]
            if target not in before:
                before[target] = process
                todo.append(target)
    return None


def _targets(process: Process, end: Process) -> Iterable[Process]:
    waits_for = process.waits_for
    if waits_for is None:
        return ()
    if not isinstance(waits_for, dict):
        return (waits_for,)
    return (end,) if end in waits_for else waits_for


def await_ends(waiter: Process | None, dying: dict[Process, None]) -> None:
    """Set the wait-for edges of a process that has asked others to end, until `leave_wait`.

    Such a wait is not refused, since an end has to come. But it may close a circle with a call that
    came before, which then is answered by the error that it would have met. A process that is being
    cancelled is in no circle: its call ends with it.

    Args:
        waiter: whose own task waits; None if that of no process does.
        dying: whom it waits for.
    """
    if waiter is None:
        return
    waiter.waits_for = dying
    if not waiter.requests:
        return
    stuck = [process for process in dying if not process.is_interrupted]
    for request in list(waiter.requests):
        caller = request._caller
        if caller is None or (request is waiter.current and caller in dying):
            continue  # who asks for its own end meets it, by its limit at the latest, as in OTP
        path = [caller] if caller in stuck else way(stuck, caller)
        if path is not None:
            cycle = (waiter, *dict.fromkeys((*path, caller)))
            request._fail(_deadlock(waiter, request._ref, request.message, cycle))


def awaited(process: Process) -> Process | None:
    """Return whom a process waits for; of several that are to end, the first that lives."""
    waits_for = process.waits_for
    if isinstance(waits_for, dict):
        return next((each for each in list(waits_for) if not each.dead), None)
    return waits_for


def leave_wait(caller: Process | None) -> None:
    """Remove the wait-for edge of a process that waits no more."""
    if caller is not None:
        caller.waits_for = None
