"""Build the site: `nox -s docs` runs this in an environment that has what it takes.

python docs/build.py          of this tree, into `site`
python docs/build.py --all    of every tag that has a site and of `main`, into `site/<version>`
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
NEWEST = "main"
# The list of versions, which the switcher of each reads; written when all are built.
VERSIONS = "versions.js"
START = f"""<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="{NEWEST}/_static/favicon.svg">
<meta http-equiv="refresh" content="0; url={NEWEST}/index.html">
<title>trio_otp</title>
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line; return the exit status."""
    parser = argparse.ArgumentParser("docs/build.py", description="Build the site.")
    parser.add_argument("--all", action="store_true", help="of every tag and of `main`")
    parser.add_argument("--to", type=Path, default=ROOT / "site", help="the folder; `site`")
    parser.add_argument("--inventories", type=Path, help="a folder for those of other projects")
    given = parser.parse_args(arguments)
    if given.inventories is not None:
        os.environ["SITE_INVENTORIES"] = str(given.inventories.absolute())
        _python(ROOT, "-m", "_site.fetch", str(given.inventories.absolute()), cwd=ROOT / "docs")
    shutil.rmtree(given.to, ignore_errors=True)
    if given.all:
        return build_all(given.to)
    return build(ROOT, given.to)


def build(tree: Path, to: Path, **environment: str) -> int:
    """Build the site of a tree; each warning is an error."""
    with tempfile.TemporaryDirectory() as scratch:
        built = Path(scratch) / "html"  # myst_nb makes a folder beside it
        options = ["-W", "-n", "-q", "--keep-going", "-d", f"{scratch}/doctrees"]
        folders = [str(tree / "docs"), str(built)]
        done = _python(tree, "-m", "sphinx", *options, *folders, **environment)
        if built.is_dir():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(built, to)
    return done


def build_all(to: Path) -> int:
    """Build the site of each version, and the list of them."""
    failed = 0
    for version in versions():
        with tempfile.TemporaryDirectory() as scratch:
            tree = Path(scratch) / "tree"
            _git("worktree", "add", "--detach", str(tree), version)
            try:
                failed |= _build_version(tree, version, to / version)
            finally:
                _git("worktree", "remove", "--force", str(tree))
    _write_versions(to)
    return failed


def _build_version(tree: Path, version: str, to: Path) -> int:
    if not (tree / "docs" / "conf.py").exists():
        sys.stderr.write(f"{version} has no site\n")
        return 0
    return build(tree, to, SITE_VERSION=version)


def versions() -> list[str]:
    """Return what is built of a repository: `main`, then the tags, the newest first."""
    return [NEWEST, *_git("tag", "--sort=-version:refname").split()]


def _write_versions(to: Path) -> None:
    """List the pages of each version: a switcher leads to the same page, if it is there."""
    built = [version for version in versions() if (to / version).is_dir()]
    pages = {
        version: sorted(
            page.relative_to(to / version).as_posix() for page in (to / version).rglob("*.html")
        )
        for version in built
    }
    listed = f"const VERSIONS = {json.dumps(pages, indent=1)};\n"
    (to / VERSIONS).write_text(listed, encoding="utf-8")
    (to / "index.html").write_text(START, encoding="utf-8")


def _python(tree: Path, *arguments: str, cwd: Path | None = None, **more: str) -> int:
    """Run Python with the library of a tree; return the exit status."""
    environment = {**os.environ, "PYTHONPATH": str(tree), **more}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, check=False).returncode


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
