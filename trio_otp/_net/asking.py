"""One client that asks a pool for a worker, and waits for its turn."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import outcome
import trio
from trio.lowlevel import Abort, cancel_shielded_checkpoint, reschedule, wait_task_rescheduled

from .._process.wait_edges import AnyOf, refuse_choice
from .holders import Holder

if TYPE_CHECKING:
    from collections.abc import Callable

    from .lease import Lease


class Line(AnyOf):
    """Where clients wait for a worker, first come first served."""

    __slots__ = ()

    @abstractmethod
    def leave(self, asking: Asking) -> None:
        """Forget a client that waits no more."""

    @abstractmethod
    def too_late(self, asking: Asking) -> Exception:
        """Return the error of a client whose time is up."""


class Asking:
    """One client in line: what it is woken with, and what ends its wait."""

    __slots__ = ("_fifo", "_line", "_task", "holder", "lease", "ref", "since", "timeout")

    def __init__(self, line: Line, ref: object, timeout: float | None) -> None:
        self.ref = ref  # by which the pool is known to it
        self.timeout = math.inf if timeout is None else timeout
        self.since = trio.current_time()
        self.holder = Holder()
        self.lease: Lease | None = None
        self._line = line
        self._task: trio.lowlevel.Task | None = None  # while it waits
        self._fifo: Any = None

    def take(self, lease: Lease) -> None:
        """Get a worker."""
        self.lease = lease
        self._wake(None)

    def fail(self, error: Exception) -> None:
        """Get an error instead; it has left the line."""
        self._wake(outcome.Error(error))

    def _wake(self, result: outcome.Error | None) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._end_wait()
            reschedule(task, result or outcome.Value(None))

    async def wait(self) -> None:
        """Wait for a worker.

        Raises:
            CheckoutTimeout: none was free in time.
            DeadlockError: none ever will be.
            ServerExited: the pool ended.
        """
        line = self._line
        left = self.since + self.timeout - trio.current_time()
        error: Exception | None = line.too_late(self) if left <= 0 else None
        error = error or refuse_choice(self.holder.node, line, self.ref)
        if error is not None:
            line.leave(self)
            await cancel_shielded_checkpoint()
            raise error
        if left != math.inf:
            self._fifo = line.process.runtime.timers.limit(self, left)
        self.holder.node.waits_for = line
        self._task = trio.lowlevel.current_task()
        await wait_task_rescheduled(self._abort)

    def expire(self) -> None:
        """The time is up."""
        self._line.leave(self)
        self.fail(self._line.too_late(self))

    def _abort(self, _raise_cancel: Callable[[], Any]) -> Abort:
        self._task = None
        self._end_wait()
        self._line.leave(self)
        return Abort.SUCCEEDED

    def _end_wait(self) -> None:
        self.holder.node.waits_for = None
        if self._fifo is not None:
            self._fifo.pop(self, None)
            self._fifo = None
