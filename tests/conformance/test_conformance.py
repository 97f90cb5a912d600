"""The scenarios that real OTP has run leave the same traces with trio_otp."""

from __future__ import annotations

import pytest

from tests.conformance.compare import HERE
from tests.conformance.runner import missing
from tests.conformance.suite import Case, load, run_case

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
