"""The log of a program that has not configured `logging` itself: to standard error."""

from __future__ import annotations

import logging
import sys
import time
from typing import Final, Literal, TypeAlias, get_args

from .._exits.errors import SpecError
from .._log.add_metadata import add_metadata
from .._log.json_lines import JsonFormatter, import_json, json_line, utc
from .._util.checks import check_choice

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]
LogFormat: TypeAlias = Literal["text", "json"]
LEVELS: Final[tuple[str, ...]] = get_args(LogLevel)
FORMATS: Final[tuple[str, ...]] = get_args(LogFormat)
TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
log: Final = logging.getLogger("trio_otp.program")


def check_logs(level: object, form: object) -> None:
    """Refuse a level or a format that there is not; None stands for the default."""
    if level is not None:
        check_choice("log_level", level, LEVELS, error=SpecError)
    if form is not None:
        check_choice("log_format", form, FORMATS, error=SpecError)


def configure_logs(level: LogLevel | None, form: LogFormat | None) -> None:
    """Send the log to standard error, unless the program has configured it.

    Args:
        level: what is logged at least; None for `info`.
        form: how; None for `text`.
    """
    if form == "json":
        import_json()  # now, as handlers of signals will write lines too
    root = logging.getLogger()
    if root.handlers:
        given = [name for name, value in (("log_level", level), ("log_format", form)) if value]
        if given:
            what = " and ".join(given)
            log.warning("%s: not used, since the program has configured its log itself", what)
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else logging.Formatter(TEXT))
    handler.addFilter(add_metadata)
    root.addHandler(handler)
    root.setLevel((level or "info").upper())


def as_line(text: str, level: str) -> str:
    """Return a text that is written past `logging` as the JSON of a record would be."""
    return json_line(
        {"time": utc(time.time()), "level": level, "logger": log.name, "message": text}
    )
