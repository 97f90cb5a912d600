"""The thread that watches a run: it looks at the loop and at the tables, a few times in a second.

It installs nothing in the loop and wakes no task, so it costs the loop nothing but the moments in
which it holds the interpreter lock, and virtual clocks run as if it were not there. It reports from
its own thread, while the loop is held. It keeps no process alive: a table is read by the
numbers of processes, some of them at each look.

Follows: `erlang:system_monitor/2`.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from operator import sub
from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import enable_ki_protection

from .._process.doing import place_line, state_text, work_text
from .._process.loop_now import loop_now, step_of
from ..events.monitoring import LongMessageQueue, LongSchedule
from .clocks import computing_of_this_thread, waiting_of_this_thread
from .held import Held, LongQueues

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.loop_now import LoopNow, Step
    from .._process.runtime import Runtime
    from ..events.monitoring import MonitorReport

NAME: Final = "trio_otp system monitor"
LOOKS: Final = 4  # in the time after which the loop is held for long
LONGEST: Final = 0.25  # seconds between two looks
SLICE: Final = 1000  # queues that are measured at each look
JOIN: Final = 1.0  # seconds that the end of the thread is waited for; it may be in code of a user
DEBUGGERS: Final = ("bdb.py", "pdb.py", "pydevd.py")  # a loop that waits in there is not stuck


class Monitor:
    """Watches one run in a thread of its own; made, started and stopped in that run.

    Args:
        tables: those of the run.
        long_schedule: seconds after which the loop is held for long; None: it is not watched.
        long_message_queue: with how many messages a queue is short again, and with how many it is
            long; None: they are not watched.
        publish: called in the thread with each report.
    """

    def __init__(
        self,
        tables: Runtime,
        long_schedule: float | None,
        long_message_queue: tuple[int, int] | None,
        publish: Callable[[MonitorReport], object],
    ) -> None:
        limit = LONGEST * LOOKS if long_schedule is None else long_schedule
        self._tables = tables
        self._publish = publish
        self._interval = min(limit / LOOKS, LONGEST)
        self._held = None if long_schedule is None else Held(self._interval, limit)
        self._queues = None if long_message_queue is None else LongQueues(*long_message_queue)
        self._unseen: list[int] = []  # numbers of processes whose queues are to be measured
        self._reported: LongSchedule | None = None  # of the step that holds the loop
        self._computed = computing_of_this_thread()
        # Released to end the thread. No `threading.Event`: after a fork its lock may be held by a
        # thread that is not there any more.
        self._end = threading.Lock()
        self._end.acquire()
        self._stopped = False
        self._scope = trio.CancelScope()
        self._thread = threading.Thread(target=self._watch, name=NAME, daemon=True)

    @enable_ki_protection
    def start(self) -> None:
        """Start the thread, which ends with the run."""
        trio.lowlevel.spawn_system_task(self._end_with_run, name=f"<{NAME}>")
        self._thread.start()

    @enable_ki_protection
    def stop(self) -> None:
        """End the thread; done a second time it does nothing."""
        if self._stopped:
            return
        self._stopped = True
        self._scope.cancel(reason="the system monitor is stopped")
        self._end.release()
        if self._thread.is_alive():  # pragma: no branch - after a fork, which leaves no data, not
            self._thread.join(JOIN)

    async def _end_with_run(self) -> None:
        try:
            with self._scope:
                await trio.sleep_forever()
        finally:
            self.stop()

    # -- in the thread -----------------------------------------------------------------------

    def _watch(self) -> None:
        with waiting_of_this_thread() as waited:
            clocks = (time.monotonic, self._computed, waited)
            before = [clock() for clock in clocks]
            while not self._end.acquire(timeout=self._interval):
                now = [clock() for clock in clocks]
                self._look(*map(sub, now, before))
                before = now

    def _look(self, elapsed: float, computed: float, starved: float) -> None:
        if self._held is not None:
            step = step_of(self._tables)
            verdict = self._held.look(step, elapsed, computed, starved)
            if verdict.over is not None and self._reported is not None:
                reported, self._reported = self._reported, None
                self._publish(replace(reported, seconds=verdict.over, over=True))
            if verdict.long is not None:
                self._report_held(self._held, step, verdict.long)
        if self._queues is not None:
            self._measure(self._queues)

    def _report_held(self, held: Held, step: Step | None, seconds: float) -> None:
        seen = loop_now(self._tables)
        if seen is None or seen.step != step or _is_debugged(seen):
            held.forgive()
        else:
            self._reported = _report(seen, seconds)
            self._publish(self._reported)

    def _measure(self, queues: LongQueues) -> None:
        """Measure some of the queues; the others are next."""
        processes = self._tables.processes
        if not self._unseen:
            self._unseen = list(processes)
            queues.forget(processes)
        some, self._unseen = self._unseen[-SLICE:], self._unseen[:-SLICE]
        for number in some:
            process = processes.get(number)
            if process is None:
                continue
            length = len(process.mailbox)
            long = queues.look(number, length)
            if long is not None:
                doing = state_text(process, quick=True)
                self._publish(LongMessageQueue(process.pid, length, long, doing))


def _report(seen: LoopNow, seconds: float) -> LongSchedule:
    process = seen.process
    if process is None:
        pid, doing = None, ""
    else:
        pid, own = process.pid, work_text(process, quick=True)
        doing = own if seen.is_own else "in a task that helps it"
    stack = tuple(map(place_line, seen.stack))
    return LongSchedule(pid, seen.task, doing, seconds, place_line(seen.place), stack)


def _is_debugged(seen: LoopNow) -> bool:
    return any(path.endswith(DEBUGGERS) for path, _, _ in seen.stack)
