"""Which rows of the table a client sees: filtered, sorted, in its window. Pure: no Trio.

>>> from types import SimpleNamespace as Row
>>> wanted = parse_filter("q>10 status:waiting shop")
>>> [wanted(Row(queue=each, status="waiting", text="shop cache")) for each in (10, 11)]
[False, True]
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any, Final

from ..._util.bounded import bounded
from ..session.protocol import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST: Final = 1000  # rows of a window
_NUMBERS: Final = {
    "q": "queue",
    "queue": "queue",
    "age": "oldest",
    "oldest": "oldest",
    "handled": "rate",
    "rate": "rate",
    "restarts": "restarts",
    "busy": "seconds",
    "seconds": "seconds",
    "pid": "number",
}
_TEXTS: Final = {"status": "status", "behaviour": "behaviour", "name": "shown"}
_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
_COMPARED: Final = re.compile(r"(\w+)(>=|<=|>|<|=)(.*)", re.DOTALL)
_NAMED: Final = re.compile(r"(\w+):(.*)", re.DOTALL)
# What a column is sorted by: numbers, or text without regard to case.
SORTS: Final[dict[str, Callable[[Any], Any]]] = {
    "pid": lambda seen: seen.number,
    "name": lambda seen: seen.shown.lower(),
    "behaviour": lambda seen: seen.behaviour.lower(),
    "status": lambda seen: seen.status,
    "queue": lambda seen: (seen.queue, seen.oldest or 0.0),
    "oldest": lambda seen: seen.oldest or 0.0,
    "handled": lambda seen: seen.rate or 0.0,
    "restarts": lambda seen: seen.restarts,
    "doing": lambda seen: seen.seconds or 0.0,
}


def parse_filter(text: str) -> Callable[[Any], bool]:
    """Return a function that says whether a process is wanted.

    Args:
        text: conditions with spaces between them, all of which have to hold: `q>10`, `age>5`,
            `rate>=1`, `restarts>0`, `busy>1`, `pid=7`, `status:waiting`, `behaviour:Cache`,
            `name:shop`, or any text that is part of name, label or class.

    Raises:
        Refused: a condition cannot be read.
    """
    conditions = [_condition(word) for word in text.split()]
    return lambda seen: all(holds(seen) for holds in conditions)


def _condition(word: str) -> Callable[[Any], bool]:
    compared = _COMPARED.fullmatch(word)
    if compared is not None and compared[1].lower() in _NUMBERS:
        return _number(_NUMBERS[compared[1].lower()], compared[2], compared[3], word)
    named = _NAMED.fullmatch(word)
    if named is not None and named[1].lower() in _TEXTS:
        column, part = _TEXTS[named[1].lower()], named[2].lower()
        return lambda seen: part in getattr(seen, column).lower()
    part = word.lower()
    return lambda seen: part in seen.text


def _number(column: str, sign: str, given: str, word: str) -> Callable[[Any], bool]:
    try:
        limit = float(given)
    except ValueError:
        raise Refused(
            "BadFilter", f"{bounded(word)}: expected a number after {sign}, as in q>10"
        ) from None
    compare = _OPERATORS[sign]
    return lambda seen: compare(getattr(seen, column) or 0.0, limit)


def selected(table: Iterable[Any], wanted: str, sort: str, *, descending: bool) -> list[Any]:
    """Return the processes that a filter lets through, in order; equal ones stand by their pids.

    Raises:
        Refused: the filter cannot be read, or there is no such column.
    """
    key = SORTS.get(sort)
    if key is None:
        raise Refused("BadSort", f"sort={bounded(sort)}: expected {', '.join(SORTS)}")
    holds = parse_filter(wanted)
    found = [seen for seen in table if holds(seen)] if wanted.strip() else list(table)
    found.sort(key=key, reverse=descending)  # stable: the table is in the order of pids
    return found


def window(found: list[Any], first: int, count: int) -> tuple[int, list[Any]]:
    """Return where a window begins, which is inside of what there is, and what is in it."""
    count = min(max(count, 0), MOST)
    first = min(max(first, 0), max(len(found) - 1, 0))
    return first, found[first : first + count]


class Changes:
    """What of a window a client does not know yet.

    A client has the rows of the last answer, and no others: what leaves the window is forgotten.
    """

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {}

    def of(self, rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return the rows that are new or not as they were."""
        known, self._known = self._known, rows
        return {key: row for key, row in rows.items() if known.get(key) != row}
