"""Run the benchmarks: `python -m tests.benchmarks`, or `nox -s bench`.

Without arguments all races that are not on request are run, with rounds enough for the docs.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .page import write
from .peers.company import Company
from .races import RACES
from .report import as_json
from .run import run_all
from .table import render, render_targets
from .targets import judge

if TYPE_CHECKING:
    from collections.abc import Generator

    from .lanes import Lane, Race


def main(argv: list[str] | None = None) -> int:
    """Run what the arguments say and give the exit status."""
    options = _parser().parse_args(argv)
    if options.list:
        print("\n".join(f"{race.name:16} {race.title}" for race in RACES))
        return 0
    known = dict(text.partition("=")[::2] for text in options.missing)
    with _no_log(), Company(options.contestant or (), known) as company:

        def lanes_of(race: Race) -> list[Lane]:
            names = options.contestant
            own = [lane for lane in race.lanes if not names or lane.contestant in names]
            return own + company.lanes(race)

        results = run_all(
            [race for race in RACES if _is_chosen(race, options)],
            lanes_of,
            quick=options.quick,
            rounds=options.rounds,
            seconds=options.minutes * 60,
            progress=lambda result: print(render([result]), end="\n\n", flush=True),
        )
    judgements = judge(results)
    print(render_targets(judgements))
    for name, reason in company.missing.items():
        print(f"{name}: not there: {reason}")
    report = as_json(results, judgements, company.missing)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.write:
        write(report)
    return 1 if any(result.failures for result in results) else 0


@contextmanager
def _no_log() -> Generator[None]:
    """Leave out what crashes log: where that goes is not the cost of a restart."""
    logger = logging.getLogger("trio_otp")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _is_chosen(race: Race, options: argparse.Namespace) -> bool:
    if options.workload:
        return race.name in options.workload
    return not race.on_request and (race.in_quick or not options.quick)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything: under a minute")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each race")
    parser.add_argument(
        "--minutes",
        type=float,
        default=math.inf,
        metavar="N",
        help="fewer rounds of what takes long, so that it is over in so many minutes",
    )
    names = [race.name for race in RACES]
    parser.add_argument("--workload", nargs="+", metavar="NAME", choices=names)
    parser.add_argument("--contestant", nargs="+", metavar="NAME", help="trio_otp, F2, pykka ...")
    parser.add_argument("--list", action="store_true", help="list the workloads")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything here")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument(
        "--missing", action="append", default=[], metavar="PEER=REASON", help=argparse.SUPPRESS
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
