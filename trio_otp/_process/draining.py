"""Draining: code that is to end soon is asked to finish its work before it is cancelled.

A supervisor of connections drains what lives in it before it cancels anything, and so does an
application. `is_draining`, `wait_draining` and `move_on_when_draining` are about the nearest of
these that the running task lives in.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import enable_ki_protection

from .._util.public import public
from .runtime import need_task, runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager
    from types import TracebackType


class Draining:
    """The draining of one nursery: whether it has begun, and the scopes that it cancels.

    Args:
        nursery: where it lives.
        is_waited_for: whether something lives there that will get time to end, if there is any.
    """

    def __init__(
        self, nursery: trio.Nursery, is_waited_for: Callable[[], bool] = lambda: False
    ) -> None:
        self._nursery = nursery
        self.is_waited_for = is_waited_for
        self._drains: _Drains = _of_run()
        self._drains.by_nursery[nursery] = self
        self._begun: trio.Event = trio.Event()
        self._idle: set[trio.CancelScope] = set()  # those that are cancelled when it begins
        self._limit: trio.CancelScope | None = None  # while it is waited for what is in hand
        self._deadline: float = math.inf

    @enable_ki_protection
    def forget(self) -> None:
        """Forget it: nothing lives in the nursery any more."""
        self._drains.by_nursery.pop(self._nursery, None)

    @property
    def has_begun(self) -> bool:
        """Whether what lives in the nursery is to end."""
        return self._begun.is_set()

    @enable_ki_protection
    def begin(self) -> None:
        """Begin: wake what waits for it, and cancel the scopes of `move_on_when_draining`."""
        self._begun.set()
        for scope in self._idle:
            scope.cancel(reason="draining")

    async def wait(self) -> None:
        """Wait until it begins."""
        await self._begun.wait()

    @enable_ki_protection
    def add(self, scope: trio.CancelScope) -> None:
        """Cancel a scope when it begins, or at once if it has begun."""
        self._idle.add(scope)
        if self.has_begun:
            scope.cancel(reason="draining")

    @enable_ki_protection
    def remove(self, scope: trio.CancelScope) -> None:
        """Forget a scope that was left."""
        self._idle.discard(scope)

    @contextmanager
    def limit(self, timeout: float | None) -> Generator[None]:
        """Limit the wait for what is in hand; it counts from the first one, and can be cut."""
        if timeout is not None:
            self._deadline = min(self._deadline, trio.current_time() + timeout)
        self._limit = trio.CancelScope(deadline=self._deadline)
        if self._drains.cut:
            self.cut()
        try:
            with self._limit:
                yield
        finally:
            self._limit = None

    def cut(self) -> None:
        """Wait no longer for what is in hand."""
        if self._limit is not None:
            self._limit.cancel(reason="draining is cut short")


class _Drains:
    """What there is of one run."""

    def __init__(self) -> None:
        self.by_nursery: dict[trio.Nursery, Draining] = {}
        self.cut: bool = False  # nothing is waited for any more


_KEY: Final = "draining"


def _of_run() -> _Drains:
    extras = runtime().extras
    if _KEY not in extras:
        extras[_KEY] = _Drains()
    found: _Drains = extras[_KEY]
    return found


@enable_ki_protection
def cut_draining() -> bool:
    """Cut all draining of this run short, now and later; return False if there is nothing to cut.

    It does not matter whether it has begun: the caller does not know what is stopped when.
    """
    drains = _of_run()
    if not any(draining.is_waited_for() for draining in drains.by_nursery.values()):
        return False
    drains.cut = True
    for draining in drains.by_nursery.values():
        draining.cut()
    return True


def _nearest() -> Draining | None:
    """Return the draining of the nearest nursery that the running task lives in."""
    nursery = need_task().parent_nursery
    by_nursery = _of_run().by_nursery
    while nursery is not None and nursery not in by_nursery:
        nursery = nursery.parent_task.parent_nursery
    return None if nursery is None else by_nursery[nursery]


@public
def is_draining() -> bool:
    """Check whether the service or application that this code runs in is draining.

    That is the nearest `otp.ConnectionSupervisor` above; elsewhere the application, which drains
    from the moment its stop begins. Where there is neither, the answer is False.

    Raises:
        NotInRun: no Trio task runs this.

    >>> import trio, trio_otp as otp
    >>> async def main():
    ...     print(otp.is_draining())  # as in a test of a handler: nothing above will end
    >>> trio.run(main)
    False

    Follows: `ranch:get_status/1` of Ranch.
    """
    draining = _nearest()
    return draining is not None and draining.has_begun


@public
async def wait_draining() -> None:
    """Wait until the service or application that this code runs in is draining.

    Where there is neither a `ConnectionSupervisor` nor an application above, it waits for ever.

    Raises:
        NotInRun: no Trio task runs this.

    >>> import trio_otp as otp
    >>> async def watch(websocket):  # beside the reader, in the nursery of a handler
    ...     await otp.wait_draining()
    ...     await websocket.aclose(1001, "going away")

    Follows: `trio.Event.wait`.
    """
    draining = _nearest()
    if draining is None:
        await trio.sleep_forever()
    else:
        await draining.wait()


class _MoveOn:
    """The block of `move_on_when_draining`."""

    __slots__ = ("_draining", "_scope")

    def __init__(self, draining: Draining | None) -> None:
        self._draining = draining
        self._scope = trio.CancelScope()

    @enable_ki_protection
    def __enter__(self) -> trio.CancelScope:
        self._scope.__enter__()
        if self._draining is not None:
            self._draining.add(self._scope)
        return self._scope

    @enable_ki_protection
    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if self._draining is not None:
            self._draining.remove(self._scope)
        return self._scope.__exit__(kind, exc, traceback)


@public
def move_on_when_draining() -> AbstractContextManager[trio.CancelScope, bool]:
    """Return a cancel scope that is cancelled when draining begins, as `is_draining` reports it.

    Put it around the wait for the next request, and never around work that must not be lost
    half-way: like any cancellation, it interrupts whatever the block waits for. If draining has
    begun already, the block ends at its first checkpoint.

    Raises:
        NotInRun: no Trio task runs this.

    >>> import trio_otp as otp
    >>> async def serve_requests(stream):
    ...     while True:
    ...         request = b""
    ...         with otp.move_on_when_draining():
    ...             request = await stream.receive_some()
    ...         if not request:
    ...             return
    ...         await stream.send_all(b"done: " + request)  # what has begun is finished

    Follows: `trio.move_on_after`.
    """
    return _MoveOn(_nearest())
