"""The notebooks of the tutorial: two files each that say the same, with outputs and exercises."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from tutorial_kit import PAGES, exercises, tags

if TYPE_CHECKING:
    from pathlib import Path

HEAD = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
REGION = re.compile(r"<!-- #(?:end)?region -->\n")


def stored(page: Path) -> Any:
    return json.loads(page.with_suffix(".ipynb").read_text(encoding="utf-8"))


def as_text(cell: Any) -> str:
    """Return a cell as jupytext writes it into Markdown."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return source
    options = f" tags={json.dumps(tags(cell))}" if tags(cell) else ""
    return f"```python{options}\n{source}\n```"


def words(text: str) -> list[str]:
    """Return the lines of a text that are not empty."""
    return [line for line in text.splitlines() if line.strip()]


def by_name(page: Path) -> str:
    return page.stem


def test_there_are_nine() -> None:
    """From Trio to looking inside, in the order of their numbers."""
    assert list("012345678") == [page.stem[0] for page in PAGES]
    assert [page.stem for page in PAGES] == [
        page.stem for page in sorted(PAGES[0].parent.glob("*.ipynb"))
    ]


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_both_files_of_a_notebook_say_the_same(page: Path) -> None:
    """`python tests/support/tutorial_kit.py` writes the second one anew."""
    text = REGION.sub("", HEAD.sub("", page.read_text(encoding="utf-8")))

    assert words(text) == words("\n".join(map(as_text, stored(page)["cells"])))


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_a_notebook_holds_what_its_cells_have_shown(page: Path) -> None:
    """All have run once, from top to bottom, and nothing but an unsolved exercise has failed."""
    cells = [cell for cell in stored(page)["cells"] if cell["cell_type"] == "code"]
    assert [*range(1, len(cells) + 1)] == [cell["execution_count"] for cell in cells]
    for cell in cells:
        kinds = [output["output_type"] for output in cell["outputs"]]
        assert ("error" in kinds) == ("check" in tags(cell)), "".join(cell["source"])
        assert not any(output.get("name") == "stderr" for output in cell["outputs"])


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_each_notebook_has_two_exercises(page: Path) -> None:
    """With a cell to fill in, one that checks it, and a solution that is folded."""
    found = exercises(stored(page))
    assert 2 == len(found)
    for cell, check, solution in found:
        assert "".join(cell["source"]).strip() != solution.strip()
        assert "".join(check["source"]).endswith('print("right")')


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_no_notebook_tells_where_it_was_written(page: Path) -> None:
    """Outputs hold no path of a machine."""
    text = page.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert not re.search(r"/(home|work|tmp|usr|root|Users)/", text)
