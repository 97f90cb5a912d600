"""Gates: what a test puts between the mailbox of a server and its callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._process.debug import debug_of
from .._process.request import From, new_request

if TYPE_CHECKING:
    from .._process.process import Process


class Gate:
    """Gets each message of a server, in its process, before its callback does.

    Args:
        process: the server.
    """

    def __init__(self, process: Process) -> None:
        self.process = process
        debug = debug_of(process)
        debug.gates.append(self.admit)
        debug.settle()

    def remove(self) -> None:
        """Open the gates to messages again."""
        debug = debug_of(self.process)
        debug.gates.remove(self.admit)
        debug.settle()

    async def admit(self, message: Any) -> Any:
        """Return what is handled in place of a message; what it raises is a crash of the server.

        Args:
            message: as it came.
        """
        raise NotImplementedError  # each gate has its own


def is_call(message: Any, process: Process) -> bool:
    """Check whether a message is a call to the server, and not one that is for somebody else."""
    return message.__class__ is From and message._server is process


def without_caller(from_: From[Any]) -> From[Any]:
    """Return the same request, whose answer nobody waits for.

    The caller of the first one gets its time-out, or the end of the server.
    """
    same = new_request(from_._server, from_._ref, from_.message, from_._timeout)
    same._since, same.context = from_._since, from_.context
    return same
