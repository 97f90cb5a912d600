"""Break the library on purpose: for each law some change of the source that its test must notice.

A copy of the package is changed and one test is run against it in a process of its own. The long
tests do that; the short ones see to it that the list of changes fits the source.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import trio_otp

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
TESTS = HERE.parent
ROOT = TESTS.parent
PACKAGE = Path(trio_otp.__file__).parent
LIMIT = 120.0  # seconds, of all tests together
HANGS = 30.0  # seconds of one test; a change that makes it hang is noticed too
LAWS = range(1, 9)


def load_mutations() -> list[Any]:
    """Read the list that stands beside this file."""
    spec = importlib.util.spec_from_file_location("mutation_laws", HERE / "laws.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutation_laws"] = module
    spec.loader.exec_module(module)
    return list(module.MUTATIONS)


MUTATIONS = load_mutations()
all_mutations = pytest.mark.parametrize(
    "mutation", MUTATIONS, ids=lambda m: m.name.replace(" ", "-")
)


def copy_package(to: Path) -> Path:
    """Copy the package, and give the copy."""
    copy = to / "trio_otp"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGE.parent / "_trio_otp_pytest.py", to)  # which tests/conftest.py asks for
    return copy


def python(
    copied_to: Path, *arguments: str, limit: float = LIMIT
) -> subprocess.CompletedProcess[str]:
    """Run Python with the copy in place of the package."""
    environment = {**os.environ, "PYTHONPATH": str(copied_to), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("COVERAGE_PROCESS_START", None)
    environment.pop("COVERAGE_PROCESS_CONFIG", None)
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )


def run_tests(copied_to: Path, tests: Sequence[str], limit: float = LIMIT) -> tuple[int, str]:
    """Run some tests against a copy; give pytest's exit status, 1 if they hang, and its output."""
    options = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    try:
        done = python(copied_to, *options, *(str(TESTS / test) for test in tests), limit=limit)
    except subprocess.TimeoutExpired:
        return 1, "it hangs"
    return done.returncode, done.stdout + done.stderr


def test_every_law_has_its_mutations() -> None:
    """All eight laws, and the restart policy."""
    assert {0, *LAWS} == {mutation.law for mutation in MUTATIONS}
    assert [] == [name for name, n in Counter(m.name for m in MUTATIONS).items() if n > 1]


@all_mutations
def test_the_change_fits_the_source(mutation: Any) -> None:
    """What is to be changed stands there once, the result is Python, and the test exists."""
    source = (PACKAGE / f"{mutation.module}.py").read_text()
    assert 1 == source.count(mutation.old)
    assert mutation.old != mutation.new
    ast.parse(source.replace(mutation.old, mutation.new))
    file, name = mutation.test.split("::")
    assert f"def {name}(" in (TESTS / file).read_text()


@pytest.mark.slow
def test_the_tests_pass_without_a_change(tmp_path: Path) -> None:
    """They run against the copy, and all is well with it."""
    copy = copy_package(tmp_path)
    where = python(tmp_path, "-c", "import trio_otp; print(trio_otp.__file__)").stdout
    assert str(copy / "__init__.py") == where.strip()
    status, output = run_tests(tmp_path, sorted({mutation.test for mutation in MUTATIONS}))
    assert 0 == status, output


@pytest.mark.slow
@all_mutations
def test_the_change_is_noticed(mutation: Any, tmp_path: Path) -> None:
    """Its test fails; it does not merely fail to run."""
    file = copy_package(tmp_path) / f"{mutation.module}.py"
    file.write_text(file.read_text().replace(mutation.old, mutation.new))
    status, output = run_tests(tmp_path, [mutation.test], HANGS)
    assert 1 == status, output
