"""The mailbox of a process: a Trio memory channel, and a save queue for selective receive.

The channel's send end is what names map to. Messages that a selective receive passed over wait in
`saved`, oldest first, and are looked at before the channel.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

Match: TypeAlias = "Callable[[Any], bool]"
# What `saved` is until something is saved: a deque of its own would double the size of an idle
# mailbox.
_NOTHING: deque[Any] = deque(maxlen=0)


class SystemMessage:
    """The base of what a behaviour handles itself; the callbacks of its user never see it."""

    __slots__ = ()
    from_user: ClassVar = False  # whether it carries what a user sent


class Mailbox:
    """Unbounded, first in first out; `put` never blocks."""

    __slots__ = ("_nowait", "inbox", "outlet", "put", "saved")

    def __init__(self) -> None:
        self.inbox: trio.MemorySendChannel[Any]
        self.outlet: trio.MemoryReceiveChannel[Any]
        self.inbox, self.outlet = trio.open_memory_channel[Any](math.inf)
        self.put: Callable[[Any], None] = self.inbox.send_nowait
        self._nowait = self.outlet.receive_nowait
        self.saved: deque[Any] = _NOTHING

    def take_nowait(self) -> Any:
        """Take the oldest message; raise `trio.WouldBlock` if there is none."""
        if self.saved:
            return self.saved.popleft()
        return self._nowait()

    async def take(self) -> Any:
        """Wait for the oldest message."""
        if self.saved:
            await trio.lowlevel.checkpoint()  # cancelled here, nothing is lost
            if self.saved:  # somebody may have flushed the last one
                return self.saved.popleft()
        return await self.outlet.receive()

    def take_match(self, match: Match) -> Any:
        """Take the oldest message that matches, leaving the others in their order.

        Raises:
            trio.WouldBlock: none matches.
        """
        for index, message in enumerate(self.saved):
            if match(message):
                del self.saved[index]
                return message
        return self._scan_channel(match)

    async def wait_match(self, match: Match) -> Any:
        """Wait for a message that matches; `take_match` has found none so far."""
        while True:
            message = await self.outlet.receive()
            if self._fits(message, match):
                return message

    def _scan_channel(self, match: Match) -> Any:
        while True:
            message = self._nowait()
            if self._fits(message, match):
                return message

    def _fits(self, message: Any, match: Match) -> bool:
        """Save a message that does not match, also if the user's `match` raises."""
        fits = False
        try:
            fits = match(message)
        finally:
            if not fits:
                self._save(message)
        return fits

    def _save(self, message: Any) -> None:
        if self.saved is _NOTHING:
            self.saved = deque()
        self.saved.append(message)

    def __len__(self) -> int:
        return len(self.saved) + self.outlet.statistics().current_buffer_used

    def drain(self) -> list[Any]:
        """Take out whatever is left, oldest first."""
        left = list(self.saved)
        self.saved.clear()
        try:
            while True:
                left.append(self._nowait())
        except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
            return left

    def close(self) -> None:
        """Close both ends; what is still inside is dropped."""
        self.saved.clear()
        self.inbox.close()
        self.outlet.close()
