"""Helper tasks of a process, for what would keep it from its messages; they end with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Helpers:
    """The helper tasks of one process, in its nursery."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._scopes: dict[trio.CancelScope, None] = {}
        self._none_left = trio.Event()

    @enable_ki_protection
    def start(self, function: Callable[[int], Awaitable[None]], number: int) -> None:
        """Call an async function in a task of its own."""
        scope = trio.CancelScope()
        self._scopes[scope] = None
        self._nursery.start_soon(self._run, scope, function, number)

    @enable_ki_protection
    async def _run(
        self, scope: trio.CancelScope, function: Callable[[int], Awaitable[None]], number: int
    ) -> None:
        try:
            with scope:
                await function(number)
        finally:
            del self._scopes[scope]
            self._none_left.set()

    @enable_ki_protection
    def cancel(self) -> None:
        """Cancel all of them; the process that ends starts no more."""
        for scope in self._scopes:
            scope.cancel(reason="the process that it helps has ended")

    async def wait_for_end(self) -> None:
        """Wait until none is left."""
        while self._scopes:
            self._none_left = trio.Event()
            await self._none_left.wait()
