"""Where the boxes of a graph stand, and which way its arrows go: from the top down. Pure.

The way of Sugiyama, Tagawa and Toda for small graphs. Arrows that close a circle are turned round
while the boxes are laid out. Each box gets a row below those that lead to it; between two rows of
boxes is one for the labels of arrows. An arrow that passes rows has a place in each, so that it
crosses no box. Then the rows are sorted, so that few arrows cross, and all is moved to where its
neighbours are, as far as there is room.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Point: TypeAlias = tuple[float, float]
GAP: Final = 26.0  # between two things of a row
STEP: Final = 20.0  # between two rows
SWEEPS: Final = 8


class Extent(NamedTuple):
    """How much room something takes left and right of its middle, and how high it is."""

    left: float
    right: float
    height: float


class Arrow(NamedTuple):
    """An arrow to be drawn: from a box to another one, and the room that its label takes."""

    source: int
    target: int
    label: Extent


class Layout(NamedTuple):
    """Where everything stands.

    Args:
        places: the middle of each box.
        routes: of each arrow the middle of each row that it passes, from its source on, the first
            and the last one being those of its boxes, and the height of that row.
        labels: the middle of the label of each arrow.
        width: of all.
        height: of all.
    """

    places: list[Point]
    routes: list[list[tuple[float, float, float]]]
    labels: list[Point]
    width: float
    height: float


def laid_out(boxes: list[Extent], arrows: list[Arrow]) -> Layout:
    """Lay out a graph.

    Args:
        boxes: the first one stands at the top, unless others lead to it alone.
        arrows: none leads from a box to itself.
    """
    graph = _Graph(boxes, arrows)
    graph.sort_rows()
    x = graph.columns()
    middles, bottom = graph.lines()
    left = min((x[n] - each.left for n, each in enumerate(graph.extents)), default=0.0)
    right = max((x[n] + each.right for n, each in enumerate(graph.extents)), default=0.0)
    places = [(x[n] - left, middles[graph.ranks[n]]) for n in range(len(graph.extents))]
    heights = graph.heights()
    routes = [
        [(*places[n], heights[graph.ranks[n]]) for n in _onward(chain, graph.turned[number])]
        for number, chain in enumerate(graph.chains)
    ]
    labels = [places[route[1]] for route in map(_onward, graph.chains, graph.turned)]
    return Layout(places[: len(boxes)], routes, labels, right - left, bottom)


def _onward(chain: list[int], turned: bool) -> list[int]:
    return chain[::-1] if turned else chain


class _Graph:
    """Boxes, and a thing for each row that an arrow passes: its label, or nothing."""

    def __init__(self, boxes: list[Extent], arrows: list[Arrow]) -> None:
        self.extents = list(boxes)
        order, self.turned = _searched(len(boxes), arrows)
        self.ranks = _ranks(order, arrows, self.turned)
        self.chains = [
            self._chain(arrow, turned) for arrow, turned in zip(arrows, self.turned, strict=True)
        ]
        self.rows: list[list[int]] = [[] for _ in range(max(self.ranks, default=-1) + 1)]
        for number in [*order, *range(len(boxes), len(self.extents))]:
            self.rows[self.ranks[number]].append(number)
        self.up: list[list[int]] = [[] for _ in self.extents]
        self.down: list[list[int]] = [[] for _ in self.extents]
        for chain in self.chains:
            for above, below in itertools.pairwise(chain):
                self.down[above].append(below)
                self.up[below].append(above)

    def _chain(self, arrow: Arrow, turned: bool) -> list[int]:
        """Return the things that an arrow leads through, from the top down."""
        top, bottom = arrow.source, arrow.target
        if turned:
            top, bottom = bottom, top
        between = range(self.ranks[top] + 1, self.ranks[bottom])
        chain = [top]
        for rank in between:
            labelled = rank == (between[-1] if turned else between[0])
            chain.append(len(self.extents))
            self.extents.append(arrow.label if labelled else Extent(0, 0, 0))
            self.ranks.append(rank)
        return [*chain, bottom]

    def sort_rows(self) -> None:
        """Sort each row by the middle of the neighbours in the row before, down and up again."""
        place = {n: at for row in self.rows for at, n in enumerate(row)}
        for sweep in range(SWEEPS):
            down = sweep % 2 == 0
            neighbours = self.up if down else self.down
            for row in self.rows if down else reversed(self.rows):
                middle = {n: _mean([place[m] for m in neighbours[n]], place[n]) for n in row}
                row.sort(key=middle.__getitem__)
                place.update((n, at) for at, n in enumerate(row))

    def columns(self) -> list[float]:
        """Return the middle of each thing from the left."""
        x = [0.0] * len(self.extents)
        for row in self.rows:
            for n, at in zip(row, self._spread(row, [0.0] * len(row)), strict=True):
                x[n] = at
        for sweep in range(4 * SWEEPS):
            for row in self.rows if sweep % 2 == 0 else reversed(self.rows):
                wanted = [_mean([x[m] for m in (*self.up[n], *self.down[n])], x[n]) for n in row]
                for n, at in zip(row, self._spread(row, wanted), strict=True):
                    x[n] = at
        self.straighten(x)
        return x

    def straighten(self, x: list[float]) -> None:
        """Move what an arrow passes through into one column, where there is room."""
        for chain, turned in zip(self.chains, self.turned, strict=True):
            inner = chain[1:-1]
            unlabelled = inner[:-1] if turned else inner[1:]
            for some in (inner, unlabelled):
                found = next((at for at in self._near(some, x) if self._is_free(some, at, x)), None)
                if found is not None:
                    for n in some:
                        x[n] = found
                    break

    def _near(self, some: list[int], x: list[float]) -> list[float]:
        return sorted({x[n] for n in some}, key=lambda at: sum(abs(x[n] - at) for n in some))

    def _is_free(self, some: list[int], at: float, x: list[float]) -> bool:
        """Check whether nothing is in the way of some things, each in its row, at one column."""
        return all(
            abs(at - x[m]) >= (self._room(m, n) if at > x[m] else self._room(n, m)) - 0.5
            and (at > x[m]) == (x[n] > x[m])
            for n in some
            for m in self.rows[self.ranks[n]]
            if m != n
        )

    def _room(self, left: int, right: int) -> float:
        return self.extents[left].right + GAP + self.extents[right].left

    def _spread(self, row: list[int], wanted: list[float]) -> list[float]:
        """Return places as near to the wanted ones as the room allows, in the order of the row."""
        offsets = [0.0]
        for left, right in itertools.pairwise(row):
            offsets.append(offsets[-1] + self._room(left, right))
        level = _rising([at - offset for at, offset in zip(wanted, offsets, strict=False)])
        return [at + offset for at, offset in zip(level, offsets, strict=False)]

    def heights(self) -> list[float]:
        """Return the height of each row."""
        return [max((self.extents[n].height for n in row), default=0.0) for row in self.rows]

    def lines(self) -> tuple[list[float], float]:
        """Return the middle of each row from the top, and where the last one ends."""
        middles, y = list[float](), 0.0
        for height in self.heights():
            middles.append(y + height / 2)
            y += height + STEP
        return middles, max(y - STEP, 0.0)


def _searched(count: int, arrows: list[Arrow]) -> tuple[list[int], list[bool]]:
    """Search depth first: return an order from the top down, and which arrows close a circle."""
    turned = [False] * len(arrows)
    leading: list[list[int]] = [[] for _ in range(count)]
    for at, arrow in enumerate(arrows):
        leading[arrow.source].append(at)
    seen, open_, finished = set[int](), set[int](), list[int]()
    for root in range(count):
        todo = [] if root in seen else [(root, iter(leading[root]))]
        seen.add(root)
        open_.update(n for n, _ in todo)
        while todo:
            box, more = todo[-1]
            if (number := next(more, None)) is None:
                todo.pop()
                open_.discard(box)
                finished.append(box)
                continue
            target = arrows[number].target
            turned[number] = target in open_
            if target not in seen:
                seen.add(target)
                open_.add(target)
                todo.append((target, iter(leading[target])))
    return finished[::-1], turned


def _ranks(order: list[int], arrows: list[Arrow], turned: list[bool]) -> list[int]:
    """Return the row of each box: two below the lowest of those that lead to it."""
    ranks = [0] * len(order)
    below: dict[int, list[int]] = {}
    for arrow, back in zip(arrows, turned, strict=True):
        top, bottom = arrow.source, arrow.target
        if back:
            top, bottom = bottom, top
        below.setdefault(top, []).append(bottom)
    for box in order:
        for other in below.get(box, ()):
            ranks[other] = max(ranks[other], ranks[box] + 2)
    return ranks


def _rising(values: list[float]) -> list[float]:
    """Return the numbers that never fall and are nearest to some: their isotonic regression.

    >>> _rising([3.0, 1.0, 5.0])
    [2.0, 2.0, 5.0]
    """
    blocks: list[tuple[float, int]] = []  # (mean, how many)
    for value in values:
        mean, many = value, 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean, many = (before * count + mean * many) / (count + many), count + many
        blocks.append((mean, many))
    return [mean for mean, many in blocks for _ in range(many)]


def _mean(values: Iterable[float], otherwise: float) -> float:
    found = list(values)
    return sum(found) / len(found) if found else otherwise
