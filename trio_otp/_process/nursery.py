"""An ordered nursery: a Trio nursery and the processes that live in it, oldest first.

Trio cancels the tasks of a nursery all at once and in random order. Processes shield themselves
from that, and the ordered nursery stops them one by one, newest first, each within its own limit.
Nothing is orphaned: it does not close before the last of its processes is dead.
"""

from __future__ import annotations

import contextvars
from functools import lru_cache
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.errors import NotAProcess
from .._util.bounded import bounded
from .news import News
from .runtime import own_process, runtime
from .stopping import part_from, stop_leftover

if TYPE_CHECKING:
    from collections.abc import Callable

    from .process import Process
    from .runtime import Runtime


class OrderedNursery:
    """The processes of one nursery."""

    __slots__ = ("_emptied", "guarded", "processes", "runtime", "trio_nursery")

    def __init__(self, runtime: Runtime, trio_nursery: trio.Nursery) -> None:
        self.runtime: Runtime = runtime
        self.trio_nursery: trio.Nursery = trio_nursery
        self.processes: dict[Process, None] = {}  # oldest first
        self.guarded: bool = False  # a user's nursery: the guard leaves when it is empty
        self._emptied: News | None = None  # for the guard, if there is one

    def add(self, process: Process) -> None:
        """Start the task of a process here, in a blank context: nothing surprising is inherited."""
        run = process.run_hosting if process.hosts else process.run
        name = task_name(process.pid._label)
        start_soon: Callable[..., None] = self.trio_nursery.start_soon
        contextvars.Context().run(start_soon, run, name=name)
        self.processes[process] = None

    def remove(self, process: Process) -> None:
        """Forget a process that died."""
        self.processes.pop(process, None)
        if self._emptied is not None and not self.processes:
            self._emptied.come()

    @enable_ki_protection
    async def close(self) -> None:
        """Stop what is left, newest first. Shielded: it ends when everything here is dead."""
        if not self.processes:
            return
        with trio.CancelScope(shield=True):
            while self.processes:
                # A copy: looking for the last key again after each removal would be quadratic.
                for process in reversed(list(self.processes)):
                    if not process.dead:
                        part_from(process, self.processes)
                        await stop_leftover(process)

    @enable_ki_protection
    async def close_after(self, leave: trio.Event) -> None:
        """Stop what lives here once a block is left, in a task of its own.

        A task of its own, because Ctrl-C may break into whatever the main task waits for, but for
        the end of a nursery.
        """
        with trio.CancelScope(shield=True):
            await leave.wait()
            await self.close()

    @enable_ki_protection
    async def guard(self) -> None:
        """Live in a user's nursery while processes do; stop them in order when it is cancelled.

        When the last one has ended it stays for a turn: who has waited for that may start another.
        """
        self._emptied = News()
        try:
            while self.processes:
                await self._emptied.wait()
                if not self.processes:
                    await trio.lowlevel.cancel_shielded_checkpoint()
        finally:
            self.runtime.nurseries.pop(self.trio_nursery, None)
            await self.close()


@lru_cache(maxsize=512)
def task_name(label: str) -> str:
    """Name the task of a process; those of one class share the text."""
    return f"<otp {label}>"


@enable_ki_protection
def nursery_of(runtime: Runtime, nursery: trio.Nursery) -> OrderedNursery:
    """Return what orders a user's nursery, with a guard that stops its processes."""
    ordered = runtime.nurseries.get(nursery)
    if ordered is None:
        ordered = OrderedNursery(runtime, nursery)
        ordered.guarded = True
        start_soon: Callable[..., None] = nursery.start_soon
        contextvars.Context().run(start_soon, ordered.guard, name="<otp guard>")
        runtime.nurseries[nursery] = ordered
    return ordered


def lives_in(process: Process, nursery: trio.Nursery | None) -> bool:
    """Check whether a process lives in a nursery, or in one inside of it."""
    around: trio.Nursery | None = process.nursery.trio_nursery
    while around is not None and around is not nursery:
        around = around.parent_task.parent_nursery
    return around is not None


def nursery_for(nursery: trio.Nursery | None, what: str) -> OrderedNursery:
    """Return the ordered nursery of a new process: that of its starter, or the user's."""
    if nursery is not None:
        if not isinstance(nursery, trio.Nursery):
            raise TypeError(f"nursery={bounded(nursery)}: expected a trio.Nursery")
        return nursery_of(runtime(), nursery)
    process = own_process()
    if process is None:
        raise NotAProcess(
            f"{what} in plain Trio code needs a nursery: {what}(..., nursery=nursery)"
        )
    return own_nursery_of(process)


def own_nursery_of(process: Process) -> OrderedNursery:
    """Return the nursery of what a process starts: its own if it hosts, else where it lives."""
    return process.nursery if process.children is None else process.children
