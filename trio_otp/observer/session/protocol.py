"""The protocol between a program and its clients: lines of JSON. Pure: text goes in and out.

Over a Unix socket a message is a line, over the web a text frame of a WebSocket, where the first
one of the client is `{"token": "..."}`. Then the program says who it is:

    {"hello": {"version": 1, "program": "shop.app:Shop", "pid": 4711, "run": "5b0e", ...}}

A client asks, once or again and again. What has an `every` (seconds) is answered until it is
stopped, or replaced by another request with the same id:

    {"id": 1, "ask": "rows", "sort": "queue", "filter": "q>10", "every": 1.0}
    {"id": 1, "ask": "stop"}

Each is answered by a result or an error. With it comes what holds the loop, if it is stuck:

    {"id": 1, "result": {...}, "loop": null}
    {"id": 1, "result": {...}, "loop": {"stuck": 2.3, "where": "shop/app.py:31 in hold", ...}}
    {"id": 1, "error": {"kind": "NoProcess", "text": "..."}, "loop": null}

A line that cannot be read is answered with the id null, and the next one is read. All values are
text that has a limit, numbers, or null; what a program has given is to be shown as text.
`tests/data/observer` has a file of each kind of message; page and commands are tested with them.

| ask | arguments | result |
|---|---|---|
| `overview` | | `counts`, `points` (those new to this client), `top` (lists of rows) |
| `rows` | `sort`, `descending`, `filter`, `first`, `count` | see `asks.rows` |
| `tree` | `root`, `open` (keys), `everything`, `limit` | `nodes` (lines that are seen), `more` |
| `info` | `ref` | `info`: the fields of `ProcessInfo` and more |
| `problems` | | `problems` |
| `stacks` | `filter` | `groups` of processes with one stack |
| `crashes` | `since` | `crashes` after that number, `groups`, `last` |
| `loop` | | nothing but `loop` |
| `url` | | `url`, `address`; over the socket only |
| `act` | `action`, `ref`, `confirm` | what was done; if the program allows it |
| `eval` | `source`, `interrupt` | `output`, `running`, `failed`, `over`; over the socket only |
| `replace_state` | `ref`, `source`, `confirm` | over the socket only |
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, cast

from ..._util.bounded import bounded, shown_text

VERSION: Final = 1
LONGEST: Final = 65_536  # characters of a line of a client
MIN_EVERY: Final = 0.25  # seconds; who wants more often gets this
MAX_EVERY: Final = 60.0
LOCAL: Final = frozenset({"url", "eval", "replace_state"})  # asked over the Unix socket only
NUMBER: Final = (int, float)

# What each question takes: {argument: (types, default)}; `...` where there is none.
ARGUMENTS: Final[dict[str, dict[str, tuple[tuple[type, ...], Any]]]] = {
    "overview": {},
    "rows": {
        "sort": ((str,), "queue"),
        "descending": ((bool,), True),
        "filter": ((str,), ""),
        "first": ((int,), 0),
        "count": ((int,), 50),
    },
    "tree": {
        "root": ((str, int, type(None)), None),
        "open": ((list,), ()),
        "everything": ((bool,), False),
        "limit": ((int,), 500),
    },
    "info": {"ref": ((str, int), ...)},
    "problems": {},
    "stacks": {"filter": ((str,), "")},
    "crashes": {"since": ((int,), 0)},
    "url": {},
    "loop": {},
    "act": {
        "action": ((str,), ...),
        "ref": ((str, int), ...),
        "confirm": ((str,), ""),
    },
    "eval": {"source": ((str,), ...), "interrupt": ((bool,), False)},
    "replace_state": {"ref": ((str, int), ...), "source": ((str,), ...), "confirm": ((str,), "")},
    "stop": {},
}


class Refused(Exception):
    """A question that gets an error for an answer.

    Args:
        kind: the name of the error, for programs.
        text: what is wrong, for people.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


class BadLine(Refused):
    """A line that is no request.

    Args:
        kind, text: as of `Refused`.
        request_id: its id, if that could be read.
    """

    def __init__(self, text: str, request_id: Any = None) -> None:
        super().__init__("BadRequest", text)
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks.

    Args:
        id: its own name for it.
        ask: the question, one of `ARGUMENTS`.
        arguments: all that the question takes, by name.
        every: seconds between two answers; None for one answer.
    """

    id: int | str
    ask: str
    arguments: dict[str, Any]
    every: float | None = None


def parse(line: str | bytes) -> Request:
    """Read a request.

    Raises:
        BadLine: it is none; the text says why.
    """
    if len(line) > LONGEST:
        raise BadLine(f"a line of {len(line)} characters: expected at most {LONGEST}")
    try:
        read: Any = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise BadLine(f"no JSON: {shown_text(str(exc))}") from None
    if not isinstance(read, dict):
        raise BadLine(f"{bounded(read)}: expected an object with id and ask")
    given = cast("dict[str, Any]", read)
    number: Any = given.pop("id", None)
    if isinstance(number, bool) or not isinstance(number, int | str):
        raise BadLine(f"id={bounded(number)}: expected a number or a text")
    ask: Any = given.pop("ask", None)
    if not isinstance(ask, str) or ask not in ARGUMENTS:
        raise BadLine(f"ask={bounded(ask)}: expected {', '.join(ARGUMENTS)}", number)
    every = _seconds(given.pop("every", None), number)
    return Request(number, ask, _arguments(ask, given, number), every)


def _seconds(every: Any, number: int | str) -> float | None:
    if every is None:
        return None
    if isinstance(every, bool) or not isinstance(every, NUMBER) or not every >= 0:
        raise BadLine(f"every={bounded(every)}: expected a number of seconds", number)
    return min(max(float(every), MIN_EVERY), MAX_EVERY)


def _arguments(ask: str, given: dict[str, Any], number: int | str) -> dict[str, Any]:
    known = ARGUMENTS[ask]
    unknown = [name for name in given if name not in known]
    if unknown:
        accepted = f"expected {', '.join(known)}" if known else "it takes none"
        raise BadLine(f"{ask} has no argument {bounded(unknown[0])}: {accepted}", number)
    found: dict[str, Any] = {}
    for name, (types, default) in known.items():
        value = given.get(name, default)
        if value is ...:
            raise BadLine(f"{ask} needs {name}", number)
        wrong = isinstance(value, bool) and bool not in types
        if value is not default and (wrong or not isinstance(value, types)):
            accepted = " or ".join(kind.__name__ for kind in types)
            raise BadLine(f"{name}={bounded(value)}: expected {accepted}", number)
        found[name] = value
    return found


def result_line(number: object, result: object, loop: object) -> str:
    """Return the answer to a request."""
    return _line({"id": number, "result": result, "loop": loop})


def error_line(number: object, error: Refused, loop: object = None) -> str:
    """Return the answer to a request that is refused."""
    told = {"kind": error.kind, "text": shown_text(error.text, 2000)}
    return _line({"id": number, "error": told, "loop": loop})


def hello_line(facts: dict[str, Any]) -> str:
    """Return what a program says of itself first."""
    return _line({"hello": {"version": VERSION, **facts}})


def _line(message: dict[str, Any]) -> str:
    return json.dumps(message, separators=(",", ":"), allow_nan=False)
