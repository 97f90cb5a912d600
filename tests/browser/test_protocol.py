"""The page shows what the messages of the fixture say, which commands are tested with as well."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Program, Seen
    from playwright.sync_api import BrowserContext, WebSocketRoute

pytestmark = pytest.mark.browser

FIXTURE = ROOT / "tests" / "data" / "observer" / "messages.jsonl"


def messages() -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the hello of the fixture, and the first result for each question."""
    hello: dict[str, Any] = {}
    results: dict[str, dict[str, Any]] = {}
    for line in FIXTURE.read_text(encoding="utf-8").splitlines():
        each = json.loads(line)
        if each["question"] is None:
            hello = each["message"]
        elif "result" in each["message"]:
            results.setdefault(each["question"]["ask"], each["message"])
    return hello, results


def test_the_page_shows_the_messages_of_the_fixture(
    start: Callable[..., Program], context: BrowserContext, seen: Seen
) -> None:
    """Each screen has the names that a message of its kind has."""
    from playwright.sync_api import expect

    hello, results = messages()

    def answer(route: WebSocketRoute) -> None:
        def heard(line: str | bytes) -> None:
            asked = json.loads(line)
            if "token" in asked:
                route.send(json.dumps(hello))
            elif asked["ask"] in results:
                route.send(json.dumps({**results[asked["ask"]], "id": asked["id"]}))

        route.on_message(heard)

    shop = start()
    page = seen.watch(context.new_page())
    page.route_web_socket(re.compile("/socket$"), answer)
    page.goto(shop.url)
    expect(page.locator("h1")).to_have_text(hello["hello"]["program"])
    counts = results["overview"]["result"]["counts"]
    expect(page.locator(".tile").first).to_have_text(f"{counts['processes']}processes")
    page.goto(f"{shop.address}/#/processes")
    for pid, row in results["rows"]["result"]["rows"].items():
        shown = page.locator(f'tr[data-pid="{pid}"]')
        expect(shown).to_contain_text(row["name"].strip("'"))
        expect(shown).to_contain_text(row["status"])
    page.goto(f"{shop.address}/#/tree")
    nodes = results["tree"]["result"]["nodes"]
    expect(page.locator(".tree li")).to_have_count(len(nodes))
    info = results["info"]["result"]["info"]
    page.goto(f"{shop.address}/#/problems?pid={info['pid']}")
    expect(page.locator(".inspector h2")).to_have_text(info["name"].strip("'"))
    expect(page.locator(".inspector .stack li")).to_have_count(len(info["stack"]))
    for problem in results["problems"]["result"]["problems"]:
        expect(page.locator(".problems")).to_contain_text(problem["text"])
    page.goto(f"{shop.address}/#/crashes")
    for crash in results["crashes"]["result"]["crashes"]:
        expect(page.locator(".crashes")).to_contain_text(crash["kind"])
    assert [] == seen.errors
