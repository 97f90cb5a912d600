"""Where a command writes: how wide that is, and what becomes of text from outside."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any, Final

from ..._util.bounded import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

ROWS: Final = 1000  # that are shown where nobody has to scroll back
HEADING: Final = 5  # lines of a terminal that are not for rows


def width() -> int | None:
    """Return how many characters fit into a line: of a terminal, or as COLUMNS says; else None."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal():
        return shutil.get_terminal_size().columns
    return None


def height() -> int:
    """Return how many rows of a table are shown if nobody says how many."""
    if sys.stdout.isatty():
        return max(shutil.get_terminal_size().lines - HEADING, 10)
    return ROWS


def cut(line: str, size: int | None) -> str:
    """Shorten a line that is longer than it may be; None for any length.

    >>> cut("a long line", 8), cut("a long line", None)
    ('a long …', 'a long line')
    """
    line = visible(line)
    return line if size is None or len(line) <= size else f"{line[: size - 1]}…"


def plural(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun.

    >>> plural(1, "crash", "crashes"), plural(2, "node")
    ('1 crash', '2 nodes')
    """
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def write(lines: Iterable[str]) -> None:
    """Write lines to standard output; what no terminal should get is escaped."""
    sys.stdout.writelines(f"{visible(line)}\n" for line in lines)


def write_json(value: Any) -> None:
    """Write a value as one line of JSON; escaped, it is the same for every encoding."""
    sys.stdout.write(f"{json.dumps(value)}\n")


def complain(lines: Iterable[str]) -> None:
    """Write to standard error what is wrong."""
    for line in lines:
        sys.stderr.write(f"trio-otp: error: {visible(line)}\n")
