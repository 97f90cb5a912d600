"""What the loop of a run is doing now: which task's step it carries out, and at which line.

A *step* is what a task does from one of its waits to the next; while one lasts, nothing else runs.
All of this may be called from another thread, while the loop is stuck, and from a signal handler:
it takes no lock, waits for nothing, wakes no task and calls no code of a user. Trio keeps the task
of a step in a private attribute of the loop's thread, as no public function can be called from
another thread; the run's `Runtime` holds the dict of these attributes.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .._exits.log_text import Place, nearness
from .runtime import current_process

if TYPE_CHECKING:
    from types import FrameType

    import trio

    from .process import Process
    from .runtime import Runtime

DEEP: Final = 50  # innermost frames that are reported
TRIES: Final = 3  # to look at a step that is over before it was seen whole
Step = tuple[int, int]  # the number of a task, how many steps it has made


class LoopNow(NamedTuple):
    """One step, seen while it lasts.

    Args:
        step: which one; another look that finds the same one has found the loop held in between.
        task: the name of the task.
        process: the process that the task belongs to; None for plain Trio code.
        is_own: whether it is the task of that process, and not one that helps it.
        place: the innermost line of a user's code; of any code if there is none.
        stack: the innermost frames as places, the outermost first.
    """

    step: Step
    task: str
    process: Process | None
    is_own: bool
    place: Place
    stack: tuple[Place, ...]


def step_of(tables: Runtime) -> Step | None:
    """Return which step the loop carries out; None while it waits, or does what is Trio's own."""
    task = tables.loop.get("task")
    return None if task is None else _step(task)


def _step(task: Any) -> Step | None:
    """Identify a step without keeping anything of the task alive."""
    try:
        return task._counter, task._schedule_points
    except AttributeError:  # of another Trio
        return None


def loop_now(tables: Runtime, frame: FrameType | None = None) -> LoopNow | None:
    """Look at the step that the loop carries out.

    Args:
        tables: those of the run.
        frame: where its thread is, as a signal handler gets it; looked up if left out.

    Returns:
        None while the loop waits, or if it goes on faster than one can look.
    """
    for _ in range(TRIES):
        task: trio.lowlevel.Task | None = tables.loop.get("task")
        step = None if task is None else _step(task)
        if task is None or step is None:
            return None
        if (turn := tables.turn) is not None:  # it is the task of a caller, in whose turn this runs
            task = turn._server.task or task
        stack = _stack(task, sys._current_frames().get(tables.thread) if frame is None else frame)
        if stack and step_of(tables) == step and tables.turn is turn:  # else of another one
            process = task.context.get(current_process)
            own = process is not None and process.task is task
            place = max(reversed(stack), key=nearness)
            return LoopNow(step, task.name, process, own, place, stack)
    return None


def _stack(task: trio.lowlevel.Task, frame: FrameType | None) -> tuple[Place, ...]:
    """List the frames of a task that runs; none of the loop around it."""
    outermost = getattr(task.coro, "cr_frame", None)
    found: list[Place] = []
    while frame is not None and len(found) < DEEP:
        code = frame.f_code
        found.append((code.co_filename, frame.f_lineno or code.co_firstlineno, code.co_name))
        frame = None if frame is outermost else frame.f_back
    return tuple(found[::-1])
