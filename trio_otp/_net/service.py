"""The state that the parts of one `ConnectionSupervisor` share; it outlives their restarts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import trio

from .._util.public import public
from .listeners import Listeners

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .._process.bounded_mailbox import BoundedMailbox
    from .._process.pid import Pid
    from .._process.process import Process
    from .connection_limits import ConnectionLimits
    from .listeners import Open

Handler: TypeAlias = "Callable[[Any], Awaitable[object]]"


@public
@dataclass(frozen=True, slots=True)
class ConnectionCounts:
    """The counts of a service since its start, as `ConnectionSupervisor.counts` returns them.

    Args:
        active: connections that are served now.
        accepted: all that were accepted, including refused ones.
        refused: those beyond `max_connections` or `max_per_address`.
        disconnected: those that ended because the other side had gone, or had not completed the
            handshake of TLS.
        crashed: those whose handler crashed.
    """

    active: int = 0
    accepted: int = 0
    refused: int = 0
    disconnected: int = 0
    crashed: int = 0


class Service:
    """The settings of a service, its listeners, its connections, and their counts."""

    def __init__(
        self,
        handler: Handler,
        open_listeners: Open,
        limits: ConnectionLimits,
        *,
        on_full: Handler | None,
        mailbox: BoundedMailbox | None,
        handshake_timeout: float,
        drain_timeout: float | None,
    ) -> None:
        self.handler = handler
        self.on_full = on_full
        self.mailbox = mailbox
        self.handshake_timeout = handshake_timeout
        self.drain_timeout = drain_timeout
        self.listeners = Listeners(open_listeners)
        self.limits = limits
        self.is_over: bool = False  # it accepts no more
        self.process: Process | None = None  # of the ConnectionSupervisor
        self.connections: Pid | None = None  # the supervisor of them, the present one
        self.served: dict[Pid, None] = {}  # the processes of connections, oldest first
        self.accepted: int = 0
        self.refused: int = 0
        self.disconnected: int = 0
        self.crashed: int = 0
        self._waiting = trio.lowlevel.ParkingLot()

    async def wait_for_room(self) -> None:
        """Wait until one more connection may be accepted."""
        while not self.limits.may_accept():
            await self._waiting.park()

    def wake_acceptors(self) -> None:
        """Wake the tasks in `wait_for_room`, as a connection has ended."""
        self._waiting.unpark_all()

    def connections_begin(self, pid: Pid[Any]) -> None:
        """Let connections be started in a new supervisor of them."""
        self.connections = pid
        self._waiting.unpark_all()

    async def wait_for_another(self, connections: Pid[Any]) -> None:
        """Wait until there is another supervisor of connections than one that has ended."""
        while self.connections is connections:
            await self._waiting.park()

    def publish_listeners(self) -> None:
        """Set what `process_info(ref).started` returns to the present listeners."""
        assert self.process is not None
        self.process.own_extras().started = list(self.listeners.now)

    def counts(self) -> ConnectionCounts:
        """Return the counts."""
        active = len(self.served)
        return ConnectionCounts(
            active, self.accepted, self.refused, self.disconnected, self.crashed
        )
