"""Made-up scenarios break no invariant, and the invariants catch what they are for."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from depth import few
from hypothesis import HealthCheck, given, settings

from tests.conformance.differential.invariants import broken
from tests.conformance.differential.strategy import scenarios
from tests.conformance.differential.trial import Unfit, trio_trace

TREE: dict[str, Any] = {
    "name": "tree",
    "area": "differential",
    "about": "A tree in which one child is killed and another keeps its caller waiting.",
    "defs": {
        "s0": {
            "kind": "supervisor",
            "max_restarts": 1,
            "max_seconds": 1000,
            "children": [{"start": "w0"}, {"start": "w1"}],
        },
        "w0": {"kind": "server"},
        "w1": {"kind": "server"},
    },
    "steps": [
        ["start_link", "s0"],
        ["call_start", "c0", "w1", {"do": [["save_from", "f0"], ["noreply"]]}],
        ["settle"],
        ["signal", "w0", "kill"],
        ["settle"],
        ["call_poll", "c0"],
        ["tree", "s0"],
        ["stop", "s0", "shutdown"],
        ["call_poll", "c0"],
        ["call_poll", "c0"],
    ],
}


@pytest.mark.slow
def test_made_up_scenarios_hold_everything_and_break_no_invariant() -> None:
    """Whatever dies in whatever tree: no orphans, every call answered once, stops in order."""
    found: Counter[str] = Counter()

    @EXAMPLES
    @given(scenarios())
    def judge(scenario: dict[str, Any]) -> None:
        text = json.dumps(scenario)
        found.update(word for word in WORDS if f'"{word}"' in text)
        try:
            trace = trio_trace(scenario)
        except Unfit:
            found["unfit"] += 1
            return
        assert [] == broken(scenario, trace)

    judge()
    assert [] == [word for word in WORDS if found[word] == 0]
    assert found["unfit"] < EXAMPLES.max_examples / 10


EXAMPLES = settings(
    derandomize=True,
    max_examples=few(100),
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.nested_given],
)
WORDS = (  # that one scenario in five has, and more
    *("one_for_one", "one_for_all", "rest_for_one", "all_significant", "significant"),
    *("permanent", "transient", "temporary", "brutal_kill", "infinity", "trap_exit"),
    *("server", "proc", "supervisor", "dynamic_supervisor", "call_start", "noreply"),
    *("raise", "exit", "signal", "kill", "normal", "shutdown", "stop", "ensure", "sleep"),
)


def test_a_plain_trace_breaks_nothing() -> None:
    """The tree that the faults below are put into breaks no invariant itself."""
    assert [] == broken(TREE, trio_trace(TREE))


@pytest.mark.parametrize("fault", ["orphan", "unanswered", "answered twice", "restarts", "order"])
def test_an_invariant_catches_its_fault(fault: str) -> None:
    """A trace that shows an orphan, an open call, a second answer, ... breaks one invariant."""
    trace = trio_trace(TREE)
    log = trace["sups"]["s0#1"]
    match fault:
        case "orphan":
            trace["alive"].append("w1#1")
        case "unanswered":
            trace["driver"][-1][2] = trace["driver"][-2][2] = None
        case "answered twice":
            trace["driver"][-1][2] = ["ok", "other"]
        case "restarts":
            log[3:3] = [["start", "w0#8"], ["exit", "w0#8", "killed"]]
        case "order":
            log[-2:] = reversed(log[-2:])

    assert 1 == len(broken(TREE, trace))
