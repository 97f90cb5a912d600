"""What goes into the engine of a GenStatem and what comes out: events, and effects to carry out.

Among the effects of an event is the event itself, once it is over and was not postponed: if it was
a call, it is answered or will be.

Follows: nothing of OTP; its `gen_statem` acts at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from .._util.bounded import bounded
from .timeouts import Event, TimeoutOf

if TYPE_CHECKING:
    from .timeouts import Kind, Which


# This and `Answer` are not frozen, as there is one for each event: it would take twice as long.
@dataclass(slots=True, unsafe_hash=True)
class Happening:
    """An event: its kind, its content, and what has travelled with it."""

    kind: Kind
    content: Any
    context: Any = field(default=None, compare=False)

    def __repr__(self) -> str:
        return f"{label(self.kind)} {bounded(self.content)}"


def label(kind: Kind) -> str:
    """Return the short name of a kind."""
    if isinstance(kind, Event):
        return kind.value
    return f"timeout {bounded(kind.name)}" if isinstance(kind, TimeoutOf) else "call"


@dataclass(slots=True, unsafe_hash=True)
class Answer:
    """Answer a call."""

    from_: Any
    value: Any


@dataclass(frozen=True, slots=True)
class Arm:
    """Start a timer, in place of the one of the same kind; its end goes to `fired`."""

    which: Which
    generation: int
    seconds: float
    absolute: bool = False


@dataclass(frozen=True, slots=True)
class Disarm:
    """Stop the timer of a kind."""

    which: Which


@dataclass(frozen=True, slots=True)
class Become:
    """Hand what comes to another class."""

    callbacks: type[Any]


@dataclass(frozen=True, slots=True)
class Halt:
    """End with a reason."""

    reason: object


@dataclass(frozen=True, slots=True)
class Fail:
    """End with an error of the callback; what stands before it in the list is done."""

    error: Exception


Deed: TypeAlias = Arm | Disarm | Become | Halt | Fail
Effect: TypeAlias = Answer | Deed | Happening
