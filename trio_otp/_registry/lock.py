"""The locks of a registry: one holder per key, the others wait in line.

A holder is a Trio task, of a process or of plain Trio code. Its block gives the lock up however it
is left, and a process cannot die before its block is left, so a lock never outlives its holder. A
waiter that is cancelled or killed leaves the line. When the registry ends, all that wait are told.

A lock that is held then is left behind under every reference that its registry was known by. The
next registry to be asked for it under one of these takes it over with its holder, so there are
never two holders of it: not at any moment, however often the registry is restarted.

Follows: Elixir's `Registry.lock/3`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import outcome
import trio
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

from .._exits.call_errors import ServerExited
from .._process.runtime import runtime
from .._util.bounded import bounded
from .table import strict_key

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable


class Line:
    """One lock that is held: by whom, and who waits for it, first come first."""

    __slots__ = ("_places", "holder", "waiting")

    def __init__(self, holder: trio.lowlevel.Task) -> None:
        self.holder = holder
        self.waiting: dict[trio.lowlevel.Task, None] = {}
        self._places: list[tuple[dict[Any, Line], Any]] = []

    def move(self, table: dict[Any, Line], keys: Iterable[Any] = ()) -> None:
        """Stand in a table under these keys, and nowhere else; without keys, nowhere at all."""
        for old, key in self._places:
            del old[key]
        self._places = [(table, key) for key in keys if key not in table]
        for _, key in self._places:
            table[key] = self


class Locks:
    """The locks that are held, by their keys; they know nothing of the keys of entries."""

    __slots__ = ("_lines", "_refs")

    def __init__(self) -> None:
        self._lines: dict[Hashable, Line] = {}
        self._refs: set[Any] = set()  # what the registry has been called by those who lock

    @enable_ki_protection
    async def acquire(self, key: object, refs: Iterable[Any]) -> Line:
        """Take a lock, waiting in line if it is held.

        Args:
            key: the key of the lock.
            refs: the references that lead to the registry, as far as they are known; None is none.

        Returns:
            What `release` takes.

        Raises:
            RuntimeError: this task holds it already, and would wait for itself.
            ServerExited: the registry ended while this task waited.
        """
        strict, task = strict_key(key), trio.lowlevel.current_task()
        self._refs.update(ref for ref in refs if ref is not None and _hashes(ref))
        line = self._lines.get(strict) or self._take_over(strict)
        if line is not None and line.holder is task:
            await trio.lowlevel.checkpoint()
            raise RuntimeError(f"this task already holds the lock {bounded(key)}")
        await trio.lowlevel.checkpoint_if_cancelled()
        if line is not None:
            await self._wait(line, task)
            return line
        line = Line(task)
        line.move(self._lines, [strict])
        await trio.lowlevel.cancel_shielded_checkpoint()
        return line

    def _take_over(self, strict: Hashable) -> Line | None:
        """Find a lock that an earlier registry of the same name has left behind, if it is held."""
        for ref in self._refs:
            line = _left_behind().get((ref, strict))
            if line is not None:
                line.move(self._lines, [strict])
                return line
        return None

    async def _wait(self, line: Line, task: trio.lowlevel.Task) -> None:
        def abort(_raise_cancel: RaiseCancelT) -> Abort:
            if task not in line.waiting:  # it is being woken
                return Abort.FAILED
            del line.waiting[task]
            return Abort.SUCCEEDED

        line.waiting[task] = None
        await wait_task_rescheduled(abort)

    def close(self, ref: object, reason: object) -> None:
        """End the waits of those in line, as the registry has ended; leave behind what is held."""
        for strict, line in list(self._lines.items()):
            while line.waiting:
                task, _ = line.waiting.popitem()
                reschedule(task, outcome.Error(ServerExited(ref, reason)))
            line.move(_left_behind(), [(ref, strict) for ref in self._refs])

    def __len__(self) -> int:
        return len(self._lines)


@enable_ki_protection
def release(line: Line) -> None:
    """Return a lock up; the first in line has it from here on."""
    if not line.waiting:
        line.move({})
        return
    line.holder = next(iter(line.waiting))
    del line.waiting[line.holder]
    reschedule(line.holder)


def _left_behind() -> dict[tuple[Any, Hashable], Line]:
    """Return the locks of this run whose registry has ended, by reference to that and key."""
    left: dict[tuple[Any, Hashable], Line] = runtime().extras.setdefault(Locks, {})
    return left


def _hashes(ref: object) -> bool:
    try:
        hash(ref)
    except TypeError:
        return False
    return True
