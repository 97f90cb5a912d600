"""The pictures of docs/observer.md.

They are renewed by `PICTURES=1 nox -s observer -- -k pictures`. Numbers differ from one time to the
next, so what is compared is that they are there, and their size.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import pytest
from paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Program
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

IMAGES = ROOT / "docs" / "images"
PAGE = (ROOT / "docs" / "observer.md").read_text(encoding="utf-8")
RENEW = "PICTURES" in os.environ
POINTS = 25  # of the charts, a second each
LARGEST = 160_000  # bytes
WIDE, NARROW = (1280, 800), (380, 760)
# name: (screen, width and height, colours, what is there to be seen)
PICTURES = {
    "overview": ("overview?every=0.25", WIDE, "light", ".top li .pid"),
    "processes": ("processes?every=0.25&sort=handled", WIDE, "dark", "tr[data-pid]"),
    "tree": ("tree?every=0.25", WIDE, "light", ".tree li:nth-child(6)"),
    "problems": ("problems?every=5", WIDE, "dark", ".problems .mark"),
    "crashes": ("crashes?every=5", WIDE, "light", ".crash .traceback"),
    "narrow": ("processes?every=0.25", NARROW, "light", "tr[data-pid]"),
    "narrow-dark": ("overview?every=0.25", NARROW, "dark", ".top li .pid"),
}
# Show other paths than those of the machine that draws.
MASK = """names => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode())
        for (const [from, to] of names)
            texts.currentNode.data = texts.currentNode.data.replaceAll(from, to);
}"""


def test_pictures(
    start: Callable[..., Program],
    browser: Browser,
    directory: Path,
    tmp_path: Path,
    seen: object,
) -> None:
    """Each screen, in light or dark, wide or narrow; those in the docs are of these sizes."""
    shop = start("actions", "pictures")
    shop.do("crash")
    shop.do("crash")
    shop.do("hold")
    for name, (screen, (width, height), colours, awaited) in PICTURES.items():
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=colours
        )
        page = context.new_page()
        page.goto(shop.url)
        page.locator(".tile").first.wait_for()
        if RENEW and name == "overview":
            page.wait_for_timeout(POINTS * 1000)
        page.goto(f"{shop.address}/#/{screen}")
        page.locator(awaited).first.wait_for()
        prepare(page, name)
        page.evaluate(MASK, [[str(directory), "/srv/shop"], [str(ROOT), "/srv/lib"]])
        target = (IMAGES if RENEW else tmp_path) / f"observer-{name}.png"
        page.screenshot(path=target)
        assert (width, height) == size(target)
        assert no_scroll(page), f"{name} is wider than {width}"
        context.close()


def prepare(page: Page, name: str) -> None:
    """Open what a picture is to show."""
    if name == "processes":
        page.locator("td.c-name").get_by_text("feed", exact=True).click()
        page.locator(".inspector .stack .own").first.wait_for()
        page.mouse.move(5, 5)
        page.locator(".held").wait_for(state="hidden")


def no_scroll(page: Page) -> bool:
    """Check whether the page fits into its width."""
    fits: bool = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return fits


def size(picture: Path) -> tuple[int, int]:
    """Return width and height of a PNG."""
    head = picture.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", head[16:24])
    return width, height


@pytest.mark.parametrize("name", PICTURES)
def test_the_docs_have_their_pictures(name: str) -> None:
    """They are there, of the right size, and not large; the head of this file says how to renew."""
    picture = IMAGES / f"observer-{name}.png"

    assert f"(images/{picture.name})" in PAGE
    assert PICTURES[name][1] == size(picture)
    assert picture.stat().st_size < LARGEST
