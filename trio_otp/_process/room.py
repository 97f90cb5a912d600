"""Waiting for room in a mailbox with a bound, for casts and plain messages.

A waiting task has a request of its own at the server. So it gets an error when the server ends, as
a caller does, its process has a wait-for edge, and it leaves the line when it is cancelled. A call
that waits for room is in the line itself, and its caller waits as ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trio.lowlevel import cancel_shielded_checkpoint, enable_ki_protection

from .._exits.call_errors import CallingSelf
from .request import From, new_request
from .runtime import calling_process
from .status import shown_request

if TYPE_CHECKING:
    from .process import Process


class RoomRequest(From[None]):  # type: ignore[misc]  # `From` is final for users alone
    """A request that waits in the line of a mailbox until the message it brings is taken."""

    __slots__ = ("brings", "end")
    _is_call = False

    brings: object
    end: object  # the send end that it came through, if it did

    def _enter(self) -> object:
        """Return the message it brings, and wake the task that waits."""
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
        what, cure = "waits for room in its own full mailbox", "cast without waiting"
        raise CallingSelf(ref, message, shown=shown_request(process), what=what, cure=cure)
    request = new_request(process, ref, message, None, RoomRequest)
    request.brings, request.end = brings, end
    await request._wait()
