"""The core of a GenStatem: events and results of callbacks in, effects out. Pure: no Trio.

The shell (`loop`) asks `next_event` what to handle, runs the callback, gives what it
returned to `done`, and carries out the effects in their order. If `next_event` has nothing, the
shell waits for a message and tells `receive`, or `fired` for a timer.

Rules, after OTP's `gen_statem`:

* The state has changed only if the new one differs from the old one, by type or by value. Then
  what was postponed comes back, oldest first, and the state time-out is cancelled.
* Order: the enter call, then inserted events, then those that were postponed, then time-outs of
  zero seconds, then what the mailbox holds.
* The time-outs of an event and of the enter calls it brings are one list, in which the last one of
  a kind counts. It is carried out after the enter calls.
* Any event cancels the event time-out, a change of state the state time-out, nothing a named one.

The time-outs that run are in `running_timeouts`.

Follows: `gen_statem`, types `transition_option()` and `timeout_action()`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from .._behaviour.results import Reply, Stop
from .._exits.errors import BadReturn
from .._util.bounded import bounded
from .._util.sent import SENT
from .._util.unset import UNSET
from .actions import (
    ChangeCallbacks,
    KeepState,
    NextEvent,
    NextState,
    PopCallbacks,
    Postpone,
    PushCallbacks,
    RepeatState,
    ReplyTo,
    StopAndReply,
    hint_for_action,
    hint_for_result,
)
from .effects import Answer, Become, Fail, Halt, Happening
from .running_timeouts import RunningTimeouts
from .timeouts import (
    CancelTimeout,
    Event,
    EventTimeout,
    GenericTimeout,
    StateTimeout,
    TimeoutOf,
    UpdateTimeout,
)

if TYPE_CHECKING:
    from .effects import Effect
    from .timeouts import Kind, Which

_SET: Final = (StateTimeout, EventTimeout, GenericTimeout)
_NO_CALLS: Final = (Event, TimeoutOf)  # kinds of events; any other is the `From` of a call
_TIMEOUTS: Final = (*_SET, CancelTimeout, UpdateTimeout)
_ANSWERS: Final = (Reply, ReplyTo)
_BECOME: Final = (ChangeCallbacks, PushCallbacks, PopCallbacks)
_RESULTS: Final = (NextState, KeepState, RepeatState)
_KEEP: Final = KeepState()
_ACCEPTED: Final = "NextState(state, ...), KeepState(...), RepeatState(...) or Stop(reason)"


class Engine:
    """One machine.

    Args:
        state: the first state.
        callbacks: the class that handles events; its `state_enter` says whether there are enter
            calls.
    """

    __slots__ = (
        "_changed",
        "_entering",
        "_inserted",
        "_old",
        "_postpone",
        "_queue",
        "_set",
        "_stack",
        "callbacks",
        "event",
        "postponed",
        "state",
        "timeouts",
    )

    def __init__(self, state: Any, callbacks: Any) -> None:
        self.state = state
        self.callbacks: Any = callbacks
        self.postponed: list[Happening] = []  # oldest first
        self.timeouts = RunningTimeouts()
        self._queue: deque[Happening] = deque()
        self._stack: list[Any] = []  # of classes below `callbacks`
        self._entering = False  # an enter call is due, or in hand
        self._old: Any = None  # the state it comes from
        # The event in hand, until its enter calls are over as well, and what they have asked for.
        self.event: Happening | None = None
        self._changed = False
        self._postpone = False
        self._inserted: list[Happening] = []
        self._set: dict[Which, Any] = {}  # of time-outs the last action of a kind, in its place

    # -- events ------------------------------------------------------------------------------

    def begin(self, *actions: Any) -> list[Effect]:
        """Start with the actions of init; the first enter call comes from the state itself."""
        effects: list[Effect] = []
        self.event = Happening(Event.INTERNAL, "init")
        try:
            self._act(actions, effects)
        except BadReturn as exc:
            return [*effects, Fail(exc)]
        self._postpone = False
        self._entering, self._old = self.callbacks.state_enter, self.state
        if not self._entering:
            self._settle(effects)
        return [effect for effect in effects if not isinstance(effect, Happening)]

    def next_event(self) -> Happening | None:
        """Return what is to be handled now: an enter call, a waiting event; None if nothing is."""
        if self._entering:
            return Happening(Event.ENTER, self._old)
        if self._queue:
            happening = self._queue.popleft()
        elif self.timeouts.zero:
            happening = self.timeouts.take_zero()
        else:
            return None
        self.event = happening
        return happening

    def pass_over(self) -> None:
        """Leave the event that `next_event` has given unhandled."""
        self.event = None

    def receive(self, kind: Kind, content: Any) -> None:
        """Take an event from outside."""
        self._queue.append(Happening(kind, content))

    def receive_now(self, kind: Kind, content: Any) -> Happening:
        """Take one that is handled at once, as `next_event` has said that nothing else waits."""
        self.event = happening = Happening(kind, content)
        return happening

    def fired(self, which: Which, generation: int) -> None:
        """Take the end of a timer, if it is not out of date."""
        happening = self.timeouts.take_fired(which, generation)
        if happening is not None:
            self._queue.append(happening)

    @property
    def queue(self) -> tuple[Happening, ...]:
        """The events that are handled before any new message."""
        return tuple(self._queue)

    @property
    def zero(self) -> tuple[Which, ...]:
        """The time-outs of zero seconds that wait, in their order."""
        return tuple(self.timeouts.zero)

    def left(self) -> list[Happening]:
        """Return what waits, postponed or not, and came from outside or could have."""
        return [h for h in (*self.postponed, *self._queue) if h.kind in (Event.CAST, Event.INFO)]

    # -- results -----------------------------------------------------------------------------

    def done(self, result: Any) -> list[Effect]:
        """Take what the callback returned for the event that `next_event` gave."""
        effects: list[Effect] = []
        try:
            if self._entering:
                self._take_entered(result, effects)
            else:
                self._take(result, effects)
        except BadReturn as exc:
            effects.append(Fail(exc))
        return effects

    def _take(self, result: Any, effects: list[Effect]) -> None:
        if (result is None or result is SENT) and isinstance(self._in_hand().kind, _NO_CALLS):
            result = _KEEP
        elif not isinstance(result, _RESULTS):
            if self._stops(result, effects):
                return
            raise BadReturn(self._callback(), result, _ACCEPTED + hint_for_result(result))
        if result.actions:
            self._act(result.actions, effects)
        old, self._changed = self.state, False
        if isinstance(result, NextState):
            self.state = result.state
            self._changed = not same(old, result.state)
        if (self._changed or isinstance(result, RepeatState)) and self.callbacks.state_enter:
            self._entering, self._old = True, old
        else:
            self._settle(effects)

    def _take_entered(self, result: Any, effects: list[Effect]) -> None:
        if self._stops(result, effects):
            return
        if result is None or result is SENT:
            result = KeepState()
        moves = isinstance(result, NextState) and not same(self.state, result.state)
        if moves or not isinstance(result, _RESULTS):
            accepted = "KeepState(...), RepeatState(...), Stop(reason), or None"
            raise BadReturn(
                self._callback(), result, f"{accepted}; an enter call cannot change the state"
            )
        self._act(result.actions, effects)
        if not isinstance(result, RepeatState):
            self._settle(effects)

    def _stops(self, result: Any, effects: list[Effect]) -> bool:
        if isinstance(result, Stop):
            answers: list[Reply[Any]] = [] if result.reply is UNSET else [Reply(result.reply)]
            result = StopAndReply(result.reason, *answers)
        if not isinstance(result, StopAndReply):
            return False
        given: tuple[Any, ...] = result.actions
        for action in given:
            if not isinstance(action, _ANSWERS):
                raise BadReturn("StopAndReply", action, "Reply(value) or ReplyTo(from_, value)")
            effects.append(self._answer(action))
        effects.append(Halt(result.reason))
        return True

    def _callback(self) -> str:
        what = f"enter call of {bounded(self.state)}" if self._entering else bounded(self.state)
        return f"{getattr(self.callbacks, '__name__', 'machine')} in {what}"

    def _in_hand(self) -> Happening:
        if self.event is None:
            raise RuntimeError("done() without an event of next_event()")
        return self.event

    # -- actions -----------------------------------------------------------------------------

    def _act(self, actions: tuple[Any, ...], effects: list[Effect]) -> None:
        for action in actions:
            if isinstance(action, _ANSWERS):
                effects.append(self._answer(action))
            elif isinstance(action, _TIMEOUTS):
                self._set.pop(action.which, None)
                self._set[action.which] = action
            elif isinstance(action, Postpone) and not self._entering:
                self._postpone = action.on
            elif isinstance(action, NextEvent) and not self._entering:
                context = self._in_hand().context
                self._inserted.append(Happening(action.kind, action.content, context))
            elif isinstance(action, _BECOME):
                effects.append(self._become(action))
            else:
                accepted = self._accepted_actions() + hint_for_action(action)
                raise BadReturn(self._callback(), action, accepted)

    def _accepted_actions(self) -> str:
        always = "Reply, ReplyTo, time-outs and changes of callbacks"
        return f"{always} in an enter call" if self._entering else f"Postpone, NextEvent, {always}"

    def _answer(self, action: Any) -> Answer:
        if isinstance(action, ReplyTo):
            return Answer(action.from_, action.value)
        kind = self._in_hand().kind
        if isinstance(kind, _NO_CALLS):
            accepted = "ReplyTo(from_, value), since no call is being handled"
            raise BadReturn(self._callback(), action, accepted)
        if action.timeout is not None or action.continue_ is not None:
            accepted = "Reply(value); write EventTimeout and NextEvent for the rest"
            raise BadReturn(self._callback(), action, accepted)
        return Answer(kind, action.value)

    def _become(self, action: ChangeCallbacks | PushCallbacks | PopCallbacks) -> Become:
        if isinstance(action, PushCallbacks):
            self._stack.append(self.callbacks)
        if isinstance(action, PopCallbacks):
            if not self._stack:
                raise BadReturn(self._callback(), action, "a PushCallbacks before it")
            self.callbacks = self._stack.pop()
        else:
            self.callbacks = action.callbacks
        return Become(self.callbacks)

    # -- transitions -------------------------------------------------------------------------

    def _settle(self, effects: list[Effect]) -> None:
        """Carry out what the event and its enter calls have asked for."""
        event = self._in_hand()
        self.event, self._entering, self._old = None, False, None
        if self._postpone:
            self._postpone = False
            self.postponed.append(event)
        else:
            effects.append(event)
        if self._changed and self.postponed:
            self._queue.extendleft(reversed(self.postponed))
            self.postponed.clear()
        if self.timeouts:
            if self._changed:
                self.timeouts.cancel(Event.STATE_TIMEOUT, effects)
            self.timeouts.cancel(Event.EVENT_TIMEOUT, effects)
        if self._set:
            for which, action in self._set.items():
                self.timeouts.carry_out(which, action, effects)
            self._set.clear()
        if self._inserted:
            self._queue.extendleft(reversed(self._inserted))
            self._inserted.clear()


def same(one: Any, other: Any) -> bool:
    """Check whether two states are one: of the same type, and equal."""
    return one is other or (type(one) is type(other) and bool(one == other))
