"""The page under a pointer and under a keyboard: nothing moves that somebody is about to choose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Program
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser

CLICKS = 15
# The order of the rows, and the middle of one of them.
PLACE = """number => {
    const rows = [...document.querySelectorAll("tr[data-pid]")];
    const box = rows[number].getBoundingClientRect();
    return [rows.map((row) => row.dataset.pid).join(), box.x + 150, box.y + box.height / 2];
}"""
HIDDEN = """hidden => {
    Object.defineProperty(document, "hidden", {get: () => hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""
UNDER = "([x, y]) => document.elementFromPoint(x, y).closest('tr').dataset.pid"


def frames(box: Locator) -> int:
    """Return how many frames a table or tree has shown."""
    return int(box.get_attribute("data-frames") or 0)


def next_frame(box: Locator, count: int = 1) -> None:
    """Wait until it has shown so many more."""
    from playwright.sync_api import expect

    for _ in range(count):
        expect(box).not_to_have_attribute("data-frames", str(frames(box)))


def test_each_click_chooses_the_row_under_the_pointer(
    shop: Program, open_page: Callable[..., Page]
) -> None:
    """At four frames a second, in a table that is sorted by what changes all the time."""
    page = open_page(shop, "processes?every=0.25&sort=handled")
    box = page.locator(".table-box")
    page.locator("tr[data-pid]").nth(CLICKS).wait_for()
    orders: set[str] = set()
    for number in range(CLICKS):
        page.mouse.move(5, 400)
        next_frame(box)  # the order may change again
        order, x, y = page.evaluate(PLACE, number)
        orders.add(order)
        page.mouse.move(x, y)
        under = page.evaluate(UNDER, [x, y])
        next_frame(box)  # somebody looks before they press
        page.mouse.down()
        page.mouse.up()

        assert f"pid={under}" in page.url.partition("?")[2].split("&")
        page.keyboard.press("Escape")
    assert len(orders) > 1


SELECT = "cell => { getSelection().selectAllChildren(cell); return String(getSelection()) }"


def test_a_selection_survives_frames(shop: Program, open_page: Callable[..., Page]) -> None:
    """Text that is selected stays what it is, and where it is, until it is let go."""
    from playwright.sync_api import expect

    page = open_page(shop, "processes?every=0.25&sort=handled")
    box = page.locator(".table-box")
    row = page.locator("tr[data-pid]").nth(3)
    row.wait_for()
    pid = row.get_attribute("data-pid")
    cell = page.locator(f'tr[data-pid="{pid}"] td').nth(6)  # handled/s
    expect(cell).not_to_be_empty()  # a rate is of two samples
    text = cell.evaluate(SELECT)
    assert text
    next_frame(box, 3)

    assert text == page.evaluate("String(getSelection())")
    assert text == cell.inner_text()
    page.evaluate("getSelection().removeAllRanges()")
    next_frame(box)


def test_the_keyboard_alone_kills_a_process(shop: Program, open_page: Callable[..., Page]) -> None:
    """Open it, read its stack, kill it; a name that is typed wrong does nothing."""
    from playwright.sync_api import expect

    page = open_page(shop)
    page.keyboard.press("2")
    page.keyboard.press("/")
    page.keyboard.type("stock")
    row = page.locator("tr[data-pid]")
    expect(row).to_have_count(1)
    before = row.get_attribute("data-pid")
    page.keyboard.press("Enter")
    expect(row).to_be_focused()
    page.keyboard.press("Enter")
    inspector = page.locator(".inspector")
    expect(inspector.locator("h2")).to_be_focused()
    expect(inspector.locator(".stack .own b").first).to_contain_text("observed_shop.py")
    page.keyboard.press("Shift+K")
    typed = page.locator("dialog input")
    expect(typed).to_be_focused()
    page.keyboard.type("stoc")
    page.keyboard.press("Enter")
    expect(page.locator("dialog .danger")).to_be_disabled()
    page.keyboard.type("k")
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_have_count(0)
    expect(inspector).to_have_class(re.compile("gone"))
    expect(inspector).to_contain_text(f"process {before} has ended: KILLED")
    expect(inspector).not_to_contain_text("It has ended")
    expect(inspector.locator("button[data-key]")).to_have_count(0)
    expect(page.locator("tr[data-pid]:not(.gone)")).not_to_have_attribute("data-pid", before or "")


def test_sort_and_filter_are_in_the_address(shop: Program, open_page: Callable[..., Page]) -> None:
    """Whoever opens the address sees the same; Back leads back."""
    from playwright.sync_api import expect

    page = open_page(shop, "processes")
    page.get_by_role("button", name="pid", exact=True).click()
    page.get_by_label("filter").fill("name:cart status:")
    expect(page.locator(".count")).to_contain_text("61 of")
    address = page.url
    assert "sort=pid" in address
    assert "filter=name%3Acart+status%3A" in address
    page.reload()
    expect(page.locator(".count")).to_contain_text("61 of")
    expect(page.get_by_label("filter")).to_have_value("name:cart status:")
    expect(page.locator("th.c-pid")).to_have_attribute("aria-sort", "ascending")
    page.locator("tr[data-pid]").nth(2).click()
    expect(page.locator(".inspector")).to_be_visible()
    page.go_back()
    expect(page.locator(".inspector")).to_be_hidden()
    assert address == page.url


def test_a_filter_that_cannot_be_read_says_so(
    shop: Program, open_page: Callable[..., Page]
) -> None:
    """The table stays, and the text says what is expected."""
    from playwright.sync_api import expect

    page = open_page(shop, "processes")
    page.get_by_label("filter").fill("q>x")
    expect(page.locator(".wrong").first).to_contain_text("expected a number")
    page.get_by_label("filter").fill("q>=0")
    expect(page.locator(".wrong").first).to_have_text("")


def test_a_long_table_shows_the_part_that_is_seen(
    shop: Program, open_page: Callable[..., Page]
) -> None:
    """Only the rows around it are asked for, wherever it is scrolled to."""
    from playwright.sync_api import expect

    page = open_page(shop, "processes?every=0.25&sort=pid")
    page.set_viewport_size({"width": 1280, "height": 400})
    page.locator("tr[data-pid]").first.wait_for()
    page.locator(".table-box").evaluate("box => box.scrollTo(0, box.scrollHeight)")
    last = page.evaluate("() => document.querySelector('.count').innerText")
    expect(page.locator("tr[data-pid]").last).to_be_in_viewport()
    assert re.match(r"\d+ processes", last)


def test_a_tab_that_is_hidden_asks_for_nothing(
    shop: Program, open_page: Callable[..., Page]
) -> None:
    """And goes on when it is seen again; so does one that was paused."""
    page = open_page(shop, "processes?every=0.25")
    other = open_page(shop, "processes?every=0.25").locator(".table-box")
    box = page.locator(".table-box")
    for rest, go_on in (("pause", "pause"), ("hide", "show")):
        next_frame(box)
        change(page, rest)
        stopped = frames(box)
        next_frame(other, 4)
        assert frames(box) <= stopped + 1  # one may have been on its way
        change(page, go_on)
    next_frame(box)


def change(page: Page, to: str) -> None:
    """Pause the page or let it go on, or hide or show its tab, as the browser tells it."""
    if to == "pause":
        page.keyboard.press("p")
    else:
        page.evaluate(HIDDEN, to == "hide")


def test_a_server_is_suspended_resumed_and_restarted(
    shop: Program, open_page: Callable[..., Page]
) -> None:
    """By buttons and by keys, each confirmed by its name; the page shows what has become of it."""
    from playwright.sync_api import expect

    page = open_page(shop, "processes?filter=name:other")
    row = page.locator("tr[data-pid]:not(.gone)")
    before = row.get_attribute("data-pid") or ""
    row.click()
    inspector = page.locator(".inspector")
    inspector.get_by_role("button", name="Suspend…").click()
    confirm(page, "other feed")
    expect(row).to_contain_text("suspended")
    expect(inspector).to_contain_text("suspended")
    page.keyboard.press("z")
    confirm(page, "other feed")
    expect(row).to_contain_text("idle")
    inspector.get_by_role("button", name="Restart…").click()
    confirm(page, "other feed")
    expect(inspector).to_have_class(re.compile("gone"))
    expect(row).not_to_have_attribute("data-pid", before)
    expect(row).to_contain_text("other feed")


def confirm(page: Page, name: str) -> None:
    """Type the name of the process that something is to be done to."""
    from playwright.sync_api import expect

    expect(page.locator("dialog input")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_have_count(0)
