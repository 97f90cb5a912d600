"""The site, built once, and served to a browser. `nox -s site` has what these tests need.

Nothing is imported that the other tests lack: these are deselected, not skipped, where they do not
run. `SITE=FOLDER` names a site that has been built, for who works on the tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser_kit import LIMIT, Seen, chromium
from paths import ROOT
from site_kit import served, versions_of_a_small_site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of the site."""
    if "SITE" in os.environ:
        return Path(os.environ["SITE"])
    to = tmp_path_factory.mktemp("site") / "html"
    command = [sys.executable, str(ROOT / "docs" / "build.py"), "--to", str(to)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [to] == list(to.parent.iterdir())  # nothing is left beside it
    return to


@pytest.fixture(scope="session")
def address(folder: Path) -> Iterator[str]:
    """Give the address of the site, as a browser sees it."""
    with served(folder) as address:
        yield address


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a small site in two tagged versions and `main`."""
    with served(versions_of_a_small_site(tmp_path_factory.mktemp("versions"))) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give the browser of the system."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def seen() -> Iterator[Seen]:
    """Give a record of what pages do; none may complain, or ask somebody else."""
    seen = Seen()
    yield seen
    assert [] == seen.errors
    assert seen.hosts <= {"127.0.0.1"}


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Give what the tabs of one user share."""
    opened = browser.new_context(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(LIMIT)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext, seen: Seen) -> Page:
    """Give a tab."""
    return seen.watch(context.new_page())
