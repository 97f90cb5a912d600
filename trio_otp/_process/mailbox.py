"""The mailbox of a process: a queue, and at most one task that waits for what comes into it.

A memory channel costs a call about as much as everything else together, and an idle process two
kilobytes. So a mailbox is a plain queue until somebody asks for its send end by `otp.send_end`:
from then on a Trio memory channel lies before the queue, and everything goes through it.

A selective receive looks at the queue where it lies: what it passes over keeps its place.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeAlias

import trio
from trio.lowlevel import (
    Abort,
    current_task,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Match: TypeAlias = "Callable[[Any], bool]"


class SystemMessage:
    """The base of what a behaviour handles itself; the callbacks of its user never see it."""

    __slots__ = ()
    from_user: ClassVar = False  # whether it carries what a user sent


class Woken:
    """What a waiting task is woken with: an outcome that says nothing, and serves many times."""

    __slots__ = ()

    def unwrap(self) -> None:
        """Return nothing."""


WOKEN: Any = Woken()


def stay(_raise_cancel: Callable[[], Any]) -> Abort:
    """Let a task wait on that is cancelled: only a message, or `wake`, ends its wait."""
    return Abort.FAILED


class Mailbox:
    """Unbounded, first in first out; `put` never blocks.

    A reader takes from `queue` what is there, and waits by `wait` if nothing is.
    """

    __slots__ = ("_channel", "_seen", "_waiter", "queue")

    def __init__(self) -> None:
        self.queue: deque[Any] = deque()
        self._waiter: trio.lowlevel.Task | None = None
        self._seen = 0  # how many of the oldest messages a selective receive has passed over
        self._channel: Any = None  # the two ends, once somebody has asked for one

    @enable_ki_protection
    def put(self, message: Any) -> None:
        """Add a message, and wake who waits."""
        self.queue.append(message)
        task = self._waiter
        if task is not None:
            self._waiter = None
            reschedule(task, WOKEN)

    @enable_ki_protection
    def take_back(self, message: Any) -> None:
        """Take out the newest message if it is this one."""
        if self.queue and self.queue[-1] is message:
            self.queue.pop()

    @enable_ki_protection
    async def wait(self) -> None:
        """Wait until something has come in; the queue may be empty again when the task runs.

        Raises:
            trio.BusyResourceError: another task waits.
        """
        self.park()
        await wait_task_rescheduled(self.unpark)

    @enable_ki_protection
    def park(self) -> None:
        """Let the next message wake this task, which waits right after this; raises as `wait`."""
        if self._waiter is not None:
            raise trio.BusyResourceError("another task waits for the messages of this process")
        self._waiter = current_task()

    @enable_ki_protection
    def wake(self) -> None:
        """Let who waits look around, whether or not there is a message."""
        task, self._waiter = self._waiter, None
        if task is not None:
            reschedule(task, WOKEN)

    @enable_ki_protection
    def unpark(self, _raise_cancel: Callable[[], Any] | None = None) -> Abort:
        """Forget who waits: it was cancelled."""
        self._waiter = None
        return Abort.SUCCEEDED

    def pull(self) -> None:
        """Put into the queue what lies before it."""

    def take_nowait(self) -> Any:
        """Take the oldest message; raise `trio.WouldBlock` if there is none."""
        self.pull()
        if not self.queue:
            raise trio.WouldBlock
        return self.queue.popleft()

    @enable_ki_protection
    async def take(self) -> Any:
        """Wait for the oldest message."""
        self.pull()
        if self.queue:
            await trio.lowlevel.checkpoint()  # cancelled here, nothing is lost
        while not self.queue:  # somebody may have flushed the last one
            await self.wait()
        return self.queue.popleft()

    @enable_ki_protection
    def take_match(self, match: Match) -> Any:
        """Take the oldest message that matches, leaving the others in their order.

        Raises:
            trio.WouldBlock: none matches.
        """
        self.pull()
        index = self._find(match, 0)
        if index < self._seen:
            self._seen -= 1
        return self._pop(index)

    @enable_ki_protection
    async def wait_match(self, match: Match) -> Any:
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

    def _moved_to(self, message: Any, index: int) -> int:
        """Return the place of a message that had moved forward; -1 if it is gone."""
        queue = self.queue
        index = min(index, len(queue) - 1)
        while index >= 0 and queue[index] is not message:
            index -= 1
        return index

    def _pop(self, index: int) -> Any:
        message = self.queue[index]
        del self.queue[index]
        return message

    def count(self, match: Match) -> int:
        """Count the messages that match, with all that lie before the queue, unseen."""
        return sum(map(match, self.queue)) + len(self) - len(self.queue)

    @enable_ki_protection
    def send_end(self) -> trio.MemorySendChannel[Any]:
        """Return a send end of its own to somebody; from now on a memory channel is in use."""
        self._channel = trio.open_memory_channel[Any](math.inf)
        _become(self, ChannelMailbox)
        if self._waiter is not None:  # let it wait at the channel
            self.wake()
        return self.send_end()

    def __len__(self) -> int:
        return len(self.queue)

    @enable_ki_protection
    def drain(self) -> list[Any]:
        """Take out whatever is left, oldest first."""
        self.pull()
        left = list(self.queue)
        self.queue.clear()
        return left

    @enable_ki_protection
    def close(self) -> None:
        """Take nothing more; what is still inside is dropped."""
        self.queue.clear()
        _become(self, ClosedMailbox)


class ChannelMailbox(Mailbox):
    """A mailbox with a memory channel before its queue: what is in the queue is older."""

    __slots__ = ()

    @enable_ki_protection
    def put(self, message: Any) -> None:
        """Add a message behind those that came through the send ends."""
        self._channel[0].send_nowait(message)

    @enable_ki_protection
    async def wait(self) -> None:
        """Wait until something has come in."""
        self.queue.append(await self._channel[1].receive())
        self.pull()

    @enable_ki_protection
    def pull(self) -> None:
        """Put into the queue what the channel holds."""
        try:
            while True:
                self.queue.append(self._channel[1].receive_nowait())
        except trio.WouldBlock:
            return

    def send_end(self) -> trio.MemorySendChannel[Any]:
        """Return another send end."""
        end: trio.MemorySendChannel[Any] = self._channel[0].clone()
        return end

    def __len__(self) -> int:
        waiting: int = self._channel[1].statistics().current_buffer_used
        return len(self.queue) + waiting

    @enable_ki_protection
    def close(self) -> None:
        """Break the send ends, too."""
        for end in self._channel:
            end.close()
        super().close()


class ClosedMailbox(Mailbox):
    """The mailbox of a dead process."""

    __slots__ = ()

    def put(self, message: Any) -> NoReturn:
        """Refuse the message: the sender has to see first whether the process lives."""
        raise trio.ClosedResourceError

    async def wait(self) -> NoReturn:
        """Refuse to wait for what cannot come."""
        await trio.lowlevel.checkpoint()
        raise trio.ClosedResourceError

    def close(self) -> None:
        """It is closed."""


def _become(mailbox: Any, kind: type[Mailbox]) -> None:
    """Let a mailbox behave in another way from now on, wherever it is held."""
    mailbox.__class__ = kind
