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
callers are told. Idle time-outs keep their deadlines; a time-out that is over comes after `resume`.
Hand-written loops get the same by `otp.sys.SpecialProcess`.

**When not to use it.** In the code of a program: what one process needs of another is a call.

Follows: Erlang's `sys`. Differences: a plain process, which would let the caller run into the
time-out, is refused at once; a debug function that raises is reported as it is removed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from .bounded import bounded
from .debug import DEFAULT_LOG, DONE, DebugEvent, Statistics, is_target, print_events
from .exits import NORMAL, WrongServer
from .names import need
from .request import check_timeout
from .system import (
    ChangeCode,
    End,
    GetState,
    GetStatus,
    ReplaceState,
    Request,
    Resume,
    Status,
    Suspend,
    Switch,
    SystemCall,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .behaviour import Behaviour
    from .debug import Debug, DebugFunction, Target
    from .names import Ref

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
Get: TypeAlias = Literal["get"]
DEFAULT_TIMEOUT = 5.0  # seconds


async def get_state(ref: Ref, timeout: float | None = DEFAULT_TIMEOUT) -> Any:
    """Give the state of a process, after what was sent to it before.

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


async def replace_state(
    ref: Ref, function: Callable[[Any], Any], timeout: float | None = DEFAULT_TIMEOUT
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
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.replace_state/3`.
    """
    if not callable(function):
        raise TypeError(f"function={bounded(function)}: accepted is a function of the state")
    return await _ask(ref, ReplaceState(function), timeout)


async def get_status(ref: Ref, timeout: float | None = DEFAULT_TIMEOUT) -> Status:
    """Give what there is to know about a process; the state as its `format_status` shows it.

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


async def suspend(ref: Ref, timeout: float | None = DEFAULT_TIMEOUT) -> None:
    """Hold a process: it answers system requests and ends if told to, and does nothing else.

    Suspending twice is suspending once.

    Args:
        ref: the process.
        timeout: seconds; after a time-out it is suspended all the same, later.

    Raises:
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.suspend/2`.
    """
    await _ask(ref, Suspend(), timeout)


async def resume(ref: Ref, timeout: float | None = DEFAULT_TIMEOUT) -> None:
    """Let a process go on with what has arrived meanwhile, in its order.

    Args:
        ref: the process, suspended or not.
        timeout: seconds.

    Raises:
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.resume/2`.
    """
    await _ask(ref, Resume(), timeout)


async def terminate(
    ref: Ref, reason: object = NORMAL, timeout: float | None = DEFAULT_TIMEOUT
) -> None:
    """Order a process to end; `otp.stop` also waits until it is dead.

    Args:
        ref: the process, suspended or not.
        reason: the exit reason, which its `terminate` gets.
        timeout: seconds until it takes the order.

    Raises:
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.terminate/3`.
    """
    await _ask(ref, End(reason), timeout)


async def change_code(
    ref: Ref,
    behaviour: type[Behaviour] | None = None,
    *,
    old_version: Any = None,
    extra: Any = None,
    timeout: float | None = DEFAULT_TIMEOUT,
) -> None:
    """Let a suspended process go on as another version of its class.

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
        NotSuspended: the process is not suspended.
        CallbackFailed: the class cannot take over, or its `code_change` raised; the process has
            the class it had.
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.change_code/5`.
    """
    await _ask(ref, ChangeCode(behaviour, old_version, extra), timeout)


# -- watching ------------------------------------------------------------------------------------


async def trace(ref: Ref, to: Target, timeout: float | None = DEFAULT_TIMEOUT) -> None:
    """Write a line for every event of a process.

    Args:
        ref: the process.
        to: True for standard output, a text stream, a `logging.Logger` (level INFO), or False to
            end it.
        timeout: seconds.

    Raises:
        TypeError: `to` is something else.
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.trace/3`.
    """
    if not is_target(to):
        raise TypeError(f"to={to!r}: accepted is a bool, a text stream or a Logger")
    await _switch(ref, lambda debug: debug.trace(to), timeout)


@overload
async def log(
    ref: Ref, what: Get, timeout: float | None = DEFAULT_TIMEOUT
) -> tuple[DebugEvent, ...]: ...
@overload
async def log(
    ref: Ref, what: bool | int | Literal["print"], timeout: float | None = DEFAULT_TIMEOUT
) -> None: ...
async def log(ref: Ref, what: Any, timeout: float | None = DEFAULT_TIMEOUT) -> Any:
    """Keep the last events of a process, or give them.

    Args:
        ref: the process.
        what: True to keep 10, or how many to keep; False to end it; "get" to have them, or "print"
            to print them.
        timeout: seconds.

    Returns:
        The events, oldest first, for "get".

    Raises:
        TypeError: `what` is something else.
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.log/3`.
    """
    if what in ("get", "print"):
        events = await _switch(ref, lambda debug: debug.events, timeout)
        return events if what == "get" else print_events(events)
    if not isinstance(what, int) or what < 0:
        raise TypeError(f"what={what!r}: accepted is True, False, a number, 'get' or 'print'")
    count = DEFAULT_LOG if what is True else what
    return await _switch(ref, lambda debug: debug.keep(count or None), timeout)


@overload
async def statistics(
    ref: Ref, what: Get, timeout: float | None = DEFAULT_TIMEOUT
) -> Statistics | None: ...
@overload
async def statistics(ref: Ref, what: bool, timeout: float | None = DEFAULT_TIMEOUT) -> None: ...
async def statistics(ref: Ref, what: Any, timeout: float | None = DEFAULT_TIMEOUT) -> Any:
    """Count messages of a process, or give the counts.

    Args:
        ref: the process.
        what: True to begin at 0, False to end it, "get" to have the counts.
        timeout: seconds.

    Returns:
        For "get" the `Statistics`, None if nothing is counted.

    Raises:
        TypeError: `what` is something else.
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.statistics/3`.
    """
    if what == "get":
        return await _switch(ref, lambda debug: debug.statistics, timeout)
    if not isinstance(what, bool):
        raise TypeError(f"what={what!r}: accepted is True, False or 'get'")
    return await _switch(ref, lambda debug: debug.count(what), timeout)


async def log_to_file(
    ref: Ref, path: str | os.PathLike[str] | Literal[False], timeout: float | None = DEFAULT_TIMEOUT
) -> None:
    """Write a line for every event of a process to a file.

    The process itself writes, and nothing else runs meanwhile: it is meant for a while, not for
    ever. The file is closed at the end of the process.

    Args:
        ref: the process.
        path: the file, which is made anew; False to end it.
        timeout: seconds.

    Raises:
        OSError: the file cannot be opened.
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.log_to_file/3`.
    """
    if path is not False and not isinstance(path, str | os.PathLike):
        raise TypeError(f"path={path!r}: accepted is a path, or False")
    await _switch(ref, lambda debug: debug.write_to(None if path is False else path), timeout)


async def install(
    ref: Ref,
    function: DebugFunction,
    state: Any = None,
    *,
    id: Any = None,
    timeout: float | None = DEFAULT_TIMEOUT,
) -> None:
    """Let a function see every event of a process.

    It runs in the process, gets its own state and the `DebugEvent`, and returns its next state; the
    constant `otp.sys.DONE` removes it. One that raises is removed and reported, and hurts nobody.

    Args:
        ref: the process.
        function: a plain function.
        state: its first state.
        id: what `remove` calls it, hashable; the function itself if left out. One that is there
            already stays.
        timeout: seconds.

    Raises:
        TypeError: the function cannot be called.
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.install/3`.
    """
    if not callable(function):
        raise TypeError(f"function={bounded(function)}: accepted is a function of state and event")
    name = function if id is None else id
    hash(name)
    await _switch(ref, lambda debug: debug.install(name, function, state), timeout)


async def remove(ref: Ref, function_or_id: Any, timeout: float | None = DEFAULT_TIMEOUT) -> None:
    """Take a function away that `install` has put there; one that is not there does no harm.

    Args:
        ref: the process.
        function_or_id: the id, or the function if it has none.
        timeout: seconds.

    Raises:
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.remove/3`.
    """
    hash(function_or_id)
    await _switch(ref, lambda debug: debug.remove(function_or_id), timeout)


async def no_debug(ref: Ref, timeout: float | None = DEFAULT_TIMEOUT) -> None:
    """Switch off whatever watches a process.

    Args:
        ref: the process.
        timeout: seconds.

    Raises:
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.no_debug/2`.
    """
    await _switch(ref, lambda debug: debug.clear(), timeout)


async def _switch(ref: Ref, what: Callable[[Debug], Any], timeout: float | None) -> Any:
    return await _ask(ref, Switch(what), timeout)


async def _ask(ref: Ref, request: Request, timeout: float | None) -> Any:
    check_timeout("timeout", timeout)
    process = need(ref, request)
    if process.behaviour is None and process.instance is None:
        raise WrongServer("a function of otp.sys", ref, "plain process")
    if process.behaviour is not None and not process.behaviour.reads_mailbox:
        raise WrongServer("a function of otp.sys", ref, process.behaviour.__name__)
    return await SystemCall(process, ref, request, timeout).wait()
