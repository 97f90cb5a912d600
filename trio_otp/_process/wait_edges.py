"""Who waits for whom: the edges of the deadlock check.

A process whose own task waits, in a call, a `stop`, a start or for the end of what it stops, has an
edge to each process it waits for. A call that would close a circle of edges is refused. A wait for
an end is not; it answers the call that came before it and made the circle.

Who waits for a worker of a pool waits for any of those that may give one back: nothing is wrong as
long as one of them can go on. So where such a wait is part of a circle, it is asked whether all can
wait for ever, see `is_stuck`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeAlias

from .._exits.call_errors import CallingSelf, DeadlockError
from .runtime import calling_process
from .status import shown_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .process import Process

Waiter: TypeAlias = Any  # a process, or a plain task that holds or wants a worker of a pool


class AnyOf(ABC):
    """A wait that any one of several can end."""

    __slots__ = ()

    @property
    @abstractmethod
    def process(self) -> Process:
        """Whom it is shown to wait for."""

    @abstractmethod
    def givers(self) -> Sequence[Waiter]:
        """Return who can end it; nobody if it ends by itself, whatever they do."""


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
    todo, first = list(before), dict(before)
    while todo:
        process = todo.pop()
        for target in _targets(process, end):
            if target is end:
                path = [process]
                while (previous := before[path[-1]]) is not None:
                    path.append(previous)
                choice = any(isinstance(each.waits_for, AnyOf) for each in before)
                return None if choice and not is_stuck(end, first) else path[::-1]
            if target not in before:
                before[target] = process
                todo.append(target)
    return None


def _targets(process: Process, end: Process) -> Iterable[Process]:
    waits_for = process.waits_for
    if waits_for is None:
        return ()
    if isinstance(waits_for, dict):
        return (end,) if end in waits_for else waits_for
    return waits_for.givers() if isinstance(waits_for, AnyOf) else (waits_for,)


def is_stuck(waiter: Waiter, wait: object) -> bool:
    """Check whether a wait that is about to begin could never end.

    At first all that it leads to count as stuck. Then those are taken out that can go on, and those
    that are in a circle of their own: such a one was closed by the wait for an end, which comes.

    Args:
        waiter: who is about to wait.
        wait: for whom: a process, several of whom each has to end, or `AnyOf` several.
    """
    any_will_do, targets = waits_for = _as_pair(wait)
    if any_will_do and any(_goes_on(target, waiter) for target in targets):
        return False  # as nearly always; to look at all holders of a large pool takes long
    waits = {waiter: waits_for}
    todo = [waiter]
    while todo:
        for target in waits[todo.pop()][1]:
            if target not in waits:
                waits[target] = _as_pair(target.waits_for)
                todo.append(target)
    stuck, before = set(waits), 0
    while waiter in stuck and len(stuck) != before:
        before = len(stuck)
        stuck = {each for each in stuck if _is_held(waits[each], stuck)}
        stuck = _leading_to(waiter, {each: waits[each][1] for each in stuck})
    return waiter in stuck


def _goes_on(node: Waiter, waiter: Waiter) -> bool:
    """Check whether one waits for nobody, or for a single other one who goes on."""
    seen = {waiter}
    while node not in seen:
        wait = node.waits_for
        if wait is None:
            return True
        if wait.__class__ is dict or isinstance(wait, AnyOf):
            return False
        seen.add(node)
        node = wait
    return False


def _as_pair(wait: Any) -> tuple[bool, Sequence[Waiter]]:
    """Return whether any of those will do who are waited for, and who they are."""
    if isinstance(wait, AnyOf):
        return True, wait.givers()
    if wait.__class__ is dict:
        return False, list(wait)
    return False, () if wait is None else (wait,)


def _is_held(wait: tuple[bool, Sequence[Waiter]], stuck: set[Waiter]) -> bool:
    any_will_do, targets = wait
    held = [target in stuck for target in targets]
    return bool(held) and all(held) if any_will_do else any(held)


def _leading_to(end: Waiter, targets: dict[Waiter, Sequence[Waiter]]) -> set[Waiter]:
    """Return those from whom a way leads to one of them; nobody if that is not one of them."""
    found: set[Waiter] = set()
    more = {end} & targets.keys()
    while more:
        found |= more
        more = {each for each in targets if each not in found and found & set(targets[each])}
    return found


def refuse_choice(waiter: Waiter, wait: AnyOf, ref: object) -> DeadlockError | None:
    """Return the error of a wait for any of several that could never end; None if it can."""
    if not is_stuck(waiter, wait):
        return None
    path: list[Process] = way(wait.givers(), waiter) or []
    return _deadlock(
        wait.process, ref, None, [waiter, *(each for each in path if each is not waiter)]
    )


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
    return waits_for.process if isinstance(waits_for, AnyOf) else waits_for


def set_wait(
    caller: Process | None, awaited: Process | dict[Process, None] | None
) -> Process | None:
    """Set the wait-for edge of a process, in its own task; return it for `leave_wait`.

    No cycle is looked for: what is started or stopped waits for nobody that waits for it.
    """
    if caller is not None:
        caller.waits_for = awaited
    return caller


def leave_wait(caller: Process | None) -> None:
    """Remove the wait-for edge of a process that waits no more."""
    if caller is not None:
        caller.waits_for = None
