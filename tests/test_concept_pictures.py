"""The pictures of the page on supervision are what the library draws now."""

from __future__ import annotations

import logging
import re

import pytest
from concept_pictures import FOLDER, drawn

PAGE = (FOLDER.parent / "supervision.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pictures() -> dict[str, str]:
    """Give the pictures as they are drawn now."""
    logging.disable()
    try:
        return drawn()
    finally:
        logging.disable(logging.NOTSET)


def test_the_pictures_are_what_is_drawn(pictures: dict[str, str]) -> None:
    """If a change is meant: `python tests/support/concept_pictures.py`."""
    kept = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.svg")}

    assert pictures == kept


def test_the_page_shows_each_of_them(pictures: dict[str, str]) -> None:
    """None is forgotten, and none is missing."""
    assert sorted(pictures) == sorted(set(re.findall(r"\]\(images/(\S+\.svg)\)", PAGE)))
