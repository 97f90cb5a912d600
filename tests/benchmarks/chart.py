"""Bar charts as SVG text: a pure function, nothing to install.

A chart has no background of its own, and its colours are readable on a light and on a dark one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 820
NAMES = 310  # pixels for the names of the bars
BAR, GAP = 18, 8
TOP, BOTTOM = 44, 52
INK, GRID = "#7d8590", "#7d859055"
COLOURS = {"floor": "#9a9a9a", "ours": "#3f8cff", "peer": "#d98324"}


class Bar(NamedTuple):
    """One bar."""

    name: str
    kind: str  # a key of COLOURS
    value: float
    label: str  # the value in words


def chart(title: str, axis: str, bars: Sequence[Bar]) -> str:
    """Draw horizontal bars from zero.

    Args:
        title: what is compared.
        axis: the quantity and its unit, below the bars.
        bars: from top to bottom.

    Returns:
        An SVG document.
    """
    height = TOP + len(bars) * (BAR + GAP) + BOTTOM
    step = _step(max(bar.value for bar in bars))
    marks = math.ceil(max(bar.value for bar in bars) / step)
    scale = (WIDTH - NAMES - 90) / (step * marks)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
            f'font-family="sans-serif" font-size="13" fill="{INK}">'
        ),
        f"<title>{escape(title)}</title>",
        f'<text x="8" y="22" font-size="16" font-weight="bold">{escape(title)}</text>',
        *(_mark(i * step, scale, height) for i in range(marks + 1)),
        *(_bar(bar, i, scale) for i, bar in enumerate(bars)),
        f'<text x="{NAMES}" y="{height - 10}">{escape(axis)}</text>',
        "</svg>\n",
    ]
    return "\n".join(parts)


def _step(largest: float) -> float:
    """Return a round distance of marks, so that there are two to five of them."""
    power = 10.0 ** math.floor(math.log10(largest))
    return next(power * k for k in (0.2, 0.5, 1, 2) if largest / (power * k) <= 5)


def _mark(value: float, scale: float, height: int) -> str:
    x = NAMES + value * scale
    bottom = height - BOTTOM
    return (
        f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}" stroke="{GRID}"/>'
        f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{short(value)}</text>'
    )


def _bar(bar: Bar, index: int, scale: float) -> str:
    y = TOP + index * (BAR + GAP)
    width = max(bar.value * scale, 1)
    base = y + BAR - 5
    weight = ' font-weight="bold"' if bar.kind == "ours" else ""
    return (
        f'<text x="{NAMES - 8}" y="{base}" text-anchor="end"{weight}>{escape(bar.name)}</text>'
        f'<rect x="{NAMES}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" '
        f'fill="{COLOURS[bar.kind]}"/>'
        f'<text x="{NAMES + width + 6:.1f}" y="{base}">{escape(bar.label)}</text>'
    )


def short(value: float) -> str:
    """Return a mark of the axis: `20k`, `1.5M`."""
    for factor, letter in ((1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:g}{letter}"
    return f"{value:g}"
