"""A cast that waits for room: back-pressure on who sends, in place of an error or of a loss.

Follows: `send` of `trio.MemorySendChannel`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._process.checkpoints import checkpointed
from .._process.names import find_living, refuse_method
from .._util.public import public
from .methods import cast_when_room

if TYPE_CHECKING:
    from .._process.names import Ref


@public
@checkpointed
async def cast_wait(ref: Ref, message: object) -> None:
    """Do as `cast`, but wait for room if the mailbox has a bound and is full.

    It waits whatever the bound does with those that do not wait, in the order of arrival. Cancelled
    it has sent nothing. A typed client has it as `await client.method.wait(...)`.

    Args:
        ref: the server; if nobody is behind it the message is counted as dropped.
        message: what its `handle_cast` gets.

    Raises:
        ServerExited: the server ended while this waited for room.
        CallingSelf: a full server waits for itself.
        DeadlockError: a full server waits, over others perhaps, for the caller.
        TypeError: `ref` is not a reference, or the message is a decorated method.

    >>> import trio, trio_otp as otp
    >>> class Disk(otp.GenServer, mailbox=otp.BoundedMailbox(2, on_full="wait")):
    ...     async def handle_cast(self, line: str) -> None:
    ...         await trio.sleep(0)
    ...         print("wrote", line)
    >>> async def main():
    ...     async with otp.open_supervisor([otp.child(Disk).having(name="disk")]):
    ...         for number in range(4):
    ...             await otp.cast_wait("disk", f"line {number}")
    ...         await otp.stop("disk")
    >>> trio.run(main)
    wrote line 0
    wrote line 1
    wrote line 2
    wrote line 3

    Follows: `GenServer.cast/2`, and `send` of `trio.MemorySendChannel`.
    """
    refuse_method(message, ref)
    await cast_when_room(find_living(ref), ref, message)
