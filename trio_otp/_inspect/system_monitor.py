"""`otp.system_monitor`: report what holds the event loop, and which queues are long.

Follows: `erlang:system_monitor/2`.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final, TypedDict

from trio.lowlevel import enable_ki_protection

from .._exits.log_text import LIBRARIES
from .._log.reports import log_notice_beside
from .._process.runtime import runtime
from .._util.bounded import bounded
from .._util.checks import is_seconds, is_whole
from .._util.public import public
from ..events import NoticeReport
from ..events.monitoring import LongSchedule
from .held import Notices
from .monitor import Monitor

if TYPE_CHECKING:
    from .._process.runtime import Runtime
    from ..events.monitoring import MonitorReport

LEAST: Final = 0.01  # seconds that the loop may be held; the thread looks four times as often
SHOWN: Final = 8  # frames in the text of a notice


@public
class MonitorOptions(TypedDict):
    """The arguments of `system_monitor`, as it also returns them."""

    long_schedule: float | None
    long_message_queue: int | tuple[int, int] | None


_OFF: Final[MonitorOptions] = {"long_schedule": None, "long_message_queue": None}


@public
@enable_ki_protection
def system_monitor(
    *,
    long_schedule: float | None = 0.1,
    long_message_queue: int | tuple[int, int] | None = 1000,
) -> MonitorOptions:
    """Report, while it happens, what holds the event loop of this run, and which queues are long.

    A thread looks at the loop several times a second. It installs nothing there and wakes no task,
    so nothing gets slower, and virtual clocks run as ever. Each finding is the event
    `system_monitor`, emitted in that thread, and a warning of `trio_otp.notice`, at most once in
    ten seconds for each place. A pause of the whole program, as by SIGSTOP, a suspended machine or
    a debugger, is not reported. A run has one monitor: the next call changes what it watches, and
    it ends with the run. `trio-otp run` starts it with one second.

    Args:
        long_schedule: seconds of the real clock that a task may run without a checkpoint that
            waits; None to watch no schedules.
        long_message_queue: with how many messages a queue is long; with half of them it is short
            again. Or both numbers, as in OTP: `(short, long)`. None to watch no queues.

    Returns:
        The former settings; `otp.system_monitor(**before)` restores them.

    Raises:
        ValueError: an argument is invalid; the text says what was expected.
        NotInRun: no Trio run is going on.

    >>> import threading, trio, trio_otp as otp
    >>> told = threading.Event()
    >>> class Shop(otp.GenServer):
    ...     @otp.on_call
    ...     async def slow(self) -> bool:
    ...         return told.wait(10)  # a mistake: the whole program waits
    >>> def watch(report):
    ...     if not told.is_set():
    ...         print(f"{report.pid}, {report.doing}, in {report.place.split()[-1]}")
    ...     told.set()
    >>> async def main():
    ...     async with otp.open_supervisor([otp.child(Shop).having(name="shop")]):
    ...         otp.events.attach("system_monitor", watch)
    ...         otp.system_monitor(long_schedule=0.05)
    ...         print(await Shop.at("shop", timeout=None).slow())
    >>> trio.run(main)
    <Pid 2 Shop 'shop'>, handling `slow()`, in slow
    True

    Follows: `erlang:system_monitor/2`.
    """
    check_schedule(long_schedule)
    limits = None if long_message_queue is None else _limits(long_message_queue)
    tables = runtime()
    settings: MonitorOptions = {
        "long_schedule": long_schedule,
        "long_message_queue": long_message_queue,
    }
    monitor = None
    if long_schedule is not None or limits is not None:
        monitor = Monitor(tables, long_schedule, limits, _Publisher(tables).publish)
        monitor.start()
    former: tuple[Monitor | None, MonitorOptions] = tables.extras.get(Monitor, (None, _OFF))
    tables.extras[Monitor] = monitor, settings
    if former[0] is not None:
        former[0].stop()
    return former[1]


def check_schedule(limit: Any) -> None:
    """Refuse what is not a time for which the loop may be held.

    Raises:
        ValueError: the text says what is accepted.
    """
    if limit is not None and not (is_seconds(limit) and LEAST <= limit < float("inf")):
        accepted = f"a number of seconds >= {LEAST}, or None"
        raise ValueError(f"long_schedule={bounded(limit)}: expected {accepted}")


def _limits(queue: object) -> tuple[int, int]:
    """Return with how many messages a queue is short again, and with how many it is long."""
    limits: Any = (queue // 2, queue) if is_whole(queue) else queue
    match limits:
        case (short, long) if is_whole(short) and is_whole(long) and 0 <= short < long:
            return short, long
        case _:
            accepted = "a whole number >= 1, a pair 0 <= short < long, or None"
            raise ValueError(f"long_message_queue={bounded(queue)}: expected {accepted}")


class _Publisher:
    """Publishes the reports of the monitor of a run, in its thread."""

    def __init__(self, tables: Runtime) -> None:
        self._tables = tables
        self._notices = Notices()
        self._logged = False  # that the loop is held

    def publish(self, report: MonitorReport) -> None:
        """Emit the event, and log it unless the same was logged a moment ago."""
        self._tables.events.emit("system_monitor", report)
        ends = report.over if isinstance(report, LongSchedule) else not report.long
        if isinstance(report, LongSchedule) and report.over:
            left_out = 0 if self._logged else None
        else:
            left_out = self._notices.admits(_subject(report), time.monotonic())
        if isinstance(report, LongSchedule):
            self._logged = left_out is not None
        if left_out is None:
            return
        more = f" (and {left_out} times more since the last notice)" if left_out else ""
        text = f"{report.text}{more}{_frames(report)}"
        level = logging.INFO if ends else logging.WARNING
        log_notice_beside(self._tables, NoticeReport(report.pid, text, level, report.as_dict()))


def _subject(report: MonitorReport) -> object:
    """Return what identifies the notices of which one is logged at a time."""
    if isinstance(report, LongSchedule):
        return report.kind, report.place, report.over
    return report.kind, report.pid, report.long


def _frames(report: MonitorReport) -> str:
    """Render how the user's code has come to where the loop is held."""
    if not isinstance(report, LongSchedule) or report.over:
        return ""
    frames = [frame for frame in report.stack if not frame.startswith(LIBRARIES)][-SHOWN:]
    return "".join(f"\n  {frame}" for frame in frames) if len(frames) > 1 else ""
