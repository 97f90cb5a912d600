"""Special processes: hand-written loops that answer `otp.sys` as servers do.

**Why.** Some loops are no server: they wait for a socket and for messages, or speak a protocol step
by step. As a plain process such a loop cannot be suspended, looked into or told to stop. With a
`SpecialProcess` it can; all it has to do is to take its messages by `receive` of that object.

**Client side** there is `otp.sys` and `otp.stop`; plain messages are those of the loop. What
`otp.call` sends arrives as an `otp.From`, with the request as its `message`, for `otp.reply`.

**Server side.** System requests are answered while `receive` waits, and `receive` comes back only
when the process is not suspended. An order to end, also that of the parent of a process that traps
exits, leaves `receive` as an exception which no `except Exception` swallows: clean up in `finally`.

**How to supervise.** It is an async function, so `otp.child(function)`. If it takes `task_status`,
its starter waits until it says that it has started: by `task_status.started(value)`, or by
`otp.init_ack(value)`, which is the same and needs no argument to be passed along. Before that it
can refuse: by `otp.init_fail(reason)`, the same as `otp.exit(reason)` there, or by raising.

**When not to use it.** For anything that reacts to one message at a time, a GenServer says more.
One can also begin as a loop and go on as a server: `otp.enter_loop`.

Follows: Erlang's `sys`, section "Special Processes" of the OTP Design Principles; `proc_lib`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, overload

import trio

from .._behaviour.behaviour import ignore
from .._behaviour.messages import Terminate
from .._behaviour.results import IGNORE
from .._behaviour.system_messages import SystemCall, handle_system, stay_suspended
from .._exits.errors import NotAProcess
from .._exits.reasons import ProcessExit
from .._process.checkpoints import refusal
from .._process.receive import ReceiveTimeout, take, wanted_by
from .._process.runtime import need_own_task, need_process
from .._process.signals import Exit
from .._start.start import acknowledge
from .._util.bounded import bounded
from .._util.checks import check_timeout
from .._util.copies import Handle
from .._util.public import public

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.debug import Kind

T = TypeVar("T")


@public
class SpecialProcess(Handle):
    """What makes the running process answer `otp.sys`.

    Args:
        state: what `otp.sys.get_state` gives; the loop reads and writes the attribute `state`.
        format_status: gives what `otp.sys.get_status` shows of it; the state itself, if left out.
        code_change: gets state, old version and extra of `otp.sys.change_code`, and returns the
            next state.

    Raises:
        NotAProcess: in plain Trio code, or in a helper task of a process.
        ValueError: the process is a server, or special already.

    >>> import trio, trio_otp as otp
    >>> async def meter(*, task_status=trio.TASK_STATUS_IGNORED):
    ...     me = otp.SpecialProcess(state=0)
    ...     otp.init_ack("ready")
    ...     try:
    ...         while True:
    ...             me.state += await me.receive(int)
    ...     finally:
    ...         print("meter stops at", me.state)
    >>> async def main():
    ...     async with otp.open_supervisor([otp.child(meter).having(name="meter")]):
    ...         otp.send("meter", 5)
    ...         print(await otp.sys.get_state("meter"))
    ...         await otp.sys.suspend("meter")
    ...         otp.send("meter", 6)
    ...         print(await otp.sys.get_state("meter"))
    ...         await otp.sys.resume("meter")
    >>> trio.run(main)
    5
    5
    meter stops at 11
    """

    system_module = "proc_lib"

    def __init__(
        self,
        state: object = None,
        *,
        format_status: Callable[[Any], object] | None = None,
        code_change: Callable[[Any, Any, Any], Any] | None = None,
    ) -> None:
        process = need_own_task("otp.SpecialProcess")
        if process.behaviour is not None or process.instance is not None:
            raise ValueError(f"{process.pid!r} already answers otp.sys")
        self.state: Any = state
        self.process = process
        self._format_status = format_status
        self._code_change = code_change
        process.become(self)

    # -- for the loop ------------------------------------------------------------------------

    @overload
    async def receive(self, match: type[T], *, timeout: float | None = None) -> T: ...
    @overload
    async def receive(
        self,
        match: tuple[type[Any], ...] | Callable[[Any], bool] | None = None,
        *,
        timeout: float | None = None,
    ) -> Any: ...
    async def receive(self, match: Any = None, *, timeout: float | None = None) -> Any:
        """As `otp.receive`, and answer system requests meanwhile.

        Args:
            match: a type or tuple of types, or a function that tells whether a message is wanted.
            timeout: seconds to wait; None waits for ever. Time spent suspended counts.

        Returns:
            The message.

        Raises:
            ReceiveTimeout: nothing came in time.
            NotAProcess: in another task than that of the process.

        Follows: `receive ... after` with `sys:handle_system_msg/6`.
        """
        try:
            check_timeout("timeout", timeout)
            if need_own_task("SpecialProcess.receive") is not self.process:
                raise NotAProcess(f"this SpecialProcess belongs to {self.process.pid!r}")
            users = wanted_by(match)
        except Exception:
            await refusal()
            raise

        def wanted(message: object) -> bool:
            return self._is_system(message) or users(message)

        deadline = math.inf if timeout is None else trio.current_time() + timeout
        await stay_suspended(self)  # if a `receive` before has been cancelled while it was
        while True:
            try:
                left = max(0.0, deadline - trio.current_time())
                message = await take(self.process, wanted, left)
            except ReceiveTimeout:
                raise ReceiveTimeout(f"no matching message within {timeout} s") from None
            if not self._is_system(message):
                if self.process.debug is not None:
                    message = await self.process.debug.admit(message)
                self.tell("in", message)
                return message
            await self._handle_system(message)

    def tell(self, kind: Kind, content: Any = None) -> None:
        """Report an event to the watchers of the process; `receive` tells `in` by itself.

        Args:
            kind: as of `otp.sys.DebugEvent`.
            content: what it is about.

        Follows: `sys:handle_debug/4`.
        """
        if self.process.debug is not None:
            self.process.debug.event(kind, content)

    def _is_system(self, message: object) -> bool:
        if isinstance(message, Exit):
            return self.is_stop_message(message)
        return isinstance(message, SystemCall | Terminate)

    async def _handle_system(self, message: Any) -> None:
        if not isinstance(message, SystemCall):
            self.end(message.reason)
        await handle_system(message, self)

    # -- for otp.sys -------------------------------------------------------------------------

    @property
    def instance(self) -> Any:
        """What answers for it: itself."""
        return self

    @instance.setter
    def instance(self, _: Any) -> None:
        pass

    def is_stop_message(self, message: Exit) -> bool:
        """Check whether a message is the exit signal of the parent or of a supervisor.

        Args:
            message: the exit signal.
        """
        return self.process.is_stop_message(message)

    def end(self, reason: object) -> NoReturn:
        """Leave the loop, as on an order to end.

        Args:
            reason: the exit reason.
        """
        self.tell("terminate", reason)
        raise ProcessExit(reason)

    def _sys_state(self) -> Any:
        return self.state

    def _sys_replace(self, state: object) -> SpecialProcess:
        self.state = state
        return self

    def _sys_status(self, log: tuple[Any, ...]) -> tuple[Any, dict[str, Any], Any]:
        shown = self.state if self._format_status is None else self._format_status(self.state)
        return shown, {}, log

    async def _sys_code_change(self, behaviour: object, old_version: object, extra: object) -> None:  # noqa: ASYNC124 - `Host` awaits it
        if behaviour is not None:
            raise TypeError(
                f"behaviour={bounded(behaviour)}: a special process has no behaviour; write None"
            )
        if self._code_change is not None:
            self.state = self._code_change(self.state, old_version, extra)


@public
def init_ack(value: object = None) -> None:
    """Report that this process has started, as `task_status.started(value)` does.

    The function of the process takes `task_status`, so that its starter waits.

    Args:
        value: kept as `process_info(pid).started`; `otp.IGNORE` ends the process, and its start
            gives None.

    Raises:
        NotAProcess: in plain Trio code.
        RuntimeError: nobody waits: it has been told already, or the function takes no
            `task_status`.

    Follows: `proc_lib:init_ack/1`.
    """
    process = need_process("otp.init_ack")
    if value is IGNORE and process.starting is not None:
        ignore(process)
    acknowledge(process, value, f"nobody waits for the start of {process.pid!r} any more")


@public
def init_fail(reason: object) -> NoReturn:
    """End this process before it has started; its starter gets `StartError(reason)`.

    Nothing is left of it and nothing logged, as if it had called `otp.exit(reason)`.

    Args:
        reason: the reason.

    Raises:
        NotAProcess: in plain Trio code.
        RuntimeError: it has started already; write `otp.exit(reason)`.

    Follows: `proc_lib:init_fail/2`.
    """
    process = need_process("otp.init_fail")
    if process.starting is None:
        raise RuntimeError(f"{process.pid!r} has started; to end it write otp.exit(reason)")
    raise ProcessExit(reason)
