"""The loop that drives a GenServer: take a message, call its callback, do what it returned.

Rules this file keeps:

* One message at a time, in the order of arrival; a `continue_` comes before any message.
* After each callback it looks whether an exit signal is on its way: a doomed server answers
  nobody any more, also if its callback had no checkpoint at which to notice.
* Queued messages are taken without a checkpoint in between, at most `BURST` of them or for
  `BURST_SECONDS`, so that a flood delays other tasks by no more than that.
* An idle time-out is an absolute deadline: messages for the behaviour itself leave it alone.
* `terminate` runs at most once, shielded, inside whatever limit its stopper has.

Follows: Erlang's `gen_server`, section "Callback functions".
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import outcome
import trio

from .behaviour import finish, ignore
from .bounded import bounded
from .events import NoticeReport
from .exits import (
    NORMAL,
    BadReturn,
    NoCallback,
    ProcessExit,
    is_quiet,
    passes_through,
    reason_of,
    unwrap,
)
from .mailbox import SystemMessage
from .process import UNSET, Exit
from .request import From, check_timeout
from .whereabouts import place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .behaviour import Behaviour
    from .process import Process

T = TypeVar("T")
BURST: Final = 64  # messages
BURST_SECONDS: Final = 0.001


class Ignore(enum.Enum):
    """What init returns if the server does not want to run; use the constant `IGNORE`."""

    IGNORE = "ignore"

    def __repr__(self) -> str:
        """Give the name of the constant."""
        return self.name


IGNORE: Final = Ignore.IGNORE


class Cast(SystemMessage):
    """A message of `otp.cast` on its way."""

    __slots__ = ("message",)
    from_user = True

    def __init__(self, message: Any) -> None:
        self.message = message

    def __repr__(self) -> str:
        return f"Cast({bounded(self.message)})"


@dataclass(frozen=True, slots=True)
class Terminate(SystemMessage):
    """The message of `otp.stop`."""

    reason: object


@dataclass(frozen=True, slots=True)
class Timeout:
    """The message `handle_info` gets when the `timeout=` of a return is over."""


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """Answer the call; `value` may be an `outcome.Error`, which raises in the caller.

    Args:
        value: the answer.
        timeout: seconds without a message after which `handle_info` gets `Timeout()`.
        continue_: a token for `handle_continue`, which runs next.
    """

    value: T | outcome.Outcome[T]
    timeout: float | None = None
    continue_: Any = None


@dataclass(frozen=True, slots=True)
class NoReply:
    """Carry on; a call is answered later by `otp.reply`. Arguments as of `Reply`."""

    timeout: float | None = None
    continue_: Any = None


@dataclass(frozen=True, slots=True)
class Stop:
    """End the server: `terminate` runs, then the call is answered if `reply` is given.

    Args:
        reason: the exit reason.
        reply: the answer of the call in hand, an `outcome.Error` to raise there.
    """

    reason: object = NORMAL
    reply: Any = UNSET


class Stopping(Exception):
    """Carries a Stop out of the loop."""

    def __init__(self, reason: object, from_: From[Any] | None = None, reply: Any = UNSET) -> None:
        super().__init__(reason)
        self.reason = reason
        self.from_ = from_
        self.reply = reply


class Handled:
    """A request that knows its handler; the client layer sends these."""

    __slots__ = ()

    def handle_call(self, server: Any, from_: From[Any]) -> Any:
        """Answer a call, as `GenServer.handle_call`."""
        raise NoCallback("handle_call", server, self)

    def handle_cast(self, server: Any) -> Any:
        """Take a cast, as `GenServer.handle_cast`."""
        raise NoCallback("handle_cast", server, self)


class ServerLoop:
    """The shell around one instance of a GenServer."""

    __slots__ = ("_burst", "_continue", "_deadline", "_until", "instance", "process")

    def __init__(self, process: Process) -> None:
        self.process = process
        self.instance: Any = None
        self._deadline: float | None = None  # of the idle time-out
        self._continue: Any = UNSET
        self._burst = 0  # messages taken since the last checkpoint
        self._until = 0.0

    # -- life --------------------------------------------------------------------------------

    async def run(self, make: Callable[[], Behaviour]) -> None:
        """Be the body of the process."""
        await self._init(make)
        try:
            await self._serve()
        except Stopping as stopping:
            await self._stop(stopping)
        except BaseException as exc:  # noqa: ASYNC103 - `_end` raises
            await self._end(exc)

    async def _init(self, make: Callable[[], Behaviour]) -> None:
        process = self.process
        self.instance = process.instance = make()
        result = await finish(self.instance.init())
        if result is IGNORE:
            ignore(process)
        if isinstance(result, Stop):
            raise ProcessExit(result.reason)
        if process.doom is not UNSET:  # an init without a checkpoint has not noticed
            await trio.lowlevel.checkpoint()
        self._began(result)
        assert process.starting is not None
        process.starting.ack()

    def _began(self, result: Any) -> None:
        """Do what an init that went well returned."""
        self._carry_on("init", result, "None, NoReply(), Stop(reason) or IGNORE")

    async def _stop(self, stopping: Stopping) -> None:
        if self.process.doom is not UNSET and not self.process.orderly:
            await trio.lowlevel.checkpoint()  # killed before it took the order: no terminate
        try:
            self._report(stopping.reason)
            await self._terminate(stopping.reason)
        finally:
            killed = self.process.doom is not UNSET  # then the callers learn of that
            if stopping.from_ is not None and stopping.reply is not UNSET and not killed:
                stopping.from_.finish(as_outcome(stopping.reply))
        raise ProcessExit(stopping.reason)

    async def _end(self, exc: BaseException) -> None:
        """End by what came out of the loop: an exit signal, Ctrl-C, or a crash."""
        process = self.process
        if process.doom is not UNSET:
            if process.orderly:
                await self._terminate(process.doom)
            raise exc
        reason = reason_of(exc)
        if passes_through(exc):
            await self._terminate(reason, process.shutdown)
            raise unwrap(exc)
        self._report(reason)
        await self._terminate(reason)
        raise ProcessExit(reason)

    async def _terminate(self, reason: object, limit: float | None = None) -> None:
        """Run the user's `terminate`, once, where only a kill or another exit signal ends it."""
        deadline = math.inf if limit is None else trio.current_time() + limit
        with trio.CancelScope(shield=True, deadline=deadline) as self.process.reprieve:
            try:
                await finish(self.instance.terminate(reason))
            except (Exception, ProcessExit) as exc:
                crash = reason_of(exc)
                self._report(crash)
                if self.process.orderly:  # it did not end as it was asked to
                    self.process.doom = crash
                raise ProcessExit(crash) from exc
        await trio.lowlevel.checkpoint_if_cancelled()

    def _report(self, reason: object) -> None:
        if is_quiet(reason):
            return
        process = self.process
        message = process.current
        report = process.crash_report(
            reason,
            last_message=None if message is UNSET else shown_message(message),
            state=self._shown_state(),
            client=_shown_client(message),
            client_place=_client_place(message),
        )
        process.runtime.events.emit("crash", report)

    def _shown_state(self) -> str:
        return shown_state(self.instance)

    # -- messages ----------------------------------------------------------------------------

    async def _serve(self) -> None:
        process = self.process
        while True:
            if self._continue is not UNSET:
                await self._do_continue()
                continue
            message = await self._next()
            if isinstance(message, SystemMessage) and message.__class__ is not Cast:
                self._system(message)
                continue
            process.current = message
            process.since = trio.current_time()
            self._deadline = None
            await self._handle(message)
            process.handled += 1
            message = process.current = UNSET  # while it waits it holds nothing

    async def _next(self) -> Any:
        """Take the next message, with a checkpoint now and then."""
        if not self._is_burst_over():
            try:
                return self._take_queued()
            except trio.WouldBlock:
                pass
        message = await self._wait()
        if self.process.doom is not UNSET:  # the signal came while the message was handed over
            await trio.lowlevel.checkpoint()
        self._begin_burst()
        return message

    def _is_burst_over(self) -> bool:
        self._burst += 1
        return self._burst > BURST or self.process.since >= self._until

    def _begin_burst(self) -> None:
        self._burst = 0
        self._until = trio.current_time() + BURST_SECONDS

    async def _rest(self) -> None:
        """Let others run, and an exit signal arrive."""
        await trio.lowlevel.checkpoint()
        self._begin_burst()

    def _take_queued(self) -> Any:
        if self.process.doom is not UNSET:
            raise trio.WouldBlock
        return self.process.mailbox.take_nowait()

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

    async def _handle(self, message: Any) -> None:
        kind = message.__class__
        if kind is From and message.server is self.process:
            await self._handle_call(message)
        elif kind is Cast:
            await self._handle_cast(message.message)
        elif kind is Exit and self._is_order(message):
            raise Stopping(message.reason)
        else:
            result = await self._run("info", message, self.instance.handle_info)
            self._carry_on("handle_info", result)

    def _is_order(self, message: Exit) -> bool:
        """Tell the parent's exit signal from others; one started without a link is its own."""
        process = self.process
        parent = process.parent or process
        return message is process.order or message.pid is parent.pid

    async def _handle_call(self, from_: From[Any]) -> None:
        hook = self.process.runtime.events
        request = from_.message
        if hook.handle_start is not None:
            hook.handle_start(self.process.pid, "call", request)
        if isinstance(request, Handled):
            result = request.handle_call(self.instance, from_)
        else:
            result = self.instance.handle_call(request, from_)
        if result.__class__ is CoroutineType:
            result = await result
        if hook.handle_stop is not None:
            hook.handle_stop(self.process.pid, "call", request)
        if self.process.doom is not UNSET:
            return
        if result.__class__ is Reply:
            from_.finish(as_outcome(result.value))
            self._go_on(result)
        elif isinstance(result, NoReply):
            from_.defer()
            self._go_on(result)
        elif isinstance(result, Stop):
            raise Stopping(result.reason, from_, result.reply)
        else:
            hint = "; to answer None write Reply(None)" if result is None else ""
            accepted = f"Reply(value), NoReply() or Stop(reason, reply=){hint}"
            raise BadReturn("handle_call", result, accepted)

    async def _handle_cast(self, message: Any) -> None:
        if isinstance(message, Handled):
            result = await self._run("cast", message, self._cast_method)
        else:
            result = await self._run("cast", message, self.instance.handle_cast)
        self._carry_on("handle_cast", result)

    def _cast_method(self, message: Handled) -> Any:
        return message.handle_cast(self.instance)

    async def _do_continue(self) -> None:
        if self.process.doom is not UNSET or self._is_burst_over():
            await self._rest()
        token, self._continue = self._continue, UNSET
        self.process.current = token
        self.process.since = trio.current_time()
        result = await self._run("continue", token, self.instance.handle_continue)
        self._carry_on("handle_continue", result)
        self.process.current = UNSET

    async def _run(self, kind: str, message: Any, callback: Callable[[Any], Any]) -> Any:
        events = self.process.runtime.events
        if events.handle_start is not None:
            events.handle_start(self.process.pid, kind, message)
        result = callback(message)
        if result.__class__ is CoroutineType:
            result = await result
        if events.handle_stop is not None:
            events.handle_stop(self.process.pid, kind, message)
        return result

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
        else:
            raise BadReturn(callback, result, accepted)

    def _go_on(self, result: Reply[Any] | NoReply) -> None:
        if result.continue_ is not None:
            self._continue = result.continue_
        if result.timeout is not None:
            check_timeout("timeout", result.timeout)
            self._deadline = trio.current_time() + result.timeout

    def _system(self, message: SystemMessage) -> None:
        if isinstance(message, Terminate):
            raise Stopping(message.reason)
        log_unexpected(self.process, message)


def shown_message(message: Any, limit: int = 200) -> str:
    """Render a message of a mailbox in at most `limit` characters: what it is, what it carries."""
    if message.__class__ is From:
        return f"call {bounded(message.message, limit - 5)}"
    if message.__class__ is Cast:
        return f"cast {bounded(message.message, limit - 5)}"
    return bounded(message, limit)


def shown_state(instance: Any) -> str:
    """Render what the `format_status` of a server or handler gives, whatever it does."""
    try:
        status = instance.format_status()
    except (Exception, ProcessExit) as exc:
        return f"<format_status raised {bounded(exc)}>"
    if isinstance(status, CoroutineType):
        status.close()
        return "<format_status is an async def; accepted is def>"
    return bounded(status, 2000)


def _shown_client(message: Any) -> str | None:
    """Tell who waits for the answer to a call: a process, or a task of plain Trio code."""
    if message.__class__ is not From:
        return None
    task = getattr(message.task, "name", None)
    who = f"task {task!r}" if message.caller is None else repr(message.caller.pid)
    return f"{who}, which has given up" if message.abandoned else who


def _client_place(message: Any) -> str | None:
    """Tell where the caller of the call in hand waits."""
    waits = message.__class__ is From and not message.done and not message.abandoned
    return place_of(message.task) if waits else None


def log_unexpected(process: Process, message: Any) -> None:
    """Tell of a message that nobody handles."""
    text = f"{process.pid!r} got an unexpected message: {bounded(message)}"
    process.runtime.events.emit("notice", NoticeReport(process.pid, text))


def as_outcome(value: Any) -> outcome.Outcome[Any]:
    """Give an answer as the outcome that it is or stands for."""
    kind = value.__class__
    if kind is outcome.Error:  # a new one each time, since an outcome serves one caller only
        return outcome.Error(value.error)
    return outcome.Value(value.value if kind is outcome.Value else value)
