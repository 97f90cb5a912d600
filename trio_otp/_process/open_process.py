"""`open_process`: a pid and a mailbox for plain Trio code.

The running task becomes the process; it has no task of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.bare import (
    exited,
    is_cancellation,
    part,
    publish,
    put_under,
    raise_bare,
    reason_of,
    without_cancellation,
)
from .._exits.errors import AlreadyRegistered, ProcessExited
from .._exits.nurseries import OwnNursery, WholeScope
from .._exits.reasons import NORMAL, SHUTDOWN
from .._util.checks import check_flag, check_label
from .._util.public import public
from .block import block
from .mailbox_data import check_bound
from .names import check_name, find_even_exiting, take_name
from .nursery import OrderedNursery
from .process import Process
from .propagating import start_propagating
from .runtime import current_process, own_process, runtime

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .bounded_mailbox import BoundedMailbox
    from .pid import Pid
    from .propagating import Propagate


@public
@block("async with otp.open_process() as me: ...")
@enable_ki_protection
async def open_process(
    *,
    name: object = None,
    trap_exit: bool = False,
    label: str = "open_process",
    mailbox: BoundedMailbox | None = None,
    propagate: Propagate = (),
) -> AsyncGenerator[Pid]:
    """Make plain Trio code a process, with a pid and a mailbox, while the block runs.

    What it starts inside lives in a nursery of the block. When the block is left, in whatever way,
    that is shut down newest first, each process with its `terminate` and within its own limit;
    then links and monitors of the block are told of its end. Only a kill of the block is its end
    at once: what is linked to it then dies of the link.

    Args:
        name: a local name or via tuple.
        trap_exit: as `otp.trap_exit`.
        label: what its pid is shown as.
        mailbox: how many messages may wait; None for any number.
        propagate: what travels with each call and cast of the run while the block is open: context
            variables and objects as `otp.events.Propagator`, of which there is more in
            `docs/events.md`. In the server they have the value of the sender while it handles the
            message.

    >>> import contextvars, trio, trio_otp as otp
    >>> request_id = contextvars.ContextVar("request_id", default="none")
    >>> class Shop(otp.GenServer):
    ...     @otp.on_call
    ...     def buy(self) -> str:
    ...         return f"bought for {request_id.get()}"
    >>> async def main():
    ...     async with otp.open_process(propagate=[request_id]):
    ...         await otp.start_link(otp.child(Shop).having(name=Shop))
    ...         request_id.set("r-1")
    ...         print(await Shop.at().buy())
    >>> trio.run(main)
    bought for r-1

    Raises:
        ProcessExited: an exit signal cancelled the block, or the block called `otp.exit(reason)`
            with another reason than NORMAL. If the body raises something of its own meanwhile, that
            leaves, with this as its context.
        AlreadyRegistered: the name is taken.
        TypeError: an argument is not accepted.
    """
    check_flag("trap_exit", trap_exit)
    check_label(label)
    check_bound(mailbox)
    leave = trio.Event()
    process: Process | None = None
    ended: object = NORMAL  # the end of the body, if no signal came before
    error: BaseException | None = None
    stop_propagating = start_propagating(propagate)
    try:
        async with OwnNursery() as nursery:
            process = _adopt(nursery, label, name)
            process.trap_exit = trap_exit
            if mailbox is not None:
                mailbox._limit(process)
            nursery.start_soon(process.nursery.close_after, leave)
            token = current_process.set(process)
            try:
                assert process.scope is not None
                with WholeScope(process.scope):
                    yield process.pid
                process.retire(NORMAL)
            except BaseException as exc:
                ended = _reason_of_block(exc)
                process.retire(ended)
                raise
            finally:
                current_process.reset(token)
                leave.set()
    except BaseException as exc:  # noqa: ASYNC103 - it is raised bare below
        if process is None:
            raise
        process.die(SHUTDOWN)  # unless it is dead, with the reason for which it has retired
        error = _error_of(exc, ended, process.exit_reason)
    else:
        assert process is not None
        process.die(NORMAL)
        if process.exit_reason is not NORMAL:
            error = ProcessExited(process.exit_reason)
    finally:
        stop_propagating()
    try:
        if error is not None:
            raise_bare(error)
    finally:
        del ended, error  # else the frame and the traceback keep each other alive


def _reason_of_block(exc: BaseException) -> object:
    """Turn what ended a block into its exit reason; a cancellation from outside is a shutdown."""
    rest = without_cancellation(exc)
    return SHUTDOWN if rest is None else reason_of(rest)


def _error_of(exc: BaseException, ended: object, reason: object) -> BaseException | None:
    """Return what leaves a block: the error of its body, or what its own end means.

    Args:
        exc: what came out of the body, and of what lived in the block.
        ended: the exit reason that the body alone stands for.
        reason: that of the block, which a signal may have brought.
    """
    error, leaving = part(exc)
    failure = ProcessExited(reason) if leaving is None or reason is not ended else exited(leaving)
    if error is None or is_cancellation(error):
        by_itself = leaving is not None or reason is not ended
        return failure if by_itself and reason is not NORMAL else error
    if leaving is not None and isinstance(ended, BaseException):
        error = ended  # it has the exit as its context
    if reason is not ended:
        put_under(error, failure)
    return publish(error)


def _adopt(nursery: trio.Nursery, label: str, name: object) -> Process:
    """Make the running task a process, without a task of its own."""
    tables = runtime()
    ordered = OrderedNursery(tables, nursery)
    process = Process(tables, ordered, _no_body, label)
    process.children = ordered
    process.scope = trio.CancelScope()
    process.task = trio.lowlevel.current_task()
    starter = own_process()
    if starter is not None:
        process.ancestors = (starter.name or starter.pid, *starter.ancestors)
    if name is not None:
        check_name(name)
        if not take_name(process, name):
            rival = find_even_exiting(name)
            raise AlreadyRegistered(name, None if rival is None else rival.pid)
    tables.processes[process.pid._number] = process
    tables.events.emit("process_start", process.pid)
    return process


def is_adopted(process: Process) -> bool:
    """Check whether a process is the block of `open_process`."""
    return process.body is _no_body


async def _no_body(_: Process) -> None:  # noqa: ASYNC124 - each body is async
    raise AssertionError("runs in its block")  # pragma: no cover - the block stands for it
