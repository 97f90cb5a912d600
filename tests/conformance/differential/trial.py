"""Trying a scenario: on trio_otp with a watch on its times, and on real OTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import trio

from tests.conformance.compare import Difference, first_difference
from tests.conformance.runner import run_scenario

if TYPE_CHECKING:
    from .oracle_client import Oracle

APART: Final = 0.019  # seconds: closer than this, what comes first is an accident on a real clock
LONGEST: Final = 4.5  # seconds: the default time-outs are not reached
AGAIN: Final = 3  # how often real OTP has to give the same trace before a difference counts


class Unfit(Exception):
    """A scenario whose trace could depend on an accident; the text says on which."""


@dataclass(eq=False)
class Times(trio.abc.Instrument):
    """Collects the different times at which tasks ran."""

    seen: list[float] = field(default_factory=list)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Note the time."""
        now = trio.current_time()
        if not self.seen or now != self.seen[-1]:
            self.seen.append(now)

    def check(self) -> None:
        """Refuse a run in which things happened too close to one another.

        Raises:
            Unfit: they did.
        """
        gaps = [later - earlier for earlier, later in zip(self.seen, self.seen[1:], strict=False)]
        if gaps and min(gaps) < APART:
            raise Unfit(f"two things happen {min(gaps) * 1000:.0f} ms apart")
        if self.seen and self.seen[-1] - self.seen[0] > LONGEST:
            raise Unfit("it takes so long that default time-outs could end")


def trio_trace(scenario: dict[str, Any]) -> dict[str, Any]:
    """Run a scenario with trio_otp and give its trace.

    Raises:
        Unfit: its trace could depend on an accident, or it answers a call that was never made.
    """
    times = Times()
    try:
        trace = run_scenario(scenario, [times]).trace
    except BaseExceptionGroup as exc:
        if exc.split(KeyError)[1] is not None:
            raise
        raise Unfit("it refers to a caller or a monitor that was not kept") from exc
    times.check()
    return trace


def difference(scenario: dict[str, Any], got: dict[str, Any], oracle: Oracle) -> Difference | None:
    """Compare a trace with that of real OTP; only what OTP does again and again counts.

    Raises:
        Unfit: real OTP gave different traces.
    """
    expected = oracle.trace(scenario)
    found = first_difference(expected, got)
    if found is None:
        return None
    for _ in range(AGAIN - 1):
        if first_difference(expected, oracle.trace(scenario)) is not None:
            raise Unfit("real OTP gives different traces")
    return found
