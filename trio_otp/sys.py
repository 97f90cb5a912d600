"""`otp.sys`: look into a running process, change its state, hold it, and watch what it does.

**Why.** A program that has run for weeks cannot be stopped to add a `print`. Every server, state
machine and supervisor answers these functions, without a line of its own.

>>> import trio, trio_otp as otp
>>> class Counter(otp.GenServer):
...     def __init__(self) -> None:
...         self.count = 0
...     @otp.on_call
...     def increment(self) -> int:
...         self.count += 1
...         return self.count
>>> async def main():
...     async with otp.open_supervisor([otp.child(Counter).having(name="counter")]):
...         await Counter.at("counter").increment()
...         print((await otp.sys.get_state("counter")).count)
...         await otp.sys.trace("counter", True)
...         await Counter.at("counter").increment()
>>> trio.run(main)
1
*DBG* <Pid 2 Counter 'counter'> in increment() from <From 'trio_otp.sys.main' waiting>
*DBG* <Pid 2 Counter 'counter'> out 2 to <From 'trio_otp.sys.main' waiting>
*DBG* <Pid 2 Counter 'counter'> terminate SHUTDOWN

**Client side.** All functions go through the ordinary mailbox: they are answered after what was
sent before, so `get_state` is also a way to wait until casts are done. They take any reference,
may be used in plain Trio code, and fail as `otp.call` does.

**Server side.** The state of a GenServer or supervisor is its instance, that of an Agent its value,
that of a GenStatem the tuple of its state and its instance. It is the very object, not a copy: read
it, and change it by `replace_state`, which runs in the process. A suspended process takes system
requests and orders to end; all else waits in its order. Calls time out as ever, and if it dies, its
callers are told. A request that its caller has given up, after a time-out or cancelled, before the
process came to it, does nothing; only `resume` and `terminate` do. Idle time-outs keep their
deadlines; a time-out that is over comes after `resume`.
Hand-written loops get the same by `otp.SpecialProcess`.

**When not to use it.** In the code of a program: what one process needs of another is a call.

Follows: Erlang's `sys`. Differences: a plain process, which would let the caller run into the
time-out, is refused at once; a debug function that raises is reported as it is removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._behaviour.sys_watch import install, log, log_to_file, no_debug, remove, statistics, trace
from ._behaviour.system_requests import (
    ChangeCode,
    End,
    GetState,
    GetStatus,
    ReplaceState,
    Resume,
    Status,
    Suspend,
)
from ._behaviour.system_requests import ask as _ask
from ._exits.reasons import NORMAL
from ._process.checkpoints import checkpointed
from ._process.debug import DONE, DebugEvent, Statistics
from ._process.request import DEFAULT_TIMEOUT
from ._util.bounded import bounded
from ._util.public import public_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._behaviour.behaviour import Behaviour
    from ._process.names import Ref

__all__ = [
    "DONE",
    "DebugEvent",
    "Statistics",
    "Status",
    "change_code",
    "get_state",
    "get_status",
    "install",
    "log",
    "log_to_file",
    "no_debug",
    "remove",
    "replace_state",
    "resume",
    "statistics",
    "suspend",
    "terminate",
    "trace",
]


@public_in("sys")
@checkpointed
async def get_state(ref: Ref, *, timeout: float | None = DEFAULT_TIMEOUT) -> Any:
    """Return the state of a process, after what was sent to it before.

    Args:
        ref: the process.
        timeout: seconds; None leaves the limit to the cancel scope around it.

    Returns:
        The instance of a GenServer or supervisor, the value of an Agent, `(state, instance)` of a
        GenStatem: the very object.

    Raises:
        NoProcess: nobody is behind the reference.
        WrongServer: it is a plain process, which answers no system requests.
        CallTimeout: it did not answer in time: it is handling a message, or stuck.
        ServerExited: it ended first.
        CallingSelf, DeadlockError: as `otp.call`.

    Follows: `:sys.get_state/2`.
    """
    return await _ask(ref, GetState(), timeout)


@public_in("sys")
@checkpointed
async def replace_state(
    ref: Ref, function: Callable[[Any], Any], *, timeout: float | None = DEFAULT_TIMEOUT
) -> Any:
    """Put another state in the place of the present one.

    Args:
        ref: the process.
        function: `def` or `async def`; gets, in the process, what `get_state` gives, and returns
            what is to be there: the same instance with other attributes or, for a GenServer or
            GenStatem, another one of its class. None is refused but for the value of an Agent.
        timeout: seconds.

    Returns:
        The new state.

    Raises:
        CallbackFailed: the function raised, or returned what cannot be a state. The process keeps
            its state and lives; what the function did to an object before, it has done.
        TypeError: `function` is none.
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.replace_state/3`.
    """
    if not callable(function):
        raise TypeError(f"function={bounded(function)}: expected a function of the state")
    return await _ask(ref, ReplaceState(function), timeout)


@public_in("sys")
@checkpointed
async def get_status(ref: Ref, *, timeout: float | None = DEFAULT_TIMEOUT) -> Status:
    """Return what there is to know about a process; the state as its `format_status` shows it.

    Args:
        ref: the process.
        timeout: seconds.

    Returns:
        Its `Status`: whether it is suspended, what watches it, what of it is postponed, and more.

    Raises:
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.get_status/2`.
    """
    status: Status = await _ask(ref, GetStatus(), timeout)
    return status


@public_in("sys")
@checkpointed
async def suspend(ref: Ref, *, timeout: float | None = DEFAULT_TIMEOUT) -> None:
    """Hold a process: it answers system requests and ends if told to, and does nothing else.

    Suspending twice is suspending once.

    Args:
        ref: the process.
        timeout: seconds; after a time-out, or if this is cancelled, it is not suspended.

    Raises:
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.suspend/2`.
    """
    await _ask(ref, Suspend(), timeout)


@public_in("sys")
@checkpointed
async def resume(ref: Ref, *, timeout: float | None = DEFAULT_TIMEOUT) -> None:
    """Resume a process with what has arrived meanwhile, in its order.

    Args:
        ref: the process, suspended or not.
        timeout: seconds; it goes on also after a time-out, later.

    Raises:
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.resume/2`.
    """
    await _ask(ref, Resume(), timeout)


@public_in("sys")
@checkpointed
async def terminate(
    ref: Ref, reason: object = NORMAL, *, timeout: float | None = DEFAULT_TIMEOUT
) -> None:
    """Order a process to end; `otp.stop` also waits until it is dead.

    Args:
        ref: the process, suspended or not.
        reason: the exit reason, which its `terminate` gets.
        timeout: seconds until it takes the order; it does so also after a time-out.

    Raises:
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.terminate/3`.
    """
    await _ask(ref, End(reason), timeout)


@public_in("sys")
@checkpointed
async def change_code(
    ref: Ref,
    behaviour: type[Behaviour] | None = None,
    *,
    old_version: Any = None,
    extra: Any = None,
    timeout: float | None = DEFAULT_TIMEOUT,
) -> None:
    """Continue a suspended process as another version of its class.

    >>> import trio, trio_otp as otp
    >>> class Cart(otp.GenServer):
    ...     def __init__(self) -> None:
    ...         self.prices = [3, 4]
    >>> class CartWithTotal(otp.GenServer):
    ...     def code_change(self, old_version, extra):
    ...         self.total = sum(self.prices)
    >>> async def main():
    ...     async with otp.open_supervisor([otp.child(Cart).having(name="cart")]):
    ...         await otp.sys.suspend("cart")
    ...         await otp.sys.change_code("cart", CartWithTotal)
    ...         await otp.sys.resume("cart")
    ...         print((await otp.sys.get_state("cart")).total)
    >>> trio.run(main)
    7

    A restart runs the child specification, so give supervisors the new class as well.

    Args:
        ref: the process.
        behaviour: the class it is to have, with the same loop: a GenServer stays one. None keeps
            the class and only calls its `code_change`.
        old_version: given to the `code_change` of the class.
        extra: given to it as well.
        timeout: seconds.

    Raises:
        ProcessNotSuspended: the process is not suspended.
        CallbackFailed: the class cannot take over, or its `code_change` raised; the process has
            the class it had.
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.change_code/5`.
    """
    await _ask(ref, ChangeCode(behaviour, old_version, extra), timeout)


def __dir__() -> list[str]:
    return __all__
