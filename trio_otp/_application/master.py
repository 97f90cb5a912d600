"""One application from its start to its end: its top process, its callbacks, their order.

Each application runs in a task and a nursery of its own, in the nursery of the block that started
it. That task is shielded: only its block and `application.stop` end it, so that several
applications stop one after another also when all of them are cancelled. Order of an end:

1. `prep_stop`, unless the top process ended by itself: then that came first
2. the top process with all that is below it, children newest first
3. whatever else lives in the nursery of the application
4. `stop`: no process of the application is left that could use what it takes down

Follows: Erlang's `application_master`. OTP calls `stop` before step 3.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.bare import reason_of
from .._exits.errors import BadReturn, SpecError, StartError
from .._exits.nurseries import OwnNursery
from .._exits.reasons import KILLED, NORMAL, SHUTDOWN, is_quiet, passes_through
from .._process.draining import Draining
from .._process.nursery import OrderedNursery, lives_in
from .._process.runtime import runtime
from .._process.stopping import stop as stop_process
from .._start.child import as_child, child
from .._start.start import Start, start_and_wait
from .._supervisor.loop import SupervisorBehaviour
from .._supervisor.supervisor import Supervisor, SupervisorSpec
from .._util.unset import UNSET
from .._util.user_code import call_back
from ..events import ApplicationReport
from .callback import Callback
from .errors import ApplicationExited, ApplicationStartError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.process import Process
    from .._start.child import Child
    from .base import Application

StartType: TypeAlias = Literal["temporary", "transient", "permanent"]
START_TYPES: tuple[str, ...] = get_args(StartType)


class Host(Protocol):
    """The block that an application lives in."""

    main: type[Application] | None
    leave: trio.Event

    def add(self, master: Master) -> None:
        """Start its task."""

    def forget(self, master: Master) -> None:
        """Forget it, since it is gone."""

    def fail(self, master: Master) -> None:
        """End, because of its end."""

    def blame(self) -> None:
        """Record that a callback has failed, or was cut short."""

    def cut(self) -> None:
        """Kill what is left."""


class Master:
    """The life of one application; `host` is its block, `kind` says what its own end means."""

    def __init__(self, host: Host, application: Application, kind: StartType) -> None:
        self.host = host
        self.application = application
        self.name: str = application.name
        self.kind = kind
        self.top: Process | None = None
        self._loop: Any = None  # of the top process, if that is a supervisor
        self._reason: object = UNSET  # of the end of the top process
        self.running: bool = False
        self.failure: object = UNSET  # the reason why it did not start
        self.unplanned: bool = False
        self.settled: trio.Event = trio.Event()  # started, or failed and nothing left of it
        self.gone: trio.Event = trio.Event()
        self.over: trio.Event = trio.Event()  # it is to end, or its top process has ended
        self._starting = trio.CancelScope()
        self._callbacks = Callback(host.blame, self.name)
        self.nursery: trio.Nursery | None = None
        self._draining: Draining | None = None
        self._task: trio.lowlevel.Task | None = None

    # -- what others ask of it -----------------------------------------------------------------

    async def wait_started(self) -> None:
        """Wait until it has started.

        Raises:
            ApplicationStartError: it did not start.
        """
        await self.settled.wait()
        if isinstance(self.failure, BaseException) and passes_through(self.failure):
            await trio.lowlevel.checkpoint()  # it leaves by the block, which is being cancelled
        if self.failure is not UNSET:
            raise ApplicationStartError(self.name, self.failure)

    def drain(self) -> None:
        """Begin draining, so that what lives in it can finish its work."""
        if self._draining is not None:
            self._draining.begin()

    async def end(self) -> None:
        """End it, or give up its start, and wait until nothing is left of it."""
        self.drain()
        self.running = False
        self._starting.cancel(reason="the application is to end")
        self.over.set()
        await self.gone.wait()

    def cut(self) -> None:
        """Kill what is left of it; a callback that runs is cancelled."""
        self._starting.cancel(reason="cut short")
        self.over.set()
        self._callbacks.cut()
        for process in list(runtime().processes.values()):
            if self.nursery is not None and lives_in(process, self.nursery):
                process.exit_with(KILLED)

    def error(self) -> ApplicationExited:
        """Return the error of an application that ended by itself, with what came before."""
        loop = self._loop
        history, crash = ((), None) if loop is None else (loop.reports.history, loop.reports.crash)
        return ApplicationExited(self.name, self._reason, list(history), crash)

    def calls_from(self, task: trio.lowlevel.Task) -> bool:
        """Check whether a task runs its callbacks, or was opened by one; its processes do not."""
        while task is not self._task:
            nursery = task.parent_nursery
            if nursery is None or nursery is self.nursery:
                return False
            task = nursery.parent_task
        return True

    # -- life ------------------------------------------------------------------------------------

    @enable_ki_protection
    async def run(self) -> None:
        """Run its task. Ctrl-C may break into a callback, not into the order of the end."""
        self._task = trio.lowlevel.current_task()
        try:
            with trio.CancelScope(shield=True):
                await self._live()
        except BaseException as exc:
            self._fail(exc)
            raise
        finally:
            self.running = False
            self.host.forget(self)
            self.settled.set()
            self.gone.set()

    def _fail(self, exc: BaseException) -> None:
        if not self.settled.is_set() and self.failure is UNSET:
            self.failure = reason_of(exc)

    async def _live(self) -> None:
        try:
            with ExitStack() as afterwards:
                async with OwnNursery() as self.nursery:
                    self._draining = Draining(self.nursery)
                    afterwards.callback(self._draining.forget)
                    ordered = OrderedNursery(runtime(), self.nursery)
                    await self._start(ordered)
                    if self.top is not None:
                        await self._serve(self.top, ordered)
        finally:
            if self.top is not None:
                await self._call_back(self.application.stop)
                self._report_end(self._reason)
            elif self.failure is not UNSET:
                self._report_end(self.failure)

    async def _start(self, ordered: OrderedNursery) -> None:
        with self._starting:
            try:
                self.top = await self._start_top(ordered)
            except StartError as exc:
                self.failure = exc.reason
            except Exception as exc:
                self.failure = reason_of(exc)
        if self._starting.cancelled_caught:
            self.failure = SHUTDOWN

    async def _start_top(self, ordered: OrderedNursery) -> Process:
        wanted = _as_top(self.application, await call_back(self.application.start))
        top = await start_and_wait(Start(wanted.runs, ordered, None, wanted.spec))
        if top is None:
            what = f"{type(self.application).__name__}.start: init of {wanted!r}"
            raise BadReturn(what, "IGNORE", "the top process of an application, not IGNORE")
        if isinstance(top.instance, SupervisorBehaviour):
            self._loop = top.instance.loop  # the process lets go of it at its end
        try:
            await self._run_phases()
        except BaseException:
            with trio.CancelScope(shield=True):
                await stop_process(top, SHUTDOWN, top.shutdown, interrupt=True)
                await ordered.close()
            raise
        return top

    async def _run_phases(self) -> None:
        """Run each phase of its own, for it and for those included applications that have it."""
        for phase in self.application.start_phases:
            await call_back(self.application.start_phase, phase)
            for inner in self.application._included.values():
                if phase in inner.start_phases:
                    await call_back(inner.start_phase, phase)

    async def _serve(self, top: Process, ordered: OrderedNursery) -> None:
        self.running = True
        self._emit("started")
        self.settled.set()
        top.add_watcher(self._top_ended)
        if top.dead:
            self._top_ended(top)
        try:
            await self.over.wait()
        finally:
            self.running = False
            with trio.CancelScope(shield=True):
                await self._wind_down(top, ordered)

    async def _wind_down(self, top: Process, ordered: OrderedNursery) -> None:
        self.drain()
        try:
            await self._call_back(self.application.prep_stop)
        finally:
            await stop_process(top, SHUTDOWN, top.shutdown, interrupt=True)
            await ordered.close()

    @enable_ki_protection
    def _top_ended(self, top: Process) -> None:
        self._reason = top.exit_reason
        if self.over.is_set():
            return
        self.running = False
        self.unplanned = True
        self.over.set()
        if self.kind == "permanent" or (self.kind == "transient" and not self._ended_well(top)):
            self.host.fail(self)

    def _ended_well(self, top: Process) -> bool:
        """Check whether a transient application may be gone while others go on.

        Only if its top process ended normally, which a supervisor does not do by itself. The one
        that the block is there for may have done its work, as an auto-shutdown says.
        """
        if self.host.main is not type(self.application):
            return top.exit_reason is NORMAL
        loop = self._loop
        return is_quiet(top.exit_reason) and not (loop is not None and loop.reports.gave_up)

    # -- callbacks and reports -------------------------------------------------------------------

    async def _call_back(self, callback: Callable[[], Any]) -> None:
        pid = None if self.top is None else self.top.pid
        await self._callbacks.run(callback, callback.__name__, pid)

    def _report_end(self, reason: object) -> None:
        if self.unplanned or self.top is None:
            self._emit("exited", reason)
        else:
            self._emit("stopped", reason)

    def _emit(self, phase: Literal["started", "stopped", "exited"], reason: object = None) -> None:
        runtime().events.emit("application", ApplicationReport(self.name, phase, reason))


def _as_top(application: Application, result: object) -> Child[Any]:
    """Turn what `start` returned into the child that is the top process."""
    if isinstance(result, SupervisorSpec):
        flags = {name: getattr(result, name) for name in SupervisorSpec.__slots__}
        return child(Supervisor, **flags)
    try:
        return as_child(result)
    except SpecError:
        accepted = "otp.child(otp.Supervisor, ...), a Supervisor class or otp.Supervisor.spec(...)"
        raise BadReturn(f"{type(application).__name__}.start", result, accepted) from None
