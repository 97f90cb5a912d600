"""Where a process waits: the frames of its task, and of a thread that works for it."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

from ..events import NoticeReport

if TYPE_CHECKING:
    from types import FrameType

    from .process import Process


def report_stack(process: Process, what: str) -> None:
    """Log a process, with the stack where it sits."""
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
    thread = process.extras.thread
    return frames if thread is None else [*frames, *frames_of_thread(thread)]


def frames_of_thread(ident: int) -> list[tuple[FrameType, int]]:
    """List the frames of a thread, outermost first; nothing if it has ended."""
    innermost = sys._current_frames().get(ident)
    return list(traceback.walk_stack(innermost))[::-1] if innermost is not None else []
