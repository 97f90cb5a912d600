"""What control messages of another node do here. No checkpoint in here.

A message to nobody is dropped, a monitor or link of nobody is answered with NOPROC, and nothing
that a peer can send hurts a server that it does not exit.

Follows: `erl_dist_protocol`, "Protocol between Connected Nodes".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from trio.lowlevel import enable_ki_protection

from .._exits.call_errors import NoConnection
from .._exits.reasons import KILL, NOCONNECTION, NOPROC
from .._process.names import no_process
from .._process.pid import Pid
from .._process.request import From
from .._process.signals import Monitor as LocalMonitor
from .._util.copies import create
from . import incoming_calls
from .remote_pid import RemotePid
from .travelling import typed_answer
from .wire import control as c
from .wire.opaque import Reference
from .wire.reasons import error_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.process import Process
    from .._process.runtime import Runtime
    from .remote_node import RemoteNode
    from .remote_process import RemoteProcess


class Arrivals:
    """Carries out the control messages of one node.

    Args:
        runtime: the tables of the run.
        node: where they come from.
        proxy: returns the proxy of a process there.
    """

    def __init__(
        self, runtime: Runtime, node: RemoteNode, proxy: Callable[[RemotePid], RemoteProcess]
    ) -> None:
        self._runtime = runtime
        self._node = node
        self._proxy = proxy

    @enable_ki_protection
    def take(self, message: Any) -> None:
        """Do what a control message says; one that is for nobody does nothing."""
        handle = _HANDLERS.get(message.__class__)
        if handle is not None:
            handle(self, message)

    # -- messages --------------------------------------------------------------------------------

    def send(self, message: c.Send | c.SendSender) -> None:
        """Pass a message on to a pid, or an answer to who has called."""
        content = message.message
        if content.__class__ is tuple and len(content) == 2:
            tag = content[0]
            if tag.__class__ is Reference and self._answer(tag, content[1]):
                return
        if type(message.to) is Pid:
            self._deliver(self._living(message.to), message.to, content)

    def reg_send(self, message: c.RegSend) -> None:
        """Pass a message on to a name."""
        name = message.name
        process = self._named(name)
        self._deliver(process, name, message.message)

    def alias_send(self, message: c.AliasSend) -> None:
        """Pass an answer on to who has called."""
        content = message.message
        if (
            isinstance(message.alias, Reference)
            and content.__class__ is tuple
            and len(content) == 2
        ):
            self._answer(message.alias, content[1])

    def _deliver(self, process: Process | None, ref: object, content: object) -> None:
        if process is None:
            self._runtime.drop(ref, content, f"sent by {self._node.name} to nobody")
        else:
            incoming_calls.deliver(self._node, process, ref, content)

    def _answer(self, ref: Reference, value: object) -> bool:
        """Answer an open call; return whether the reference is one of this node."""
        node = self._node
        request = node.awaited.get(ref._data)
        if request is None:
            if ref.node != node.own.name:
                return False
            self._runtime.drop(None, value, "reply to a caller that is gone")
            return True
        if not isinstance(request, From):  # of a stop, which waits for the end
            return True
        error = error_in(value)
        if error is None and value.__class__ is bytes:
            self._answer_with_bytes(request, value)
        elif error is None:
            request._answer(value)
        else:
            request._fail(error)
        return True

    def _answer_with_bytes(self, request: From[Any], value: Any) -> None:
        try:
            request._answer(typed_answer(request.message, value))
        except ValueError as exc:
            request._fail(exc)

    # -- monitors --------------------------------------------------------------------------------

    def monitor(self, message: c.Monitor) -> None:
        """Watch a process here for one there."""
        node, watcher, ref, what = self._node, message.sender, message.ref, message.to
        if not self._is_theirs(watcher) or not _is_ref(ref) or ref._data in node.watching:
            return
        process = self._found(what)
        if process is None:
            node.send(c.MonitorExit(what, watcher, ref, NOPROC))
            return
        monitor = create(LocalMonitor, watcher._process or self._proxy(watcher), process.pid)
        node.watching[ref._data] = monitor
        node.watches[monitor] = (ref, what)
        process.add_monitor(monitor)

    def demonitor(self, message: c.Demonitor) -> None:
        """Watch it no more."""
        ref = message.ref
        monitor = self._node.watching.pop(ref._data, None) if _is_ref(ref) else None
        if monitor is not None:
            self._node.watches.pop(monitor, None)
            monitor._detach()

    def monitor_exit(self, message: c.MonitorExit) -> None:
        """Tell who has called, monitored or stopped a process there of its end."""
        entry = self._node.awaited.pop(message.ref._data, None) if _is_ref(message.ref) else None
        if isinstance(entry, From):
            _fail(entry, message.reason, self._node.name)
        elif entry is not None:
            entry.ended(message.reason)

    # -- links and exit signals ------------------------------------------------------------------

    def link(self, message: c.Link) -> None:
        """Link a process here with one there."""
        theirs, own = message.sender, message.to
        if not self._is_theirs(theirs) or type(own) is not Pid:
            return
        process = self._living(own)
        if process is None:
            self._node.send(c.Exit(own, theirs, NOPROC))
        else:
            self._proxy(theirs).link_from_there(process)

    def unlink(self, message: c.Unlink) -> None:
        """Take a link off."""
        theirs, own = message.sender, message.to
        if self._is_theirs(theirs) and type(own) is Pid:
            self._proxy(theirs).unlink_from_there(own._process)
            self._node.send(c.UnlinkAck(message.id, own, theirs))

    def exit(self, message: c.Exit) -> None:
        """Take the end of a linked process; what comes over a link that is gone is nothing."""
        theirs, own = message.sender, message.to
        if not self._is_theirs(theirs) or type(own) is not Pid:
            return
        process = own._process
        if self._proxy(theirs).unlink_from_there(process) and process is not None:
            process.signal(theirs, message.reason, linked=True)

    def exit2(self, message: c.Exit2) -> None:
        """Take an exit signal that somebody has sent."""
        sender: Pid | None = message.sender  # the codec has checked that it is one
        if type(message.to) is Pid:
            process = message.to._process
            if process is not None and (process.alive or message.reason is KILL):
                process.signal(sender, message.reason)

    # -- who is meant ----------------------------------------------------------------------------

    def _is_theirs(self, pid: object) -> bool:
        """Check whether a pid is one of the node that speaks."""
        return isinstance(pid, RemotePid) and pid.node == self._node.name

    def _living(self, pid: Pid) -> Process | None:
        process = pid._process
        return process if process is not None and process.alive else None

    def _named(self, name: Any) -> Process | None:
        """Return who has a name; only a `str` is one for others."""
        process = self._runtime.names.get(name) if isinstance(name, str) else None
        return process if process is not None and process.alive else None

    def _found(self, what: Any) -> Process | None:
        return self._living(what) if type(what) is Pid else self._named(what)


def _is_ref(value: object) -> bool:
    return value.__class__ is Reference


def _fail(request: From[Any], reason: object, node: str) -> None:
    """Answer a call with the end of its server."""
    if reason is NOPROC:
        request._fail(no_process(request._ref, request.message))
    elif reason is NOCONNECTION:
        elapsed = request._elapsed()
        request._fail(NoConnection(request._ref, request.message, elapsed, node=node, sent=True))
    else:
        request._server_died(reason)


_HANDLERS: Final[dict[type[Any], Callable[[Arrivals, Any], None]]] = {
    c.Send: Arrivals.send,
    c.SendSender: Arrivals.send,
    c.RegSend: Arrivals.reg_send,
    c.AliasSend: Arrivals.alias_send,
    c.Monitor: Arrivals.monitor,
    c.Demonitor: Arrivals.demonitor,
    c.MonitorExit: Arrivals.monitor_exit,
    c.Link: Arrivals.link,
    c.Unlink: Arrivals.unlink,
    c.Exit: Arrivals.exit,
    c.Exit2: Arrivals.exit2,
}
