"""Ctrl-C and SIGTERM, sent to real programs: the tree is stopped in order wherever they strike."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from paths import SUPPORT

import trio_otp

PROGRAM = SUPPORT / "tree_program.py"
LIMIT = 60.0  # seconds; only a program that hangs needs them


def run_and_signal(where: str, number: signal.Signals) -> list[str]:
    """Start the program, send it the signal once it is there, give what it printed after that."""
    home = str(Path(trio_otp.__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), where],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": home},
    ) as program:
        assert program.stdout is not None
        try:
            before = list(iter(program.stdout.readline, "busy\n"))
            program.send_signal(number)
            after, _ = program.communicate(timeout=LIMIT)
        finally:
            program.kill()
    assert 0 == program.returncode, (before, after)
    return after.split("\n")[:-1]


def ends(*tags: str) -> list[str]:
    """Return what the end of workers in order prints."""
    return [word for tag in tags for word in (f"-{tag}", f"={tag}")]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("idle", ends("d", "c", "x", "b", "a")),
        ("handler", ["-x", "=x", *ends("c", "b", "d", "a")]),
        ("init", ends("b", "a")),
        ("terminate", ends("c", "b", "d", "a")),
        ("function", ends("c", "x", "b", "a")),
    ],
)
def test_ctrl_c_stops_the_tree_in_order(where: str, expected: list[str]) -> None:
    """Where it strikes, the nearest supervisor ends first, as by a crash; then the one above."""
    assert [*expected, "raised KeyboardInterrupt()"] == run_and_signal(where, signal.SIGINT)


def test_sigterm_that_cancels_the_program_stops_the_tree_in_order() -> None:
    """The usual way of Trio programs: a receiver that cancels."""
    printed = run_and_signal("idle", signal.SIGTERM)
    assert ["told to end", *ends("d", "c", "x", "b", "a"), "ended"] == printed
