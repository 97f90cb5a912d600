"""The start of a child whose caller is cancelled: it is taken back.

Nobody would know of the child: its pid is in the answer that nobody takes. So the caller, before it
goes on with its cancellation, sees to it that nothing is left:

* A request that still waits in the mailbox of the supervisor is passed over when its turn comes.
* An init that runs is cancelled, within the limit of the child; the start fails.
* A child whose init is over before the caller's task runs again is stopped by its supervisor.

So the request is void from the moment at which the caller is cancelled, before its task runs.

A caller whose time is up takes nothing back, as in OTP: it knows what may be there, and goes on.
Nor does one that dies: a process that an exit signal ends leaves its requests behind
it, as in OTP, where an answer that nobody takes changes nothing.

Follows: `trio.Nursery.start`, in what it does with a task when it is cancelled.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import Abort, cancel_shielded_checkpoint, checkpoint_if_cancelled

from .._exits.call_errors import CallError
from .._process.runtime import calling_process, current_process
from .._process.wait_edges import leave_wait, set_wait
from .data import ManagementCommand

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.request import From
    from .loop import SupervisorLoop


async def wait_for_start(from_: From[Any]) -> Any:
    """Do as `From._wait`, for a start that is to be undone when it is cancelled."""
    await checkpoint_if_cancelled()
    try:
        answer = from_._wait(partial(_abort, from_))
    except CallError:  # it would wait for itself
        await cancel_shielded_checkpoint()
        raise
    try:
        return await answer
    except (trio.Cancelled, KeyboardInterrupt):
        await _take_back(from_)
        raise


def _abort(from_: From[Any], raise_cancel: Callable[[], Any]) -> Abort:
    assert from_._task is not None
    caller = from_._task.context.get(current_process)
    if caller is None or caller.alive:
        from_.message.void = True  # type: ignore[attr-defined]  # a ManagementCommand
    return from_._abort(raise_cancel)


async def _take_back(from_: From[Any]) -> None:
    supervisor, command = from_._server, from_.message
    assert isinstance(command, ManagementCommand)
    if supervisor.dead or not command.void or supervisor.current is not from_:
        return
    loop: SupervisorLoop[object] = supervisor.instance.loop
    command.over = trio.Event()
    caller = set_wait(calling_process(), supervisor)
    try:
        with trio.CancelScope(shield=True):
            if loop.children.under_way is not None:
                await loop.children.under_way.break_off()
            await command.over.wait()
    finally:
        leave_wait(caller)
