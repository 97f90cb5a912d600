"""The part of `otp.sys` that watches: trace, log, statistics, functions of the user's.

Follows: Erlang's `sys`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from .._process.checkpoints import checkpointed
from .._process.debug import DEFAULT_LOG, DebugEvent, Statistics, is_target, print_events
from .._process.request import DEFAULT_TIMEOUT
from .._util.bounded import bounded
from .._util.public import public_in
from .system_requests import Switch, ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.debug import Debug, DebugFunction, Target
    from .._process.names import Ref

Get: TypeAlias = Literal["get"]


@public_in("sys")
@checkpointed
async def trace(ref: Ref, to: Target, *, timeout: float | None = DEFAULT_TIMEOUT) -> None:
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
        raise TypeError(f"to={bounded(to)}: expected a bool, a text stream or a Logger")
    await _switch(ref, lambda debug: debug.trace(to), timeout)


@overload
async def log(
    ref: Ref, what: Get, *, timeout: float | None = DEFAULT_TIMEOUT
) -> tuple[DebugEvent, ...]: ...
@overload
async def log(
    ref: Ref, what: bool | int | Literal["print"], *, timeout: float | None = DEFAULT_TIMEOUT
) -> None: ...
@public_in("sys")
@checkpointed
async def log(ref: Ref, what: Any, *, timeout: float | None = DEFAULT_TIMEOUT) -> Any:
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
        raise TypeError(f"what={bounded(what)}: expected True, False, a number, 'get' or 'print'")
    count = DEFAULT_LOG if what is True else what
    return await _switch(ref, lambda debug: debug.keep(count or None), timeout)


@overload
async def statistics(
    ref: Ref, what: Get, *, timeout: float | None = DEFAULT_TIMEOUT
) -> Statistics | None: ...
@overload
async def statistics(ref: Ref, what: bool, *, timeout: float | None = DEFAULT_TIMEOUT) -> None: ...
@public_in("sys")
@checkpointed
async def statistics(ref: Ref, what: Any, *, timeout: float | None = DEFAULT_TIMEOUT) -> Any:
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
        raise TypeError(f"what={bounded(what)}: expected True, False or 'get'")
    return await _switch(ref, lambda debug: debug.count(what), timeout)


@public_in("sys")
@checkpointed
async def log_to_file(
    ref: Ref,
    path: str | os.PathLike[str] | Literal[False],
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
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
        TypeError: `path` is none.
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.log_to_file/3`.
    """
    if path is not False and not isinstance(path, str | os.PathLike):
        raise TypeError(f"path={bounded(path)}: expected a path, or False")
    await _switch(ref, lambda debug: debug.write_to(None if path is False else path), timeout)


@public_in("sys")
@checkpointed
async def install(
    ref: Ref,
    function: DebugFunction,
    state: object = None,
    *,
    function_id: object = None,
    timeout: float | None = DEFAULT_TIMEOUT,
) -> None:
    """Show a function every event of a process.

    It runs in the process, gets its own state and the `DebugEvent`, and returns its next state; the
    constant `otp.sys.DONE` removes it. One that raises is removed and reported, and hurts nobody.

    Args:
        ref: the process.
        function: a plain function.
        state: its first state.
        function_id: what `remove` calls it, hashable; the function itself if left out. One that is
            there already stays.
        timeout: seconds.

    Raises:
        TypeError: the function cannot be called.
        NoProcess, WrongServer, CallTimeout, ServerExited, CallingSelf, DeadlockError: as
            `get_state`.

    Follows: `:sys.install/3`.
    """
    if not callable(function):
        raise TypeError(f"function={bounded(function)}: expected a function of state and event")
    name = function if function_id is None else function_id
    hash(name)
    await _switch(ref, lambda debug: debug.install(name, function, state), timeout)


@public_in("sys")
@checkpointed
async def remove(
    ref: Ref, function_or_id: object, *, timeout: float | None = DEFAULT_TIMEOUT
) -> None:
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


@public_in("sys")
@checkpointed
async def no_debug(ref: Ref, *, timeout: float | None = DEFAULT_TIMEOUT) -> None:
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
    return await ask(ref, Switch(what), timeout)
