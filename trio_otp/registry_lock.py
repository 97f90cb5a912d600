"""The locks of a registry: one holder per key, the others wait in line.

A holder is a Trio task, of a process or of plain Trio code. Its block gives the lock up however it
is left, and a process cannot die before its block is left, so a lock never outlives its holder. A
waiter that is cancelled or killed leaves the line. When the registry ends, whoever waits is told.

Follows: Elixir's `Registry.lock/3`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import outcome
import trio
from trio.lowlevel import Abort, enable_ki_protection, reschedule, wait_task_rescheduled

from .bounded import bounded
from .exits import ServerExited
from .registry_table import strict_key

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class _Line:
    """One lock that is held: by whom, and who waits for it, first come first."""

    __slots__ = ("holder", "waiting")

    def __init__(self, holder: trio.lowlevel.Task) -> None:
        self.holder = holder
        self.waiting: dict[trio.lowlevel.Task, None] = {}


class Locks:
    """The locks that are held, by their keys; they know nothing of the keys of entries."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: dict[Hashable, _Line] = {}

    @enable_ki_protection
    async def acquire(self, key: Any) -> None:
        """Take a lock, waiting in line if it is held.

        Raises:
            RuntimeError: this task holds it already, and would wait for itself.
            ServerExited: the registry ended while this task waited.
        """
        strict, task = strict_key(key), trio.lowlevel.current_task()
        line = self._lines.get(strict)
        if line is not None and line.holder is task:
            await trio.lowlevel.checkpoint()
            raise RuntimeError(f"this task holds the lock {bounded(key)} already")
        await trio.lowlevel.checkpoint_if_cancelled()
        if line is not None:
            await self._wait(line, task)
            return
        self._lines[strict] = _Line(task)
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def _wait(self, line: _Line, task: trio.lowlevel.Task) -> None:
        def abort(_raise_cancel: Callable[[], Any]) -> Abort:
            line.waiting.pop(task, None)
            return Abort.SUCCEEDED

        line.waiting[task] = None
        await wait_task_rescheduled(abort)

    @enable_ki_protection
    def release(self, key: Any) -> None:
        """Give a lock up; the first in line has it from here on."""
        strict = strict_key(key)
        line = self._lines.get(strict)
        if line is None:  # the registry ended while the lock was held
            return
        if not line.waiting:
            del self._lines[strict]
            return
        line.holder = next(iter(line.waiting))
        del line.waiting[line.holder]
        reschedule(line.holder)

    def close(self, ref: object, reason: object) -> None:
        """Tell whoever waits that the registry has ended."""
        lines, self._lines = self._lines, {}
        for line in lines.values():
            for task in line.waiting:
                reschedule(task, outcome.Error(ServerExited(ref, reason)))
            line.waiting.clear()

    def __len__(self) -> int:
        return len(self._lines)
