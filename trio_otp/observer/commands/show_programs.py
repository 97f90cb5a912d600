"""`trio-otp list`: the programs that can be looked at."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from ..socket.discovery import HOW, programs
from .asking import FAILED, stuck_lines
from .table import Column, table
from .terminal import complain, width, write, write_json

if TYPE_CHECKING:
    import argparse

    from ..socket.discovery import Program

COLUMNS: Final = (
    Column("PID", "pid", whole=True, right=True),
    Column("PROGRAM", "program", whole=True),
    Column("UP", "up", right=True),
    Column("ACTIONS", "actions"),
    Column("USER", "owner", right=True),
    Column("SAYS", "says", least=10),
)
END_OF_TIME: Final = 1e12  # seconds since 1970, whatever a program says
UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60))


def command(given: argparse.Namespace) -> int:
    """Carry it out."""
    found = programs()
    if given.json:
        write_json([_facts(program) for program in found])
    elif found:
        stuck = [f"{each.pid}: {line}" for each in found for line in stuck_lines(each.loop)]
        write([*stuck, *table(COLUMNS, [_row(program) for program in found], width())])
    else:
        complain(HOW.splitlines())
    return 0 if found or given.json else FAILED


def _facts(program: Program) -> dict[str, Any]:
    silent = None if program.silent is None else str(program.silent)
    more = {"path": str(program.path), "silent": silent, "loop": program.loop}
    return {**program.hello, **more}


def _row(program: Program) -> dict[str, Any]:
    hello = program.hello
    answers = program.silent is None
    return {
        "pid": program.pid,
        "program": program.name,
        "up": _duration(hello.get("started")),
        "actions": ("yes" if hello.get("actions") else "no") if answers else None,
        "owner": program.owner,
        "says": ("loop stuck" if program.loop else None) if answers else str(program.silent),
    }


def _duration(started: Any) -> str | None:
    """Return how long ago that was, in its largest unit; None for what is no time."""
    if not isinstance(started, int | float) or not 0 <= started < END_OF_TIME:
        return None
    seconds = max(time.time() - started, 0.0)
    for unit, size in UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
