"""The program of a peer, which `Peer` starts by `peer_boot.COMMAND`.

It reads what it is told, opens its node, connects to its parent, and runs the `main` of a module
until that returns, SIGTERM or SIGINT come, or the parent is gone.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from .._behaviour.messages import log_unexpected
from .._behaviour.results import refuse_call
from .._gen_server.decorators import on_call_deferred, on_cast
from .._gen_server.server import GenServer, reply
from .._process.runtime import need_process
from .._start.arguments import takes_task_status
from .._start.child import child
from .._supervisor.open_supervisor import open_supervisor
from .functions import connect
from .neighbours import Neighbours
from .node_block import open_with
from .options import Options
from .peer_boot import GATE, Boot, find_main

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .._behaviour.results import Reply
    from .._process.request import From


class Gate(GenServer):
    """Tells the parent when `main` has started, and hears that it knows.

    Args:
        go: set when the parent knows.
    """

    def __init__(self, go: trio.Event) -> None:
        self._go = go
        self._asking: list[From[None]] = []
        self._has_started = False

    @on_call_deferred
    def wait_started(self, from_: From[None]) -> None:
        """Answer as soon as it has started."""
        self._asking.append(from_)
        self._answer()

    @on_cast
    def started(self) -> None:
        """Answer all that ask, from now on."""
        self._has_started = True
        self._answer()

    @on_cast
    def go(self) -> None:
        """Let `main` begin that says nothing of its start."""
        self._go.set()

    def handle_call(self, request: object, from_: object) -> Reply[Any]:
        """Refuse what is none of these; several crashes would end the peer."""
        return refuse_call("the server of a peer", request)

    def handle_cast(self, message: object) -> None:
        """Log what is none of these."""
        log_unexpected(need_process("Gate"), message)

    def _answer(self) -> None:
        while self._has_started and self._asking:
            reply(self._asking.pop(), None)


def run(line: bytes) -> None:
    """Run a peer that is told so."""
    boot = Boot.from_line(line)
    try:
        main = find_main(boot.main)
    except LookupError as exc:
        sys.exit(str(exc))
    trio.run(run_peer, boot, main)


async def run_peer(boot: Boot, main: Callable[..., Awaitable[object]]) -> None:
    """Open the node, and run `main` in it."""
    neighbours, go = Neighbours(Path(boot.directory)), trio.Event()
    options = Options(
        boot.node,
        boot.cookie.encode("latin-1"),
        listen=neighbours.path_of(boot.node),
        resolve=neighbours.address_of,
        tick=boot.tick,
        max_frame=boot.max_frame,
    )
    async with (
        open_with(options),
        open_supervisor([child(Gate, go).having(name=GATE)]),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(_end_on_signals, nursery.cancel_scope)
        nursery.start_soon(_end_with_parent, nursery.cancel_scope)
        await connect(boot.parent)
        await _run_main(main, go)
        nursery.cancel_scope.cancel()


async def _run_main(main: Callable[..., Awaitable[object]], go: trio.Event) -> None:
    """Run it, and tell when it has started."""
    gate = Gate.at(GATE)
    if not takes_task_status(main):
        gate.started()
        await go.wait()  # or the end of a short one could be faster than the news of its start
        await main()
        return
    async with trio.open_nursery() as nursery:
        await nursery.start(main)
        gate.started()


async def _end_on_signals(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            scope.cancel(reason=signal.Signals(number).name)


async def _end_with_parent(scope: trio.CancelScope) -> None:
    """End when the parent is gone, which has the other end of our stdin."""
    await trio.to_thread.run_sync(_read_on, abandon_on_cancel=True)
    scope.cancel(reason="the parent is gone")


def _read_on() -> None:
    """Read stdin to its end; not through `sys.stdin`, whose lock a thread would keep at the end."""
    while os.read(0, 4096):
        pass
