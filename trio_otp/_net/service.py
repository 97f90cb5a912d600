"""What the parts of one `ConnectionSupervisor` share. It outlives their restarts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import trio

from .._util.public import public
from .listeners import Listeners

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .._process.pid import Pid
    from .._process.process import Process
    from .listeners import Open
    from .places import Places

Handler: TypeAlias = "Callable[[Any], Awaitable[object]]"


@public
@dataclass(frozen=True, slots=True)
class ConnectionCounts:
    """What `ConnectionSupervisor.counts` gives, since its start.

    Args:
        active: connections that are served now.
        accepted: all that were accepted, refused ones as well.
        refused: those that there was no place for.
        disconnected: those that ended because the other side had gone, or did not complete the
            handshake of TLS.
        crashed: those whose handler has crashed.
    """

    active: int = 0
    accepted: int = 0
    refused: int = 0
    disconnected: int = 0
    crashed: int = 0


class Service:
    """The settings of a service, who is connected, and what was counted."""

    def __init__(
        self,
        handler: Handler,
        opens: Open,
        places: Places,
        *,
        on_full: Handler | None,
        handshake_timeout: float,
        drain_timeout: float | None,
    ) -> None:
        self.handler = handler
        self.on_full = on_full
        self.handshake_timeout = handshake_timeout
        self.drain_timeout = drain_timeout
        self.listeners = Listeners(opens)
        self.places = places
        self.is_over: bool = False  # it accepts no more
        self.process: Process | None = None  # of the ConnectionSupervisor
        self.connections: Pid[Any] | None = None  # the supervisor of them, the present one
        self.served: dict[Pid[Any], None] = {}  # the processes of connections, oldest first
        self.accepted: int = 0
        self.refused: int = 0
        self.disconnected: int = 0
        self.crashed: int = 0
        self._waiting = trio.lowlevel.ParkingLot()

    async def wait_for_place(self) -> None:
        """Wait until one more may be accepted."""
        while not self.places.may_accept():
            await self._waiting.park()

    def place_is_free(self) -> None:
        """Tell who waits for a place."""
        self._waiting.unpark_all()

    def tell_listeners(self) -> None:
        """Let `process_info(ref).started` have the listeners there are."""
        assert self.process is not None
        self.process.own_extras().started = list(self.listeners.now)

    def counts(self) -> ConnectionCounts:
        """Return what was counted."""
        active = len(self.served)
        return ConnectionCounts(
            active, self.accepted, self.refused, self.disconnected, self.crashed
        )
