"""A node that a test plays itself, over a stream in memory and so in virtual time."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import inside
import trio
import trio.testing
from other_node import HERE

import trio_otp as otp
from trio_otp.cluster.wire import control as c
from trio_otp.cluster.wire.codec import Codec
from trio_otp.cluster.wire.control import Tick
from trio_otp.cluster.wire.frames import FrameReader
from trio_otp.cluster.wire.handshake import Connected, Initiator, Local, Send
from trio_otp.cluster.wire.opaque import make_pid, make_reference

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from other_node import Net

    from trio_otp.cluster.wire.control import Control

A = otp.cluster.Atom
COOKIE = b"secret of the test"
PLAYED = "played@127.0.0.1"
TICK = 10.0


class ScriptedPeer:
    """A node that does what the test says.

    Args:
        nursery: where the node of the run serves the connection.
        name: its name.
        creation: its incarnation.
        streams: its end of a connection, and that of the node of the run; else they are in memory.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        name: str = "played@127.0.0.1",
        creation: int = 7,
        streams: tuple[Any, Any] | None = None,
    ) -> None:
        self.name = name
        self.creation = creation
        self.stream, self.far = streams or trio.testing.memory_stream_pair()
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
        await self.begin(node, cookie)
        await self.finish()

    async def begin(self, node: str, cookie: bytes = COOKIE) -> None:
        """Begin the handshake: say who this is."""
        self._shake = Initiator(Local(self.name, self.creation, cookie), node)
        [hello] = self._shake.begin()
        assert isinstance(hello, Send)
        await self.stream.send_all(hello.data)

    async def finish(self) -> None:
        """Go through the rest of the handshake."""
        events: list[Any] = []
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
            events = self._shake.feed(data)

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


def in_one_piece(peer: ScriptedPeer) -> list[Any]:
    """Return what has been written to a node that the test plays, in what was received at once."""
    found = []
    data = peer.stream.socket._sock.recv(1 << 20)  # now, without a turn of the scheduler
    while data:
        end = 4 + int.from_bytes(data[:4], "big")
        found.append(peer.codec.decode(data[4:end]))
        data = data[end:]
    return found


class Server(otp.GenServer):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @otp.on_call
    def get(self) -> list[Any]:
        return self.seen

    @otp.on_call
    def count(self) -> int:
        return len(self.seen)

    @otp.on_cast
    def put(self, text: str) -> None:
        self.seen.append(text)

    @otp.on_call
    def greet(self, name: str | None) -> str:
        return f"hello, {name}"

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        self.seen.append(request)
        if request == "keep":
            self.kept = from_
        if request == "answer":
            otp.reply(self.kept, "late")
            return otp.Reply("kept")
        return otp.Reply(request) if request not in ("later", "keep") else otp.NoReply()

    def handle_cast(self, message: Any) -> None:
        self.seen.append(message)

    def handle_info(self, message: Any) -> None:
        self.seen.append(message)


def server(**options: Any) -> otp.Child[Server]:
    return otp.child(Server).having(name="server", **options)


async def answer_to(peer: ScriptedPeer, request: object, name: str = "server") -> Any:
    """Call a server as the played node; return the answer, without its tag."""
    tag = peer.ref()
    me = peer.pid()
    await peer.send(c.RegSend(me, A(name), (A("$gen_call"), (me, tag), request)))
    reply = await peer.receive()
    assert isinstance(reply, c.Send)
    assert (reply.to, reply.message[0]) == (me, tag)
    return reply.message[1]


@asynccontextmanager
async def played(
    net: Net, *children: Any, streams: tuple[Any, Any] | None = None, **options: Any
) -> AsyncGenerator[ScriptedPeer]:
    """Open a node with these children, connected to one that the test plays."""
    async with (
        net.here(limit=math.inf, tick=TICK, **options),
        trio.open_nursery() as nursery,
        otp.open_supervisor(children),
        otp.open_process(trap_exit=True),
    ):
        otp.cluster.monitor_nodes()
        peer = ScriptedPeer(nursery, streams=streams)
        await peer.connect(HERE)
        assert await otp.receive() == otp.cluster.Nodeup(PLAYED)
        yield peer
        nursery.cancel_scope.cancel()


async def system_request(peer: ScriptedPeer, request: object, name: str = "server") -> Any:
    """Send a system request as the played node; return the answer, without its tag."""
    tag = peer.ref()
    await peer.send(c.RegSend(peer.pid(), A(name), (A("system"), (peer.pid(), tag), request)))
    reply = await peer.receive()
    assert reply.message[0] == tag
    return reply.message[1]
