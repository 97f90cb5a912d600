"""Write to standard error where nothing may go wrong by that: in a signal handler, at the end."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from typing import Final, TextIO

PATIENCE: Final = 1.0  # seconds to wait for room in a pipe or terminal that does not block


def write_now(text: str) -> None:
    """Write a text past all buffers, whose code may be what a signal has interrupted."""
    try:
        file = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # none, closed, or no file of the system
        _write_object(text)
        return
    left = memoryview(text.encode("utf-8", "backslashreplace"))
    with suppress(OSError):  # nobody reads it any more
        while left:
            left = left[_write_some(file, left) :]


def _write_some(file: int, data: memoryview) -> int:
    try:
        return os.write(file, data)
    except BlockingIOError:
        if not select.select([], [file], [], PATIENCE)[1]:
            raise
        return 0


def _write_object(text: str) -> None:
    with suppress(AttributeError, OSError, ValueError, RuntimeError):
        sys.stderr.write(text)


def write_last(text: str) -> None:
    """Write a text behind what the buffers hold, if anybody is to read it."""
    with suppress(AttributeError, OSError):  # it was closed at the start; the terminal is gone
        sys.stderr.write(text)


def flush_errors() -> None:
    """Write what is left for stderr, or drop it: Python ends with status 120 if it cannot."""
    stream: TextIO | None = sys.stderr
    if stream is None:  # it was closed when Python started
        return
    try:
        stream.flush()
    except OSError:  # the terminal is gone, or a disk is full
        with suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no path of a file
            os.dup2(nowhere.fileno(), stream.fileno())
