"""Run made-up scenarios on real OTP and on trio_otp, and compare.

python -m tests.conformance.differential [COUNT] [--jobs N] [--seed N] [--save DIR]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from .explore import Failure, Findings, be_quiet, explore
from .oracle_client import find_elixir

CHUNK = 50  # scenarios between two looks for a failure; each failing chunk gives one
LEFT_OUT = 0.2  # a larger share of scenarios left out is a failure


def main(argv: list[str] | None = None) -> int:
    """Run what the arguments say and give the exit status."""
    options = _parser().parse_args(argv)
    began = time.monotonic()
    if find_elixir() is None:
        print("elixir is not installed: only the invariants are checked")
    print(f"--seed {options.seed}")
    findings = Findings()
    numbers = range(options.seed, options.seed - (-options.count // CHUNK))
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), initializer=be_quiet) as pool:
        for found in pool.map(explore, numbers, [CHUNK] * len(numbers)):
            for failure in found.failures:
                _report(failure, options.save)
            findings.add(found)
            if findings.compared % (10 * CHUNK) < CHUNK:
                print(f"{findings.compared} compared", flush=True)
    return _summary(findings, time.monotonic() - began)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.differential", description=__doc__
    )
    parser.add_argument("count", type=int, nargs="?", default=3000, metavar="COUNT")
    parser.add_argument("--jobs", type=int, default=6, metavar="N", help="how many VMs")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), metavar="N")
    parser.add_argument("--save", type=Path, default=Path(".nox/differential"), metavar="DIR")
    return parser


def _report(failure: Failure, folder: Path) -> None:
    """Save a failure as a scenario with its trace, and say where."""
    text = json.dumps(failure.scenario, sort_keys=True)
    name = f"found_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    scenario = failure.scenario | {"name": name, "about": failure.text.partition("\n")[0]}
    golden = failure.golden and failure.golden | {"scenario": name}
    for kind, value in {"scenarios": scenario, "golden": golden}.items():
        path = folder / kind / scenario["area"] / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value, indent=1) + "\n")
    print(f"FAILED {folder}/scenarios/{scenario['area']}/{name}.json: {failure.text}", flush=True)


def _summary(findings: Findings, seconds: float) -> int:
    for reason, count in findings.left_out.most_common():
        print(f"left out: {count} ({reason})")
    left_out = findings.left_out.total()
    failed = len(findings.failures)
    print(f"{findings.compared} scenarios compared in {seconds:.0f} s")
    print(f"{findings.compared - failed} passed, {failed} failed")
    return 1 if failed or left_out > LEFT_OUT * (findings.compared + left_out) else 0


if __name__ == "__main__":
    sys.exit(main())
