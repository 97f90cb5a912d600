"""What JupyterLab draws of the library, in a real browser.

The session `nox -s notebook` runs this; it installs JupyterLab and playwright, and takes the
browser of the system.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from browser_kit import chromium
from jupyterlab_kit import Notebook, jupyterlab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Locator

pytestmark = pytest.mark.browser

SHOP = """
import trio, trio_otp as otp

class Shop(otp.GenServer):
    def __init__(self) -> None:
        self.stock: dict[str, int] = {}

    @otp.on_call
    async def sell(self, tea: str) -> int:
        self.stock[tea] -= 1
        return self.stock[tea]

class Door(otp.GenStatem[str]):
    initial = "closed"
    transitions = {
        "closed": {"push": "open", "lock": "locked"},
        "open": {"5 seconds": "closed"},
        "locked": {"unlock": "closed", "break": None},
    }
    def handle_event(self, kind, content, state): ...

shops = [otp.child(Shop).having(name=name) for name in ("tea shop", "coffee shop")]
street = otp.child(otp.Supervisor, shops).having(name="street")
await otp.start_link(street)
None
"""
CELLS = [
    "%load_ext trio_otp.notebook",
    SHOP,
    "otp.tree()",
    "Door.to_svg()",
    "Door.to_mermaid()",
    "otp.process_info('street')",
    "await otp.which_children('street')",
    "%otp_tree --watch street",
    "await Shop.at('tea shop').sell('mint')",
    "await otp.terminate_child('street', 'coffee shop')\nawait trio.sleep_forever()",
    "[each.status for each in await otp.which_children('street')]",
    "%otp_top",
    "%otp_crashes",
]
DRAWN = "img[src^='data:image/svg+xml']"


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """Open a notebook whose first two cells have run."""
    with jupyterlab(tmp_path, dark=True) as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1100, "height": 3400})
        opened = Notebook.open(page, address, tmp_path, CELLS)
        try:
            opened.run(1)
            yield opened
        finally:
            page.screenshot(path=tmp_path / "notebook.png")  # for who wants to look


def picture(output: Locator) -> str:
    """Return the SVG of a picture that is drawn; one that is broken has no width."""
    image = output.locator(DRAWN)
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 50
    return unquote(image.get_attribute("src") or "")


def test_a_notebook_draws(notebook: Notebook) -> None:
    """The tree, a state machine, Mermaid without a network, tables; a watch; an interrupt."""
    tree = picture(notebook.run(2))
    assert all(text in tree for text in ("tea shop", "coffee shop", "supervisor one_for_one"))
    machine = picture(notebook.run(3))
    assert all(text in machine for text in ("closed", "unlock", "5 seconds"))
    assert "flowchart" not in notebook.run(4).inner_text()
    mermaid = notebook.cells.nth(4).locator(".jp-RenderedMermaid img")
    assert mermaid.evaluate("image => image.decode().then(() => image.naturalWidth)") > 50
    info = notebook.run(5).locator("table")
    assert "Supervisor 'street'> idle" in info.locator("th").first.inner_text()
    children = notebook.run(6).locator("table tbody tr")
    assert ["'tea shop'", "'coffee shop'"] == [
        row.locator("td").first.inner_text() for row in children.all()
    ]

    watched = notebook.run(7)
    assert "undefined" not in picture(watched)
    assert "ServerExited" in notebook.run(8).last.inner_text()
    watched.locator("img[src*='1%20restart']").wait_for()
    notebook.start(9)
    watched.locator("img[src*='undefined']").wait_for()  # while that cell runs
    assert "[*]" in notebook.cells.nth(9).locator(".jp-InputPrompt").inner_text()
    notebook.interrupt()
    notebook.wait_for_end(9)
    assert "KeyboardInterrupt" in notebook.cells.nth(9).locator(".jp-OutputArea").inner_text()
    assert "['running', 'undefined']" in notebook.run(10).inner_text()
    assert "behaviour" in notebook.run(11).locator("table thead").inner_text()
    assert "Your code, innermost first" in notebook.run(12).inner_text()
