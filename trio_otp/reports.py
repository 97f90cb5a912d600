"""What goes to the standard `logging`: crashes, supervisor reports, progress, notices.

| logger | level | record |
|---|---|---|
| `trio_otp.crash` | error | a process ended badly: reason with traceback, last message, state |
| `trio_otp.supervisor` | error | a child ended, did not start or stop; a supervisor gave up |
| `trio_otp.progress` | debug | a supervisor started a child |
| `trio_otp.application` | info, error | an application started, stopped, or ended by itself |
| `trio_otp.notice` | its own | what a person should know: a stuck child, an unknown message |

Nothing is configured here: without a handler of yours Python prints warnings and errors. A record
carries its report as `record.otp_report`, one of the dataclasses of `trio_otp.events`, and its
parts as text: `otp_pid`, `otp_name`, `otp_reason`, `otp_supervisor`, `otp_child_id` and so on.

The listeners stand in `events.defaults`, so every run logs;
`otp.events.detach("progress", log_progress)` stops one in the run that is going on. A handler of
yours that raises hurts neither the process nor the next report.

Follows: Erlang's SASL reports, the messages of Elixir's `Logger` for a GenServer that terminates.
"""

from __future__ import annotations

import logging
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from . import events
from .bounded import bounded
from .exits import is_quiet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .events import (
        ApplicationReport,
        CrashReport,
        Listener,
        NoticeReport,
        ProgressReport,
        SupervisorReport,
    )

_crash: Final = logging.getLogger("trio_otp.crash")
_supervisor: Final = logging.getLogger("trio_otp.supervisor")
_progress: Final = logging.getLogger("trio_otp.progress")
_application: Final = logging.getLogger("trio_otp.application")
_notice: Final = logging.getLogger("trio_otp.notice")

REASON: Final = 500  # characters of a reason in the text of a record
SHOWN: Final = 10  # ends of children that are listed when a supervisor gives up
_CONTEXTS: Final = {
    "start_error": "did not start",
    "child_terminated": "terminated",
    "shutdown_error": "did not stop as asked",
    "shutdown": "ended once too often, the supervisor gives up",
}


def log_crash(report: CrashReport) -> None:
    """Log that a process ended badly, with what it was doing."""
    if not _crash.isEnabledFor(logging.ERROR):
        return
    known = report.pid is not None and report.pid._label == report.label
    who = repr(report.pid) if known else report.label
    fields = {
        "pid": report.pid,
        "name": report.name,
        "label": report.label,
        "reason": report.reason,
        "last_message": report.last_message,
        "state": report.state,
        "client": report.client,
        "handled": report.handled,
        "queue_len": report.queue_len,
        "ancestors": report.ancestors,
        "links": report.links,
    }
    text = ("%s terminated: %s%s", who, _reason(report.reason), _details(report))
    _log(_crash, logging.ERROR, text, report, fields, cause=report.reason)


def log_supervisor(report: SupervisorReport) -> None:
    """Log what a supervisor has to tell of a child, or that it gives up."""
    if not _supervisor.isEnabledFor(logging.ERROR):
        return
    fields = {
        "supervisor": report.supervisor,
        "context": report.context,
        "child_id": report.child_id,
        "pid": report.pid,
        "reason": report.reason,
        "restart": report.restart,
    }
    text = (
        f"%s: child %s {_CONTEXTS[report.context]}: %s%s",
        bounded(report.supervisor),
        bounded(report.child_id) + ("" if report.pid is None else f" {report.pid!r}"),
        _reason(report.reason),
        _history(report),
    )
    # Whoever ran has a crash record of its own, with the traceback.
    cause = report.reason if report.context == "start_error" else None
    _log(_supervisor, logging.ERROR, text, report, fields, cause=cause)


def log_progress(report: ProgressReport) -> None:
    """Log that a supervisor has started a child."""
    if not _progress.isEnabledFor(logging.DEBUG):
        return
    fields = {
        "supervisor": report.supervisor,
        "child_id": report.child_id,
        "pid": report.pid,
    }
    who, child = bounded(report.supervisor), bounded(report.child_id)
    text = ("%s: child %s started: %r", who, child, report.pid)
    _log(_progress, logging.DEBUG, text, report, fields)


def log_application(report: ApplicationReport) -> None:
    """Log that an application has started, was stopped, or has ended by itself."""
    bad = report.phase == "exited" and not is_quiet(report.reason)
    level = logging.ERROR if bad else logging.INFO
    if not _application.isEnabledFor(level):
        return
    fields = {
        "application": report.application,
        "phase": report.phase,
        "reason": report.reason,
    }
    why = "" if report.phase == "started" else f": {_reason(report.reason)}"
    text = ("application %s %s%s", report.application, report.phase, why)
    _log(_application, level, text, report, fields)


def log_notice(report: NoticeReport) -> None:
    """Log a notice at its own level."""
    if _notice.isEnabledFor(report.level):
        _log(_notice, report.level, ("%s", report.text), report, {"pid": report.pid})


def _details(report: CrashReport) -> str:
    """Give the lines under the first one of a crash."""
    mailbox = f"{report.queue_len} waiting, {report.handled} handled"
    lines = {
        "Last message": report.last_message,
        "Client": report.client,
        "State": report.state,
        "Mailbox": None if report.state is None else mailbox,
        "Ancestors": ", ".join(map(bounded, report.ancestors)),
        "Links": ", ".join(map(bounded, report.links)),
        "Log": "".join(f"\n    {bounded(event)}" for event in report.log),
    }
    return "".join(f"\n  {name}: {text}" for name, text in lines.items() if text)


def _history(report: SupervisorReport) -> str:
    """List the last ends of children, once, when a supervisor gives up."""
    return "".join(
        f"\n  at {when:.3f} s: child {bounded(child_id)}: {_reason(reason)}"
        for when, child_id, reason in report.history[-SHOWN:]
    )


def _reason(reason: object) -> str:
    return bounded(reason, REASON)


def _log(
    logger: logging.Logger,
    level: int,
    text: tuple[object, ...],
    report: object,
    fields: Mapping[str, object],
    *,
    cause: object = None,
) -> None:
    """Log a text and its arguments; `cause` gives the traceback, if it is an exception."""
    extra: dict[str, object] = {f"otp_{name}": _flat(value) for name, value in fields.items()}
    try:
        logger.log(
            level,
            *text,
            exc_info=cause if isinstance(cause, BaseException) else None,
            extra={**extra, "otp_report": report},
        )
    except Exception:
        _complain(text)


def _flat(value: object) -> str | int | None:
    return value if value is None or isinstance(value, str | int) else bounded(value, REASON)


def _complain(text: tuple[object, ...]) -> None:
    """Say on stderr that a handler raised, and what it did not log, as `logging` itself does."""
    if not logging.raiseExceptions:
        return
    with suppress(Exception):
        lost = str(text[0]) % text[1:]
        sys.stderr.write(f"{traceback.format_exc()}a logging handler raised and lost:\n{lost}\n")


LISTENERS: Final[tuple[tuple[str, Listener], ...]] = (
    ("crash", log_crash),
    ("supervisor", log_supervisor),
    ("progress", log_progress),
    ("application", log_application),
    ("notice", log_notice),
)
events.defaults.extend(LISTENERS)
