"""A cable between two nodes: what goes through it can be held or cut."""

from __future__ import annotations

from typing import Any

import trio


class Relay:
    """Passes on what is sent to a port to another one.

    Args:
        target: where that is.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.address: Any = None
        self._target = target
        self._open = trio.Event()
        self._open.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Pass on, until it is cancelled."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.address = listeners[0].socket.getsockname()
        task_status.started()
        await trio.serve_listeners(self._pass, listeners)

    def hold(self) -> None:
        """Pass on nothing more, as a cable that is pulled out."""
        self._open = trio.Event()

    def let_go(self) -> None:
        """Pass on again, also what has been held."""
        self._open.set()

    async def _pass(self, near: trio.SocketStream) -> None:
        far = await trio.open_tcp_stream(*self._target)
        async with near, far, trio.open_nursery() as nursery:
            nursery.start_soon(self._copy, near, far, nursery)
            nursery.start_soon(self._copy, far, near, nursery)

    async def _copy(
        self, source: trio.SocketStream, sink: trio.SocketStream, nursery: trio.Nursery
    ) -> None:
        try:
            while data := await source.receive_some():
                await self._open.wait()
                await sink.send_all(data)
        except trio.BrokenResourceError:
            pass
        nursery.cancel_scope.cancel()
