"""System messages: what `otp.sys` asks of a process, and how its loop answers.

A request of `otp.sys` is a call that goes through the ordinary mailbox, so it is answered after
what was sent before it, and like every call it is answered by the death of the process as well. The
loop of a process hands it to `handle_system`. A process that is suspended stays in there: it takes
system requests, orders to end and nothing else, and leaves the rest where it is, in its order.

Follows: Erlang's `sys`, function `handle_system_msg/6`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol

import outcome
import trio

from .behaviour import finish
from .debug import debug_of
from .exits import CallbackFailed, NotSuspended, WrongServer, passes_through, reason_of
from .mailbox import SystemMessage
from .names import class_name, need, takes_messages
from .process import UNSET, Exit
from .record import dataclass
from .request import From, check_timeout
from .server_messages import Terminate

if TYPE_CHECKING:
    from collections.abc import Callable

    from .debug import Debug, DebugEvent
    from .names import Ref
    from .process import Pid, Process


class SystemCall(From[Any], SystemMessage):
    """A request of `otp.sys` on its way; its `message` is one of the classes below."""

    __slots__ = ()


class Host(Protocol):
    """What the loop of a process has for `otp.sys`."""

    process: Process
    instance: Any  # a Behaviour, or what has its `_sys_` methods

    def is_order(self, message: Exit) -> bool:
        """Tell whether an exit message is the parent's, or a supervisor's order to end."""
        raise NotImplementedError

    def end(self, reason: object) -> NoReturn:
        """Leave the loop, as on an order to end."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Status:
    """What `otp.sys.get_status` gives.

    Args:
        pid: the process.
        name: its local name, None if it has none.
        behaviour: its class, or function.
        module: OTP's name for the kind of it: `gen_server`, `gen_statem`, `supervisor`, ...
        sys: `running` or `suspended`.
        parent: who started it with a link.
        dictionary: a copy of its dictionary.
        debug: what is switched on: `trace`, `log`, ...
        log: the events kept by `otp.sys.log`.
        message_queue_len: messages that wait.
        state: what its `format_status` shows.
        misc: what its kind has to add: `state` and `postponed` of a state machine, ...
    """

    pid: Pid[Any]
    name: Any
    behaviour: Any
    module: str
    sys: Literal["running", "suspended"]
    parent: Pid[Any] | None
    dictionary: dict[object, Any]
    debug: tuple[str, ...]
    log: tuple[DebugEvent, ...]
    message_queue_len: int
    state: Any
    misc: dict[str, Any]


# -- requests ------------------------------------------------------------------------------------


class Request:
    """What can be asked of a process."""

    __slots__ = ()

    async def carry_out(self, host: Host) -> Any:  # noqa: ASYNC124 - some wait
        """Do it in the process, and give the answer."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class GetState(Request):
    """For its state."""

    async def carry_out(self, host: Host) -> Any:
        """Give it."""
        with _Failing("get_state"):
            return host.instance._sys_state()


@dataclass(frozen=True, slots=True)
class ReplaceState(Request):
    """For another state."""

    function: Callable[[Any], Any]

    async def carry_out(self, host: Host) -> Any:
        """Put what the function makes of the state in its place, and give that."""
        with _Failing("replace_state"):
            state = await finish(self.function(host.instance._sys_state()))
            host.instance = host.process.instance = host.instance._sys_replace(state)
        return state


@dataclass(frozen=True, slots=True)
class ChangeCode(Request):
    """For another version of its class, or of its state."""

    behaviour: type[Any] | None
    old_version: Any
    extra: Any

    async def carry_out(self, host: Host) -> None:
        """Change the class, then let the instance follow; all of it or nothing."""
        process = host.process
        if not process.suspended:
            raise NotSuspended(process.pid)
        with _Failing("code_change"):
            await host.instance._sys_code_change(self.behaviour, self.old_version, self.extra)
            if process.behaviour is not None:  # a hand-written loop has none
                process.behaviour = host.instance.__class__


@dataclass(frozen=True, slots=True)
class GetStatus(Request):
    """For what there is to know."""

    async def carry_out(self, host: Host) -> Status:
        """Give it."""
        process = host.process
        debug = debug_of(process)
        return Status(
            pid=process.pid,
            name=process.name,
            behaviour=process.behaviour,
            module=host.instance.system_module,
            sys="suspended" if process.suspended else "running",
            parent=None if process.parent is None else process.parent.pid,
            dictionary=dict(process.dictionary),
            debug=debug.options,
            log=debug.events,
            message_queue_len=len(process.mailbox),
            state=host.instance._sys_shown(),
            misc=host.instance._sys_misc(),
        )


@dataclass(frozen=True, slots=True)
class Suspend(Request):
    """To do nothing but system requests."""

    async def carry_out(self, host: Host) -> None:
        """Note it; `handle_system` does the rest."""
        host.process.suspended = True


@dataclass(frozen=True, slots=True)
class Resume(Request):
    """To go on."""

    async def carry_out(self, host: Host) -> None:
        """Note it."""
        host.process.suspended = False


@dataclass(frozen=True, slots=True)
class End(Request):
    """To end; the answer comes before that."""

    reason: object

    async def carry_out(self, host: Host) -> None:
        """Nothing yet."""


@dataclass(frozen=True, slots=True)
class Switch(Request):
    """To change or to tell what watches it."""

    what: Callable[[Debug], Any]

    async def carry_out(self, host: Host) -> Any:
        """Do it."""
        debug = debug_of(host.process)
        result = self.what(debug)
        debug.settle()
        return result


class _Failing:
    """Turns what the user's function raises into the caller's `CallbackFailed`."""

    def __init__(self, callback: str) -> None:
        self._callback = callback

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, exc: BaseException | None, __: object) -> None:
        if exc is not None and not passes_through(exc):  # a group of exits as well
            raise CallbackFailed(self._callback, reason_of(exc))


async def ask(ref: Ref, request: Request, timeout: float | None) -> Any:
    """Send a request to a process that answers such, and wait for the answer."""
    check_timeout("timeout", timeout)
    process = need(ref, request)
    if not takes_messages(process):
        raise WrongServer("a function of otp.sys", ref, class_name(process))
    return await SystemCall(process, ref, request, timeout).wait()


# -- the answering side --------------------------------------------------------------------------


async def handle_system(call: SystemCall, host: Host) -> None:
    """Answer a system request; return when the process is to go on, if it was suspended."""
    await _answer(call, host)
    await stay_suspended(host)


async def stay_suspended(host: Host) -> None:
    """Do nothing but system requests and orders to end, as long as the process is suspended."""
    while host.process.suspended:
        await trio.lowlevel.checkpoint()
        message = await _take_what_is_for(host)
        if isinstance(message, SystemCall):
            await _answer(message, host)
        else:
            host.end(message.reason)


async def _answer(call: SystemCall, host: Host) -> None:
    request: Any = call.message
    process = host.process
    process.current, process.since = call, trio.current_time()
    result: outcome.Outcome[Any]
    try:
        result = outcome.Value(await request.carry_out(host))
    except Exception as exc:
        result = outcome.Error(exc)
    except trio.Cancelled:
        if process.doom is UNSET and not process.hosts:  # a scope of a hand-written loop: it lives
            call.finish(outcome.Error(CallbackFailed("otp.sys", "cancelled")))
        raise
    process.current = UNSET
    if process.doom is UNSET:
        call.finish(result)
        if isinstance(request, End):
            host.end(request.reason)


async def _take_what_is_for(host: Host) -> Any:
    """Take the oldest message that also a suspended process handles."""
    mailbox = host.process.mailbox

    def is_wanted(message: Any) -> bool:
        if isinstance(message, Exit):
            return host.is_order(message)
        return isinstance(message, SystemCall | Terminate)

    try:
        return mailbox.take_match(is_wanted)
    except trio.WouldBlock:
        return await mailbox.wait_match(is_wanted)
