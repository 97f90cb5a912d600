"""The process of one peer: `python -m tests.benchmarks.peers.worker MODULE`.

It says `ready RACE RACE ...` or `no REASON`. Then each line `RACE N` on its input is answered with
`ok AMOUNT COUNT` or `no REASON`. What peers print goes to standard error.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..measure import Sample


def main(module: str) -> None:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        lanes = importlib.import_module(f".{module}", __package__).LANES
    except Exception as exc:  # whatever is wrong with a peer is an answer
        print("no", _line(exc), file=answers)
        return
    gc.collect()
    gc.freeze()
    print("ready", *lanes, file=answers)
    serve(lanes, sys.stdin, answers)


def serve(lanes: Mapping[str, Callable[[int], Sample]], orders: TextIO, answers: TextIO) -> None:
    """Do what the orders say, one at a time."""
    for order in orders:
        race, n = order.split()
        gc.collect()
        try:
            sample = lanes[race](int(n))
        except Exception as exc:
            print("no", _line(exc), file=answers)
        else:
            print("ok", sample.amount, sample.count, file=answers)


def _line(exc: Exception) -> str:
    return f"{type(exc).__name__}: {exc}".replace("\n", " ")


if __name__ == "__main__":
    main(sys.argv[1])
