"""Exploring: hypothesis makes up scenarios, real OTP and the invariants judge them."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import Flaky

from .invariants import broken
from .oracle_client import Oracle, OracleFailed, find_elixir
from .strategy import scenarios
from .trial import Unfit, difference, trio_trace

if TYPE_CHECKING:
    from collections.abc import Callable

REASON = 90  # characters of why a scenario is left out
SHRINKING = 60  # seconds to make a scenario that fails smaller
QUIETLY = settings(
    phases=[Phase.generate, Phase.shrink],
    database=None,
    deadline=None,
    print_blob=False,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    verbosity=Verbosity.quiet,
)


@dataclass(frozen=True)
class Failure:
    """A scenario, shrunk, with what is wrong and the trace of real OTP."""

    scenario: dict[str, Any]
    text: str
    golden: dict[str, Any] | None


@dataclass
class Findings:
    """What some scenarios gave."""

    compared: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Add what other scenarios gave."""
        self.compared += other.compared
        self.left_out += other.left_out
        self.failures += other.failures


class Wrong(Exception):
    """A scenario that fails."""


class OutOfTime(BaseException):
    """A scenario that fails is small enough; hypothesis lets this through, and so ends."""


class Judge:
    """Judges scenarios. Remembers the last that failed: when hypothesis ends, the smallest.

    Args:
        oracle: real OTP; None leaves it at the invariants.
        shrinking: seconds to go on after the first that failed.
    """

    def __init__(self, oracle: Oracle | None, shrinking: float = SHRINKING) -> None:
        self.oracle = oracle
        self.shrinking = shrinking
        self.findings = Findings()
        self.failure: Failure | None = None
        self.deadline = float("inf")

    def judge(self, scenario: dict[str, Any]) -> None:
        """Judge a scenario.

        Raises:
            Wrong: it fails.
            OutOfTime: another has failed long ago.
        """
        if time.monotonic() >= self.deadline:
            raise OutOfTime
        try:
            text = self._what_is_wrong(scenario)
        except (Unfit, OracleFailed) as exc:
            self.findings.left_out[f"{type(exc).__name__}: {exc}"[:REASON]] += 1
            return
        self.findings.compared += self.failure is None  # what shrinking tries counts for nothing
        if text is not None:
            if self.failure is None:
                self.deadline = time.monotonic() + self.shrinking
            self.failure = Failure(scenario, text, self._golden(scenario))
            raise Wrong

    def _what_is_wrong(self, scenario: dict[str, Any]) -> str | None:
        trace = trio_trace(scenario)
        found = None if self.oracle is None else difference(scenario, trace, self.oracle)
        if found is not None:
            return str(found)
        return "\n".join(broken(scenario, trace)) or None

    def _golden(self, scenario: dict[str, Any]) -> dict[str, Any] | None:
        return None if self.oracle is None else self.oracle.trace(scenario)


def explore(number: int, count: int) -> Findings:
    """Judge `count` scenarios; the same number gives the same ones."""
    return judged_by(Judge(_oracle()), number, count)


def judged_by(judge: Judge, number: int, count: int) -> Findings:
    """Let this judge judge them."""
    try:
        _test(judge.judge, number, count)()
    except (Wrong, OutOfTime):
        assert judge.failure is not None
        judge.findings.failures.append(judge.failure)
    except Flaky as exc:
        judge.findings.left_out[f"it does not fail every time: {type(exc).__name__}"] += 1
    return judge.findings


def _test(judge: Callable[[dict[str, Any]], None], number: int, count: int) -> Callable[[], None]:
    @seed(number)
    @settings(QUIETLY, max_examples=count)
    @given(scenarios())
    def test(scenario: dict[str, Any]) -> None:
        judge(scenario)

    return test


def be_quiet() -> None:
    """Log nothing of what crashes in scenarios."""
    logging.getLogger("trio_otp").setLevel(logging.CRITICAL + 1)


_oracles: dict[int, Oracle] = {}  # {process id: its VM}; a VM ends when its process does


def _oracle() -> Oracle | None:
    elixir = find_elixir()
    if elixir is not None and os.getpid() not in _oracles:
        _oracles[os.getpid()] = Oracle(elixir)
    return _oracles.get(os.getpid())
