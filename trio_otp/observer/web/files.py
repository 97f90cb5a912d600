"""The files of the page, as the package holds them. Pure but for reading them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class File(NamedTuple):
    """What is sent for a path."""

    type: str
    body: bytes


@cache
def page() -> dict[str, File]:
    """Return {path: file}; what is not in here does not exist."""
    found: dict[str, File] = {}
    for each in files("trio_otp.observer").joinpath("page").iterdir():
        ending = each.name[each.name.rfind(".") :]
        found[f"/{each.name}"] = File(_TYPES[ending], each.read_bytes())
    found["/"] = found["/index.html"]
    found["/favicon.ico"] = found["/favicon.svg"]
    return found
