"""What the site adds to Sphinx: lists of names, links out of the folder, single backticks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import docstrings, names, sources

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the hooks."""
    sources.setup(app)
    docstrings.setup(app)
    names.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
