"""A block, in which applications live: what `open_application` opens.

It owns their nursery, and stops them in reverse start order when it is left.
"""

from __future__ import annotations

import contextvars
import math
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.bare import raise_beside
from .._exits.nurseries import OwnNursery, WholeScope
from .._exits.reasons import SHUTDOWN
from .._process.runtime import calling_process
from .._process.wait_edges import leave_wait, set_wait
from .callback import Callback
from .controller import controller

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from .._process.process import Process
    from .base import Application
    from .controller import Controller
    from .master import Master


class ApplicationBlock:
    """What one block has started, oldest first."""

    nursery: trio.Nursery
    main: type[Application] | None = None  # the application that it is there for, if it is for one

    def __init__(
        self, controller: Controller, shutdown_func: Callable[[object], object] | None = None
    ) -> None:
        self.controller = controller
        self.shutdown_func = shutdown_func
        self.body = trio.CancelScope()
        self.masters: dict[Master, None] = {}
        self.failed: Master | None = None
        self.leave = trio.Event()
        self._call = Callback(self.blame, shield=False)  # the limit of the shutdown counts

    def add(self, master: Master) -> None:
        """Start the task of an application, in a blank context."""
        self.masters[master] = None
        self.controller.masters[master.name] = master
        start_soon = partial(self.nursery.start_soon, master.run, name=f"<app {master.name}>")
        contextvars.Context().run(start_soon)

    def forget(self, master: Master) -> None:
        """Forget an application that is gone."""
        del self.masters[master]
        del self.controller.masters[master.name]
        self.controller.environment(master.name).give({})

    def fail(self, master: Master) -> None:
        """End the block, because it cannot go on without this application."""
        if self.failed is None and not self.leave.is_set():
            self.failed = master
            self.body.cancel(reason=f"application {master.name!r} has ended")

    def blame(self) -> None:
        """Record that a callback has failed, or was cut short: it was no clean end."""
        self.controller.clean = False

    @enable_ki_protection
    async def close(self, timeout: float | None) -> None:
        """Wait until the block is left; then stop what runs in reverse start order.

        A task of its own does this: a Ctrl-C that hits the main task does not break it off.

        Args:
            timeout: seconds after which what is left is killed.
        """
        with trio.CancelScope(shield=True):
            await self.leave.wait()
            for master in self.masters:
                master.drain()
            with trio.move_on_after(math.inf if timeout is None else timeout) as limit:
                try:
                    await self._announce()
                finally:
                    await self._stop_all()
            if limit.cancelled_caught:
                self.cut()
                await self._stop_all()

    async def _announce(self) -> None:
        """Call the function of the user that is to know before anything stops."""
        if self.shutdown_func is not None:
            reason = SHUTDOWN if self.failed is None else self.failed.error()
            await self._call.run(partial(self.shutdown_func, reason), "shutdown_func")

    async def _stop_all(self) -> None:
        while self.masters:
            await next(reversed(self.masters)).end()

    def cut(self) -> None:
        """Kill what is left."""
        self.blame()
        self._call.cut()
        for master in reversed(list(self.masters)):
            master.cut()


@asynccontextmanager
@enable_ki_protection
async def open_block(
    shutdown_timeout: float | None = None,
    shutdown_func: Callable[[object], object] | None = None,
) -> AsyncGenerator[ApplicationBlock]:
    """Allow starting applications while the block runs; leaving it stops them.

    Raises:
        ApplicationExited: one that the block needs ended by itself, and the block was cancelled.
    """
    owner = controller()
    block = ApplicationBlock(owner, shutdown_func)
    waiter: Process | None = None  # while it waits for the end of all
    owner.blocks.append(block)
    try:
        async with OwnNursery() as nursery:
            block.nursery = nursery
            nursery.start_soon(block.close, shutdown_timeout)
            try:
                with WholeScope(block.body):
                    yield block
            finally:
                tops = [master.top for master in block.masters if master.top is not None]
                waiter = set_wait(calling_process(), dict.fromkeys(tops))
                block.leave.set()
    except BaseException as exc:  # noqa: ASYNC103 - `raise_beside` raises it
        if block.failed is None:
            raise
        raise_beside(exc, block.failed.error())
    finally:
        leave_wait(waiter)
        owner.blocks.remove(block)
    if block.failed is not None:
        raise block.failed.error()
