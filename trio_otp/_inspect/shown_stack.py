"""A stack for a person: short paths, and frames of Trio and of this library as one line."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from itertools import groupby
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from .._exits.log_text import LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PARTS: Final = 3  # of a path that is not near
NEAR: Final = 4  # parts of one that is
_FRAME: Final = re.compile(r"(.*):(\d+) in (\S+)", re.DOTALL)
# What knows better names for some files: the extension for notebooks, whose cells are files.
NAMERS: Final[list[Callable[[str], str | None]]] = []


def folded_stack(stack: Iterable[str]) -> list[str]:
    """Return the lines of a stack, `file:line in function`, as they are shown.

    Args:
        stack: as that of `ProcessInfo`.
    """
    lines: list[str] = []
    for is_ours, frames in groupby(stack, lambda frame: frame.startswith(LIBRARIES)):
        found = list(frames)
        lines += [_counted(len(found))] if is_ours else map(_short_frame, found)
    return lines


def _counted(frames: int) -> str:
    return f"… {frames} frame{'' if frames == 1 else 's'} of Trio and trio_otp"


def _short_frame(frame: str) -> str:
    found = _FRAME.fullmatch(frame)
    if found is None:
        return frame
    return f"{short_path(found[1])}:{found[2]} in {found[3]}"


def short_path(file: str) -> str:
    """Return a short name of a file: of a cell, from here, from home, or its last parts."""
    for name in NAMERS:
        if (known := name(file)) is not None:
            return known
    path = PurePath(file)
    for folder, sign in ((os.getcwd, ""), (lambda: os.path.expanduser("~"), "~")):  # noqa: PTH111 - text
        with suppress(OSError, ValueError):  # another folder; there is none
            path = PurePath(sign) / path.relative_to(folder())
            break
    return str(path) if len(path.parts) <= NEAR else str(PurePath("…", *path.parts[-PARTS:]))
