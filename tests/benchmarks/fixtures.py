"""What each fixture of the testing kit costs: `python -m tests.benchmarks.fixtures`.

A file with many tests that take a fixture and do nothing is run beside one whose tests take none,
each in a fresh interpreter; the difference in processor time is divided by the number of tests.
What is printed is the median of some rounds, with the smallest and the largest.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

TESTS: Final = 300
ROUNDS: Final = 3
INI: Final = "[pytest]\ntrio_mode = true\nfilterwarnings = error\n"
CASES: Final = {
    "no fixture": "async def test_it(n): pass",
    "autojump_clock, of pytest-trio": "async def test_it(n, autojump_clock): pass",
    "virtual_time": "async def test_it(n, virtual_time): pass",
    "otp_system": "async def test_it(n, otp_system): pass",
    "otp_log": "async def test_it(n, otp_log): pass",
    "probe": "async def test_it(n, probe): pass",
    "start_supervised, not called": "async def test_it(n, start_supervised): pass",
    "start_supervised, one server": (
        "async def test_it(n, start_supervised): await start_supervised(otp.GenServer)"
    ),
    "open_supervisor with one server, no fixture": (
        "async def test_it(n):\n    async with otp.open_supervisor([otp.GenServer]): pass"
    ),
}


def seconds(folder: Path, test: str) -> float:
    """Return the processor time of a run of pytest with so many tests."""
    head = "import pytest\nimport trio_otp as otp\n"
    first = "async def test_first(otp_system): pass\n"  # pays for the imports
    body = f"@pytest.mark.parametrize('n', range({TESTS}))\n{test}\n"
    (folder / "test_it.py").write_text(head + first + body, encoding="utf-8")
    options = ["-q", "-p", "no:cacheprovider", "-p", "trio_otp.pytest_plugin", "-p", "no:xdist"]
    command = [sys.executable, "-m", "pytest", *options, str(folder)]
    before = _used()
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{TESTS + 1} passed" in ran.stdout
    return _used() - before


def _used() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print a table in Markdown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text(INI, encoding="utf-8")
        found: dict[str, list[float]] = {case: [] for case in CASES}
        for _ in range(ROUNDS):
            rounds = {case: 1000 * seconds(folder, test) / TESTS for case, test in CASES.items()}
            for case, taken in rounds.items():
                found[case].append(taken - (0 if case == "no fixture" else rounds["no fixture"]))
    print("| fixture | ms more than a test without | from | to |\n|---|---|---|---|")
    for case, times in found.items():
        row = [statistics.median(times), min(times), max(times)]
        print(f"| {case} | {' | '.join(f'{each:.2f}' for each in row)} |")


if __name__ == "__main__":
    main()
