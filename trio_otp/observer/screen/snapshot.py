"""What there is to see at one moment, read by a thread beside the loop.

Nothing is asked of a process and no code of a user is run but the repr of names. What changes while
it is read may raise; a row that does is left out, a tree that does is read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..._behaviour.messages import Cast
from ..._gen_server.method_messages import Message
from ..._inspect.introspect import slot_of, status_of
from ..._inspect.tree import drawn
from ..._port.port import Port
from ..._process.request import From
from ..._process.wait_edges import awaited
from ..._util.bounded import bounded, shown_text
from ..._util.unset import UNSET

if TYPE_CHECKING:
    from ..._process.process import Process
    from ..._process.runtime import Runtime

TRIES: Final = 5  # to read a tree that changes


@dataclass(frozen=True, slots=True)
class Row:
    """One process.

    Args:
        pid: its number.
        who: its name, else its label.
        behaviour: its class, `-` for a plain process.
        queue: messages that wait.
        links: how many it is linked to.
        status: as of `process_info`.
        waits_for: whom it waits for, or nothing.
        restarts: how often it was started again.
        doing: the kind of message in hand and since when, the program of a port.
    """

    pid: int
    who: str
    behaviour: str
    queue: int
    links: int
    status: str
    waits_for: str
    restarts: int
    doing: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment; `stuck` is (seconds, stack of the loop) if it does not answer."""

    rows: tuple[Row, ...]
    tree: tuple[str, ...]
    dropped: int
    stuck: tuple[float, tuple[str, ...]] | None = None

    @property
    def title(self) -> str:
        """Sum it up in one line."""
        queued = sum(row.queue for row in self.rows)
        restarts = sum(row.restarts for row in self.rows)
        return (
            f"{len(self.rows)} processes, {queued} messages waiting, {restarts} restarts, "
            f"{self.dropped} dropped"
        )


def take(tables: Runtime, now: float, stuck: tuple[float, tuple[str, ...]] | None) -> Snapshot:
    """Read the tables of a run; busy processes come first."""
    rows = [row for process in list(tables.processes.values()) if (row := _row(process, now))]
    rows.sort(key=lambda row: (-row.queue, row.pid))
    return Snapshot(tuple(rows), tuple(_tree(tables)), tables.dropped, stuck)


def _tree(tables: Runtime) -> list[str]:
    for _ in range(TRIES):
        try:
            return drawn(tables).splitlines()
        except Exception:  # noqa: S112 - it has changed meanwhile, whatever that raised
            continue
    return ["(changes too fast to be read)"]


def _row(process: Process, now: float) -> Row | None:
    try:
        return _read(process, now)
    except Exception:
        return None  # it has ended meanwhile


def _read(process: Process, now: float) -> Row:
    slot = slot_of(process)
    waits_for = awaited(process)
    return Row(
        pid=process.pid._number,
        who=shown_text(process.label, 60) if process.name is None else bounded(process.name, 60),
        behaviour="-" if process.behaviour is None else process.behaviour.__name__,
        queue=len(process.mailbox),
        links=len(process.links or ()),
        status=status_of(process),
        waits_for="" if waits_for is None else _short(waits_for),
        restarts=0 if slot is None else slot.restarts,
        doing=_doing(process, now),
    )


def _short(process: Process) -> str:
    name = shown_text(process.label, 30) if process.name is None else bounded(process.name, 30)
    return f"{process.pid._number} {name}"


def _doing(process: Process, now: float) -> str:
    message: Any = process.current
    if message is not UNSET:
        return f"{_kind(message)} for {max(now - process.since, 0.0):.1f} s"
    if isinstance(process.instance, Port) and (number := process.instance.os_pid) is not None:
        return f"os pid {number}"
    return "" if process.extras.thread is None else "in its thread"


def _kind(message: Any) -> str:
    """Name a message by its class or method: the repr of what it carries may take long."""
    if not isinstance(message, From | Cast):
        return type(message).__name__
    request = message.message
    what = request.method.name if isinstance(request, Message) else type(request).__name__
    return f"{'call' if isinstance(message, From) else 'cast'} {what}"
