"""The processes that have the most to do, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._inspect.introspect import process_info
from .._process.runtime import runtime
from .._util.blocks import Block, Table
from .._util.bounded import bounded, shown_text
from .._util.shown import Shown

if TYPE_CHECKING:
    from .._inspect.info import ProcessInfo
    from .._process.process import Process

ROWS: Final = 15
_HEAD: Final = ("pid", "name", "behaviour", "status", "#queue", "#handled", "doing")


class Top:
    """Looks at all processes; the longest queues come first, then the most new messages."""

    def __init__(self) -> None:
        self._before: dict[Process, int] = {}  # messages handled when it last looked

    def look(self, rows: int = ROWS) -> Shown:
        """Return the table of this moment, of so many processes."""
        processes = list(runtime().processes.values())
        busy = sorted(processes, key=self._rank)[:rows]
        self._before = {each: each.messages_handled for each in processes}
        table = [_row(process_info(each.pid)) for each in busy]
        left = len(processes) - len(table)
        more = [(f"… {left} more", *[""] * (len(_HEAD) - 1))] if left else []
        return _Shown(Table(_HEAD, [*table, *more]))

    def _rank(self, process: Process) -> tuple[int, int, int]:
        new = process.messages_handled - self._before.get(process, 0)
        return -len(process.mailbox), -new, process.pid._number


def _row(info: ProcessInfo) -> tuple[str, ...]:
    doing = "" if info.message is None else f"{info.message}, for {info.seconds:.3g} s"
    if info.waits_for is not None:
        doing += f"{', ' if doing else ''}waits for {info.waits_for!r}"
    return (
        str(info.pid._number),
        shown_text(info.label, 40) if info.name is None else bounded(info.name, 40),
        "" if info.behaviour is None else bounded(info.behaviour, 40),
        info.status,
        str(info.message_queue_len),
        str(info.handled),
        doing,
    )


class _Shown(Shown):
    """A table that is the value of a cell."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def _shown(self) -> Block | Table:
        return self._table
