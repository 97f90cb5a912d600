"""Reports of messages that a full mailbox drops: an event for each, a log record once a second."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import trio

from .._util.copies import create
from ..events import NoticeReport
from .runtime import runtime
from .timers import Timer

if TYPE_CHECKING:
    from .pid import Pid

SECONDS: Final = 1.0  # between two notices about one mailbox


class Overload:
    """Counts and reports what one mailbox drops for want of room.

    Args:
        pid: whose mailbox it is.
        bound: its bound, for the text of the notice.
    """

    __slots__ = ("_bound", "_pid", "_timer", "_unlogged", "dropped")

    def __init__(self, pid: Pid[object], bound: object) -> None:
        self.dropped = 0
        self._pid = pid
        self._bound = bound
        self._unlogged = 0  # how many were dropped since the last notice
        self._timer: Timer | None = None  # until the next one

    def drop(self, message: object, why: str) -> None:
        """Count a message, emit its event, and log a notice if the last one is a second old."""
        self.dropped += 1
        self._unlogged += 1
        runtime().drop(self._pid, message, why)
        if self._timer is None:
            self.log_dropped()
            self._set_timer()

    def log_dropped(self) -> None:
        """Log how many were dropped since the last notice, if any were."""
        count, self._unlogged = self._unlogged, 0
        if count:
            what = "a message" if count == 1 else f"{count} messages"
            text = f"{self._pid!r} dropped {what}, as its mailbox is full: {self._bound!r}"
            detail: dict[str, object] = {"dropped": count, "dropped_in_all": self.dropped}
            report = NoticeReport(self._pid, text, logging.WARNING, detail)
            runtime().events.emit("notice", report)

    def _set_timer(self) -> None:
        process: Any = self._pid._process  # which lives: its end takes the timer back
        timer = self._timer = create(Timer, trio.current_time() + SECONDS, self._due)
        process.add_timer(timer)
        process.runtime.timers.add(timer)

    def _due(self, timer: Timer) -> None:
        process: Any = self._pid._process
        process.remove_timer(timer)
        self._timer = None
        if self._unlogged:
            self.log_dropped()
            self._set_timer()
