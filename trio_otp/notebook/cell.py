"""A cell: a coroutine of IPython that runs in the loop while another thread waits for it."""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import outcome
import trio

from .._exits.bare import is_cancellation

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from .._process.process import Process

CHECK = 0.5  # seconds; where a lock cannot be interrupted, an interrupt is seen this late

LEFT_OPEN = (
    "a block that a cell enters has to be left in the same cell, and this one left one open; its "
    "tasks were cancelled. What shall live on is started with otp.start_link, otp.start or "
    "otp.spawn"
)


class Cell:
    """One execution of a cell."""

    def __init__(self, coro: Coroutine[Any, Any, Any]) -> None:
        self.coro: Any = coro
        # says which cell its output belongs to
        self.shell_context: contextvars.Context = contextvars.copy_context()
        self.heard: threading.Event = threading.Event()  # the loop knows of the interrupt
        self.begun = False
        self.interrupted = False
        self.done: bool = False  # it has ended, with all that it had to clean up
        self._end = threading.Lock()  # an Event can be left half set by an interrupt
        self._end.acquire()
        self._result: outcome.Outcome[Any] | None = None
        self._scope = trio.CancelScope()

    def wait(self) -> Any:
        """Wait for its end, in another thread, and give what IPython made of it."""
        __tracebackhide__ = True
        while not self.done:
            self._end.acquire(timeout=CHECK)
        assert self._result is not None
        return self._result.unwrap()

    def cancel(self) -> None:
        """Cancel it, whether it has begun or not; in the loop."""
        self.heard.set()
        self._scope.cancel(reason="the cell was interrupted")

    def fail(self, error: BaseException) -> None:
        """End it with an error, unless it has a result."""
        if not self.done:  # pragma: no branch - those that are done are not asked
            self._result = self._result or outcome.Error(error)
            self._finish()

    async def run(self, process: Process, context: contextvars.Context) -> None:
        """Run it as the task of a process and in a context, in the loop."""
        root = process.task
        try:
            # A nursery of its own keeps the error of a task that leaves a block open.
            async with trio.open_nursery() as nursery:  # noqa: ASYNC112 - see above
                nursery.start_soon(self._body, process, context)
        except BaseExceptionGroup:
            self._result = outcome.Error(RuntimeError(LEFT_OPEN))
        finally:
            process.task = root
            self._finish()

    async def _body(self, process: Process, context: contextvars.Context) -> None:
        process.task = task = trio.lowlevel.current_task()
        _cells[task] = self
        # A task is started in a copy of a context; this takes effect with its next step.
        task.context = context
        await trio.lowlevel.cancel_shielded_checkpoint()
        with self._scope:
            self._result = await outcome.acapture(_awaited, self.coro)
            self._show_interrupt(self._result)

    def _show_interrupt(self, result: outcome.Outcome[Any]) -> None:
        """Name in the reply to the client what has happened, and not how."""
        if isinstance(result, outcome.Value) and self.cancelled_by(result.value.error_in_exec):
            result.value.error_in_exec = KeyboardInterrupt()

    def cancelled_by(self, error: BaseException | None) -> bool:
        """Check whether an error is the cancellation of an interrupt and nothing else."""
        return self.interrupted and error is not None and is_cancellation(error)

    def _finish(self) -> None:
        self.coro.close()
        self.done = True
        self._end.release()


_cells: WeakKeyDictionary[trio.lowlevel.Task, Cell] = WeakKeyDictionary()  # {its task: a cell}


def current_cell() -> Cell | None:
    """Return the cell whose own task runs this code."""
    return _cells.get(trio.lowlevel.current_task()) if trio.lowlevel.in_trio_task() else None


async def _awaited(coro: Coroutine[Any, Any, Any]) -> Any:
    return await coro
