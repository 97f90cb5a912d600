"""Soak the tree, and hold the end against the beginning."""

from __future__ import annotations

import gc
import logging
import resource
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import quantiles
from typing import TYPE_CHECKING, Final

import trio
import trio.testing

import trio_otp as otp

from .tree import children, one_round

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

MANY: Final = 1_000_000_000  # restarts, so that no limit ends the run
CALLS: Final = 2000  # of which the latencies are kept


@dataclass(frozen=True)
class Figures:
    """What is measured of a run that is under way."""

    seconds: float
    rounds: int
    kilobytes: int  # the most memory that the process has had so far
    objects: int  # that the garbage collector knows
    blocks: int  # of memory that Python has in use
    processes: int
    p50: float  # seconds of a call
    p99: float

    def __str__(self) -> str:
        return (
            f"{self.seconds:6.0f} s {self.rounds:9,} rounds  {self.kilobytes:9,} kB"
            f"  {self.objects:8,} objects  {self.blocks:9,} blocks  {self.processes:3} processes"
            f"  p50 {self.p50 * 1e6:5.0f} us  p99 {self.p99 * 1e6:6.0f} us"
        )

    def grown_since(self, before: Figures, part: float) -> list[str]:
        """Name what has grown by more than this part; latencies vary by themselves."""
        return [
            f"{name}: {old:,} -> {new:,}"
            for name, chance in (("objects", 1000), ("blocks", 1000), ("processes", 5))
            if (new := getattr(self, name)) > (old := getattr(before, name)) * (1 + part) + chance
        ]


class Soak:
    """One run: rounds until it is enough."""

    def __init__(self) -> None:
        self.rounds = 0
        self._latencies: list[float] = []
        self._began = trio.current_time()

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return trio.current_time() - self._began

    async def go_on(self, is_enough: Callable[[], bool]) -> Figures:
        """Do rounds until it is enough; return what there is then."""
        self._latencies.clear()
        while not is_enough():
            self.rounds += 1
            await one_round(self.rounds, self._latencies)
            del self._latencies[:-CALLS]
        await _settle()
        gc.collect()
        cuts = quantiles(self._latencies, n=100)
        return Figures(
            seconds=self.seconds,
            rounds=self.rounds,
            kilobytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            objects=len(gc.get_objects()),
            blocks=sys.getallocatedblocks(),
            processes=otp.process_count(),
            p50=cuts[49],
            p99=cuts[98],
        )


async def _settle() -> None:
    """Wait until all has ended that is about to, and all that is supervised runs again."""
    for _ in range(5):
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(0.01)


@contextmanager
def no_log() -> Generator[None]:
    """Leave out what crashes log."""
    logger = logging.getLogger("trio_otp")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


async def soak(first: Callable[[Soak], bool], whole: Callable[[Soak], bool]) -> list[Figures]:
    """Return the figures of the first part of a run and of the whole.

    Args:
        first: whether the first part is over.
        whole: whether the run is.
    """
    with no_log():
        async with otp.open_supervisor(children(), max_restarts=MANY, max_seconds=1):
            run = Soak()
            figures = [await run.go_on(lambda: first(run))]
            print(figures[0], flush=True)
            figures.append(await run.go_on(lambda: whole(run)))
            print(figures[1], flush=True)
            return figures
