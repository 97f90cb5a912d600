"""What comes of a task: its result or why it has none, as values and as errors.

Follows: Elixir's `Task`, whose `{:ok, value}`, `{:exit, reason}` and `nil` these are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar

from .._exits.call_errors import TimedOut
from .._exits.errors import OtpError, WithReason
from .._exits.reasons import reason_text
from .._util.bounded import Printable, bounded
from .._util.public import public, public_in

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@public_in("task")
@dataclass(frozen=True, slots=True, repr=False)
class Ok(Printable, Generic[T_co]):
    """A task has a result.

    Args:
        value: the result.

    >>> from trio_otp import task
    >>> def show(outcome):
    ...     match outcome:
    ...         case task.Ok(value): return f"result {value}"
    ...         case task.Exited(reason): return f"none: {reason!r}"
    ...         case None: return "still running"
    >>> [show(outcome) for outcome in (task.Ok(3), task.Exited(KeyError("k")), None)]
    ['result 3', "none: KeyError('k')", 'still running']
    """

    value: T_co

    def unwrap(self) -> T_co:
        """Return the value."""
        return self.value


@public_in("task")
@dataclass(frozen=True, slots=True, repr=False)
class Exited(Printable):
    """A task ended without a result.

    Args:
        reason: the exit reason; after a crash the exception.
        input: the item of a stream that was opened with `zip_input_on_exit`, else None.
    """

    reason: object
    input: Any = None

    def unwrap(self) -> NoReturn:
        """Raise what `await_one` would.

        Raises:
            TaskExited: always.
        """
        raise TaskExited(None, self.reason)


Outcome: TypeAlias = "Ok[T] | Exited"


@public
class TaskExited(WithReason):
    """An awaited task ended without a result; `reason` says why, a crash is also the cause."""

    def __init__(self, task: object, reason: object) -> None:
        super().__init__(f"{_name(task)} ended without a result: {reason_text(reason)}", reason)
        self.task = task


@public
class TaskTimeout(TimedOut):
    """A task took longer than its caller waits; an awaited one runs on, its reply is dropped.

    `what` is the task, the list of tasks, or the item of a stream that was waited for.
    """

    def __init__(self, what: object, *, timeout: float | None, text: str = "") -> None:
        super().__init__(text or f"{_name(what)} has no result after {timeout} s")
        self.what = what
        self.timeout = timeout


@public
class TaskNotOwned(OtpError, ValueError):
    """A task was used by somebody else than who started it."""

    def __init__(self, task: object, function: str, owner: object, caller: object) -> None:
        who = ["plain Trio code" if pid is None else repr(pid) for pid in (owner, caller)]
        super().__init__(f"{function} of {task!r}: it belongs to {who[0]}, not to {who[1]}")
        self.task = task


def _name(task: object) -> str:
    return "the task" if task is None else bounded(task)
