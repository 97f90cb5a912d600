"""Interrupting a cell: cancel it, and break into it if it keeps the loop busy."""

from __future__ import annotations

import ctypes
import sys
import time
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

    from .cell import Cell
    from .loop import Loop

PATIENCE = 0.2  # seconds the loop gets to answer
LOOK = 0.001  # seconds between two looks at what keeps it, for a place to break in
TELL_AFTER = 2.0  # seconds after which that is shown
OURS = ("trio", "trio_otp", "outcome")  # breaking in there could leave half of something done
SHELL = "IPython.core.interactiveshell"


def interrupt(loop: Loop, cell: Cell) -> None:
    """Cancel a cell. It may still have to clean up when this returns; an interrupt ends the wait.

    Args:
        loop: where it runs.
        cell: the one that is to end.
    """
    cell.interrupted = True
    loop.start(cell)  # the interrupt may have come before
    loop.soon(cell.cancel)
    if cell.heard.wait(PATIENCE) or cell.done:
        return
    tell_at = time.monotonic() + TELL_AFTER
    broken_into = told = False
    while not cell.heard.wait(LOOK) and not cell.done:
        broken_into = broken_into or _break_into(loop, cell)
        if not told and time.monotonic() > tell_at:
            _tell(loop)
            told = True


def _break_into(loop: Loop, cell: Cell) -> bool:
    """Raise KeyboardInterrupt in a cell that computes, if it is its own code that runs."""
    ident = loop.thread.ident
    assert ident is not None
    innermost = sys._current_frames().get(ident)
    if innermost is None or not cell.coro.cr_running or not _is_users(innermost):
        return False
    raised: int = ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(ident), ctypes.py_object(KeyboardInterrupt)
    )
    return raised == 1


def _is_users(innermost: FrameType) -> bool:
    """Check whether nothing but code of the user, and what it calls elsewhere, is being run."""
    frame: FrameType | None = innermost
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if module == SHELL:
            return frame is not innermost
        if module.partition(".")[0] in OURS:
            return False
        frame = frame.f_back
    return False  # pragma: no cover - the thread of the loop begins in ours


def _tell(loop: Loop) -> None:
    frame = sys._current_frames().get(loop.thread.ident or 0)
    if frame is not None:  # pragma: no branch - a thread that runs has a frame
        where = "".join(traceback.format_stack(frame)[-3:])
        sys.stderr.write(
            "The cell cannot be interrupted yet: this code keeps the loop busy. Interrupt again to "
            f"stop waiting for it.\n{where}"
        )
