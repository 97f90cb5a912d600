"""The request of one client for a worker of a pool, and its wait for one."""

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


class CheckoutQueue(AnyOf):
    """The queue of clients that wait for a worker, first come, first served."""

    __slots__ = ()

    @abstractmethod
    def leave(self, request: CheckoutRequest) -> None:
        """Remove a request whose client no longer waits."""

    @abstractmethod
    def timeout_error(self, request: CheckoutRequest) -> Exception:
        """Return the error for a request that has timed out."""


class CheckoutRequest:
    """One client's request: what its task wakes with, and what ends its wait."""

    __slots__ = ("_fifo", "_queue", "_task", "holder", "lease", "ref", "since", "timeout")

    def __init__(self, queue: CheckoutQueue, ref: object, timeout: float | None) -> None:
        self.ref = ref  # with which the client named the pool
        self.timeout = math.inf if timeout is None else timeout
        self.since = trio.current_time()
        self.holder = Holder()
        self.lease: Lease | None = None
        self._queue = queue
        self._task: trio.lowlevel.Task | None = None  # while it waits
        self._fifo: Any = None

    def take(self, lease: Lease) -> None:
        """Wake the client with a worker."""
        self.lease = lease
        self._wake(None)

    def fail(self, error: Exception) -> None:
        """Wake the client with an error; the request has left the queue already."""
        self._wake(outcome.Error(error))

    def _wake(self, result: outcome.Error | None) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._end_wait()
            reschedule(task, result or outcome.Value(None))

    async def wait(self) -> None:
        """Wait for a worker.

        Raises:
            CheckoutTimeout: no worker was free in time.
            DeadlockError: no worker would ever be free.
            ServerExited: the pool ended.
        """
        queue = self._queue
        left = self.since + self.timeout - trio.current_time()
        error: Exception | None = queue.timeout_error(self) if left <= 0 else None
        error = error or refuse_choice(self.holder.node, queue, self.ref)
        if error is not None:
            queue.leave(self)
            await cancel_shielded_checkpoint()
            raise error
        if left != math.inf:
            self._fifo = queue.process.runtime.timers.limit(self, left)
        self.holder.node.waits_for = queue
        self._task = trio.lowlevel.current_task()
        await wait_task_rescheduled(self._abort)

    def expire(self) -> None:
        """End the wait with a time-out."""
        self._queue.leave(self)
        self.fail(self._queue.timeout_error(self))

    def _abort(self, _raise_cancel: Callable[[], Any]) -> Abort:
        task, self._task = self._task, None
        if task is None:  # it is being woken
            return Abort.FAILED
        self._end_wait()
        self._queue.leave(self)
        return Abort.SUCCEEDED

    def _end_wait(self) -> None:
        self.holder.node.waits_for = None
        if self._fifo is not None:
            self._fifo.pop(self, None)
            self._fifo = None
