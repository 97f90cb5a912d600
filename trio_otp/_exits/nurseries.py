"""The nurseries and cancel scopes of the library's blocks: what leaves them is bare and whole.

A cancelled scope of Trio takes a group apart and builds another, of another class perhaps. So what
the body of a block has raised is kept here, and Trio is told of the rest alone.

Follows: `trio.open_nursery`, `trio.CancelScope`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from .bare import as_group, essence, has_cancellation, publish, raise_bare

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType


class OwnNursery:
    """A nursery of the library: `trio.open_nursery()`, whose errors leave it bare and whole."""

    __slots__ = ("_manager", "_nursery")

    def __init__(self) -> None:
        # Strict whatever the run is: a bare error could not be told from a user's group.
        self._manager: AbstractAsyncContextManager[trio.Nursery] = trio.open_nursery(
            strict_exception_groups=True
        )
        self._nursery: trio.Nursery

    @enable_ki_protection
    async def __aenter__(self) -> trio.Nursery:
        self._nursery = await self._manager.__aenter__()
        return self._nursery

    @enable_ki_protection
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        errors: list[BaseException] = []
        try:
            if exc is None or has_cancellation(exc):
                errors += await self._close(kind, exc, traceback)
            else:  # a scope of Trio that is cancelled would take a group apart
                self._nursery.cancel_scope.cancel(reason="the body of the nursery has raised")
                errors += [exc, *await self._close(None, None, None)]
            if not errors:
                return True
            error = publish(essence(errors))
            if error is exc:
                return False
            raise_bare(error)
        finally:
            del exc, traceback, errors  # else the frame and the traceback keep each other alive

    async def _close(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> list[BaseException]:
        """Wait for the end of what runs in the nursery; return what it has raised."""
        try:
            await self._manager.__aexit__(kind, exc, traceback)
        except BaseExceptionGroup as group:
            return list(group.exceptions)
        return []


class WholeScope:
    """Enters a cancel scope that hands on whole a group without a cancellation in it."""

    __slots__ = ("_scope",)

    def __init__(self, scope: trio.CancelScope) -> None:
        self._scope = scope

    def __enter__(self) -> trio.CancelScope:
        return self._scope.__enter__()

    @enable_ki_protection
    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if exc is not None and as_group(exc) is not None and not has_cancellation(exc):
            self._scope.__exit__(None, None, None)
            return False
        return bool(self._scope.__exit__(kind, exc, traceback))
