"""What the callbacks of a server return, and how an answer becomes an outcome.

Follows: Erlang's `gen_server`, section "Callback functions".
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeAlias, TypeVar

import outcome

from .._exits.reasons import NORMAL
from .._util.bounded import Printable, bounded
from .._util.public import public
from .._util.sent import Sent
from .._util.unset import UNSET

T = TypeVar("T")


@public
class Ignore(enum.Enum):
    """What init returns if the server does not want to run; use the constant `IGNORE`."""

    IGNORE = "ignore"

    def __repr__(self) -> str:
        """Return the name of the constant."""
        return self.name

    def __reduce_ex__(self, _: object) -> Any:
        return self.name  # a pickle names the constant


IGNORE: Final = Ignore.IGNORE


# Not frozen: it would take two and a half times as long to make, for each answer of a server.
@public
@dataclass(slots=True, unsafe_hash=True, repr=False)
class Reply(Printable, Generic[T]):
    """Answer the call; `value` may be an `outcome.Error`, which raises in the caller.

    Args:
        value: the answer.
        timeout: seconds without a message after which `handle_info` gets `Timeout()`.
        continue_: a token for `handle_continue`, which runs next.
    """

    value: T | outcome.Outcome[T]
    timeout: float | None = field(default=None, kw_only=True)
    continue_: Any = field(default=None, kw_only=True)


@public
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NoReply(Printable):
    """Carry on; a call is answered later by `otp.reply`.

    Args:
        timeout: seconds without a message after which `handle_info` gets `Timeout()`.
        continue_: a token for `handle_continue`, which runs next.
    """

    timeout: float | None = None
    continue_: Any = None


@public
@dataclass(frozen=True, slots=True, repr=False)
class Stop(Printable):
    """End the server: `terminate` runs, then the call is answered if `reply` is given.

    Args:
        reason: the exit reason.
        reply: the answer of the call in hand, an `outcome.Error` to raise there.
    """

    reason: object = NORMAL
    reply: Any = UNSET


# What the callbacks may return, at once or from an `async def`.
InitResult: TypeAlias = NoReply | Stop | Ignore | None
CallResult: TypeAlias = Reply[T] | NoReply | Stop
CastResult: TypeAlias = NoReply | Stop | None
InfoResult: TypeAlias = NoReply | Stop | None  # also of `handle_continue`

_ANSWERS: Final[Any] = (Reply, Stop, NoReply)


def is_value(request: object, result: object) -> bool:
    """Check whether what the handler of a call returned is the bare value of its reply."""
    return getattr(request, "gives_value", False) is True and not isinstance(result, _ANSWERS)


OUTCOMES: Final[Any] = (outcome.Value, outcome.Error, Sent)  # answers that stand for others


def as_outcome(value: Any) -> outcome.Outcome[Any]:
    """Return an answer as the outcome that it is or stands for."""
    kind = value.__class__
    if kind is outcome.Error:  # a new one each time, since an outcome serves one caller only
        return outcome.Error(value.error)
    if kind is Sent:
        return outcome.Value(None)
    return outcome.Value(value.value if kind is outcome.Value else value)


def refuse_call(who: str, request: object) -> Reply[Any]:
    """Return the answer to a call that a server of the library does not take; the server lives."""
    return Reply(outcome.Error(TypeError(f"{who} does not take the call {bounded(request)}")))
