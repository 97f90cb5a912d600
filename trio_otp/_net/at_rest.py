"""Whether a worker still does something for its last client, and how to wait until it does not.

A request that goes through its mailbox is answered when all before it has been handled. What has
been put off, a call that is answered later, tells nobody when it is over, so that is looked for
every hundredth of a second, as is what a plain process does with its messages.
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

LOOK_EVERY: Final = 0.01  # seconds


class PassThrough(Request):
    """To do nothing: what was sent before has been handled by then."""

    __slots__ = ()

    async def carry_out(self, host: Host) -> None:
        """Do nothing."""


def is_at_rest(process: Process) -> bool:
    """Check whether a process has nothing in hand, nothing queued and nothing to answer."""
    if process.current is not UNSET or process.mailbox.queue or process.requests:
        return False
    put_off = process.extras.put_off
    if put_off and not any(put_off.values()):
        put_off.clear()
    return not put_off


async def wait_for_rest(process: Process) -> None:
    """Wait until a process has finished what it was asked for, or is dead."""
    while not process.dead and not is_at_rest(process):
        if takes_messages(process) and (process.current is not UNSET or process.mailbox.queue):
            await _pass_through(process)
        if not process.dead and not is_at_rest(process):
            await trio.sleep(LOOK_EVERY)


async def _pass_through(process: Process) -> None:
    request: Any = PassThrough()
    try:
        await new_request(process, process.pid, request, None, SystemCall)._wait()
    except CallError:
        return  # it has died
