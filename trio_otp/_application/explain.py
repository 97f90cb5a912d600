"""Explain in a few lines why an application did not start or ended: the reason first, no traceback.

Reasons are nested: the application failed because its supervisor did, that because a child did.
What a person wants to read first is the innermost one, and the line of their own code where it
was raised.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, Final, cast

from .._exits.bare import NURSERY_TEXT, unwrap
from .._exits.errors import FailedToStartChild, StartError
from .._exits.log_text import LIBRARIES, exception_text, set_in
from .._exits.reasons import Shutdown
from .._util.bounded import bounded
from .errors import ApplicationExited, ApplicationStartError

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN: Final = 5  # ends of children


def explain(error: StartError | ApplicationExited) -> str:
    """Return the text for an error that ended a program.

    >>> from trio_otp._exits.errors import FailedToStartChild
    >>> reason = Shutdown(FailedToStartChild("db", FileNotFoundError("no shop.db")))
    >>> print(explain(ApplicationStartError("shop", reason)))
    application 'shop' did not start: child 'db': FileNotFoundError: no shop.db
    """
    return "\n".join(_lines(error))


def _lines(error: StartError | ApplicationExited) -> Iterator[str]:
    if not isinstance(error, ApplicationStartError | ApplicationExited):
        yield str(error)  # of what runs beside the applications
        return
    if isinstance(error, ApplicationStartError):
        yield f"application {error.name!r} did not start: {_reason(error.reason)}"
        yield from _where(error.reason)
        return
    yield f"application {error.name!r} exited: {_reason(error.reason)}"
    for _, child_id, reason in error.history[-SHOWN:]:
        yield f"  child {bounded(child_id)}: {_reason(reason)}"
    yield from _where(error.__cause__ or error.reason)


def _reason(reason: object) -> str:
    """Return the way to the innermost reason, and that in full."""
    match reason:
        case Shutdown(detail=FailedToStartChild() as failed):
            return _reason(failed)
        case FailedToStartChild():
            return f"child {bounded(reason.child_id)}: {_reason(reason.reason)}"
        case StartError() if reason.reason is not reason:
            return _reason(reason.reason)
        case BaseExceptionGroup(message=message, exceptions=inner):
            parts = "; ".join(map(_reason, inner))
            notes: list[Any] = getattr(cast("Any", reason), "__notes__", [])
            text = parts if message == NURSERY_TEXT else f"{set_in(message)}: {parts}"
            return _shortened("\n".join([text, *(set_in(str(note)) for note in notes)]))
        case BaseException():
            return exception_text(reason, 1000)
        case _:
            return bounded(reason)


def _shortened(text: str) -> str:
    return text if len(text) < 1000 else text[:1000] + "..."


def _where(reason: object) -> Iterator[str]:
    """Return the innermost line of a user's code that a crash went through."""
    crash = _crash(reason)
    if crash is None:
        return
    frames = traceback.extract_tb(crash.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(LIBRARIES)]
    for frame in own[-1:]:
        yield f"  raised in {frame.name}, {frame.filename}:{frame.lineno}: {frame.line}"


def _crash(reason: object) -> BaseException | None:
    match reason:
        case Shutdown(detail=FailedToStartChild() as failed):
            return _crash(failed.reason)
        case StartError() if reason.reason is not reason:
            return _crash(reason.reason)
        case BaseException():
            return unwrap(reason)
        case _:
            return None
