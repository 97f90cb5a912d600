"""Checks of arguments that several behaviours have in common."""

from __future__ import annotations

import math
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from .bounded import bounded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MOST_KNOWN: Final = 100  # of either end of a table


def is_whole(value: object) -> TypeGuard[int]:
    """Check whether a value is a whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """Check whether a value is a number; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_whole(
    name: str, value: object, least: int, more: str = "", *, error: type[Exception] = ValueError
) -> None:
    """Refuse what is not a whole number from `least` up; `more` says what else is accepted."""
    if not is_whole(value) or value < least:
        accepted = f"a whole number >= {least}{more}"
        raise error(f"{name}={bounded(value)}: expected {accepted}")


def check_timeout(name: str, value: object, *, error: type[Exception] = ValueError) -> None:
    """Refuse a time-out that is not a number of seconds from 0 up, or None."""
    if value is None:
        return
    if not is_seconds(value):
        shown = bounded(value)
        raise error(f"{name}={shown}: expected a number of seconds >= 0, or None")


def is_seconds(value: object) -> bool:
    """Check whether a value is a time that the clock can count, or infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= sys.float_info.max or value == math.inf


def check_choice(
    name: str, value: object, accepted: Collection[Any], *, error: type[Exception] = ValueError
) -> None:
    """Refuse what is not one of the accepted words."""
    if value not in accepted:
        raise error(f"{name}={bounded(value)}: expected {alternatives(accepted)}")


def alternatives(words: Iterable[object]) -> str:
    """Return words as the end of a sentence that says what is expected.

    Args:
        words: one or more.

    >>> alternatives(["left", "right", None])
    "'left', 'right' or None"
    """
    *others, last = map(repr, words)
    return f"{', '.join(others)} or {last}" if others else last


def check_raises(raises: Any) -> tuple[type[Exception], ...]:
    """Return the exceptions that a call may answer with; refuse what cannot be one.

    Args:
        raises: as given to `on_call`: a tuple of classes, or one class.

    Raises:
        TypeError: it is something else, or has a class that no caller can be told.
    """
    kinds: tuple[Any, ...] = raises if raises.__class__ is tuple else (raises,)
    for kind in kinds:
        shown = f"raises={bounded(raises)}: "
        if not isinstance(kind, type):
            line = "write raises=(KeyError,)"
            raise TypeError(
                f"{shown}expected a tuple of exception classes, got {_kind(kind)}; {line}"
            )
        name = kind.__name__
        if not issubclass(kind, Exception):
            why = "is not one" if not issubclass(kind, BaseException) else "ends more than a call"
            raise TypeError(f"{shown}expected subclasses of Exception; {name} {why}")
        if issubclass(kind, StopIteration | StopAsyncIteration):
            why = "it cannot be raised in a coroutine, where it means the end of an iteration"
            cure = "return a value that means the end, or raise an error of your own"
            raise TypeError(f"{shown}{name} cannot be sent to a caller: {why}; {cure}")
    return kinds


def _kind(value: object) -> str:
    return f"the {type(value).__name__} {bounded(value)}"


def check_flag(name: str, value: object, *, error: type[Exception] = TypeError) -> None:
    """Refuse what is neither True nor False, and would silently be taken for one of them.

    Raises:
        TypeError: or `error`; the text has the name and the value.
    """
    if not isinstance(value, bool):
        raise error(f"{name}={bounded(value)}: expected True or False")


def check_label(label: object) -> None:
    """Refuse a label that is no text, which would only be noticed where it is shown.

    Raises:
        TypeError: the text has the value.
    """
    if label is not None and not isinstance(label, str):
        raise TypeError(f"label={bounded(label)}: expected a str")


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return the end of an error text that suggests the known word nearest to one that is none.

    Args:
        word: what was written.
        known: what is known.

    >>> did_you_mean("restrat", ["restart", "shutdown"]), did_you_mean("x", ["restart"])
    ("; did you mean 'restart'?", '')
    """
    near = nearest(str(word), known)
    return "" if near is None else f"; did you mean {near!r}?"


def ends_of(table: dict[Any, Any]) -> list[Any]:
    """List the keys of a table, of a long one the oldest and the newest alone.

    Among them is looked for one that may have been meant, also by who tries over and over.
    """
    if len(table) <= 2 * MOST_KNOWN:
        return list(table)
    return [*islice(table, MOST_KNOWN), *islice(reversed(table), MOST_KNOWN)]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word nearest to one that is none; None if no word is near."""
    import difflib  # noqa: PLC0415 - only an error needs it, and it takes a while

    close = difflib.get_close_matches(word, list(known), n=1)
    return close[0] if close else None
