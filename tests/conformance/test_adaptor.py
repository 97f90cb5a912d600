"""The adaptor itself: it is strict, its rules undo one decision each, and it says what fails."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.compare import HERE, deviations, first_difference
from tests.conformance.rules import RULES
from tests.conformance.runner import Broken, run_scenario
from tests.conformance.suite import Case, load, run_case

if TYPE_CHECKING:
    from pathlib import Path

ROOT = HERE.parent.parent
# {rule: a scenario that it touches}
TOUCHED = {
    "terminate_without_trap": ("supervisor", "non_trapping_child_skips_terminate"),
    "failed_init_is_silent": ("gen_server", "init_raise_link_trap"),
    "call_cycles": ("gen_server", "deadlock"),
}
GIVEN = [json.loads(path.read_text()) for path in sorted((HERE / "golden").rglob("*.json"))]


def case_of(area: str, name: str) -> Case:
    """Return a case by its area and name."""
    for folder in (HERE, HERE / "more"):
        for case in load(folder / "scenarios", folder / "golden", area, name):
            return case
    raise LookupError(f"{area}/{name}")


def scenario_of(*steps: Any, **defs: Any) -> dict[str, Any]:
    """Return a scenario."""
    return {"name": "made", "area": "made", "about": "", "defs": defs, "steps": list(steps)}


# -- rules and deviations --------------------------------------------------------------------------


def test_every_rule_has_a_case_here() -> None:
    """The tests of the rules below leave none out."""
    assert set(RULES) == set(TOUCHED)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_counted_where_it_is_applied(rule: str) -> None:
    """The scenario of a rule passes, and the outcome names that rule and no other."""
    outcome = run_case(case_of(*TOUCHED[rule]))
    assert ("passed", [rule]) == (outcome.result, list(outcome.rules))


@pytest.mark.parametrize("rule", RULES)
def test_a_second_difference_beside_a_rule_fails(rule: str) -> None:
    """A trace that a rule touches is compared to its last entry."""
    case = case_of(*TOUCHED[rule])
    expected = copy.deepcopy(case.expected)
    last = max(expected["procs"])
    expected["procs"][last].append(["note", "another"])
    outcome = run_case(replace(case, expected=expected))
    assert "failed" == outcome.result
    assert f"at trace.procs.{last}[" in outcome.reason


def test_a_rule_does_not_hide_what_the_decision_is_not_about() -> None:
    """A server that does not trap exits runs terminate when it stops by itself."""
    server = {"kind": "server", "terminate": [["note", "end"]]}
    stop = ["cast", "a", {"do": [["quit", "normal"]]}]
    result = run_scenario(scenario_of(["start", "a"], stop, a=server))
    entries = [["init"], ["cast", "do"], ["terminate", "normal"], ["do", "note", "end"]]
    assert [*entries, ["exit", "normal"]] == result.trace["procs"]["a#1"]
    assert {} == result.rules


def test_the_trace_of_a_deviation_is_checked_as_strictly() -> None:
    """With another expected trace the same scenario fails, and a deviation names its decision."""
    case = case_of("gen_server", "start_runs_init")
    changed = {**case.expected, "alive": []}
    outcome = run_case(replace(case, expected=changed, decision="made up"))
    assert ("failed", "made up") == (outcome.result, outcome.case.decision)


def test_every_deviation_is_of_a_scenario_that_is_there() -> None:
    """The file of deviations names no scenario in vain."""
    names = {f"{trace['area']}/{trace['scenario']}" for trace in GIVEN}
    assert set() == set(deviations()) - names


# -- comparing -------------------------------------------------------------------------------------


def test_equal_traces_have_no_difference() -> None:
    """Every trace equals itself."""
    assert [] == [trace for trace in GIVEN if first_difference(trace, copy.deepcopy(trace))]


@pytest.mark.parametrize(
    ("expected", "got", "where"),
    [
        ({"a": [["x"], ["y"]]}, {"a": [["x"], ["z"]]}, "trace.a[1]"),
        ({"a": [["x"]]}, {"a": [["x"], ["y"]]}, "trace.a[1]"),
        ({"a": [["x"], ["y"]]}, {"a": [["x"]]}, "trace.a[1]"),
        ({"a": [], "b": {}}, {"a": []}, "trace.b"),
        ({"alive": ["a", "b"]}, {"alive": ["a"]}, "trace.alive"),
        ([["x", 1]], [["x", True]], "trace[0][1]"),
        ([["x", None]], [["x", "null"]], "trace[0]"),
    ],
)
def test_the_first_difference_is_found(expected: Any, got: Any, where: str) -> None:
    """The place that is named is the first at which two traces differ; true is not 1."""
    difference = first_difference(expected, got)
    assert difference is not None
    assert where.startswith(difference.where)


# -- limits ----------------------------------------------------------------------------------------


def test_a_scenario_that_runs_in_circles_is_broken() -> None:
    """A process that never comes to rest ends the run, and what it started with it."""
    loop = {"kind": "server", "info": {"x": [["send", "self", "x"]]}}
    with pytest.raises(Broken, match=r"no end after \d+ steps"):
        run_scenario(scenario_of(["start", "a"], ["send", "a", "x"], ["settle"], a=loop))


def test_a_scenario_that_waits_for_ever_is_broken() -> None:
    """A driver that waits for an answer that never comes ends by the limit of virtual time."""
    server = {"kind": "server", "call": {"never": [["noreply"]]}}
    call = ["call", "a", "never", {"timeout": "infinity"}]
    with pytest.raises(Broken, match=r"10000 s$"):
        run_scenario(scenario_of(["start", "a"], call, a=server))


# -- the command -----------------------------------------------------------------------------------


def folder_of(path: Path, *names: str) -> Path:
    """Copy given scenarios, with their traces, into a folder that is not the repository's."""
    for name in names:
        for part in ("scenarios", "golden"):
            target = path / part / f"{name}.json"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text((HERE / part / f"{name}.json").read_text())
    return path


def command(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m tests.conformance` on a folder."""
    dirs = ["--scenarios", str(folder / "scenarios"), "--golden", str(folder / "golden")]
    line = [sys.executable, "-m", "tests.conformance", *dirs, *options]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_command_passes_a_folder_elsewhere(tmp_path: Path) -> None:
    """All passed: the last line counts them, the exit status is 0."""
    folder = folder_of(tmp_path, "timer/cancel_twice", "links/link_to_dead")
    done = command(folder)
    assert "2 passed, 0 failed" == done.stdout.splitlines()[-1]
    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.slow
def test_the_command_names_what_fails(tmp_path: Path) -> None:
    """A failing scenario is shown with its first difference, one that lacks a feature with it."""
    folder = folder_of(tmp_path, "timer/cancel_twice", "sys/dead")
    golden = folder / "golden/timer/cancel_twice.json"
    golden.write_text(golden.read_text().replace('"a#1"', '"a#7"'))
    scenario = folder / "scenarios/sys/dead.json"
    scenario.write_text(scenario.read_text().replace('"sys_get_state"', '"sys_what"'))
    done = command(folder, "--json", str(tmp_path / "out.json"))
    assert "0 passed, 2 failed" == done.stdout.splitlines()[-1]
    assert 1 == done.returncode
    assert re.search(r"FAILED timer/cancel_twice: at trace.*\n +expected .*\n +got ", done.stdout)
    assert "unsupported sys/dead: sys_what" in done.stdout
    written = json.loads((tmp_path / "out.json").read_text())
    assert ["unsupported", "failed"] == [entry["result"] for entry in written]


@pytest.mark.slow
def test_the_command_chooses_by_area_and_name(tmp_path: Path) -> None:
    """`--area` and `--show` leave the others out; the latter prints scenario and trace."""
    folder = folder_of(tmp_path, "timer/cancel_twice", "timer/read_timer", "links/link_to_dead")
    assert "2 passed, 0 failed" == command(folder, "--area", "timer").stdout.splitlines()[-1]
    shown = command(folder, "--show", "links/link_to_dead").stdout
    assert "1 passed, 0 failed" == shown.splitlines()[-1]
    assert '"link_to_dead"' in shown


@pytest.mark.slow
def test_the_command_fails_on_nothing(tmp_path: Path) -> None:
    """No scenario found is no success."""
    done = command(tmp_path)
    assert ("0 passed, 0 failed", 1) == (done.stdout.splitlines()[-1], done.returncode)


@pytest.mark.slow
def test_a_missing_trace_fails(tmp_path: Path) -> None:
    """A scenario without a trace to compare with does not pass."""
    folder = folder_of(tmp_path, "timer/cancel_twice")
    (folder / "golden/timer/cancel_twice.json").unlink()
    assert "0 passed, 1 failed" == command(folder).stdout.splitlines()[-1]
