"""The loop that drives a GenStatem: the thin shell around the pure `engine`.

It turns messages into events, runs the callback of the state, and carries out the effects of what
it returned: answers, timers, the end. What it shares with a GenServer, how it starts, ends, reports
and takes messages, is that of a GenServer, with the same rules; in particular:

* A machine that is exiting answers nobody any more, also if its callback had no checkpoint.
* Events that were inserted or come back are handled without a checkpoint in between, but no more of
  them, and no longer, than messages: a machine that goes on by itself for ever starves nobody.
* A call that is postponed keeps its caller waiting for this machine; one that was handled without
  an answer does not, so that a circle of calls is found only where there is one.

Follows: Erlang's `gen_statem`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Protocol

import trio
from trio.lowlevel import enable_ki_protection

from .._behaviour.messages import STATE, Cast
from .._behaviour.results import OUTCOMES
from .._behaviour.stopping import Stopping
from .._exits.errors import BadReturn
from .._gen_server.handling import Handling
from .._gen_server.message_loop import MessageLoop
from .._gen_server.server import reply
from .._process.mailbox import SystemMessage
from .._process.request import From
from .._process.signals import Down, Exit
from .._process.timers import Timer
from .._util.bounded import bounded, label_of
from .._util.copies import create
from .._util.sent import SENT
from .._util.unset import UNSET
from .actions import KeepState, NextState
from .debugged import Watched
from .effects import Answer, Arm, Become, Disarm, Fail, Halt, Happening, label
from .engine import Engine, same
from .machine_state import MACHINE_STATE
from .postponed import PostponedBound
from .timeouts import CAST, ENTER, INFO, Event

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from .._behaviour.behaviour import Behaviour
    from .._process.process import Process
    from .._process.status import Status
    from .drawing import Edges
    from .effects import Deed, Effect
    from .timeouts import Which

SHOWN_POSTPONED = 500  # characters of what is postponed in a report


class Callbacks(Protocol):
    """The class of a machine, as far as the loop reads it; `GenStatem` says what each part is."""

    initial: Any
    transitions: Mapping[Any, Any]
    state_functions: dict[Any, str]
    _functions_by_id: dict[int, str]

    def declared_from(self, state: object) -> Edges | None:
        """Return the declared transitions of a state; None if it has none."""


@dataclass(frozen=True, slots=True)
class TimerEnded(SystemMessage):
    """A timer's end on its way; it may be out of date when it is read."""

    which: Which
    generation: int


class StatemLoop(MessageLoop):
    """The shell around one instance of a GenStatem."""

    __slots__ = ("_bound", "_happening", "_timers", "_watched", "engine")

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.engine: Engine
        self._timers: dict[Which, Timer] = {}
        self._happening: Any = None  # the event in hand, or the enter call
        self._watched: Watched | None = None  # if somebody watches
        # Holds what is postponed to the bound of the mailbox, if that has one.
        self._bound = None if process.mailbox.bound is None else PostponedBound(process.mailbox)

    @enable_ki_protection
    async def _live(self, make: Callable[[], Behaviour] | None) -> None:
        try:
            await super()._live(make)
        finally:
            self._drop_what_is_left()

    def _drop_what_is_left(self) -> None:
        """Count messages that wait in the engine, as `drop_what_is_left` those in the mailbox."""
        process = self.process
        for happening in () if self.instance is None else self._left():
            if not isinstance(happening.content, Exit | Down):
                process.runtime.drop(process.pid, happening.content, "left when the process ended")

    def _left(self) -> list[Happening]:
        machine: Engine | None = getattr(self.instance, "_machine", None)
        return [] if machine is None else machine.left()

    @property
    def _callbacks(self) -> Callbacks:
        callbacks: Callbacks = self.instance.__class__
        return callbacks

    def _begin(self, result: object) -> None:
        """Make the machine with the first state and the actions that init gave."""
        result = None if result is SENT else result
        callbacks = self._callbacks
        state = result.state if isinstance(result, NextState) else callbacks.initial
        if state is UNSET or not isinstance(result, NextState | KeepState | None):
            accepted = "NextState(state, ...), Stop(reason) or IGNORE"
            more = "; with a class attribute `initial` also None and KeepState(...)"
            raise BadReturn("init", result, accepted + more)
        self.engine = self.instance._machine = Engine(state, callbacks)
        check_state(self._callbacks, self.engine.state)
        self._perform(self.engine.begin(*(() if result is None else result.actions)))
        self._internal = self.engine.next_event()

    state_key = "data"

    def _status(self) -> Status:
        status: Status = self.instance._machine_status()
        return status

    def _shown_state(self, status: Status) -> str:
        shown = f"{bounded(status['state'])} {bounded(status['data'], STATE)}"
        kept = status["postponed"]
        return f"{shown}, postponed {bounded(kept, SHOWN_POSTPONED)}" if kept else shown

    # -- events ------------------------------------------------------------------------------

    def _handle(self, message: Any) -> Coroutine[Any, Any, Any] | None:
        """Call the callback of the state with the event that a message is."""
        process, engine, kind = self.process, self.engine, message.__class__
        if kind is Happening:  # from inside: an enter call, what was inserted, what comes back
            happening = message
            process.current = _as_message(happening)
        elif kind is Cast:
            happening = engine.receive_now(CAST, message.message)
        elif kind is From and message._server is process:
            happening = engine.receive_now(message, message.message)
        else:
            happening = engine.receive_now(INFO, message)
        self._happening = happening
        if process.debug is not None:
            self._watched = Watched(process.debug, engine, happening)
        if process.runtime.events._on_handle:
            self._begin_handling(message, happening)
        instance, state = self.instance, engine.state
        if instance.state_functions:
            function = getattr(instance, function_of(instance.__class__, state))
            result = function(happening.kind, happening.content)
        else:
            result = instance.handle_event(happening.kind, happening.content, state)
        if result.__class__ is CoroutineType:
            return result
        self._done(message, result)
        del result  # the traceback of an error that is the answer may keep this frame alive
        return None

    def _begin_handling(self, message: Any, happening: Happening) -> None:
        """Emit `handle_start` and attach the context of an event, also of a postponed one."""
        if happening is not message and happening.kind is not Event.INFO:
            happening.context = message.context
        elif happening.kind is Event.ENTER and self.engine.event is not None:
            happening.context = self.engine.event.context  # it is part of that event
        kind, content, context = label(happening.kind), happening.content, happening.context
        self._handling = Handling(self.process, kind, content, context)

    def _done(self, message: object, result: object) -> None:
        """Pass the engine what the callback returned, and do what comes of it."""
        if self._handling is not None:
            self._done_told(self._handling, message, result)
            return
        process, engine, happening = self.process, self.engine, self._happening
        if process.pending_exit is not UNSET:
            return
        if isinstance(result, NextState) and engine.callbacks.transitions:
            self._check_declared(result)
        effects = engine.done(result) if self._bound is None else self._bound.done(engine, result)
        if self._watched is not None:
            self._watched.done(effects)
            self._watched = None
        self._perform(effects)
        if MACHINE_STATE._listeners:
            MACHINE_STATE._tell(self.instance, engine.state)
        if happening.kind is not ENTER:
            process.messages_handled += 1
        self._happening = None
        if (next_event := engine.next_event()) is not None:
            next_event = self._waited_for(next_event)
        self._internal = next_event

    def _waited_for(self, happening: Happening | None) -> Happening | None:
        """Return an event, or one after it, but for calls that nobody waits for any more."""
        while happening is not None and happening.kind.__class__ is From:
            call: Any = happening.kind
            if not call.abandoned or not self._passes_over(call):
                break
            call._is_over()
            self.engine.pass_over()
            happening = self.engine.next_event()
        return happening

    async def _system(self, message: SystemMessage) -> None:
        if isinstance(message, TimerEnded):
            self.engine.fired(message.which, message.generation)
            self._internal = self._waited_for(self.engine.next_event())
        else:
            await super()._system(message)

    # -- checks ------------------------------------------------------------------------------

    def _check_declared(self, result: NextState) -> None:
        """Refuse a change of state that the class has not declared, if it declares any."""
        callbacks, old = self._callbacks, self.engine.state
        declared = callbacks.declared_from(old)
        if declared is None or same(old, result.state):
            return
        if not any(same(result.state, target) for _, target in declared):
            known = ", ".join(bounded(target) for _, target in declared) or "no other state"
            who = f"{label_of(callbacks)} in {bounded(old)}"
            raise BadReturn(who, result, f"a declared transition, to {known}")

    # -- effects -----------------------------------------------------------------------------

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Happening):  # each event is over some time
                if isinstance(effect.kind, From):
                    effect.kind._defer()
            elif isinstance(effect, Answer):  # and so is each call
                self._answer(effect.from_, effect.value)
            else:
                self._do(effect)
        check_state(self.engine.callbacks, self.engine.state)

    def _do(self, effect: Deed) -> None:
        match effect:
            case Arm():
                self._arm(effect)
            case Disarm(which):
                self._disarm(which)
            case Become(callbacks):
                self.instance.__class__ = callbacks
                self.process.become(self.instance, callbacks)
            case Halt(reason):
                raise Stopping(reason)
            case Fail(error):
                raise error

    def _answer(self, from_: From[Any], value: object) -> None:
        """Do as `otp.reply`, without an outcome for each value."""
        here = from_._server.runtime is self.process.runtime
        if value.__class__ in OUTCOMES or not here or not from_._answer(value):
            reply(from_, value)

    @enable_ki_protection
    def _arm(self, arm: Arm) -> None:
        self._disarm(arm.which)
        start = 0.0 if arm.absolute else trio.current_time()
        ended = TimerEnded(arm.which, arm.generation)
        timer = create(Timer, start + arm.seconds, partial(self._fire, ended))
        self._timers[arm.which] = timer
        self.process.add_timer(timer)
        self.process.runtime.timers.add(timer)

    @enable_ki_protection
    def _disarm(self, which: Which) -> None:
        timer = self._timers.pop(which, None)
        if timer is not None:
            self.process.remove_timer(timer)
            self.process.runtime.timers.cancel(timer)

    def _fire(self, ended: TimerEnded, timer: Timer) -> None:
        self.process.remove_timer(timer)
        armed = self._timers.get(ended.which)
        if armed is timer:  # pragma: no branch - one that was cancelled never fires
            del self._timers[ended.which]
        if self.process.alive:  # pragma: no branch - its timers end with a process
            self.process.mailbox.put(ended)


def check_state(callbacks: Callbacks, state: object) -> None:
    """Refuse a state without a function, where each is to have one."""
    functions = callbacks.state_functions
    if not functions or id(state) in callbacks._functions_by_id:
        return
    if not isinstance(state, str | enum.Enum) or state not in functions:
        known = ", ".join(map(bounded, functions))
        raise BadReturn(label_of(callbacks), state, f"a state of on_state: {known}")


def function_of(callbacks: Callbacks, state: object) -> str:
    """Return the name of the function of a state."""
    name = callbacks._functions_by_id.get(id(state))
    return callbacks.state_functions[state] if name is None else name


def _as_message(happening: Happening) -> Any:
    """Return an event as the message it came by, as far as there is one: reports show that."""
    kind = happening.kind
    if kind.__class__ is From:
        return kind
    if kind is Event.CAST:
        return Cast(happening.content)
    return happening.content if kind is Event.INFO else happening
