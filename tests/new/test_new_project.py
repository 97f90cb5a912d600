"""A new project in a fresh environment: the two commands of its README, and strict checkers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.command


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Make an environment with the library alone; return the variables of a shell that uses it."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", str(ROOT)]
    subprocess.run(pip, check=True, timeout=300)
    unset = {name: value for name, value in os.environ.items() if "PYT" not in name}
    return {**unset, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def project(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a new project."""
    folder = tmp_path_factory.mktemp("projects")
    subprocess.run(["trio-otp", "new", "shop"], cwd=folder, env=environment, check=True)
    return folder / "shop"


def test_the_commands_of_its_readme(project: Path, environment: dict[str, str]) -> None:
    """The first one installs it and passes; the second one runs it until a signal ends it."""
    text = (project / "README.md").read_text(encoding="utf-8")
    first, second = re.findall(r"^```sh\n(.*)\n^```", text, re.MULTILINE)

    shell = ["bash", "-c", first]
    tested = subprocess.run(
        shell,
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "2 passed" in tested.stdout

    shell = ["bash", "-c", f"exec {second}"]
    with subprocess.Popen(
        shell, cwd=project, env=environment, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        shown = next(line for line in running.stderr if "visit" in line)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
    assert "visit 1" in shown
    assert 0 == running.returncode


@pytest.mark.parametrize("command", [["mypy"], ["pyright", "--pythonpath", sys.executable]])
def test_strict_checkers_are_silent(command: list[str], project: Path) -> None:
    """Both checkers are strict in its settings, and find nothing."""
    ran = subprocess.run(
        [sys.executable, "-m", *command], cwd=project, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.match(r"Success|0 errors, 0 warnings", ran.stdout)
