"""What a state machine that is watched tells of an event: before its callback, and after.

Follows: Erlang's `gen_statem`, its debug events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .._process.request import From
from .effects import Answer, Arm, Become, Fail, Halt, Happening
from .timeouts import Event

if TYPE_CHECKING:
    from .._process.debug import Debug
    from .effects import Effect
    from .engine import Engine


class Watched:
    """An event or enter call in hand; making one tells that it has begun."""

    __slots__ = ("_debug", "_engine", "_event", "_state", "_zero")

    def __init__(self, debug: Debug, engine: Engine, happening: Happening) -> None:
        self._debug = debug
        self._engine = engine
        self._event = engine.event
        self._state = engine.state
        self._zero = engine.zero
        if happening.kind is Event.ENTER:
            debug.event("enter", happening.content, state=engine.state)
        elif isinstance(happening.kind, From):
            debug.event("in", happening.content, client=happening.kind, state=engine.state)
        else:
            debug.event("in", happening, state=engine.state)

    def done(self, effects: list[Effect]) -> None:
        """Report what has come of it."""
        for effect in effects:
            self._tell(effect)
        for which in self._engine.zero:
            if which not in self._zero:
                self._debug.event("insert_timeout", which, state=self._engine.state)
        over = self._engine.event is None
        if over and not any(isinstance(effect, Happening | Halt | Fail) for effect in effects):
            self._move("postpone")

    def _tell(self, effect: Effect) -> None:
        match effect:
            case Answer(from_, value):
                self._debug.event("out", value, client=from_)
            case Happening():
                self._move("consume")
            case Arm(which, _, seconds):
                self._debug.event("start_timer", (which, seconds), state=self._engine.state)
            case Become(callbacks):
                self._debug.event("module", callbacks, state=self._engine.state)
            case _:
                pass

    def _move(self, kind: Literal["consume", "postpone"]) -> None:
        new = self._engine.state
        self._debug.event(kind, self._event, state=self._state, next_state=new)
