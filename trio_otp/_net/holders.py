"""The holders of workers of a pool, and the clients that wait: processes, or plain Trio tasks.

A plain task is no part of the wait-for edges of calls. But if it holds a worker and waits for
another, or in a call, nobody else can give back what it holds. So while it holds or wants a worker,
an object stands for it, which says what it waits for as a process does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from .._process.runtime import calling_process, runtime
from .._util.bounded import Note

if TYPE_CHECKING:
    from .._process.process import Process
    from .._process.wait_edges import AnyOf


class PlainTask:
    """A plain Trio task while it holds or wants workers."""

    __slots__ = ("pid", "uses", "waits_for")

    is_interrupted = False  # unknown; a wait that is cancelled is over at once

    def __init__(self, task: trio.lowlevel.Task) -> None:
        self.pid = Note(f"<task {task.name}>")  # what a circle shows of it
        self.waits_for: AnyOf | Process | None = None
        self.uses = 0  # of workers that it holds or wants


class Holder:
    """The holder of one worker, or the client that waits for one."""

    __slots__ = ("_task", "node")

    def __init__(self) -> None:
        self._task = trio.lowlevel.current_task()
        self.node: Process | PlainTask = calling_process() or self._plain()

    def _plain(self) -> PlainTask:
        node: PlainTask = runtime().plain_tasks.setdefault(self._task, PlainTask(self._task))
        node.uses += 1
        return node

    def release(self) -> None:
        """Record that it neither holds nor wants that worker any more."""
        if isinstance(self.node, PlainTask):
            self.node.uses -= 1
            if not self.node.uses:
                runtime().plain_tasks.pop(self._task, None)

    @property
    def shown(self) -> object:
        """What stands for it in texts."""
        return self.node.pid
