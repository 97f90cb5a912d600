"""What `gen_event` sends to an event manager: each command knows what the manager does with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import outcome
from trio.lowlevel import enable_ki_protection

from .._behaviour.messages import Handled
from .._behaviour.results import Reply
from .._exits.errors import WrongServer
from .._process.names import class_name, need_living
from .._process.request import From, new_request
from .._util.checks import check_timeout
from .outcomes import Crash, HandlerCrashed
from .table import HandlerEntry

if TYPE_CHECKING:
    from .._process.names import Ref
    from .._process.process import Process
    from .outcomes import Ran
    from .table import HandlerTable


HandlerKey: TypeAlias = "type[Any] | tuple[type[Any], Any]"  # a GenEvent class, perhaps with an id


class Manager(Protocol):
    """What a command asks of the event manager that runs it."""

    table: HandlerTable

    def need(self, key: HandlerKey) -> HandlerEntry:
        """Find a handler."""
        ...

    async def add(self, entry: HandlerEntry) -> None:
        """Start a handler and put it into the table."""

    async def take_out(self, entry: HandlerEntry, reason: object) -> Ran:
        """Take a handler out, and run its `terminate`."""
        ...

    async def swap(self, old: HandlerKey, reason: object, new: HandlerEntry, *, sup: bool) -> None:
        """Put a handler in place of another."""

    async def ask(self, key: HandlerKey, request: object, from_: From[Any]) -> Any:
        """Return the answer of a handler."""

    async def tell_all(self, callback: str, message: object) -> None:
        """Run a callback of all handlers."""


class ManagerCommand(Handled):
    """A call to an event manager. What goes wrong with it is raised in the caller alone."""

    __slots__ = ()

    async def run(self, server: Any, from_: From[Any] | None) -> Any:
        """Do it, and answer."""
        assert from_ is not None
        try:
            return Reply(await self.do(server, from_))
        except Exception as exc:
            return Reply(outcome.Error(exc))

    async def do(self, manager: Manager, from_: From[Any]) -> Any:
        """Do it, and return the answer."""
        raise NotImplementedError  # each command has its own


@dataclass(slots=True, unsafe_hash=True)  # frozen ones take longer to make
class Notify(Handled):
    """An event that nobody waits for."""

    event: Any

    def run(self, server: Any, from_: From[Any] | None) -> Any:
        """Return it to all handlers."""
        return server.tell_all("handle_event", self.event)


@dataclass(frozen=True, slots=True)
class SyncNotify(ManagerCommand):
    """An event whose sender waits until all handlers have had it."""

    event: Any

    async def do(self, manager: Manager, from_: From[Any]) -> None:
        """Return it to all handlers."""
        await manager.tell_all("handle_event", self.event)


@dataclass(frozen=True, slots=True)
class AddHandler(ManagerCommand):
    """Add a handler, supervised if there is an owner."""

    handler: Any
    id: Any
    owner: Process | None

    async def do(self, manager: Manager, from_: From[Any]) -> None:
        """Start it and put it into the table."""
        await manager.add(HandlerEntry(self.handler, self.id, self.owner))


@dataclass(frozen=True, slots=True)
class DeleteHandler(ManagerCommand):
    """Take a handler out."""

    handler: HandlerKey
    reason: object

    async def do(self, manager: Manager, from_: From[Any]) -> Any:
        """Return what its `terminate` returned."""
        entry = manager.need(self.handler)
        ran = await manager.take_out(entry, self.reason)
        if isinstance(ran, Crash):
            raise HandlerCrashed(entry.key, ran.reason)
        return ran.value


@dataclass(frozen=True, slots=True)
class ReplaceHandler(ManagerCommand):
    """Put a handler in place of another, with an owner of its own if `supervised`."""

    old: HandlerKey
    new: Any
    reason: object
    id: Any
    supervised: bool
    owner: Process | None

    async def do(self, manager: Manager, from_: From[Any]) -> None:
        """End the old one and start the new one."""
        new = HandlerEntry(self.new, self.id, self.owner)
        await manager.swap(self.old, self.reason, new, sup=self.supervised)


@dataclass(frozen=True, slots=True)
class WhichHandlers(ManagerCommand):
    """List the handlers."""

    async def do(self, manager: Manager, from_: From[Any]) -> list[HandlerKey]:
        """Return what they are called."""
        return manager.table.keys()


@dataclass(frozen=True, slots=True)
class CallHandler(ManagerCommand):
    """Ask one handler."""

    handler: HandlerKey
    request: Any

    async def do(self, manager: Manager, from_: From[Any]) -> Any:
        """Return its answer."""
        return await manager.ask(self.handler, self.request, from_)


def check_manager(ref: Ref, process: Process, what: str) -> None:
    """Refuse, in the caller, what is no event manager; they alone are of this kind."""
    if getattr(process.behaviour, "system_module", None) != "gen_event":
        raise WrongServer(what, ref, class_name(process))


@enable_ki_protection
async def send_command(ref: Ref, command: ManagerCommand, timeout: float | None = None) -> Any:
    """Send a command to an event manager and wait for its answer.

    Raises:
        WrongServer: the reference leads to something else.
        NoProcess, CallTimeout, ServerExited, CallingSelf, DeadlockError: as `otp.call`.
    """
    check_timeout("timeout", timeout)
    process = need_living(ref, command)
    check_manager(ref, process, "a function of gen_event")
    return await new_request(process, ref, command, timeout)._wait()
