"""Parts of small pictures in SVG: text of known width, boxes, lines, arrows. Pure.

A picture stands on a page of which it knows nothing: in an `img`, no style of the page reaches it,
and what is dark there need not be dark in the system. So each text lies on a light box of its own,
and what is outside of boxes is grey, which shows on white and on black. All colours are attributes
of elements: a picture in a page leaves no style behind, and none is needed where styles are
forbidden.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from .bounded import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
INK: Final = "#1b2733"
FAINT: Final = "#56636f"
LINE: Final = "#8a94a0"  # at least 3 to 1 on white, on black and on the dark of editors
PAPER: Final = "#ffffff"
BLUE: Final = "#e7eefc", "#4c6ef5"  # fill, stroke
RED: Final = "#fdeeee", "#e03131"
_NARROW: Final = frozenset("ijlftrI.,:;'|!()[]{}/\\ `-")
_WIDE: Final = frozenset("mwMW@%")
_XML: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def escaped(text: str) -> str:
    r"""Return a text for an element or an attribute, with no character that XML refuses.

    >>> escaped("<script>\x00")
    '&lt;script&gt;\\x00'
    """
    return "".join(_XML.get(char, char) for char in visible(text))


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a text in pixels, rather too much than too little."""
    return size * sum(map(_em, text)) * (1.1 if bold else 1.0)


def _em(char: str) -> float:
    if char in _NARROW:
        return 0.37
    if char in _WIDE:
        return 0.95
    if not char.isascii():
        return 1.05 if unicodedata.east_asian_width(char) in "WF" else 0.75
    return 0.72 if char.isupper() or char in "<>=+&~#" else 0.62


def clipped(text: str, most: int) -> str:
    """Return a text of at most so many characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def text_at(x: float, y: float, *spans: str, centred: bool = False) -> str:
    """Draw spans of text in a line, from a point of its base line on, or round it."""
    anchor = ' text-anchor="middle"' if centred else ""
    return f'<text x="{x:g}" y="{y:g}"{anchor}>{"".join(spans)}</text>'


def span(
    text: str, size: float, *, colour: str = INK, bold: bool = False, after: float = 0.0
) -> str:
    """Return a text for `text_at`, so many pixels after the one before it."""
    weight = ' font-weight="600"' if bold else ""
    gap = f' dx="{after:g}"' if after else ""
    return f'<tspan{gap} font-size="{size:g}" fill="{colour}"{weight}>{escaped(text)}</tspan>'


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    fill: str = PAPER,
    stroke: str = LINE,
    radius: float = 6,
    dashed: bool = False,
) -> str:
    """Draw a rectangle with round corners."""
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" '
        f'fill="{fill}" stroke="{stroke}"{dash}/>'
    )


def dot(x: float, y: float, radius: float, colour: str) -> str:
    """Draw a disc."""
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{colour}"/>'


def line(path: str) -> str:
    """Draw a line, by the commands of an SVG path."""
    return f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.5"/>'


def group(parts: Iterable[str], title: str, **data: object) -> str:
    """Put parts together under a title, which a page shows at the pointer."""
    attributes = "".join(f' data-{name}="{escaped(str(value))}"' for name, value in data.items())
    return f"<g{attributes}><title>{escaped(title)}</title>{''.join(parts)}</g>"


def picture(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """Return a whole picture."""
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{FONT}">'
    return "\n".join([head, f"<title>{escaped(title)}</title>", *parts, "</svg>"])
