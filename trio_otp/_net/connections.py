"""The supervisor of connections: it lets them finish their work before it stops them.

Follows: `ranch_conns_sup` of Ranch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trio.lowlevel import enable_ki_protection

from .._exits.reasons import is_quiet
from .._process.draining import Draining
from .._process.wait_edges import await_ends, leave_wait
from .._supervisor.dynamic import DynamicSupervisor
from .._supervisor.dynamic_loop import DynamicLoop, DynamicSupervisorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .._behaviour.behaviour import Behaviour
    from .._process.pid import Pid
    from .._process.process import Process
    from .service import Service


class Connections(DynamicSupervisor):
    """The supervisor of the connections of one service."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self.service = service

    @classmethod
    def run_process(
        cls, process: Process, make: Callable[[], Behaviour]
    ) -> Coroutine[Any, Any, None]:
        """Run the body of the process."""
        return ConnectionsLoop(process).run(make)


class ConnectionsLoop(DynamicLoop):
    """The shell of the supervisor of connections."""

    summary = "connections"
    draining: Draining

    @enable_ki_protection
    async def run(self, make: Callable[[], Behaviour]) -> None:
        """Run the body of the process."""
        assert self.process.children is not None
        self.draining = Draining(self.process.children.trio_nursery, self._has_living)
        self.process.add_watcher(lambda _: self.draining.forget())
        await super().run(make)

    async def begin(self, spec: DynamicSupervisorSpec) -> None:
        """Take the settings; connections are started here from now on."""
        await super().begin(spec)
        self.instance.service.connections_begin(self.process.pid)

    async def child_exited(self, pid: Pid, reason: object) -> None:
        """Forget a connection. Its own report of a crash is enough."""
        self.slots.pop(pid, None)

    async def stop_children(self, *, interrupt: bool) -> None:
        """Begin draining, wait for the connections, then stop those that are left."""
        self.draining.begin()
        if self._is_planned():
            await self._wait_for_connections()
        self.slots = {pid: slot for pid, slot in self.slots.items() if pid._process is not None}
        await super().stop_children(interrupt=interrupt)

    def _has_living(self) -> bool:
        return any(pid._process is not None for pid in self.slots)

    def _is_planned(self) -> bool:
        """Check whether it was asked to stop; not if it, or its parent, was killed."""
        process, parent = self.process, self.process.parent
        if parent is None or parent.dead:
            return False
        if process.is_exiting:
            return is_quiet(process.pending_exit)
        return process.stop_message is not None and is_quiet(process.stop_message.reason)

    async def _wait_for_connections(self) -> None:
        leaving = {slot.process: None for slot in self.slots.values() if slot.process is not None}
        await_ends(self.process, leaving)
        try:
            with self.draining.limit(self.instance.service.drain_timeout):
                for process in leaving:
                    await process.wait_dead()
        finally:
            leave_wait(self.process)
