"""What is told of a process at one moment, and what of it IPython and notebooks show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from .._util.blocks import Block
from .._util.bounded import Printable, bounded
from .._util.public import public
from .._util.shown import Shown
from .shown_stack import folded_stack

if TYPE_CHECKING:
    from .._process.pid import Pid

MOST: Final = 5  # of what there may be many of
Status: TypeAlias = Literal[
    "starting", "idle", "handling", "waiting", "running", "suspended", "exiting"
]


@public
@dataclass(frozen=True, slots=True, repr=False)
class ProcessInfo(Shown, Printable):
    """What `process_info` tells of a process, at one moment.

    Args:
        pid: the process.
        name: its local name, None if it has none.
        label: what its pid is shown as.
        behaviour: its class; None for a plain process.
        status: `starting`, init is not over; `idle`, a server without a message; `handling`, a
            server with one in hand; `waiting`, for an answer of `waits_for`; `running`, a plain
            process or thread; `suspended`, by `otp.sys`; `exiting`, it is about to die.
        started: what it gave to `task_status.started`.
        parent: who started it with a link.
        supervisor: the supervisor it belongs to.
        child_id: what that calls it.
        restarts: how often that has started it again.
        ancestors: who started it, its starter first.
        callers: on whose behalf it runs, the nearest first.
        links: whom it is linked to.
        monitors: whom it watches, as pids or names.
        monitored_by: the processes that monitor it.
        trap_exit: whether exit signals arrive as messages.
        message_queue_len: messages that wait.
        unanswered: calls that it has not answered, waiting, in hand or deferred.
        handled: messages handled so far.
        message: the message in hand, shortened; None if there is none.
        seconds: how long that has been in hand.
        waits_for: whom it waits for in a call or a start.
        dictionary: the keys of its dictionary.
        stack: where its task waits, `file:line in function`, outermost first; of a
            `WorkerThread` with the frames of the thread.
        summary: the strategy, if it is a supervisor.
        history: `(time, child id, reason)` of the last ends of its children, if it is one.
        os_pid: the number of its program in the operating system, if it is a `Port`.
        thread: the `threading.get_ident()` of its thread, if it is a `WorkerThread`.
    """

    pid: Pid
    name: Any
    label: str
    behaviour: type[Any] | None
    status: Status
    started: Any
    parent: Pid | None
    supervisor: Pid | None
    child_id: Any
    restarts: int
    ancestors: tuple[object, ...]
    callers: tuple[Pid, ...]
    links: tuple[Pid, ...]
    monitors: tuple[object, ...]
    monitored_by: tuple[Pid, ...]
    trap_exit: bool
    message_queue_len: int
    unanswered: int
    handled: int
    message: str | None
    seconds: float
    waits_for: Pid | None
    dictionary: tuple[object, ...]
    stack: tuple[str, ...]
    summary: str | None
    history: tuple[tuple[float, Any, object], ...]
    os_pid: int | None = None
    thread: int | None = None

    def _shown(self) -> Block:
        return _shown_info(self)


def _shown_info(info: ProcessInfo) -> Block:
    """Return a process as a block of lines."""
    rows = [
        ("supervisor", _supervisor(info)),
        ("parent", _of(info.parent)),
        ("strategy", [] if info.summary is None else [info.summary]),
        ("queue", [_queue(info)]),
        ("in hand", [] if info.message is None else [f"{info.message}, for {info.seconds:.3g} s"]),
        ("waits for", _of(info.waits_for)),
        ("links", _some(info.links)),
        ("monitors", _some(info.monitors)),
        ("monitored by", _some(info.monitored_by)),
        ("callers", _some(info.callers)),
        ("traps exits", ["yes"] * info.trap_exit),
        ("dictionary", _some(info.dictionary)),
        ("started", _of(info.started)),
        ("os pid", _of(info.os_pid)),
        ("last ends", [f"{bounded(i)} {bounded(why)}" for _, i, why in info.history[-MOST:]]),
        ("stack", folded_stack(info.stack)),
    ]
    return Block(f"{info.pid!r} {info.status}", rows)


def _of(value: object) -> list[str]:
    return [] if value is None else [bounded(value)]


def _some(values: tuple[object, ...]) -> list[str]:
    left = len(values) - MOST
    return [*map(bounded, values[:MOST]), *([f"… {left} more"] if left > 0 else [])]


def _supervisor(info: ProcessInfo) -> list[str]:
    if info.supervisor is None:
        return []
    called = [] if info.child_id in (None, info.name) else [f"as {bounded(info.child_id)}"]
    again = [] if info.restarts == 0 else [f"{info.restarts} restart{'s' * (info.restarts > 1)}"]
    return [", ".join([repr(info.supervisor), *called, *again])]


def _queue(info: ProcessInfo) -> str:
    calls = ""
    if info.unanswered:
        calls = f", {info.unanswered} call{'s' * (info.unanswered > 1)} not answered"
    return f"{info.message_queue_len} waiting, {info.handled} handled{calls}"
