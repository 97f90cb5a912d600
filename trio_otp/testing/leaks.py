"""What a test has left behind: what nobody owns, has stopped, awaited or read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from .._exits.log_text import LIBRARIES
from .._exits.reasons import is_quiet
from .._process.crash_facts import place_of
from .._process.runtime import runtime
from .._process.signals import Down, Exit
from .._task.handle import Task
from .._timers.intervals import _Interval, _Run
from .._timers.send_after import Shot
from .._util.bounded import bounded, label_of
from .._util.copies import PortableError
from .._util.public import public_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .._process.process import Process
    from .._process.timers import Timer


@public_in("testing")
class Leaked(PortableError, AssertionError):
    """A test has left something behind; the text names each thing.

    Args:
        test: the test.
        things: what it has left, a line or more for each.
    """

    def __init__(self, test: str, things: Iterable[str]) -> None:
        lines = [f"  {thing}".replace("\n", "\n    ") for thing in things]
        super().__init__("\n".join([f"{test} has left behind:", *lines]))


# -- processes -----------------------------------------------------------------------------------


def leaked_processes(owners: list[Process]) -> list[Process]:
    """Return the processes near those of a test that belong to nobody, oldest first."""
    owned = _owned_by(owners)
    own = {process.children for process in owned} - {None}
    everybody = runtime().processes.values()
    return [each for each in everybody if each.nursery in own and each not in owned]


def _owned_by(owners: list[Process]) -> dict[Process, None]:
    """Return the owners, whom they supervise or are linked to, and so on."""
    children: dict[Process | None, list[Process]] = {}
    for process in runtime().processes.values():
        children.setdefault(process.supervisor or _asker(process), []).append(process)
    owned = dict.fromkeys(owners)
    todo = list(owners)
    while todo:
        process = todo.pop()
        for near in (*(process.links or ()), *children.get(process, ())):
            if near not in owned:
                owned[near] = None
                todo.append(near)
    return owned


def _asker(process: Process) -> Process | None:
    """Return the server for which a process of `reply_from_task` works, with which it ends."""
    helps = process.first_label.startswith("reply:") and process.callers
    return process.callers[0]._process if helps else None


def process_text(process: Process) -> str:
    """Describe a process that was left."""
    place = place_of(process.task)
    ours = place is None or place.startswith(LIBRARIES)  # no line of this library helps anybody
    where = "" if ours else f"\nit waits in {place}"
    return (
        f"process {process.pid!r}: stop it, link it to the test, or start it with "
        f"start_supervised{where}"
    )


# -- names, timers, tasks, messages --------------------------------------------------------------


def names_text(process: Process) -> Iterator[str]:
    """Describe the name of a test's own process that was left."""
    if process.name is not None:
        yield f"name {bounded(process.name)} of the test itself: otp.unregister it"


def timers_text(owner: Process) -> Iterator[str]:
    """Describe the timers that nobody will get anything of, or the test itself."""
    for _, _, timer in sorted(runtime().timers._heap, key=lambda entry: entry[:2]):
        who = timer.owner
        if timer.live and (who is None or who is owner or who.dead) and _what(timer) is not None:
            left = timer.deadline - trio.current_time()
            yield f"timer {_what(timer)}, due in {left:g} s: otp.cancel_timer it"


def _what(timer: Timer) -> str | None:
    """Describe what a timer does; None if it is one of the library's own."""
    what: Any = timer._fire
    match what:
        case Shot(dest=dest, what=sent):
            return f"to {bounded(dest)} with {bounded(sent)}"
        case _Run(fn=fn):
            return f"of {label_of(fn)}"
        case _Interval(act=_Run(fn=fn)):
            return f"of {label_of(fn)} every {what.period:g} s"
        case _Interval(act=act):
            return f"with {bounded(getattr(act, 'message', act))} every {what.period:g} s"
        case _:
            return None


def tasks_text(tasks: Iterable[Task[Any]], owners: Iterable[Process]) -> Iterator[str]:
    """Describe the tasks of a test whose result nobody has taken."""
    pids = {process.pid for process in owners}
    for task in tasks:
        if task._open and (task.owner is None or task.owner in pids):
            came = "it runs" if task._result is None else f"{bounded(task._result)} came of it"
            yield f"{task!r}: nobody has awaited it, and {came}"


def tasks_of(process: Process) -> Iterator[Task[Any]]:
    """Return the handle of the task that a process runs, if it runs one."""
    for watcher in process.watchers or ():
        task = getattr(watcher, "__self__", None)
        if isinstance(task, Task):
            yield task


def messages_text(messages: Iterable[Any], seen: Iterable[object]) -> Iterator[str]:
    """Describe the bad ends that nobody has read of."""
    for message in messages:
        is_end = isinstance(message, Down | Exit) and not is_quiet(message.reason)
        if is_end and not any(message.reason is reason for reason in seen):
            yield f"message that nobody has read: {bounded(message)}"
