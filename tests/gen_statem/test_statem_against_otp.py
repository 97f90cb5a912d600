"""Random state machines that real OTP has run: here they do the same.

`data/random_statems.json` holds scenarios in the language of `conformance/GRAMMAR.md`, made
by chance of everything a machine can do with events and time-outs, each with the trace of OTP 25.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from paths import DATA

from tests.conformance.compare import first_difference
from tests.conformance.runner import run_scenario

CASES = json.loads((DATA / "random_statems.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["scenario"]["name"])
def test_a_random_machine_leaves_the_trace_of_otp(case: Any) -> None:
    """Order of events, enter calls, states, data and answers are those of OTP."""
    assert None is first_difference(case["trace"], run_scenario(case["scenario"]).trace)


def test_the_machines_do_everything_there_is_to_do() -> None:
    """Every kind of event and every action is among them."""
    entries = [entry for case in CASES for entry in case["trace"]["procs"]["m#1"]]
    kinds = {entry[1].partition(":")[0] for entry in entries if entry[0] == "event"}
    text = json.dumps([case["scenario"]["defs"] for case in CASES])

    assert {
        "call",
        "cast",
        "info",
        "internal",
        "state_timeout",
        "event_timeout",
        "timeout",
    } == kinds
    assert 100 < sum(entry[0] == "enter" for entry in entries)
    words = ("postpone", "next_event", "repeat_state", "cancel", "update", "reply")
    assert [] == [word for word in words if f'"{word}"' not in text]
