"""A snapshot as lines of plain text. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .snapshot import Row, Snapshot

HEADER: Final = (
    "pid",
    "name or label",
    "behaviour",
    "queue",
    "links",
    "status",
    "waits for",
    "restarts",
    "doing",
)
_WIDEST: Final = (6, 24, 18, 6, 5, 9, 20, 8, 40)
_NUMBERS: Final = {"pid", "queue", "links", "restarts"}


def plain(snapshot: Snapshot, width: int, height: int) -> list[str]:
    """Draw it as plain text of that size."""
    tree, rows = _fit(snapshot, height)
    cells = [HEADER, *map(_cells, rows)]
    widths = [
        min(max(map(len, column)), widest)
        for column, widest in zip(zip(*cells, strict=True), _WIDEST, strict=True)
    ]
    table = [_line(line, widths) for line in cells]
    lines = [snapshot.title, *_stuck(snapshot), "", *tree, "", *table]
    return [_clip(line, width) for line in lines[:height]]


def _fit(snapshot: Snapshot, height: int) -> tuple[list[str], list[Row]]:
    """Return at most half of the lines to the tree, and what is left to the table."""
    room = max(height - 4 - len(_stuck(snapshot)), 2)  # but for title, two gaps, header
    tree = _shortened(list(snapshot.tree), max(room // 2, room - len(snapshot.rows)), "lines")
    return tree, list(snapshot.rows[: max(room - len(tree), 1)])


def _shortened(lines: list[str], most: int, what: str) -> list[str]:
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"... {len(lines) - most + 1} more {what}"]


def _stuck(snapshot: Snapshot) -> list[str]:
    if snapshot.stuck is None:
        return []
    seconds, stack = snapshot.stuck
    return [
        f"THE LOOP HAS NOT ANSWERED FOR {seconds:.1f} s; it is in",
        *(f"  {at}" for at in stack),
    ]


def _cells(row: Row) -> tuple[str, ...]:
    return (
        str(row.pid),
        row.who,
        row.behaviour,
        str(row.queue),
        str(row.links),
        row.status,
        row.waits_for,
        str(row.restarts),
        row.doing,
    )


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    shown = [
        text.rjust(width) if name in _NUMBERS else _clip(text, width).ljust(width)
        for name, text, width in zip(HEADER, cells, widths, strict=True)
    ]
    return "  ".join(shown).rstrip()


def _clip(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}…"
