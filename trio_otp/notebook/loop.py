"""The loop of a notebook: a Trio run in a thread of its own, and in it a process for all cells."""

from __future__ import annotations

import contextlib
import contextvars
import math
import sys
import threading
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

import trio
import trio.testing

from .._exits.errors import ProcessExited
from .._exits.nurseries import OwnNursery
from .._exits.reasons import NORMAL
from .._gen_server.client import Client
from .._process.names import MORE_NAMES
from .._process.open_process import open_process
from .._process.pid import Pid
from .._process.runtime import own_process, runtime
from .._util.bounded import Note
from .._util.checks import MOST_KNOWN
from .variables import Variables

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.process import Process
    from .cell import Cell

ANEW = "write %reload_ext trio_otp.notebook to begin anew"


class Loop:
    """A Trio run for the cells of a notebook."""

    def __init__(self, variables: dict[str, Any]) -> None:
        self._user = variables
        # real time, until it is told otherwise
        self.clock: trio.testing.MockClock = trio.testing.MockClock(rate=1.0)
        self.token: trio.lowlevel.TrioToken
        self.variables: Variables = Variables()
        self.names: dict[Any, Process] = {}  # those of processes
        self.ended: BaseException | None = None  # what ended the run
        self._lock = threading.Lock()
        self._cells: set[Cell] = set()  # those that have not ended
        self._waiting: list[Cell] = []  # those for which there is no process yet
        self._place: tuple[trio.Nursery, Process] | None = None
        self._ready = threading.Event()
        # An empty context: what prints in the background then prints into the current cell.
        run = partial(contextvars.Context().run, self._run)
        self.thread: threading.Thread = threading.Thread(
            target=run, name="trio_otp notebook", daemon=True
        )
        self.thread.start()
        self._ready.wait()

    def start(self, cell: Cell) -> None:
        """Start a cell, from any thread; nothing happens if that has been done."""
        with self._lock:
            if self.ended is not None:
                cell.fail(self.ended)
                return
            self._cells.add(cell)
        self.soon(self._begin, cell)

    def soon(self, function: Callable[..., object], *args: object) -> None:
        """Call a function in the loop; from any thread. Nothing happens if the run has ended."""
        with contextlib.suppress(trio.RunFinishedError):  # cells are told by `_run`
            self.token.run_sync_soon(partial(function, *args))

    def stop(self) -> None:
        """Stop everything in order, and wait until that is done; from another thread."""
        self.soon(self._leave)
        self.thread.join()

    @property
    def virtual(self) -> bool:
        """Time stands still but for cells that wait."""
        return self.clock.rate == 0

    def set_virtual(self, virtual: bool) -> None:
        """Change what time is; in the loop, by a cell."""
        self.clock.rate = 0.0 if virtual else 1.0
        self._set_jumps()

    def _set_jumps(self) -> None:
        """Make virtual time jump while a cell runs; between cells a ticking server would spin.

        At the end it jumps as well, or servers that wait while they clean up would never be done.
        """
        jumps = self.virtual and (bool(self._cells) or self._left.is_set())
        self.clock.autojump_threshold = 0 if jumps else math.inf

    def _run(self) -> None:
        ended: BaseException = RuntimeError(f"the Trio run of this notebook was stopped; {ANEW}")
        try:
            trio.run(self._main, clock=self.clock)
        except BaseException as exc:  # noqa: ASYNC103 - no task: the thread ends here
            ended = RuntimeError(f"the Trio run of this notebook has crashed; {ANEW}")
            ended.__cause__ = exc
        with self._lock:
            self.ended = ended
            left, self._cells = self._cells, set()
        for cell in left:
            cell.fail(ended)  # pragma: no cover - it was given to the loop in its last moment
        self._ready.set()

    async def _main(self) -> None:
        self.token = trio.lowlevel.current_trio_token()
        self._left = trio.Event()
        here = runtime()
        here.extras[MORE_NAMES] = self._references
        self.names = here.names
        self._ready.set()
        while not self._left.is_set():
            try:
                await self._live()
            except trio.Cancelled:
                raise
            except BaseException as exc:
                _report(exc)

    def _references(self) -> list[Note]:
        """List the variables that lead to a process: one may be meant by a name that nobody has."""
        found = [name for name, value in self._user.items() if type(value) in (Pid, Client)]
        return [Note(name) for name in found[-MOST_KNOWN:] if not name.startswith("_")]

    def _leave(self) -> None:
        self._left.set()
        self._set_jumps()

    async def _live(self) -> None:
        """Run as a process until the end, or until it is killed."""
        async with open_process(trap_exit=True, label="notebook"):
            process = own_process()
            assert process is not None
            async with OwnNursery() as nursery:
                self._place = nursery, process
                try:
                    self._begin_waiting()
                    await self._left.wait()
                finally:
                    self._place = None
                nursery.cancel_scope.cancel(reason="the notebook ends")

    def _begin_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for cell in waiting:
            self._begin(cell)

    def _begin(self, cell: Cell) -> None:
        if cell.begun:
            return
        if self._place is None:
            self._waiting.append(cell)
            return
        cell.begun = True
        nursery, process = self._place
        self.variables.take_over(cell.shell_context, process)
        nursery.start_soon(self._carry, cell, process, name="<cell>")

    async def _carry(self, cell: Cell, process: Process) -> None:
        self._set_jumps()
        try:
            await cell.run(process, self.variables.context)
        finally:
            with self._lock:
                self._cells.discard(cell)
            self._set_jumps()


def _report(exc: BaseException) -> None:
    """Report why the process of the notebook has ended, in the current cell."""
    why = exc.reason if isinstance(exc, ProcessExited) else exc
    if why is NORMAL:  # pragma: no cover - it ends so by unloading alone
        return
    text = (
        "".join(traceback.format_exception(why)) if isinstance(why, BaseException) else f"{why!r}\n"
    )
    sys.stderr.write(
        f"The process of this notebook has ended, and all that it had started was stopped; cells "
        f"run in a new one. The reason: {text}"
    )
