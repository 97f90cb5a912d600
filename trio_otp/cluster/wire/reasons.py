"""Exit reasons and exceptions on the wire: one to one with those of this library.

| here | there |
|---|---|
| `NORMAL`, `SHUTDOWN`, `KILLED`, ... | the atom of that name |
| `Shutdown(detail)` | `{:shutdown, detail}` |
| an exception | `{%RuntimeError{message: "ValueError: boom"}, []}` |
| `RemoteError` | what it has come as: an exception with its stack, or an error of Erlang |
| anything else | itself |
"""

from __future__ import annotations

from typing import Any, Final, TypeGuard, cast

from ..._exits.errors import OtpError
from ..._exits.reasons import Reason, Shutdown, reason_text
from ..._util.bounded import bounded, safe_str
from ..._util.public import public_in
from .structs import NAME
from .terms import Atom

_EXCEPTION: Final = Atom("__exception__")
_MESSAGE: Final = Atom("message")
_ERROR: Final = Atom("error")
_SHUTDOWN: Final = Atom("shutdown")
_RUNTIME_ERROR: Final = Atom("Elixir.RuntimeError")
_PREFIX: Final = "Elixir."
_TEXT: Final = 1000  # characters of what an exception says
_REASONS: Final[dict[str, Reason]] = {reason.value: reason for reason in Reason}
_FRAME: Final = (3, 4)  # of a stack: module or function, arity or arguments, and where


@public_in("cluster")
class RemoteError(OtpError):
    """A crash on another node: as an exit reason, or raised by a call that was answered with it.

    The text is that of the exception: `"ValueError: boom"` of a process in Python, `"boom"` of
    `raise "boom"` in Elixir.

    Attributes:
        error: what has been raised there, as a term: an exception of Elixir is a dict with the
            keys `__struct__`, `__exception__` and its own; an error of Erlang is an atom or tuple.
        stack: the stack there, a list of tuples; empty if it has not been told.

    Follows: Elixir's `Exception`; Erlang reference manual, "Errors and Error Handling".
    """

    def __init__(self, error: object, stack: list[Any] | None = None) -> None:
        super().__init__(_text_of(error))
        self.error = error
        self.stack: list[Any] = [] if stack is None else stack


def exception_term(exc: BaseException) -> object:
    """Return what an exception travels as, wherever it is in a term."""
    if isinstance(exc, RemoteError):
        return exc.error
    message = reason_text(exc, _TEXT)
    return {NAME: _RUNTIME_ERROR, _EXCEPTION: True, _MESSAGE: message}


def reason_term(reason: object) -> object:
    """Return what an exit reason travels as.

    Args:
        reason: any one of this library.
    """
    if isinstance(reason, Shutdown):
        return _SHUTDOWN, reason.detail
    if isinstance(reason, RemoteError):
        told: tuple[object, object] = reason.error, reason.stack
        return told
    if isinstance(reason, BaseException):
        return exception_term(reason), list[object]()
    return reason


def reason_as_text(reason: object) -> object:
    """Return a reason that has a form, as alike as can be, for one that has none.

    Args:
        reason: any one of this library.
    """
    if isinstance(reason, Shutdown):
        return Shutdown(bounded(reason.detail, _TEXT))
    return bounded(reason, _TEXT)


def reason_of(term: object) -> object:
    """Return the exit reason that has come from another node.

    Args:
        term: what has been decoded.
    """
    if type(term) is Atom:
        return _REASONS.get(term, term)
    return _reason_of_pair(*term) if _is_pair(term) else term


def _is_pair(term: object) -> TypeGuard[tuple[Any, Any]]:
    return isinstance(term, tuple) and len(cast("Any", term)) == 2


def _reason_of_pair(first: Any, second: Any) -> object:
    if type(first) is Atom and first == _SHUTDOWN:
        return Shutdown(second)
    if _is_stack(second) or (second == [] and _is_exception(first)):
        return RemoteError(first, second)
    return first, second


def error_in(term: object) -> RemoteError | None:
    """Return the error of a reply `{:error, exception}`, or None if that is no such reply.

    Args:
        term: what has been decoded.
    """
    if _is_pair(term) and term[0] == _ERROR and _is_exception(term[1]):
        return RemoteError(term[1])
    return None


def error_reply(exc: BaseException) -> tuple[Atom, object]:
    """Return the reply that says that a call has raised an exception."""
    return _ERROR, exception_term(exc)


def _is_exception(term: object) -> bool:
    return isinstance(term, dict) and cast("Any", term).get(_EXCEPTION) is True and NAME in term


def _is_stack(term: Any) -> bool:
    return isinstance(term, list) and term != [] and all(map(_is_frame, cast("Any", term)))


def _is_frame(term: object) -> bool:
    parts: Any = term
    if type(term) is not tuple or len(parts) not in _FRAME or type(parts[-1]) is not list:
        return False
    return len(parts) == min(_FRAME) or {Atom} == set(map(type, parts[:2]))


def _text_of(error: Any) -> str:
    """Return the class and message of an exception of Elixir, or the error of Erlang."""
    if not _is_exception(error):
        return str(error) if isinstance(error, Atom) else bounded(error, _TEXT)
    name = safe_str(error[NAME]).removeprefix(_PREFIX)
    message: object = error.get(_MESSAGE)
    if isinstance(message, bytes):
        message = message.decode(errors="backslashreplace")
    if not isinstance(message, str):
        own = {str(key): error[key] for key in error if key not in {NAME, _EXCEPTION}}
        return f"{name}: {bounded(own, _TEXT)}" if own else name
    return message[:_TEXT] if error[NAME] == _RUNTIME_ERROR else f"{name}: {message[:_TEXT]}"
