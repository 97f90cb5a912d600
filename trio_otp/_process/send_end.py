"""Send ends of mailboxes, for code that wants a Trio channel.

A send end is what `trio.MemorySendChannel` is, with the mailbox of a process at the other end:

* What is sent arrives as a plain message, in one order with all that comes by `otp.send` or a call.
* It belongs to one incarnation. When the process is dead each open end is broken.
* To close the last one ends nothing: a mailbox has no end of its own before its process has.
* It does not keep a server awake that would sleep, and wakes it only by sending.

Follows: `trio.MemorySendChannel`.
"""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Any, ClassVar, final

import trio
from trio.lowlevel import checkpoint, enable_ki_protection

from .._util.copies import Handle, NoConstructor, create
from .._util.public import public
from .checkpoints import checkpointed
from .names import METHODS, need_living, refuse_method
from .runtime import runtime

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from .mailbox import Mailbox
    from .mailbox_data import MailboxStatistics
    from .names import Ref
    from .pid import Pid

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T_contra = TypeVar("T_contra", contravariant=True, default=Any)
else:
    from typing import TypeVar

    T_contra = TypeVar("T_contra", contravariant=True)


@public
@final
class SendEnd(NoConstructor, Handle, trio.abc.SendChannel[T_contra]):
    """A send end of the mailbox of a process, from `otp.send_end`: a Trio channel.

    Follows: `trio.MemorySendChannel`.
    """

    _origin: ClassVar[str] = "otp.send_end(ref) returns one"

    __slots__ = ("_is_closed", "_mailbox", "_pid")

    def __init__(self, mailbox: Mailbox, pid: Pid) -> None:
        self._is_closed = False
        self._mailbox = mailbox
        self._pid = pid
        mailbox.open_end(self)

    def __repr__(self) -> str:
        return f"<{'closed ' if self._is_closed else ''}SendEnd to {self._pid!r}>"

    @enable_ki_protection
    def send_nowait(self, value: T_contra) -> None:
        """Send a message without waiting.

        Args:
            value: anything; the receiver gets this very object, not a copy.

        Raises:
            trio.ClosedResourceError: this end was closed.
            trio.BrokenResourceError: the process is dead.
            MailboxFull: the mailbox has a bound, and no room; it is a `trio.WouldBlock`. That of a
                subscription is a plain one.
            TypeError: the message is a decorated method.
            NotInRun: in a worker thread; `trio.from_thread.run_sync(end.send_nowait, value)` sends.
        """
        self._check(value)
        self._mailbox.send_nowait(self, value)

    @checkpointed
    @enable_ki_protection
    async def send(self, value: T_contra) -> None:
        """Send a message, waiting for room if the mailbox has a bound.

        Cancelled it has sent nothing.

        Args:
            value: anything; the receiver gets this very object, not a copy.

        Raises:
            trio.ClosedResourceError: this end was closed, maybe meanwhile.
            trio.BrokenResourceError: the process is dead, or died meanwhile.
            CallingSelf, DeadlockError: it has no room, and waits for the process that sends.
            TypeError: the message is a decorated method.
        """
        self._check(value)
        await self._mailbox.send(self, value)

    def _check(self, value: object) -> None:
        self._check_place()
        if self._is_closed:
            raise trio.ClosedResourceError("this send end was closed")
        if value.__class__ in METHODS:
            refuse_method(value, self._pid)

    def _check_place(self) -> None:
        """Refuse another thread: it could not wake who waits, and nobody would any more."""
        process = self._pid._process
        if process is not None and process.runtime.thread != get_ident():
            runtime()  # raises, unless that thread has a run of its own
            raise trio.BrokenResourceError("the process is of another run")

    @enable_ki_protection
    def clone(self) -> SendEnd[T_contra]:
        """Return another send end of the same mailbox, to be closed by itself.

        Raises:
            trio.ClosedResourceError: this end was closed.
        """
        self._check_place()
        if self._is_closed:
            raise trio.ClosedResourceError("this send end was closed")
        return create(SendEnd, self._mailbox, self._pid)

    @enable_ki_protection
    def close(self) -> None:
        """Close this end, not the mailbox; once more does nothing."""
        if not self._is_closed:
            self._check_place()
            self._is_closed = True
            self._mailbox.close_end(self)

    @enable_ki_protection
    async def aclose(self) -> None:
        """Do as `close`; this is a checkpoint."""
        self.close()
        await checkpoint()

    def statistics(self) -> MailboxStatistics:
        """Return how much is in the mailbox, and who is at its ends."""
        return self._mailbox.statistics()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@public
@enable_ki_protection
def send_end(ref: Ref) -> SendEnd[Any]:
    """Return a send end of a mailbox, for code that wants a Trio channel.

    Args:
        ref: the process; the send end stays with this incarnation.

    Returns:
        A channel whose messages arrive as those of `otp.send` do.

    Raises:
        NoProcess: nobody is behind the reference.

    >>> import trio, trio_otp as otp
    >>> async def produce(channel: trio.abc.SendChannel[int]) -> None:
    ...     async with channel:
    ...         await channel.send(1)
    >>> async def main() -> None:
    ...     async with otp.open_process() as me:
    ...         await produce(otp.send_end(me))
    ...         print(await otp.receive(int))
    >>> trio.run(main)
    1

    Follows: `trio.open_memory_channel`.
    """
    process = need_living(ref)
    return create(SendEnd, process.mailbox, process.pid)
