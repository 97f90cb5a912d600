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

from abc import ABC, abstractmethod
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, TypeAlias, TypeVar, cast

import trio
from trio.lowlevel import enable_ki_protection

from .._behaviour.behaviour import Behaviour, ignore
from .._behaviour.messages import Terminate, log_unexpected
from .._behaviour.results import IGNORE
from .._behaviour.system_messages import SystemCall, handle_system
from .._exits.errors import BadReturn, WrongServer
from .._exits.reasons import ProcessExit, passes_through
from .._process.request import From
from .._process.signals import Exit
from .._util.bounded import bounded
from .._util.unset import UNSET
from .._util.user_code import call_back, interruptible
from .children import Children
from .data import ChildInfo, Counts, Ending, ManagementCommand, RestartDue, RetryLater, Slot
from .reports import Reports
from .restart_timers import RestartTimers

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.pid import Pid
    from .._process.process import Process
    from .delays import Wait

Spec = TypeVar("Spec")
Handler: TypeAlias = "Callable[[Any, Any], Any]"  # a method, `def` or `async def`


class SupervisorBehaviour(Behaviour):
    """The base of `Supervisor` and `DynamicSupervisor`."""

    child_type: ClassVar[str] = "supervisor"
    hosts_children: ClassVar[bool] = True
    loop: SupervisorLoop[object] | None = None  # set while it runs

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
        if self.loop is not None:  # pragma: no branch - only a loop calls it
            await self.loop.specify_anew()

    def children_info(self) -> list[ChildInfo]:
        """List the children, oldest first, without asking the process."""
        return [] if self.loop is None else self.loop.infos()

    @property
    def summary(self) -> str:
        """Return in a word or two what kind of supervisor this is."""
        return "supervisor" if self.loop is None else self.loop.summary

    def _status(self) -> Any:
        """Return what `otp.sys.get_status` shows: the strategy and the children."""
        return {"strategy": self.summary, "children": self.children_info()}


class SupervisorLoop(ABC, Generic[Spec]):
    """The shell around a supervisor. Its subclasses say what the kinds of supervisor differ in.

    Whatever happens comes in here and is handed down once; what is to be done with a child, and
    told of it, is done by `children` and `reports`.
    """

    summary: str = "supervisor"
    spec_class: ClassVar[type[Any]]  # what `init` of the instance returns
    spec_of: ClassVar[str]  # the name of the class whose `spec` makes that

    def __init__(self, process: Process) -> None:
        self.process = process
        self.instance: Any = None
        self.reports: Reports = Reports(process)
        self.children: Children = Children(process, self.reports)
        self.timers: RestartTimers = RestartTimers(process)

    @abstractmethod
    async def begin(self, spec: Spec) -> None:
        """Take the specification, and start what is to run from the first."""

    @abstractmethod
    def change(self, spec: Spec) -> None:
        """Take another specification while children run; nothing is started or stopped."""

    @abstractmethod
    async def stop_children(self, *, interrupt: bool) -> None:
        """Stop all children; with `interrupt` nested supervisors break off what they do."""

    @abstractmethod
    async def child_exited(self, pid: Pid, reason: object) -> None:
        """Do what the end of a child calls for; others than children are ignored."""

    @abstractmethod
    async def retry(self, key: object, reason: object) -> None:
        """Try a failed restart again."""

    @abstractmethod
    async def due(self, wait: Wait) -> None:
        """Restart what has waited for long enough."""

    @abstractmethod
    def infos(self) -> list[ChildInfo]:
        """List the children, oldest first."""

    @abstractmethod
    def slot_of(self, pid: Pid) -> Slot | None:
        """Return a running child; None if there is no such child."""

    # -- life --------------------------------------------------------------------------------

    @enable_ki_protection
    async def run(self, make: Callable[[], Behaviour]) -> None:
        """Run the body of the process."""
        try:
            await self._run(make)
        finally:
            self.instance = None  # else they keep each other alive

    async def _run(self, make: Callable[[], Behaviour]) -> None:
        process = self.process
        process.trap_exit = True
        try:
            await self._live(make)
        except BaseException:
            if process.may_terminate:
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
        self.instance = interruptible(make)
        process.become(self.instance)
        self.instance.loop = self
        spec = await self._specification()
        if spec is None:
            ignore(process)
        await self.begin(spec)
        assert process.starting is not None
        process.starting.ack()

    async def specify_anew(self) -> None:
        """Take the specification of the instance again, while children run."""
        spec = await self._specification()
        if spec is not None:
            self.change(spec)

    async def _specification(self) -> Spec | None:
        """Return what the `init` of the instance gives; None if it wants to be ignored."""
        spec: object = await call_back(self.instance.init)
        if spec is IGNORE:
            return None
        if not isinstance(spec, self.spec_class):
            raise BadReturn(f"{self.spec_of}.init", spec, f"{self.spec_of}.spec(...) or IGNORE")
        return cast("Spec", spec)

    async def _serve(self) -> None:
        message: Any
        process, mailbox = self.process, self.process.mailbox
        while True:
            if len(mailbox):
                await trio.lowlevel.checkpoint()
            else:
                await mailbox.wait()
            try:
                message = mailbox.receive_nowait()
            except trio.WouldBlock:  # somebody has flushed the last one
                continue
            process.current = message
            process.since = process.runtime.now()
            if process.debug is not None and not isinstance(message, SystemCall):
                process.debug.event("in", getattr(message, "message", message))
            if message.__class__ is From and message._server is process:
                await self._command(message)
            else:
                await self._handle(message)
            process.messages_handled += 1
            self.settled()
            message = process.current = UNSET  # while it waits it holds nothing

    def settled(self) -> None:
        """Notify those that wait for a child: a message has been handled."""
        if self.process.extras.followers is not None:
            self.process.tell_followers()

    async def _handle(self, message: object) -> None:
        match message:
            case Exit():
                await self._exit(message)
            case RetryLater():
                await self.retry(message.key, message.reason)
            case RestartDue():
                await self.due(message.wait)
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
            raise Ending(message.reason)  # pragma: no cover - the checkpoint has raised
        await self.child_exited(message.pid, message.reason)

    def is_stop_message(self, message: Exit) -> bool:
        """Check whether it is the parent's exit signal."""
        return self.process.is_stop_message(message)

    def end(self, reason: object) -> NoReturn:
        """Leave the loop, as `otp.sys` or a parent asks for."""
        raise Ending(reason)

    # -- management calls ---------------------------------------------------------------------

    async def _command(self, from_: From[Any]) -> None:
        command = from_.message
        if not isinstance(command, ManagementCommand):
            name = type(self.instance).__name__
            error = TypeError(f"{name} does not take the call {bounded(command)}")
            from_._fail(error)
            return
        if command.void:
            return
        try:
            value = self._handler(command)(self, command.argument)
            if value.__class__ is CoroutineType:
                value = await value
        except Ending:  # pragma: no cover - no command ends its supervisor so far
            raise
        except Exception as exc:  # also of an id that cannot be compared: the caller's mistake
            from_._fail(exc)
        else:
            from_._answer(value)
        finally:
            if command.over is not None:
                command.over.set()

    def _handler(self, command: ManagementCommand) -> Handler:
        try:
            return self.commands[command.name]
        except KeyError:
            name = type(self.instance).__name__
            raise WrongServer(command.name, self.process.pid, name) from None

    def which_children(self, _: None) -> list[ChildInfo]:
        """List the children."""
        return self.infos()

    def count_children(self, _: None) -> Counts:
        """Count the children."""
        infos = self.infos()
        supervisors = sum(info.type == "supervisor" for info in infos)
        active = sum(info.pid is not None and info.pid._process is not None for info in infos)
        return Counts(len(infos), active, supervisors, len(infos) - supervisors)

    # {management call: the method that answers it}; each kind of supervisor adds its own
    commands: ClassVar[dict[str, Handler]] = {
        "which_children": which_children,
        "count_children": count_children,
    }
