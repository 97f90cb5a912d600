"""Folders of scenarios: loading them with what is expected, and running them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import trio_otp as otp
from tests.support.inside import MessageLoop

from .compare import deviations, first_difference
from .runner import Broken, Unsupported, run_scenario

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path


@dataclass(frozen=True)
class Case:
    """A scenario with the trace that is expected of it."""

    scenario: dict[str, Any]
    expected: Any
    decision: str | None = None  # why the expected trace is not OTP's

    @property
    def area(self) -> str:
        """The scenario's area."""
        return str(self.scenario["area"])

    @property
    def name(self) -> str:
        """The scenario's area and name."""
        return f"{self.area}/{self.scenario['name']}"


@dataclass
class Outcome:
    """How a case went."""

    case: Case
    result: Literal["passed", "failed", "unsupported"]
    reason: str = ""
    trace: Any = None
    rules: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        return {
            "scenario": self.case.name,
            "result": self.result,
            "reason": self.reason,
            "rules": self.rules,
            "deviation": self.case.decision,
        }


def load(
    scenarios: Path, golden: Path, area: str | None = None, name: str | None = None
) -> list[Case]:
    """Read the scenarios below a folder, in order, with their traces.

    Args:
        scenarios: a folder, searched recursively.
        golden: the folder of the traces, AREA/NAME.json or laid out as that of the scenarios.
        area: only those of this area.
        name: only those of this name, with or without the area.
    """
    differing = deviations()
    cases = []
    for path in sorted(scenarios.rglob("*.json")):
        scenario = json.loads(path.read_text())
        full = f"{scenario['area']}/{scenario['name']}"
        if area in (None, scenario["area"]) and name in (None, scenario["name"], full):
            expected = _golden(golden, full, path.relative_to(scenarios))
            other = differing.get(full, {"trace": expected, "decision": None})
            cases.append(Case(scenario, other["trace"], other["decision"]))
    return cases


def _golden(golden: Path, full: str, relative: Path) -> Any:
    for path in (golden / relative, golden / f"{full}.json"):
        if path.is_file():
            return json.loads(path.read_text())
    return None


def run_case(case: Case) -> Outcome:
    """Run a case and compare."""
    try:
        result = run_scenario(case.scenario)
    except Unsupported as exc:
        return Outcome(case, "unsupported", str(exc))
    except Broken as exc:
        return Outcome(case, "failed", str(exc))
    except Exception as exc:  # an error of the adaptor or of the library is a failure, not the end
        return Outcome(case, "failed", f"{type(exc).__name__}: {exc}")
    difference = first_difference(case.expected, result.trace)
    outcome = Outcome(case, "passed", trace=result.trace, rules=dict(result.rules))
    if difference is not None:
        outcome.result, outcome.reason = "failed", str(difference)
    return outcome


@contextmanager
def sleeping() -> Generator[None]:
    """Let every GenServer sleep whenever it is idle: no trace may tell."""
    server: Any = otp.GenServer
    server.hibernate_after, before = 0, server.hibernate_after
    try:
        yield
    finally:
        server.hibernate_after = before


@contextmanager
def in_own_turns() -> Generator[None]:
    """Let no server handle a call in the turn of its caller: no trace may tell."""
    MessageLoop.serves_callers, before = False, MessageLoop.serves_callers
    try:
        yield
    finally:
        MessageLoop.serves_callers = before


def run_all(cases: Iterable[Case]) -> list[Outcome]:
    """Run cases one after another."""
    return [run_case(case) for case in cases]
