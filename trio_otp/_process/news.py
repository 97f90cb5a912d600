"""What a task waits for: the end of a process, the result of a task, or that its time is up.

It needs no event and no cancel scope: whatever it waits for wakes it, or the timer service does, as
the limit of a call. Whichever comes first wakes the task; what comes later finds nobody waiting.
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
    wait_task_rescheduled,
)

from .._util.unset import UNSET
from .mailbox import WOKEN

if TYPE_CHECKING:
    from .process import Process


class News:
    """Wakes the task that waits for it. As a watcher of a process it also keeps why that ended."""

    __slots__ = ("_task", "is_late", "reason")

    def __init__(self) -> None:
        self._task: Task | None = None
        self.is_late: bool = False  # the time is up
        self.reason: object = UNSET  # of the end of the process, of a crash the very exception

    def __call__(self, process: Process) -> None:
        """Wake the task that waits: the process is dead."""
        self.reason = process.exit_reason
        self.come()

    @enable_ki_protection
    def come(self) -> None:
        """Wake the task that waits, if one does."""
        task, self._task = self._task, None
        if task is not None:
            reschedule(task, WOKEN)

    def expire(self) -> None:
        """The time is up; what has come by now wins all the same."""
        self.is_late = True
        self.come()

    @enable_ki_protection
    async def wait(self) -> None:
        """Wait for what comes next."""
        self._task = current_task()
        await wait_task_rescheduled(self._abort)

    @enable_ki_protection
    def _abort(self, _raise_cancel: RaiseCancelT) -> Abort:
        """End the wait: the task was cancelled."""
        waits, self._task = self._task is not None, None
        return Abort.SUCCEEDED if waits else Abort.FAILED  # if it is being woken
