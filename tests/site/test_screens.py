"""The site in a real browser: pages, search, colours, widths, buttons, versions, notebooks."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
from paths import ROOT
from site_kit import navigation

if TYPE_CHECKING:
    from pathlib import Path

    from browser_kit import Seen
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.browser

NARROW = {"width": 380, "height": 760}
# What makes a page wider than the window, if it is.
WIDER = """() => {
    if (document.documentElement.scrollWidth <= innerWidth) return [];
    return [...document.querySelectorAll("article *")]
        .filter(each => each.getBoundingClientRect().right > innerWidth)
        .map(each => each.outerHTML.slice(0, 200)).concat("the page");
}"""
IN_SIGHT = """() => {
    const entry = document.querySelector(".sidebar-tree .current-page > a").getBoundingClientRect();
    return 0 < entry.top && entry.bottom < innerHeight;
}"""
SEARCHES = {
    "which_children": "reference/supervisors.html#trio_otp.which_children",
    "restart intensity": "concepts/supervision.html",
    "CallTimeout": "reference/exceptions.html#trio_otp.CallTimeout",
}


def test_every_page_opens(page: Page, address: str, folder: Path) -> None:
    """Without an error, without a request elsewhere, with one heading of the page."""
    pages = navigation(folder)
    for name in pages:
        page.goto(f"{address}/{name}", wait_until="load")
        assert (name, 1) == (name, page.locator("h1").count())
        assert page.locator("article h1").is_visible()

    assert 40 < len(pages)


def test_no_page_is_wider_than_a_telephone(
    browser: Browser, seen: Seen, address: str, folder: Path
) -> None:
    """Only code and tables can be scrolled sideways, within themselves."""
    context = browser.new_context(viewport=NARROW, color_scheme="dark")
    page = seen.watch(context.new_page())
    wide = {}
    for name in navigation(folder):
        page.goto(f"{address}/{name}", wait_until="load")
        if sticks_out := page.evaluate(WIDER):
            wide[name] = sticks_out
    context.close()

    assert {} == wide


@pytest.mark.parametrize(
    "name", ["index", "concepts/processes", "reference/watching", "project/faq"]
)
def test_the_navigation_shows_where_the_page_is(page: Page, address: str, name: str) -> None:
    """It is longer than the window, and scrolled so far that the entry of the page is in sight."""
    page.goto(f"{address}/{name}.html", wait_until="load")
    page.wait_for_function(IN_SIGHT)


def test_a_dark_page_is_dark(browser: Browser, seen: Seen, address: str) -> None:
    """Where the system asks for dark colours, text is lighter than what is behind it."""
    context = browser.new_context(color_scheme="dark")
    page = seen.watch(context.new_page())
    page.goto(f"{address}/concepts/supervision.html")
    brightness = """name => getComputedStyle(document.body)[name].match(/\\d+/g).slice(0, 3)
        .reduce((sum, each) => sum + Number(each), 0)"""

    assert page.evaluate(brightness, "backgroundColor") < 150 < page.evaluate(brightness, "color")
    context.close()


@pytest.mark.parametrize("words", SEARCHES)
def test_a_search_finds_the_page(page: Page, address: str, words: str) -> None:
    """The right place is among the first three."""
    page.goto(f"{address}/index.html")
    page.locator(".sidebar-search").fill(words)
    page.locator(".sidebar-search").press("Enter")
    page.locator("#search-results .search-summary").filter(has_text="found").wait_for()
    links = page.locator("#search-results li > a")
    links.first.wait_for()
    found = [links.nth(n).get_attribute("href") or "" for n in range(min(3, links.count()))]

    assert any(SEARCHES[words] in link for link in found), found
    page.goto(f"{address}/{found[0].partition('?')[0]}")
    assert page.locator("article h1").is_visible()


def test_the_copy_button_copies_no_prompts(
    page: Page, context: BrowserContext, address: str
) -> None:
    """What is copied of an example can be pasted into a program."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{address}/reference/gen_server.html")
    example = page.locator("div.highlight", has_text=">>> ").first
    example.scroll_into_view_if_needed()
    example.hover()
    example.locator("button.copybtn").click()
    page.locator("button.copybtn.success").first.wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")

    assert "class Counter(otp.GenServer):" in copied
    assert ">>>" not in copied
    ast.parse(copied)


def test_the_switcher_leads_to_the_same_page_and_back(page: Page, versions: str) -> None:
    """To the page of the same name in the other version, or to its first page if it has none."""
    page.goto(f"{versions}/main/first.html")
    select = page.locator("#version")
    assert ["main", "v0.2", "v0.1"] == select.locator("option").all_inner_texts()
    assert "main" == select.input_value()

    select.select_option("v0.1")
    page.wait_for_url("**/v0.1/first.html")
    assert "v0.1" == page.locator("#version").input_value()
    assert page.locator(".sidebar-brand-text").inner_text() == "trio_otp v0.1"

    page.locator("#version").select_option("main")
    page.wait_for_url("**/main/first.html")
    page.go_back()
    page.wait_for_url("**/v0.1/first.html")
    assert "v0.1" == page.locator("#version").input_value()

    page.goto(f"{versions}/main/third.html")
    page.locator("#version").select_option("v0.2")
    page.wait_for_url("**/v0.2/index.html")
    page.goto(f"{versions}/")
    page.wait_for_url("**/main/index.html")


def test_a_site_of_one_version_has_no_switcher(page: Page, address: str) -> None:
    """There is nothing to choose."""
    page.goto(f"{address}/index.html")

    assert 0 == page.locator("#version").count()


NOTEBOOKS = sorted((ROOT / "docs" / "tutorial").glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    """So the test below is not empty."""
    assert len(NOTEBOOKS) >= 1


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_its_outputs_and_downloads(
    page: Page, address: str, notebook: Path
) -> None:
    """What comes is the file of the repository, which the session `tutorial` runs."""
    page.goto(f"{address}/tutorial/{notebook.stem}.html")
    assert page.locator(".cell_output").first.is_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download this notebook").click()

    assert download.value.suggested_filename == notebook.name
    assert download.value.path().read_bytes() == notebook.read_bytes()
