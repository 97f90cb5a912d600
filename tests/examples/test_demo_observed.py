"""Look into the cache service under load, while it loses processes, with every command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from observed_kit import LIMIT, own_places
from paths import ROOT

from trio_otp import cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow
FIXED = ("CacheSupervisor", "DatabaseLock", "Keyspaces", "WorkerSupervisor", "Endpoint")
COMMANDS = ("list", "ps", "tree", "info Endpoint", "problems", "stacks", "crashes", "url")


@pytest.fixture(scope="module", autouse=True)
def demo() -> Iterator[subprocess.Popen[str]]:
    """Run the demonstration under load, for longer than these tests."""
    with own_places():
        process = subprocess.Popen(
            [sys.executable, "-m", "trio_otp", "demo", "--seconds", "600", "--observe=actions"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        watch = threading.Timer(4 * LIMIT, process.kill)
        watch.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "Endpoint" in line:  # of its tree: all records are stored
                    break
            yield process
        finally:
            watch.cancel()
            process.kill()
            process.communicate()


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Carry out a command line, in a terminal of 80 columns, and return what it prints."""
    monkeypatch.setenv("COLUMNS", "80")

    def carry_out(words: str) -> str:
        assert cli.main(words.split()) in {0, 1 if words.startswith("problems") else 0}
        return capsys.readouterr().out

    return carry_out


@pytest.mark.parametrize("words", COMMANDS)
def test_each_command(words: str, say: Callable[[str], str]) -> None:
    """It prints something, and as JSON what a program can read, of the program that runs."""
    text = say(words)
    assert text.strip()
    told = json.loads(say(f"{words} --json"))
    if words == "list":
        assert "trio-otp demo" in text
        assert ["trio-otp demo"] == [program["program"] for program in told]
    else:
        assert ["loop", "program", "pid", "result"] == list(told)
        assert "trio-otp demo" == told["program"]


def test_the_table_is_that_of_the_page(say: Callable[[str], str]) -> None:
    """The same rows as the page gets, in its order; at 80 columns what identifies them is whole."""
    lines = say("ps --sort pid").splitlines()
    result = json.loads(say("ps --sort pid --json"))["result"]
    rows = {line.split()[0]: line for line in lines}
    fixed = [row for row in result["rows"].values() if row["name"].strip("'") in FIXED]
    assert len(FIXED) == len(fixed)
    for row in fixed:
        shown = re.split(r"  +", rows[str(row["pid"])].strip())
        assert [str(row["pid"]), row["name"]] == shown[:2]
        assert shown[2] in {"idle", "handling", "waiting", "running"}
        assert shown[3].isdigit()
    assert max(map(len, lines)) <= 80
    pids = [int(line.split()[0]) for line in lines[1:] if line.split()[0].isdigit()]
    assert pids == sorted(pids)


def test_rates_are_measured(say: Callable[[str], str]) -> None:
    """The busiest process has handled messages in the last fraction of a second."""
    rows = json.loads(say("ps --sort handled -n 1 --json"))["result"]["rows"]
    assert [True] == [row["handled"] > 0 for row in rows.values()]


def test_the_tree_has_the_named_processes(say: Callable[[str], str]) -> None:
    """Under their supervisor, each in a line."""
    drawn = say("tree CacheSupervisor")
    nodes = json.loads(say("tree CacheSupervisor --json"))["result"]["nodes"]
    for name in FIXED:
        assert f"'{name}' " in drawn
        assert f"'{name}'" in [node["name"] for node in nodes]


def test_a_shell_reads_its_state(demo: subprocess.Popen[str]) -> None:
    """In the middle of the load."""
    done = subprocess.run(
        [sys.executable, "-m", "trio_otp", "shell", "--pid", str(demo.pid)],
        input="otp.count_children\nlen(await otp.which_children('CacheSupervisor'))\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT,
        env=os.environ,
    )
    assert int(done.stdout.splitlines()[-1]) >= len(FIXED) - 1


def test_it_ends_in_order(demo: subprocess.Popen[str]) -> None:
    """With all that has looked at it gone, and quickly."""
    demo.terminate()
    _, errors = demo.communicate(timeout=LIMIT)
    assert 130 == demo.returncode
    assert "Traceback" not in errors
