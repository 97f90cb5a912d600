"""What belongs to one Trio run: its processes, names, timers and hook slots.

One `trio.run` is one node. Everything hangs on a `RunVar`, so two runs, and two tests, share
nothing.
"""

from __future__ import annotations

import sys
from collections import deque
from contextvars import ContextVar
from threading import current_thread, get_ident, main_thread
from typing import TYPE_CHECKING, Any, Final, Protocol

import trio
from trio.lowlevel import current_clock

from .. import events
from .._exits.errors import NotAProcess, NotInRun
from ..events import Events
from .timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable

    from .nursery import OrderedNursery
    from .pid import Pid
    from .process import Process
    from .request import From

# Thread-local attributes of Trio's loop, which are private; another Trio may not have them.
_OF_LOOP: Final[object] = getattr(sys.modules.get("trio._core._run"), "GLOBAL_RUN_CONTEXT", None)


TIMED_OUT: Final = 200  # time-outs of calls that are remembered


class NodeLike(Protocol):
    """What makes a run a node of a cluster, seen from here."""

    def process_of(self, ref: Any) -> Process | None:
        """Return what stands for a process of another node; None if that is dead for good."""
        ...


class Runtime:
    """The tables of one run."""

    __slots__ = (
        "_next_id",
        "dropped",
        "events",
        "extras",
        "handled",
        "loop",
        "name_watchers",
        "names",
        "node",
        "now",
        "nurseries",
        "plain_tasks",
        "processes",
        "thread",
        "timed_out",
        "timers",
        "turn",
    )

    def __init__(self) -> None:
        self.processes: dict[int, Process] = {}  # {id of a living process: process}, oldest first
        self.names: dict[Any, Process] = {}  # {atom: process}; gone before anyone learns of a death
        # {name: who is told when it is given or freed}; see `name_watchers`
        self.name_watchers: dict[Any, dict[Callable[[], object], None]] = {}
        self.nurseries: dict[
            trio.Nursery, OrderedNursery
        ] = {}  # {a user's nursery: what lives in it}
        # {task that is not that of a process, but holds or wants a worker of a pool: what stands
        # for it in the wait-for edges}
        self.plain_tasks: dict[trio.lowlevel.Task, Any] = {}
        self.now: Callable[[], float] = current_clock().current_time  # as trio.current_time()
        self.thread: int = get_ident()  # a thread is in one run at a time
        # Trio's own note of the task whose step is being made, under "task"; see `loop_now`
        self.loop: dict[str, Any] = {} if _OF_LOOP is None else vars(_OF_LOOP)
        self.timers: Timers = Timers(self.now)
        self.events: Events = Events()
        self.extras: dict[object, Any] = {}  # {module: what it keeps per run}
        # {class of a server: messages that those handled that have ended}; of plain processes: None
        self.handled: dict[type[Any] | None, int] = {}
        self.node: NodeLike | None = None  # while the run is a node of a cluster
        self.dropped: int = 0  # replies and messages that reached nobody
        # (seconds of the clock, pid of the server) of the last time-outs of calls, oldest first
        self.timed_out: deque[tuple[float, Pid]] = deque(maxlen=TIMED_OUT)
        self.turn: From[Any] | None = None  # the call that is handled in the turn of its caller
        self._next_id = 0

    def next_id(self) -> int:
        """Return an id that no process of this run has had."""
        self._next_id += 1
        return self._next_id

    def drop(self, ref: object, message: object, why: str) -> None:
        """Count a message that reaches nobody, and tell who listens."""
        self.dropped += 1
        if (hook := self.events.dropped) is not None:
            hook(ref, message, why)


_runtime: trio.lowlevel.RunVar[Runtime] = trio.lowlevel.RunVar("trio_otp")
# The process a task belongs to; helper tasks inherit it, other processes start from a blank
# context.
current_process: ContextVar[Process] = ContextVar("trio_otp_process")


def runtime() -> Runtime:
    """Return the tables of the current run; raise `NotInRun` where there is none."""
    try:
        return _runtime.get()
    except LookupError:
        fresh = Runtime()
        _runtime.set(fresh)
        return fresh
    except RuntimeError:
        raise _not_in_run() from None


def need_task() -> trio.lowlevel.Task:
    """Return the Trio task that runs this; raise `NotInRun` where there is none.

    There is none under asyncio, also if a Trio run is its guest, nor in a worker thread.
    """
    try:
        return trio.lowlevel.current_task()
    except RuntimeError:
        raise _not_in_run() from None


def _not_in_run() -> NotInRun:
    """Make the error of a call from outside, with what is to be written there."""
    here = ", not under asyncio" if _is_asyncio() else ""
    text = f"trio_otp works inside a Trio run{here}; write trio.run(main)"
    if current_thread() is not main_thread():
        text += ", or in a worker thread trio.from_thread.run(otp.call, ref, request)"
    return NotInRun(text)


def _is_asyncio() -> bool:
    """Check whether asyncio, if it is imported at all, runs this."""
    asyncio: Any = sys.modules.get("asyncio.events")
    return asyncio is not None and asyncio._get_running_loop() is not None


events.of_run = lambda: runtime().events


def own_process() -> Process | None:
    """Return the process this code belongs to, helper tasks included; None in plain Trio code."""
    here = runtime()
    process = current_process.get(None)
    return None if process is None or process.dead or process.runtime is not here else process


def calling_process() -> Process | None:
    """Return the process whose *own* task runs this; None in helpers and in plain Trio code."""
    process = current_process.get(None)
    if process is None or process.dead:
        return None
    try:
        return process if runs_here(process) else None
    except RuntimeError:  # pragma: no cover - a callback in the context of a task, but in no task
        return None


def running_task(tables: Runtime | None) -> trio.lowlevel.Task | None:
    """Return the task whose step is made, or in a caller's turn that of the server; None if none.

    Args:
        tables: those of the run; None if the task can only be one of plain Trio code.
    """
    turn = None if tables is None else tables.turn
    if turn is not None:
        return turn._server.task
    try:
        return trio.lowlevel.current_task()
    except RuntimeError:  # in another thread, or between two steps, as in a signal handler
        return None


def runs_here(process: Process) -> bool:
    """Check whether a process's own task runs this, or what stands for it in a caller's turn."""
    turn = process.runtime.turn
    if turn is not None:
        return turn._server is process
    return process.task is trio.lowlevel.current_task()


def need_process(what: str) -> Process:
    """Return the process this code belongs to, or raise `NotAProcess` with the line to write."""
    process = own_process()
    if process is None:
        raise NotAProcess(
            f"{what} needs a process; in plain Trio code write: "
            "async with otp.open_process() as me: ..."
        )
    return process


def need_own_task(what: str) -> Process:
    """As `need_process`, and refuse helper tasks: only a process's own task may do this."""
    process = need_process(what)
    need_task()
    if not runs_here(process):
        raise NotAProcess(
            f"{what} can only be used in {process.pid!r}'s own task; "
            "a helper task can otp.send to it instead"
        )
    return process
