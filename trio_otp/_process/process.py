"""A process: a Trio task with a mailbox, links, monitors and an end that everybody hears of.

The life of a process is `create` -> its task runs the body -> `die`. Rules this file keeps:

* The body is shielded from outside cancellation; only exit signals and supervisors end it. The
  scope that does so is made when the task first has to wait for something that knows nothing of
  that, see `enter_scope`.
* `die` has no checkpoint: names and registry entries go first, then the callers
  that wait are answered, then exits go to links, then DOWN to monitors. So a name is free before
  anyone hears of the death.
* A process with an exit signal on its way (`is_exiting`) counts as dead for everybody but its
  supervisor, as in OTP; it dies when its body has unwound.
* A process that hosts children (a supervisor) owns a nursery. It dies when its body ends, before
  the nursery has drained; what is left in the nursery is then shut down newest first.
* The block of `open_process` stops what lives in it as the last part of its body, see `retire`.

It is long because each way to end has to know of the others: they share the state of one process.

Follows: Erlang reference manual, "Processes".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from .._exits.bare import as_reason, part, raise_bare, reason_of
from .._exits.nurseries import OwnNursery
from .._exits.reasons import (
    KILL,
    KILLED,
    NORMAL,
    SHUTDOWN,
    ProcessExit,
    Reason,
    passes_through,
)
from .._exits.remembered import remembered
from .._util.unset import UNSET
from ..events import CrashReport
from .crash_facts import behaviour_name, initial_call, neighbours_of
from .death import drop_what_is_left, let_go, tell
from .news import News
from .nursery import OrderedNursery
from .runtime import current_process
from .signals import Exit
from .state import ProcessState
from .stopping import KillWatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .pid import Pid
    from .wait_edges import AnyOf


class Process(ProcessState):
    """The inside of a process; users hold its `Pid`."""

    __slots__ = ()

    # -- life ------------------------------------------------------------------------------------

    @enable_ki_protection
    async def run(self) -> None:
        """Run the task of the process. Ctrl-C may break into the body, not into its end.

        It is one frame on purpose: whatever wakes a process passes through each of its frames.
        """
        current_process.set(self)
        self.task: trio.lowlevel.Task | None = trio.lowlevel.current_task()
        fall_asleep: Callable[[Process], None] | None = None  # what it does instead of dying
        try:
            try:
                if self.pending_exit is UNSET or (
                    self.runs_terminate and self.instance is not None
                ):
                    fall_asleep = await self._begin()
            except BaseException as exc:  # noqa: ASYNC103 - but what its own scope caught
                if self.scope is None or not self.scope.__exit__(type(exc), exc, exc.__traceback__):
                    raise
            else:
                if self.scope is not None:
                    self.scope.__exit__(None, None, None)
        except trio.Cancelled:  # by a Ctrl-C in a child, which is the reason; see run_hosting
            raise
        except ProcessExit as exc:
            self.die(as_reason(exc.reason))  # as `_crash` does, with nothing to report
        except BaseException as exc:
            if self.hosts and passes_through(exc):
                raise  # it ends with its nursery, so that its starter hears of it only after that
            self._crash(exc)
        else:
            self._leave(fall_asleep)
        finally:
            if not self.hosts and fall_asleep is None:
                self.die(SHUTDOWN)  # in case none of the ways out above has
                self._let_go_of_reason()

    def _crash(self, exc: BaseException) -> None:
        """Die of what came out of the body; raise what is not ours."""
        reason = reason_of(exc)
        try:
            try:
                self._report(exc, reason)
            finally:  # also if a listener raises what is no error of its own
                self.die(reason)
            if passes_through(exc):
                raise_bare(reason if isinstance(reason, BaseException) else exc)
        finally:
            del exc, reason  # else the frame and the traceback keep each other alive

    def _leave(self, fall_asleep: Callable[[Process], None] | None) -> None:
        """Finish the task: die normally, or fall asleep if that is given."""
        if fall_asleep is None:
            self.die(NORMAL)
        else:
            fall_asleep(self)

    @enable_ki_protection
    async def run_hosting(self) -> None:
        """Run the task of a process that hosts children."""
        # A Ctrl-C raised in a child cancels the nursery; the body must see that and stop the other
        # children in order. Hence the shield stands outside the nursery and the body's own scope
        # has none.
        current_process.set(self)
        try:
            with trio.CancelScope(shield=True):
                async with OwnNursery() as nursery:
                    self.children: OrderedNursery | None = OrderedNursery(self.runtime, nursery)
                    try:
                        await self.run()
                    finally:
                        await self.children.close()
        except BaseException as exc:  # noqa: ASYNC103 - it is raised bare below
            reason = reason_of(exc)
            self.die(reason)
            raise_bare(reason if isinstance(reason, BaseException) else exc)
        finally:
            self.die(SHUTDOWN)  # in case none of the ways out above has
            self.children = self.instance = None  # its nursery and its loop hold this process
            self._let_go_of_reason()

    def _begin(self) -> Awaitable[Any]:
        """Begin what the process runs, into which Ctrl-C may break; or go on, if it has slept.

        A behaviour sees to that itself, which saves each server a frame.
        """
        behaviour = self.behaviour if self.body is None else None
        if behaviour is None or not behaviour.enters_scope_itself:
            self.enter_scope()
        if behaviour is not None:
            running: Awaitable[object] = (
                behaviour._wake_process(self)
                if self.instance is not None
                else behaviour.run_process(self, self.make)
            )
            return running
        return self._run_plain()

    @enable_ki_protection
    def enter_scope(self) -> None:
        """Enter, in the task of the process, the shielding scope that `exit_with` cancels.

        Until then the task may only wait for its mailbox, with `stay` as its abort function. A
        scope is a tenth of what an idle server weighs and a third of what it takes to start one; a
        server whose callbacks never wait needs none before its end.
        """
        if self.scope is None:
            self.scope: trio.CancelScope | None = trio.CancelScope(shield=not self.hosts)
            self.scope.__enter__()
            if self.pending_exit is not UNSET:
                self.scope.cancel(reason=_cancel_reason(self.pending_exit))

    @disable_ki_protection
    async def _run_plain(self) -> None:
        assert self.body is not None
        await self.body(self)

    def _report(self, exc: BaseException, reason: object) -> None:
        # A behaviour reports its own crashes, with its last message and state, and then ends by
        # ProcessExit.
        quiet = passes_through(exc) or part(exc)[0] is None
        if not quiet and self.starting is None and self.runtime.events.is_heard("crash"):
            self.runtime.events.emit("crash", self.crash_report(reason))

    def crash_report(self, reason: object, **details: object) -> CrashReport:
        """Describe the process as it is at its end."""
        all_details: dict[str, Any] = {"log": self.log, **details}
        return CrashReport(
            pid=self.pid,
            name=self.name,
            label=self.label,
            reason=reason,
            handled=self.messages_handled,
            queue_len=len(self.mailbox),
            ancestors=self.ancestors,
            links=tuple(peer.pid for peer in self.links or ()),
            callers=self.callers,
            behaviour=behaviour_name(self),
            initial_call=initial_call(self),
            dictionary=tuple(self.dictionary or ()),
            trap_exit=self.trap_exit,
            metadata=dict(self.extras.metadata or {}),
            neighbours=neighbours_of(self),
            **all_details,
        )

    @property
    def log(self) -> tuple[object, ...]:
        """The last events, if `otp.sys.log` keeps them."""
        return () if self.debug is None else self.debug.events

    # -- signals ---------------------------------------------------------------------------------

    @enable_ki_protection
    def signal(self, sender: Pid | None, reason: object, *, linked: bool = False) -> None:
        """Take an exit signal: of `otp.exit`, or of a link that broke."""
        if self.dead:
            return
        if reason is KILL and not linked:
            self.exit_with(KILLED)
        elif self.trap_exit:
            message = Exit(sender, reason)
            parent = self.parent
            if linked and self.stop_message is None and parent is not None and sender is parent.pid:
                self.stop_message: Exit | None = message
            self.mailbox.put(message)
        elif reason is not NORMAL:
            self.exit_with(reason)

    @enable_ki_protection
    def exit_with(self, reason: object, *, run_terminate: bool = False) -> None:
        """End the process with `reason` at its next checkpoint.

        Only a kill outdoes an earlier reason. With `run_terminate` a `terminate` that runs is left
        alone.
        """
        if self.dead:
            return
        if reason is KILLED and self.pending_exit is not KILLED:
            KillWatch(self)
        if self.pending_exit is not UNSET:
            if reason is not KILLED or not self.runs_terminate:
                return
        elif run_terminate and self.terminate_scope is not None:
            return
        self.pending_exit: object = reason
        self.runs_terminate: bool = run_terminate
        if self.extras.retired and reason is KILLED:
            self.die(KILLED)
        elif self.scope is None:
            self.mailbox.wake()
        else:
            self.scope.cancel(reason=_cancel_reason(reason))
        if self.terminate_scope is not None:
            self.terminate_scope.cancel(reason=_cancel_reason(reason))

    @enable_ki_protection
    def request_shutdown(self, sender: Pid, reason: object, *, interrupt: bool = False) -> None:
        """Ask for an end with `terminate`, as a supervisor does.

        Args:
            sender: who asks.
            reason: the exit reason.
            interrupt: a supervisor breaks off what it is doing, as the start of a child.
        """
        if self.dead:
            return
        if not self.trap_exit:
            self.exit_with(reason, run_terminate=True)
        elif interrupt and self.hosts:
            # The death of its parent does not change a reason it was given before; a shutdown does.
            if self.stop_message is not None and reason is not SHUTDOWN:
                reason = self.stop_message.reason
            self.exit_with(reason, run_terminate=True)
        elif not self._has_stop_message(sender, reason):  # a link may have brought it
            self.stop_message = Exit(sender, reason)
            self.mailbox.put(self.stop_message)

    def _has_stop_message(self, sender: Pid, reason: object) -> bool:
        known = self.stop_message
        return known is not None and known.pid is sender and known.reason is reason

    # -- death ----------------------------------------------------------------------------------

    @enable_ki_protection
    def die(self, reason: object) -> None:
        """Free the names, answer the callers, tell links and monitors. No checkpoint in here."""
        if self.dead:
            return
        if self.pending_exit is not UNSET:
            reason = self.pending_exit
        self.pending_exit = reason
        self.dead = True
        self.waits_for: Process | dict[Process, None] | AnyOf | None = None
        with self.runtime.events._holding:
            let_go(self)
            tell(self, reason)
            if (hook := self.runtime.events.process_exit) is not None:
                hook(self.pid, reason)
            drop_what_is_left(self)
            self._let_go_of_life()

    def _let_go_of_life(self) -> None:
        """Refer to nothing that the process was about."""
        # Else a line of starters would keep all of it alive.
        self.parent: Process | None = None
        self.supervisor: Process | None = None
        # Nor must what holds the dead (a monitor, a block) keep what it was about.
        self.current: object = UNSET
        self.body: Callable[[Process], Awaitable[object]] | None = None
        self.make: Callable[[], object] | None = None
        self.task = None  # its context holds this process
        if not self.hosts:  # what has started a supervisor in this very turn has yet to see it
            self.instance: Any = None

    @enable_ki_protection
    def retire(self, reason: object) -> None:
        """Begin an end that nobody hears of until what lives in this process has been stopped.

        It is exiting from here on, so what ends in it changes the reason no more. Only a kill,
        before or after, is its death at once, and takes along what is linked to it.
        """
        if self.pending_exit is UNSET:
            self.pending_exit = reason
        self.runs_terminate = True  # so that a kill outdoes any other reason
        self.own_extras().retired = True
        if self.children is not None:  # pragma: no branch - what ends so has had some
            self.waits_for = self.children.processes
        if self.pending_exit is KILLED:
            self.die(KILLED)

    @enable_ki_protection
    def unlink_parent(self) -> None:
        """Remove the link to its starter."""
        self.remove_link(self.parent)

    def _let_go_of_reason(self) -> None:
        """Keep of a crash what it says: its traceback has the frames that hold this process."""
        if isinstance(self.pending_exit, BaseException):
            self.pending_exit = remembered(self.pending_exit)

    @enable_ki_protection
    async def wait_dead(self, limit: float | None = None) -> object:
        """Wait until the process is dead, or until so many seconds are over.

        Returns:
            The reason of its end, of a crash the very exception; `UNSET` if it is not dead.
        """
        if self.dead:
            await trio.lowlevel.checkpoint()
            return self.pending_exit
        news = News()
        fifo = None if limit is None else self.runtime.timers.limit(news, limit)
        self.add_watcher(news)
        try:
            await news.wait()
        finally:
            self.remove_watcher(news)
            if fifo is not None:
                fifo.pop(news, None)
        return news.reason


def _cancel_reason(reason: object) -> str:
    """Return what a `Cancelled` says about why it was raised.

    It is made at each exit signal and hardly ever read, so no repr of a user's object is in it.
    """
    return f"exit signal {reason if isinstance(reason, Reason) else type(reason).__name__}"
