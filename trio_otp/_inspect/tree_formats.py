"""The tree of processes as Mermaid and DOT. Pure: nodes go in, text comes out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MERMAID_NODES: Final = 400  # a page draws at most 500 edges; with more, equal children are folded
# Besides what ends a text: `%%{` is a directive wherever it stands, `\\n` a line break, a backtick
# begins Markdown.
_MERMAID: Final = {
    "#": "#35;",
    "%": "#37;",
    "\\": "#92;",
    "`": "#96;",
    '"': "#quot;",
    "<": "#lt;",
    ">": "#gt;",
    "&": "#amp;",
}


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One line of the tree, as data.

    Args:
        node: its number, in the order of the lines.
        above: the number of the node it stands under; None at the top.
        name: its local name.
        label: its class or function.
        id: what its supervisor calls it.
        kind: `worker`, `supervisor` with its strategy, `linked` or `process`.
        status: as of `process_info`; of a child that is down as of `which_children`.
        restarts: how often it was started again.
        restart_in: the seconds by which a back-off still delays its restart.
        pid: the number of the process; None if the child is down.
    """

    node: int
    above: int | None
    name: str | None
    label: str | None
    id: str | None
    kind: str
    status: str
    restarts: int
    restart_in: float | None = None
    pid: int | None = None


def as_dot(nodes: list[TreeNode]) -> str:
    """Return a graph for Graphviz."""
    lines = ["digraph processes {", "  node [shape=box];"]
    for node in nodes:
        text = "\\n".join(map(_quotable, _parts(node)))
        lines.append(f'  n{node.node} [label="{text}"];')
    lines += [f"  n{above} -> n{node};" for above, node in _edges(nodes)]
    return "\n".join([*lines, "}"])


def as_mermaid(nodes: list[TreeNode]) -> str:
    """Return a flowchart for Mermaid, with equal children as one if there are too many of them."""
    counts = Counter({node.node: 1 for node in nodes})
    if len(nodes) > MERMAID_NODES:
        nodes, counts = folded(nodes)
    lines = ["flowchart TD"]
    for node in nodes:
        times = [f"{counts[node.node]} of these"] if counts[node.node] > 1 else []
        text = "<br>".join(_escaped(part) for part in [*_parts(node), *times])
        lines.append(f'  n{node.node}["{text}"]')
    lines += [f"  n{above} --> n{node}" for above, node in _edges(nodes)]
    return "\n".join(lines)


def _edges(nodes: list[TreeNode]) -> Iterator[tuple[int, int]]:
    return ((node.above, node.node) for node in nodes if node.above is not None)


def _parts(node: TreeNode) -> list[str]:
    """Return the lines of text of a node."""
    names = dict.fromkeys(part for part in (node.id, node.name, node.label) if part is not None)
    restarts = f", {node.restarts} restart{'s' * (node.restarts > 1)}" if node.restarts else ""
    later = "" if node.restart_in is None else f" in {node.restart_in:.3g} s"
    return [" ".join(names) or "child", f"{node.kind}, {node.status}{later}{restarts}"]


def _quotable(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _escaped(text: str) -> str:
    return "".join(_MERMAID.get(char, char) for char in text)


def folded(nodes: list[TreeNode]) -> tuple[list[TreeNode], Counter[int]]:
    """Make one of childless nodes that differ in id, name and restarts only; count them."""
    parents = {node.above for node in nodes}
    first: dict[object, TreeNode] = {}
    counts: Counter[int] = Counter()
    for node in nodes:
        alike = (node.above, node.label, node.kind, node.status)
        key: object = node.node if node.node in parents or node.above is None else alike
        kept = first.get(key)
        if kept is None:
            first[key] = node
        elif counts[kept.node] == 1:
            first[key] = replace(kept, id=None, name=None, restarts=0, restart_in=None)
        counts[first[key].node] += 1
    return list(first.values()), counts
