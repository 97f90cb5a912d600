"""Where the tasks of a run wait: each stack once, with all that have it.

A thread reads the frames while the loop goes on, so a stack may be torn; then the task is left out.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import trio

from ..._exits.log_text import nearness
from ..._process.doing import place_line
from ..._process.loop_now import loop_now
from ..._process.runtime import current_process
from ..._process.stack import frames_of, stack_of
from ..._util.bounded import shown_text
from .texts import name_of, who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..._exits.log_text import Place
    from ..._process.process import Process
    from ..._process.runtime import Runtime

    Line = dict[str, Any]

DEEPEST: Final = 60  # frames of a stack, the innermost
NAMED: Final = 5  # of those that have the same stack
MOST: Final = 100  # stacks
TEXT: Final = 300  # characters of a frame
_TRAPS: Final = trio.lowlevel.wait_task_rescheduled.__code__.co_filename  # where all tasks wait


def stack_lines(process: Process) -> list[Line]:
    """Return the frames of a process, outermost first, each with whether it is the user's code."""
    return [_line(place) for place in _places_of(process)]


def _line(place: Place) -> Line:
    return {"text": shown_text(place_line(place), TEXT), "own": nearness(place) == 2}


def _places_of(process: Process) -> tuple[Place, ...]:
    now = loop_now(process.runtime)
    if now is not None and now.is_own and now.process is process:
        return now.stack
    return _places(stack_of(process))


def _places(frames: list[tuple[Any, int]]) -> tuple[Place, ...]:
    found = [(frame.f_code.co_filename, line, frame.f_code.co_name) for frame, line in frames]
    return tuple(place for place in found if place[0] != _TRAPS)[-DEEPEST:]


class Groups:
    """Tasks by their stacks.

    Args:
        tables: those of the run.
        wanted: text that is part of the name of a process or task, or of a line of its stack.
    """

    def __init__(self, tables: Runtime, wanted: str = "") -> None:
        self._tables = tables
        self._wanted = wanted.lower()
        self._groups: dict[tuple[Place, ...], list[dict[str, Any]]] = {}
        self._counts: dict[tuple[Place, ...], int] = {}

    def collect(self) -> Iterator[None]:
        """Look at all tasks; pauses after each of them."""
        processes = list(self._tables.processes.values())
        for process in processes:
            with suppress(Exception):  # it has ended meanwhile
                one = {**who(process), "task": False}
                self._add(_places_of(process), one, name_of(process))
            yield
        known = {process.task for process in processes}
        for task in _tasks(processes):
            if task not in known:
                with suppress(Exception):
                    self._add_task(task)
                yield

    def _add_task(self, task: trio.lowlevel.Task) -> None:
        process = task.context.get(current_process)
        name = shown_text(task.name)
        owner = None if process is None or process.dead else process.pid._number
        frames = frames_of(task, self._tables)
        self._add(_places(frames), {"pid": owner, "name": name, "task": True}, name)

    def _add(self, places: tuple[Place, ...], one: dict[str, Any], name: str) -> None:
        lines = [name, *map(place_line, places)] if self._wanted else []
        if not places or (self._wanted and not any(self._wanted in x.lower() for x in lines)):
            return
        self._counts[places] = self._counts.get(places, 0) + 1
        named = self._groups.setdefault(places, [])
        if len(named) < NAMED:
            named.append(one)

    def shown(self) -> dict[str, Any]:
        """Return them, the largest first."""
        largest = sorted(self._counts, key=lambda places: -self._counts[places])
        groups = [
            {
                "count": self._counts[places],
                "who": self._groups[places],
                "stack": [_line(place) for place in places],
            }
            for places in largest[:MOST]
        ]
        return {"groups": groups, "more": max(len(largest) - MOST, 0)}


def _tasks(processes: list[Process]) -> list[trio.lowlevel.Task]:
    """List all tasks of the run: from any one up to the root, and down from there."""
    task = next((process.task for process in processes if process.task is not None), None)
    if task is None:
        return []
    while task.parent_nursery is not None:
        task = task.parent_nursery.parent_task
    found: list[trio.lowlevel.Task] = []
    todo = [task]
    while todo:
        task = todo.pop()
        found.append(task)
        with suppress(AttributeError, RuntimeError):  # of what begins or ends
            todo += [child for n in list(task.child_nurseries) for child in list(n.child_tasks)]
    return found
