"""The acceptor of a service: it accepts connections, one task for each listener.

Follows: `ranch_acceptor` of Ranch, `trio.serve_listeners` in the errors that it lives through.
"""

from __future__ import annotations

import errno
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

# What accept says when the system has no more room: it may have some again in a while.
CAPACITY: Final = frozenset([errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
RETRY_AFTER: Final = 0.1  # seconds, as trio.serve_listeners
TELL_EVERY: Final = 100  # failures in a row


@enable_ki_protection
async def acceptor(
    service: Service, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Accept connections until it is stopped."""
    await service.listeners.see_to()
    service.tell_listeners()
    async with OwnNursery() as nursery:
        for listener in service.listeners.now:
            nursery.start_soon(_accept_from, service, listener)
        task_status.started()


@enable_ki_protection
async def _accept_from(service: Service, listener: trio.abc.Listener[Any]) -> None:
    failures = 0  # in a row
    while True:
        await service.wait_for_place()
        try:
            stream = await listener.accept()
        except trio.ClosedResourceError:
            if not service.is_over:
                raise
            await trio.sleep_forever()  # until the supervisor, which has closed it, stops this
        except OSError as exc:
            if exc.errno not in CAPACITY:
                raise
            if failures % TELL_EVERY == 0:
                _tell(exc)
            failures += 1
            await trio.sleep(RETRY_AFTER)
        else:
            failures = 0
            await _begin(service, stream)


def _tell(exc: OSError) -> None:
    assert exc.errno is not None
    process = need_process("the acceptor")
    name, text = errno.errorcode[exc.errno], os.strerror(exc.errno)
    notice = f"accept gave {name} ({text}); trying again every {RETRY_AFTER:g} s"
    process.runtime.events.emit("notice", NoticeReport(process.pid, notice))


async def _begin(service: Service, stream: Any) -> None:
    """Let a connection be served; whatever keeps it from that, it is closed."""
    connection = Connection(service, stream)
    try:
        await service.wait_for_place()  # another listener may have been faster
        if connection.take_place():
            await _start(service, connection)
    finally:
        await connection.give_up()


async def _start(service: Service, connection: Connection) -> None:
    assert service.connections is not None
    options = {"id": connection.peer, "restart": "temporary"}
    child: Child[None] = Child(run_connection, (connection,), {}, options)
    try:
        await start_child(service.connections, child)
    except StartError:
        pass  # it was killed before it began
    except (NoProcess, ServerExited):
        await connection.give_up()
        await trio.sleep_forever()  # the acceptor goes with the supervisor of connections
