"""A node that a test plays itself, over a stream in memory and so in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import inside
import trio
import trio.testing

from trio_otp.cluster.wire.codec import Codec
from trio_otp.cluster.wire.control import Tick
from trio_otp.cluster.wire.frames import FrameReader
from trio_otp.cluster.wire.handshake import Connected, Initiator, Local, Send
from trio_otp.cluster.wire.opaque import make_pid, make_reference

if TYPE_CHECKING:
    from trio_otp.cluster.wire.control import Control

COOKIE = b"secret of the test"


class ScriptedPeer:
    """A node that does what the test says.

    Args:
        nursery: where the node of the run serves the connection.
        name: its name.
        creation: its incarnation.
    """

    def __init__(
        self, nursery: trio.Nursery, name: str = "played@127.0.0.1", creation: int = 7
    ) -> None:
        self.name = name
        self.creation = creation
        self.stream, self.far = trio.testing.memory_stream_pair()
        self.codec = Codec()
        self._frames = FrameReader(4)
        self._last = 0
        nursery.start_soon(inside.accept_node, self.far)

    def pid(self, number: int = 1, creation: int | None = None) -> Any:
        """Return the pid of a process of this node."""
        return make_pid(self.name, number, 0, self.creation if creation is None else creation)

    def ref(self) -> Any:
        """Return a reference that is new."""
        self._last += 1
        return make_reference(self.name, self.creation, (self._last, 0, 0))

    @staticmethod
    def foreign_pid() -> Any:
        """Return a pid of a node that nobody knows."""
        return make_pid("third@127.0.0.1", 1, 0, 1)

    def hold(self) -> trio.Event:
        """Take nothing more of what is written to this node, until the event is set."""
        gate = trio.Event()
        self.far.send_stream.send_all_hook = gate.wait
        return gate

    async def connect(self, node: str, cookie: bytes = COOKIE) -> None:
        """Go through the handshake."""
        shake = Initiator(Local(self.name, self.creation, cookie), node)
        events = shake.begin()
        while True:
            for event in events:
                if isinstance(event, Send):
                    await self.stream.send_all(event.data)
                elif isinstance(event, Connected):
                    self._frames.feed(event.rest)
                    return
            data = bytes(await self.stream.receive_some())
            if not data:
                raise trio.BrokenResourceError("refused")
            events = shake.feed(data)

    async def send(self, *messages: Control) -> None:
        """Send control messages."""
        await self.stream.send_all(b"".join(map(self.codec.encode, messages)))

    async def receive(self) -> Any:
        """Return the next control message that is no tick."""
        while True:
            while (payload := self._frames.next()) is not None:
                message = self.codec.decode(payload)
                if not isinstance(message, Tick):
                    return message
            data = bytes(await self.stream.receive_some())
            if not data:
                raise trio.EndOfChannel
            self._frames.feed(data)
