"""What both kinds of supervisor share: their life, their children, their reports.

A supervisor is a process that traps exits and hosts a nursery for its children. It does one thing
at a time, in the order of arrival: the end of a child, a management call, a retry. Rules:

* It starts and stops its children itself; their crashes reach it as `Exit` messages, never raw.
* Told to end by a message it stops its children first, then ends. Cancelled from outside it
  breaks off what it is doing, as the start of a child, and stops them in a shielded block.
* Killed it is dead at once; its children then die of the link, and its nursery outlives it.

It is long because its end may break off whatever a supervisor does, which one file has to show.

Follows: Erlang's `supervisor`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NoReturn, TypeAlias, TypeVar

import outcome
import trio
from trio.lowlevel import enable_ki_protection

from .._behaviour.behaviour import Behaviour
from .._behaviour.messages import Terminate, log_unexpected
from .._behaviour.system_messages import SystemCall, handle_system
from .._exits.errors import BadReturn, WrongServer
from .._exits.reasons import KILLED, NORMAL, SHUTDOWN, ProcessExit, Shutdown, passes_through
from .._exits.remembered import remembered
from .._process.request import From
from .._process.signals import Exit
from .._process.status import told_reason
from .._process.stopping import kill, stop
from .._start.child import blueprint_of
from .._start.start import Start, start_and_wait
from .._util.bounded import bounded
from .._util.unset import UNSET
from .._util.user_code import interruptible
from ..events import ProgressReport, SupervisorReport
from .data import ChildInfo, Command, Counts, Ending, RetryLater, Slot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .._process.nursery import OrderedNursery
    from .._process.pid import Pid
    from .._process.process import Process
    from .._start.blueprint import Blueprint

T = TypeVar("T")
# (time, child id, reason) of ends of children, oldest first
History: TypeAlias = "tuple[tuple[float, Any, object], ...]"
HISTORY: Final = 100  # ends of children that a supervisor remembers


class SupervisorBehaviour(Behaviour):
    """The base of `Supervisor` and `DynamicSupervisor`."""

    child_type: ClassVar[str] = "supervisor"
    hosts_children: ClassVar[bool] = True
    loop: SupervisorLoop | None = None  # set while it runs

    async def code_change(self, old_version: Any, extra: Any) -> None:
        """Run `init` anew and take what it specifies; nothing is started or stopped.

        Children that run keep running, and are restarted and stopped by their new specification.
        New children are added, to be started by `restart_child`. Those that `init` does not give
        any more are supervised as before; they come last.

        Args:
            old_version: not used.
            extra: not used.

        Raises:
            SpecError, BadReturn: `init` gives what is not accepted; everything stays as it was.

        Follows: `code_change/3` of Erlang's `supervisor`.
        """
        if self.loop is not None:
            await self.loop.specify_anew()

    def children_info(self) -> list[ChildInfo]:
        """List the children, oldest first, without asking the process."""
        return [] if self.loop is None else self.loop.infos()

    @property
    def summary(self) -> str:
        """Say in a word or two what kind of supervisor this is."""
        return "supervisor" if self.loop is None else self.loop.summary

    def _status(self) -> Any:
        """Return what `otp.sys.get_status` shows: the strategy and the children."""
        return {"strategy": self.summary, "children": self.children_info()}


class SupervisorLoop:
    """The shell around a supervisor."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.instance: Any = None
        self.gave_up = False
        self.starting: Slot | None = None  # the child whose init it waits for
        self.start: Start | None = None  # its start
        self.crash: object = None  # why it gave up, until that is told
        # (time, child id, reason) of children that ended or did not start, newest last; what is
        # remembered of a crash has no traceback, else the state of each dead child would be kept
        self.history: deque[tuple[float, Any, object]] = deque(maxlen=HISTORY)

    # -- what the kinds of supervisor differ in ------------------------------------------------

    summary: str = "supervisor"
    extra_arguments: tuple[Any, ...] = ()  # that come before those of every child
    tells_progress = False  # whether it tells of each child that was started

    def admit(self, wanted: Any) -> Slot:
        """Make the slot of what `start_child` was given; nothing changes yet."""
        raise TypeError(f"{type(self).__name__} has no admit")

    def enrol(self, slot: Slot) -> None:
        """Note a child that is to be started now."""

    def settle(self, slot: Slot) -> None:
        """Note that a child was started."""
        raise TypeError(f"{type(self).__name__} has no settle")

    def settle_ignored(self, slot: Slot) -> None:
        """Note that a child did not want to run."""

    def expel(self, slot: Slot) -> None:
        """Forget a child whose first start has failed."""

    async def set_up(self) -> None:
        """Take the specification of the instance and start what is to run from the first."""
        raise TypeError(f"{type(self).__name__} has no set_up")

    async def specify_anew(self) -> None:
        """Take the specification of the instance again, while children run."""
        raise TypeError(f"{type(self).__name__} has no specify_anew")

    async def stop_children(self, *, interrupt: bool) -> None:
        """Stop all children; `now` tells nested supervisors to break off what they do."""
        raise TypeError(f"{type(self).__name__} has no stop_children")

    async def child_exited(self, pid: Pid[Any], reason: object) -> None:
        """Do what the end of a child calls for; others than children are ignored."""
        raise TypeError(f"{type(self).__name__} has no child_exited")

    async def retry(self, key: Any, reason: object) -> None:
        """Try a failed restart again."""
        raise TypeError(f"{type(self).__name__} has no retry")

    def infos(self) -> list[ChildInfo]:
        """List the children, oldest first."""
        raise TypeError(f"{type(self).__name__} has no infos")

    def slot_of(self, pid: Pid[Any]) -> Slot | None:
        """Return a running child; None if there is no such child."""
        raise TypeError(f"{type(self).__name__} has no slot_of")

    # -- life --------------------------------------------------------------------------------

    @enable_ki_protection
    async def run(self, make: Callable[[], Behaviour]) -> None:
        """Run the body of the process."""
        process = self.process
        process.trap_exit = True
        try:
            await self._live(make)
        except BaseException:
            if process.pending_exit is UNSET or process.runs_terminate:
                if process.debug is not None and process.runs_terminate:
                    process.debug.event("terminate", process.pending_exit)
                with trio.CancelScope(shield=True) as process.terminate_scope:
                    await self.stop_children(interrupt=True)
            raise

    async def _live(self, make: Callable[[], Behaviour]) -> None:
        try:
            await self._init(make)
            await self._serve()
        except Ending as ending:
            self.process.stop_message = Exit(self.process.pid, ending.reason)  # no later one counts
            if self.process.debug is not None:
                self.process.debug.event("terminate", ending.reason)
            await self.stop_children(interrupt=False)
            raise ProcessExit(ending.reason) from None

    async def _init(self, make: Callable[[], Behaviour]) -> None:
        process = self.process
        self.instance = process.instance = interruptible(make)
        self.instance.loop = self
        await self.set_up()
        assert process.starting is not None
        process.starting.ack()

    async def _serve(self) -> None:
        process, mailbox = self.process, self.process.mailbox
        while True:
            if len(mailbox):
                await trio.lowlevel.checkpoint()
            else:
                await mailbox.wait()
            try:
                message = mailbox.take_nowait()
            except trio.WouldBlock:  # somebody has flushed the last one
                continue
            process.current = message
            process.since = trio.current_time()
            if process.debug is not None and not isinstance(message, SystemCall):
                process.debug.event("in", getattr(message, "message", message))
            if message.__class__ is From and message.server is process:
                await self._command(message)
            else:
                await self._handle(message)
            process.messages_handled += 1
            message = process.current = UNSET  # while it waits it holds nothing

    async def _handle(self, message: Any) -> None:
        match message:
            case Exit():
                await self._exit(message)
            case RetryLater():
                await self.retry(message.key, message.reason)
            case Terminate():
                raise Ending(message.reason)
            case SystemCall():
                await handle_system(message, self)
            case _:
                log_unexpected(self.process, message)

    async def _exit(self, message: Exit) -> None:
        if self.is_stop_message(message):
            raise Ending(message.reason)
        if message.pid is None:
            return
        if isinstance(message.reason, BaseException) and passes_through(message.reason):
            await trio.lowlevel.checkpoint()  # Ctrl-C: the nursery is being cancelled
            raise Ending(message.reason)
        await self.child_exited(message.pid, message.reason)

    def is_stop_message(self, message: Exit) -> bool:
        """Tell the parent's exit signal from others."""
        parent = self.process.parent
        mine = parent is not None and message.pid is parent.pid
        return mine or message is self.process.stop_message

    def end(self, reason: object) -> NoReturn:
        """Leave the loop, as `otp.sys` or a parent asks for."""
        raise Ending(reason)

    async def _command(self, from_: From[Any]) -> None:
        request = from_.message
        command = request if isinstance(request, Command) else None
        handler = None if command is None else getattr(self, f"do_{command.name}", None)
        if command is None or handler is None:
            name = type(self.instance).__name__
            error: Exception = TypeError(f"{name} does not take the call {bounded(request)}")
            if command is not None:
                error = WrongServer(command.name, self.process.pid, name)
            from_.finish(outcome.Error(error))
            return
        if not command.void:
            await self._reply(from_, handler(command.argument))

    async def _reply(self, from_: From[Any], result: Awaitable[Any]) -> None:
        try:
            value = await result
        except Ending:
            raise
        except Exception as exc:  # also of an id that cannot be compared: the caller's mistake
            from_.finish(outcome.Error(exc))
        else:
            from_.answer(value)
        finally:
            command = from_.message
            if isinstance(command, Command) and command.over is not None:
                command.over.set()

    def is_void(self) -> bool:
        """Check whether the caller of the start in hand was cancelled."""
        from_ = self.process.current
        command = from_.message if isinstance(from_, From) else None
        return isinstance(command, Command) and command.void

    # -- children ----------------------------------------------------------------------------

    @property
    def nursery(self) -> OrderedNursery:
        """Where the children live."""
        assert self.process.children is not None
        return self.process.children

    def blueprint(self, slot: Slot) -> Blueprint:
        """Say how a child is started here."""
        extra = self.extra_arguments
        return blueprint_of(slot.child, extra) if extra else slot.spec

    async def start_new(self, slot: Slot) -> Pid[Any] | None:
        """Start a child that has just been enrolled; it is expelled if that fails."""
        try:
            started = await self.start_slot(slot)
            if self.is_void():
                if started:
                    await self.stop_slot(slot, interrupt=False)
                self.expel(slot)
            elif started:
                self.settle(slot)
                if self.tells_progress:
                    self.report_progress(slot)
            else:
                self.settle_ignored(slot)
        except BaseException:
            self.expel(slot)
            raise
        return slot.pid

    async def start_slot(self, slot: Slot) -> bool:
        """Start a child; False if its init ignores. Raises `StartError`, `AlreadyStarted`."""
        process = self.process
        start = Start(self.blueprint(slot), self.nursery, process, link=True, supervisor=process)
        slot.process = None
        self.starting, self.start = slot, start
        try:
            slot.process = await start_and_wait(start)
        finally:
            self.starting = self.start = None
        return slot.process is not None

    async def stop_slot(self, slot: Slot, *, interrupt: bool) -> None:
        """Stop a child by its own rule and wait until it is dead."""
        process = slot.process
        assert process is not None
        if slot.spec.shutdown == "brutal_kill":
            await kill(process, waiter=self.process)
        else:
            await stop(
                process, SHUTDOWN, slot.spec.shutdown, interrupt=interrupt, waiter=self.process
            )
        self.report_stop(slot, process)

    def report_stop(self, slot: Slot, process: Process) -> None:
        """Tell of a child that did not end as it was asked to."""
        reason = process.exit_reason
        asked = KILLED if slot.spec.shutdown == "brutal_kill" else SHUTDOWN
        quiet = reason is NORMAL or reason is SHUTDOWN or isinstance(reason, Shutdown)
        if reason is not asked and not (quiet and slot.spec.restart != "permanent"):
            self.report("shutdown_error", slot, reason, process.pid)
        slot.process = None

    def report(
        self,
        context: Literal["start_error", "child_terminated", "shutdown_error", "shutdown"],
        slot: Slot,
        reason: object,
        pid: Pid[Any] | None = None,
    ) -> None:
        """Emit a supervisor report and remember ends of children."""
        spec = slot.spec
        if context in ("start_error", "child_terminated"):
            crashed = isinstance(reason, BaseException)  # what is hidden of that stays so
            kept = remembered(reason if crashed else told_reason(pid, reason))
            self.history.append((trio.current_time(), spec.id, kept))
        report = SupervisorReport(
            self.process.pid,
            context,
            reason,
            spec.id,
            pid,
            spec.restart,
            spec.shutdown,
            tuple(self.history) if context == "shutdown" else (),
            slot.child,
        )
        self.process.runtime.events.emit("supervisor", report)

    def take_history(self) -> tuple[History, object]:
        """Return the last ends of children and why it gave up, to be told now; keep none of it."""
        history, crash = tuple(self.history), self.crash
        self.history.clear()
        self.crash = None
        return history, crash

    def report_progress(self, slot: Slot) -> None:
        """Tell that a child was started."""
        if not self.process.runtime.events.is_heard("progress"):
            return
        report = ProgressReport(self.process.pid, slot.spec.id, slot.pid, slot.child)
        self.process.runtime.events.emit("progress", report)

    def give_up(self, slot: Slot, reason: object) -> Ending:
        """Note that the restarts are too many; the caller raises what this returns."""
        self.crash = reason
        for index, (when, child_id, kept) in reversed(list(enumerate(self.history))):
            if child_id == slot.spec.id:  # the crash that is one too many is told as it was
                if isinstance(kept, BaseException):
                    self.history[index] = (when, child_id, reason)
                else:
                    reason = kept  # what is shown of it may be something else
                break
        self.report("shutdown", slot, reason, slot.pid)
        self.gave_up = True
        return Ending(SHUTDOWN)

    # -- management calls ---------------------------------------------------------------------

    async def do_start_child(self, wanted: Any) -> Pid[Any] | None:
        """Start a child, as the last one."""
        slot = self.admit(wanted)
        self.enrol(slot)
        return await self.start_new(slot)

    async def do_which_child(self, child: Any) -> ChildInfo:
        """Describe one child."""
        raise TypeError(f"{type(self).__name__} has no do_which_child")

    async def do_which_children(self, _: None) -> list[ChildInfo]:
        """List the children."""
        return self.infos()

    async def do_count_children(self, _: None) -> Counts:
        """Count the children."""
        infos = self.infos()
        supervisors = sum(info.type == "supervisor" for info in infos)
        active = sum(info.pid is not None and info.pid._process is not None for info in infos)
        return Counts(len(infos), active, supervisors, len(infos) - supervisors)


def check_spec(spec: object, kind: type[T], what: str) -> T:
    """Return what a supervisor's init returned; refuse it unless it is of this kind."""
    if not isinstance(spec, kind):
        raise BadReturn(f"{what}.init", spec, f"{what}.spec(...) or IGNORE")
    return spec
