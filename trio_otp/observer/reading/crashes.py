"""The last crashes of a run, kept as text of bounded length: nothing of what has died is kept."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from ..._exits.log_text import exception_text, place_of_crash, traceback_text
from ..._process.doing import place_line
from ..._process.status import told_reason
from ..._util.bounded import bounded, shown_text, visible_lines

if TYPE_CHECKING:
    from ...events import CrashReport

KEPT: Final = 200
TRACEBACK: Final = 6000  # characters
TEXT: Final = 2000


@dataclass(frozen=True, slots=True)
class Crash:
    """One crash.

    Args:
        number: in the order of crashes, from 1 on.
        at: seconds since the epoch.
        pid: the number of its pid.
        name: its name, else its label.
        initial_call: its class or function.
        kind: the class of the exception, or the reason itself.
        where: the innermost line of the user's code.
        text: class and text of the exception.
        traceback: the whole of it.
        last_message: the message in hand.
        state: the state of the process.
        client: who waits for the answer, and where.
        handled: how many messages it had handled.
        queue: how many messages waited.
        ancestors: who started it.
        neighbours: who ends with it.
    """

    number: int
    at: float
    pid: int | None
    name: str
    initial_call: str
    kind: str
    where: str | None
    text: str
    traceback: str | None
    last_message: str | None
    state: str | None
    client: str | None
    client_place: str | None
    handled: int
    queue: int
    ancestors: tuple[str, ...]
    neighbours: tuple[str, ...]


class Crashes:
    """The last crashes; written in the loop of the program, read by the observer's thread."""

    def __init__(self) -> None:
        self._last: deque[Crash] = deque(maxlen=KEPT)
        self.count: int = 0

    def add(self, report: CrashReport) -> None:
        """Keep what a report says; a listener of the event `crash`."""
        self.count += 1
        self._last.append(_crash(self.count, report))

    def since(self, number: int) -> list[Crash]:
        """Return those after a number, oldest first."""
        return [crash for crash in list(self._last) if crash.number > number]

    def groups(self) -> list[dict[str, Any]]:
        """Return them by exception and line: how many, when first and last, which processes."""
        found: dict[tuple[str, str | None], dict[str, Any]] = {}
        for crash in list(self._last):
            key = (crash.kind, crash.where)
            group = found.setdefault(
                key,
                {"kind": crash.kind, "where": crash.where, "count": 0, "first": crash.at},
            )
            group["count"] += 1
            group |= {"last": crash.at, "text": crash.text, "number": crash.number}
            group.setdefault("names", {})[crash.name] = None
        return [
            {**group, "names": list(group["names"])[:5]}
            for group in sorted(found.values(), key=lambda group: -group["last"])
        ]


def as_dict(crash: Crash) -> dict[str, Any]:
    """Return a crash as a client gets it."""
    return asdict(crash)


def _crash(number: int, report: CrashReport) -> Crash:
    reason: Any = report.reason
    if not isinstance(reason, BaseException):
        reason = told_reason(report.pid, reason)  # what its process keeps out of reports
    raised = isinstance(reason, BaseException)
    place = report.place or place_of_crash(reason)
    name = shown_text(report.label) if report.name is None else bounded(report.name)
    trace = report.traceback or (traceback_text(reason) if raised else None)
    return Crash(
        number=number,
        at=time.time(),
        pid=None if report.pid is None else report.pid._number,
        name=name,
        initial_call=shown_text(report.initial_call),
        kind=shown_text(type(reason).__qualname__) if raised else bounded(reason, 100),
        where=None if place is None else shown_text(place_line(place), 300),
        text=visible_lines(exception_text(reason)[:TEXT]) if raised else bounded(reason, TEXT),
        traceback=None if trace is None else _cut(visible_lines(trace)),
        last_message=_bound(report.last_message),
        state=_bound(report.state),
        client=_bound(report.client),
        client_place=_bound(report.client_place),
        handled=report.handled,
        queue=report.queue_len,
        ancestors=tuple(bounded(each) for each in report.ancestors[:20]),
        neighbours=tuple(repr(each.pid) for each in report.neighbours),
    )


def _bound(text: str | None) -> str | None:
    return None if text is None else shown_text(text, TEXT)


def _cut(text: str) -> str:
    """Keep both ends of a traceback that is too long."""
    if len(text) <= TRACEBACK:
        return text
    half = TRACEBACK // 2
    return f"{text[:half]}\n[... {len(text) - TRACEBACK} characters ...]\n{text[-half:]}"
