"""Whether a worker is still busy for its last client, and how to wait until it is idle.

A request sent through the mailbox of a server is answered once everything before it has been
handled. The end of a deferred call, and a message that a plain process takes itself, are announced
by `Extras.watch_idle`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from .._behaviour.system_messages import Request, SystemCall
from .._exits.call_errors import CallError
from .._process.names import takes_messages
from .._process.request import new_request
from .._util.unset import UNSET

if TYPE_CHECKING:
    from .._behaviour.system_messages import Host
    from .._process.process import Process


class PassThrough(Request):
    """A request that does nothing: once it is answered, all messages before it were handled."""

    __slots__ = ()

    async def carry_out(self, host: Host) -> None:
        """Do nothing."""


def is_idle(process: Process) -> bool:
    """Check whether a process has no message in hand, none queued and no call to answer."""
    if process.current is not UNSET or process.mailbox.queue or process.requests:
        return False
    put_off = process.extras.put_off
    if put_off and not any(put_off.values()):
        put_off.clear()
    return not put_off


async def wait_idle(process: Process) -> None:
    """Wait until a process is idle, or is dead."""
    while not process.dead and not is_idle(process):
        has_messages = process.current is not UNSET or process.mailbox.queue
        if has_messages and takes_messages(process) and not process.extras.suspended:
            await _pass_through(process)
        else:
            await _wait_for_change(process)


async def _pass_through(process: Process) -> None:
    request: Any = PassThrough()
    try:
        await new_request(process, process.pid, request, None, SystemCall)._wait()
    except CallError:
        return  # it has died


async def _wait_for_change(process: Process) -> None:
    """Wait until a call to a process has ended, it has taken a message, or it is dead."""
    changed = trio.Event()

    def died(_: Process) -> None:
        changed.set()

    process.own_extras().watch_idle = changed.set
    process.add_watcher(died)
    try:
        await changed.wait()
    finally:
        process.own_extras().watch_idle = None
        process.remove_watcher(died)
