"""`trio-otp tree`: the supervision tree, with what matters first in each line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .asking import connected, shown
from .terminal import cut, plural, width

if TYPE_CHECKING:
    import argparse

MOST: Final = 5000  # lines


def command(given: argparse.Namespace) -> int:
    """Carry it out."""
    with connected(given) as client:
        answer = client.ask("tree", root=given.ref, everything=True, limit=MOST)
        return shown(given, client, answer, lines)


def lines(result: dict[str, Any]) -> list[str]:
    """Draw the nodes of an answer."""
    nodes: list[dict[str, Any]] = result["nodes"]
    drawn = [f"{branch}{_text(node)}" for branch, node in zip(_branches(nodes), nodes, strict=True)]
    more = [f"... and {plural(result['more'], 'more node')}"] if result["more"] else []
    return [cut(line, width()) for line in [*drawn, *more]]


def _branches(nodes: list[dict[str, Any]]) -> list[str]:
    """Return what stands before each node; looked at from below, to know which is the last."""
    branches: list[str] = []
    open_at: set[int] = set()  # the depths at which another one follows
    for node in reversed(nodes):
        depth = node["depth"]
        above = "".join("│  " if level in open_at else "   " for level in range(1, depth))
        branches.append(f"{above}{'├─ ' if depth in open_at else '└─ '}" if depth else "")
        open_at = {level for level in open_at if level < depth} | {depth}
    return branches[::-1]


def _text(node: dict[str, Any]) -> str:
    """Return what a line says: what is never cut comes first."""
    who = f"{node['pid']} {node['name']}" if node["pid"] is not None else str(node["name"])
    return ", ".join([f"{who} {node['status']}", *_parts(node)])


def _parts(node: dict[str, Any]) -> list[str]:
    parts = [f"queue {node['queue']}"] if node["queue"] else []
    if node["restart_in"] is not None:
        parts.append(f"in {node['restart_in']} s")
    if node["restarts"]:
        parts.append(plural(node["restarts"], "restart"))
    budget = node["budget"]
    if budget is not None and budget["used"]:
        parts.append(f"{budget['used']}/{budget['limit']} in {budget['seconds']:g} s")
    named = node["id"] not in {None, node["name"], f"'{node['name']}'"}
    kind = " ".join(filter(None, [node["behaviour"].strip("-"), node["summary"] or node["kind"]]))
    return [*parts, *([f"id {node['id']}"] if named else []), kind]
