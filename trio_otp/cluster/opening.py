"""How a run becomes a node: it listens, registers, and from then on answers for references.

Nothing is left of one that fails or is cancelled on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.errors import StartError
from .._process.names import need_living
from .._process.runtime import runtime
from .._start.child import child
from .._start.functions import start
from .._util.bounded import bounded
from ..events import NoticeReport
from .connections import Connections
from .epmd_client import NameTaken, keep_registered, register
from .local_node import LocalNode
from .net_kernel import NetKernel
from .peer_boot import imported_by_peer
from .streams import Refused, close_all, open_listeners

if TYPE_CHECKING:
    from .._process.process import Process
    from .._process.runtime import Runtime
    from .options import Options

_FAILURES = (  # a ValueError is of a name or path that no host or file can have
    OSError,
    ValueError,
    Refused,
    NameTaken,
    trio.TooSlowError,
    trio.BrokenResourceError,
)


class Opening:
    """A node while it is open.

    Args:
        options: what it is opened with.
    """

    def __init__(self, options: Options) -> None:
        self.options: Options = options
        self.node: LocalNode = LocalNode(runtime(), options)
        self._listeners: list[trio.SocketListener] = []

    @enable_ki_protection
    async def begin(self, nursery: trio.Nursery) -> None:
        """Open it; its tasks live in a nursery, which is to be cancelled before `close`.

        Raises:
            StartError: the run is a node already, or it cannot listen or register.
        """
        node, here = self.node, self.node.runtime
        error = _refusal(here)
        if error is not None:
            raise StartError(error, f"node {node.name}")
        here.node = node  # nobody else may become one meanwhile
        connections = Connections(node, nursery)
        node.connect, node.hang_up = connections.dial, connections.hang_up
        node.cut = connections.cut

        def serve(*listeners: trio.SocketListener) -> None:
            self._listeners += listeners
            connections.start(connections.listen, list(listeners))

        node.serve = serve
        try:
            self._listeners = await open_listeners(self.options)
            node.addresses = [each.socket.getsockname() for each in self._listeners]
            await self._register(connections)
        except _FAILURES as exc:
            raise StartError(exc, f"node {node.name}") from exc
        kernel = await self._start_kernel(nursery)
        connections.start(self._keep_kernel, kernel, nursery)
        connections.start(connections.listen, self._listeners)

    @enable_ki_protection
    async def _start_kernel(self, nursery: trio.Nursery) -> Process:
        """Start what stands for all that is no process; return it."""
        pid = await start(child(NetKernel).having(name="net_kernel"), nursery=nursery)
        process = need_living(pid)
        self.node.pid = process.pid
        return process

    @enable_ki_protection
    async def _keep_kernel(self, kernel: Process, nursery: trio.Nursery) -> None:
        """Start it again whenever it has ended: every peer can end it, and that ends no node."""
        while True:
            reason = await kernel.wait_dead()
            kernel = await self._start_kernel(nursery)
            text = f"net_kernel of node {self.node.name} has ended: {bounded(reason)}"
            events = self.node.runtime.events
            events.emit("notice", NoticeReport(kernel.pid, f"{text}; it was started again"))

    async def _register(self, connections: Connections) -> None:
        """Register at epmd; without it `resolve` has to say where the others are."""
        options, address = self.options, self.node.addresses[0]
        if options.epmd is None or isinstance(address, str | bytes):
            return
        port: int = address[1]
        try:
            stream, creation = await register(options.epmd, options.alive, port)
        except OSError as exc:
            if options.resolve is not None and not options.must_register:
                return
            host, number = options.epmd
            text = f"there is no epmd at {host}:{number}: start it by `epmd -daemon`, or write"
            raise Refused(f"{text} resolve={{name: (host, port)}} and epmd=False") from exc
        self.node.take_creation(creation)
        connections.start(keep_registered, stream, options.epmd, options.alive, port)

    @enable_ki_protection
    def close(self) -> None:
        """Stop being a node; its tasks have ended by now."""
        if self.node.runtime.node is self.node:
            self.node.close()
        close_all(self._listeners, self.options.listen)


def _refusal(here: Runtime) -> RuntimeError | None:
    """Return why a run may not become a node; None if it may."""
    if here.node is not None:
        return RuntimeError(f"this run is the node {getattr(here.node, 'name', '?')} already")
    module = imported_by_peer()
    if module is not None:  # each peer would start peers, without end
        guard = 'if __name__ == "__main__":'
        return RuntimeError(f"importing {module}, which a peer does, opens a node; write `{guard}`")
    return None


def node_of_run() -> LocalNode:
    """Return the node that this run is.

    Raises:
        RuntimeError: it is none.
    """
    node: Any = runtime().node
    if node is None:
        line = 'async with otp.cluster.open_node("py@host", cookie_file=path): ...'
        raise RuntimeError(f"this run is no node of a cluster; write {line}")
    found: LocalNode = node
    return found
