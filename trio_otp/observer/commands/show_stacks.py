"""`trio-otp stacks`: where tasks wait, those with the same stack together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .asking import connected, shown
from .stack_text import stack_text
from .terminal import plural

if TYPE_CHECKING:
    import argparse


def command(given: argparse.Namespace) -> int:
    """Carry it out."""
    with connected(given) as client:
        answer = client.ask("stacks", filter=" ".join(given.filter))
        return shown(given, client, answer, lines)


def lines(result: dict[str, Any]) -> list[str]:
    """Return the groups of an answer, the largest first."""
    found: list[str] = []
    for group in result["groups"]:
        found += [_heading(group), *(f"  {line}" for line in stack_text(group["stack"])), ""]
    more = result.get("more")
    return [*found, f"... and {plural(more, 'more stack')}"] if more else found[:-1]


def _heading(group: dict[str, Any]) -> str:
    """Name some of those who have a stack."""
    names = [_name(one) for one in group["who"]]
    left = group["count"] - len(names)
    return f"{', '.join(names)}{f' and {left} more' if left else ''}:"


def _name(one: dict[str, Any]) -> str:
    number = one.get("pid")
    if one.get("task"):
        return f"task {one.get('name')}{'' if number is None else f' of {number}'}"
    return f"{number} {one.get('name')}"
