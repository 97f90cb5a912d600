"""Soak a tree for some minutes: `nox -s soak -- --minutes 30`.

The exit status is 1 if there is more at the end than after the first minute.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING

import trio

from .run import soak

if TYPE_CHECKING:
    from .run import Soak

PART = 0.05  # by which figures may differ
FIRST = 60.0  # seconds, after which all there ever is should be there


def main() -> int:
    """Run what the arguments say and give the exit status."""
    parser = argparse.ArgumentParser(prog="nox -s soak --", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, metavar="N")
    minutes: float = parser.parse_args().minutes
    before, after = trio.run(soak, partial(_is_over, FIRST), partial(_is_over, minutes * 60))
    grown = after.grown_since(before, PART)
    print("grown: " + "; ".join(grown) if grown else "nothing has grown")
    return 1 if grown else 0


def _is_over(seconds: float, run: Soak) -> bool:
    return run.seconds >= seconds


if __name__ == "__main__":
    sys.exit(main())
