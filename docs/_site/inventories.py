"""Where the names of Python, Trio, outcome and pytest are explained: inventories from a folder.

`nox -s docs` fills the folder, see `_site.fetch`. What is not there is not linked.
"""

from __future__ import annotations

import os
from pathlib import Path

ADDRESSES = {
    "python": "https://docs.python.org/3/",
    "trio": "https://trio.readthedocs.io/en/stable/",
    "outcome": "https://outcome.readthedocs.io/en/latest/",
    "pytest": "https://docs.pytest.org/en/stable/",
}
FOLDER = "SITE_INVENTORIES"  # the variable that names it


def mapping() -> dict[str, tuple[str, str]]:
    """Return what `intersphinx_mapping` is: of each inventory that is there."""
    folder = Path(os.environ.get(FOLDER, os.devnull)).absolute()
    files = {name: folder / f"{name}.inv" for name in ADDRESSES}
    return {name: (ADDRESSES[name], str(file)) for name, file in files.items() if file.exists()}
