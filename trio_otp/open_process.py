"""`open_process`: a pid and a mailbox for plain Trio code.

The running task becomes the process; it has no task of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import trio
from trio.lowlevel import enable_ki_protection

from .block import block
from .exits import (
    NORMAL,
    SHUTDOWN,
    AlreadyRegistered,
    ProcessExit,
    ProcessExited,
    raise_bare,
    reason_of,
    unwrap,
)
from .home import Home
from .names import check_name, holder, take_name
from .process import Process
from .runtime import current_process, own_process, runtime

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .pid import Pid


@block("async with otp.open_process() as me: ...")
@enable_ki_protection
async def open_process(
    *, name: Any = None, trap_exit: bool = False, label: str = "open_process"
) -> AsyncGenerator[Pid[Any]]:
    """Give plain Trio code a pid and a mailbox while the block runs.

    What it starts inside lives in a nursery of the block. When the block is left, in whatever way,
    that is shut down newest first, each process with its `terminate` and within its own limit;
    then links and monitors of the block are told of its end. Only a kill of the block is its end
    at once: what is linked to it then dies of the link.

    Args:
        name: a local name or via tuple.
        trap_exit: as `otp.trap_exit`.
        label: what its pid is shown as.

    Raises:
        ProcessExited: an exit signal cancelled the block, or the block called `otp.exit(reason)`
            with another reason than NORMAL.
        AlreadyRegistered: the name is taken.
    """
    leave = trio.Event()
    process: Process | None = None
    try:
        async with trio.open_nursery() as nursery:
            process = _adopt(nursery, label, name)
            process.trap_exit = trap_exit
            nursery.start_soon(process.home.close_after, leave)
            token = current_process.set(process)
            try:
                assert process.scope is not None
                with process.scope:
                    yield process.pid
                process.retire(NORMAL)
            except BaseException as exc:
                process.retire(_reason_of_block(exc))
                raise
            finally:
                current_process.reset(token)
                leave.set()
        process.die(NORMAL)
        reason = process.exit_reason
    except BaseExceptionGroup as group:
        reason = _reason_of_exit(group)
    finally:
        if process is not None:
            process.die(SHUTDOWN)  # unless it is dead, with the reason for which it has retired
    if reason is not NORMAL:
        raise ProcessExited(reason)


def _reason_of_block(exc: BaseException) -> object:
    """Turn what ended a block into its exit reason; a cancellation from outside is a shutdown."""
    if isinstance(exc, BaseExceptionGroup):
        _, rest = cast("BaseExceptionGroup[BaseException]", exc).split(trio.Cancelled)
        return SHUTDOWN if rest is None else reason_of(rest)
    return SHUTDOWN if isinstance(exc, trio.Cancelled) else reason_of(exc)


def _reason_of_exit(group: BaseException) -> object:
    """Give the reason of the `otp.exit` that ended a block; raise anything else bare."""
    exc = unwrap(group)
    return exc.reason if isinstance(exc, ProcessExit) else raise_bare(group)


def _adopt(nursery: trio.Nursery, label: str, name: Any) -> Process:
    """Make the running task a process, without a task of its own."""
    tables = runtime()
    home = Home(tables, nursery)
    process = Process(tables, home, _no_body, label)
    process.children_home = home
    process.scope = trio.CancelScope()
    process.task = trio.lowlevel.current_task()
    starter = own_process()
    if starter is not None:
        process.ancestors = (starter.name or starter.pid, *starter.ancestors)
    if name is not None:
        check_name(name)
        if not take_name(process, name):
            rival = holder(name)
            raise AlreadyRegistered(name, None if rival is None else rival.pid)
    tables.processes[process.pid._number] = process
    tables.events.emit("process_start", process.pid)
    return process


def is_adopted(process: Process) -> bool:
    """Tell whether a process is the block of `open_process`."""
    return process.body is _no_body


async def _no_body(_: Process) -> None:  # noqa: ASYNC124 - bodies are async
    raise AssertionError("a process of open_process runs in its block")
