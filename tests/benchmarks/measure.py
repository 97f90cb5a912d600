"""What one lane hands in for one round, and how such samples become figures."""

from __future__ import annotations

import enum
import gc
import tracemalloc
from contextlib import contextmanager
from dataclasses import dataclass
from time import process_time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@dataclass(frozen=True, slots=True)
class Sample:
    """How much it took altogether, and for how many things."""

    amount: float  # seconds, bytes or messages, as the measure of the race says
    count: int  # counted after the work, not taken from the order


class Measure(enum.Enum):
    """What a race measures."""

    RATE = "rate"
    MEMORY = "memory of each"
    TIME = "time of each"
    MESSAGES = "messages, the most at a time"
    DELAY = "time, the longest"

    @property
    def unit(self) -> str:
        """The unit of its figures."""
        return _UNITS[self]

    @property
    def more_is_better(self) -> bool:
        """Whether the larger figure is the better one."""
        return self is Measure.RATE

    def figure(self, sample: Sample) -> float:
        """Return things per second, or what each thing took."""
        if self is Measure.RATE:
            return sample.count / sample.amount
        if self in (Measure.MESSAGES, Measure.DELAY):
            return sample.amount
        return sample.amount / sample.count


_UNITS = {
    Measure.RATE: "/s",
    Measure.MEMORY: "B",
    Measure.TIME: "s",
    Measure.MESSAGES: "",
    Measure.DELAY: "s",
}


class Watch:
    """Seconds of processor time since it was made.

    All work here is done by one thread that never waits for anything outside, so that is how long
    it takes on a core of its own, also if others want the core meanwhile.
    """

    __slots__ = ("_start",)

    def __init__(self) -> None:
        self._start = process_time()

    def sample(self, count: int) -> Sample:
        """End the measurement: this many things are done."""
        return Sample(process_time() - self._start, count)


@dataclass
class Traced:
    """The bytes that a `with traced()` block has allocated and not given back."""

    before: int
    bytes: int = 0

    def weigh(self) -> None:
        """Take the figure while what is weighed is still alive."""
        gc.collect()
        self.bytes = tracemalloc.get_traced_memory()[0] - self.before


@contextmanager
def traced() -> Generator[Traced]:
    """Count allocated bytes.

    `tracemalloc` sees every block that the interpreter allocates, so its figure is exact and the
    same in each run; the size of the process moves in steps of the allocator's arenas.
    """
    gc.collect()  # empties the free lists too, from which untraced objects would come
    tracemalloc.start()
    try:
        yield Traced(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
