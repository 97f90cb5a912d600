"""What a callback of a GenStatem gets, and what it may return: kinds of events, results, actions.

Results say where the machine goes, and carry actions, which are done in their order:

>>> import trio_otp as otp
>>> otp.NextState("open", otp.StateTimeout(5.0, "close"), otp.NextEvent("opened"))
NextState('open', StateTimeout(5.0, 'close'), NextEvent('opened'))

All of them are plain immutable data, compared by value. A number of seconds that cannot be one is
refused where the action is made.

Follows: the types `event_type()`, `state_callback_result()` and `action()` of `gen_statem`.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .bounded import bounded
from .request import From, check_timeout

if TYPE_CHECKING:
    from .server_loop import Reply, Stop


class Event(enum.Enum):
    """The kinds of events, but for two: a call's is its `otp.From`, a named time-out's its name.

    Members: `CAST`, `INFO`, `INTERNAL` (of `NextEvent`), `ENTER` (the content is the state before),
    `STATE_TIMEOUT` and `EVENT_TIMEOUT`. A named time-out has the kind `TimeoutOf(name)`.
    """

    CAST = "cast"
    INFO = "info"
    INTERNAL = "internal"
    ENTER = "enter"
    STATE_TIMEOUT = "state_timeout"
    EVENT_TIMEOUT = "event_timeout"

    def __repr__(self) -> str:
        """Give the name as it is written in code."""
        return f"Event.{self.name}"


@dataclass(frozen=True, slots=True)
class TimeoutOf:
    """The kind of the event of a `GenericTimeout`."""

    name: Any


Which: TypeAlias = "Event | TimeoutOf"  # names a time-out
Kind: TypeAlias = "Event | TimeoutOf | From[Any]"


# -- actions -------------------------------------------------------------------------------------


class _Shown:
    """Renders an action as the call that makes it, without what has its default."""

    __slots__ = ()
    _quiet: Final[dict[str, Any]] = {"content": None, "absolute": False, "kind": Event.INTERNAL}

    def __repr__(self) -> str:
        held = _fields_of(self)
        shown = [
            f"{name}={value!r}" if name in ("absolute", "kind") else bounded(value)
            for name, value in held.items()
            if name not in self._quiet or value != self._quiet[name]
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, slots=True, repr=False)
class ReplyTo(_Shown):
    """Answer a call of earlier; `otp.Reply(value)` answers the one in hand.

    Args:
        from_: the caller.
        value: the answer; an `outcome.Error(exc)` raises in the caller.
    """

    from_: From[Any]
    value: Any

    def __post_init__(self) -> None:
        if not isinstance(self.from_, From):
            raise TypeError(f"from_={self.from_!r}: accepted is the From that a call came with")


@dataclass(frozen=True, slots=True, repr=False)
class Postpone(_Shown):
    """Handle the event in hand again after the next change of state.

    Args:
        on: False takes back a Postpone that stands before it.
    """

    on: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class NextEvent(_Shown):
    """Handle an event before everything that waits; several keep their order.

    Args:
        content: what the callback gets.
        kind: any kind but `Event.ENTER`.
    """

    content: Any
    kind: Kind = Event.INTERNAL

    def __post_init__(self) -> None:
        if not isinstance(self.kind, Event | TimeoutOf | From) or self.kind is Event.ENTER:
            accepted = "an Event other than ENTER, TimeoutOf(name), or the From of a call"
            raise ValueError(f"kind={self.kind!r}: accepted is {accepted}")


@dataclass(frozen=True, slots=True, repr=False)
class CancelTimeout(_Shown):
    """Stop a time-out; one that does not run is no error."""

    which: Which


@dataclass(frozen=True, slots=True, repr=False)
class UpdateTimeout(_Shown):
    """Change what a running time-out delivers; one that does not run fires at once."""

    which: Which
    content: Any


@dataclass(frozen=True, slots=True, repr=False)
class StateTimeout(_Shown):
    """An event after some time in the same state; leaving the state cancels it.

    Args:
        seconds: from now; 0 fires before any message that is yet to come; None cancels.
        content: what the callback gets.
        absolute: `seconds` is a time of `trio.current_time()`.
    """

    seconds: float | None
    content: Any = None
    absolute: bool = False

    def __post_init__(self) -> None:
        _check_seconds(self.seconds, self.absolute)

    @property
    def which(self) -> Which:
        """Tell which time-out is set."""
        return Event.STATE_TIMEOUT

    @staticmethod
    def cancel() -> CancelTimeout:
        """Give the action that stops it."""
        return CancelTimeout(Event.STATE_TIMEOUT)

    @staticmethod
    def update(content: Any) -> UpdateTimeout:
        """Give the action that changes what it delivers.

        Args:
            content: what the callback gets instead.
        """
        return UpdateTimeout(Event.STATE_TIMEOUT, content)


@dataclass(frozen=True, slots=True, repr=False)
class EventTimeout(_Shown):
    """An event after some time in which no event came; any event cancels it.

    Args:
        seconds: from now; 0 fires unless another event waits; None cancels.
        content: what the callback gets.
        absolute: `seconds` is a time of `trio.current_time()`.
    """

    seconds: float | None
    content: Any = None
    absolute: bool = False

    def __post_init__(self) -> None:
        _check_seconds(self.seconds, self.absolute)

    @property
    def which(self) -> Which:
        """Tell which time-out is set."""
        return Event.EVENT_TIMEOUT

    @staticmethod
    def cancel() -> CancelTimeout:
        """Give the action that stops it. Any event does."""
        return CancelTimeout(Event.EVENT_TIMEOUT)

    @staticmethod
    def update(content: Any) -> UpdateTimeout:
        """Give the action that lets it fire at once, as it never runs while an event is handled.

        Args:
            content: what the callback gets.
        """
        return UpdateTimeout(Event.EVENT_TIMEOUT, content)


@dataclass(frozen=True, slots=True, repr=False)
class GenericTimeout(_Shown):
    """An event after some time, whatever happens; there is one for each name.

    Args:
        name: any hashable value.
        seconds: from now; 0 fires before any message that is yet to come; None cancels.
        content: what the callback gets.
        absolute: `seconds` is a time of `trio.current_time()`.
    """

    name: Any
    seconds: float | None
    content: Any = None
    absolute: bool = False

    def __post_init__(self) -> None:
        hash(self.name)
        _check_seconds(self.seconds, self.absolute)

    @property
    def which(self) -> Which:
        """Tell which time-out is set."""
        return TimeoutOf(self.name)

    @staticmethod
    def cancel(name: Any) -> CancelTimeout:
        """Give the action that stops it.

        Args:
            name: which.
        """
        return CancelTimeout(TimeoutOf(name))

    @staticmethod
    def update(name: Any, content: Any) -> UpdateTimeout:
        """Give the action that changes what it delivers.

        Args:
            name: which.
            content: what the callback gets instead.
        """
        return UpdateTimeout(TimeoutOf(name), content)


@dataclass(frozen=True, slots=True, repr=False)
class ChangeCallbacks(_Shown):
    """Let the methods of another class handle what comes; the instance keeps its attributes."""

    callbacks: type[Any]

    def __post_init__(self) -> None:
        _check_callbacks(self.callbacks)


@dataclass(frozen=True, slots=True, repr=False)
class PushCallbacks(_Shown):
    """As `ChangeCallbacks`, and remember the class for `PopCallbacks`."""

    callbacks: type[Any]

    def __post_init__(self) -> None:
        _check_callbacks(self.callbacks)


@dataclass(frozen=True, slots=True, repr=False)
class PopCallbacks(_Shown):
    """Go back to the class before the last `PushCallbacks`; without one it is a crash."""


def _check_callbacks(callbacks: Any) -> None:
    if not isinstance(callbacks, type) or not hasattr(callbacks, "state_functions"):
        raise TypeError(f"callbacks={bounded(callbacks)}: accepted is a subclass of GenStatem")


def _fields_of(instance: Any) -> dict[str, Any]:
    return {field.name: getattr(instance, field.name) for field in fields(instance)}


def _check_seconds(seconds: object, absolute: bool) -> None:
    if seconds is None or not absolute:
        check_timeout("seconds", seconds)
    elif isinstance(seconds, bool) or not isinstance(seconds, int | float) or math.isnan(seconds):
        raise ValueError(f"seconds={seconds!r}: accepted is a time of trio.current_time()")


if TYPE_CHECKING:
    Answering: TypeAlias = Reply[Any] | ReplyTo
    Action: TypeAlias = (
        Answering
        | Postpone
        | NextEvent
        | StateTimeout
        | EventTimeout
        | GenericTimeout
        | CancelTimeout
        | UpdateTimeout
        | ChangeCallbacks
        | PushCallbacks
        | PopCallbacks
    )


# -- results -------------------------------------------------------------------------------------


class _Result:
    """Renders a result as the call that makes it; its actions stand behind its own arguments."""

    __slots__ = ()

    def __repr__(self) -> str:
        held = _fields_of(self)
        actions = held.pop("actions")
        shown = [*map(bounded, held.values()), *map(repr, actions)]
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, slots=True, repr=False, init=False)
class NextState(_Result):
    """Go to a state; it is a change of state if the state differs from the one before.

    Args:
        state: the state.
        *actions: what to do as well.
    """

    state: Any
    actions: tuple[Action, ...]

    def __init__(self, state: Any, *actions: Action) -> None:
        object.__setattr__(self, "state", state)
        object.__setattr__(self, "actions", actions)


@dataclass(frozen=True, slots=True, repr=False, init=False)
class KeepState(_Result):
    """Stay in the state. None does the same for an event that is no call.

    Args:
        *actions: what to do as well.
    """

    actions: tuple[Action, ...]

    def __init__(self, *actions: Action) -> None:
        object.__setattr__(self, "actions", actions)


@dataclass(frozen=True, slots=True, repr=False, init=False)
class RepeatState(_Result):
    """Stay in the state and run its enter call again.

    It is no change of state: nothing postponed comes back, and the state time-out goes on.

    Args:
        *actions: what to do as well.
    """

    actions: tuple[Action, ...]

    def __init__(self, *actions: Action) -> None:
        object.__setattr__(self, "actions", actions)


@dataclass(frozen=True, slots=True, repr=False, init=False)
class StopAndReply(_Result):
    """Answer calls, then end; `terminate` runs after the answers are out.

    Args:
        reason: the exit reason.
        *actions: `Reply` and `ReplyTo`, nothing else.
    """

    reason: object
    actions: tuple[Answering, ...]

    def __init__(self, reason: object, *actions: Answering) -> None:
        object.__setattr__(self, "reason", reason)
        object.__setattr__(self, "actions", actions)


if TYPE_CHECKING:
    Transition: TypeAlias = NextState | KeepState | RepeatState | StopAndReply | Stop | None
