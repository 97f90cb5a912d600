"""Logs as the demonstration shows them: an expected crash is one line, all else is shown whole.

A crash that the demonstration causes is no news, so a line has to do. Whatever else is logged as
a warning or worse comes as any program would show it, with its traceback and the state of the
process, and makes the demonstration fail.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from trio_otp.events import CrashReport, SupervisorReport

if TYPE_CHECKING:
    from collections.abc import Generator

    import trio_otp as otp

    from .screen import Screen

LOGGERS: Final = ("trio_otp", "examples.cache_service")
LONGEST: Final = 79  # columns of the line


class Folder(logging.Handler):
    """Shows log records, folding what is expected.

    Args:
        screen: where to.
    """

    def __init__(self, screen: Screen) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        self.unexpected: list[str] = []  # the first line of each
        self._screen = screen
        self._expected: list[tuple[object, otp.Pid | None]] = []
        self._folded: set[object] = set()  # pids

    def expect(self, reason: object, pid: otp.Pid | None = None) -> None:
        """Fold the reports of an end.

        Args:
            reason: the exit reason, or the class of the exception.
            pid: of which process; None for any.
        """
        self._expected.append((reason, pid))

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record."""
        report = getattr(record, "otp_report", None)
        if isinstance(report, CrashReport | SupervisorReport) and self._is_expected(report):
            self._fold(report)
        else:
            text = self.format(record)
            self.unexpected.append(text.partition("\n")[0])
            self._screen.line(text, "bad")

    def _is_expected(self, report: CrashReport | SupervisorReport) -> bool:
        if isinstance(report, SupervisorReport) and report.context != "child_terminated":
            return False
        return any(
            pid in (None, report.pid) and _fits(reason, report.reason)
            for reason, pid in self._expected
        )

    def _fold(self, report: CrashReport | SupervisorReport) -> None:
        """Show an end once, though the process and its supervisor both report it."""
        if report.pid not in self._folded:
            self._folded.add(report.pid)
            self._screen.line(_shortened(f"   expected: {report.pid!r}: {_said(report.reason)}"))


def _fits(wanted: object, reason: object) -> bool:
    return isinstance(reason, wanted) if isinstance(wanted, type) else reason is wanted


def _said(reason: object) -> str:
    return f"{type(reason).__name__}: {reason}" if isinstance(reason, Exception) else repr(reason)


def _shortened(text: str) -> str:
    first = text.partition("\n")[0]
    return first if len(first) <= LONGEST else first[: LONGEST - 3] + "..."


@contextmanager
def folded_logs(screen: Screen) -> Generator[Folder]:
    """Show the logs of the library and of the service on a screen."""
    folder = Folder(screen)
    loggers = [logging.getLogger(name) for name in LOGGERS]
    for logger in loggers:
        logger.addHandler(folder)
    try:
        yield folder
    finally:
        for logger in loggers:
            logger.removeHandler(folder)
