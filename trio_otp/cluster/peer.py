"""Peer: a node as a program of the operating system, started and supervised by this one.

**Why.** A Python process has one interpreter lock, so it computes on one core. A peer has a Python
of its own. What it serves is called as any server of another node is, and a crash of it, as a
segmentation fault in a library, ends nothing here. In tests it is the other node.

**What it runs** is an `async def main()` of a module, in plain Trio code, inside of a node. If
`main` takes `task_status` the peer has started when that is called, and at once otherwise. When it
returns the peer ends, with the reason `NORMAL`.

**How it is reached**: over Unix sockets in a directory of this node that nobody else may open; so
it needs no epmd and no TLS. It knows this node and its other peers, under the cookie of this node.

**Client side** there is `node`, which returns the name of the node; servers in it are
`("counter", node)`.

**Its end** is that of an `otp.Port`: SIGTERM cancels `main`, and SIGKILL follows after `shutdown`.
It does not outlive this program, however that ends, nor the node that it belongs to: when that is
closed or started anew the reason is `NOCONNECTION`.

**Supervise** it as a server: `otp.child(otp.cluster.Peer, "my.module:main").having(name="w1")`
starts the node `w1@host`, with the host of this one.

**When not to use it.** For one computation, `trio.to_thread.run_sync` if the library lets go of the
interpreter lock, or a process pool. What is sent to a peer is copied, over a socket.

Follows: Erlang's `peer`.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import enable_ki_protection

from .._behaviour.results import Stop
from .._exits.call_errors import CallError
from .._exits.errors import StartError
from .._exits.reasons import NOCONNECTION
from .._gen_server.decorators import on_call
from .._gen_server.server import call, cast
from .._port.os_process import ExitStatus
from .._port.port import Port
from .._process.receive import receive
from .._process.runtime import need_process
from .._util.bounded import bounded
from .._util.public import public_in
from .neighbours import Neighbours
from .node_events import Nodedown, Nodeup
from .opening import node_of_run
from .peer_boot import COMMAND, GATE, Boot, own_path, split_main
from .wire.handshake import is_node_name
from .wire.terms import Atom

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from .._port.os_process import Stderr, Stdout
    from .._process.names import Ref
    from .local_node import LocalNode


class _End(enum.Enum):
    """What it hears of, and reports show as its last message."""

    PROGRAM = "the program has ended"
    NODE = "the node that it belongs to has ended"

    def __repr__(self) -> str:
        return f"<{self.value}>"


@public_in("cluster")
class Peer(Port):
    """A node as a program of the operating system.

    Args:
        main: the async function that it runs, as `"my.module:main"`.
        node: the name of its node, with or without a host; the `name=` of the child if left out.
        stdout: where its output goes, as of `otp.Port`.
        stderr: the same.
        owner: who gets the lines, as of `otp.Port`.
        cwd: the directory it runs in; ours if left out.
        env: its environment; ours if left out.

    Raises:
        StartError: this run is no node, or the peer has ended before it could be reached; its
            `reason` is then its `otp.ExitStatus`, with the last lines of its output.
    """

    def __init__(
        self,
        main: str,
        *,
        node: str | None = None,
        stdout: Stdout = "log",
        stderr: Stderr = "log",
        owner: Ref | None = None,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        split_main(main)
        super().__init__(COMMAND, stdout=stdout, stderr=stderr, owner=owner, cwd=cwd, env=env)
        self._main = main
        self._node = _node_name(node)

    @on_call
    def node(self) -> str:
        """Return the name of its node.

        Raises:
            ServerExited, NoProcess, CallTimeout: as `otp.call`.
        """
        return self._node

    @enable_ki_protection
    async def init(self) -> Any:
        """Start the program, and wait until what it runs has started."""
        own = node_of_run()
        own.watch(self._process, True)
        boot = self._boot(own)
        self._tasks.start_soon(self._tell_gone)
        self._tasks.start_soon(self._tell_closed, own)
        await super().init()
        assert self._os is not None
        try:
            await self._os.stdin.send_all(boot.to_line())
            await self._connected()
            await call((GATE, self._node), Atom("wait_started"), timeout=None)
            cast((GATE, self._node), Atom("go"))
        except (trio.BrokenResourceError, CallError):  # it has ended
            return Stop(self._end(await receive(self._is_gone)))
        finally:
            own.watch(self._process, False)
        return None

    async def _connected(self) -> None:
        """Wait until its node has connected to ours, or it has ended."""

        def is_news(message: Any) -> bool:
            is_up = message.__class__ is Nodeup and message.node == self._node
            return is_up or self._is_gone(message)

        news = await receive(is_news)
        if self._is_gone(news):
            self._process.mailbox.put(news)
            raise trio.BrokenResourceError

    def _is_gone(self, message: Any) -> bool:
        """Check whether it says that the program has ended, or the node that it belongs to."""
        return isinstance(message, _End)

    def _boot(self, own: LocalNode) -> Boot:
        """Take the name of the node; return what it is told."""
        neighbours = _neighbours_of(own)
        neighbours.take_name(self._node)
        self._neighbours = neighbours
        return Boot(
            main=self._main,
            node=self._node,
            parent=own.name,
            cookie=own.options.cookie.decode("latin-1"),
            directory=str(neighbours.directory),
            tick=own.options.tick,
            max_frame=own.options.max_frame,
            path=own_path(),
        )

    async def _tell_gone(self) -> None:
        """Tell its own init of the end of the program; hold the name until the very end."""
        try:
            await self._gone.wait()
            self._process.mailbox.put(_End.PROGRAM)
            await trio.sleep_forever()
        finally:
            self._neighbours.names.discard(self._node)

    async def _tell_closed(self, node: LocalNode) -> None:
        """Put a message into its own mailbox when the node that it belongs to has closed."""
        await node.closed.wait()
        self._process.mailbox.put(_End.NODE)

    def _end(self, news: object) -> object:
        """Return why it has ended before it had started."""
        if news is _End.NODE:
            return NOCONNECTION
        assert self._os is not None
        assert self._os.returncode is not None
        return ExitStatus(self._os.returncode, tuple(self._last))

    def handle_info(self, message: Any) -> Any:
        """End with the processes it is linked to.

        Args:
            message: an `Exit`, or what nobody expects, which is logged.

        Returns:
            None or `Stop(reason)`.
        """
        if message is _End.PROGRAM or message.__class__ in {Nodeup, Nodedown}:  # of the start
            return None
        if message is _End.NODE:
            return Stop(NOCONNECTION)
        return super().handle_info(message)


def _node_name(given: str | None) -> str:
    """Return the whole name of a node, from what was given or the name of the process."""
    name = need_process("Peer").name if given is None else given
    if not isinstance(name, str):
        line = 'otp.child(otp.cluster.Peer, "my.module:main").having(name="w1")'
        raise TypeError(f"node={bounded(name)}: expected the name of a node; write {line}")
    whole = name if "@" in name else f"{name}@{node_of_run().options.host}"
    if not is_node_name(whole):
        raise ValueError(f"node={bounded(name)}: expected the name of a node, as w1 or w1@host")
    return whole


def _neighbours_of(node: LocalNode) -> Neighbours:
    """Return the neighbours of the node of this run, which listens to them from now on.

    Raises:
        StartError: there are no Unix sockets, or the directory cannot be made.
    """
    if node.neighbours is None:
        try:
            made, listener = Neighbours.make(node.name)
        except (OSError, ImportError, AttributeError) as exc:  # the latter two of Windows
            raise StartError(exc, "the directory of peers") from exc
        node.neighbours = made  # from now on it goes with the node
        node.serve(trio.SocketListener(trio.socket.from_stdlib_socket(listener)))
    return node.neighbours
