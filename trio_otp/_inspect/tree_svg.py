"""The tree of processes as a picture in SVG. Pure: nodes go in, text comes out.

It grows from left to right, as that of Erlang's observer: names are wide and low. Each childless
process has a row, and who is above others stands in the middle of their rows, so nothing overlaps.
Of a large tree equal children are one box; what then is still too much is counted where it stands.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from .._util.svg import (
    BLUE,
    FAINT,
    LINE,
    PAPER,
    RED,
    box,
    clipped,
    dot,
    group,
    line,
    picture,
    span,
    text_at,
    text_width,
)
from .tree_formats import TreeNode, folded

if TYPE_CHECKING:
    from collections.abc import Iterator

BOXES: Final = 300  # more are folded, and those that are left are cut
DEEPEST: Final = 20  # levels
NAME, DETAIL = 13.0, 11.0  # sizes of text
HEIGHT, ROW, GAP, MARGIN = 42.0, 50.0, 34.0, 6.0
LONGEST: Final = 34, 48  # characters of the two lines
STACKED: Final = 3.0  # how far the second sheet of several equal ones looks out
_DOTS: Final = {
    "idle": "#2f9e44",
    "running": "#2f9e44",
    "handling": "#f08c00",
    "waiting": "#7048e8",
    "starting": "#1098ad",
    "restarting": "#1098ad",
    "suspended": "#868e96",
}


@dataclass(slots=True)
class _Box:
    """What is drawn as one box: a process, several equal ones, or the number of what is left out.

    Args:
        above: the box it stands under.
        depth: the column.
        node: the process; None for those that are left out.
        count: how many it stands for.
    """

    above: _Box | None
    depth: int
    node: TreeNode | None
    count: int
    y: float = 0.0
    below: list[_Box] = field(init=False)

    def __post_init__(self) -> None:
        self.below = []


def as_svg(nodes: list[TreeNode]) -> str:
    """Return a picture of processes."""
    boxes = _boxes(nodes)
    bottom = _set_rows(boxes)
    columns = _columns(boxes)
    right = columns[-1][0] + columns[-1][1] + STACKED if columns else text_width(_NONE, NAME)
    parts = [part for each in boxes for part in _drawn(each, columns)]
    if not boxes:
        parts = [text_at(MARGIN, ROW / 2, span(_NONE, NAME, colour=LINE))]
    return picture(right + MARGIN, bottom + MARGIN, f"{len(nodes)} processes", parts)


_NONE: Final = "no processes"


def _boxes(nodes: list[TreeNode]) -> list[_Box]:
    """Return what is drawn, each below those above it."""
    counts = Counter({node.node: 1 for node in nodes})
    if len(nodes) > BOXES:
        nodes, counts = folded(nodes)
    kept = _kept(nodes)
    boxes: list[_Box] = []
    host: dict[int | None, _Box | None] = {None: None}  # {a node: its box, or the nearest above}
    left_out: Counter[int | None] = Counter()  # {place of a box: how many below it}
    for node in nodes:
        above = host[node.above]
        if node.node in kept:
            made = _Box(above, 0 if above is None else above.depth + 1, node, counts[node.node])
            boxes.append(made)
            host[node.node] = made
        else:
            host[node.node] = above
            left_out[None if above is None else id(above)] += counts[node.node]
    boxes += [
        _Box(above, 0 if above is None else above.depth + 1, None, count)
        for above in [*boxes, None]
        if (count := left_out[None if above is None else id(above)])
    ]
    for each in boxes:
        if each.above is not None:
            each.above.below.append(each)
    return boxes


def _kept(nodes: list[TreeNode]) -> set[int]:
    """Choose those that are drawn: as many as there may be, from the top down."""
    depth: dict[int | None, int] = {None: -1}
    for node in nodes:
        depth[node.node] = depth[node.above] + 1
    shallow = [node.node for node in nodes if depth[node.node] < DEEPEST]
    return set(sorted(shallow, key=depth.__getitem__)[:BOXES])


def _set_rows(boxes: list[_Box]) -> float:
    """Set the place of each box from the top, and return where the last one ends."""
    y = MARGIN
    todo = [each for each in reversed(boxes) if each.above is None]
    order: list[_Box] = []
    while todo:
        each = todo.pop()
        order.append(each)
        todo += reversed(each.below)
        if not each.below:
            each.y = y
            y += ROW
    for each in reversed(order):
        if each.below:
            each.y = (each.below[0].y + each.below[-1].y) / 2
    return max(y - ROW, MARGIN) + HEIGHT


def _columns(boxes: list[_Box]) -> list[tuple[float, float]]:
    """Return (left, width) of each column."""
    widest: dict[int, float] = {}
    for each in boxes:
        widest[each.depth] = max(widest.get(each.depth, 0.0), _width(each))
    columns: list[tuple[float, float]] = []
    left = MARGIN
    for depth in range(len(widest)):
        columns.append((left, widest[depth]))
        left += widest[depth] + GAP
    return columns


def _width(each: _Box) -> float:
    first, second, third = _texts(each)
    gap = 8.0 if second else 0.0
    top = text_width(first, NAME, bold=True) + gap + text_width(second, DETAIL)
    return max(top + 20, text_width(third, DETAIL) + 34)


def _texts(each: _Box) -> tuple[str, str, str]:
    """Return the name, what else it is called, and what it does."""
    node = each.node
    if node is None:
        return f"… {each.count} more", "", ""
    called = dict.fromkeys(_bare(part) for part in (node.name, node.id, node.label) if part)
    first, *others = called or ["child"]
    if each.count > 1:
        others = [f"{each.count} of these"]
    name = clipped(first, LONGEST[0])
    room = max(LONGEST[0] - len(name), 12)
    return name, clipped(" ".join(others), room), clipped(_detail(node), LONGEST[1])


def _bare(text: str) -> str:
    """Return a name without the quotes of its repr."""
    quoted = len(text) > 1 and text[0] in "'\"" and text[0] == text[-1]
    return text[1:-1] if quoted else text


def _detail(node: TreeNode) -> str:
    later = "" if node.restart_in is None else f" in {node.restart_in:.3g} s"
    times = f", {node.restarts} restart{'s' if node.restarts > 1 else ''}" if node.restarts else ""
    return f"{node.kind}, {node.status}{later}{times}"


def _drawn(each: _Box, columns: list[tuple[float, float]]) -> Iterator[str]:
    left, width = columns[each.depth]
    if each.above is not None:
        start, wide = columns[each.above.depth]
        yield line(_elbow(start + wide, each.above.y + HEIGHT / 2, left, each.y + HEIGHT / 2))
    title = " ".join(part for part in _texts(each) if part)
    pid = None if each.node is None or each.count > 1 else each.node.pid
    data = {} if pid is None else {"pid": pid}
    yield group(_sheet(each, left, width), title, **data)


def _sheet(each: _Box, left: float, width: float) -> Iterator[str]:
    first, second, third = _texts(each)
    node, y = each.node, each.y
    if node is None:
        yield box(left, y + 6, width, HEIGHT - 12, dashed=True)
        yield text_at(left + 10, y + HEIGHT / 2 + 4, span(first, DETAIL, colour=FAINT))
        return
    fill, stroke = _colours(node)
    if each.count > 1:
        yield box(left + STACKED, y + STACKED, width, HEIGHT, fill=fill, stroke=stroke)
    yield box(left, y, width, HEIGHT, fill=fill, stroke=stroke, dashed=node.pid is None)
    also = span(second, DETAIL, colour=FAINT, after=8)
    yield text_at(left + 10, y + 17, span(first, NAME, bold=True), also if second else "")
    yield dot(left + 14, y + 29, 4, _DOTS.get(node.status, RED[1]))
    yield text_at(left + 24, y + 33, span(third, DETAIL, colour=FAINT))


def _colours(node: TreeNode) -> tuple[str, str]:
    if node.pid is None:
        return RED
    return BLUE if node.kind.startswith("supervisor") else (PAPER, LINE)


def _elbow(x: float, y: float, to_x: float, to_y: float) -> str:
    """Return the path of a line that goes right, up or down, and right, with round corners."""
    middle = x + (to_x - x) / 2
    if abs(to_y - y) < 1:
        return f"M{x:g} {y:g}H{to_x:g}"
    radius = min(6.0, abs(to_y - y) / 2)
    step = radius if to_y > y else -radius
    return (
        f"M{x:g} {y:g}H{middle - radius:g}Q{middle:g} {y:g} {middle:g} {y + step:g}"
        f"V{to_y - step:g}Q{middle:g} {to_y:g} {middle + radius:g} {to_y:g}H{to_x:g}"
    )
