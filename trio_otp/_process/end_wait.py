"""A task that waits for the end of a process.

It needs no event and no cancel scope: the process wakes it, or its time-out does. Whichever comes
first takes the wait back from the other, so that a task is woken once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    Task,
    current_task,
    enable_ki_protection,
    reschedule,
)

from .._util.unset import UNSET
from .mailbox import WOKEN

if TYPE_CHECKING:
    from .process import Process
    from .timers import Fifo


class EndWait:
    """The wait of the running task for the end of a process, or for its time to be up."""

    __slots__ = ("_fifo", "_process", "_task", "reason")

    def __init__(self, process: Process, limit: float | None) -> None:
        self._process = process
        self._task: Task | None = current_task()
        self._fifo: Fifo | None = None
        self.reason: object = UNSET  # of the end
        if limit is not None:
            self._fifo = process.runtime.timers.limit(self, limit)
        process.add_watcher(self)

    def __call__(self, process: Process) -> None:
        """Wake the task: the process is dead."""
        self.reason = process.exit_reason
        self.expire()

    @enable_ki_protection
    def expire(self) -> None:
        """Wake the task: the process is dead, or the time is up."""
        task, self._task = self._task, None
        if task is not None:  # else another who heard of the end has cancelled it meanwhile
            self._leave()
            reschedule(task, WOKEN)

    @enable_ki_protection
    def abort(self, _raise_cancel: RaiseCancelT | None = None) -> Abort:
        """End the wait: the task was cancelled."""
        task, self._task = self._task, None
        if task is None:  # it is being woken
            return Abort.FAILED
        self._leave()
        return Abort.SUCCEEDED

    def _leave(self) -> None:
        self._process.remove_watcher(self)
        if self._fifo is not None:
            self._fifo.pop(self, None)
