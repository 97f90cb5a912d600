"""The site as files, a server for it, and a small site in several versions."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEEDED = ("docs", "trio_otp", "pyproject.toml", "_trio_otp_pytest.py")
INDEX = """# A small site

Welcome.

:::{{toctree}}
:caption: Pages

{pages}
:::
"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        """Print nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder while the block runs; give the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def navigation(folder: Path) -> list[str]:
    """Return the pages that the sidebar of the site leads to, the first page included."""
    text = (folder / "index.html").read_text(encoding="utf-8")
    sidebar = text.partition('class="sidebar-tree"')[2].partition("</aside>")[0]
    found = re.findall(r'<a class="reference internal" href="([^"#]+)"', sidebar)
    return list(dict.fromkeys(["index.html", *found]))


def small_tree(folder: Path) -> Path:
    """Copy what a site is built of, without its pages, which take half a minute to build."""
    tree = folder / "tree"
    tree.mkdir()
    for source in map(ROOT.joinpath, NEEDED):
        if source.is_dir():
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, tree / source.name, ignore=unwanted)
        else:
            shutil.copy(source, tree)
    for page in [*(tree / "docs").rglob("*.md"), *(tree / "docs").rglob("*.ipynb")]:
        page.unlink()
    return tree


def write(tree: Path, **pages: str) -> None:
    """Write pages of a small site, and an index that lists all that there are."""
    docs = tree / "docs"
    for name, text in pages.items():
        (docs / f"{name}.md").write_text(text, encoding="utf-8")
    listed = sorted(page.stem for page in docs.glob("*.md") if page.stem != "index")
    (docs / "index.md").write_text(INDEX.format(pages="\n".join(listed)), encoding="utf-8")


def build(tree: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Build the site of a tree by its own script, into its folder `site`."""
    command = [sys.executable, str(tree / "docs" / "build.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def versions_of_a_small_site(folder: Path) -> Path:
    """Build two tags and `main` of a repository of its own; return the folder of the versions.

    Each has a page more than the one before.
    """
    tree = small_tree(folder)
    _git(tree, "init", "-q", "--initial-branch=main")
    for page, tag in (("first", "v0.1"), ("second", "v0.2"), ("third", None)):
        write(tree, **{page: f"# The {page} page\n\nWelcome here, too.\n"})
        _git(tree, "add", "--all")
        _git(tree, "commit", "-q", "-m", f"Add the {page} page")
        if tag is not None:
            _git(tree, "tag", tag)
    done = build(tree, "--all")
    assert done.returncode == 0, done.stderr
    return tree / "site"


def _git(tree: Path, *arguments: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=tree, check=True)
