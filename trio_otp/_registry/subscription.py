"""Subscriptions: what is sent under a key of a registry, as a Trio channel for plain Trio code.

A subscription is a small process that holds the key; it has a pid, is found by `lookup` and gets
what `send` and `dispatch` send. Its mailbox is a buffer with a bound, which the block reads:

* A publisher never waits and is never told: what does not fit is dropped and counted.
* The key is free before the block has been left.
* When the registry ends, what has arrived can still be read; then reading raises `ServerExited`.
  A send end that somebody has of it is broken then, and does not keep it open.

Follows: the publish-subscribe of Elixir's `Registry`, section "Using as a PubSub".
"""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar, final

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.call_errors import ServerExited
from .._exits.errors import WrongServer
from .._exits.nurseries import OwnNursery
from .._exits.reasons import NORMAL
from .._process.checkpoints import checkpointed
from .._process.mailbox import Mailbox
from .._process.mailbox_data import MailboxStatistics
from .._process.nursery import OrderedNursery
from .._process.request import From
from .._process.runtime import own_process, runtime
from .._start.spec import Runnable
from .._start.start import Start
from .._util.bounded import bounded
from .._util.checks import is_whole
from .._util.copies import Handle, NoConstructor, create
from .._util.public import public

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .._process.pid import Pid
    from .._process.process import Process
    from .registry import Registry


class _Buffer(Mailbox):
    """The mailbox of a subscription: bounded, and still readable when its process is dead."""

    __slots__ = ("_ends", "dropped", "inbox", "outlet", "owner")

    def __init__(self, owner: Process, size: float) -> None:
        super().__init__()
        self.inbox, self.outlet = trio.open_memory_channel[Any](size)
        self._ends: dict[object, trio.MemorySendChannel[Any]] = {}  # one for each send end
        self.owner = owner
        self.dropped = 0

    @enable_ki_protection
    def put(self, message: Any) -> bool | None:
        """Add a message if there is room; answer a call with an error."""
        if message.__class__ is From and message._server is self.owner:
            wrong = WrongServer("call", self.owner.pid, "subscription")
            message._fail(wrong)
            return False
        try:
            self.inbox.send_nowait(message)
        except trio.WouldBlock:
            self.dropped += 1
            self.owner.runtime.drop(self.owner.pid, message, "the buffer of a subscription is full")
        except trio.BrokenResourceError:  # pragma: no cover - its block was left, it has yet to die
            self.owner.runtime.drop(self.owner.pid, message, "the subscription has ended")
        else:
            return None
        return False

    offer = put
    deliver = put

    def open_end(self, end: object) -> None:
        """Open a way into the buffer for one send end alone."""
        self._ends[end] = self.inbox.clone()

    def close_end(self, end: object) -> None:
        """Close the way of a send end, on which a task may wait for room."""
        self._ends.pop(end).close()

    def send_nowait(self, end: object, message: object) -> None:
        """Add what comes through a send end; refuse what does not fit."""
        try:
            self._ends[end].send_nowait(message)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise self._broken() from None

    async def send(self, end: object, message: object) -> None:
        """Add what comes through a send end as soon as there is room for it."""
        try:
            await self._ends[end].send(message)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            if end not in self._ends:
                raise trio.ClosedResourceError("this send end was closed") from None
            raise self._broken() from None

    def _broken(self) -> trio.BrokenResourceError:
        return trio.BrokenResourceError("the subscription has ended")

    def statistics(self) -> MailboxStatistics:
        """Return how much is in the buffer, and who is at its ends."""
        inside = self.outlet.statistics()
        return MailboxStatistics(
            current_buffer_used=len(self),
            max_buffer_size=inside.max_buffer_size,
            open_send_channels=len(self._ends),
            open_receive_channels=inside.open_receive_channels,
            tasks_waiting_send=inside.tasks_waiting_send,
            tasks_waiting_receive=inside.tasks_waiting_receive,
            dropped=self.dropped,
        )

    def __len__(self) -> int:
        return len(self.queue) + self.outlet.statistics().current_buffer_used

    async def read(self) -> Any:
        """Wait for the oldest message.

        Raises:
            trio.ClosedResourceError: there is none, and nothing comes any more.
        """
        if self.queue:  # then the channel is closed
            await trio.lowlevel.checkpoint()
        else:
            try:
                return await self.outlet.receive()
            except trio.ClosedResourceError:
                if not self.queue:  # pragma: no branch - the last ones came as it was closed
                    raise
        return self.queue.popleft() if self.queue else await self.read()  # another task was faster

    def unread(self) -> list[Any]:
        """Take out what the block has not read, and refuse who waits for room."""
        for way_in in self._ends.values():
            way_in.close()
        self._move()
        return super().drain()

    def drain(self) -> list[Any]:
        """Leave what has arrived to the block that reads."""
        return []

    def close(self) -> None:
        """Close it for what comes in, and wake all that wait for more or for room.

        What has arrived can be read on. To close the own send end would leave it open for others.
        """
        self._move()
        self.outlet.close()

    def _move(self) -> None:
        """Put what has arrived into the queue, which is read on when the channel is closed."""
        try:
            while True:
                self.queue.append(self.outlet.receive_nowait())
        except (trio.WouldBlock, trio.ClosedResourceError):
            return


@final
@public
class Subscription(NoConstructor, Handle, trio.abc.ReceiveChannel[Any]):
    """The channel of a `RegistryHandle.subscribe` block."""

    _origin: ClassVar[str] = "otp.registry(ref).subscribe(key) yields one"

    def __init__(self, registry: Registry, ref: object, key: object, max_buffer: float) -> None:
        self._registry = registry
        self._ref = ref
        self._key = key
        self._process: Process
        self._buffer: _Buffer
        self._max_buffer = max_buffer
        self._left = False

    @property
    def pid(self) -> Pid:
        """The process that holds the key, as `lookup` lists it."""
        return self._process.pid

    @property
    def dropped(self) -> int:
        """How many messages found the buffer full."""
        return self._buffer.dropped

    def __repr__(self) -> str:
        return f"<subscription to {bounded(self._key)} of {bounded(self._ref)}>"

    @checkpointed
    async def receive(self) -> Any:
        """Wait for the next message.

        Returns:
            The message, oldest first.

        Raises:
            ServerExited: the registry has ended, and all that had arrived has been read.
            trio.ClosedResourceError: the subscription was closed, or its block left.
        """
        try:
            return await self._buffer.read()
        except trio.ClosedResourceError:
            if self._left:
                raise
            raise self._error() from None

    @enable_ki_protection
    async def aclose(self) -> None:
        """Return the key up before the block is left; reading is over."""
        self._leave()
        await trio.lowlevel.checkpoint()

    def _error(self) -> ServerExited:
        registry = self._registry.process
        if registry.dead:
            return ServerExited(self._ref, registry.exit_reason)
        return ServerExited(self._process.pid, self._process.exit_reason)

    @enable_ki_protection
    def _enter(self, ordered: OrderedNursery) -> None:
        """Start the process; it has no mailbox but the buffer from its first moment on."""
        label = f"subscription {bounded(self._key, 40)}"
        start = Start(Runnable(label, _wait), ordered, own_process())
        self._process = process = start.create()
        process.mailbox = self._buffer = _Buffer(process, self._max_buffer)
        self._registry.process.add_watcher(self._registry_died)

    @enable_ki_protection
    def _leave(self) -> None:
        """Free the key at once, then let the process end; what was not read is counted."""
        process = self._process
        self._left = True
        self._registry.process.remove_watcher(self._registry_died)
        try:
            if not process.dead and not self._registry.process.dead:
                self._registry.remove(process, self._key)
        finally:  # whatever its key does, the block must end
            process.exit_with(NORMAL)
        for message in self._buffer.unread():
            process.runtime.drop(process.pid, message, "left when the subscription ended")
        self._buffer.outlet.close()

    def _registry_died(self, registry: Process) -> None:
        self._process.exit_with(registry.exit_reason)


async def _wait(_: Process) -> None:
    await trio.sleep_forever()


@asynccontextmanager
@enable_ki_protection
async def subscription(
    registry: Registry, ref: object, key: object, value: object, max_buffer: float
) -> AsyncGenerator[Subscription]:
    """Hold a key while a block runs, and collect what is sent under it."""
    check_buffer(max_buffer)
    channel = create(Subscription, registry, ref, key, max_buffer)
    async with OwnNursery() as nursery:
        channel._enter(OrderedNursery(runtime(), nursery))
        try:
            registry.add(channel._process, key, value)
            yield channel
        finally:
            channel._leave()


def check_buffer(max_buffer: object) -> None:
    """Refuse a size of a buffer that is not accepted."""
    if not (is_whole(max_buffer) and max_buffer > 0) and max_buffer != math.inf:
        shown = bounded(max_buffer)
        raise ValueError(f"max_buffer={shown}: expected a whole number > 0, or math.inf")
