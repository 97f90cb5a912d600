"""Reports as Elixir's `Logger` words them, for people who read those every day.

otp.reports.add_translator(otp.reports.elixir_text)
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, Final

from .._exits.log_text import LIBRARIES
from .._util.bounded import bounded, hidden_text, shown_text
from ..events.data import (
    ApplicationReport,
    CrashReport,
    NoticeReport,
    ProgressReport,
    SupervisorReport,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..events.data import Report

_CONTEXTS: Final = {
    "child_terminated": "terminated",
    "start_error": "failed to start",
    "shutdown_error": "shut down abnormally",
    "shutdown": "caused shutdown",
}


def elixir_text(report: Report) -> str | None:
    """Return a report as text in the form of Elixir's `Logger`; a translator.

    Args:
        report: what `otp.reports.add_translator` calls it with.

    >>> from trio_otp.events import SupervisorReport
    >>> print(elixir_text(SupervisorReport("sup", "shutdown", ValueError(), "cache")))
    Child 'cache' of Supervisor 'sup' caused shutdown
    ** (exit) reached_max_restart_intensity

    Follows: Elixir's `Logger.Translator`.
    """
    match report:
        case CrashReport():
            return "\n".join(_crash(report))
        case SupervisorReport() | ProgressReport():
            return "\n".join(_child(report))
        case ApplicationReport(phase="started"):
            return f"Application {shown_text(report.application)} started"
        case ApplicationReport():
            why = "stopped" if report.phase == "stopped" else bounded(report.reason)
            return f"Application {shown_text(report.application)} exited: {why}"
        case NoticeReport():
            return None


def _crash(report: CrashReport) -> Iterator[str]:
    who = bounded(report.pid if report.name is None else report.name)
    if report.pid is None:
        who = shown_text(report.label)
    yield f"{report.behaviour} {who} terminating"
    yield _reason(report.reason)
    if report.last_message is not None:
        sender = "" if report.client is None else f" (from {report.client})"
        yield f"Last message{sender}: {report.last_message}"
    if report.state is not None:
        yield f"State: {report.state}"
    if report.client is not None:
        yield f"Client {report.client} is {_client_state(report)}"


def _client_state(report: CrashReport) -> str:
    if report.client_place is None:
        return "gone or busy"
    return f"alive\n    {report.client_place}"


def _child(report: SupervisorReport | ProgressReport) -> Iterator[str]:
    told: dict[str, Any] = report.as_dict()
    child: dict[str, Any] = told.get("offender") or told["started"]
    what = "started" if isinstance(report, ProgressReport) else _CONTEXTS[report.context]
    yield f"Child {bounded(child['id'])} of Supervisor {bounded(report.supervisor)} {what}"
    if isinstance(report, SupervisorReport):
        yield _reason(told["reason"])
    if child["pid"] is not None:
        yield f"Pid: {child['pid']!r}"
    if report.child is not None:
        yield f"Start Call: {report.child!r}"
        yield f"Restart: {child['restart_type']}"
        yield f"Shutdown: {child['shutdown']}"
        yield f"Type: {child['child_type']}"


def _reason(reason: object) -> str:
    if not isinstance(reason, BaseException):
        text = shown_text(reason, 500) if isinstance(reason, str) else bounded(reason, 500)
        return f"** (exit) {text}"
    args = reason.args
    plain = len(args) == 1 and isinstance(args[0], str)
    hidden = hidden_text(reason)
    said = shown_text(args[0], 500) if plain and hidden is None else bounded(reason, 500)
    frames = traceback.extract_tb(reason.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(LIBRARIES)]
    lines = [f"\n    {frame.filename}:{frame.lineno}: {frame.name}" for frame in own]
    return f"** ({type(reason).__name__}) {said}{''.join(lines)}"
