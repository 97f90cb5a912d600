"""Waiting for room in a mailbox with a bound, for what is no call: a cast, a plain message.

Who waits has a request of its own at the server. So it is told as a caller is when the server ends,
its process has a wait-for edge, and it leaves the line when it is cancelled. A call that waits for
room is in the line itself, and its caller knows of no difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trio.lowlevel import cancel_shielded_checkpoint, enable_ki_protection

from .._exits.call_errors import CallingSelf
from .request import From, new_request
from .runtime import calling_process
from .status import shown_request

if TYPE_CHECKING:
    from .process import Process


class RoomRequest(From[Any]):  # type: ignore[misc]  # final for users
    """Waits in the line of a mailbox until what it brings has been taken."""

    __slots__ = ("brings", "end")

    brings: Any
    end: object  # the send end that it came through, if it did

    def _enter(self) -> Any:
        """Return what it brings, and let the task that waits go on."""
        self._answer(None)
        return self.brings


@enable_ki_protection
async def put_when_room(
    process: Process, ref: object, message: object, brings: object, end: object = None
) -> None:
    """Put something into a mailbox as soon as there is room for it.

    Args:
        process: whose mailbox it is.
        ref: the reference that led there, for errors.
        message: what is sent, for errors.
        brings: what arrives in the mailbox.
        end: the send end that it comes through.

    Raises:
        ServerExited: the process ended meanwhile.
        CallingSelf, DeadlockError: there would never be room.
    """
    if process.mailbox.has_room():
        process.mailbox.offer(brings)
        await cancel_shielded_checkpoint()
        return
    if calling_process() is process:
        raise CallingSelf(ref, message, shown=shown_request(process), for_room=True)
    request: Any = new_request(process, ref, message, None, RoomRequest)
    request.brings, request.end = brings, end
    await request._wait()
