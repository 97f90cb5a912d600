"""Hook slots on which logs, metrics and observers hang, and the reports that pass through them.

Each run has its own `Events`. A slot is None while nobody listens:

    if (hook := events.name_taken) is not None:
        hook(name, pid)

On the way of a message two flags stand for all slots that are told of it, and for the propagators:
one test at the sender, one at the server.

Listeners run synchronously in the task that causes the event and must not block. One that raises
is detached and logged; it never hurts the process that emitted. What is no `Exception`, such as
SystemExit, leaves that task; if it comes while a process dies, after everybody has heard of the
death, see `holding`. Follows: Elixir's telemetry,
`:telemetry.attach/4`.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from .._exits.log_text import place_of_crash
from .._exits.reasons import ProcessExit
from .._util.bounded import bounded
from .._util.lazy import find
from .._util.public import public_in
from .data import (
    ApplicationReport,
    CrashReport,
    Neighbour,
    NoticeReport,
    ProgressReport,
    Report,
    SupervisorReport,
)
from .delivery import deliver, new_record
from .holding import Holding

if TYPE_CHECKING:
    from collections.abc import Callable

    from .monitoring import LongMessageQueue as LongMessageQueue
    from .monitoring import LongSchedule as LongSchedule
    from .propagation import Attached, Context
    from .propagation import Propagator as Propagator
    from .propagation import StructlogPropagator as StructlogPropagator

__all__ = [
    "EVENT_NAMES",
    "ApplicationReport",
    "CrashReport",
    "EventName",
    "Events",
    "Listener",
    "LongMessageQueue",
    "LongSchedule",
    "Neighbour",
    "NoticeReport",
    "ProgressReport",
    "Propagator",
    "Report",
    "StructlogPropagator",
    "SupervisorReport",
    "attach",
    "defaults",
    "detach",
]

EventName: TypeAlias = Literal[
    "process_start",  # (pid)
    "process_exit",  # (pid, reason)
    "handle_start",  # (pid, kind, message); kind: call, cast, info, continue, timeout
    "handle_stop",  # (pid, kind, message)
    "handle_error",  # (pid, kind, message, exception), in place of `handle_stop`
    "call_start",  # (From), in the task that calls
    "call_stop",  # (From, exception or None), for each `call_start`, wherever it ends
    "name_taken",  # (name or via tuple, pid)
    "name_freed",  # (name or via tuple, pid)
    "dropped",  # (server reference, message, why)
    "crash",  # (CrashReport)
    "supervisor",  # (SupervisorReport)
    "progress",  # (ProgressReport)
    "application",  # (ApplicationReport)
    "notice",  # (NoticeReport)
    "system_monitor",  # (LongSchedule or LongMessageQueue), in the thread of `otp.system_monitor`
]
EVENT_NAMES: Final[tuple[str, ...]] = get_args(EventName)
_OF_CALLERS: Final = ("call_start", "call_stop")
_OF_SERVERS: Final = ("handle_start", "handle_stop", "handle_error")
Listener: TypeAlias = "Callable[..., object]"

_log = logging.getLogger("trio_otp.events")
# Listeners that every run starts with; `reports` puts the log here.
defaults: list[tuple[str, Listener]] = []


class _Dispatch:
    """What stands in an occupied slot: calls each listener, detaches one that raises."""

    def __init__(self, events: Events, event: str, listeners: tuple[Listener, ...]) -> None:
        self.events = events
        self.event = event
        self.listeners = listeners
        asked = [getattr(listener, "is_deaf", None) for listener in listeners]
        self._asked: list[Any] | None = None if None in asked else asked

    def is_deaf(self) -> bool:
        """Check whether no listener would do anything now: those that have an `is_deaf` say so."""
        if self._asked is None:
            return False
        for is_deaf in self._asked:  # noqa: SIM110 - a generator takes as long as all else
            if not is_deaf():
                return False
        return True

    def __call__(self, *args: object) -> None:
        for listener in self.listeners:
            try:
                listener(*args)
            except BaseException as exc:  # noqa: ASYNC103 - `_failed` raises it, or holds it
                self._failed(listener, exc)

    def _failed(self, listener: Listener, exc: BaseException) -> None:
        """Detach a listener that has raised; raise what is no error of its own, now or later."""
        held = self.events._holding.held
        try:
            if not isinstance(exc, (Exception, ProcessExit) if held is not None else Exception):
                raise exc
            self.events.detach(self.event, listener)
            _tell(f"listener {bounded(listener)} of {self.event} raised; it is detached", exc)
        except BaseException as raised:  # noqa: ASYNC103 - `Holding` raises it
            if held is None:
                raise
            held.append(raised)


def _is_in(propagators: tuple[Propagator, ...], one: Propagator) -> bool:
    return any(each is one for each in propagators)  # they may compare as they like


def _tell(text: str, exc: BaseException) -> None:
    if _log.isEnabledFor(logging.ERROR):
        place = place_of_crash(exc) or (__file__, 1, "emit")
        deliver(_log, new_record(_log, logging.ERROR, text, exc, place))


@public_in("events")
class Events:
    """The hook slots of one run."""

    __slots__ = (
        *EVENT_NAMES,
        "_carrier",
        "_holding",
        "_on_call",
        "_on_handle",
        "_propagators",
        "_removed",
    )

    process_start: _Dispatch | None
    process_exit: _Dispatch | None
    handle_start: _Dispatch | None
    handle_stop: _Dispatch | None
    handle_error: _Dispatch | None
    call_start: _Dispatch | None
    call_stop: _Dispatch | None
    name_taken: _Dispatch | None
    name_freed: _Dispatch | None
    dropped: _Dispatch | None
    crash: _Dispatch | None
    supervisor: _Dispatch | None
    progress: _Dispatch | None
    application: _Dispatch | None
    notice: _Dispatch | None
    system_monitor: _Dispatch | None

    # One test each on the way of a message: whether anything is to be done at the caller, and at
    # the server.
    _on_call: bool
    _on_handle: bool

    def __init__(self) -> None:
        for name in EVENT_NAMES:
            setattr(self, name, None)
        # What listeners raise while a process dies: it is raised when everybody has been told.
        self._holding = Holding()
        self._propagators: tuple[Propagator, ...] = ()
        self._removed: tuple[Propagator, ...] = ()  # they have raised; messages may still have them
        self._carrier: Any = None  # the module `propagation`, once it is needed
        self._see_who_listens()
        for name, listener in defaults:
            self.attach(name, listener)

    def attach(self, event: str, listener: Listener) -> None:
        """Add a listener; adding it twice is one listener.

        Args:
            event: the name of the slot.
            listener: a function that takes what the slot carries.

        Raises:
            TypeError: it is no function.
        """
        if not callable(listener):
            raise TypeError(f"listener={bounded(listener)}: expected a function")
        rest = self._listeners(event)
        if listener not in rest:
            setattr(self, event, _Dispatch(self, event, (*rest, listener)))
            self._see_who_listens()

    def detach(self, event: str, listener: Listener) -> None:
        """Remove a listener; an unknown one is ignored.

        Args:
            event: the name of the slot.
            listener: the function that was attached.
        """
        rest = tuple(known for known in self._listeners(event) if known != listener)
        setattr(self, event, _Dispatch(self, event, rest) if rest else None)
        self._see_who_listens()

    def emit(self, event: str, *args: object) -> None:
        """Call the listeners of a slot that is off the hot path.

        Args:
            event: the name of the slot.
            *args: what the listeners get.
        """
        slot = getattr(self, event)
        if slot is not None:
            slot(*args)

    def is_heard(self, event: str) -> bool:
        """Check whether a listener would do anything now.

        Args:
            event: the name of the slot.
        """
        slot = getattr(self, event)
        return slot is not None and not slot.is_deaf()

    def _propagate(self, propagators: tuple[Propagator, ...]) -> None:
        """Carry more along with each message, until `_stop_propagating` with the same."""
        from . import propagation  # noqa: PLC0415 - few programs propagate

        self._carrier = propagation
        self._propagators += propagators
        self._removed = tuple(each for each in self._removed if not _is_in(propagators, each))
        self._see_who_listens()

    def _stop_propagating(self, propagators: tuple[Propagator, ...]) -> None:
        """Carry less; one that is not there, as it has raised, is ignored."""
        ends = Counter(map(id, propagators))
        left: list[Propagator] = []
        for propagator in reversed(self._propagators):
            if ends[id(propagator)] > 0:  # another block may carry the same
                ends[id(propagator)] -= 1
            else:
                left.append(propagator)
        self._propagators = tuple(reversed(left))
        self._see_who_listens()

    def _capture(self) -> Context | None:
        """Return what is to travel with a message that this task sends; None if nothing is."""
        if not self._propagators:
            return None
        each_once = {id(propagator): propagator for propagator in self._propagators}
        captured: Context | None = self._carrier.capture(each_once.values(), self._remove)
        return captured

    def _attached(self, context: Context) -> Attached:
        """Attach, in the task that handles a message, what has travelled with it."""
        if self._removed:  # what was sent before that
            context = tuple(pair for pair in context if not _is_in(self._removed, pair[0]))
        attached: Attached = self._carrier.Attached(context, self._remove)
        return attached

    def _remove(self, propagator: Propagator, method: str, exc: Exception) -> None:
        """Remove a propagator that has raised; it is told once, even if several servers use it."""
        if _is_in(self._removed, propagator):
            return
        self._removed += (propagator,)
        self._propagators = tuple(each for each in self._propagators if each is not propagator)
        self._see_who_listens()
        _tell(f"propagator {bounded(propagator)} raised in {method}; it is removed", exc)

    def _see_who_listens(self) -> None:
        heard = {name for name in EVENT_NAMES if getattr(self, name) is not None}
        carries = bool(self._propagators)
        (CARRYING.add if carries else CARRYING.discard)(self)
        self._on_call = carries or not heard.isdisjoint(_OF_CALLERS)
        self._on_handle = carries or not heard.isdisjoint(_OF_SERVERS)

    def _listeners(self, event: str) -> tuple[Listener, ...]:
        if event not in EVENT_NAMES:
            raise ValueError(f"event={bounded(event)}: expected {', '.join(EVENT_NAMES)}")
        slot = getattr(self, event)
        return () if slot is None else slot.listeners


# The runs in which something travels with messages: who makes a cast looks at this alone.
CARRYING: Final[set[Events]] = set()


# Gives the slots of the current run; `runtime`, which knows the run, sets it.
of_run: Callable[[], Events] = Events


@public_in("events")
def attach(event: EventName, listener: Listener) -> None:
    """Call a function on an event in this run; attaching it twice is once.

    It is called in the task that causes the event and must not block. One that raises is detached
    and logged. Only `system_monitor` comes from another thread, since the loop may be held:
    `token.run_sync_soon` calls a function in the loop, when that goes on.

    Args:
        event: the name of the event.
        listener: called with what `EventName` lists for the event.

    Raises:
        ValueError: there is no such event.
        TypeError: the listener cannot be called.
        NotInRun: no Trio run is going on.

    Follows: `:telemetry.attach/4`.
    """
    of_run().attach(event, listener)


@public_in("events")
def detach(event: EventName, listener: Listener) -> None:
    """Stop calling a function on an event; one that is not attached is ignored.

    Args:
        event: the name of the event.
        listener: what was attached.

    Raises:
        ValueError: there is no such event.
        NotInRun: no Trio run is going on.

    Follows: `:telemetry.detach/1`.
    """
    of_run().detach(event, listener)


_LATE: Final = {
    "LongSchedule": "monitoring",
    "LongMessageQueue": "monitoring",
    "Propagator": "propagation",
    "StructlogPropagator": "propagation",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        return find(__name__, _LATE, name)


def __dir__() -> list[str]:
    return __all__
