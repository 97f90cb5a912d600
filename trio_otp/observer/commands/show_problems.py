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
    """Return a line for each problem, with the line of code if that is known."""
    return [_line(problem) for problem in result["problems"]] or ["no problems"]


def _line(problem: dict[str, Any]) -> str:
    text, where = str(problem["text"]), problem.get("where")
    more = "" if where is None or str(where) in text else f", at {where}"
    return f"{problem['severity']}: {text}{more}"
