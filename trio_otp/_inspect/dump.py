"""The table of processes and the stacks of all that runs, as text for a person.

A signal handler makes it, between any two bytecodes, also while something blocks the loop. So it
takes no lock, which the interrupted code may hold; it imports nothing, as that code may be in the
middle of the same import; and it runs no code of a user, as the repr of a message, which might do
both. What cannot be read in the middle of a change is left out, the rest is told.
Follows: the crash dump of Erlang, and `i/0` of its shell.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

import trio

from .._behaviour.messages import Cast, content_of
from .._gen_server.method_messages import Message
from .._process.loop_now import loop_now
from .._process.request import From
from .._process.runtime import current_process, running_task
from .._process.stack import frames_of, stack_of
from .._process.wait_edges import awaited
from .._util.bounded import shown_text
from .._util.unset import UNSET
from .introspect import status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

    from .._exits.log_text import Place
    from .._process.process import Process
    from .._process.runtime import Runtime

    Frames: TypeAlias = "list[tuple[FrameType, int]]"

ROWS: Final = 1000  # processes of the table, the busy ones first
LOOKED_AT: Final = 10_000  # processes, and tasks beside them, whose stacks are looked at
_TRAPS: Final = trio.lowlevel.wait_task_rescheduled.__code__.co_filename  # where all tasks wait
NAMED: Final = 5  # of those that have the same stack


def dump(tables: Runtime | None, frame: FrameType | None, why: str) -> str:
    """Describe what a run is doing.

    Args:
        tables: those of the run; None if there is none.
        frame: what the thread of the loop was doing when it was interrupted.
        why: what it is written for.
    """
    now = datetime.now().astimezone().isoformat(timespec="milliseconds")
    parts = [_part(partial(_now, tables, frame)), *map(_part, _of_run(tables)), _part(_threads)]
    head = f"{why}: what program {os.getpid()} is doing at {now}"
    body = (line for part in parts for line in part)
    return "\n".join([head, *body, f"{why}: end of the report"])


def _part(make: Callable[[], list[str]]) -> list[str]:
    """Return the lines of a part. Nothing may leave a signal handler: it would hit anybody."""
    try:
        return make()
    except Exception as exc:  # of what was being made or taken apart when the signal came
        return [f"a part that cannot be read now: {failure(exc)}"]


def failure(exc: Exception) -> str:
    """Return what failed and where, in one line; not its text, which may show a value of a user."""
    frame, line = list(traceback.walk_tb(exc.__traceback__))[-1]
    return f"{type(exc).__name__} at {frame.f_code.co_filename}:{line}"


def _of_run(tables: Runtime | None) -> Iterator[Callable[[], list[str]]]:
    if tables is not None:
        yield lambda: _table(list(tables.processes.values()))
        yield lambda: _stacks("stacks of processes", _of_processes(tables, running_task(tables)))
        yield lambda: _stacks("stacks of other tasks", _of_tasks(tables, running_task(tables)))


# -- what runs -----------------------------------------------------------------------------------


def _now(tables: Runtime | None, frame: FrameType | None) -> list[str]:
    """Describe what was interrupted."""
    now = None if tables is None else loop_now(tables, frame)
    if now is None:
        return ["the loop carries out no task"]
    who = f"task {shown_text(now.task)}" if now.process is None else _what(now.process)
    file, line, _ = now.place
    return [f"the loop is held by {who}, at {file}:{line}", *_lines(now.stack)]


# -- the table -----------------------------------------------------------------------------------


def _table(processes: list[Process]) -> list[str]:
    busy = [each for each in processes if _is_busy(each)]
    listed = list(islice(dict.fromkeys([*busy, *processes]), ROWS))
    left = len(processes) - len(listed)
    more = [f"  and {left} more"] if left else []
    head = f"  {'status':<10} {'queue':>7} {'handled':>9}  process"
    return [f"processes: {len(processes)}", head, *map(_row, listed), *more]


def _is_busy(process: Process) -> bool:
    return process.current is not UNSET or process.waits_for is not None or len(process.mailbox) > 0


def _row(process: Process) -> str:
    counts = f"{len(process.mailbox):>7} {process.messages_handled:>9}"
    return f"  {status_of(process):<10} {counts}  {_what(process)}"


def _what(process: Process) -> str:
    """Return who a process is, with the message in hand and whom it waits for."""
    text = repr(process.pid)
    if process.current is not UNSET:
        seconds = process.runtime.now() - process.since
        text += f", handling {_kind(process.current)} for {seconds:.1f} s"
    server = awaited(process)
    return text if server is None else f"{text}, waiting for {server.pid!r}"


def _kind(message: object) -> str:
    """Return what a message is, without what it carries."""
    way = "call " if isinstance(message, From) else "cast " if isinstance(message, Cast) else ""
    content = content_of(message)
    if isinstance(content, Message):
        return f"{way}{shown_text(content.method.name)}"
    return f"{way}<{shown_text(type(content).__name__)}>"


# -- stacks --------------------------------------------------------------------------------------


def _stacks(title: str, stacks: Iterable[tuple[str, Frames]]) -> list[str]:
    """List stacks, each with those that have the same one."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for who, frames in stacks:
        groups.setdefault(tuple(_lines(_places(frames))), []).append(who)
    lines = [line for stack, who in groups.items() for line in (names_text(who), *stack)]
    return [title, *lines] if lines else []


def names_text(who: list[str]) -> str:
    """List some of those, and say how many more there are."""
    left = len(who) - NAMED
    return ", ".join(who[:NAMED]) + (f" and {left} more" if left > 0 else "")


def _of_processes(
    tables: Runtime, running: trio.lowlevel.Task | None
) -> Iterator[tuple[str, Frames]]:
    for process in islice(tables.processes.values(), LOOKED_AT):
        if process.task is not None and process.task is not running:
            yield repr(process.pid), _read(partial(stack_of, process))


def _of_tasks(tables: Runtime, running: trio.lowlevel.Task | None) -> Iterator[tuple[str, Frames]]:
    """List the tasks that are not those of processes: of nurseries, of plain Trio code."""
    known = {process.task for process in tables.processes.values()}
    for task in islice(all_tasks(), LOOKED_AT):
        if task not in known and task is not running:
            process = task.context.get(current_process)
            of = "" if process is None else f" of {process.pid!r}"
            yield f"{shown_text(task.name)}{of}", _read(partial(frames_of, task, tables))


def _read(frames: Callable[[], Iterable[tuple[FrameType, int]]]) -> Frames:
    try:
        return list(frames())
    except Exception:  # of what has not begun, or has just ended
        return []


def all_tasks() -> Iterator[trio.lowlevel.Task]:
    """Return the tasks of the run."""
    root = trio.lowlevel.current_root_task()
    return iter(()) if root is None else tasks_below(root)


def tasks_below(root: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    """Return a task and those in its nurseries, in theirs, and so on."""
    todo = [root]
    while todo:
        task = todo.pop()
        yield task
        with suppress(AttributeError):  # of a nursery that is being made
            todo += [child for nursery in task.child_nurseries for child in nursery.child_tasks]


def _threads() -> list[str]:
    return _stacks("stacks of other threads", _of_threads())


def _of_threads() -> Iterator[tuple[str, Frames]]:
    names = _names_of_threads()
    for ident, frame in sys._current_frames().items():
        if ident != threading.get_ident():
            yield (
                shown_text(names.get(ident, str(ident))),
                list(traceback.walk_stack(frame))[::-1],
            )


def _names_of_threads() -> dict[int | None, str]:
    """Not by `threading.enumerate`: it waits for a lock, which what was interrupted may hold."""
    unlocked = getattr(threading, "_enumerate", tuple)  # of another Python: numbers have to do
    return {thread.ident: thread.name for thread in unlocked()}


def _places(frames: Frames) -> list[Place]:
    return [(frame.f_code.co_filename, line, frame.f_code.co_name) for frame, line in frames]


def _lines(places: Iterable[Place]) -> list[str]:
    return [f"  {file}:{line} in {name}" for file, line, name in places if file != _TRAPS]
