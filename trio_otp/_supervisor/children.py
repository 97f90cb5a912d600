"""How a supervisor starts and stops a child: by the rule of the child, whatever its own kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._exits.reasons import SHUTDOWN
from .._process.request import From
from .._process.stopping import kill, stop
from .._start.child import runnable_of
from .._start.start import Start, start_and_wait
from .data import ManagementCommand

if TYPE_CHECKING:
    from .._process.process import Process
    from .data import Slot
    from .reports import Reports


class Children:
    """Starts and stops the children of one supervisor, one at a time."""

    def __init__(self, process: Process, reports: Reports) -> None:
        self._process = process
        self._reports = reports
        self.starting: Slot | None = None  # the child whose init is waited for
        self.under_way: Start | None = None  # its start

    async def start(self, slot: Slot, extra_arguments: tuple[object, ...] = ()) -> bool:
        """Start a child, and wait until its init is over.

        Args:
            slot: the child.
            extra_arguments: what comes before its own arguments.

        Returns:
            False if its init ignores.

        Raises:
            StartError, AlreadyStarted: it does not run.
        """
        supervisor = self._process
        child = slot.child
        runs = runnable_of(child, extra_arguments) if extra_arguments else child.runs
        assert supervisor.children is not None
        start = Start(
            runs, supervisor.children, supervisor, slot.spec, link=True, supervisor=supervisor
        )
        slot.process = None
        self.starting, self.under_way = slot, start
        try:
            slot.process = await start_and_wait(start)
        finally:
            self.starting = self.under_way = None
        return slot.process is not None

    async def stop(self, slot: Slot, *, interrupt: bool = False) -> None:
        """Stop a child, and wait until it is dead.

        Args:
            slot: the child.
            interrupt: a supervisor breaks off what it is doing, as the start of a child.
        """
        process, limit = slot.process, slot.spec.shutdown
        assert process is not None
        if limit == "brutal_kill":
            reason = await kill(process, waiter=self._process)
        else:
            reason = await stop(process, SHUTDOWN, limit, interrupt=interrupt, waiter=self._process)
        self.stopped(slot, reason)

    def stopped(self, slot: Slot, reason: object) -> None:
        """Record that a child is dead that was to be stopped, and of what."""
        assert slot.process is not None
        self._reports.emit_stop(slot, slot.process.pid, reason)
        slot.process = None

    def is_void(self) -> bool:
        """Check whether the caller of the start in hand was cancelled: it is to be taken back."""
        from_ = self._process.current
        command = from_.message if isinstance(from_, From) else None
        return isinstance(command, ManagementCommand) and command.void
