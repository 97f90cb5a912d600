"""The cells of the page on notebooks run, print what stands below them, and draw its pictures.

They are fenced as `ipython`. A picture right below a cell is what a notebook draws of its value.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from notebook_kit import new_shell
from paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PAGE = ROOT / "docs" / "notebooks.md"
CELL = re.compile(
    r"^```ipython\n(?P<source>.*?)^```\n\n?"
    r"(?:```text\n(?P<text>.*?)^```\n|!\[[^\]]*\]\((?P<picture>\S+\.svg)\))?",
    re.MULTILINE | re.DOTALL,
)
PROMPT = re.compile(r"^Out\[\d+\]: ?\n?", re.MULTILINE)


def test_the_cells_of_the_page_do_what_it_shows(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them, from top to bottom, in one shell."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    found = list(CELL.finditer(PAGE.read_text(encoding="utf-8")))
    assert 6 < len(found)
    with new_shell(capsys) as cells:
        for number, cell in enumerate(found, start=1):
            cells.shell.execution_count = number
            value: Any = cells.run(cell["source"])
            if cell["picture"] is not None:
                check_picture(PAGE.parent / cell["picture"], value, tmp_path)
            elif cell["text"] is not None or value is None:
                assert (cell["text"] or "") == PROMPT.sub("", cells.printed), cell["source"]


def check_picture(file: Path, value: Any, folder: Path) -> None:
    """Compare a picture of the page with what a cell draws now."""
    fresh = folder / file.name
    fresh.write_text(value._repr_mimebundle_()["image/svg+xml"] + "\n", encoding="utf-8")
    same = file.exists() and file.read_text(encoding="utf-8") == fresh.read_text(encoding="utf-8")
    assert same, f"if this is meant: cp {fresh} {file}"
