"""Run scenarios with trio_otp and compare their traces with those of real OTP.

python -m tests.conformance --scenarios DIR --golden DIR [--area A] [--show NAME] [--json FILE]
                            [--sleeping]
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from .compare import HERE
from .suite import Outcome, load, run_all, sleeping

ARROW = {"passed": " ", "failed": "F", "unsupported": "U"}


def main(argv: list[str] | None = None) -> int:
    """Run what the arguments say and give the exit status."""
    options = _parser().parse_args(argv)
    logging.getLogger("trio_otp").setLevel(logging.CRITICAL + 1)
    cases = load(options.scenarios, options.golden, options.area, options.show)
    with sleeping() if options.sleeping else nullcontext():
        outcomes = run_all(cases)
    for outcome in outcomes:
        _print_failure(outcome)
    if options.show:
        for outcome in outcomes:
            _show(outcome)
    _print_summary(outcomes)
    if options.json:
        text = json.dumps([outcome.as_json() for outcome in outcomes], indent=1)
        options.json.write_text(text + "\n")
    return 0 if outcomes and all(outcome.result == "passed" for outcome in outcomes) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--scenarios", type=Path, default=HERE / "scenarios", metavar="DIR")
    parser.add_argument("--golden", type=Path, default=HERE / "golden", metavar="DIR")
    parser.add_argument("--area", help="run only the scenarios of this area")
    parser.add_argument("--show", metavar="NAME", help="run this scenario and print its trace")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcomes here")
    parser.add_argument("--sleeping", action="store_true", help="let servers sleep when idle")
    return parser


def _print_failure(outcome: Outcome) -> None:
    if outcome.result == "unsupported":
        print(f"unsupported {outcome.case.name}: {outcome.reason}")
    elif outcome.result == "failed":
        print(f"FAILED {outcome.case.name}: {outcome.reason}")


def _show(outcome: Outcome) -> None:
    print(json.dumps(outcome.case.scenario, indent=1))
    print("expected", _text(outcome.case.expected))
    print("got", _text(outcome.trace))


def _text(trace: Any) -> str:
    return json.dumps(trace, indent=1, sort_keys=True)


def _print_summary(outcomes: list[Outcome]) -> None:
    areas: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        areas.setdefault(outcome.case.area, Counter())[outcome.result] += 1
    for area, counts in sorted(areas.items()):
        print(f"{area}: " + ", ".join(f"{counts[key]} {key}" for key in ARROW if counts[key]))
    for rule in sorted({rule for outcome in outcomes for rule in outcome.rules}):
        touched = sum(rule in outcome.rules for outcome in outcomes)
        print(f"rule {rule}: {touched} scenarios")
    deviating = sum(outcome.case.decision is not None for outcome in outcomes)
    print(f"deviations: {deviating} scenarios")
    passed = sum(outcome.result == "passed" for outcome in outcomes)
    print(f"{passed} passed, {len(outcomes) - passed} failed")


if __name__ == "__main__":
    sys.exit(main())
