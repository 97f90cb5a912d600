"""The loop that drives a GenServer: take a message, call its callback, do what it returned.

Rules this file keeps:

* One message at a time, in the order of arrival; a `continue_` comes before any message.
* After each callback it looks whether an exit signal is on its way: a doomed server answers
  nobody any more, also if its callback had no checkpoint at which to notice.
* Queued messages are taken without a checkpoint in between, at most `BURST` of them or for
  `BURST_SECONDS`, so that a flood delays other tasks by no more than that.
* An idle time-out is an absolute deadline: messages for the behaviour itself leave it alone.
* `terminate` runs at most once, shielded, inside whatever limit its stopper has.

It is long because the way of a message is written out where speed counts, `_serve`, beside what the
same message does when somebody watches.

Follows: Erlang's `gen_server`, section "Callback functions".
"""

from __future__ import annotations

import math
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, NoReturn

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection, wait_task_rescheduled

from .._behaviour.behaviour import ignore
from .._behaviour.messages import (
    STATE,
    Cast,
    Handled,
    Terminate,
    Timeout,
    as_log,
    client_place,
    content_of,
    log_unexpected,
    shown_client,
    shown_message_of,
)
from .._behaviour.results import (
    IGNORE,
    OUTCOMES,
    NoReply,
    Reply,
    Stop,
    Stopping,
    as_outcome,
    is_value,
)
from .._behaviour.system_messages import SystemCall, handle_system
from .._exits.bare import raise_bare, reason_of
from .._exits.exits import BadReturn, ProcessExit, is_quiet, passes_through
from .._process.hibernation import IdleTimer, fall_asleep
from .._process.mailbox import Mailbox, SystemMessage, stay
from .._process.process import UNSET
from .._process.request import From, check_timeout
from .._process.signals import Exit
from .._process.status import formatted, told
from .._util.bounded import bounded
from .._util.sent import SENT
from .._util.user_code import call_back, wait_for
from .debugged import handle_debugged

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .._behaviour.behaviour import Behaviour
    from .._process.process import Process
    from .._process.status import Status

BURST: Final = 64  # messages
BURST_SECONDS: Final = 0.001


class ServerLoop:
    """The shell around one instance of a GenServer."""

    __slots__ = (
        "_budget",
        "_continue",
        "_deadline",
        "_drowsiness",
        "_until",
        "instance",
        "process",
    )

    def __init__(self, process: Process) -> None:
        self.process = process
        self.instance: Any = None
        self._deadline: float | None = None  # of the idle time-out
        self._continue: Any = UNSET
        self._drowsiness: IdleTimer | None = None
        self._budget = 0  # how many messages it may take before a checkpoint
        self._until = 0.0

    # -- life --------------------------------------------------------------------------------

    def run(self, make: Callable[[], Behaviour]) -> Coroutine[Any, Any, Any]:
        """Be the body of the process; what it gives is to be done at the end of its task."""
        return self._live(make)

    def go_on(self) -> Coroutine[Any, Any, Any]:
        """Be the body of a process that has slept."""
        self.instance = self.process.instance
        self._begin_burst()
        return self._live(None)

    async def enter(self, result: Any) -> None:
        """Go on as the body of a process that runs already; `result` is as of init."""
        self._began(result)
        await self._live(None)

    @enable_ki_protection
    async def _live(self, make: Callable[[], Behaviour] | None) -> Any:
        # One frame from the init to the end: a server that waits keeps each of its frames.
        if make is not None:
            result = self._make(make)
            if result.__class__ is CoroutineType:
                self.process.enter_scope()
                result = await wait_for(result)
            self._check_first(result)
            if (
                self.process.pending_exit is not UNSET
            ):  # an init without a checkpoint has not noticed
                self.process.enter_scope()
                await trio.lowlevel.checkpoint()
            self._started(result)
        try:
            if self.process.pending_exit is not UNSET and self.process.scope is None:
                raise ProcessExit(self.process.pending_exit)  # it has slept, and was woken to end
            self._see_when_to_sleep()
            await self._serve()
            return fall_asleep
        except Stopping as stopping:
            await self._stop(stopping)
        except BaseException as exc:  # noqa: ASYNC103 - `_end` raises
            await self._end(exc)

    @disable_ki_protection
    def _make(self, make: Callable[[], Behaviour]) -> Any:
        """Make the instance and call its init; give what that returned, maybe to be awaited."""
        self.instance = self.process.instance = make()
        return self.instance.init()

    def _check_first(self, result: Any) -> None:
        """End at once if init wants that."""
        if result is IGNORE:
            ignore(self.process)
        if isinstance(result, Stop):
            raise ProcessExit(result.reason)

    def _started(self, result: Any) -> None:
        """Carry out what init returned, and tell the starter that it is over."""
        self._began(result)
        assert self.process.starting is not None
        self.process.starting.ack()

    def _began(self, result: Any) -> None:
        """Do what an init that went well returned."""
        self._carry_on("init", result, "None, NoReply(), Stop(reason) or IGNORE")

    async def _stop(self, stopping: Stopping) -> None:
        self.process.enter_scope()
        if self.process.pending_exit is not UNSET and not self.process.runs_terminate:
            await trio.lowlevel.checkpoint()  # killed before it took the order: no terminate
        try:
            try:
                self._report(stopping.reason)
            finally:
                await self._terminate(stopping.reason)
        finally:
            killed = self.process.pending_exit is not UNSET  # then the callers learn of that
            if stopping.from_ is not None and stopping.reply is not UNSET and not killed:
                stopping.from_.finish(as_outcome(stopping.reply))
        raise ProcessExit(stopping.reason)

    async def _end(self, exc: BaseException) -> None:
        """End by what came out of the loop: an exit signal, Ctrl-C, or a crash."""
        process, reason = self.process, reason_of(exc)
        process.enter_scope()
        if process.pending_exit is UNSET and not passes_through(exc):
            try:
                self._report(reason)
            finally:  # also if Ctrl-C breaks off a `format_status`
                await self._terminate(reason)
            raise ProcessExit(reason)
        try:
            if process.pending_exit is UNSET:
                await self._terminate(reason, process.shutdown)
            elif process.runs_terminate:
                await self._terminate(process.pending_exit)
        except (trio.Cancelled, ProcessExit):  # noqa: ASYNC103 - `exc` goes on below
            if not passes_through(exc):
                raise
        try:
            if passes_through(exc) and isinstance(reason, BaseException):
                raise_bare(reason)  # Ctrl-C goes on whatever `terminate` has met
            raise exc
        finally:
            del exc, reason  # else the frame and the traceback keep each other alive

    async def _terminate(self, reason: object, limit: float | None = None) -> None:
        """Run the user's `terminate`, once, where only a kill or another exit signal ends it."""
        if self.process.debug is not None:
            self.process.debug.event("terminate", reason)
        deadline = math.inf if limit is None else trio.current_time() + limit
        with trio.CancelScope(shield=True, deadline=deadline) as self.process.terminate_scope:
            try:
                await call_back(self.instance.terminate, reason)
            except BaseException as exc:
                if passes_through(exc):
                    raise
                crash = reason_of(exc)
                self._report(crash)
                if self.process.runs_terminate:  # it did not end as it was asked to
                    self.process.pending_exit = crash
                raise ProcessExit(crash) from exc  # noqa: ASYNC104 - a crash ends it by ProcessExit
        await trio.lowlevel.checkpoint_if_cancelled()

    def _report(self, reason: object) -> None:
        if is_quiet(reason):
            return
        process = self.process
        message = process.current
        status = formatted(
            self.instance,
            {
                **self._status(),
                "message": content_of(message),
                "reason": reason,
                "log": process.log,
            },
            self.state_key,
        )
        details = told(process, reason, status["reason"])
        report = process.crash_report(
            status["reason"],
            last_message=shown_message_of(message, status["message"]),
            state=self._shown_state(status),
            client=shown_client(message),
            client_place=client_place(message),
            log=as_log(status["log"]),
            **details,
        )
        process.runtime.events.emit("crash", report)

    state_key = "state"  # what a `format_status` without an argument gives

    def _status(self) -> Status:
        """Return what there is to be shown of the state."""
        return {"state": self.instance._status()}

    def _shown_state(self, status: Status) -> str:
        return bounded(status["state"], STATE)

    # -- messages ----------------------------------------------------------------------------

    @disable_ki_protection
    async def _serve(self) -> None:  # noqa: PLR0912, PLR0915 - see below
        # The path of each message. It is written out, because each coroutine more would cost some
        # percent of a call. Ctrl-C may get in at any line and ends the server as a crash does; what
        # others see of it is changed by functions that are protected.
        process, hooks, now = self.process, self.process.runtime.events, self.process.runtime.now
        mailbox, queue = process.mailbox, process.mailbox.queue
        while True:
            if self._continue is not UNSET:
                await self._do_continue()
                continue
            if not queue and self._deadline is None and process.pending_exit is UNSET:
                if self._drowsiness is not None and self._drowsiness.wins():
                    return
                if mailbox.__class__ is Mailbox:
                    try:
                        mailbox.park()
                        await wait_task_rescheduled(
                            stay if process.scope is None else mailbox.unpark
                        )
                    except BaseException:  # Ctrl-C, before it waited
                        mailbox.unpark()
                        raise
                    if process.pending_exit is not UNSET and process.scope is None:
                        raise ProcessExit(process.pending_exit)  # as soon as a scope would end it
                else:
                    process.enter_scope()
                    await mailbox.wait()
                process.since = since = now()
                self._budget = BURST
                self._until = since + BURST_SECONDS
                if not queue:  # it is to look around: at its end, at its sleep
                    continue
            if queue and self._budget > 0 and process.pending_exit is UNSET:
                self._budget -= 1
                message = queue.popleft()
                if self._budget < BURST - 1:
                    process.since = since = now()
                    if since >= self._until:
                        self._budget = 0
            else:
                message = await self._next()
            kind = message.__class__
            if process.debug is not None or (kind is not From and kind is not Cast):
                await self._take(message)
            else:
                process.current = message
                self._deadline = None
                if kind is Cast:
                    content = message.message
                    if hooks.handle_start is not None:
                        hooks.handle_start(process.pid, "cast", content)
                    if isinstance(content, Handled):
                        result = content.handle_cast(self.instance)
                    else:
                        result = self.instance.handle_cast(content)
                    if result.__class__ is CoroutineType:
                        if process.scope is None:
                            process.enter_scope()
                        result = await result
                    if hooks.handle_stop is not None:
                        self.emit_stop("cast", message.message)
                    if result is not None:
                        self._carry_on("handle_cast", result)
                elif message.server is process:
                    result = self.run_call(message)
                    if result.__class__ is CoroutineType:
                        if process.scope is None:
                            process.enter_scope()
                        result = await result
                    if hooks.handle_stop is not None:
                        self.emit_stop("call", message.message)
                    self.answer(message, result)
                else:
                    await self._handle_info(message)
                process.messages_handled += 1
            message = content = result = process.current = UNSET  # while it waits it holds nothing

    async def _take(self, message: Any) -> None:
        """Take what is neither call nor cast, or anything if somebody watches."""
        process = self.process
        if isinstance(message, SystemMessage) and message.__class__ is not Cast:
            process.enter_scope()
            await self._system(message)
            return
        debug = process.debug  # a gate may be the last of what watches, and go
        if debug is not None:
            process.enter_scope()
        if debug is not None and debug.gates and not self._is_from_above(message):
            message = await debug.admit(message)
        process.current = message
        self._deadline = None
        if debug is None:
            await self._handle_info(message)
        else:
            await handle_debugged(self, debug, message)
        process.messages_handled += 1

    @enable_ki_protection
    async def _next(self) -> Any:
        """Wait for the next message, or let others run and an exit signal arrive."""
        self.process.enter_scope()
        message = await self._wait()
        if (
            self.process.pending_exit is not UNSET
        ):  # the signal came while the message was handed over
            await trio.lowlevel.checkpoint()
        self._begin_burst()
        self._budget -= 1
        return message

    def _begin_burst(self) -> None:
        self.process.since = self.process.runtime.now()
        self._budget = BURST
        self._until = self.process.since + BURST_SECONDS

    @enable_ki_protection
    async def _wait(self) -> Any:
        mailbox = self.process.mailbox
        if self._deadline is None:
            return await mailbox.take()
        with trio.move_on_at(self._deadline):
            return await mailbox.take()
        self._deadline = None
        try:  # what arrived in the meantime comes first
            return mailbox.take_nowait()
        except trio.WouldBlock:
            return Timeout()

    async def _handle_info(self, message: Any) -> None:
        if self._is_from_above(message):
            raise Stopping(message.reason)
        result = await self._run("info", message, self.instance.handle_info)
        self._carry_on("handle_info", result)

    def _is_from_above(self, message: Any) -> bool:
        return message.__class__ is Exit and self.is_stop_message(message)

    def is_stop_message(self, message: Exit) -> bool:
        """Tell the parent's exit signal from others; one started without a link is its own."""
        process = self.process
        parent = process.parent or process
        return message is process.stop_message or message.pid is parent.pid

    def run_call(self, from_: From[Any]) -> Any:
        """Return what the callback of a call returned, which may be to be awaited."""
        hook = self.process.runtime.events.handle_start
        request = from_.message
        if hook is not None:
            hook(self.process.pid, "call", request)
        if isinstance(request, Handled):
            return request.handle_call(self.instance, from_)
        return self.instance.handle_call(request, from_)

    def answer(self, from_: From[Any], result: Any) -> None:
        """Do what `handle_call` returned."""
        if self.process.pending_exit is not UNSET:
            return
        if result.__class__ is Reply:
            if result.value.__class__ in OUTCOMES:
                from_.finish(as_outcome(result.value))
            else:
                from_.answer(result.value)
            if result.continue_ is not None or result.timeout is not None:
                self._go_on(result)
        elif is_value(from_.message, result):
            _reply(from_, result)
        elif isinstance(result, NoReply):
            from_.defer()
            self._go_on(result)
        elif isinstance(result, Stop):
            raise Stopping(result.reason, from_, result.reply)
        else:
            hint = "; to answer None write Reply(None)" if result is None else ""
            accepted = f"Reply(value), NoReply() or Stop(reason, reply=){hint}"
            raise BadReturn("handle_call", result, accepted)

    def run_cast(self, message: Any) -> Any:
        """Return what the callback of a cast returned, which may be to be awaited."""
        hook = self.process.runtime.events.handle_start
        if hook is not None:
            hook(self.process.pid, "cast", message)
        if isinstance(message, Handled):
            return message.handle_cast(self.instance)
        return self.instance.handle_cast(message)

    async def _do_continue(self) -> None:
        self.process.enter_scope()
        if (
            self.process.pending_exit is not UNSET
            or self._budget <= 0
            or self.process.since >= self._until
        ):
            await trio.lowlevel.checkpoint()
            self._begin_burst()
        self._budget -= 1
        token, self._continue = self._continue, UNSET
        if self.process.debug is not None:
            self.process.debug.event("continue", token)
        self.process.current = token
        self.process.since = self.process.runtime.now()
        result = await self._run("continue", token, self.instance.handle_continue)
        self._carry_on("handle_continue", result)
        self.process.current = UNSET

    async def _run(self, kind: str, message: Any, callback: Callable[[Any], Any]) -> Any:
        events = self.process.runtime.events
        if events.handle_start is not None:
            events.handle_start(self.process.pid, kind, message)
        result = callback(message)
        if result.__class__ is CoroutineType:
            self.process.enter_scope()
            result = await result
        self.emit_stop(kind, message)
        return result

    def emit_stop(self, kind: str, message: Any) -> None:
        """Tell who listens that a callback is over."""
        hook = self.process.runtime.events.handle_stop
        if hook is not None:
            hook(self.process.pid, kind, message)

    def _carry_on(
        self, callback: str, result: Any, accepted: str = "None, NoReply() or Stop(reason)"
    ) -> None:
        """Do what a callback that answers nobody returned."""
        if result is None:
            return
        if isinstance(result, NoReply):
            self._go_on(result)
        elif isinstance(result, Stop):
            raise Stopping(result.reason)
        elif result is not SENT:
            raise BadReturn(callback, result, accepted)

    def _go_on(self, result: Reply[Any] | NoReply) -> None:
        if result.continue_ is not None:
            self._continue = result.continue_
        if result.timeout is not None:
            check_timeout("timeout", result.timeout)
            self._deadline = trio.current_time() + result.timeout

    # -- system messages ---------------------------------------------------------------------

    async def _system(self, message: SystemMessage) -> None:
        if isinstance(message, SystemCall):
            await handle_system(message, self)
            self._see_when_to_sleep()
        elif isinstance(message, Terminate):
            raise Stopping(message.reason)
        else:
            log_unexpected(self.process, message)

    def _see_when_to_sleep(self) -> None:
        """Do as the class says: at the start, and when the class may be another one."""
        after = self.instance._sleeps_after(self.process)
        if self._drowsiness is None or self._drowsiness.after != after:
            if self._drowsiness is not None:
                self._drowsiness.stop()
            self._drowsiness = None if after is None else IdleTimer(self.process, after)

    def end(self, reason: object) -> NoReturn:
        """Leave the loop, as `otp.sys` or a parent asks for."""
        raise Stopping(reason)


def _reply(from_: From[Any], value: Any) -> None:
    if value.__class__ in OUTCOMES:
        from_.finish(as_outcome(value))
    else:
        from_.answer(value)
