"""The kinds of events of a GenStatem, and its time-outs: set, stopped or changed by an action.

There are three kinds of time-outs, which differ in what cancels them: any event, a change of state,
or nothing.

Follows: the types `event_type()` and `timeout_action()` of `gen_statem`.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .._util.bounded import Printable, bounded
from .._util.checks import check_timeout
from .._util.public import public

if TYPE_CHECKING:
    from .._process.request import From


@public
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
        """Return the name as it is written in code."""
        return f"Event.{self.name}"


@public
@dataclass(frozen=True, slots=True, repr=False)
class TimeoutOf(Printable):
    """The kind of the event of a `GenericTimeout`.

    Args:
        name: the name of that time-out.
    """

    name: Any


# Python 3.11 takes a function to find a member of an enum, which is felt for each event.
CAST: Final = Event.CAST
INFO: Final = Event.INFO
ENTER: Final = Event.ENTER
Which: TypeAlias = "Event | TimeoutOf"  # names a time-out
Kind: TypeAlias = "Event | TimeoutOf | From[Any]"


class Shown:
    """Renders an action as the call that makes it, without what has its default."""

    __slots__ = ()
    _quiet: Final[dict[str, Any]] = {"content": None, "absolute": False, "kind": Event.INTERNAL}

    def __repr__(self) -> str:
        held = fields_of(self)
        shown = [
            f"{name}={bounded(value)}" if name in ("absolute", "kind") else bounded(value)
            for name, value in held.items()
            if name not in self._quiet or value != self._quiet[name]
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def fields_of(instance: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name."""
    return {field.name: getattr(instance, field.name) for field in fields(instance)}


@public
@dataclass(frozen=True, slots=True, repr=False)
class CancelTimeout(Shown):
    """Stop a time-out; one that does not run is no error.

    Args:
        which: `Event.STATE_TIMEOUT`, `Event.EVENT_TIMEOUT`, or `TimeoutOf(name)`.
    """

    which: Which


@public
@dataclass(frozen=True, slots=True, repr=False)
class UpdateTimeout(Shown):
    """Change what a running time-out delivers; one that does not run fires at once.

    Args:
        which: as of `CancelTimeout`.
        content: what the callback gets instead.
    """

    which: Which
    content: Any


@public
@dataclass(frozen=True, slots=True, repr=False)
class StateTimeout(Shown):
    """An event after some time in the same state; leaving the state cancels it.

    Args:
        seconds: from now; 0 fires before any message that is yet to come; None cancels.
        content: what the callback gets.
        absolute: `seconds` is a time of `trio.current_time()`.

    >>> import trio_otp as otp
    >>> otp.StateTimeout(5.0, "close"), otp.StateTimeout.cancel(), otp.GenericTimeout("blink", 1)
    (StateTimeout(5.0, 'close'), CancelTimeout(Event.STATE_TIMEOUT), GenericTimeout('blink', 1))
    """

    seconds: float | None
    content: Any = None
    absolute: bool = False

    def __post_init__(self) -> None:
        _check_seconds(self.seconds, self.absolute)

    @property
    def which(self) -> Which:
        """Return which time-out is set."""
        return Event.STATE_TIMEOUT

    @staticmethod
    def cancel() -> CancelTimeout:
        """Return the action that stops it."""
        return CancelTimeout(Event.STATE_TIMEOUT)

    @staticmethod
    def update(content: Any) -> UpdateTimeout:
        """Return the action that changes what it delivers.

        Args:
            content: what the callback gets instead.
        """
        return UpdateTimeout(Event.STATE_TIMEOUT, content)


@public
@dataclass(frozen=True, slots=True, repr=False)
class EventTimeout(Shown):
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
        """Return which time-out is set."""
        return Event.EVENT_TIMEOUT

    @staticmethod
    def cancel() -> CancelTimeout:
        """Return the action that stops it. Any event does."""
        return CancelTimeout(Event.EVENT_TIMEOUT)

    @staticmethod
    def update(content: Any) -> UpdateTimeout:
        """Return the action that lets it fire at once, as it never runs while an event is handled.

        Args:
            content: what the callback gets.
        """
        return UpdateTimeout(Event.EVENT_TIMEOUT, content)


@public
@dataclass(frozen=True, slots=True, repr=False)
class GenericTimeout(Shown):
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
        """Return which time-out is set."""
        return TimeoutOf(self.name)

    @staticmethod
    def cancel(name: Any) -> CancelTimeout:
        """Return the action that stops it.

        Args:
            name: which.
        """
        return CancelTimeout(TimeoutOf(name))

    @staticmethod
    def update(name: Any, content: Any) -> UpdateTimeout:
        """Return the action that changes what it delivers.

        Args:
            name: which.
            content: what the callback gets instead.
        """
        return UpdateTimeout(TimeoutOf(name), content)


def _check_seconds(seconds: object, absolute: bool) -> None:
    if seconds is None or not absolute:
        check_timeout("seconds", seconds)
    elif isinstance(seconds, bool) or not isinstance(seconds, int | float) or math.isnan(seconds):
        raise ValueError(f"seconds={bounded(seconds)}: expected a time of trio.current_time()")
