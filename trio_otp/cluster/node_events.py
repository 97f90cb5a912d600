"""What processes hear of nodes that come and go.

Follows: Erlang's `net_kernel:monitor_nodes/1`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .._process.mailbox import Notification
from .._util.public import public_in


@public_in("cluster")
@dataclass(frozen=True, slots=True, repr=False)
class Nodeup(Notification):
    """A node is connected; a message of `monitor_nodes`.

    Args:
        node: the name of the node.
    """

    node: str


@public_in("cluster")
@dataclass(frozen=True, slots=True, repr=False)
class Nodedown(Notification):
    """The connection to a node is lost; a message of `monitor_nodes`.

    Args:
        node: the name of the node.
        why: what has happened, as a text.
    """

    node: str
    why: str
