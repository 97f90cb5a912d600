"""What the docs say of conformance is generated, and up to date."""

from __future__ import annotations

import pytest

from tests.conformance.page import LINE, PAGE, README, line, page, run_everything


@pytest.mark.slow  # runs every scenario once more
def test_the_page_and_the_line_of_the_readme_are_what_the_generator_gives() -> None:
    """`python -m tests.conformance.page --write` would change nothing."""
    outcomes = run_everything()

    assert page(outcomes) == PAGE.read_text(encoding="utf-8")
    assert [line(outcomes)] == LINE.findall(README.read_text(encoding="utf-8"))
