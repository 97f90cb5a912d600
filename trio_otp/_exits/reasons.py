"""Exit reasons: how a process ended, as data.

An exit reason is plain data: `NORMAL`, `SHUTDOWN`, `Shutdown(detail)`, `KILL`, `KILLED`, `NOPROC`,
`TIMEOUT`, `NOCONNECTION`, the exception instance of a crash, or any object given to `otp.exit`.
Reasons can be matched; write the constants with a dot, since a bare name in a pattern would match
anything:

Follows: Erlang reference manual, "Processes", section "Termination".
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .._util.bounded import Printable, bounded, hidden_text, shown_text, visible
from .._util.copies import PortableError
from .._util.public import public, public_in

if TYPE_CHECKING:
    from weakref import ReferenceType


@public
class Reason(enum.Enum):
    """The exit reasons that have a name; use the constants `NORMAL`, `SHUTDOWN`, ...

    >>> import trio_otp as otp
    >>> def describe(reason):
    ...     match reason:
    ...         case otp.NORMAL | otp.SHUTDOWN: return "quiet"
    ...         case otp.Shutdown(detail): return f"quiet: {detail}"
    ...         case Exception(): return "crash"
    >>> [describe(r) for r in (otp.NORMAL, otp.Shutdown("deploy"), ValueError("bad"))]
    ['quiet', 'quiet: deploy', 'crash']
    """

    NORMAL = "normal"
    SHUTDOWN = "shutdown"
    KILL = "kill"
    KILLED = "killed"
    NOPROC = "noproc"
    TIMEOUT = "timeout"
    NOCONNECTION = "noconnection"

    def __repr__(self) -> str:
        """Return the name of the constant."""
        return self.name

    __str__ = __repr__

    def __reduce_ex__(self, _: object) -> Any:
        return self.name  # a pickle names the constant


NORMAL: Final = Reason.NORMAL
SHUTDOWN: Final = Reason.SHUTDOWN
KILL: Final = Reason.KILL
KILLED: Final = Reason.KILLED
NOPROC: Final = Reason.NOPROC
TIMEOUT: Final = Reason.TIMEOUT
NOCONNECTION: Final = Reason.NOCONNECTION
_TEXT: Final = 1000  # characters of what an exception says


@public
@dataclass(frozen=True, slots=True, repr=False)
class Shutdown(Printable):
    """A quiet exit reason that carries a detail, like `{:shutdown, term}`.

    Args:
        detail: any object.
    """

    detail: object = None


@public
def is_quiet(reason: object) -> bool:
    """Check whether a reason is an expected end: NORMAL, SHUTDOWN or `Shutdown(...)`.

    Args:
        reason: any exit reason.

    >>> is_quiet(SHUTDOWN), is_quiet(KILLED)
    (True, False)
    """
    return reason is NORMAL or reason is SHUTDOWN or isinstance(reason, Shutdown)


class Internal:
    """Marks what carries something inside of the library; see `bare` for what users get instead."""


class ProcessExit(Internal, BaseException):
    """Private carrier of `otp.exit(reason)`: no `except Exception` can swallow it."""

    def __init__(self, reason: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.told: ReferenceType[BaseException] | None = None  # what users get instead

    def __repr__(self) -> str:
        return f"ProcessExit({bounded(self.reason)})"  # Trio shows what ends a nursery


_OURS: Final = (Exception, ProcessExit)


def passes_through(exc: BaseException) -> bool:
    """Check whether an exception is not ours: Ctrl-C, SystemExit, a foreign `Cancelled`."""
    group: Any = exc
    if isinstance(exc, BaseExceptionGroup):
        return any(map(passes_through, group.exceptions))
    return not isinstance(exc, _OURS)


@public_in("reports")
def reason_text(reason: object, limit: int = 300) -> str:
    """Return an exit reason as the end of an error text: an exception by class and text.

    An error of this library whose reason is another error already ends with that one, so nothing
    stands in the text twice, and nothing in quotes that are escaped again and again. If it is too
    long for the limit, the innermost one is what is shown.

    Args:
        reason: any exit reason.
        limit: characters.

    >>> import trio_otp as otp
    >>> reason_text(otp.Shutdown(otp.FailedToStartChild("db", ValueError("no host"))))
    "child 'db' failed to start: ValueError: no host"
    """
    exc = reason.detail if isinstance(reason, Shutdown) else reason
    if not isinstance(exc, BaseException):
        return bounded(reason)
    if hidden_text(exc) is not None:
        return bounded(exc)
    text, inner = _said_by(exc), _told_by(exc)
    if inner is not None:
        return text if len(text) <= limit else reason_text(inner, limit)
    name = type(exc).__name__
    return shown_text(f"{name}: {text}" if text else name, limit)


def _told_by(exc: BaseException) -> BaseException | None:
    """Return the error that an error of this library tells of as its reason."""
    reason = getattr(exc, "reason", None) if isinstance(exc, PortableError) else None
    if isinstance(reason, Shutdown):
        reason = reason.detail
    return reason if isinstance(reason, BaseException) and reason is not exc else None


def _said_by(exc: BaseException) -> str:
    """Return what an exception says, in one line, whatever it is made of."""
    args = exc.args
    try:
        if type(exc).__str__ is not BaseException.__str__:
            return visible(str(exc)[:_TEXT])
    except Exception:
        return bounded(exc)
    if len(args) == 1 and isinstance(args[0], str):
        return visible(args[0][:_TEXT])
    return bounded(args[0] if len(args) == 1 else args) if args else ""
