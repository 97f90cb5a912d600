"""Every link of the site, as it is built, leads to a page of it, and to a place on that page."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
from paths import ROOT
from site_kit import navigation

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.browser

LINK = re.compile(r'\b(?:href|src)="([^"]*)"')
ID = re.compile(r'\bid="([^"]*)"')
REPOSITORY = "https://github.com/trio-otp/trio-otp/"


def test_links_lead_to_pages_and_places_that_are_there(folder: Path) -> None:
    """Links, pictures, style sheets and scripts, of every page."""
    texts = {page: page.read_text(encoding="utf-8") for page in folder.rglob("*.html")}
    places = {page: set(ID.findall(text)) for page, text in texts.items()}
    wrong = []
    for page, text in texts.items():
        for link in map(unescape, LINK.findall(text)):
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            there = target.is_file() and (
                not parts.fragment or unquote(parts.fragment) in places.get(target, set())
            )
            if not there:
                wrong.append(f"{page.relative_to(folder)}: {link}")

    assert 50 < len(texts)
    assert [] == wrong


def test_links_into_the_repository_lead_to_files_of_it(folder: Path) -> None:
    """What stands beside the pages there is not on the site."""
    found = {
        link
        for page in folder.rglob("*.html")
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if re.match(f"{REPOSITORY}(blob|tree)/main/", link)
    }
    missing = [
        link for link in found if not (ROOT / link.split("/main/")[1].split("#")[0]).exists()
    ]

    assert 5 < len(found)
    assert [] == missing


def test_every_page_is_in_the_navigation(folder: Path) -> None:
    """But for the index of names and the page of the search."""
    pages = {page.relative_to(folder).as_posix() for page in folder.rglob("*.html")}

    assert {"genindex.html", "search.html", "py-modindex.html"} == pages - {*navigation(folder)}
