"""A state machine as a picture in SVG. Pure: states and transitions go in, text comes out."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, NamedTuple

from .._util.svg import (
    BLUE,
    FAINT,
    LINE,
    PAPER,
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
from .layers import Arrow, Extent, Layout, laid_out

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME, LABEL = 13.0, 11.0  # sizes of text
LONGEST: Final = 40  # characters of a name or label
BOX, PILL, MARGIN = 32.0, 18.0, 8.0  # heights of boxes and labels, and what is left around all
LOOP: Final = 24.0  # how far the arrow of a state to itself goes out
POINT: Final = Extent(8, 8, 16)  # where it starts or ends
PORTS: Final = 22.0  # between two arrows at a box


class Edge(NamedTuple):
    """A transition: the numbers of two boxes, and what leads from one to the other."""

    source: int
    target: int
    label: str


def as_svg(title: str, names: list[str], edges: list[Edge], start: int | None, end: int) -> str:
    """Return a picture of a state machine.

    Args:
        title: its name.
        names: of its states.
        edges: its transitions; one that leads to `end` ends it.
        start: the number of its first state.
        end: the number after those of the states.
    """
    return _Picture(title, names, edges, start, end).drawn()


def folded(edges: list[Edge]) -> list[Edge]:
    """Return transitions with one for all that lead from one state to the same other one.

    >>> folded([Edge(0, 1, "push"), Edge(1, 0, ""), Edge(0, 1, "pull")])
    [Edge(source=0, target=1, label='push, pull'), Edge(source=1, target=0, label='')]
    """
    labels: dict[tuple[int, int], list[str]] = {}
    for source, target, label in edges:
        labels.setdefault((source, target), []).append(label)
    return [Edge(*pair, ", ".join(filter(None, all_))) for pair, all_ in labels.items()]


class _Picture:
    def __init__(
        self, title: str, names: list[str], edges: list[Edge], start: int | None, end: int
    ) -> None:
        self._title = title
        self._names = [clipped(name, LONGEST) for name in names]
        self._loops = {
            number: ", ".join(e.label for e in edges if e.source == e.target == number and e.label)
            for number in {e.source for e in edges if e.source == e.target}
        }
        self._edges = [
            e._replace(label=clipped(e.label, LONGEST)) for e in edges if e.source != e.target
        ]
        # The boxes: the states, where it ends, where it starts.
        extents = list(map(self._extent, range(len(names))))
        self._ends = any(e.target == end for e in self._edges)
        extents += [POINT] * self._ends
        self._starts = start is not None
        if start is not None:
            self._edges.insert(0, Edge(len(extents), start, ""))
            extents.append(POINT)
        arrows = [Arrow(e.source, e.target, _pill(e.label)) for e in self._edges]
        self._halves = [each.left for each in extents]
        self._layout: Layout = laid_out(extents, arrows)

    def _extent(self, number: int) -> Extent:
        half = state_width(self._names[number]) / 2
        more = 0.0
        if number in self._loops:
            more = LOOP + _pill(clipped(self._loops[number], LONGEST)).right * 2
        return Extent(half, half + more, BOX)

    def drawn(self) -> str:
        layout = self._layout
        routes = [self._route(number) for number in range(len(self._edges))]
        parts = [part for points in routes for part in _arrow(points)]
        parts += [part for number in self._loops for part in self._loop(number)]
        for edge, (x, y) in zip(self._edges, layout.labels, strict=True):
            parts += _label(edge.label, x + MARGIN, y + MARGIN)
        parts += [self._state(number) for number in range(len(self._names))]
        parts += self._points()
        width, height = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
        return picture(width, height, self._title, parts)

    def _place(self, number: int) -> tuple[float, float]:
        x, y = self._layout.places[number]
        return x + MARGIN, y + MARGIN

    def _state(self, number: int) -> str:
        (x, y), half = self._place(number), self._halves[number]
        name, (fill, stroke) = self._names[number], BLUE
        return group(
            [
                box(x - half, y - BOX / 2, 2 * half, BOX, fill=fill, stroke=stroke, radius=12),
                text_at(x, y + 4.5, span(name, NAME, bold=True), centred=True),
            ],
            name,
        )

    def _points(self) -> Iterator[str]:
        if self._starts:
            yield dot(*self._place(-1), 6, LINE)
        if self._ends:
            x, y = self._place(len(self._names))
            yield box(x - 8, y - 8, 16, 16, radius=8)
            yield dot(x, y, 4.5, LINE)

    def _loop(self, number: int) -> Iterator[str]:
        (x, y), half = self._place(number), self._halves[number]
        right, out = x + half, x + half + LOOP * 1.2
        yield line(
            f"M{right:g} {y - 8:g}C{out:g} {y - 14:g} {out:g} {y + 14:g} {right:g} {y + 8:g}"
        )
        yield _head(right, y + 8, -1, 0)
        label = clipped(self._loops[number], LONGEST)
        yield from _label(label, right + LOOP + _pill(label).left, y)

    # -- the ways of arrows --------------------------------------------------------------------

    def _route(self, number: int) -> list[tuple[float, float]]:
        """Return the points that an arrow goes through: straight down in a row, bent between."""
        route = self._layout.routes[number]
        first, last = route[0], route[-1]
        way = 1 if last[1] > first[1] else -1
        edge = self._edges[number]
        points = [(self._port(edge.source, number, way), first[1] + way * self._half(edge.source))]
        for x, y, height in route[1:-1]:
            points += [(x, y - way * height / 2), (x, y + way * height / 2)]
        points.append(
            (self._port(edge.target, number, -way), last[1] - way * self._half(edge.target))
        )
        return [(x + MARGIN, y + MARGIN) for x, y in points]

    def _half(self, number: int) -> float:
        """Return how far a box goes up and down from its middle."""
        return BOX / 2 if number < len(self._names) else POINT.height / 2

    def _port(self, number: int, edge: int, side: int) -> float:
        """Return where an arrow touches the lower (1) or upper (-1) side of a box."""
        touching = sorted(self._touching(number, side))
        at = next(at for at, (_, each) in enumerate(touching) if each == edge)
        step = min(PORTS, 2 * (self._halves[number] - 8) / len(touching))
        return self._layout.places[number][0] + (at - (len(touching) - 1) / 2) * step

    def _touching(self, number: int, side: int) -> Iterator[tuple[float, int]]:
        """List the arrows at one side of a box, with where they go on."""
        y = self._layout.places[number][1]
        for edge, route in zip(range(len(self._edges)), self._layout.routes, strict=True):
            if self._edges[edge].source == number and (route[1][1] - y) * side > 0:
                yield route[1][0], edge
            if self._edges[edge].target == number and (route[-2][1] - y) * side > 0:
                yield route[-2][0], edge


def state_width(name: str) -> float:
    """Return the width of the box of a state."""
    return text_width(name, NAME, bold=True) + 28


def _pill(label: str) -> Extent:
    half = (text_width(label, LABEL) + 14) / 2
    return Extent(half, half, PILL) if label else Extent(0, 0, 0)


def _label(label: str, x: float, y: float) -> Iterator[str]:
    if label:
        half = _pill(label).left
        yield box(x - half, y - PILL / 2, 2 * half, PILL, fill=PAPER, radius=PILL / 2)
        yield text_at(x, y + 4, span(label, LABEL, colour=FAINT), centred=True)


def _arrow(points: list[tuple[float, float]]) -> Iterator[str]:
    path = f"M{points[0][0]:g} {points[0][1]:g}"
    for (x, y), (to_x, to_y) in itertools.pairwise(points):
        middle = (y + to_y) / 2
        path += f"C{x:g} {middle:g} {to_x:g} {middle:g} {to_x:g} {to_y:g}"
    yield line(path)
    yield _head(*points[-1], 0, 1 if points[-1][1] > points[-2][1] else -1)


def _head(x: float, y: float, right: int, down: int) -> str:
    """Draw the head of an arrow, which points right, left, down or up."""
    back_x, back_y = x - 7 * right, y - 7 * down
    corners = (x, y, back_x + 4 * down, back_y + 4 * right, back_x - 4 * down, back_y - 4 * right)
    return f'<polygon points="{" ".join(f"{each:g}" for each in corners)}" fill="{LINE}"/>'
