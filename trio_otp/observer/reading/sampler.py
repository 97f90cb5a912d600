"""The table of all processes as a thread beside the loop sees it, from one sample to the next.

A sample reads attributes and asks nobody. What changes meanwhile may raise; then a row stays as it
was. No process is kept alive: the table has their numbers and texts.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from ..._exits.reasons import KILLED
from ..._inspect.introspect import loop_of, slot_of, status_of
from ..._process.request import From
from ..._process.wait_edges import awaited
from ..._util.bounded import bounded, shown_text
from ..._util.unset import UNSET
from .budget import restarts_of_children

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ..._process.pid import Pid
    from ..._process.process import Process
    from ..._process.runtime import Runtime
    from .states import States

SLICE: Final = 100  # rows between two moments at which others may have the interpreter
NAME: Final = 80  # characters
NOBODY: Final = 0  # the head of an empty queue


class Seen:
    """What has been seen of one process.

    Args:
        pid: its pid.
    """

    __slots__ = (
        "above",
        "behaviour",
        "full",
        "handled",
        "head",
        "killed",
        "label",
        "name",
        "named",
        "number",
        "oldest",
        "pid",
        "queue",
        "rate",
        "restarted",
        "restarts",
        "rising",
        "round",
        "seconds",
        "shown",
        "since",
        "status",
        "text",
        "waiting_since",
        "waits_for",
    )

    def __init__(self, pid: Pid) -> None:
        self.pid: Pid = pid  # which leads nowhere when the process is dead, and so keeps nothing
        self.number: int = pid._number
        self.named: object = UNSET  # its name, to see whether that is another one
        self.name: str | None = None  # as text
        self.label: str = ""
        self.behaviour: str = "-"
        self.shown: str = ""  # its name, else its label
        self.text: str = ""  # what a filter looks into
        self.above: int = 0  # the number of its supervisor or starter
        self.status: str = ""
        self.waits_for: int = 0  # the number of whom it waits for; 0: for nobody
        self.killed: int = 0  # in how many samples it has been killed, and lives
        self.full: bool = False  # whether its mailbox is at its bound
        self.queue: int = 0
        self.rising: int = 0  # in how many samples one after another the queue has grown
        self.head: int = NOBODY  # which message is the oldest
        self.waiting_since: float = 0.0  # when that was first seen, or sent, if that is known
        self.oldest: float | None = None  # seconds
        self.handled: int = 0
        self.rate: float | None = None  # messages handled in a second
        self.restarts: int = 0
        self.restarted: int = 0  # how often it has started its own children again
        self.since: float = 0.0  # when the message in hand was taken
        self.seconds: float | None = None  # for how long it has been in hand
        self.round: int = 0  # the sample that has seen it last


class Sampler:
    """Samples one run.

    Args:
        tables: those of the run.
        states: knows whom the observer itself asks something.
    """

    def __init__(self, tables: Runtime, states: States) -> None:
        self.tables = tables
        self._states = states
        self.table: dict[int, Seen] = {}
        self.rounds: int = 0  # samples that have been taken, one soon after another
        self.at: float = 0.0  # when the last one was taken, in seconds of the clock of the run
        self.handled: int = 0  # messages handled by all, the dead as well
        self.rate: float = 0.0  # in a second
        self.restarts: int = 0  # of all children, also of one that is down just now
        self.queued: int = 0  # messages that wait in all mailboxes

    def forget(self) -> None:
        """Begin anew: the last sample is too old to be compared with."""
        self.table = {}
        self.rounds = 0
        self.rate = 0.0

    def sample(self, now: float, elapsed: float) -> Iterator[None]:
        """Look at all processes; pauses after each `SLICE` of them.

        Args:
            now: seconds of the clock of the run.
            elapsed: real seconds since the last sample.
        """
        self.rounds += 1
        before, handled = self.handled, sum(self.tables.handled.values())
        restarts = queued = 0
        processes = list(self.tables.processes.values())
        for index, process in enumerate(processes):
            if index % SLICE == SLICE - 1:
                yield
            self._look(process, now, elapsed)
        for seen in list(self.table.values()):
            if seen.round != self.rounds:
                del self.table[seen.number]  # what it had handled is in the tables
                continue
            restarts += seen.restarted
            queued += seen.queue
            handled += seen.handled
        self.restarts, self.queued = restarts, queued
        self.at = now
        self.handled = handled
        compares = self.rounds > 1 and elapsed > 0
        self.rate = max(handled - before, 0) / elapsed if compares else 0.0

    def _look(self, process: Process, now: float, elapsed: float) -> None:
        """Look at one process."""
        number = process.pid._number
        seen = self.table.get(number)
        is_new = seen is None
        if seen is None:
            seen = Seen(process.pid)
        before = seen.handled
        try:
            _read(process, seen, now, self._states)
        except Exception:  # what is read has changed meanwhile: once more
            try:
                _read(process, seen, now, self._states)
            except Exception:  # it has ended, or changes too fast
                return
        seen.round = self.rounds
        self.table[number] = seen
        if not is_new and elapsed > 0:
            seen.rate = (seen.handled - before) / elapsed


def _read(process: Process, seen: Seen, now: float, states: States) -> None:
    if process.name is not seen.named or process.label != seen.label:
        _read_names(process, seen)
    above = process.supervisor or process.parent
    seen.above = 0 if above is None else above.pid._number
    seen.status = status_of(process)
    target = None if process.waits_for is None else awaited(process)
    seen.waits_for = 0 if target is None else target.pid._number
    seen.killed = seen.killed + 1 if process.pending_exit is KILLED else 0
    slot = slot_of(process)
    seen.restarts = 0 if slot is None else slot.restarts
    loop = loop_of(process)
    seen.restarted = 0 if loop is None else restarts_of_children(loop)
    busy = process.current is not UNSET
    seen.since = process.since
    seen.seconds = max(now - process.since, 0.0) if busy else None
    _read_queue(process, states.queue_of(process), seen, now)
    seen.handled = process.messages_handled


def _read_names(process: Process, seen: Seen) -> None:
    seen.named = process.name
    seen.name = None if process.name is None else bounded(process.name, NAME)
    seen.label = process.label
    label = shown_text(process.label, NAME)
    seen.shown = label if seen.name is None else seen.name
    loop = loop_of(process)
    kind = process.behaviour
    seen.behaviour = "-" if kind is None else shown_text(kind.__name__, NAME)
    summary = "" if loop is None else loop.summary
    seen.text = f"{seen.shown} {label} {seen.behaviour} {summary}".lower()


def _read_queue(process: Process, queue: Collection[object], seen: Seen, now: float) -> None:
    length, before = len(queue), seen.queue
    seen.rising = seen.rising + 1 if length > before and seen.round else 0
    seen.queue = length
    seen.full = length > 0 and not process.mailbox.has_room()
    if not length:
        seen.head, seen.oldest = NOBODY, None
        return
    head: Any = next(iter(queue))
    identity = id(head)
    same = identity == seen.head and process.messages_handled == seen.handled
    if same and length < before and _is_repeated(queue):
        same = False  # a process that counts nothing has taken one, of what is sent again and again
    if isinstance(head, From):
        seen.waiting_since = head._since
    elif not same:
        seen.waiting_since = now
    seen.head = identity
    seen.oldest = max(now - seen.waiting_since, 0.0)


def _is_repeated(queue: Collection[object]) -> bool:
    """Check whether the oldest message is there more than once, as a str or a class may be."""
    head, *others = islice(queue, SLICE)
    return any(each is head for each in others)
