"""The proxy of a process of another node: a process whose mailbox writes to the connection.

Its death is the ordinary end of a process, so who waits, monitors or is linked is told by the
code that tells of any other end. It dies when the connection is lost; the next use makes another.

Follows: `erl_dist_protocol`, "Protocol between Connected Nodes".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from trio.lowlevel import enable_ki_protection

from .._exits.call_errors import NoConnection, NoProcess, ServerExited
from .._exits.reasons import NOCONNECTION, NOPROC
from .._process.death import tell
from .._process.process import Process
from .._process.runtime import own_process
from .._process.signals import Down
from .._process.state import ProcessState
from .._util.bounded import bounded
from .._util.copies import create
from .remote_pid import RemotePid
from .wire.control import Exit, Exit2, Link, Unlink
from .wire.control import Monitor as StartMonitor
from .wire.opaque import Reference, WirePid, opaque
from .wire.terms import Atom

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._exits.call_errors import CallError
    from .._process.mailbox import Mailbox
    from .._process.pid import Pid
    from .._process.request import From
    from .._process.runtime import Runtime
    from .._process.signals import Monitor
    from .remote_node import RemoteNode
    from .remote_pid import Address
    from .wire.codec import Codec
    from .wire.heads import Heads


class OpenCalls(dict[Any, Any]):
    """The calls to a process of another node: {request: (reference, number of its frame, sender)}.

    A call that is over leaves the table, and that is where its monitor there is taken back.
    """

    __slots__ = ("process",)

    def __init__(self, process: RemoteProcess) -> None:
        super().__init__()
        self.process: RemoteProcess = process

    def pop(self, request: Any, default: Any = None) -> Any:
        """Forget a call, and whatever of it is not sent or still awaited."""
        sent = super().pop(request, default)
        if sent is None:
            self.process.node.line.pop(request, None)
        else:
            self.process.forget(*sent)
        return None


class RemoteProcess(Process):
    """Stands for a process of another node.

    Args:
        runtime: the tables of the run.
        node: the node.
        pid: what users hold; None makes one for a name.
        mailbox: makes what writes to the connection.
    """

    __slots__ = (
        "__weakref__",
        "_last",
        "address",
        "asked",
        "node",
        "refs",
        "to",
        "was_asked",
        "watch",
    )

    is_remote: ClassVar[bool] = True

    def __init__(
        self,
        runtime: Runtime,
        node: RemoteNode,
        pid: RemotePid,
        mailbox: Callable[[RemoteProcess], Mailbox],
    ) -> None:
        nowhere: Any = None  # it lives in no nursery of this run
        super().__init__(runtime, nowhere, None, "remote")
        self.node: RemoteNode = node
        self.pid: Pid = pid
        self.address: Address = pid.address
        self.to: object = pid.address  # as control messages name it
        if not isinstance(pid.address, WirePid):
            self.to = Atom(pid.address[0])
        # Of the last sender: its number, as nothing is to keep its pid alive, and the codec.
        self._last: tuple[int, Codec | None, Any] = (0, None, None)
        self.watch: tuple[bytes, Pid] | None = None  # of what `incarnation` gives
        self.asked: int | None = None  # the number of the frame that asks it to end
        self.was_asked: bool = False  # whether that frame may have arrived, once this is dead
        self.mailbox: Mailbox = mailbox(self)
        self.requests: dict[From[Any], None] | None = OpenCalls(self)
        self.refs: dict[Monitor, bytes] = {}  # of monitors that processes here have set on it

    @property
    def has_pid(self) -> bool:
        """Whether it stands for one incarnation, and not for the holder of a name."""
        return isinstance(self.to, WirePid)

    def _need_pid(self, what: str) -> None:
        if not self.has_pid:
            raise TypeError(
                f"{what} needs the pid of a process; {bounded(self.address)} is a name there"
            )

    # -- calls -----------------------------------------------------------------------------------

    def forget(self, ref: bytes, number: int, sender: Pid) -> None:
        """Await the answer to a call no more; one that is not on its way is not sent."""
        node = self.node
        if ref not in node.awaited or self.dead:
            return
        if number == node.added and node.added > node.taken:
            node.take_back()
            del node.awaited[ref]
        else:
            del node.awaited[ref]
            node.add(self.heads(sender).demonitor(ref), urgent=False)

    def heads(self, sender: Pid) -> Heads:
        """Return what makes the frames of a sender; the last one is kept, as there often is one."""
        number, codec = sender._number, self.node.own.codec
        if self._last[0] != number or self._last[1] is not codec:
            self._last = number, codec, codec.heads(sender, self.to)
        heads: Heads = self._last[2]
        return heads

    def _lost(self, request: From[Any]) -> NoConnection:
        """Return the error of a call whose connection is lost."""
        requests: dict[Any, Any] = self.requests or {}
        sent: Any = requests.get(request)
        return NoConnection(
            request._ref,
            request.message,
            request._elapsed(),
            node=self.node.name,
            sent=sent is not None and sent[1] <= self.node.taken,
            why=self.node.why_lost,
        )

    # -- links and monitors ----------------------------------------------------------------------

    @enable_ki_protection
    def add_monitor(self, monitor: Monitor) -> None:
        """Add a monitor of a process here."""
        super().add_monitor(monitor)
        ref = self.node.new_ref()
        self.refs[monitor] = ref
        self.node.awaited[ref] = _Watch(self, monitor)
        self.node.send(StartMonitor(monitor.watcher.pid, self.to, opaque(Reference, ref)))

    @enable_ki_protection
    def remove_monitor(self, monitor: Monitor) -> None:
        """Remove a monitor of a process here."""
        super().remove_monitor(monitor)
        ref = self.refs.pop(monitor, None)
        if ref is not None and not self.dead:
            self.node.end_wait(ref, monitor.watcher.pid, self.to)

    @enable_ki_protection
    def add_link(self, other: Process) -> None:
        """Link it with a process here."""
        self._need_pid("otp.link")
        if other not in (self.links or ()):
            super().add_link(other)
            self.node.send(Link(other.pid, self.pid))

    @enable_ki_protection
    def remove_link(self, other: Process | None) -> None:
        """Remove the link with a process here; what still comes of it is left out."""
        if other is not None and other in (self.links or ()):
            super().remove_link(other)
            self.node.send(Unlink(self.node.next_unlink(), other.pid, self.pid))

    def link_from_there(self, other: Process) -> None:
        """Take note of a link that the process there has made."""
        ProcessState.add_link(self, other)

    def unlink_from_there(self, other: Process | None) -> bool:
        """Take note of the end of a link, as told from there; return whether there was one."""
        if other is None or other not in (self.links or ()):
            return False
        ProcessState.remove_link(self, other)
        return True

    # -- signals ---------------------------------------------------------------------------------

    @enable_ki_protection
    def signal(self, sender: Pid | None, reason: object, *, linked: bool = False) -> None:
        """Send an exit signal: of `otp.exit`, or of a link that broke."""
        if linked and sender is not None:
            self.node.send(Exit(sender, self.pid, reason))
        else:
            self._need_pid("otp.exit")
            self.node.send(Exit2(sender or self.node.own.pid, self.pid, reason))

    # -- its end ---------------------------------------------------------------------------------

    @enable_ki_protection
    def incarnation(self) -> Process:
        """Return what stands for the process that is behind the reference now, until it ends."""
        mailbox: Any = type(self.mailbox)
        fresh = RemoteProcess(self.runtime, self.node, create(RemotePid, self.address), mailbox)
        self.node.proxies[id(fresh)] = fresh
        fresh.begin_watch(sender_of(self.node))
        return fresh

    def begin_watch(self, sender: Pid) -> None:
        """Die when the process there ends."""
        ref = self.node.new_ref()
        self.watch = ref, sender
        self.node.awaited[ref] = self
        self.node.send(StartMonitor(sender, self.to, opaque(Reference, ref)))

    @enable_ki_protection
    def release(self) -> None:
        """Take its monitor back, if it still waits."""
        if self.watch is not None and not self.dead:
            self.node.end_wait(*self.watch, self.to)
        self.watch = None

    def ended(self, reason: object) -> None:
        """Take note of the end of the process that somebody waits for."""
        self.die(reason)

    def error_of_end(self, ref: object, reason: object) -> CallError:
        """Return the error of who stopped it and finds that it has ended with this reason."""
        if reason is NOPROC:
            return NoProcess(ref)
        if reason is NOCONNECTION:
            node = self.node
            return NoConnection(ref, node=node.name, sent=self.was_asked, why=node.why_lost)
        return ServerExited(ref, reason)

    @enable_ki_protection
    def die(self, reason: object) -> None:
        """End: answer the callers, tell links and monitors. No checkpoint in here."""
        if self.dead:
            return
        self.was_asked = self.asked is not None and self.asked <= self.node.taken
        self.pending_exit: object = reason
        self.dead: bool = True
        if self.pid._process is self:
            self.pid._process = None
        for monitor in list(self.monitors or ()):
            monitor._detach()
        with self.runtime.events._holding:
            for request in list(self.requests or ()):
                request._fail(self._lost(request))
            tell(self, reason)
            self.mailbox.close()


class _Watch:
    """Hears of the end of a process there for a monitor here."""

    __slots__ = ("_monitor", "_process")

    def __init__(self, process: RemoteProcess, monitor: Monitor) -> None:
        self._process = process
        self._monitor = monitor

    def ended(self, reason: object) -> None:
        """Put a Down into the mailbox of who watches."""
        process, monitor = self._process, self._monitor
        process.refs.pop(monitor, None)
        process.remove_monitor(monitor)
        if not monitor.watcher.dead:  # pragma: no branch - the dead have taken theirs back
            monitor.watcher.mailbox.put(Down(monitor, monitor.what, reason))


def sender_of(node: RemoteNode) -> Pid:
    """Return the process that this code belongs to; what stands for plain code if it is none."""
    own = own_process()
    return node.own.pid if own is None else own.pid
