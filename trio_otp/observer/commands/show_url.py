"""`trio-otp url`: the address of the page with its token, to be opened in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .asking import connected, shown

if TYPE_CHECKING:
    import argparse


def command(given: argparse.Namespace) -> int:
    """Carry it out."""
    with connected(given) as client:
        return shown(given, client, client.ask("url"), _lines)


def _lines(result: dict[str, Any]) -> list[str]:
    return [str(result["url"])]
