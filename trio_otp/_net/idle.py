"""Whether a worker is still busy for its last client, and how to wait until it is idle.

A request sent through its mailbox is answered once everything before it has been handled. The end
of a deferred call, and a plain process that takes its messages itself, are not announced, as that
would cost every call something; both are polled for, which only the rare busy worker needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import trio

from .._behaviour.system_messages import Request, SystemCall
from .._exits.call_errors import CallError
from .._process.names import takes_messages
from .._process.request import new_request
from .._util.unset import UNSET

if TYPE_CHECKING:
    from .._behaviour.system_messages import Host
    from .._process.process import Process

POLL_INTERVAL: Final = 0.01  # seconds


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
        if takes_messages(process) and (process.current is not UNSET or process.mailbox.queue):
            await _pass_through(process)
        if not process.dead and not is_idle(process):
            await trio.sleep(POLL_INTERVAL)


async def _pass_through(process: Process) -> None:
    request: Any = PassThrough()
    try:
        await new_request(process, process.pid, request, None, SystemCall)._wait()
    except CallError:
        return  # it has died
