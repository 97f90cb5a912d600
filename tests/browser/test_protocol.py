"""The page beside messages that no program sends: those of the fixture, and very many.

Commands are tested with the fixture as well.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Program, Seen
    from playwright.sync_api import BrowserContext, CDPSession, WebSocketRoute

pytestmark = pytest.mark.browser

FIXTURE = ROOT / "tests" / "data" / "observer" / "messages.jsonl"
SHOWN = 40  # rows
FRAMES = 500
SLACK = 200_000  # bytes of the heap that two looks at one page may be apart


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


def frame(number: int, like: dict[str, Any]) -> dict[str, Any]:
    """Return a frame in which half of the rows have been restarted since the one before."""
    half = SHOWN // 2
    pids = [str(number * half + index) for index in range(SHOWN)]
    fresh = {pid: {**like, "pid": int(pid), "name": f"row {pid}"} for pid in pids[half:]}
    kept = {pid: {**like, "pid": int(pid), "queue": number} for pid in pids[:half]}
    gone = {str(int(pid) - half): "KILLED" for pid in pids[:half] if number}
    counts = {"total": SHOWN, "matching": SHOWN, "first": 0}
    return {**counts, "keys": pids, "rows": {**kept, **fresh}, "gone": gone}


def held(cdp: CDPSession) -> tuple[int, int]:
    """Return how many bytes the heap of the page has, and how many nodes there are."""
    cdp.send("HeapProfiler.collectGarbage")
    heap: int = cdp.send("Runtime.getHeapUsage")["usedSize"]
    nodes: int = cdp.send("Memory.getDOMCounters")["nodes"]
    return heap, nodes


def test_memory_is_steady_over_500_frames_with_restarts(
    start: Callable[..., Program], context: BrowserContext, seen: Seen
) -> None:
    """The heap of the page, and its nodes, are what they were."""
    hello, results = messages()
    like = next(iter(results["rows"]["result"]["rows"].values()))
    opened: list[tuple[WebSocketRoute, Any]] = []

    def answer(route: WebSocketRoute) -> None:
        def heard(line: str | bytes) -> None:
            asked = json.loads(line)
            if "token" in asked:
                route.send(json.dumps(hello))
            elif asked["ask"] == "rows":
                opened.append((route, asked["id"]))

        route.on_message(heard)

    shop = start()
    page = seen.watch(context.new_page())
    page.route_web_socket(re.compile("/socket$"), answer)
    page.goto(f"{shop.address}/#token={shop.token}")
    page.goto(f"{shop.address}/#/processes")
    cdp = context.new_cdp_session(page)

    def show(numbers: range) -> None:
        page.wait_for_function("() => true")  # takes what the page has asked
        for number in numbers:
            route, asked = opened[-1]
            result = frame(number, like)
            route.send(json.dumps({"id": asked, "result": result, "loop": None}))
            page.locator(f'tr[data-pid="{result["keys"][-1]}"]').wait_for()

    while not opened:
        page.wait_for_timeout(50)
    show(range(100))
    heap, nodes = held(cdp)
    show(range(100, 100 + FRAMES))
    heap_later, nodes_later = held(cdp)
    assert heap_later < heap + SLACK
    assert nodes_later < nodes * 1.1
    assert [] == seen.errors
