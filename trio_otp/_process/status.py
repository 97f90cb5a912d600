"""What is shown of a process in reports and by `otp.sys.get_status`, after `format_status` had it.

A behaviour may keep anything out: `format_status(status)` gets a dict of its own with what there
is, and returns what is shown. It is called once for each report. Whatever goes wrong in it is shown
in place of the values, so that nothing leaves that it was to keep out; the report is made all the
same.

Follows: `format_status/1` of Erlang's `gen_server`, `gen_statem` and `gen_event`, as of OTP 25.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .._exits.log_text import place_of_crash, traceback_text
from .._exits.reasons import ProcessExit
from .._util.bounded import HIDDEN, Note, bounded
from .._util.public import is_ours
from .._util.signature import parameters_of
from .._util.user_code import interruptible

if TYPE_CHECKING:
    from collections.abc import Callable

    from .pid import Pid
    from .process import Process

Status: TypeAlias = "dict[str, Any]"
NOT_SHOWN: Final = Note("not shown")  # a request to a server that decides what is shown of it


def formatted(instance: Any, status: Status, state: str = "state") -> Status:
    """Call `format_status` of an instance with what there is; return what is shown, by key.

    Args:
        instance: a server, a state machine, a handler.
        status: what there is.
        state: the key of what a `format_status` without an argument gives.
    """
    shown = dict(status)
    call = _style(instance)
    try:
        result = interruptible(call, shown) if call else interruptible(instance.format_status)
    except (Exception, ProcessExit) as exc:
        if call is None:
            return {**status, state: Note(f"<format_status raised {bounded(exc)}>")}
        place = place_of_crash(exc)
        where = "" if place is None else f", {PurePath(place[0]).name}:{place[1]}"
        return _withheld(status, f"<format_status raised {type(exc).__name__}{where}>")
    if isinstance(result, CoroutineType):
        result.close()
        text = "<format_status is an async def; expected a def>"
        return {**status, state: Note(text)} if call is None else _withheld(status, text)
    if call is None:
        return {**status, state: result}
    return _checked(status, shown if result is None else result)


def takes_status(instance: object) -> bool:
    """Check whether the class of a user decides what is shown of messages and reasons."""
    try:
        return instance is not None and _style(instance) is not None
    except Exception:  # of an attribute that raises: what it was to keep out is kept out
        return True


def shown_request(*servers: Process | None) -> object:
    """Return what stands for a request in texts, if its server decides what is shown; else None."""
    hides = any(server is not None and takes_status(server.instance) for server in servers)
    return NOT_SHOWN if hides else None


def _style(instance: object) -> Callable[[Status], Any] | None:
    """Return what calls its `format_status` with the dict; None if that takes none, or is ours."""
    method: object = getattr(instance, "format_status", None)
    if not callable(method) or is_ours(method):
        return None
    parameters = parameters_of(method)
    if parameters.signature is None:
        return None
    named = parameters.signature.parameters.get("status")
    if named is not None and named.kind is named.KEYWORD_ONLY:
        return lambda status: method(status=status)
    if parameters.fit(({},)):
        way: Callable[[Status], object] = method
        return way
    keywords = parameters.fit((), dict.fromkeys(("state", "message", "reason", "log")))
    return (lambda status: method(**status)) if keywords else None


def _checked(status: Status, result: Any) -> Status:
    """Take what was returned; a key that is left out is shown as it is, as in OTP."""
    given: Any = result
    if not isinstance(given, Mapping):
        return dict.fromkeys(status, given)
    unknown: list[object] = [key for key in result if key not in status]
    if unknown:  # a misspelt key would have kept something out
        text = f"<format_status returned {bounded(unknown)}; expected {', '.join(status)}>"
        return _withheld(status, text)
    return {**status, **result}


def _withheld(status: Status, why: str) -> Status:
    """Show nothing but what went wrong; of an exception also its class."""
    shown: Status = dict.fromkeys(status, Note(why))
    if isinstance(status.get("reason"), BaseException):
        shown["reason"] = Note(f"{type(status['reason']).__name__} {why}")
    return shown


# -- reasons that are kept out ---------------------------------------------------------------------


def told(process: Process, reason: object, shown: object) -> dict[str, object]:
    """Show a reason as something else from now on, wherever it goes; return report details.

    An exception gets a mark, which all texts of this library obey: of supervisors, of callers, of
    those it is the cause of. Its class and its frames are still told.
    """
    if shown is reason:
        return {}
    process.pid._told = (reason, shown)
    if not isinstance(reason, BaseException):
        return {}
    vars(reason)[HIDDEN] = shown
    return {"traceback": traceback_text(reason), "place": place_of_crash(reason)}


def told_reason(pid: Pid | None, reason: object) -> object:
    """Return what is shown of a reason: of an exception anywhere, of others at their process."""
    if isinstance(reason, BaseException):
        return vars(reason).get(HIDDEN, reason)
    known, shown = getattr(pid, "_told", (None, None))
    return shown if known is reason and known is not None else reason
