"""System messages: what `otp.sys` asks of a process, and how its loop answers.

A request of `otp.sys` is a call that goes through the ordinary mailbox, so it is answered after
what was sent before it, and like every call it is answered by the death of the process as well. The
loop of a process hands it to `handle_system`. A process that is suspended stays in there: it takes
system requests, orders to end and nothing else, and leaves the rest where it is, in its order. A
request whose caller has given up before it was taken is passed over, unless it lets the process go
on or end: nobody would know of it, and who tries again would do it twice.

Follows: Erlang's `sys`, function `handle_system_msg/6`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol

import outcome
import trio

from .._exits.errors import CallbackFailed
from .._process.doing import Named
from .._process.mailbox import SystemMessage
from .._process.request import From
from .._process.signals import Exit
from .messages import Terminate

if TYPE_CHECKING:
    from .._process.process import Process


class SystemCall(From[Any], SystemMessage):  # type: ignore[misc]  # `From` is final for users alone
    """A request of `otp.sys` on its way; its `message` is one of `system_requests`."""

    __slots__ = ()


class Host(Protocol):
    """What the loop of a process has for `otp.sys`."""

    process: Process
    instance: Any  # a Behaviour, or what has its `_sys_` methods

    def is_stop_message(self, message: Exit) -> bool:
        """Check whether an exit message is the parent's, or a supervisor's order to end."""
        ...

    def end(self, reason: object) -> NoReturn:
        """Leave the loop, as on an order to end."""
        ...


class Request(Named):
    """What can be asked of a process."""

    __slots__ = ()
    # Whether it is carried out although its caller has given up before the process took it up.
    outlives_caller: ClassVar[bool] = False

    async def carry_out(self, host: Host) -> Any:  # noqa: ASYNC124 - that of some requests awaits
        """Do it in the process, and return the answer."""
        raise NotImplementedError  # each request has its own

    def then(self, host: Host) -> None:
        """Go on after the answer has been given."""


async def handle_system(call: SystemCall, host: Host) -> None:
    """Answer a system request; return when the process is to go on, if it was suspended."""
    await _answer(call, host)
    await stay_suspended(host)


async def stay_suspended(host: Host) -> None:
    """Do nothing but system requests and orders to end, as long as the process is suspended."""
    while host.process.extras.suspended:
        await trio.lowlevel.checkpoint()
        message = await _take_what_is_for(host)
        if isinstance(message, SystemCall):
            await _answer(message, host)
        else:
            host.end(message.reason)


async def _answer(call: SystemCall, host: Host) -> None:
    request: Any = call.message
    process = host.process
    if call.abandoned and not request.outlives_caller:
        return
    process.take_up(call)
    result: outcome.Outcome[object]
    try:
        result = outcome.Value(await request.carry_out(host))
    except Exception as exc:
        result = outcome.Error(exc)
    except trio.Cancelled:
        if process.alive and not process.hosts:  # a scope of a hand-written loop: it lives
            call._fail(CallbackFailed("otp.sys", "cancelled"))
        raise
    process.put_down()
    if process.alive:
        call._answer_with(result)
        del result  # else this frame and the traceback of an error keep each other alive
        request.then(host)


async def _take_what_is_for(host: Host) -> Any:
    """Take the oldest message that also a suspended process handles."""
    mailbox = host.process.mailbox

    def is_wanted(message: object) -> bool:
        if isinstance(message, Exit):
            return host.is_stop_message(message)
        return isinstance(message, SystemCall | Terminate)

    try:
        return mailbox.take_match(is_wanted)
    except trio.WouldBlock:
        return await mailbox.wait_match(is_wanted)
