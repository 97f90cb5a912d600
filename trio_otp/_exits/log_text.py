"""The traceback of a record: rendered once, of bounded size, with nothing that looks like a record.

`logging` renders a traceback when the first handler formats the record, as long as it is, with
whatever characters the text of the exception has. Ours is rendered when the record is made: each
exception has at most so many characters and frames, the chain so many exceptions. Control
characters are shown escaped. A text of several lines keeps them, but each except the first is set
in by four spaces, so that no text from outside can begin a line of the log.
"""

from __future__ import annotations

import os
import sysconfig
import traceback
from itertools import islice
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Final, TypeAlias

import trio

from .._util.bounded import hidden_text, visible, visible_lines
from .bare import as_group, chain_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Place: TypeAlias = tuple[str, int, str]  # file, line, function

# Directories whose frames are not shown, each with its separator.
# The folders of this library, two up from here, and of Trio.
LIBRARIES: Final = tuple(
    f"{folder}{os.sep}" for folder in (Path(__file__).parents[1], Path(trio.__file__).parent)
)
# Where Python's own modules and installed packages live.
_INSTALLED: Final = tuple(
    f"{directory}{os.sep}"
    for directory in {*map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib"))}
)
USERS: Final = 2  # what `nearness` says of code of the user
TEXT: Final = 4000  # characters of the text of one exception
WHOLE: Final = 30_000  # characters of a traceback
FRAMES: Final = 40  # of one exception; the innermost ones are shown, and the first few
_FIRST: Final = 8
_CHAIN: Final = 8  # exceptions that are shown of a chain
_MEMBERS: Final = 8  # and of a group
_CAUSE: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"


def traceback_text(exc: BaseException) -> str:
    """Render an exception with its traceback and its chain, as Python does, but within bounds."""
    text = "".join(_chain(exc, set())).rstrip("\n")
    if len(text) <= WHOLE:
        return text
    left_out = f"\n  [... {len(text) - WHOLE} characters ...]\n  "
    return f"{text[: WHOLE // 3]}{left_out}{text[-WHOLE // 3 * 2 :]}"


def exception_text(exc: BaseException, limit: int = TEXT) -> str:
    """Render class and text of an exception, with its notes, in lines that are set in but one."""
    hidden = hidden_text(exc)
    if hidden is not None:
        return f"{_name(exc)}: {hidden}"
    try:
        lines = traceback.TracebackException(
            type(exc), exc, None, lookup_lines=False, max_group_width=0
        ).format_exception_only()
        text = "".join(islice(lines, 50)).rstrip("\n")
    except Exception:  # whatever the class of a user does
        text = f"{_name(exc)}: <its text cannot be shown>"
    if len(text) > limit:
        text = f"{text[:limit]}..."
    return set_in(text)


def set_in(text: str) -> str:
    """Escape a text from outside, but for its line breaks, after which it is set in."""
    return "\n    ".join(map(visible, text.split("\n")))


def hides(exc: BaseException | None) -> bool:
    """Check whether an exception, or one of its chain, has a text that is kept out of the log."""
    return exc is not None and any(hidden_text(each) is not None for each in chain_of(exc))


def place_of_crash(exc: object) -> Place | None:
    """Return the place of the innermost frame of a user's code; None without frames."""
    if not isinstance(exc, BaseException):
        return None
    frames = list(traceback.walk_tb(exc.__traceback__))
    found = None
    for frame, line in frames:
        code = frame.f_code
        place = code.co_filename, line, code.co_name
        rank = nearness(place)
        if found is None or rank >= found[0]:
            found = rank, place
    return None if found is None else found[1]


def place_of_code(target: object) -> Place | None:
    """Return file, line and name of a function, or of the first method of a class; None without."""
    found = [target, *vars(target).values()] if isinstance(target, type) else [target]
    for each in found:
        code = getattr(getattr(each, "__func__", each), "__code__", None)
        if isinstance(code, CodeType):
            return code.co_filename, code.co_firstlineno, code.co_name
    return None


def nearness(place: Place) -> int:
    """Rank how near to the user some code is: our own, installed, theirs (`USERS`)."""
    name = place[0]
    if name.startswith(LIBRARIES):
        return 0
    return 1 if name.startswith((*_INSTALLED, "<frozen ")) else USERS


def _name(exc: BaseException) -> str:
    kind = type(exc)
    plain = kind.__module__ in ("builtins", "__main__")
    return visible(kind.__qualname__ if plain else f"{kind.__module__}.{kind.__qualname__}")


def _before(exc: BaseException) -> tuple[BaseException | None, str]:
    """Return what an exception was raised from, or during; none of one that is kept out."""
    if hidden_text(exc) is not None:
        return None, ""
    if exc.__cause__ is not None:
        return exc.__cause__, _CAUSE
    return (None, "") if exc.__suppress_context__ else (exc.__context__, _CONTEXT)


def _chain(exc: BaseException, seen: set[int]) -> Iterator[str]:
    links: list[tuple[BaseException, str]] = []
    each: BaseException | None = exc
    word = ""
    while each is not None and id(each) not in seen and len(links) < _CHAIN:
        seen.add(id(each))
        links.append((each, word))
        each, word = _before(each)
    for link, joint in reversed(links):
        yield from _one(link, seen)
        yield joint


def _one(exc: BaseException, seen: set[int]) -> Iterator[str]:
    if exc.__traceback__ is not None:
        yield "Traceback (most recent call last):\n"
        yield from _frames(exc)
    yield exception_text(exc) + "\n"
    if (group := as_group(exc)) is not None:
        members = group.exceptions
        for number, member in enumerate(members[:_MEMBERS], 1):
            yield f"  +---------------- {number} ----------------\n"
            yield from _indented(_chain(member, seen))
        if len(members) > _MEMBERS:
            yield f"  +---------------- {len(members) - _MEMBERS} more exceptions\n"


def _frames(exc: BaseException) -> Iterator[str]:
    walked = list(traceback.walk_tb(exc.__traceback__))
    left = len(walked) - FRAMES
    parts = [walked] if left <= 0 else [walked[:_FIRST], walked[_FIRST - FRAMES :]]
    for number, part in enumerate(parts):
        if number:
            yield f"  [... {left} frames ...]\n"
        for line in traceback.StackSummary.extract(iter(part)).format():
            yield visible_lines(line)


def _indented(pieces: Iterable[str]) -> Iterator[str]:
    for line in "".join(pieces).splitlines():
        yield f"  | {line}\n"
