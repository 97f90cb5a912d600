"""`trio-otp problems`: what is wrong with a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .asking import SAID_NO, connected, shown

if TYPE_CHECKING:
    import argparse


def command(given: argparse.Namespace) -> int:
    """Carry it out; the exit status says whether there are problems."""
    with connected(given) as client:
        answer = client.ask("problems")
        shown(given, client, answer, lines)
        return SAID_NO if answer.result["problems"] or answer.loop else 0


def lines(result: dict[str, Any]) -> list[str]:
    """Return a line for each problem."""
    return [str(problem["text"]) for problem in result["problems"]] or ["no problems"]
