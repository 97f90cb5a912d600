"""A state machine of very many transitions as a picture in SVG: its states in a circle. Pure.

Laid out in layers, such a machine takes minutes and is a bundle of lines. In a circle each pair of
states has one straight line, whatever leads from one to the other; what that is, is the title of
the line, which a page shows at the pointer.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from .._util.svg import BLUE, LINE, box, clipped, dot, group, line, picture, span, text_at
from .statem_svg import BOX, LONGEST, MARGIN, NAME, Edge, state_width

if TYPE_CHECKING:
    from collections.abc import Iterator

GAP: Final = 26.0  # between two boxes
HEAD: Final = 7.0  # the length of an arrow's head
TITLE: Final = 300  # characters

_Pair = tuple[int, int]


def as_circle(title: str, names: list[str], edges: list[Edge], start: int | None, end: int) -> str:
    """Return a picture of a state machine. The arguments are those of `statem_svg.as_svg`."""
    return _Circle(title, names, edges, start, end).drawn()


class _Circle:
    def __init__(
        self, title: str, names: list[str], edges: list[Edge], start: int | None, end: int
    ) -> None:
        self._title = title
        self._start = start
        self._names = [clipped(name, LONGEST) for name in names]
        self._ends = any(edge.target == end for edge in edges)
        self._sizes = [(state_width(name), BOX) for name in self._names]
        self._sizes += [(16.0, 16.0)] * self._ends
        self._titles = self._of_pairs(edges)
        self._radius, self._places = self._placed()

    def _of_pairs(self, edges: list[Edge]) -> dict[_Pair, dict[_Pair, list[str]]]:
        """Return what leads where, by the pairs of states: {pair: {(source, target): labels}}."""
        found: dict[_Pair, dict[_Pair, list[str]]] = {}
        for source, target, label in edges:
            pair = min(source, target), max(source, target)
            found.setdefault(pair, {}).setdefault((source, target), []).append(label)
        return found

    def _placed(self) -> tuple[float, list[tuple[float, float]]]:
        """Return the radius and the middles of the boxes: the first one at the top, with gaps."""
        parts = [width + GAP for width, _ in self._sizes]
        whole = sum(parts)
        radius = whole / math.tau
        places, before = list[tuple[float, float]](), -parts[0] / 2
        for part in parts:
            angle = math.tau * (before + part / 2) / whole
            places.append((radius * math.sin(angle), -radius * math.cos(angle)))
            before += part
        return radius, places

    def drawn(self) -> str:
        """Return the picture."""
        beside = max(width for width, _ in self._sizes) / 2 + GAP + MARGIN
        middle_x, middle_y = self._radius + beside, self._radius + BOX + GAP + MARGIN
        self._places = [(x + middle_x, y + middle_y) for x, y in self._places]
        parts = [part for pair in self._titles for part in self._lines(pair)]
        parts += [self._state(number) for number in range(len(self._names))]
        if self._ends:
            x, y = self._places[-1]
            parts += [box(x - 8, y - 8, 16, 16, radius=8), dot(x, y, 4.5, LINE)]
        return picture(2 * middle_x, 2 * middle_y, self._title, parts)

    def _state(self, number: int) -> str:
        """Draw a state; the first one has a dot above it, one that leads to itself a loop."""
        (x, y), (width, height) = self._places[number], self._sizes[number]
        (fill, stroke), itself = BLUE, (number, number)
        loops = itself in self._titles
        parts = [
            box(x - width / 2, y - BOX / 2, width, height, fill=fill, stroke=stroke, radius=12),
            text_at(x, y + 4.5, span(self._names[number], NAME, bold=True), centred=True),
        ]
        if loops:
            right = x + width / 2
            parts.append(line(f"M{right:g} {y - 6:g}c12 -4 12 16 0 12"))
        if number == self._start:
            parts += [dot(x, y - BOX / 2 - 16, 6, LINE), line(f"M{x:g} {y - BOX / 2 - 16:g}v16")]
        return group(parts, self._said(itself) if loops else self._names[number])

    def _said(self, pair: _Pair) -> str:
        """Return what leads from one to the other, in a line for each way."""
        names = [*self._names, "the end"]
        ways = [
            f"{names[source]} → {names[target]}: {', '.join(filter(None, labels)) or '-'}"
            for (source, target), labels in self._titles[pair].items()
        ]
        return clipped("; ".join(ways), TITLE)

    def _lines(self, pair: _Pair) -> Iterator[str]:
        """Draw a line from box to box, with a head at each end that something leads to."""
        one, other = pair
        if one == other:
            return
        begin, finish = self._edge(one, other), self._edge(other, one)
        parts = [line(f"M{begin[0]:g} {begin[1]:g}L{finish[0]:g} {finish[1]:g}")]
        for source, target in self._titles[pair]:
            tip, tail = (finish, begin) if (source, target) == pair else (begin, finish)
            parts.append(_head(*tip, math.atan2(tip[1] - tail[1], tip[0] - tail[0])))
        yield group(parts, self._said(pair))

    def _edge(self, number: int, towards: int) -> tuple[float, float]:
        """Return where a line to another box leaves a box."""
        (x, y), (width, height) = self._places[number], self._sizes[number]
        right, down = self._places[towards][0] - x, self._places[towards][1] - y
        part = min(
            width / 2 / abs(right) if right else math.inf,
            height / 2 / abs(down) if down else math.inf,
        )
        return x + part * right, y + part * down


def _head(x: float, y: float, angle: float) -> str:
    """Draw the head of an arrow that points into a direction."""
    corners = [(x, y)]
    for side in (-0.5, 0.5):
        way = angle + math.pi + side
        corners.append((x + HEAD * math.cos(way), y + HEAD * math.sin(way)))
    points = " ".join(f"{each:.1f}" for corner in corners for each in corner)
    return f'<polygon points="{points}" fill="{LINE}"/>'
