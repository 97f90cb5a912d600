"""The loop that drives a GenStatem: the thin shell around the pure `statem_engine`.

It turns messages into events, runs the callback of the state, and carries out the effects of what
it returned: answers, timers, the end. What it shares with a GenServer, how it starts, ends, reports
and takes messages, is that of `server_loop`, with the same rules; in particular:

* A doomed machine answers nobody any more, also if its callback had no checkpoint.
* Events that were inserted or come back are handled without a checkpoint in between, but no more of
  them, and no longer, than messages: a machine that goes on by itself for ever starves nobody.
* A call that is postponed keeps its caller waiting for this machine; one that was handled without
  an answer does not, so that a circle of calls is found only where there is one.

Follows: Erlang's `gen_statem`.
"""

from __future__ import annotations

import enum
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from .._behaviour.messages import STATE, Cast
from .._behaviour.results import OUTCOMES, Stopping
from .._exits.exits import BadReturn
from .._gen_server.loop import ServerLoop
from .._gen_server.server import reply
from .._process.mailbox import SystemMessage
from .._process.process import UNSET
from .._process.request import From
from .._process.signals import Down, Exit
from .._process.timers import Timer
from .._util.bounded import bounded
from .._util.record import dataclass
from .._util.sent import SENT
from .actions import KeepState, NextState
from .debugged import Watched
from .effects import Answer, Arm, Become, Consumed, Disarm, Fail, Halt, label
from .engine import Engine, same
from .timeouts import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .._behaviour.behaviour import Behaviour
    from .._process.process import Process
    from .._process.status import Status
    from .effects import Deed, Effect, Happening
    from .statem import GenStatem
    from .timeouts import Which

SHOWN_POSTPONED = 500  # characters of what is postponed in a report


@dataclass(frozen=True, slots=True)
class TimerEnded(SystemMessage):
    """A timer's end on its way; it may be out of date when it is read."""

    which: Which
    generation: int


class StatemLoop(ServerLoop):
    """The shell around one instance of a GenStatem."""

    __slots__ = ("_timers", "engine")

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.engine: Engine
        self._timers: dict[Which, Timer] = {}

    @enable_ki_protection
    async def _live(self, make: Callable[[], Behaviour] | None) -> None:
        try:
            await super()._live(make)
        finally:
            self._drop_what_is_left()

    def _drop_what_is_left(self) -> None:
        """Count messages that wait in the engine, as the epilogue counts those in the mailbox."""
        process = self.process
        for happening in () if self.instance is None else self._left():
            if not isinstance(happening.content, Exit | Down):
                process.runtime.drop(process.pid, happening.content, "left when the process ended")

    def _left(self) -> list[Happening]:
        machine: Engine | None = getattr(self.instance, "_machine", None)
        return [] if machine is None else machine.left()

    @property
    def _callbacks(self) -> type[GenStatem[Any]]:
        callbacks: type[GenStatem[Any]] = self.instance.__class__
        return callbacks

    def _began(self, result: Any) -> None:
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

    state_key = "data"

    def _status(self) -> Status:
        status: Status = self.instance._machine_status()
        return status

    def _shown_state(self, status: Status) -> str:
        shown = f"{bounded(status['state'])} {bounded(status['data'], STATE)}"
        kept = status["postponed"]
        return f"{shown}, postponed {bounded(kept, SHOWN_POSTPONED)}" if kept else shown

    # -- events ------------------------------------------------------------------------------

    @disable_ki_protection
    async def _serve(self) -> None:  # noqa: PLR0912 - see below
        # The path of each event, written out as that of a GenServer's messages. Ctrl-C may get in
        # at any line, as there.
        process, hooks, now = self.process, self.process.runtime.events, self.process.runtime.now
        mailbox, queue, engine = process.mailbox, process.mailbox.queue, self.engine
        while True:
            happening = engine.next_event()
            if happening is not None:
                await self._pause_at_times()
                process.current = _as_message(happening)
            else:
                if not queue and process.pending_exit is UNSET:
                    await mailbox.wait()
                    self._begin_burst()
                if queue and self._budget > 0 and process.pending_exit is UNSET:
                    self._budget -= 1
                    message = queue.popleft()
                else:
                    message = await self._next()
                kind = message.__class__
                if kind is Cast and process.debug is None:
                    happening = engine.receive_now(Event.CAST, message.message)
                elif kind is From and message.server is process and process.debug is None:
                    happening = engine.receive_now(message, message.message)
                else:
                    happening = await self._receive(message)
                    if happening is None:
                        message = UNSET
                        continue
                    message = _as_message(happening)
                process.current = message
            process.since = since = now()
            if since >= self._until:
                self._budget = 0
            watched = None if process.debug is None else Watched(process.debug, engine, happening)
            result = self._handle(happening)
            if result.__class__ is CoroutineType:
                result = await result
            if hooks.handle_stop is not None:
                self.emit_stop(label(happening.kind), happening.content)
            if process.pending_exit is not UNSET:
                await trio.lowlevel.checkpoint()
            self._done(happening, result, watched)
            happening = watched = None
            message = result = process.current = UNSET  # while it waits it holds nothing

    async def _receive(self, message: Any) -> Happening | None:
        """Take what is no call or cast, or anything if somebody watches; give the event it is."""
        debug = self.process.debug
        if debug is not None and debug.gates and not self._is_for_loop(message):
            message = await debug.admit(message)
        if message.__class__ is From and message.server is self.process:
            return self.engine.receive_now(message, message.message)
        if message.__class__ is Cast:
            return self.engine.receive_now(Event.CAST, message.message)
        if message.__class__ is TimerEnded:
            self.engine.fired(message.which, message.generation)
        elif isinstance(message, SystemMessage):
            await self._system(message)
        elif self._is_from_above(message):
            raise Stopping(message.reason)
        else:
            return self.engine.receive_now(Event.INFO, message)
        return self.engine.next_event()

    def _is_for_loop(self, message: Any) -> bool:
        system = isinstance(message, SystemMessage) and message.__class__ is not Cast
        return system or self._is_from_above(message)

    async def _pause_at_times(self) -> None:
        """Let others run now and then, as between messages."""
        if self._budget <= 0 or self.process.runtime.now() >= self._until:
            await trio.lowlevel.checkpoint()
            self._begin_burst()
        self._budget -= 1

    def _handle(self, happening: Happening) -> Any:
        """Return what the callback of the state returned, which may be to be awaited."""
        instance, state, kind = self.instance, self.engine.state, happening.kind
        hook = self.process.runtime.events.handle_start
        if hook is not None:
            hook(self.process.pid, label(kind), happening.content)
        if instance.state_functions:
            function = getattr(instance, function_of(instance.__class__, state))
            return function(kind, happening.content)
        return instance.handle_event(kind, happening.content, state)

    def _done(self, happening: Happening, result: Any, watched: Watched | None) -> None:
        if isinstance(result, NextState) and self._callbacks.transitions:
            self._check_declared(result)
        effects = self.engine.done(result)
        if watched is not None:
            watched.done(effects)
        self._perform(effects)
        if happening.kind is not Event.ENTER:
            self.process.messages_handled += 1

    # -- checks ------------------------------------------------------------------------------

    def _check_declared(self, result: NextState) -> None:
        """Refuse a change of state that the class has not declared, if it declares any."""
        callbacks, old = self._callbacks, self.engine.state
        declared = callbacks.declared_from(old)
        if declared is None or same(old, result.state):
            return
        if not any(same(result.state, target) for _, target in declared):
            known = ", ".join(bounded(target) for _, target in declared) or "no other state"
            who = f"{callbacks.__name__} in {bounded(old)}"
            raise BadReturn(who, result, f"a declared transition, to {known}")

    # -- effects -----------------------------------------------------------------------------

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Consumed):  # there is one for each event
                if isinstance(effect.happening.kind, From):
                    effect.happening.kind.defer()
            else:
                self._do(effect)
        check_state(self._callbacks, self.engine.state)

    def _do(self, effect: Deed) -> None:
        match effect:
            case Answer(from_, value):
                self._answer(from_, value)
            case Arm():
                self._arm(effect)
            case Disarm(which):
                self._disarm(which)
            case Become(callbacks):
                self.instance.__class__ = self.process.behaviour = callbacks
            case Halt(reason):
                raise Stopping(reason)
            case Fail(error):
                raise error

    def _answer(self, from_: From[Any], value: Any) -> None:
        """Do as `otp.reply`, without an outcome for each value."""
        here = from_.server.runtime is self.process.runtime
        if value.__class__ in OUTCOMES or not here or not from_.answer(value):
            reply(from_, value)

    @enable_ki_protection
    def _arm(self, arm: Arm) -> None:
        self._disarm(arm.which)
        start = 0.0 if arm.absolute else trio.current_time()
        ended = TimerEnded(arm.which, arm.generation)
        timer = self._timers[arm.which] = Timer(start + arm.seconds, partial(self._fire, ended))
        self.process.timers[timer] = None
        self.process.runtime.timers.add(timer)

    @enable_ki_protection
    def _disarm(self, which: Which) -> None:
        timer = self._timers.pop(which, None)
        if timer is not None:
            self.process.timers.pop(timer, None)
            self.process.runtime.timers.cancel(timer)

    def _fire(self, ended: TimerEnded, timer: Timer) -> None:
        self.process.timers.pop(timer, None)
        if self._timers.get(ended.which) is timer:
            del self._timers[ended.which]
        if self.process.alive:
            self.process.mailbox.put(ended)


def check_state(callbacks: type[GenStatem[Any]], state: Any) -> None:
    """Refuse a state without a function, where each is to have one."""
    functions = callbacks.state_functions
    if not functions or id(state) in callbacks._functions_by_id:
        return
    if not isinstance(state, str | enum.Enum) or state not in functions:
        known = ", ".join(map(bounded, functions))
        raise BadReturn(f"{callbacks.__name__}", state, f"a state of on_state: {known}")


def function_of(callbacks: type[GenStatem[Any]], state: Any) -> str:
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
