"""What no test reaches says why, and is little: marks of coverage, and the rules for all files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

import trio_otp as otp

PACKAGE = Path(otp.__file__).parent
MARK = re.compile(r"# *pragma: *no *(cover|branch)(.*)")
REASON = re.compile(r" - \w\S*( \S+)+")


def marks() -> dict[str, str]:
    """Return what stands behind each mark, by its place."""
    return {
        f"{file.relative_to(PACKAGE)}:{number}": found[2]
        for file in sorted(PACKAGE.rglob("*.py"))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if (found := MARK.search(line)) is not None
    }


def report() -> dict[str, Any]:
    """Return what the project says about its report of coverage."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: dict[str, Any] = project["tool"]["coverage"]["report"]
    return found


def test_each_mark_says_why() -> None:
    """In more than one word."""
    assert {} == {place: text for place, text in marks().items() if not REASON.match(text)}


def test_marks_are_few() -> None:
    """With all of them counted as holes, coverage is still above 99 %."""
    lines = sum(
        len(file.read_text(encoding="utf-8").splitlines()) for file in PACKAGE.rglob("*.py")
    )
    assert len(marks()) < lines / 200


def test_the_session_fails_at_each_hole_that_does_not_say_why() -> None:
    """There is no room for one, and a mark without a reason is none."""
    rules = report()
    assert rules["fail_under"] == 100
    [by_line] = [rule for rule in rules["exclude_lines"] if "pragma" in rule]
    [by_branch] = [rule for rule in rules["partial_branches"] if "pragma" in rule]
    assert re.search(by_line, "x = 1  # pragma: no cover - not on Linux")
    assert re.search(by_branch, "if x:  # pragma: no branch - it is there")
    for bare in ("# pragma: no cover", "# pragma: no cover -", "# pragma: no branch"):
        assert not re.search(by_line, bare)
        assert not re.search(by_branch, bare)


@pytest.mark.parametrize("key", ["exclude_lines", "partial_branches"])
def test_a_rule_for_all_files_says_why(key: str) -> None:
    """In a comment behind it."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    _, _, rest = text.partition(f"\n{key} = [\n")
    rules = rest.partition("\n]\n")[0].splitlines()
    assert len(rules) == len(report()[key])
    assert [] == [rule for rule in rules if "pragma" not in rule and not re.search(r", # \w", rule)]
