"""What happens in a run and leaves no trace in its tables: crashes, ends, drops, time-outs.

Its listeners are called in the loop of the program and only append to what has a limit; the
observer's thread reads that. Crashes and drops are rare, so they are heard all the time, and a
question that comes later can be answered. Ends are heard only while somebody looks.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ..._process.pid import Pid
from ..._process.status import told_reason
from ..._util.bounded import bounded
from .budget import reason_text
from .crashes import Crashes

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..._process.runtime import Runtime

ENDS: Final = 2000  # of processes that are remembered at most
LINGER: Final = 10.0  # seconds for which an end is remembered
DROPS: Final = 200  # receivers whose dropped messages are counted


class Drop:
    """The messages to one receiver that were dropped.

    Args:
        who: its name, or the repr of its pid.
        number: of its pid, if it was sent to one.
    """

    __slots__ = ("at", "count", "number", "who", "why")

    def __init__(self, who: str, number: int | None) -> None:
        self.who: str = who
        self.number: int | None = number
        self.count: int = 0
        self.at: float = 0.0  # when the last one was, in seconds of the clock of the run
        self.why: str = ""


class Records:
    """The records of one run.

    Args:
        tables: those of the run.
    """

    def __init__(self, tables: Runtime) -> None:
        self._tables = tables
        self.crashes: Crashes = Crashes()
        self.drops: dict[object, Drop] = {}
        # (seconds of the clock of the run, number of the pid, reason as text), oldest first
        self.ends: deque[tuple[float, int, str]] = deque(maxlen=ENDS)
        self._is_watched = False

    # -- in the loop of the program ----------------------------------------------------------------

    @contextmanager
    def kept(self) -> Generator[None]:
        """Listen to what is rare."""
        events = self._tables.events
        events.attach("crash", self.crashes.add)
        events.attach("dropped", self._dropped)
        self._tables.extras[Records] = self
        try:
            yield
        finally:
            self._tables.extras.pop(Records, None)
            events.detach("crash", self.crashes.add)
            events.detach("dropped", self._dropped)
            self.watch(False)

    def watch(self, is_watched: bool) -> None:
        """Begin or cease to listen to what is not rare."""
        change = self._tables.events.attach if is_watched else self._tables.events.detach
        change("process_exit", self._ended)
        self._is_watched = is_watched

    def _ended(self, pid: Pid, reason: object) -> None:
        now = self._tables.now()
        while self.ends and now - self.ends[0][0] > LINGER:
            self.ends.popleft()
        self.ends.append((now, pid._number, reason_text(told_reason(pid, reason))))

    def _dropped(self, ref: Any, _: object, why: str) -> None:
        number: int | None = ref._number if ref.__class__ is Pid else None
        key = number or bounded(ref)
        drop = self.drops.get(key)
        if drop is None:
            if len(self.drops) >= DROPS:
                del self.drops[next(iter(self.drops))]
            drop = self.drops[key] = Drop(bounded(ref), number)
        drop.count += 1
        drop.at = self._tables.now()
        drop.why = why
