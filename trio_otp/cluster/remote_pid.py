"""Pids of other nodes, and what ours are there: one object for each, so that identity holds.

Follows: Erlang reference manual, "Pid"; `erl_ext_dist`, "NEW_PID_EXT".
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, final
from weakref import WeakKeyDictionary, WeakValueDictionary

from .._process.pid import Pid
from .._util.bounded import bounded, shown_text
from .._util.copies import create
from .._util.public import public_in
from .wire.opaque import WirePid, make_pid

if TYPE_CHECKING:
    from .._process.names import RemoteName
    from .._process.runtime import Runtime

Address: TypeAlias = "WirePid | RemoteName"
SHIFT = 32  # bits of the number of a pid; what is above is its serial


@final
@public_in("cluster")
class RemotePid(Pid[Any]):  # type: ignore[misc]  # `Pid` is final for users alone
    """A process of another node; `node` is the name of that.

    It is a reference as any other pid. Those of a node that has been started anew are dead; when
    only the connection was lost, they work again. `otp.whereis(("counter", "py@host"))` gives one
    that stands for the name, and not for its present holder.
    """

    _is_remote: ClassVar[bool] = True
    _origin: ClassVar[str] = "otp.whereis((name, node)) returns one"

    __slots__ = ("address", "node")

    def __init__(self, address: Address) -> None:
        super().__init__(0, "remote", None)
        self.address: Address = address
        self.node: str = address.node if isinstance(address, WirePid) else address[1]

    def __repr__(self) -> str:
        address, node = self.address, shown_text(self.node)
        if not isinstance(address, WirePid):
            return f"<RemotePid {bounded(address[0])} of {node}>"
        number = f"{address.number}.{address.serial}"
        return f"<RemotePid {number} of {node}, incarnation {address.creation}>"


class PidTable:
    """The pids that have come in or gone out, weakly. A thread that decodes may load them.

    Args:
        runtime: the tables of the run.
        node: the name of this node.
        creation: its incarnation.
    """

    def __init__(self, runtime: Runtime, node: str, creation: int) -> None:
        self._runtime = runtime
        self._node = node
        self._creation = creation
        self._lock = Lock()
        # Own ones and those of others, by their bytes: they are what Python hashes fastest.
        self._pids: WeakValueDictionary[bytes, Pid] = WeakValueDictionary()
        self._wires: WeakKeyDictionary[Pid, WirePid] = WeakKeyDictionary()

    def load(self, wire: WirePid) -> Pid:
        """Return the pid of this run that has come in as this one."""
        with self._lock:
            return self._pids.setdefault(wire.data, self._new(wire))

    def _new(self, wire: WirePid) -> Pid:
        if wire.node != self._node:
            return create(RemotePid, wire)
        number = wire.serial << SHIFT | wire.number
        process = self._runtime.processes.get(number)
        if process is not None and wire.creation == self._creation:
            return process.pid
        return create(Pid, number, f"of {self._node}", None)  # dead for good

    def dump(self, pid: Pid) -> WirePid:
        """Return what a pid of this run is on the wire."""
        wire = self._wires.get(pid)
        if wire is None:
            number, serial = pid._number & 0xFFFF_FFFF, pid._number >> SHIFT
            wire = self._wires[pid] = make_pid(self._node, number, serial, self._creation)
            with self._lock:
                self._pids[wire.data] = pid
        return wire

    def remember(self, pid: RemotePid) -> RemotePid:
        """Return the one object of the pid of another node: this one, unless there is another."""
        address: Any = pid.address
        with self._lock:
            known: Any = self._pids.setdefault(address.data, pid)
        found: RemotePid = known
        return found
