"""Crashes in a notebook: a line below the cell, and the whole report where `%otp_report` asks.

It is a handler of `logging`. While it is there Python does not print reports by itself; a handler
of yours gets them as ever, and if it shows them on the screen, the lines are left to it.
"""

from __future__ import annotations

import logging
import sys
from collections import OrderedDict, deque
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from .._exits.log_text import place_of_crash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .shell import Shell

KEPT: Final = 100  # reports, as text
_logger: Final = logging.getLogger("trio_otp")


class CrashLines(logging.Handler):
    """Shows what is logged in the cells of a shell, and keeps the reports.

    Args:
        shell: it knows what its cells are called.
    """

    def __init__(self, shell: Shell) -> None:
        super().__init__(logging.WARNING)
        self._shell = shell
        self._reports: OrderedDict[int, str] = OrderedDict()  # {number: the whole text}
        self._number = 0
        self._crashed: deque[str] = deque(maxlen=KEPT)  # pids, as text, whose supervisor is to tell

    def install(self) -> None:
        """Show what is logged from now on."""
        _logger.addHandler(self)

    def uninstall(self) -> None:
        """Show nothing any more."""
        _logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Show one line of a report, if it is of something new."""
        if self._is_echo(record):
            return
        whole, message = self.format(record), record.getMessage()
        line = message.partition("\n")[0]
        if record.levelno >= logging.ERROR and whole != line:
            shown = f"{line} ({self._place(record)}%otp_report {self._keep(whole)})"
        else:
            shown = whole
        if not any(map(_is_on_screen, self._others(record))):
            sys.stdout.write(f"{shown}\n")

    def _is_echo(self, record: logging.LogRecord) -> bool:
        """Check whether it is what the supervisor says of a crash that has been shown."""
        kind, pid = getattr(record, "otp_kind", None), getattr(record, "otp_pid", None)
        if not isinstance(pid, str):
            return False
        if kind == "crash":
            self._crashed.append(pid)
        if kind != "supervisor.child_terminated" or pid not in self._crashed:
            return False
        self._crashed.remove(pid)
        return True

    def _keep(self, text: str) -> int:
        self._number += 1
        self._reports[self._number] = text
        if len(self._reports) > KEPT:
            self._reports.popitem(last=False)
        return self._number

    def _place(self, record: logging.LogRecord) -> str:
        """Return the line of the user's code that crashed, as IPython names it in a traceback."""
        where = place_of_crash(record.exc_info[1] if record.exc_info else None)
        if where is None:
            return ""
        file, line, _ = where
        known = self._shell.compile.format_code_name(file)
        return f"{' '.join(known) if known else PurePath(file).name}, line {line}; "

    def _others(self, record: logging.LogRecord) -> Iterator[logging.Handler]:
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            yield from (each for each in logger.handlers if each is not self)
            logger = logger.parent if logger.propagate else None

    def report(self, number: int | None = None) -> str:
        """Return a whole report: that of a number, or the last one.

        Raises:
            ValueError: there is no such report.
        """
        if not self._reports:
            raise ValueError("no report yet: nothing has crashed")
        wanted = self._number if number is None else number
        if wanted not in self._reports:
            oldest = next(iter(self._reports))
            raise ValueError(
                f"%otp_report {wanted}: expected a number from {oldest} to {self._number}"
            )
        return self._reports[wanted]


def _is_on_screen(handler: logging.Handler) -> bool:
    stream: Any = getattr(handler, "stream", None)
    return stream is not None and stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
