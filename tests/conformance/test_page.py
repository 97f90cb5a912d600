"""What the docs say of conformance is generated, and up to date."""

from __future__ import annotations

from tests.conformance.compare import HERE
from tests.conformance.page import LINE, PAGE, README, line, page
from tests.conformance.suite import load, run_all


def test_the_page_and_the_line_of_the_readme_are_what_the_generator_gives() -> None:
    """`python -m tests.conformance.page --write` would change nothing."""
    outcomes = run_all(load(HERE / "scenarios", HERE / "golden"))

    assert page(outcomes) == PAGE.read_text(encoding="utf-8")
    assert [line(outcomes)] == LINE.findall(README.read_text(encoding="utf-8"))
