"""The process that keeps groups of processes: their members, and who follows them.

Part of `trio_otp.pg`, which says what it is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, final

from trio.lowlevel import enable_ki_protection

from .._behaviour.messages import log_unexpected
from .._behaviour.results import refuse_call
from .._gen_server.server import GenServer
from .._process.mailbox import Notification
from .._process.runtime import need_process
from .._registry.table import strict_key
from .._util.bounded import bounded
from .._util.copies import Handle, Mark, NoConstructor, create
from .._util.public import public_in
from .table import Memberships

if TYPE_CHECKING:
    from .._process.pid import Pid
    from .._process.process import Process
    from .._process.request import From

ALL: Final = Mark.ALL  # the group of a monitor of all groups


@final
@public_in("pg")
class GroupMonitor(NoConstructor, Handle):
    """The handle of one `monitor` or `monitor_scope`."""

    _origin: ClassVar[str] = "otp.pg.monitor(scope, group) returns one"

    __slots__ = ("group", "scope", "watcher")

    def __init__(self, watcher: Process, scope: Scope, group: object) -> None:
        self.watcher: Process = watcher
        self.scope: Scope = scope
        self.group: Any = group

    def __repr__(self) -> str:
        what = "all groups" if self.group is ALL else f"group {bounded(self.group)}"
        return f"<GroupMonitor of {what}>"


@public_in("pg")
@dataclass(frozen=True, slots=True, repr=False)
class Joined(Notification):
    """What a monitor sends when processes have joined a group.

    Args:
        ref: the handle of the monitor.
        group: the group.
        pids: the processes, one several times if it has joined so often.
    """

    ref: GroupMonitor
    group: Any
    pids: tuple[Pid, ...]


@public_in("pg")
@dataclass(frozen=True, slots=True, repr=False)
class Left(Notification):
    """What a monitor sends when processes have left a group, by themselves or by their end.

    Args:
        ref: the handle of the monitor.
        group: the group.
        pids: the processes, one several times if it was a member so often.
    """

    ref: GroupMonitor
    group: Any
    pids: tuple[Pid, ...]


@public_in("pg")
class Scope(GenServer):
    """The process behind the groups; use it through the functions of `otp.pg`."""

    def __init__(self) -> None:
        self.table: Memberships = Memberships()
        self.monitors: dict[Any, dict[GroupMonitor, None]] = {}  # {group, strict: who follows it}
        self._watching: dict[Process, int] = {}  # {watcher: how many monitors it has}
        self._process: Process

    def init(self) -> None:
        """Release everybody at its end."""
        self._process = need_process("otp.pg.Scope")
        self._process.add_cleanup(self._close)

    def handle_call(self, request: Any, from_: From[Any]) -> Any:
        """Refuse a call; a crash would lose the groups of others."""
        return refuse_call("otp.pg.Scope", request)

    def handle_cast(self, message: Any) -> Any:
        """Log a cast."""
        log_unexpected(self._process, message)

    def _status(self) -> Any:
        """Show the size, not the tables."""
        return {"groups": len(self.table.groups()), "members": len(self.table)}

    # -- inside --------------------------------------------------------------------------------

    @enable_ki_protection
    def join(self, group: Any, processes: list[Process]) -> None:
        """Add memberships, and tell who follows the group."""
        for process in processes:
            self.table.join(process, group)
            process.add_cleanup(self._member_died)
        self._tell(Joined, group, processes)

    @enable_ki_protection
    def leave(self, group: Any, processes: list[Process]) -> bool:
        """Take memberships away; tell whether there were any."""
        left = [process for process in processes if self.table.leave(process, group)]
        for process in left:
            if process not in self.table:
                process.remove_cleanup(self._member_died)
        self._tell(Left, group, left)
        return bool(left)

    @enable_ki_protection
    def watch(self, watcher: Process, group: Any) -> GroupMonitor:
        """Begin to follow a group, or all of them."""
        handle = create(GroupMonitor, watcher, self, group)
        self.monitors.setdefault(_strict(group), {})[handle] = None
        self._watching[watcher] = self._watching.get(watcher, 0) + 1
        watcher.add_cleanup(self._watcher_died)
        return handle

    @enable_ki_protection
    def unwatch(self, handle: GroupMonitor) -> bool:
        """Follow no more; tell whether it did until now."""
        handles = self.monitors.get(_strict(handle.group), {})
        if handle not in handles:
            return False
        del handles[handle]
        if not handles:
            del self.monitors[_strict(handle.group)]
        self._watching[handle.watcher] -= 1
        if self._watching[handle.watcher] == 0:
            del self._watching[handle.watcher]
            handle.watcher.remove_cleanup(self._watcher_died)
        return True

    def living(self, group: Any) -> list[Pid]:
        """List the members of a group, leaving out those who are about to die."""
        return [member.pid for member in self.table.members(group) if member.alive]

    def _tell(self, message: type[Joined | Left], group: object, processes: list[Process]) -> None:
        if not processes or not self.monitors:
            return
        pids = tuple(process.pid for process in processes)
        for strict in (ALL, strict_key(group)):
            for handle in list(self.monitors.get(strict, ())):
                if not handle.watcher.dead:
                    handle.watcher.mailbox.put(message(handle, group, pids))

    def _member_died(self, process: Process) -> None:
        for group in self.table.drop(process):
            self._tell(Left, group, [process])

    def _watcher_died(self, process: Process) -> None:
        for handles in list(self.monitors.values()):
            for handle in list(handles):
                if handle.watcher is process:
                    self.unwatch(handle)

    def _close(self, _: Process) -> None:
        for member in self.table:
            member.remove_cleanup(self._member_died)
        for watcher in self._watching:
            watcher.remove_cleanup(self._watcher_died)
        self.monitors.clear()
        self._watching.clear()


def _strict(group: object) -> Any:
    return ALL if group is ALL else strict_key(group)
