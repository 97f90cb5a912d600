"""The one dispatcher: it takes the messages of a server or state machine and has them handled.

Rules this file keeps:

* One message at a time, in the order of arrival; what comes from inside, a `continue_` or an event
  of a machine, goes before any message.
* After each callback it looks whether an exit signal is on its way: a server that is exiting
  answers nobody any more, also if its callback had no checkpoint at which to notice.
* Messages are taken without a checkpoint in between, at most `BURST` of them or for
  `BURST_SECONDS`, so that a flood delays other tasks by no more than that.
* An idle time-out is an absolute deadline: messages for the behaviour itself leave it alone.

Watchers (`otp.sys`) and hooks (`otp.events`) are told on this path, by `_handle` and `_done`; a
server that is watched has no path of its own.

The loop runs in two kinds of turns. Its *own* ones are those of its task, as Trio resumes it. In a
*caller's*, `runtime.turn` is the call, which has resumed the loop itself while the task waits, see
`callers_turn`. What cannot be done there begins with `_leave_turn`, and goes on in the task.

Follows: Erlang's `gen_server`, its `loop/7` and `decode_msg/9`.
"""

from __future__ import annotations

from abc import abstractmethod
from sys import modules
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

import trio
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    disable_ki_protection,
    enable_ki_protection,
    wait_task_rescheduled,
)

from .._behaviour.messages import Cast, Handled, Terminate, Timeout, log_unexpected
from .._behaviour.stopping import Stopping
from .._behaviour.system_messages import SystemCall, handle_system
from .._exits.reasons import ProcessExit
from .._process.callers_turn import TURN, end_turn, is_in_greenlet, leave_turn
from .._process.hibernation import IdleTimer
from .._process.mailbox import SystemMessage, stay
from .._process.request import GIVEN_UP, From
from .._process.signals import Exit
from .._util.unset import UNSET
from .life import Life

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from .._process.process import Process
    from .handling import Handling

BURST: Final = 64  # messages
BURST_SECONDS: Final = 0.001


class MessageLoop(Life):
    """Takes messages; subclasses say what handles one, and what its result means."""

    __slots__ = (
        "_budget",
        "_deadline",
        "_idle_timer",
        "_internal",
        "_own_turns",
        "_patience",
        "_until",
    )
    serves_callers: ClassVar[bool] = True  # in their turn; tests compare that with the other way

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self._internal: object = None  # what is to be handled before any message
        self._deadline: float | None = None  # of the idle time-out
        self._idle_timer: IdleTimer | None = None
        self._budget = 0  # of a burst: how many messages it may take before a checkpoint
        self._until = 0.0  # and until when
        # After a caller's turn in vain some turns are its own before it is tried again: how many
        # are left, and how many there were the last time, which are twice as many each time.
        self._own_turns = 0
        self._patience = 1

    @abstractmethod
    def _handle(self, message: object) -> Coroutine[object, object, object] | None:
        """Call the callback of a message, and do what it returned.

        Returns:
            The coroutine of an async callback, which gives what is for `_done`.
        """

    @abstractmethod
    def _done(self, message: object, result: object) -> None:
        """Do what the callback of a message returned."""

    def _done_told(self, handling: Handling, message: object, result: object) -> None:
        """Do as `_done`, and notify the listeners; a crash report still has the context."""
        handling.stop()
        self._handling = None
        try:
            self._done(message, result)
        except BaseException:
            self._handling = handling
            raise
        handling.detach()

    def go_on(self) -> Coroutine[object, object, object]:
        """Resume the body of a process that has slept."""
        self.instance = self.process.instance
        self._begin_burst()
        return self._live(None)

    # -- the way of a message ----------------------------------------------------------------

    @disable_ki_protection
    async def _serve(self) -> None:  # noqa: PLR0912, PLR0915 - one frame, see below
        # Waiting for a message and taking one that is there happen in this one frame, because each
        # further coroutine would cost some percent of a call. Each time round it waits if there is
        # nothing to do, takes a message, does or passes over what is not for a callback, and has
        # the callback called. Ctrl-C may be raised at any line, and ends the server as a crash
        # does; what others can see is changed by protected functions.
        message: Any
        running: object
        process, now = self.process, self.process.runtime.now
        runtime = process.runtime
        mailbox, queue = process.mailbox, process.mailbox.queue
        self._see_when_to_sleep()
        while True:
            if self._internal is not None:
                message, self._internal = self._internal, None
                await self._pause()
            else:
                # -- wait, until a message, an exit signal or a caller comes
                if not queue and self._deadline is None and process.pending_exit is UNSET:
                    # In a caller's turn it is idle since now: only a server that sleeps at once,
                    # and so has no such turns, could be so for long enough.
                    if self._idle_timer is not None and self._idle_timer.is_over():
                        return
                    own_turn = runtime.turn is None
                    if not own_turn and not process.serves:  # it was cancelled meanwhile
                        await self._leave_turn()
                        continue
                    try:
                        if own_turn:
                            mailbox.park(process.task)
                            process.serves = (
                                self.serves_callers
                                and self._own_turns == 0 < self._budget
                                and ("greenlet" not in modules or not is_in_greenlet())
                            )
                        else:  # as if it had waited all along, which to Trio it has
                            mailbox._waiter, process.serves = process.task, self._budget > 0
                            self._patience = 1
                        # A `__del__` may have run since it looked, and found nobody to wake.
                        if (queue or process.pending_exit is not UNSET) and self._is_awake():
                            continue
                        if own_turn:
                            turn = await wait_task_rescheduled(
                                stay if process.scope is None else self._unpark
                            )
                        else:
                            turn = await end_turn()
                    except BaseException:  # Ctrl-C, before it waited
                        self._unpark()
                        raise
                    if turn is TURN:  # which belongs to the burst of the last own one
                        assert runtime.turn is not None
                        process.since = since = runtime.turn._since
                        if since >= self._until:
                            self._budget = 1
                    else:
                        process.serves = False
                        if process.pending_exit is not UNSET and process.scope is None:
                            raise ProcessExit(process.pending_exit)  # a scope would end it here
                        process.since = since = now()
                        self._budget = BURST
                        self._until = since + BURST_SECONDS
                        if self._own_turns:
                            self._own_turns -= 1
                    if not queue:  # woken without a message: exit pending, or idle timer fired
                        continue
                    timed = True
                else:
                    timed = False
                    if runtime.turn is not None:
                        await self._leave_turn()
                # -- take a message. The budget counts what is taken without a checkpoint; `_next`,
                # which makes one, begins a new burst.
                if queue and self._budget > 0 and process.pending_exit is UNSET:
                    self._budget -= 1
                    message = queue.popleft()
                    if not timed:
                        process.since = since = now()
                        if since >= self._until:
                            self._budget = 0
                else:
                    if runtime.turn is not None:
                        await self._leave_turn()
                    message = await self._next()
                # -- calls and casts are for callbacks, of other messages `_sort` knows
                kind = message.__class__
                if kind is not Cast or process.debug is not None:
                    if kind is not From or process.debug is not None:
                        message = await self._sort(message)
                        if message is UNSET:
                            continue
                    elif message.abandoned and self._passes_over(message):
                        message = UNSET
                        continue
                self._deadline = None  # a message for a callback ends the idle time-out
            # -- have it handled; a coroutine needs the task, and a scope that a kill can cancel
            process.current = message
            running = self._handle(message)
            if running is not None:
                if runtime.turn is not None:
                    await self._leave_turn()
                if process.scope is None:
                    process.enter_scope()
                self._done(message, await running)
            # This frame lives as long as the server: it must not keep the last message alive.
            message = running = process.current = UNSET

    async def _sort(self, message: Any) -> object:
        """Do what is for the loop itself; return what is for a callback, else UNSET."""
        process = self.process
        if process.runtime.turn is not None:
            await self._leave_turn()
        if message.__class__ is Terminate:
            raise Stopping(message.reason)
        if isinstance(message, SystemMessage) and message.__class__ is not Cast:
            process.enter_scope()
            await self._system(message)
            return UNSET
        if isinstance(message, Exit) and self.is_stop_message(message):  # no gate holds it up
            process.current = message
            raise Stopping(message.reason)
        debug = process.debug
        if debug is not None:
            call: Any = message
            if call.__class__ is From and call.abandoned and self._passes_over(call):
                return UNSET
            process.enter_scope()
            if debug.gates:
                return await debug.admit(message)
        return message

    def _passes_over(self, call: From[Any]) -> bool:
        """Leave a call unhandled whose caller has given up, if it is one of those that are."""
        process, request = self.process, call.message
        if call._server is not process:  # somebody has sent it as a plain message
            return False
        skips = process.extras.skip_abandoned or process.mailbox.bound is not None
        if not skips and not (isinstance(request, Handled) and request.skips_abandoned()):
            return False
        process.runtime.drop(process.pid, request, GIVEN_UP)
        return True

    def is_stop_message(self, message: Exit) -> bool:
        """Check whether it is the parent's exit signal; one started without a link is its own."""
        process = self.process
        own = process.parent is None and message.pid is process.pid
        return own or process.is_stop_message(message)

    # -- waiting -----------------------------------------------------------------------------

    @enable_ki_protection
    async def _next(self) -> object:
        """Wait for the next message, or let others run and an exit signal arrive."""
        self.process.enter_scope()
        message = await self._wait()
        if self.process.pending_exit is not UNSET:
            # The signal came while the message was handed over.
            await trio.lowlevel.checkpoint()
        self._begin_burst()
        self._budget -= 1
        return message

    @enable_ki_protection
    async def _wait(self) -> object:
        mailbox = self.process.mailbox
        if self._deadline is None:
            return await mailbox.receive()
        with trio.move_on_at(self._deadline):
            return await mailbox.receive()
        self._deadline = None
        try:  # what arrived in the meantime comes first
            return mailbox.receive_nowait()
        except trio.WouldBlock:
            return Timeout()

    @enable_ki_protection
    def _unpark(self, _raise_cancel: RaiseCancelT | None = None) -> Abort:
        """Forget that it waits: it was cancelled, which in a caller's turn has to wait."""
        self.process.serves = False
        return self.process.mailbox.unpark()

    def _is_awake(self) -> bool:
        """Stay awake, unless somebody has woken it, who found it waiting."""
        return self._unpark() is Abort.SUCCEEDED

    async def _leave_turn(self) -> None:
        """Go on in its own turn, with a new burst; the next messages are likely to need one too."""
        await leave_turn(self.process)
        self._own_turns = self._patience = min(2 * self._patience, 16 * BURST)
        self._budget = BURST
        self._until = self.process.runtime.now() + BURST_SECONDS

    async def _pause(self) -> None:
        """Make a checkpoint if the burst is over or an exit signal is pending, as elsewhere."""
        process = self.process
        if process.runtime.turn is not None:
            await self._leave_turn()
        process.enter_scope()
        now = process.runtime.now()
        if process.pending_exit is not UNSET or self._budget <= 0 or now >= self._until:
            await trio.lowlevel.checkpoint()
            self._begin_burst()
        else:
            process.since = now
        self._budget -= 1

    def _begin_burst(self) -> None:
        self.process.since = self.process.runtime.now()
        self._budget = BURST
        self._until = self.process.since + BURST_SECONDS

    # -- system messages ---------------------------------------------------------------------

    async def _system(self, message: SystemMessage) -> None:
        if isinstance(message, SystemCall):
            await handle_system(message, self)
            self._see_when_to_sleep()
        else:  # pragma: no cover - a server gets no other ones
            log_unexpected(self.process, message)

    def _see_when_to_sleep(self) -> None:
        """Do as the class says: at the start, and when the class may be another one."""
        after = self.instance._sleeps_after(self.process)
        if self._idle_timer is None or self._idle_timer.after != after:
            if self._idle_timer is not None:
                self._idle_timer.stop()
            self._idle_timer = None if after is None else IdleTimer(self.process, after)

    def end(self, reason: object) -> NoReturn:
        """Leave the loop, as `otp.sys` or a parent asks for."""
        raise Stopping(reason)
