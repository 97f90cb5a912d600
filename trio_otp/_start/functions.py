"""Start a child outside of a supervisor: from a process, or in a nursery of plain Trio code.

Follows: `GenServer.start_link/3`, `GenServer.start/3`, Erlang's `gen_server:start_monitor/3`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from trio.lowlevel import enable_ki_protection

from .._behaviour.behaviour import Behaviour
from .._process.checkpoints import refusal
from .._process.nursery import nursery_for, own_nursery_of
from .._process.runtime import need_process, own_process
from .._process.signals import Monitor
from .._util.copies import create
from .._util.public import public
from .child import Child, as_child
from .start import Start, start_and_wait

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import trio

    from .._process.pid import Pid

S = TypeVar("S")
B = TypeVar("B", bound=Behaviour)


@overload
async def start_link(child: Callable[[], B]) -> Pid[B]: ...
@overload
async def start_link(child: Callable[[], Awaitable[object]]) -> Pid[None]: ...
@overload
async def start_link(child: Child[S]) -> Pid[S]: ...
@public
@enable_ki_protection
async def start_link(child: Any) -> Any:
    """Start a process linked to this one, and wait until its init is over.

    Args:
        child: what to start: `otp.child(...)`, a behaviour class or an async function.

    Returns:
        Its pid, or None if its init returned IGNORE.

    Raises:
        StartError: init failed or took too long; nothing is left of the process.
        AlreadyStarted: the name is taken.
        NotAProcess: in plain Trio code; write `otp.start(child, nursery=nursery)`.

    Follows: `GenServer.start_link/3`.
    """
    try:
        process = need_process("otp.start_link")
        wanted, ordered = as_child(child), own_nursery_of(process)
        starting = Start(wanted.runs, ordered, process, wanted.spec, link=True)
    except Exception:
        await refusal()
        raise
    started = await start_and_wait(starting)
    return None if started is None else started.pid


@overload
async def start(child: Callable[[], B], *, nursery: trio.Nursery | None = None) -> Pid[B]: ...
@overload
async def start(
    child: Callable[[], Awaitable[object]], *, nursery: trio.Nursery | None = None
) -> Pid[None]: ...
@overload
async def start(child: Child[S], *, nursery: trio.Nursery | None = None) -> Pid[S]: ...
@public
@enable_ki_protection
async def start(child: Any, *, nursery: trio.Nursery | None = None) -> Any:
    """Start a process that is linked to nobody, and wait until its init is over.

    Args:
        child: what to start: `otp.child(...)`, a behaviour class or an async function.
        nursery: where it lives; needed in plain Trio code. Cancelling the nursery shuts what
            lives in it down, newest first.

    Returns:
        Its pid, or None if its init returned IGNORE.

    Raises:
        StartError, AlreadyStarted: as `start_link`.
        NotAProcess: in plain Trio code without `nursery`.

    Follows: `GenServer.start/3`.
    """
    try:
        starter = own_process()
        if nursery is None and starter is not None:
            ordered = own_nursery_of(starter)
        else:
            ordered = nursery_for(nursery, "otp.start")
        wanted = as_child(child)
        starting = Start(wanted.runs, ordered, starter, wanted.spec)
    except Exception:
        await refusal()
        raise
    process = await start_and_wait(starting)
    return None if process is None else process.pid


@overload
async def start_monitor(
    child: Callable[[], B], *, nursery: trio.Nursery | None = None
) -> tuple[Pid[B], Monitor]: ...
@overload
async def start_monitor(
    child: Callable[[], Awaitable[object]], *, nursery: trio.Nursery | None = None
) -> tuple[Pid[None], Monitor]: ...
@overload
async def start_monitor(
    child: Child[S], *, nursery: trio.Nursery | None = None
) -> tuple[Pid[S], Monitor]: ...
@public
@enable_ki_protection
async def start_monitor(child: Any, *, nursery: trio.Nursery | None = None) -> Any:
    """As `start`, and monitor the process.

    Args:
        child: what to start: `otp.child(...)`, a behaviour class or an async function.
        nursery: where it lives; where its starter does, if not given.

    Returns:
        Its pid and the monitor, or None if its init returned IGNORE.

    Raises:
        StartError, AlreadyStarted: as `start_link`.
        NotAProcess: in plain Trio code.

    Follows: Erlang's `gen_server:start_monitor/3`.
    """
    try:
        starter = need_process("otp.start_monitor")
        ordered = nursery_for(nursery, "otp.start_monitor")
        wanted = as_child(child)
        starting = Start(wanted.runs, ordered, starter, wanted.spec)
    except Exception:
        await refusal()
        raise
    starting.monitor = handle = create(Monitor, starter)
    process = await start_and_wait(starting)
    return None if process is None else (process.pid, handle)
