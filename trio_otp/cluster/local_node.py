"""The node that a run is: who its peers are, and what its references to them lead to."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.reasons import NOCONNECTION
from .._process.pid import Pid
from .._util.copies import create
from .arrivals import Arrivals
from .node_events import Nodedown, Nodeup
from .remote_mailbox import RemoteMailbox
from .remote_node import RemoteNode
from .remote_pid import PidTable, RemotePid
from .remote_process import RemoteProcess
from .turn_end import TurnEnd
from .wire.codec import Codec
from .wire.handshake import is_node_name
from .wire.opaque import WirePid, reference_head
from .wire.terms import Atom

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.process import Process
    from .._process.runtime import Runtime
    from .neighbours import Neighbours
    from .options import Listen, Options
    from .wire.control import Control

_OLDEST: Final = 4  # below are creations of nodes before OTP 23


class LocalNode:
    """What `Runtime.node` is.

    Args:
        runtime: the tables of the run.
        options: what it is opened with.
    """

    def __init__(self, runtime: Runtime, options: Options) -> None:
        self.runtime: Runtime = runtime
        self.options: Options = options
        self.name: str = options.name
        self.pid: Pid  # of what stands for all that is no process
        self.addresses: list[Any] = []  # where it listens
        self.connect: Callable[[RemoteNode], object]
        self.hang_up: Callable[[RemoteNode, str], bool]
        self.cut: Callable[[RemoteNode, str], bool]
        self.serve: Callable[[trio.SocketListener], object]
        self.closed: trio.Event = trio.Event()
        self.neighbours: Neighbours | None = None  # once a peer has been started
        self.peers: dict[str, RemoteNode] = {}
        self.turn_end: TurnEnd = TurnEnd()
        self._watchers: dict[Process, None] = {}  # who hears of nodes that come and go
        self.take_creation(secrets.randbelow(2**32 - _OLDEST) + _OLDEST)

    def take_creation(self, creation: int) -> None:
        """Take the incarnation that epmd gives, before anything is sent."""
        self.creation: int = creation
        self.pids: PidTable = PidTable(self.runtime, self.name, creation)
        self.codec: Codec = self.new_codec()
        self.ref_head: bytes = reference_head(self.name, creation, 3)

    def new_codec(self) -> Codec:
        """Return what decodes for one connection."""
        return Codec(
            load_pid=self.pids.load,
            dumps={Pid: self.pids.dump, RemotePid: _dump_remote},
            pids=(Pid,),
        )

    def encode(self, message: Control) -> bytes:
        """Return a frame, with its length.

        Raises:
            TypeError: something in the message has no form there.
        """
        return self.codec.encode(message)

    # -- references ------------------------------------------------------------------------------

    def process_of(self, ref: Any) -> Process | None:
        """Return what stands for a process of another node; None if it is dead for good."""
        address: Any = ref.address if isinstance(ref, RemotePid) else ref
        if not isinstance(address, WirePid):
            name, node = address
            if node == self.name:
                return self.runtime.names.get(name)
            return self._proxy(self.peer(node), str(name), None)
        if ref.node not in self.peers and not is_node_name(ref.node):
            return None  # a peer can send such a pid, but nobody can be behind it
        peer = self.peer(ref.node)
        if peer.creation is not None and peer.creation != address.creation:
            return None
        return self._proxy(peer, address.data, self.pids.remember(ref))

    @enable_ki_protection
    def _proxy(self, peer: RemoteNode, key: object, pid: RemotePid | None) -> RemoteProcess:
        found: RemoteProcess | None = peer.proxies.get(key)
        if found is None:
            if pid is None:
                pid = create(RemotePid, (str(key), peer.name))
            found = RemoteProcess(self.runtime, peer, pid, RemoteMailbox)
            pid._process = found
            peer.proxies[key] = found
        return found

    def peer(self, name: str) -> RemoteNode:
        """Return what is known of another node.

        Raises:
            ValueError: that cannot be the name of a node.
        """
        peer = self.peers.get(name)
        if peer is None:
            if not is_node_name(name) or name == self.name:
                raise ValueError(f'node={name!r}: expected the name of another node, as "py@host"')
            peer = self.peers[str(name)] = RemoteNode(str(name), self)
        return peer

    def arrivals(self, peer: RemoteNode) -> Arrivals:
        """Return what carries out the control messages of a node."""

        def proxy(pid: RemotePid) -> RemoteProcess:
            address: Any = pid.address  # what comes in has no name
            return self._proxy(peer, address.data, pid)

        return Arrivals(self.runtime, peer, proxy)

    def allows(self, name: str) -> bool:
        """Check whether a node may be a peer: those that were started here may."""
        started = self.neighbours is not None and name in self.neighbours.names
        return started or self.options.allows(name)

    def address_of(self, name: str) -> Listen | None:
        """Return where a node listens, if that is known without epmd."""
        found = None if self.neighbours is None else self.neighbours.address_of(name)
        return found or self.options.address_of(name)

    # -- connections -----------------------------------------------------------------------------

    def connect_soon(self, peer: RemoteNode) -> None:
        """Begin to connect, unless that is going on."""
        self.connect(peer)

    def give_up(self, peer: RemoteNode, why: str) -> bool:
        """Close the connection, or end the attempt to get one; return whether there was one."""
        return self.hang_up(peer, why)

    @enable_ki_protection
    def came_up(self, peer: RemoteNode, creation: int, wake: Callable[[bool], object]) -> None:
        """Take note of a connection, and tell who wants to know."""
        peer.came_up(creation, wake)
        self._tell(Nodeup(peer.name))

    @enable_ki_protection
    def went_down(self, peer: RemoteNode, why: str) -> None:
        """Tell everybody that a connection is lost, or an attempt has failed."""
        was_up = peer.is_up
        left = peer.lost(NOCONNECTION, why)
        if was_up:
            self._tell(Nodedown(peer.name, why))
        for frame in left:
            self.runtime.drop(peer.name, frame, why)

    def _tell(self, message: Nodeup | Nodedown) -> None:
        for process in list(self._watchers):
            process.mailbox.put(message)

    @enable_ki_protection
    def watch(self, process: Process, flag: bool) -> None:
        """Tell a process of nodes that come and go, until its end, or no more."""
        if flag and process not in self._watchers:
            self._watchers[process] = None
            process.add_cleanup(self._forget)
        elif not flag and self._watchers.pop(process, self) is None:
            process.remove_cleanup(self._forget)

    def _forget(self, process: Process) -> None:
        self._watchers.pop(process, None)

    def up(self) -> list[str]:
        """List the nodes that are connected, in the order in which they were first heard of."""
        return [peer.name for peer in self.peers.values() if peer.is_up]

    @enable_ki_protection
    def close(self) -> None:
        """Stop being a node: everybody is told that the others are lost."""
        self.closed.set()
        for peer in list(self.peers.values()):
            self.went_down(peer, "this node has ended")
        for process in list(self._watchers):
            self.watch(process, False)
        self.turn_end.close()
        if self.neighbours is not None:
            self.neighbours.remove()
        self.runtime.node = None


def _dump_remote(pid: RemotePid) -> object:
    """Return what a pid of another node goes out as; a name goes as the pair that it is."""
    address = pid.address
    if isinstance(address, WirePid):
        return address
    return Atom(address[0]), Atom(address[1])
