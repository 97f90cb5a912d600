"""Another node, seen from here: what waits to be sent there, and what is awaited from there.

All of it belongs to the node and not to a connection, so that nothing is lost while two nodes find
out which of their connections stays. What has been sent is numbered: what is left when the
connection is lost has not arrived for certain.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakValueDictionary

from .wire.control import Demonitor
from .wire.opaque import Reference, opaque

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.pid import Pid
    from .._process.request import From
    from .._process.signals import Monitor
    from .wire.codec import Codec
    from .wire.control import Control

BUSY: Final = 1024 * 1024  # bytes that wait to be sent, above which who can wait does
MOST: Final = 64 * BUSY  # above which the connection is given up
CHUNK: Final = 256 * 1024  # bytes that are written at once
_NUMBERS: Final = struct.Struct(">III").pack
_NUMBER: Final = slice(9, 10)  # of a frame: where it says which control message it is
_MESSAGES: Final = frozenset([b"\x02", b"\x06"])  # SEND, REG_SEND; a call begins with its monitor


class Awaited(Protocol):
    """What hears, under a reference, of the end of a process there."""

    def ended(self, reason: object) -> None:
        """Take note of the end."""


class Proxy(Protocol):
    """What stands for a process of the node."""

    def die(self, reason: object) -> None:
        """End, as the connection is lost."""


class OwnNode(Protocol):
    """The node of this run, as far as others need it."""

    name: str
    ref_head: bytes  # of its references: what is before their three numbers
    codec: Codec  # of what goes out
    pid: Pid  # of what stands for all that is no process

    def encode(self, message: Control) -> bytes:
        """Return a frame; raise TypeError for what has no form there."""
        ...

    def connect_soon(self, peer: Any) -> None:
        """Begin to connect, unless that is going on."""

    def give_up(self, peer: Any, why: str) -> object:
        """Close the connection, or end the attempt to connect."""


class RemoteNode:
    """Another node.

    Args:
        name: its name.
        own: the node of this run.
    """

    def __init__(self, name: str, own: OwnNode) -> None:
        self.name: str = name
        self.own: OwnNode = own
        self.creation: int | None = None  # its incarnation, as of the last connection
        self.is_up: bool = False
        # By the bytes of their pids, or by their names.
        self.proxies: WeakValueDictionary[object, Any] = WeakValueDictionary()
        # What is awaited here, by the bytes of references: they are what Python hashes fastest.
        self.awaited: dict[bytes, From[Any] | Awaited] = {}
        # Monitors that its processes have set on ours, by their references; and the other way.
        self.watching: dict[bytes, Monitor] = {}
        self.watches: dict[Monitor, tuple[Reference, object]] = {}
        self.frames: deque[bytes] = deque()
        self.queued: int = 0  # bytes in `frames`, and on their way into the socket
        # How often something has been added, ever, and how much of that was taken out to be sent.
        self.added: int = 0
        self.taken: int = 0
        self.line: dict[From[Any], Callable[[], object]] = {}  # who waits for room: what sends it
        self.wake: Callable[[bool], object] | None = None  # has the connection write, if it is up
        self.why_lost: str = ""  # the last connection, or the attempt to get one
        self._last_ref = self._last_unlink = 0

    # -- references ------------------------------------------------------------------------------

    def new_ref(self) -> bytes:
        """Return a reference of this node that has not been used, as it travels."""
        self._last_ref += 1
        number = self._last_ref
        numbers = _NUMBERS(number & 0x3FFFF, number >> 18 & 0xFFFF_FFFF, id(self) & 0xFFFF_FFFF)
        return self.own.ref_head + numbers

    def next_unlink(self) -> int:
        """Return an id for the end of a link."""
        self._last_unlink += 1
        return self._last_unlink

    def end_wait(self, ref: bytes, sender: object, to: object) -> None:
        """Await a process no more under a reference."""
        del self.awaited[ref]
        message = Demonitor(sender, to, opaque(Reference, ref))
        self.add(self.own.encode(message), urgent=False)

    # -- what goes out ---------------------------------------------------------------------------

    def send(self, message: Control) -> int:
        """Send a control message; return the number of its frame.

        Raises:
            TypeError: something in it has no form on the wire; nothing is sent.
        """
        return self.add(self.own.encode(message))

    def add(self, frame: bytes, *, urgent: bool = True) -> int:
        """Send a frame, or a call with its monitor; return its number.

        What is not urgent goes along with the next frame, if there soon is one.
        """
        self.frames.append(frame)
        self.queued += len(frame)
        self.added += 1
        if self.wake is not None:
            self.wake(urgent)
        else:
            self.own.connect_soon(self)
        if self.queued > MOST:
            self.own.give_up(self, f"more than {MOST} bytes wait to be sent")
        return self.added

    def take_back(self) -> None:
        """Take out what was added last, which has not been taken out to be sent."""
        self.queued -= len(self.frames.pop())
        self.added -= 1

    def take(self) -> bytes:
        """Take out what is to be sent next, oldest first; `sent` is told when that is done."""
        chunk = [self.frames.popleft()]
        size = len(chunk[0])
        while self.frames and size < CHUNK:
            chunk.append(self.frames.popleft())
            size += len(chunk[-1])
        self.taken += len(chunk)
        return b"".join(chunk) if len(chunk) > 1 else chunk[0]

    def sent(self, size: int) -> None:
        """Take note that so many bytes are in the socket; who waits for room may send."""
        self.queued -= size
        while self.line and not self.is_busy:
            request = next(iter(self.line))
            self.line.pop(request)()

    @property
    def is_busy(self) -> bool:
        """Whether who can wait does."""
        return self.queued > BUSY

    # -- its connections -------------------------------------------------------------------------

    def came_up(self, creation: int, wake: Callable[[bool], object]) -> None:
        """Take note of a connection, and of what has it write; `lost` forgets both.

        Its own tasks may not set either: they may begin after it was cut.
        """
        self.is_up, self.wake = True, wake
        self.creation = creation

    def lost(self, reason: object, why: str) -> list[bytes]:
        """Tell everybody here that the connection is lost, or that there will be none.

        Returns:
            The frames of messages that were left: who has sent those is not told.
        """
        self.is_up, self.wake, self.why_lost = False, None, why
        left = [frame for frame in self.frames if frame[_NUMBER] in _MESSAGES]
        self.frames.clear()
        self.queued = 0
        proxies = list(self.proxies.values())
        self.proxies.clear()
        for proxy in proxies:
            proxy.die(reason)
        self.taken = self.added - len(self.frames)  # of what was sent since, nothing has arrived
        self.awaited.clear()
        self.watching.clear()
        self.watches.clear()
        return left
