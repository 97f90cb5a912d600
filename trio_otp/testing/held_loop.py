"""The event loop of a test, watched: code that holds it for long causes a warning."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

from .._inspect.monitor import Monitor
from .._process.runtime import runtime
from .._util.public import public_in
from ..events.monitoring import LongSchedule

if TYPE_CHECKING:
    from ..events.monitoring import MonitorReport

LIMIT: Final = 1.0  # seconds of the real clock


@public_in("testing")
class LongScheduleWarning(UserWarning):
    """A process has held the event loop of a test for a second: it blocks all others.

    It is a warning at the line that holds the loop, and a failure if it is asked for as pytest has
    it: `-W error::trio_otp.testing.LongScheduleWarning`.
    """


class HeldLoop:
    """Looks for processes that hold the loop while a test runs.

    What the test itself computes, and plain Trio code beside it, may take its time.

    Args:
        test: what the test is called.
        own: the pid of the test.
    """

    def __init__(self, test: str, own: object) -> None:
        self._test = test
        self._own = own
        self._holds: list[LongSchedule] = []
        self._monitor = Monitor(runtime(), LIMIT, None, self.publish)

    def start(self) -> None:
        """Begin to look, in a thread."""
        self._monitor.start()

    def stop(self) -> None:
        """Look no more."""
        self._monitor.stop()

    def publish(self, report: MonitorReport) -> None:
        """Take note of what holds the loop, or of how long it was in the end."""
        if not isinstance(report, LongSchedule) or report.pid in (None, self._own):
            return
        if self._holds and not self._holds[-1].over:  # the same, for longer
            self._holds.pop()
        self._holds.append(report)

    def warn(self) -> None:
        """Warn of what has been found."""
        for report in self._holds:
            path, line = _file_and_line(report.place)
            text = f"in {self._test} {report.text.removesuffix(', and goes on')}"
            warnings.warn_explicit(text, LongScheduleWarning, path, line)


def _file_and_line(place: str) -> tuple[str, Any]:
    path, _, line = place.rpartition(" in ")[0].rpartition(":")
    return path, int(line)
