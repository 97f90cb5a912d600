"""The acceptor of a service: it accepts connections, one task for each listener.

Follows: `ranch_acceptor` of Ranch; `trio.serve_listeners` in the errors that it survives.
"""

from __future__ import annotations

import errno
import math
import os
from typing import TYPE_CHECKING, Any, Final

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.call_errors import NoProcess, ServerExited
from .._exits.errors import StartError
from .._exits.nurseries import OwnNursery
from .._process.runtime import need_process
from .._start.child import Child
from .._supervisor.management import start_child
from ..events import NoticeReport
from .connection import Connection, run_connection

if TYPE_CHECKING:
    from .service import Service

# The errors of accept when the system is out of resources, which it may have again later.
CAPACITY_ERRNOS: Final = frozenset([errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
RETRY_AFTER: Final = 0.1  # seconds, as trio.serve_listeners
NOTICE_EVERY: Final = 10.0  # seconds, also if accept succeeds now and then


@enable_ki_protection
async def acceptor(
    service: Service, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Accept connections until it is stopped."""
    await service.listeners.ensure_listening()
    service.publish_listeners()
    async with OwnNursery() as nursery:
        for listener in service.listeners.now:
            nursery.start_soon(_accept_from, service, listener)
        task_status.started()


@enable_ki_protection
async def _accept_from(service: Service, listener: trio.abc.Listener[Any]) -> None:
    noticed = -math.inf  # when that accept fails was last logged
    while True:
        await service.wait_for_room()
        try:
            stream = await listener.accept()
        except trio.ClosedResourceError:
            if not service.is_over:
                raise
            await trio.sleep_forever()  # the supervisor has closed it, and stops this task next
        except OSError as exc:
            if exc.errno not in CAPACITY_ERRNOS:
                raise
            if trio.current_time() - noticed >= NOTICE_EVERY:
                noticed = trio.current_time()
                _notice(exc)
            await trio.sleep(RETRY_AFTER)
        else:
            await _begin(service, stream)


def _notice(exc: OSError) -> None:
    assert exc.errno is not None
    process = need_process("the acceptor")
    name, text = errno.errorcode[exc.errno], os.strerror(exc.errno)
    notice = f"accept gave {name} ({text}); trying again every {RETRY_AFTER:g} s"
    process.runtime.events.emit("notice", NoticeReport(process.pid, notice))


async def _begin(service: Service, stream: object) -> None:
    """Start the process of a connection; close the connection if that cannot be."""
    connection = Connection(service, stream)
    try:
        await service.wait_for_room()  # another listener may have taken the last one
        if connection.admit():
            await _start(service, connection)
    finally:
        await connection.give_up()


async def _start(service: Service, connection: Connection) -> None:
    connections = service.connections
    assert connections is not None
    options = {"id": connection.peer, "restart": "temporary", "mailbox": service.mailbox}
    child: Child[None] = Child(run_connection, (connection,), {}, options)
    try:
        await start_child(connections, child)
    except StartError:
        pass  # it was killed before it began
    except (NoProcess, ServerExited):
        await connection.give_up()
        # rest_for_one: the acceptor goes with that supervisor, unless that alone was terminated.
        await service.wait_for_another(connections)
