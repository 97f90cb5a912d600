"""A node as the first child of a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from trio.lowlevel import enable_ki_protection

from .._behaviour.messages import log_unexpected
from .._behaviour.results import refuse_call
from .._exits.nurseries import OwnNursery
from .._gen_server.loop import ServerLoop
from .._gen_server.server import GenServer
from .._process.runtime import need_process
from .._util.public import public_in
from .opening import Opening
from .options import DEFAULT_TICK, checked
from .wire.frames import FRAME_LIMIT

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import trio

    from .._behaviour.behaviour import Behaviour
    from .._process.process import Process
    from .options import Allow, Listen, Resolve, Tls


@public_in("cluster")
class Node(GenServer):
    """Makes the run a node of a cluster for as long as this process lives.

    Put it before the children that other nodes use or that use them. The arguments are those of
    `open_node`. A node that is started anew has another incarnation: pids of the old one are dead.

    Args:
        name: the full name of the node.
        cookie_file: a file with the secret of the cluster.
        tls: the contexts of a server and of a client.
        listen: `(host, port)`, or the path of a unix socket.
        epmd: where epmd is; False does without.
        resolve: where other nodes listen.
        allow: the nodes that may connect.
        tick: seconds between two signs of life.
        max_frame: bytes of the largest message that is taken.
        insecure: whether others than this host may connect without certificates.

    Follows: Erlang's `net_kernel`, a child of `kernel_sup`.
    """

    enters_scope_itself: ClassVar[bool] = False  # its nursery is to be inside of the scope

    def __init__(
        self,
        name: str,
        *,
        cookie_file: str | os.PathLike[str] | None = None,
        tls: Tls | None = None,
        listen: Listen | None = None,
        epmd: tuple[str, int] | int | bool | None = None,
        resolve: Resolve | None = None,
        allow: Allow | None = None,
        tick: float = DEFAULT_TICK,
        max_frame: int = FRAME_LIMIT,
        insecure: bool = False,
    ) -> None:
        self._opening = Opening(
            checked(
                name,
                cookie_file=cookie_file,
                tls=tls,
                listen=listen,
                epmd=epmd,
                resolve=resolve,
                allow=allow,
                tick=tick,
                max_frame=max_frame,
                insecure=insecure,
            )
        )
        self._tasks: trio.Nursery

    @enable_ki_protection
    async def init(self) -> None:
        """Open the node."""
        await self._opening.begin(self._tasks)

    def handle_call(self, request: Any, from_: object) -> Any:
        """Refuse a call; a crash would lose all connections.

        Args:
            request: what the caller sent.
            from_: the caller, who gets a TypeError.

        Returns:
            `Reply(error)`.
        """
        return refuse_call("Node", request)

    def handle_cast(self, message: object) -> None:
        """Log a cast.

        Args:
            message: what the sender sent.
        """
        log_unexpected(need_process("Node"), message)

    def _status(self) -> Any:
        """Return what reports show: the name and the nodes that are connected; no cookie."""
        node = self._opening.node
        return {"name": node.name, "addresses": node.addresses, "nodes": node.up()}

    @classmethod
    @enable_ki_protection
    async def run_process(cls, process: Process, make: Callable[[], Behaviour]) -> None:
        """Run the body of the process: whatever ends it, the run is no node afterwards."""
        made: list[Node] = []
        try:
            async with OwnNursery() as nursery:

                def make_node() -> Behaviour:
                    node = make()
                    assert isinstance(node, Node)
                    node._tasks = nursery
                    made.append(node)
                    return node

                try:
                    await ServerLoop(process).run(make_node)
                finally:
                    nursery.cancel_scope.cancel(reason="the node ends")
        finally:
            for node in made:
                node._opening.close()

    @classmethod
    def _sleeps_after(cls, process: Process) -> None:
        """Never sleep: its task holds the connections."""
