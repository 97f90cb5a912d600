"""Fetch the inventories of Python, Trio, outcome and pytest: where on their sites each name is.

Python's is in Debian's package `python3.11-doc`, those of the others are built from their sdists.
`nox -s docs` calls this once, into its cache: `python -m _site.fetch FOLDER`, from `docs`. What
cannot be had is left out, and said.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from .inventories import ADDRESSES

PACKAGE = "python3.11-doc"
INVENTORY = Path("usr/share/doc/python3.11/html/objects.inv")
# What their pages need to be read; the rest of their settings is about looks.
EXTENSIONS = "sphinx.ext.autodoc,sphinx.ext.napoleon,sphinxcontrib_trio"
PAGES = "index.*,api.*,reference*,reference/**"  # those that explain names


def main(folder: Path) -> None:
    """Fill a folder with the inventories that it lacks."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ADDRESSES:
        file = folder / f"{name}.inv"
        if file.exists():
            continue
        with tempfile.TemporaryDirectory() as scratch:
            try:
                shutil.copy(_fetched(name, Path(scratch)), file)
            except (OSError, subprocess.CalledProcessError, LookupError) as exc:
                sys.stderr.write(f"no links to {ADDRESSES[name]}: {exc}\n")


def _fetched(name: str, scratch: Path) -> Path:
    return _of_debian(scratch) if name == "python" else _of_sdist(name, scratch)


def _of_debian(scratch: Path) -> Path:
    """Return the inventory of Python: of the package if it is installed, or else out of it."""
    installed = Path("/") / INVENTORY
    if installed.exists():
        return installed
    _run("apt-get", "download", PACKAGE, cwd=scratch)
    (package,) = scratch.glob("*.deb")
    _run("dpkg-deb", "--extract", str(package), "out", cwd=scratch)
    return scratch / "out" / INVENTORY


def _of_sdist(name: str, scratch: Path) -> Path:
    """Build the pages of a project, with the version that is installed, for their inventory."""
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", name]
    _run(*pip, name, cwd=scratch)
    (packed,) = scratch.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(scratch, filter="data")
    pages = _pages(scratch / packed.name.removesuffix(".tar.gz"))
    settings = {"extensions": EXTENSIONS, "include_patterns": PAGES, "project": name}
    options = ["-C", "-Q", *(part for each in settings.items() for part in ("-D", "=".join(each)))]
    _run(sys.executable, "-m", "sphinx", *options, str(pages), "out", cwd=scratch)
    return scratch / "out" / "objects.inv"


def _pages(project: Path) -> Path:
    """Return the folder of an sdist that has the settings of its site."""
    found = next(project.glob("doc*/**/conf.py"), None)
    if found is None:
        raise LookupError(f"{project.name} has no conf.py")
    return found.parent


def _run(*command: str, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
