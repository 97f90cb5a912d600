"""The mailbox of a process: a queue, and at most one task that waits for what comes into it.

It is the receiving end of a memory channel, of which `send_end` has the other ends. Trio's own
costs a call about as much as everything else together, and an idle process two kilobytes.

* A selective receive looks at the queue where it lies: what it passes over keeps its place.
* The mailbox of a process that sleeps has no queue, and instead of a task that waits a function
  that wakes the process; that of a dead one has neither. It is the same object all the time.

Follows: `trio.open_memory_channel`; Erlang reference manual, "Processes", section "Signals".
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, TypeAlias

import outcome
import trio
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    cancel_shielded_checkpoint,
    checkpoint,
    current_task,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

from .._util.bounded import Printable
from .mailbox_data import MailboxStatistics

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

Match: TypeAlias = "Callable[[Any], bool]"


class NoQueue(tuple[()]):
    """What stands in the place of a queue: there is nothing in it, and it takes nothing."""

    __slots__ = ()

    def append(self, _message: object) -> NoReturn:
        """Refuse a message: nobody is there, nor can be woken."""
        raise trio.BrokenResourceError("the process is dead")


NO_QUEUE: Final[Any] = NoQueue()


class SystemMessage:
    """The base of what a behaviour handles itself; the callbacks of its user never see it."""

    __slots__ = ()
    from_user: ClassVar[bool] = False  # whether it carries what a user sent


class Notification(Printable):
    """The base of plain messages that the library sends itself: no bound keeps one out."""

    __slots__ = ()


class Woken:
    """What a waiting task is woken with: an outcome that says nothing, and serves many times."""

    __slots__ = ()

    def unwrap(self) -> None:
        """Return nothing."""


WOKEN: Any = Woken()


def stay(_raise_cancel: RaiseCancelT) -> Abort:
    """Keep a cancelled task waiting: only a message, or `wake`, ends its wait."""
    return Abort.FAILED


class Mailbox(trio.abc.ReceiveChannel[Any]):
    """Unbounded, first in first out; `put` never blocks.

    The loop of a behaviour takes from `queue` what is there, and waits by `wait` if nothing is.
    """

    bound: Any = None  # an `otp.BoundedMailbox`, of one that has a bound
    __slots__ = ("_open_ends", "_seen", "_waiter", "queue")

    def __init__(self) -> None:
        self.queue: deque[object] = deque()  # or what does the same for a mailbox with a bound
        self._waiter: Any = None  # the task that waits; while it sleeps, what wakes the process
        self._seen = 0  # how many of the oldest messages a selective receive has passed over
        self._open_ends = 0

    # -- what comes in -----------------------------------------------------------------------

    @enable_ki_protection
    def put(self, message: object) -> bool | None:
        """Add a message of the system, and wake the task that waits, or the process if it sleeps.

        Returns:
            False if the message was dropped, for want of room.

        Raises:
            trio.BrokenResourceError: the process is dead.
        """
        waiter = self._waiter
        if waiter is not None:
            if self.queue is NO_QUEUE:
                self.wake()
            else:  # as `wake` does, without a call more
                self._waiter = None
                reschedule(waiter, WOKEN)
        self.queue.append(message)
        return None

    # The ways in for what users send: a mailbox with a bound checks for room there. Without a bound
    # they are `put` itself, as one more call for each message would be felt.
    offer = put  # from a sending task, which can be refused
    deliver = put  # from timers, ports and the like, without a sending task

    def has_room(self) -> bool:
        """Check whether the next message of a user would be taken at once."""
        return True

    def drop(self, message: object, why: str) -> bool:
        """Drop a message for want of room, which a mailbox with a bound alone does."""
        raise AssertionError("a mailbox without a bound has room")  # pragma: no cover - never full

    def give_up(self, call: object) -> None:
        """Record that the caller of a call has given up; the call is handled in turn."""

    @enable_ki_protection
    def take_back(self, message: object) -> None:
        """Take out the newest message if it is this one."""
        if self.queue and self.queue[-1] is message:  # nothing ran in between
            self.queue.pop()

    def open_end(self, end: object) -> None:
        """Count a send end."""
        self._open_ends += 1

    def close_end(self, end: object) -> None:
        """Count a send end no more. The mailbox stays open without any: not only they lead here."""
        self._open_ends -= 1

    def send_nowait(self, end: object, message: object) -> None:
        """Add what comes through a send end; raises as `put`."""
        self.put(message)

    async def send(self, end: object, message: object) -> None:
        """Add what comes through a send end as soon as there is room for it; raises as `put`."""
        self.put(message)
        await cancel_shielded_checkpoint()

    def statistics(self) -> MailboxStatistics:
        """Return how much is in the mailbox, and who is at its ends."""
        return MailboxStatistics(
            current_buffer_used=len(self),
            max_buffer_size=math.inf,
            open_send_channels=self._open_ends,
            open_receive_channels=int(not self._is_closed()),
            tasks_waiting_send=0,
            tasks_waiting_receive=int(isinstance(self._waiter, trio.lowlevel.Task)),
        )

    # -- who waits or sleeps -----------------------------------------------------------------

    @enable_ki_protection
    async def wait(self) -> None:
        """Wait until something has come in; the queue may be empty again when the task runs.

        Raises:
            trio.BusyResourceError: another task waits.
            trio.ClosedResourceError: the process is dead, or dies meanwhile.
        """
        if self._waiter is not None:
            await checkpoint()  # before the error
        if self.queue is NO_QUEUE:
            await checkpoint()
            raise trio.ClosedResourceError("the process is dead")
        self.park()
        await wait_task_rescheduled(self.unpark)

    @enable_ki_protection
    def park(self, task: trio.lowlevel.Task | None = None) -> None:
        """Have the next message wake this task, which waits right after this.

        Args:
            task: this task, if it is known.

        Raises:
            trio.BusyResourceError: another task waits.
        """
        if self._waiter is not None:
            raise trio.BusyResourceError("another task waits for the messages of this process")
        self._waiter = current_task() if task is None else task

    @enable_ki_protection
    def wake(self) -> None:
        """Wake what waits or sleeps, whether or not there is a message."""
        waiter, self._waiter = self._waiter, None
        if waiter is None:
            return
        if self.queue is NO_QUEUE:  # it sleeps
            self.queue = self._new_queue()
            waiter()
        else:
            reschedule(waiter, WOKEN)

    def _new_queue(self) -> deque[Any]:
        return deque()

    @enable_ki_protection
    def unpark(self, _raise_cancel: RaiseCancelT | None = None) -> Abort:
        """Forget who waits: it was cancelled, though not if it runs in the turn of a caller."""
        waits, self._waiter = self._waiter is not None, None
        return Abort.SUCCEEDED if waits else Abort.FAILED

    @enable_ki_protection
    def sleep(self, wake_process: Callable[[], object]) -> None:
        """Have no queue until something comes; then, or by `wake`, the function is called, once."""
        left, self.queue = self.queue, NO_QUEUE
        self._waiter = wake_process
        for message in left:
            self.put(message)

    # -- what is taken out -------------------------------------------------------------------

    @enable_ki_protection
    def receive_nowait(self) -> object:
        """Take the oldest message.

        Raises:
            trio.WouldBlock: there is none.
            trio.ClosedResourceError: the process is dead.
        """
        if self.queue:
            return self.queue.popleft()
        if self._is_closed():
            raise trio.ClosedResourceError("the process is dead")
        raise trio.WouldBlock

    @enable_ki_protection
    async def receive(self) -> object:
        """Wait for the oldest message; raises as `wait`."""
        if self.queue:
            await checkpoint()  # cancelled here, nothing is lost
        while not self.queue:  # somebody may have flushed the last one
            await self.wait()
        return self.queue.popleft()

    @enable_ki_protection
    def take_match(self, match: Match) -> object:
        """Take the oldest message that matches, leaving the others in their order.

        Raises:
            trio.WouldBlock: none matches.
        """
        index = self._find(match, 0)
        if index < self._seen:
            self._seen -= 1
        return self._pop(index)

    @enable_ki_protection
    async def wait_match(self, match: Match) -> object:
        """Wait for a message that matches; `take_match` has found none so far."""
        self._seen = len(self.queue)
        try:
            while True:
                await self.wait()
                try:
                    return self._pop(self._find(match, self._seen))
                except trio.WouldBlock:
                    self._seen = len(self.queue)
        finally:
            self._seen = 0

    def _find(self, match: Match, start: int) -> int:
        """Return the place of the first message that matches, from a place on."""
        index, queue = start, self.queue
        while index < len(queue):  # no iterator: `match` may send to this very mailbox
            message = queue[index]
            found = match(message)
            if index >= len(queue) or queue[index] is not message:  # or take from it
                index = self._moved_to(message, index)
            if found and index >= 0:
                return index
            index += 1
        raise trio.WouldBlock

    def _moved_to(self, message: object, index: int) -> int:
        """Return the place of a message that had moved forward; -1 if it is gone."""
        queue = self.queue
        index = min(index, len(queue) - 1)
        while index >= 0 and queue[index] is not message:
            index -= 1
        return index

    def _pop(self, index: int) -> object:
        message = self.queue[index]
        del self.queue[index]
        return message

    def count(self, match: Match) -> int:
        """Count the messages that match."""
        return sum(map(match, self.queue))

    def __len__(self) -> int:
        return len(self.queue)

    @enable_ki_protection
    def drain(self) -> list[object]:
        """Take out whatever is left, oldest first."""
        left = list(self.queue)
        if left:
            self.queue.clear()
        return left

    # -- its end -----------------------------------------------------------------------------

    def _is_closed(self) -> bool:
        return self.queue is NO_QUEUE and self._waiter is None

    @enable_ki_protection
    def close(self) -> None:
        """Take nothing more; what is still inside is dropped, and who waits hears of it."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and self.queue is not NO_QUEUE:
            reschedule(waiter, outcome.Error(trio.ClosedResourceError("the process is dead")))
        self.queue = NO_QUEUE

    @enable_ki_protection
    async def aclose(self) -> None:
        """Do as `close`."""
        self.close()
        await checkpoint()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
