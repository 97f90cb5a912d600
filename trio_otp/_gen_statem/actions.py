"""What a callback of a GenStatem may return: results, with actions behind them.

Results say where the machine goes, and carry actions, which are done in their order. All of them
are plain immutable data, compared by value. A number of seconds that cannot be one is refused where
the action is made.

Follows: the types `state_callback_result()` and `action()` of `gen_statem`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from .._behaviour.results import Reply
from .._process.caller import Caller
from .._util.bounded import bounded
from .._util.public import public
from .timeouts import Event, Shown, TimeoutOf, fields_of

if TYPE_CHECKING:
    from .._process.request import From
    from .timeouts import (
        CancelTimeout,
        EventTimeout,
        GenericTimeout,
        Kind,
        StateTimeout,
        UpdateTimeout,
    )


@public
@dataclass(frozen=True, slots=True, repr=False)
class ReplyTo(Shown):
    """Answer a call of earlier; `otp.Reply(value)` answers the one in hand.

    Args:
        from_: the caller.
        value: the answer; an `outcome.Error(exc)` raises in the caller.
    """

    from_: From[Any]
    value: Any

    def __post_init__(self) -> None:
        if not isinstance(self.from_, Caller):
            raise TypeError(f"from_={bounded(self.from_)}: expected the From of a call")


@public
@dataclass(frozen=True, slots=True, repr=False)
class Postpone(Shown):
    """Handle the event in hand again after the next change of state.

    Args:
        on: False takes back a Postpone that stands before it.
    """

    on: bool = True


@public
@dataclass(frozen=True, slots=True, repr=False)
class NextEvent(Shown):
    """Handle an event before everything that waits; several keep their order.

    Args:
        content: what the callback gets.
        kind: any kind but `Event.ENTER`.
    """

    content: Any
    kind: Kind = Event.INTERNAL

    def __post_init__(self) -> None:
        if not isinstance(self.kind, Event | TimeoutOf | Caller) or self.kind is Event.ENTER:
            accepted = "an Event other than ENTER, TimeoutOf(name), or the From of a call"
            raise ValueError(f"kind={bounded(self.kind)}: expected {accepted}")


@public
@dataclass(frozen=True, slots=True, repr=False)
class ChangeCallbacks(Shown):
    """Hand what comes to the methods of another class; the instance keeps its attributes.

    Args:
        callbacks: that class, a `GenStatem`.
    """

    callbacks: type[Any]

    def __post_init__(self) -> None:
        _check_callbacks(self.callbacks)


@public
@dataclass(frozen=True, slots=True, repr=False)
class PushCallbacks(Shown):
    """As `ChangeCallbacks`, and remember the class for `PopCallbacks`.

    Args:
        callbacks: the class that takes over, a `GenStatem`.
    """

    callbacks: type[Any]

    def __post_init__(self) -> None:
        _check_callbacks(self.callbacks)


@public
@dataclass(frozen=True, slots=True, repr=False)
class PopCallbacks(Shown):
    """Go back to the class before the last `PushCallbacks`; without one it is a crash."""


def _check_callbacks(callbacks: object) -> None:
    if not isinstance(callbacks, type) or not hasattr(callbacks, "state_functions"):
        raise TypeError(f"callbacks={bounded(callbacks)}: expected a subclass of GenStatem")


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
        held = fields_of(self)
        actions = held.pop("actions")
        shown = map(bounded, [*held.values(), *actions])
        return f"{type(self).__name__}({', '.join(shown)})"


@public
@dataclass(frozen=True, slots=True, repr=False, init=False)
class NextState(_Result):
    """Go to a state; it is a change of state if the state differs from the one before.

    Args:
        state: the state.
        *more: what to do as well.
        actions: the same, as one tuple, as `dataclasses.replace` passes it on.

    >>> import trio_otp as otp
    >>> otp.NextState("open", otp.StateTimeout(5.0, "close"), otp.NextEvent("opened"))
    NextState('open', StateTimeout(5.0, 'close'), NextEvent('opened'))
    """

    state: Any
    actions: tuple[Action, ...]

    def __init__(self, state: object, *more: Action, actions: tuple[Action, ...] = ()) -> None:
        _set_state(self, state)
        _set_next_actions(self, more or actions)


@public
@dataclass(frozen=True, slots=True, repr=False, init=False)
class KeepState(_Result):
    """Stay in the state. None does the same for an event that is no call.

    Args:
        *more: what to do as well.
        actions: the same, as one tuple, as `dataclasses.replace` passes it on.
    """

    actions: tuple[Action, ...]

    def __init__(self, *more: Action, actions: tuple[Action, ...] = ()) -> None:
        _set_kept_actions(self, more or actions)


# Of frozen instances: half of the time of `object.__setattr__`, for each event of a machine.
_set_state: Any = vars(NextState)["state"].__set__
_set_next_actions: Any = vars(NextState)["actions"].__set__
_set_kept_actions: Any = vars(KeepState)["actions"].__set__


@public
@dataclass(frozen=True, slots=True, repr=False, init=False)
class RepeatState(_Result):
    """Stay in the state and run its enter call again.

    It is no change of state: nothing postponed comes back, and the state time-out goes on.

    Args:
        *more: what to do as well.
        actions: the same, as one tuple, as `dataclasses.replace` passes it on.
    """

    actions: tuple[Action, ...]

    def __init__(self, *more: Action, actions: tuple[Action, ...] = ()) -> None:
        object.__setattr__(self, "actions", more or actions)


@public
@dataclass(frozen=True, slots=True, repr=False, init=False)
class StopAndReply(_Result):
    """Answer calls, then end; `terminate` runs after the answers are out.

    Args:
        reason: the exit reason.
        *more: `Reply` and `ReplyTo`, nothing else.
        actions: the same, as one tuple, as `dataclasses.replace` passes it on.
    """

    reason: object
    actions: tuple[Answering, ...]

    def __init__(
        self, reason: object, *more: Answering, actions: tuple[Answering, ...] = ()
    ) -> None:
        object.__setattr__(self, "reason", reason)
        object.__setattr__(self, "actions", more or actions)


def hint_for_result(result: object) -> str:
    """Suggest what was meant by something that a callback may not return.

    Args:
        result: what it returned.

    >>> hint_for_result(None)
    '; to answer later write KeepState()'
    """
    if result is None:
        return "; to answer later write KeepState()"
    name = type(result).__name__
    if isinstance(result, Reply | ReplyTo | Postpone | NextEvent):
        return f"; write KeepState({name}(...))"
    return _not_called(result)


def hint_for_action(action: object) -> str:
    """Suggest what was meant by something that is not an action.

    Args:
        action: what stood among the actions.

    >>> hint_for_action([Postpone()])
    '; write KeepState(one, two), not a list'
    """
    if isinstance(action, list | tuple):
        return "; write KeepState(one, two), not a list"
    return _not_called(action)


def _not_called(what: object) -> str:
    name = getattr(what, "__qualname__", None)
    return f"; write {name}(...)" if callable(what) and name else ""
