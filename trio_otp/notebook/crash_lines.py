"""Crashes in a notebook: a line below the cell, and the whole report where `%otp_crashes` asks.

It is a handler of `logging`. While it is there Python does not print reports by itself; a handler
of yours gets them as ever, and if it shows them on the screen, the lines are left to it.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections import OrderedDict, deque
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .._exits.log_text import USERS, nearness, place_of_crash
from .._inspect.shown_stack import NAMERS, short_path
from .._util.bounded import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .shell import Shell

_FILE: Final = re.compile(r"<ipython-input-[^>]+>|[^\s\"]+\.py")  # as one of a cell may look
KEPT: Final = 100  # reports, as text
NONE: Final = "no crash yet"
_logger: Final = logging.getLogger("trio_otp")


class _Report(NamedTuple):
    line: str
    whole: str


class CrashLines(logging.Handler):
    """Shows what is logged in the cells of a shell, and keeps the reports.

    Args:
        shell: it knows what its cells are called.
    """

    def __init__(self, shell: Shell) -> None:
        super().__init__(logging.WARNING)
        self._shell = shell
        self._reports: OrderedDict[int, _Report] = OrderedDict()  # {number: of it}
        self._number = 0
        self._crashed: deque[str] = deque(maxlen=KEPT)  # pids, as text, whose supervisor is to tell

    def install(self) -> None:
        """Show what is logged from now on."""
        _logger.addHandler(self)
        NAMERS.append(self.name_of)

    def uninstall(self) -> None:
        """Show nothing any more."""
        _logger.removeHandler(self)
        if self.name_of in NAMERS:
            NAMERS.remove(self.name_of)

    def emit(self, record: logging.LogRecord) -> None:
        """Show one line of a report, if it is of something new."""
        if self._is_echo(record):
            return
        whole, message = self._with_cells(self.format(record)), record.getMessage()
        line = message.partition("\n")[0]
        if record.levelno >= logging.ERROR and whole != line:
            place = self._place(record)
            short = f"{line} ({place})" if place else line
            number = self._keep(_Report(short, self._own(record) + whole))
            shown = f"{line} ({place}{place and '; '}%otp_crashes {number})"
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

    def _keep(self, report: _Report) -> int:
        self._number += 1
        self._reports[self._number] = report
        if len(self._reports) > KEPT:
            self._reports.popitem(last=False)
        return self._number

    def _place(self, record: logging.LogRecord) -> str:
        """Return the line of the user's code that crashed, as IPython names it in a traceback."""
        where = place_of_crash(record.exc_info[1] if record.exc_info else None)
        if where is None:
            return ""
        file, line, _ = where
        return f"{self.name_of(file) or PurePath(file).name}, line {line}"

    def name_of(self, file: str) -> str | None:
        """Return what IPython calls the file of a cell; None if it is none."""
        known = self._shell.compile.format_code_name(file)
        return " ".join(known) if known else None

    def _with_cells(self, text: str) -> str:
        """Return a report with the names of cells in place of those of their files."""
        return _FILE.sub(lambda found: self.name_of(found[0]) or found[0], text)

    def _own(self, record: logging.LogRecord) -> str:
        """Return the frames of the user's code, the innermost first, to stand in front."""
        crash = record.exc_info[1] if record.exc_info else None
        lines = ["Your code, innermost first:\n"]
        for frame in reversed(traceback.extract_tb(crash.__traceback__ if crash else None)):
            place = frame.filename, frame.lineno or 0, frame.name
            if nearness(place) == USERS:
                lines.append(f"  {short_path(place[0])}:{place[1]} in {place[2]}\n")
                lines.append(f"    {visible(frame.line or '')}\n")
        return "".join([*lines, "\n"]) if len(lines) > 1 else ""

    def _others(self, record: logging.LogRecord) -> Iterator[logging.Handler]:
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            yield from (each for each in logger.handlers if each is not self)
            logger = logger.parent if logger.propagate else None

    def report(self, number: int) -> str:
        """Return the whole report that has a number.

        Raises:
            ValueError: there is no such report.
        """
        if number not in self._reports:
            if not self._reports:
                raise ValueError(f"%otp_crashes {number}: there is {NONE}")
            oldest = next(iter(self._reports))
            raise ValueError(
                f"%otp_crashes {number}: expected a number from {oldest} to {self._number}"
            )
        return self._reports[number].whole

    def overview(self) -> str:
        """Return a line for each report, and the last one whole; or that there is none."""
        if not self._reports:
            return NONE
        width = len(str(self._number))
        lines = [f"{number:>{width}}  {report.line}" for number, report in self._reports.items()]
        return "\n".join([*lines, "", self._reports[self._number].whole])


def _is_on_screen(handler: logging.Handler) -> bool:
    stream: Any = getattr(handler, "stream", None)
    return stream is not None and stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
