"""GenStatem: a process that is in one of several states, and does in each what that state says.

**Why.** In a GenServer every handler begins with "if we are connected ..."; what comes too early
has to be kept somewhere, and each timer needs a flag that says whether it still counts. Here the
state decides which function handles an event, an event can be postponed until the state has
changed, and a time-out ends with what it belongs to.

**Client side** it is a server like any other: `otp.call`, `otp.cast`, `otp.send`, `otp.stop`, with
the time-outs and errors of those. Postponed calls wait as long as their callers do.

**Server side** a callback gets the kind of an event and its content. The kind of a call is the
`otp.From` of its caller, any other is a member of `otp.Event` or a `TimeoutOf(name)`. It returns
`NextState`, `KeepState`, `RepeatState`, `StopAndReply` or `Stop`, the first three with actions
behind them, or None to stay; None for a call is a crash, since its caller would wait for nothing.
The instance holds the data, and `self.state` is the state, which only results change. There are two
ways to write callbacks: a function for each state, by `on_state`, as above, or one `handle_event`
for all, with any comparable value as a state. An event nobody thought of falls through the `match`;
close it with a `case _` that does what you want then.

**Supervise** it as a server: the class is its own child specification, and a restart begins again
in the first state.

**When not to use it.** If there is one state, or if states differ in one handler only, a GenServer
is shorter. If the states are steps of one task that nobody talks to, write an async function: its
line of code is the state.

Follows: Erlang's `gen_statem`. Differences: an undeclared change of state is refused if a state
declares any, so a drawing does not lie; there is no hibernation; a call waits 5 seconds
unless it is told otherwise.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .._behaviour.behaviour import Behaviour
from .._behaviour.class_checks import check_method
from .._behaviour.messages import as_log
from .._exits.errors import BadReturn, NoCallback, SpecError
from .._process.status import formatted
from .._util.bounded import bounded
from .._util.public import public
from .._util.unset import UNSET
from .actions import NextState
from .drawing import Drawing, edges_of
from .loop import StatemLoop, check_state
from .machine_state import MACHINE_STATE, HasState, MachineState

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .._process.process import Process
    from .drawing import Edges, Targets
    from .engine import Engine
    from .timeouts import Kind

S = TypeVar("S")
F = TypeVar("F", bound="Callable[..., Any]")
_MARK = "_otp_on_state"


@public
class GenStatem(Behaviour, HasState[S]):
    """The base class of state machines; `GenStatem[State]` says what its states are.

    The constructor runs in the new process, before `init`, at every start and restart. It and every
    callback may be `def` or, but for the constructor, `async def`. A callback that raises crashes
    the machine, as in a GenServer.

    Class attributes:
        initial: the first state, unless `init` gives one.
        state_enter: whether the callback of a state is called with `Event.ENTER` and the state
            before when the machine comes into it. It may then change nothing but data and
            time-outs, and answer calls.
        transitions: the declared transitions, as `{state: targets}` with targets as for
            `on_state(to=)`, for a machine with `handle_event`.

    >>> import enum, trio, trio_otp as otp
    >>> class Turnstile(otp.GenStatem["Turnstile.State"]):
    ...     class State(enum.Enum):
    ...         LOCKED = "locked"
    ...         OPEN = "open"
    ...     initial = State.LOCKED
    ...     def __init__(self) -> None:
    ...         self.coins = 0
    ...     @otp.on_state(State.LOCKED, to={"coin": State.OPEN})
    ...     def locked(self, kind, content):
    ...         match kind, content:
    ...             case otp.Event.CAST, "coin":
    ...                 self.coins += 1
    ...                 return otp.NextState(self.State.OPEN, otp.StateTimeout(5.0))
    ...             case otp.From(), "push":
    ...                 return otp.KeepState(otp.Postpone())    # until it is open
    ...             case otp.From(), "coins":
    ...                 return otp.KeepState(otp.Reply(self.coins))
    ...     @otp.on_state(State.OPEN, to={"push, or 5 s": State.LOCKED})
    ...     async def open(self, kind, content):
    ...         match kind, content:
    ...             case otp.From(), "push":
    ...                 return otp.NextState(self.State.LOCKED, otp.Reply("through"))
    ...             case otp.From(), "coins":
    ...                 return otp.KeepState(otp.Reply(self.coins))
    ...             case otp.Event.STATE_TIMEOUT, _:
    ...                 return otp.NextState(self.State.LOCKED)
    >>> async def main():
    ...     async with otp.open_supervisor([otp.child(Turnstile).having(name="gate")]):
    ...         async with trio.open_nursery() as nursery:
    ...             async def visitor():
    ...                 print(await otp.call("gate", "push"))
    ...             nursery.start_soon(visitor)
    ...             await trio.testing.wait_all_tasks_blocked()
    ...             otp.cast("gate", "coin")
    ...         print(await otp.call("gate", "coins"))
    >>> import trio.testing
    >>> trio.run(main)
    through
    1
    >>> print(Turnstile.to_mermaid(), end="")
    stateDiagram-v2
        LOCKED
        OPEN
        [*] --> LOCKED
        LOCKED --> OPEN: coin
        OPEN --> LOCKED: push, or 5 s
    """

    __slots__ = ("_machine",)
    _machine: Engine

    system_module: ClassVar[str] = "gen_statem"
    takes_marks: ClassVar[tuple[str, ...]] = ("gen_statem",)
    initial: ClassVar[Any] = UNSET
    state_enter: ClassVar[bool] = False
    transitions: ClassVar[Mapping[Any, Any]] = {}
    state_functions: ClassVar[dict[Any, str]] = {}  # {state: method of `on_state`}
    # The same by the identity of the states: an enum hashes its members in Python, for each event.
    _functions_by_id: ClassVar[dict[int, str]] = {}

    @classmethod
    def _enter(cls, members: dict[str, Any]) -> None:
        """Enter the state functions of the class.

        Raises:
            SpecError: a state has two functions, or there is a `handle_event` beside them; a class
                attribute has a value that is not accepted.
        """
        cls._check_attributes()
        own: dict[Any, str] = {}
        transitions = dict(cls.transitions)
        for name, member in members.items():
            mark: _OnState | None = getattr(member, _MARK, None)
            for state in () if mark is None else mark.states:
                if state in own:
                    raise SpecError(f"{cls.__name__}: {own[state]} and {name} are for {state!r}")
                own[state] = name
                if mark is not None and mark.to is not None:
                    transitions[state] = mark.to
                elif "transitions" not in vars(cls):
                    transitions.pop(state, None)  # of a base class
        cls.state_functions = {**cls.state_functions, **own}
        cls._functions_by_id = {id(state): name for state, name in cls.state_functions.items()}
        cls.transitions = transitions
        if cls.state_functions and cls.handle_event is not vars(GenStatem)["handle_event"]:
            raise SpecError(
                f"{cls.__name__} has on_state and handle_event; expected only one of them"
            )

    @classmethod
    def _check_attributes(cls) -> None:
        enter: object = cls.state_enter
        if not isinstance(enter, bool):
            what = f"class {cls.__name__}: state_enter={bounded(enter)}"
            raise SpecError(f"{what}: expected True or False")
        transitions: object = cls.transitions
        if not isinstance(transitions, Mapping):
            what = f"class {cls.__name__}: transitions={bounded(transitions)}"
            raise SpecError(f"{what}: expected a dict of each state and its target states")

    # The state the machine is in; `otp.watch(ref, Machine.state)` follows it.
    state: MachineState = MACHINE_STATE

    def init(self) -> Any:
        """Prepare; the starter waits until it is over.

        Returns:
            `NextState(state, *actions)` with the first state, `KeepState(*actions)` or None for
            that of `initial`, `Stop(reason)` or `IGNORE`.
        """

    def handle_event(self, kind: Kind, content: Any, state: S) -> Any:
        """Handle an event, in any state; for machines without `on_state`.

        Args:
            kind: the `From` of a call, a member of `Event`, or `TimeoutOf(name)`.
            content: what was sent, or what the time-out or inserted event was given.
            state: as `self.state`.

        Returns:
            `NextState`, `KeepState`, `RepeatState`, `StopAndReply`, `Stop` or None.

        Raises:
            NoCallback: it is not overridden; the machine crashes.
        """
        raise NoCallback("handle_event", self, content)

    def terminate(self, reason: object) -> Any:
        """Clean up, once, when and as `GenServer.terminate`; `self.state` is the last state.

        Args:
            reason: why the machine ends.

        Returns:
            Nothing; what is returned is ignored.
        """

    def _sys_state(self) -> Any:
        """Return the state and the data, which is the instance."""
        return self.state, self

    def _sys_replace(self, state: Any) -> Behaviour:
        """Take both; neither enter calls nor what was postponed come of it."""
        match state:
            case (new, data) if data.__class__ is self.__class__:
                check_state(type(self), new)
                self._machine.state = new
                data._machine = self._machine
                instance: Behaviour = data
                return instance
            case _:
                raise BadReturn("the function", state, f"a tuple (state, {type(self).__name__})")

    def _machine_status(self) -> dict[str, Any]:
        """Return what there is to be shown of it, under the keys of OTP."""
        machine = self._machine
        return {
            "state": machine.state,
            "data": self._status(),
            "queue": list(machine.queue),
            "postponed": list(machine.postponed),
        }

    def _sys_status(self, log: tuple[Any, ...]) -> tuple[Any, dict[str, Any], Any]:
        shown = formatted(self, {**self._machine_status(), "log": log}, "data")
        misc = {
            "state": shown["state"],
            "postponed": as_log(shown["postponed"]),
            "timeouts": tuple(self._machine.timeouts),
        }
        return shown["data"], misc, shown["log"]

    def _sys_code_changed(self, result: Any) -> None:
        state = self.state
        if isinstance(result, NextState) and not result.actions:
            state = result.state
        elif result is not None:
            raise BadReturn("code_change", result, "None, or NextState(state) without actions")
        check_state(type(self), state)
        self._machine.state = state
        self._machine.callbacks = type(self)

    @classmethod
    def declared_from(cls, state: Any) -> Edges | None:
        """Return the declared transitions of a state, as labels and targets; None if it has none.

        Args:
            state: where they start.
        """
        for source, targets in cls.transitions.items():
            if source is state or source == state:
                return edges_of(targets)
        return None

    @classmethod
    def to_mermaid(cls) -> str:
        """Return the declared transitions as a Mermaid state diagram; a notebook draws it."""
        return cls._drawing().mermaid()

    @classmethod
    def to_svg(cls) -> str:
        """Return the declared transitions as a picture in SVG; a notebook shows it.

        >>> import trio_otp as otp
        >>> class Lamp(otp.GenStatem[str]):
        ...     transitions = {"off": {"press": "on"}, "on": {"press": "off"}}
        >>> Lamp.to_svg().startswith("<svg ")
        True
        """
        return cls._drawing().svg()

    @classmethod
    def to_dot(cls) -> str:
        """Return the declared transitions as a Graphviz digraph."""
        return cls._drawing().dot()

    @classmethod
    def _drawing(cls) -> Drawing:
        sources = dict.fromkeys([*cls.state_functions, *cls.transitions])
        edges = [(source, cls.declared_from(source) or []) for source in sources]
        return Drawing(cls.__name__, [] if cls.initial is UNSET else [cls.initial], edges)

    @classmethod
    def run_process(
        cls, process: Process, make: Callable[[], Behaviour]
    ) -> Coroutine[Any, Any, None]:
        """Run the body of the process."""
        return cls._new_loop(process).run(make)

    @classmethod
    def _new_loop(cls, process: Process) -> StatemLoop:
        """Make what drives an instance in a process."""
        return StatemLoop(process)


@dataclass(frozen=True)
class _OnState:
    """What `on_state` notes at a function."""

    states: tuple[Any, ...]
    to: Targets | None


@public
def on_state(*states: str | enum.Enum, to: Targets | None = None) -> Callable[[F], F]:
    """Make a method of a GenStatem handle every event of a state, or of several.

    The method gets the kind of the event and its content. It stays an ordinary method, and is found
    by its name, so a subclass can override it.

    Args:
        *states: strings or members of an enum.
        to: where the machine goes from there: a state, several, or a mapping from what leads there
            to a state or a list of states; None as a state is the end. It is what `to_mermaid` and
            `to_dot` draw, and going anywhere else is then a crash. Left out, anything goes.

    Raises:
        TypeError: a state is something else.

    Follows: the callback mode `state_functions`.
    """
    if not states or not all(isinstance(state, str | enum.Enum) for state in states):
        raise TypeError(f"on_state{bounded(states)}: expected strings or enum members")

    def decorate(fn: F) -> F:
        check_method(fn, f"on_state({', '.join(map(repr, states))})")
        setattr(fn, _MARK, _OnState(states, to))
        setattr(fn, "otp_mark", "gen_statem")  # noqa: B010 - functions have no such attribute
        return fn

    return decorate
