"""Mailboxes with a bound: what a server that is flooded does with what it has no room for.

**Why.** A mailbox takes whatever is sent to it. If that is more than its server can handle, it
grows until memory is gone, and each caller waits for longer than it has time. A bound makes the
flood show where it comes from, at once.

Only what users send counts: calls, casts, plain messages. What the system sends always arrives:
exit signals, `Down`, time-outs, replies, requests of `otp.sys`, orders to end.

Follows: Erlang has no such thing; Akka's bounded mailboxes, Trio's memory channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.call_errors import MailboxFull, ServerExited
from .._exits.errors import SpecError
from .._util.bounded import Printable
from .._util.checks import check_choice, check_whole
from .._util.public import public
from .mailbox import NO_QUEUE, Mailbox, Match, Notification, SystemMessage
from .mailbox_data import MailboxStatistics
from .overload import Overload
from .request import GIVEN_UP, From
from .room import RoomRequest, put_when_room
from .runtime import runtime
from .status import shown_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from .pid import Pid
    from .process import Process

from .bounded_queue import BoundedQueue

OnFull: TypeAlias = Literal["reject", "wait", "drop_newest", "drop_oldest"]
NEWEST: Final = "the mailbox is full: the newest is dropped"
OLDEST: Final = "the mailbox is full: the oldest is dropped"
NO_SENDER: Final = "the mailbox is full, and the message has no sending task"


@public
@dataclass(frozen=True, slots=True, repr=False)
class BoundedMailbox(Printable):
    """How many messages of users may wait for a process, and what happens to one too many.

    Args:
        size: how many may wait, not counting the one that is being handled.
        on_full: what happens to a message when the mailbox is full.
            * `reject`: its call, cast or send raises `MailboxFull`.
            * `wait`: a call waits for room as part of its time-out. A cast or send, which cannot
              wait, raises `MailboxFull`; `otp.cast_wait` waits.
            * `drop_newest`: it is dropped.
            * `drop_oldest`: the oldest that waits is dropped, and it takes the room.

    Raises:
        SpecError: an argument is invalid; the text says what was expected.

    >>> import trio, trio_otp as otp
    >>> class Mailer(otp.GenServer, mailbox=otp.BoundedMailbox(2, on_full="reject")):
    ...     @otp.on_cast
    ...     async def mail(self, text: str) -> None:
    ...         await trio.sleep(1)
    >>> async def main():
    ...     async with otp.open_supervisor([otp.child(Mailer).having(name="mailer")]):
    ...         mailer = Mailer.at("mailer")
    ...         for text in ("one", "two", "three"):
    ...             try:
    ...                 mailer.mail(text)
    ...             except otp.MailboxFull as exc:
    ...                 print(text, "was refused:", exc.size, "messages wait")
    >>> trio.run(main)
    three was refused: 2 messages wait

    Follows: the bounded mailboxes of Akka; Erlang has none.
    """

    size: int
    on_full: OnFull = "reject"

    def __post_init__(self) -> None:
        """Check the arguments."""
        check_whole("size", self.size, 1, error=SpecError)
        check_choice("on_full", self.on_full, get_args(OnFull), error=SpecError)

    @enable_ki_protection
    def _limit(self, process: Process) -> None:
        """Put a mailbox with this bound into a process that has not run yet."""
        process.mailbox = LimitedMailbox(self, process.pid)


class LimitedMailbox(Mailbox):
    """The mailbox of a process with a bound; `put` and what comes by it know none."""

    __slots__ = ("_pid", "bound", "given_up", "overload")

    queue: BoundedQueue  # type: ignore[assignment]  # it has of a deque what others use

    def __init__(self, bound: BoundedMailbox, pid: Pid) -> None:
        super().__init__()
        self.bound = bound
        self.queue = self._new_queue()
        self.overload = Overload(pid, bound)
        self.given_up = 0  # how many calls were given up that were taken out before
        self._pid = pid

    def _new_queue(self) -> BoundedQueue:  # type: ignore[override]  # as `queue`
        return BoundedQueue(self.bound.size)

    # -- what comes in -----------------------------------------------------------------------

    def has_room(self) -> bool:
        """Check whether the next message of a user would be taken at once."""
        return self.queue is NO_QUEUE or self.queue.has_room()

    @enable_ki_protection
    def offer(self, message: Any) -> bool | None:
        """Take a message of a sending task, or do as `on_full` says.

        Returns:
            False if it was not taken; a call has been answered then.

        Raises:
            MailboxFull: there is no room, and the message is not a call.
        """
        if _is_of_system(message):
            return self.put(message)
        if message.__class__ is From and message.abandoned:  # its time was over before it began
            self.tell_given_up(message)
            return False
        if self.has_room():
            self._add(message)
            return None
        if self._waits(message):
            self.queue.line[message] = None
            return None
        return self._full(message)

    @enable_ki_protection
    def deliver(self, message: object) -> bool | None:
        """Take a message without a sending task; drop it if there is no room."""
        if _is_of_system(message):
            return self.put(message)
        if not self.has_room():
            return self.drop(message, NO_SENDER)
        self._add(message)
        return None

    def _add(self, message: object) -> None:
        self.put(message)
        self.queue.count_newest(is_call=message.__class__ is From)

    def _waits(self, message: Any) -> bool:
        """Check whether a task waits until there is room."""
        if message.__class__ is RoomRequest:
            return True
        if message.__class__ is not From:
            return False
        has_id = message._deliver is not None
        if self.bound.on_full == "wait":
            return not has_id or message._timeout is not None
        # A caller that has been cancelled is about to leave: nothing must be dropped for it.
        return not has_id and trio.current_effective_deadline() == -math.inf

    def _full(self, message: Any) -> bool | None:
        on_full = self.bound.on_full
        if on_full == "drop_oldest":
            oldest = self.queue.take_oldest()
            self._add(message)
            self.drop(oldest, OLDEST)
            return None
        if on_full == "drop_newest":
            return self.drop(message, NEWEST)
        if message.__class__ is From:
            message._fail(self._error(message))
            return False
        raise self._error(message)

    @enable_ki_protection
    def drop(self, message: Any, why: str) -> bool:
        """Drop a message for want of room; a call is answered. Return False."""
        if message.__class__ is From:
            message._fail(self._error(message))
        self.overload.drop(_content(message), why)
        return False

    def _error(self, message: Any) -> MailboxFull:
        content, is_call = _content(message), message.__class__ is From
        ref = message._ref if is_call else self._pid
        hint = ""
        if self.bound.on_full == "wait" and not is_call:
            cast = isinstance(message, SystemMessage)
            line = "otp.cast_wait(ref, message)" if cast else "otp.send_end(ref).send(message)"
            hint = f"; to wait for room write await {line}"
        shown = shown_request(self._pid._process)
        return MailboxFull(ref, content, self.bound.size, shown=shown, hint=hint)

    # -- send ends ---------------------------------------------------------------------------

    @enable_ki_protection
    def send_nowait(self, end: object, message: object) -> None:
        """Add what comes through a send end, if there is room; else raise as a channel does."""
        if not self.has_room():
            raise self._error(message)
        self._add(message)

    @enable_ki_protection
    async def send(self, end: object, message: object) -> None:
        """Add what comes through a send end as soon as there is room for it."""
        process = self._pid._process
        if process is None:
            raise trio.BrokenResourceError("the process is dead")
        try:
            await put_when_room(process, self._pid, message, message, end)
        except ServerExited:
            raise trio.BrokenResourceError("the process is dead") from None

    @enable_ki_protection
    def close_end(self, end: object) -> None:
        """Remove a send end; tasks that wait for room on it get `ClosedResourceError`."""
        super().close_end(end)
        for waiter in self._line():
            if isinstance(waiter, RoomRequest) and waiter.end is end:
                del self.queue.line[waiter]
                waiter._fail(trio.ClosedResourceError("this send end was closed"))

    def statistics(self) -> MailboxStatistics:
        """Return how many messages count, and how many ends are open."""
        return MailboxStatistics(
            current_buffer_used=0 if self.queue is NO_QUEUE else self.queue.used,
            max_buffer_size=self.bound.size,
            open_send_channels=self._open_ends,
            open_receive_channels=int(not self._is_closed()),
            tasks_waiting_send=len(self._line()),
            tasks_waiting_receive=int(isinstance(self._waiter, trio.lowlevel.Task)),
            dropped=self.overload.dropped,
        )

    def _line(self) -> list[Any]:
        return [] if self.queue is NO_QUEUE else list(self.queue.line)

    # -- what is taken out -------------------------------------------------------------------

    @enable_ki_protection
    def take_back(self, message: object) -> None:
        """Take out a call that was cancelled before it was made."""
        self.queue.take_out(message)

    @enable_ki_protection
    def give_up(self, call: Any) -> None:
        """Take out a call whose caller has given up, so that others have the room."""
        if self.queue is not NO_QUEUE and self.queue.take_out(call):
            self.tell_given_up(call)
        else:
            self.given_up += 1

    def tell_given_up(self, call: From[object]) -> None:
        """Report that a call is left unhandled."""
        runtime().drop(self._pid, call.message, GIVEN_UP)

    @enable_ki_protection
    def take_match(self, match: Match) -> object:
        """Take the oldest message that matches, leaving the others in their order."""
        if self.queue is NO_QUEUE:
            raise trio.WouldBlock
        return self.queue.take(match, 0)

    @enable_ki_protection
    async def wait_match(self, match: Match) -> object:
        """Wait for a message that matches; `take_match` has found none so far."""
        seen = self.queue.next_number
        while True:
            await self.wait()
            try:
                return self.queue.take(match, seen)
            except trio.WouldBlock:
                seen = self.queue.next_number

    # -- its end -----------------------------------------------------------------------------

    @enable_ki_protection
    def sleep(self, wake_process: Callable[[], object]) -> None:
        """Have no queue until something comes; what has come by now wakes it, and still counts."""
        queue = self.queue
        self.queue, self._waiter = NO_QUEUE, wake_process
        if queue:
            self.wake()
            self.queue = queue  # pyright: ignore[reportIncompatibleVariableOverride]  # as above

    @enable_ki_protection
    def close(self) -> None:
        """Take nothing more, and log what was dropped last."""
        self.overload.log_dropped()
        super().close()


def _is_of_system(message: object) -> bool:
    """Check whether the library sent it: a request of `otp.sys`, say, or a `Down`."""
    kind: Any = message.__class__
    if isinstance(message, SystemMessage):
        return not kind.from_user
    return isinstance(message, Notification)


def _content(message: object) -> object:
    """Return what a message of a mailbox carries: what is ours, and counts, carries something."""
    is_ours = message.__class__ is From or isinstance(message, SystemMessage)
    carrying: Any = message
    return carrying.message if is_ours else message
