"""Faults that a test causes in one server: a crash in its next call, a pause."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

import trio

from .. import sys
from .._exits.call_errors import CallTimeout, NoProcess, ServerExited
from .._exits.errors import WrongServer
from .._inspect.introspect import loop_of
from .._process.block import block
from .._process.names import class_name, takes_messages
from .._util.bounded import bounded
from .._util.public import public_in
from .errors import need_server
from .gates import Gate, is_call
from .log import note_seen

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .._process.names import Ref
    from .._process.pid import Pid
    from .._process.process import Process


@public_in("testing")
class InjectedCrash(Exception):
    """The reason for a crash that a test has caused, if it gives no other."""

    injected: ClassVar[bool] = True  # so that it is no surprise for the log of a test


@public_in("testing")
class MachineCrash(InjectedCrash):
    """What the server raises, with a call in hand, that a `ServerMachine` lets crash."""


@public_in("testing")
def crash_next_call(ref: Ref, error: Exception | None = None) -> None:
    """Crash a server in the place of handling its next call.

    Casts and other messages are handled as ever. The crash is no surprise for the test's `otp_log`.

    Args:
        ref: a GenServer, Agent, GenStatem or another process that answers calls.
        error: what it crashes with; `InjectedCrash` if not given.

    Raises:
        UnknownServer: nobody is behind the reference.
        WrongServer: it is a supervisor or a plain process.
        TypeError: `error` is not an exception.

    >>> import trio, trio_otp as otp
    >>> from trio_otp.testing import assert_call_fails, assert_restarted, crash_next_call, pause
    >>> async def main():
    ...     cache = otp.child(otp.Agent, dict).having(name="cache")
    ...     async with otp.open_supervisor([cache]):
    ...         crash_next_call("cache")
    ...         failure = await assert_call_fails(otp.Agent.get("cache", len))
    ...         print(repr(failure.reason))
    ...         await assert_restarted("cache")
    ...         async with pause("cache"):
    ...             await assert_call_fails(otp.call("cache", "x", timeout=0.01), otp.CallTimeout)
    >>> trio.run(main)
    InjectedCrash('crash_next_call')
    """
    process = need_server("crash_next_call", ref)
    if not takes_messages(process) or loop_of(process) is not None:
        raise WrongServer("crash_next_call", ref, class_name(process))
    reason = InjectedCrash("crash_next_call") if error is None else error
    if not isinstance(reason, Exception):
        raise TypeError(f"error={bounded(error)}: expected an exception")
    note_seen(reason)
    _Trap(process, reason)


class _Trap(Gate):
    """Lets a server crash in its next call."""

    def __init__(self, process: Process, reason: Exception) -> None:
        super().__init__(process)
        self._reason = reason

    async def admit(self, message: Any) -> Any:
        if is_call(message, self.process):
            raise self._reason
        return message


@public_in("testing")
@block("async with pause(server): ...")
async def pause(ref: Ref) -> AsyncGenerator[Pid]:
    """Hold a server while a block runs: what is sent to it waits, and is handled afterwards.

    Args:
        ref: whom to hold; `otp.sys.suspend` is what does it.

    Returns:
        The block, which gives the pid of the server.

    Raises:
        UnknownServer: nobody is behind the reference.
        WrongServer: it is a plain process.
        CallTimeout: it is busy with a message.
    """
    process = need_server("pause", ref)
    await sys.suspend(process.pid)
    try:
        yield process.pid
    finally:
        with trio.CancelScope(shield=True), suppress(NoProcess, ServerExited, CallTimeout):
            await sys.resume(process.pid)
