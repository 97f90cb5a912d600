"""The functions of `trio_otp.reports`, which see."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from .. import events
from .._exits.history_errors import ends_text
from .._exits.log_text import Place, place_of_code, place_of_crash
from .._exits.reasons import is_quiet
from .._process.runtime import runtime
from .._process.status import told_reason
from .._util.bounded import bounded, shown_text
from .._util.checks import is_seconds
from .._util.public import public_in
from ..events.delivery import deliver, new_record
from .add_metadata import ATTRIBUTE, flat, put
from .dropped import log_dropped
from .limit import COUNT, SECONDS, Burst, Limit
from .translators import SKIP, translators

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .._process.runtime import Runtime
    from ..events import (
        ApplicationReport,
        CrashReport,
        Listener,
        NoticeReport,
        ProgressReport,
        Report,
        SupervisorReport,
    )

_crash: Final = logging.getLogger("trio_otp.crash")
_supervisor: Final = logging.getLogger("trio_otp.supervisor")
_progress: Final = logging.getLogger("trio_otp.progress")
_application: Final = logging.getLogger("trio_otp.application")
_notice: Final = logging.getLogger("trio_otp.notice")
_own: Final = logging.getLogger("trio_otp.reports")

REASON: Final = 500  # characters of a reason in the text of a record
HERE: Final[Place] = (__file__, 1, "trio_otp")  # of what has no place in anybody's code
NOTHING: Final[Mapping[str, Any]] = {}
_DOMAINS: Final = {_crash: "otp", _notice: "otp"}  # the others are of OTP's SASL
_CONTEXTS: Final = {
    "start_error": "did not start",
    "child_terminated": "terminated",
    "shutdown_error": "did not stop as asked",
    "shutdown": "ended once too often, the supervisor gives up",
}


@public_in("reports")
def set_limit(count: int | None = COUNT, seconds: float = SECONDS) -> None:
    """Limit how many reports this run logs in a while; what is over is counted, and that logged.

    Args:
        count: reports in that time; None for no limit.
        seconds: the time, which begins with the first report after the one before is over.

    Raises:
        ValueError: an argument is not positive.
        NotInRun: no Trio run is going on.

    Follows: `burst_limit_max_count` and `burst_limit_window_time` of Erlang's `logger_std_h`.
    """
    if count is not None and not (is_seconds(count) and count >= 1):
        raise ValueError(f"count={bounded(count)}: expected a number >= 1, or None for no limit")
    if not is_seconds(seconds) or not 0 < seconds < math.inf:
        raise ValueError(f"seconds={bounded(seconds)}: expected a number of seconds > 0")
    _limit().burst = Burst(count, seconds)


def _limit() -> Limit:
    extras = runtime().extras
    if Limit not in extras:
        extras[Limit] = Limit(_warn)
    found: Limit = extras[Limit]
    return found


# -- listeners -----------------------------------------------------------------------------------


@public_in("reports")
def log_crash(report: CrashReport) -> None:
    """Log that a process ended badly, with what it was doing.

    Args:
        report: what the event carries.
    """
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
        "callers": report.callers,
        "initial_call": report.initial_call,
    }
    _log(_crash, logging.ERROR, lambda: _crash_text(report), report, fields, cause=report.reason)


def _crash_text(report: CrashReport) -> str:
    known = report.pid is not None and report.pid._label == report.label
    who = repr(report.pid) if known else shown_text(report.label)
    return f"{who} terminated: {_reason(report.reason)}{_details(report)}"


@public_in("reports")
def log_supervisor(report: SupervisorReport) -> None:
    """Log what a supervisor has to tell of a child, or that it gives up.

    Args:
        report: what the event carries.
    """
    history = tuple((when, name, told_reason(None, why)) for when, name, why in report.history)
    report = replace(report, reason=told_reason(report.pid, report.reason), history=history)
    fields = {
        "supervisor": report.supervisor,
        "context": report.context,
        "child_id": report.child_id,
        "pid": report.pid,
        "reason": report.reason,
        "restart": report.restart,
        "restart_in": report.restart_in,
    }
    # Whoever ran has a crash record of its own, with the traceback.
    cause = report.reason if report.context == "start_error" else None
    _log(_supervisor, logging.ERROR, lambda: _supervisor_text(report), report, fields, cause=cause)


def _supervisor_text(report: SupervisorReport) -> str:
    child = bounded(report.child_id) + ("" if report.pid is None else f" {report.pid!r}")
    what = f"{_CONTEXTS[report.context]}: {_reason(report.reason)}{ends_text(report.history)}"
    later = "" if report.restart_in is None else f"; restarting in {report.restart_in:.3g} s"
    return f"{bounded(report.supervisor)}: child {child} {what}{later}"


@public_in("reports")
def log_progress(report: ProgressReport) -> None:
    """Log that a supervisor has started a child.

    Args:
        report: what the event carries.
    """
    fields = {
        "supervisor": report.supervisor,
        "child_id": report.child_id,
        "pid": report.pid,
    }
    _log(_progress, logging.DEBUG, lambda: _progress_text(report), report, fields)


def _progress_text(report: ProgressReport) -> str:
    who = bounded(report.supervisor)
    return f"{who}: child {bounded(report.child_id)} started: {report.pid!r}"


@public_in("reports")
def log_application(report: ApplicationReport) -> None:
    """Log that an application has started, was stopped, or has ended by itself.

    Args:
        report: what the event carries.
    """
    report = replace(report, reason=told_reason(None, report.reason))
    bad = report.phase == "exited" and not is_quiet(report.reason)
    level = logging.ERROR if bad else logging.INFO
    fields = {
        "application": report.application,
        "phase": report.phase,
        "reason": report.reason,
    }
    why = "" if report.phase == "started" else f": {_reason(report.reason)}"
    text = f"application {shown_text(report.application)} {report.phase}{why}"
    _log(_application, level, lambda: text, report, fields)


@public_in("reports")
def log_notice(report: NoticeReport) -> None:
    """Log a notice at its own level.

    Args:
        report: what the event carries.
    """
    _log(_notice, report.level, lambda: report.text, report, {"pid": report.pid})


def log_notice_beside(tables: Runtime, report: NoticeReport) -> None:
    """Log a notice from a thread beside a run, which limits itself how many there are."""
    fields = {"pid": report.pid}
    _log(_notice, report.level, lambda: report.text, report, fields, tables=tables)


# -- text ----------------------------------------------------------------------------------------


def _details(report: CrashReport) -> str:
    """Return the lines under the first one of a crash."""
    mailbox = f"{report.queue_len} waiting, {report.handled} handled"
    lines = {
        "Last message": report.last_message,
        "Client": report.client,
        "Client waits in": report.client_place,
        "State": report.state,
        "Mailbox": None if report.state is None else mailbox,
        "Initial call": report.initial_call,
        "Ancestors": ", ".join(map(bounded, report.ancestors)),
        "Links": ", ".join(map(bounded, report.links)),
        "Log": "".join(f"\n    {bounded(event)}" for event in report.log),
        "Metadata": report.metadata and bounded(report.metadata),
    }
    text = "".join(f"\n  {name}: {text}" for name, text in lines.items() if text)
    return text + "".join(f"\n  Ends with it: {_neighbour(each)}" for each in report.neighbours)


def _neighbour(each: events.Neighbour) -> str:
    place = "" if each.place is None else f", waits in {each.place}"
    return f"{each.pid!r}, {each.message_queue_len} waiting{place}"


def _reason(reason: object) -> str:
    return bounded(reason, REASON)


# -- records -------------------------------------------------------------------------------------


def _log(
    logger: logging.Logger,
    level: int,
    text: Callable[[], str],
    report: Report,
    fields: Mapping[str, object],
    *,
    cause: object = None,
    tables: Runtime | None = None,
) -> None:
    """Log a report, unless nobody wants it.

    Args:
        logger: where.
        level: at which level.
        text: gives the text, unless a translator does.
        report: what is told.
        fields: attributes of the record.
        cause: gives the traceback, if it is an exception.
        tables: those of the run, for who is not in it, and is not held to its limit.
    """
    if not logger.isEnabledFor(level):
        return
    translated = translators(tables).translate(report, _complain)
    if translated is SKIP or not (tables is not None or _limit().admits(report.kind)):
        return
    said, more = translated or (text(), NOTHING)
    record = _record(logger, level, said, cause, _place(report))
    if record.exc_text is None:  # the exception itself is kept out
        record.exc_text = getattr(report, "traceback", None)
    put(record, {f"otp_{name}": _flat(value) for name, value in fields.items()})
    put(record, {"otp_kind": report.kind, "otp_domain": _DOMAINS.get(logger, "otp.sasl")})
    put(record, {"otp_report": report, "crash_reason": getattr(report, "reason", None)})
    metadata: Mapping[str, Any] = getattr(report, "metadata", {})
    put(record, {**flat(metadata), **more})
    deliver(logger, record)


def _place(report: Report) -> Place:
    """Return where the reported thing happened: where it crashed, else what ended or started."""
    place: Place | None = getattr(report, "place", None)
    place = place or place_of_crash(getattr(report, "reason", None))
    child = getattr(report, "child", None)
    return place or place_of_code(None if child is None else child.target) or HERE


def _record(
    logger: logging.Logger, level: int, text: str, cause: object, place: Place
) -> logging.LogRecord:
    return new_record(
        logger, level, text, cause if isinstance(cause, BaseException) else None, place
    )


def _flat(value: object) -> str | int | None:
    """Return an attribute of a record: a number, or text of one line."""
    if value is None or isinstance(value, int):
        return value
    return shown_text(value, ATTRIBUTE) if isinstance(value, str) else bounded(value, REASON)


def _warn(text: str) -> None:
    if _own.isEnabledFor(logging.WARNING):
        deliver(_own, _record(_own, logging.WARNING, text, None, HERE))


def _complain(text: str, exc: Exception) -> None:
    if _own.isEnabledFor(logging.ERROR):
        place = place_of_crash(exc) or HERE
        deliver(_own, _record(_own, logging.ERROR, f"{text}: {bounded(exc)}", exc, place))


LISTENERS: Final[tuple[tuple[str, Listener], ...]] = (
    ("crash", log_crash),
    ("supervisor", log_supervisor),
    ("progress", log_progress),
    ("application", log_application),
    ("notice", log_notice),
    ("dropped", log_dropped),
)
# `Events.is_heard` asks for it; checkers do not know that functions take attributes.
log_crash.is_deaf = lambda: not _crash.isEnabledFor(logging.ERROR)  # type: ignore[attr-defined]
log_supervisor.is_deaf = lambda: not _supervisor.isEnabledFor(logging.ERROR)  # type: ignore[attr-defined]
log_progress.is_deaf = lambda: not _progress.isEnabledFor(logging.DEBUG)  # type: ignore[attr-defined]
events.defaults.extend(LISTENERS)
