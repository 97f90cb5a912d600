"""Where a process waits: the frames of its task, and of a thread that works for it."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, Any

from ..events import NoticeReport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    import trio

    from .process import Process
    from .request import From
    from .runtime import Runtime


def report_stack(process: Process, what: str) -> None:
    """Log a process, with the stack where it sits."""
    where = [
        f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"
        for frame, line in stack_of(process)
    ]
    text = f"{process.pid!r} {what}:\n  " + "\n  ".join(where)
    report = NoticeReport(process.pid, text, detail={"stack": where})
    process.runtime.events.emit("notice", report)


def frames_of(task: trio.lowlevel.Task, tables: Runtime) -> list[tuple[FrameType, int]]:
    """List the frames of a task, outermost first: of one that waits, or that stands in the loop.

    Trio can list those of waiting tasks alone. In the turn of a caller two tasks stand in the loop.
    """
    turn = tables.turn
    if turn is None or task not in (turn._server.task, turn._task):
        return list(task.iter_await_frames())
    frame = sys._current_frames().get(tables.thread)
    return list(running_frames(task, frame, turn))[::-1]


def running_frames(
    task: trio.lowlevel.Task, frame: FrameType | None, turn: From[Any] | None
) -> Iterator[tuple[FrameType, int]]:
    """List the frames of a task that stands in the loop, innermost first.

    Args:
        task: the task.
        frame: where the thread is.
        turn: the call that is handled in the turn of its caller, if one is.
    """
    above = None if turn is None or turn._server.task is task else turn._server.task
    begin = None if above is None else above.coro.cr_frame  # the frames of a caller come after it
    outermost = getattr(task.coro, "cr_frame", None)
    while frame is not None:
        if begin is None:
            yield frame, frame.f_lineno or frame.f_code.co_firstlineno
        elif frame is begin:
            begin = None
        frame = None if frame is outermost else frame.f_back


def stack_of(process: Process) -> list[tuple[FrameType, int]]:
    """List the frames of a waiting process, outermost first, and of a thread that works for it."""
    frames = [] if process.task is None else frames_of(process.task, process.runtime)
    thread = process.extras.thread
    return frames if thread is None else [*frames, *frames_of_thread(thread)]


def frames_of_thread(ident: int) -> list[tuple[FrameType, int]]:
    """List the frames of a thread, outermost first; nothing if it has ended."""
    innermost = sys._current_frames().get(ident)
    return list(traceback.walk_stack(innermost))[::-1] if innermost is not None else []
