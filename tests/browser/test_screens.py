"""What each screen of the page shows: of a stuck loop, of a handler that waits, of evil texts."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from observed_shop import EVIL

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Program
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_a_stuck_loop_is_shown_with_its_line(shop: Program, open_page: Callable[..., Page]) -> None:
    """Within 1.5 s, while frames go on; within a second after it that is over.

    In the best of three times, so that no bad moment of the machine counts.
    """
    page = open_page(shop, "processes?every=0.25")
    page.locator("tr[data-pid]").first.wait_for()
    taken = [seconds_of_a_hog(shop, page) for _ in range(3)]

    assert min(shown for shown, _ in taken) < 1.5
    assert min(over for _, over in taken) < 1


def seconds_of_a_hog(shop: Program, page: Page) -> tuple[float, float]:
    """Hold up the loop; return after how long the page shows it, and that it is over."""
    from playwright.sync_api import expect

    box = page.locator(".table-box")
    stuck = page.locator(".stuck")
    expect(stuck).to_be_hidden()
    shop.say("hog")
    began = time.monotonic()
    expect(stuck).to_contain_text("The loop has not answered")
    shown = time.monotonic() - began
    expect(stuck).to_contain_text(re.compile(r"observed_shop\.py:\d+ in hog"))
    expect(stuck.locator("a")).to_have_text("feed")
    for _ in range(2):
        expect(box).not_to_have_attribute("data-frames", box.get_attribute("data-frames") or "")
    expect(stuck).to_be_visible()
    assert "done\n" == shop.line()  # the loop has answered
    ended = time.monotonic()
    expect(stuck).to_be_hidden()
    return shown, time.monotonic() - ended


def test_a_handler_that_waits_for_ever_is_one_problem(
    shop: Program, open_page: Callable[..., Page]
) -> None:
    """With its line, whoever waits for it; it is gone when it answers."""
    from playwright.sync_api import expect

    page = open_page(shop, "problems?every=0.25")
    problems = page.locator(".problems li:not(.fine)")
    expect(page.locator(".problems .fine")).to_be_visible()
    shop.do("hold")
    expect(problems.filter(has_text=re.compile(r"observed_shop\.py:\d+ in hold"))).to_have_count(1)
    expect(problems.filter(has_text="feed")).to_have_count(1)
    expect(page.locator("nav a").filter(has_text="Problems")).to_contain_text("1")
    problems.get_by_role("link", name="feed").click()
    inspector = page.locator(".inspector")
    expect(inspector.locator(".stack .own b").last).to_contain_text(
        re.compile(r"observed_shop\.py:\d+")
    )
    expect(inspector.locator(".body-callers li")).to_have_count(12)
    shop.do("release")
    expect(page.locator(".problems .fine")).to_be_visible()


def test_evil_texts_stay_texts(shop: Program, open_page: Callable[..., Page]) -> None:
    """Of a name, a label, a message, an exception, a state: they are shown, and become nothing."""
    from playwright.sync_api import expect

    page = open_page(shop, "crashes?every=0.25")
    shop.do("evil")
    crash = page.locator(".crash").filter(has_text="<img src=x onerror=")
    expect(crash.first).to_be_visible()
    page.goto(f"{shop.address}/#/processes?filter=img&every=0.25")
    row = page.locator("tr[data-pid]:not(.gone)").filter(has_text=EVIL)
    expect(row).to_have_count(1)
    row.click()
    inspector = page.locator(".inspector")
    expect(inspector.locator(".body-state")).to_contain_text("<img src=x onerror=")
    shop.do("eat")
    for part in ("h2", ".kind", ".now-doing", ".body-messages"):
        expect(inspector.locator(part).first).to_contain_text("<img src=x onerror=")
    page.goto(f"{shop.address}/#/tree")
    expect(page.locator(".tree li").filter(has_text=EVIL)).to_have_count(1)

    assert 0 == page.locator("img[src=x]").count()
    assert "taken-over" not in page.title()


def test_a_crash_is_shown_with_all_that_is_known(
    shop: Program, open_page: Callable[..., Page]
) -> None:
    """Those of one kind together, with traceback, last message and state; the tree tells of it."""
    from playwright.sync_api import expect

    page = open_page(shop, "crashes")
    expect(page.locator(".crashes .empty")).to_be_visible()
    shop.do("crash")
    crash = page.locator(".crash")
    expect(crash).to_have_count(1)
    expect(crash.locator(".where").first).to_contain_text("observed_shop.py")
    expect(crash.locator(".traceback")).to_contain_text("ValueError: a feed is wrong")
    expect(crash.locator(".report")).to_contain_text("cast crash('a feed is wrong')")
    shop.do("crash")
    expect(crash.locator(".times")).to_contain_text("2")
    expect(crash).to_have_count(1)
    page.goto(f"{shop.address}/#/tree?every=0.25")
    feeds = page.locator(".tree li").filter(has_text="feeds")
    expect(feeds.locator(".pips")).to_contain_text("2/5 in 60 s")
    shop.do("crash")
    expect(feeds.locator(".pips")).to_contain_text("3/5 in 60 s")
    expect(page.locator(".tree li.flash").filter(has_text="other feed")).to_have_count(1)


def test_what_is_folded_shows_the_worst_below(
    shop: Program, open_page: Callable[..., Page]
) -> None:
    """The keys fold and unfold, lead from line to line, and open what they stand on."""
    from playwright.sync_api import expect

    page = open_page(shop, "tree?every=0.25")
    feeds = page.get_by_role("treeitem").filter(has_text="feeds")
    feed = page.locator(".tree li[data-key$=\"/'feed'\"]")
    expect(feed).to_be_visible()
    feeds.focus()
    page.keyboard.press("ArrowLeft")
    expect(feed).to_have_count(0)
    expect(feeds).to_have_attribute("aria-expanded", "false")
    shop.do("hold")
    expect(feeds).to_contain_text("stuck below")
    page.keyboard.press("ArrowRight")
    expect(feeds).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".inspector h2")).to_have_text("feed")
    shop.do("release")


def test_the_dead_stay_for_a_moment(shop: Program, open_page: Callable[..., Page]) -> None:
    """With the reason, where they were; then they are gone."""
    from playwright.sync_api import expect

    page = open_page(shop, "processes?filter=name:other&every=0.25")
    expect(page.locator("tr[data-pid]")).to_have_count(1)
    shop.do("crash")
    dead = page.locator("tr.gone")
    expect(dead).to_have_count(1)
    expect(dead).to_contain_text("dead")
    expect(dead).to_contain_text("a feed is wrong")
    expect(page.locator("tr[data-pid]:not(.gone)")).to_have_count(1)
    expect(dead).to_have_count(0)


def test_the_charts_and_lists_fill(shop: Program, open_page: Callable[..., Page]) -> None:
    """Counts, a line in each chart, and the busiest first; a status leads to its processes."""
    from playwright.sync_api import expect

    page = open_page(shop, "overview?every=0.25")
    expect(page.locator(".tile").first).to_contain_text("processes")
    for number in range(4):
        expect(page.locator(".chart .line").nth(number)).to_have_attribute(
            "d", re.compile(r"^M.*L")
        )
    expect(page.locator(".top").first.locator("li").first).to_contain_text("stock")
    page.locator(".chip").filter(has_text="idle").click()
    expect(page.get_by_label("filter")).to_have_value("status:idle")


def test_without_the_right_to_act_no_actions_are_shown(
    start: Callable[..., Program], open_page: Callable[..., Page]
) -> None:
    """Without `actions` there is no button and no key that acts."""
    from playwright.sync_api import expect

    page = open_page(start(), "processes?filter=stock")
    page.locator("tr[data-pid]").first.click()
    expect(page.locator(".inspector h2")).to_have_text("stock")
    page.keyboard.press("Shift+K")
    page.keyboard.press("?")
    expect(page.locator("dialog h2")).to_have_text("Keys")
    expect(page.locator(".actions button")).to_have_count(0)
