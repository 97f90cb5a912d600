"""The scenarios that real OTP has run leave the same traces with trio_otp."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.compare import HERE
from tests.conformance.runner import missing
from tests.conformance.suite import Case, in_own_turns, load, run_case, sleeping
from tests.support.inside import life

if TYPE_CHECKING:
    from tests.support.inside import Process

FOLDERS = {"": HERE, "more/": HERE / "more"}
CASES = {
    prefix + case.name: case
    for prefix, folder in FOLDERS.items()
    for case in load(folder / "scenarios", folder / "golden")
    if not missing(case.scenario)
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_scenario_leaves_the_trace_of_otp(case: Case) -> None:
    """A scenario leaves the trace that OTP left, or the one a deviation names."""
    outcome = run_case(case)
    assert ("passed", "") == (outcome.result, outcome.reason)


@pytest.mark.sampled(76)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_servers_that_sleep_leave_the_same_trace(case: Case) -> None:
    """With every server asleep whenever it is idle, a scenario leaves the trace it leaves else."""
    with sleeping():
        outcome = run_case(case)
    assert ("passed", "") == (outcome.result, outcome.reason)


@pytest.mark.sampled(76)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_servers_in_their_own_turns_leave_the_same_trace(case: Case) -> None:
    """With no call handled in its caller's turn, a scenario leaves the trace it leaves else."""
    with in_own_turns():
        outcome = run_case(case)
    assert ("passed", "") == (outcome.result, outcome.reason)


def test_they_do_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch reaches the servers of the scenarios, and only while it is on."""
    slept = []
    fall_asleep = life.fall_asleep

    def count(process: Process) -> None:
        slept.append(process)
        fall_asleep(process)

    monkeypatch.setattr(life, "fall_asleep", count)
    case = CASES["gen_server/reply_then_continue"]
    assert "passed" == run_case(case).result
    assert [] == slept
    with sleeping():
        assert "passed" == run_case(case).result
    assert 2 <= len(slept)
