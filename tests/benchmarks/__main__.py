"""Run the benchmarks: `python -m tests.benchmarks`, or `nox -s bench`.

Without arguments all races that are not on request are run, with rounds enough for the docs.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from .races import RACES
from .run import run_all
from .table import render

if TYPE_CHECKING:
    from .lanes import Lane, Race


def main(argv: list[str] | None = None) -> int:
    """Run what the arguments say and give the exit status."""
    options = _parser().parse_args(argv)
    chosen = [race for race in RACES if _is_chosen(race, options.workload)]

    def lanes_of(race: Race) -> list[Lane]:
        names = options.contestant
        return [lane for lane in race.lanes if not names or lane.contestant in names]

    results = run_all(
        chosen,
        lanes_of,
        quick=options.quick,
        rounds=options.rounds,
        progress=lambda result: print(render([result]), end="\n\n", flush=True),
    )
    return 1 if any(result.failures for result in results) else 0


def _is_chosen(race: Race, names: list[str] | None) -> bool:
    return race.name in names if names else not race.on_request


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything: under a minute")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each race")
    parser.add_argument("--workload", nargs="+", metavar="NAME", choices=[r.name for r in RACES])
    parser.add_argument("--contestant", nargs="+", metavar="NAME", help="trio_otp, F2, pykka ...")
    return parser


if __name__ == "__main__":
    sys.exit(main())
