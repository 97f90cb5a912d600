"""The node of this run and the others: who is connected, and who comes and goes.

Follows: Elixir's `Node`, Erlang's `net_kernel`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trio.lowlevel import enable_ki_protection

from .._exits.call_errors import NoConnection
from .._process.checkpoints import checkpointed
from .._process.runtime import need_process, runtime
from .._util.checks import check_flag
from .._util.public import public_in
from .opening import node_of_run

if TYPE_CHECKING:
    from .local_node import LocalNode


@public_in("cluster")
def node() -> str | None:
    """Return the name of the node that this run is; None if it is none.

    Follows: `Node.self/0`.
    """
    here: Any = runtime().node
    return None if here is None else here.name


@public_in("cluster")
def nodes() -> list[str]:
    """List the other nodes that are connected.

    Raises:
        RuntimeError: this run is no node.

    Follows: `Node.list(:connected)`.
    """
    return node_of_run().up()


@public_in("cluster")
@checkpointed
@enable_ki_protection
async def connect(name: str) -> None:
    """Connect to another node; who sends or calls does so without asking for it.

    Args:
        name: the name of the node.

    Raises:
        NoConnection: it cannot be reached, or does not want to be connected.
        ValueError: that cannot be the name of another node.
        RuntimeError: this run is no node.

    Follows: `Node.connect/1`.
    """
    here = node_of_run()
    peer = here.peer(name)
    dial: Any = here.connect(peer)
    if dial is not None:
        await dial.over.wait()
        if not peer.is_up:
            raise NoConnection(name, node=name, why=peer.why_lost)


@public_in("cluster")
@enable_ki_protection
def disconnect(name: str) -> bool:
    """Close the connection to another node, as if it had been lost.

    The next use of a reference to it connects again.

    Args:
        name: the name of the node.

    Returns:
        Whether there was a connection, or an attempt to get one.

    Raises:
        ValueError: that cannot be the name of another node.
        RuntimeError: this run is no node.

    Follows: `Node.disconnect/1`.
    """
    here: LocalNode = node_of_run()
    return here.cut(here.peer(name), "it was disconnected")


@public_in("cluster")
@enable_ki_protection
def monitor_nodes(flag: bool = True) -> None:
    """Send this process a `Nodeup` or `Nodedown` message whenever a node comes or goes.

    What is told of a lost connection otherwise, a `Down` or an `Exit`, is in the mailbox before
    the `Nodedown`, and all of it before the `Nodeup` of the next connection.

    Args:
        flag: False ends it.

    Raises:
        NotAProcess: in plain Trio code.
        RuntimeError: this run is no node.
        TypeError: the flag is not a bool.

    Follows: `net_kernel:monitor_nodes/1`.
    """
    check_flag("flag", flag)
    node_of_run().watch(need_process("otp.cluster.monitor_nodes"), flag)
