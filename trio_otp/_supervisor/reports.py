"""What a supervisor tells of its children, and what it remembers of their ends."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import trio

from .._exits.reasons import KILLED, NORMAL, SHUTDOWN, Shutdown
from .._exits.remembered import remembered
from .._process.status import told_reason
from ..events import ProgressReport, SupervisorReport
from .data import Ending

if TYPE_CHECKING:
    from .._process.pid import Pid
    from .._process.process import Process
    from .data import Slot

# (time, child id, reason) of ends of children, oldest first
History: TypeAlias = "tuple[tuple[float, Any, object], ...]"
HISTORY: Final = 100  # ends of children that a supervisor remembers


class Reports:
    """The reports of one supervisor, and its memory."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.gave_up: bool = False
        self.crash: object = None  # why it gave up, until that is told
        # (time, child id, reason) of children that ended or did not start, newest last; what is
        # remembered of a crash has no traceback, else the state of each dead child would be kept
        self.history: deque[tuple[float, object, object]] = deque(maxlen=HISTORY)
        # For each of them: whether it is a child that is never restarted
        self.is_final: deque[bool] = deque(maxlen=HISTORY)

    def emit(
        self,
        context: Literal["start_error", "child_terminated", "shutdown_error", "shutdown"],
        slot: Slot,
        reason: object,
        pid: Pid | None = None,
        restart_in: float | None = None,
    ) -> None:
        """Emit a supervisor report, and remember the end of a child."""
        spec = slot.spec
        if context in ("start_error", "child_terminated"):
            crashed = isinstance(reason, BaseException)  # what is hidden of that stays so
            kept = remembered(reason if crashed else told_reason(pid, reason))
            self.history.append((trio.current_time(), spec.id, kept))
            self.is_final.append(spec.restart == "temporary")
        events = self._process.runtime.events
        if not events.is_heard("supervisor"):
            return
        report = SupervisorReport(
            self._process.pid,
            context,
            reason,
            spec.id,
            pid,
            spec.restart,
            spec.shutdown,
            tuple(self.history) if context == "shutdown" else (),
            slot.child,
            restart_in,
        )
        events.emit("supervisor", report)

    def emit_progress(self, slot: Slot) -> None:
        """Report that a child was started."""
        events = self._process.runtime.events
        if events.is_heard("progress"):
            report = ProgressReport(self._process.pid, slot.spec.id, slot.pid, slot.child)
            events.emit("progress", report)

    def emit_stop(self, slot: Slot, pid: Pid, reason: object) -> None:
        """Report a child that did not end as it was asked to."""
        asked = KILLED if slot.spec.shutdown == "brutal_kill" else SHUTDOWN
        quiet = reason is NORMAL or reason is SHUTDOWN or isinstance(reason, Shutdown)
        if reason is not asked and not (quiet and slot.spec.restart != "permanent"):
            self.emit("shutdown_error", slot, reason, pid)

    def give_up(self, slot: Slot, reason: object) -> Ending:
        """Report that the restarts are too many; the caller raises what this returns."""
        self.crash = reason
        latest = reversed(list(enumerate(self.history)))
        for index, (when, child_id, kept) in latest:  # pragma: no branch - it is found
            if child_id == slot.spec.id:  # the crash that is one too many is told as it was
                if isinstance(kept, BaseException):
                    self.history[index] = (when, child_id, reason)
                else:
                    reason = kept  # what is shown of it may be something else
                break
        self.emit("shutdown", slot, reason, slot.pid)
        self.gave_up = True
        return Ending(SHUTDOWN)

    def take_history(self) -> tuple[History, object]:
        """Return the last ends of children and why it gave up, to be told now; keep none of it."""
        history, crash = tuple(self.history), self.crash
        self.history.clear()
        self.is_final.clear()
        self.crash = None
        return history, crash
