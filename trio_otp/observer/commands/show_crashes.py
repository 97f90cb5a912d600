"""`trio-otp crashes`: the last crashes by error and line, with a traceback of each group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .asking import connected, shown
from .terminal import plural

if TYPE_CHECKING:
    import argparse


def command(given: argparse.Namespace) -> int:
    """Carry it out."""
    with connected(given) as client:
        return shown(given, client, client.ask("crashes"), lines)


def lines(result: dict[str, Any]) -> list[str]:
    """Return the groups of an answer, the latest first, each with its latest crash."""
    if not result["groups"]:
        return ["no crashes"]
    crashes = {crash["number"]: crash for crash in result["crashes"]}
    found: list[str] = []
    for group in result["groups"]:
        found += [_heading(group), *_report(crashes.get(group["number"])), ""]
    return found[:-1]


def _heading(group: dict[str, Any]) -> str:
    where = "" if group["where"] is None else f" at {group['where']}"
    names = ", ".join(map(str, group["names"]))
    return f"{plural(group['count'], 'crash', 'crashes')} of {names}: {group['text']}{where}"


def _report(crash: dict[str, Any] | None) -> list[str]:
    if crash is None:
        return []
    facts = {
        "last": f"{crash['ago']} s ago, process {crash['pid']} {crash['name']}",
        "message": crash["last_message"],
        "state": crash["state"],
        "client": crash["client"],
        "client waits in": crash["client_place"],
        "ends with it": ", ".join(map(str, crash["neighbours"])),
    }
    told = [f"  {title}: {fact}" for title, fact in facts.items() if fact]
    return [*told, *(f"    {line}" for line in (crash["traceback"] or "").splitlines())]
