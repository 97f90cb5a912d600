"""Break the library on purpose: for each law some change of the source that its test must notice.

A copy of the package is changed and one test is run against it in a process of its own. The long
tests do that; the short ones see to it that the changes fit the source.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter, defaultdict
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import trio_otp
from tests.mutations import watched
from tests.mutations.laws import MUTATIONS, Mutation
from tests.mutations.places import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).parent
TESTS = HERE.parent
ROOT = TESTS.parent
PACKAGE = Path(trio_otp.__file__).parent
LIMIT = 300.0  # seconds, of all tests together
HANGS = 20.0  # seconds of one test that is busy; a change that makes it hang is noticed too
LAWS = range(1, 9)


all_mutations = pytest.mark.parametrize(
    "mutation", MUTATIONS, ids=lambda m: m.name.replace(" ", "-")
)


class Copy:
    """A copy of the package, with what is compiled of it; one file at a time is changed."""

    def __init__(self, to: Path) -> None:
        self.to = to
        self.package = to / "trio_otp"
        shutil.copytree(PACKAGE, self.package)
        shutil.copy(PACKAGE.parent / "_trio_otp_pytest.py", to)  # which tests/conftest.py asks for
        self.source = Source(self.package)

    @contextmanager
    def changed(self, mutation: Mutation) -> Iterator[None]:
        """Have a change in it for a while."""
        file, text = self.source.change(mutation.where, mutation.old, mutation.new)
        before, stat = file.read_bytes(), file.stat()
        try:
            file.write_text(text)
            # What is compiled is told apart by size and second alone; it is of use afterwards.
            os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 2_000_000_000))
            yield
        finally:
            file.write_bytes(before)
            os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """One for all: to copy and to read the package takes as long as most of the tests."""
    return Copy(tmp_path_factory.mktemp("mutated"))


def environment(copied_to: Path) -> dict[str, str]:
    """Return an environment with the copy in place of the package."""
    variables = {**os.environ, "PYTHONPATH": str(copied_to), "PYTHONDONTWRITEBYTECODE": "1"}
    variables.pop("COVERAGE_PROCESS_START", None)
    variables.pop("COVERAGE_PROCESS_CONFIG", None)
    return variables


def run_tests(copied_to: Path, tests: Sequence[str], limit: float = LIMIT) -> tuple[int, str]:
    """Run some tests against a copy; give pytest's exit status, 1 if they hang, and its output."""
    options = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", ""]  # all cases
    done = watched.run([*options, *map(path_of, tests)], ROOT, environment(copied_to), limit)
    return (1, "it hangs") if done is None else done


def test_every_law_has_its_mutations() -> None:
    """All eight laws, and the restart policy."""
    assert {0, *LAWS} == {mutation.law for mutation in MUTATIONS}
    assert [] == [name for name, n in Counter(m.name for m in MUTATIONS).items() if n > 1]


def test_the_changes_fit_the_source() -> None:
    """What is to be changed stands there once, and the tests exist; all that does not is listed."""
    source = Source(PACKAGE)
    assert [] == [what for mutation in MUTATIONS for what in misfits(mutation, source)]


def misfits(mutation: Mutation, source: Source) -> Iterator[str]:
    """Yield what of a mutation does not fit."""
    try:
        source.find(mutation.where, mutation.old, mutation.new)
    except LookupError as exc:
        yield f"{mutation.name}: {exc}"
    try:
        path_of(mutation.test)
    except LookupError as exc:
        yield f"{mutation.name}: {exc}"


@cache
def functions_of_tests() -> dict[str, list[tuple[Path, set[str]]]]:
    """Return the files of tests by name, each with what functions it has; they are read once."""
    files = defaultdict(list)
    for file in TESTS.rglob("test_*.py"):
        files[file.name].append((file, set(re.findall(r"def (\w+)\(", file.read_text()))))
    return files


def path_of(test: str) -> str:
    """Return a test as pytest is told of it, wherever below `tests` its file is."""
    name, _, function = test.partition("::")
    files = functions_of_tests().get(name, [])
    found = [file for file, functions in files if function in functions]
    if len(found) != 1:
        raise LookupError(f"expected one {test}, got {len(found)}")
    return f"{found[0]}::{function}"


@pytest.mark.slow
def test_the_tests_pass_without_a_change(copy: Copy) -> None:
    """They run against the copy, and all is well with it."""
    where = ["-c", "import trio_otp; print(trio_otp.__file__)"]
    done = watched.run(where, ROOT, environment(copy.to), LIMIT)
    assert (0, f"{copy.package / '__init__.py'}\n") == done
    status, output = run_tests(copy.to, sorted({mutation.test for mutation in MUTATIONS}))
    assert 0 == status, output


@pytest.mark.slow
@all_mutations
def test_the_change_is_noticed(mutation: Mutation, copy: Copy) -> None:
    """Its test fails; it does not merely fail to run."""
    with copy.changed(mutation):
        status, output = run_tests(copy.to, [mutation.test], HANGS)
    assert 1 == status, output
