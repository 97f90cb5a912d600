"""Who connects to whom: attempts, handshakes, and the one connection that stays.

What waits to be sent belongs to the other node, so an attempt that gives way to another loses
nothing. Of two nodes that connect to each other at one time, the connection of the one whose name
comes later is kept; the other one waits for it. The file is long, since both directions read and
change the same three tables.

Follows: Erlang's `net_kernel`, `dist_util`, "accept_pending".
"""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any, Final

import trio
from trio.lowlevel import enable_ki_protection

from .._net.sockets import peer_of
from .._util.bounded import bounded
from ..events import NoticeReport
from .connection import Connection
from .epmd_client import NoSuchNode, port_of
from .remote_node import MOST
from .streams import Refused, accept_stream, open_stream
from .wire.handshake import (
    Acceptor,
    Connected,
    HandshakeError,
    Initiator,
    Local,
    PeerNamed,
    Send,
    keeps_own,
)
from .wire.terms import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .local_node import LocalNode
    from .options import Listen
    from .remote_node import RemoteNode
    from .wire.handshake import Answer, Event

HANDSHAKE: Final = 7.0  # seconds from the first byte to the last
POLITE: Final = 1.0  # seconds for which the handshake of who only says to be a node goes first
HALF_OPEN: Final = 100  # handshakes of others at one time
_RECEIVE: Final = 4096
FAILURES: Final = (
    OSError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.TooSlowError,
    HandshakeError,
    DecodeError,
    NoSuchNode,
    Refused,
)


class GivenWay(Exception):
    """A connection gives way to another one between the same nodes."""


_ENDS: Final[dict[str, type[Exception]]] = {"nok": GivenWay, "not_allowed": Refused}


class Dial:
    """One attempt to connect to a node."""

    def __init__(self) -> None:
        self.scope: trio.CancelScope = trio.CancelScope()
        self.attempt: trio.CancelScope = trio.CancelScope()  # the connection that is being made
        self.has_given_way: bool = False  # to who says to be that node; once, as anybody can
        self.over: trio.Event = trio.Event()
        self.why: str = ""


class Connections:
    """The connections of a node, and the attempts to get some.

    Args:
        node: the node.
        nursery: where their tasks live.
    """

    def __init__(self, node: LocalNode, nursery: trio.Nursery) -> None:
        self._node = node
        self._nursery = nursery
        self._dials: dict[RemoteNode, Dial] = {}
        self._open: dict[RemoteNode, Connection] = {}
        self._coming: dict[str, list[trio.Event]] = {}  # handshakes that others have begun
        self._half_open = 0

    @property
    def _local(self) -> Local:
        node = self._node
        return Local(node.name, node.creation, node.options.cookie)

    def start(self, task: Callable[..., Any], *args: object) -> None:
        """Run a task in a blank context: it belongs to no process."""
        start_soon: Callable[..., None] = self._nursery.start_soon
        contextvars.Context().run(start_soon, task, *args)

    # -- to others -------------------------------------------------------------------------------

    @enable_ki_protection
    def dial(self, peer: RemoteNode) -> Dial | None:
        """Begin to connect, unless that is going on; return the attempt, None if that is over."""
        if peer.is_up:
            return None
        dial = self._dials.get(peer)
        if dial is None:
            dial = self._dials[peer] = Dial()
            self.start(self._dial, peer, dial)
        return dial

    @enable_ki_protection
    def hang_up(self, peer: RemoteNode, why: str) -> bool:
        """Close the connection, or end the attempt to get one; return whether there was one."""
        connection, dial = self._open.get(peer), self._dials.get(peer)
        if not peer.is_up:  # the connection has been cut
            connection = None
        if connection is not None:
            connection.close(why, is_logged=peer.queued > MOST)
        if dial is not None:
            dial.why = why
            dial.scope.cancel(reason=why)
        return connection is not None or dial is not None

    @enable_ki_protection
    def cut(self, peer: RemoteNode, why: str) -> bool:
        """Do as `hang_up`, and tell everybody at once: who uses the node next connects anew."""
        found = self.hang_up(peer, why)
        self._dials.pop(peer, None)
        if found:
            self._node.went_down(peer, why)
        return found

    @enable_ki_protection
    async def _dial(self, peer: RemoteNode, dial: Dial) -> None:
        """Connect to a node, and serve the connection; or tell who waits that there is none."""
        made: tuple[trio.abc.Stream, Connected] | None = None
        why = "this node has ended"
        try:
            with dial.scope:
                dial.scope.deadline = trio.current_time() + HANDSHAKE
                try:
                    made = await self._reach(peer, dial)
                except FAILURES as exc:
                    why = _text_of(exc)
                except Exception as exc:  # of `resolve`, or of an address that cannot be one
                    why = bounded(exc)
                    self._note(f"cannot connect to {peer.name}: {why}")
            why = f"no connection within {HANDSHAKE:g} s" if dial.scope.cancelled_caught else why
        finally:
            if self._dials.get(peer) is dial:
                del self._dials[peer]
                if made is None:
                    self._node.went_down(peer, dial.why or why)
            elif made is not None:  # pragma: no cover - it was cut in the turn in which it was made
                await trio.aclose_forcefully(made[0])
                made = None
            dial.over.set()
        if made is not None:
            await self._serve(peer, *made)

    async def _reach(self, peer: RemoteNode, dial: Dial) -> tuple[trio.abc.Stream, Connected]:
        while (old := self._open.get(peer)) is not None:  # it has been cut
            await old.over.wait()
        while True:
            with trio.move_on_after(POLITE):
                while peer.name in self._coming:
                    await self._coming[peer.name][-1].wait()
            dial.attempt = trio.CancelScope()
            with dial.attempt:
                try:
                    return await self._attempt(peer)
                except HandshakeError as exc:
                    if exc.kind != "nok":
                        raise
                    await trio.sleep_forever()  # the other side comes, which ends this

    async def _attempt(self, peer: RemoteNode) -> tuple[trio.abc.Stream, Connected]:
        options = self._node.options
        address = await self._find(peer.name)
        stream = await open_stream(address, options, peer.name.partition("@")[2])
        try:
            shake = Initiator(self._local, peer.name, width=_width(stream))
            return stream, await _shake(shake, stream, shake.begin())
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise

    async def _find(self, name: str) -> Listen:
        """Return where a node listens: as `resolve` says, else as epmd on its host does."""
        options = self._node.options
        address = self._node.address_of(name)
        if address is not None:
            return address
        if options.epmd is None:
            raise Refused(f"resolve knows no {name}, and there is no epmd to ask")
        alive, _, host = name.partition("@")
        at = options.epmd[0] if host == options.host else host
        return host, await port_of((at, options.epmd[1]), alive)

    # -- from others -----------------------------------------------------------------------------

    @enable_ki_protection
    async def listen(self, listeners: list[trio.SocketListener]) -> None:
        """Serve who connects to these listeners."""
        await trio.serve_listeners(self.accept, listeners)

    @enable_ki_protection
    async def accept(self, stream: trio.abc.Stream) -> None:
        """Serve who has come, if it proves to be a peer. Nothing that it does is an error here."""
        whom, _ = peer_of(stream)
        if self._half_open >= HALF_OPEN:
            self._note(f"has refused {whom}: there are {HALF_OPEN} unfinished handshakes")
            await trio.aclose_forcefully(stream)
            return
        made: tuple[trio.abc.Stream, Connected] | None = None
        why = f"its handshake took longer than {HANDSHAKE:g} s"
        self._half_open += 1
        try:
            with trio.move_on_after(HANDSHAKE):
                try:
                    made = await self._take(stream)
                except GivenWay:
                    why = ""
                except FAILURES as exc:
                    why = _text_of(exc)
                except Exception as exc:  # of `allow`
                    why = bounded(exc)
        finally:
            self._half_open -= 1
            if made is None:
                await trio.aclose_forcefully(stream)
        if made is not None:
            await self._serve(self._node.peer(made[1].peer.name), *made)
        elif why:
            self._note(f"has refused {whom}: {why}")

    def _note(self, what: str) -> None:
        text = f"node {self._node.name} {what}"
        self._node.runtime.events.emit("notice", NoticeReport(self._node.pid, text))

    async def _take(self, stream: trio.abc.Stream) -> tuple[trio.abc.Stream, Connected]:
        stream = await accept_stream(stream, self._node.options)
        shake = Acceptor(self._local, width=_width(stream))
        coming = trio.Event()
        said: list[str] = []
        names: list[str] = []

        def answer(name: str) -> Answer:
            said.append(name)
            status = self._status(name)
            if status not in {"nok", "not_allowed"}:
                names.append(name)
                self._coming.setdefault(name, []).append(coming)
            return status

        try:
            connected = await _shake(shake, stream, [], answer)
            await self._give_way(self._node.peer(connected.peer.name))
        except (OSError, trio.BrokenResourceError, Refused) as exc:
            # Of two nodes that connect at once, the other has ended this attempt, and logs nothing;
            # maybe before it said its name.
            peers = self._node.peers
            known = map(peers.get, names) if said else peers.values()
            if any(peer in self._open or peer in self._dials for peer in known):
                raise GivenWay from exc
            raise
        finally:
            for name in names:
                self._coming[name].remove(coming)
                if not self._coming[name]:
                    del self._coming[name]
            coming.set()
        return stream, connected

    def _status(self, name: str) -> Answer:
        """Decide about a node that wants to connect."""
        if not self._node.allows(name):
            return "not_allowed"
        peer = self._node.peers.get(name)  # one that is known, as anybody can say any name
        if peer in self._open:
            return "alive"
        dial = None if peer is None else self._dials.get(peer)
        if dial is None:
            return "ok"
        if keeps_own(self._node.name, name):
            return "nok"
        if not dial.has_given_way:
            dial.has_given_way = True
            dial.attempt.cancel(reason="the other side connects as well, and goes first")
        return "ok_simultaneous"

    async def _give_way(self, peer: RemoteNode) -> None:
        """Close a connection that the other side does not know of any more, and end an attempt."""
        dial = self._dials.pop(peer, None)
        if dial is not None:
            dial.scope.cancel(reason="the other side has connected")
        while (old := self._open.get(peer)) is not None:  # another one may have come meanwhile
            old.close("the node has connected anew")
            await old.over.wait()

    # -- connected -------------------------------------------------------------------------------

    async def _serve(self, peer: RemoteNode, stream: trio.abc.Stream, made: Connected) -> None:
        """Serve a connection until it is lost, and tell everybody of that."""
        node, options = self._node, self._node.options
        connection = Connection(
            peer,
            stream,
            node.new_codec(),
            node.arrivals(peer).take,
            node.turn_end,
            tick=options.tick,
            max_frame=options.max_frame,
        )
        self._open[peer] = connection
        node.came_up(peer, made.peer.creation, connection.write_soon)
        why = "this node ends"
        try:
            why = await connection.run(made.rest)
            if connection.is_logged:
                self._note(f"has closed the connection to {peer.name}: {why}")
        finally:
            del self._open[peer]
            if peer.is_up:  # else everybody has been told
                node.went_down(peer, why)
            connection.over.set()


def _width(stream: trio.abc.Stream) -> Any:
    """Return how many bytes the length of a frame has in the handshake."""
    return 4 if isinstance(stream, trio.SSLStream) else 2


def _text_of(exc: BaseException) -> str:
    return str(exc) or bounded(exc.__cause__ or exc)


async def _shake(
    shake: Any,
    stream: trio.abc.Stream,
    events: list[Any],
    answer: Callable[[str], Answer] | None = None,
) -> Connected:
    """Go through a handshake.

    Raises:
        HandshakeError: it has failed.
        OSError, trio.BrokenResourceError: the connection broke.
    """
    while True:
        events = list(events)
        while events:
            next_one: Event = events.pop(0)
            match next_one:
                case Send(data):
                    await stream.send_all(data)
                case PeerNamed(peer):
                    assert answer is not None
                    status = answer(peer.name)
                    events += shake.answer(status)
                    if status in {"nok", "not_allowed"}:
                        for event in events:
                            await stream.send_all(event.data)
                        raise _ENDS[status](f"{peer.name} was told {status}")
                case Connected() as connected:
                    return connected
        data = bytes(await stream.receive_some(_RECEIVE))
        if not data:
            raise Refused("it has closed the connection in the handshake")
        events = shake.feed(data)
