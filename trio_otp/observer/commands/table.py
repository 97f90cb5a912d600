"""Tables of text that fit into a width. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..._util.bounded import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP: Final = "  "


class Column(NamedTuple):
    """A column.

    Args:
        title: its heading.
        key: what it shows of a row.
        whole: whether it is never cut or left out, so that a table may be wider than it should.
        right: whether it stands at the right, as numbers do.
        least: to how many characters it may be cut before it is left out; 0 if it may not be cut.
    """

    title: str
    key: str
    whole: bool = False
    right: bool = False
    least: int = 0


def table(
    columns: Sequence[Column], rows: Sequence[dict[str, Any]], width: int | None
) -> list[str]:
    """Draw rows below a heading.

    Args:
        columns: those on the right are cut and left out first.
        rows: texts, numbers or None by the keys of the columns.
        width: how many characters a line may have; None for any number.
    """
    cells = [[column.title, *(_cell(row.get(column.key)) for row in rows)] for column in columns]
    widths = _fitted(columns, [max(map(len, of_column)) for of_column in cells], width)
    shown = [(cells[i], columns[i], size) for i, size in enumerate(widths) if size]
    lines = zip(
        *([_fit(cell, column, size) for cell in of] for of, column, size in shown), strict=True
    )
    return [GAP.join(line).rstrip() for line in lines]


def _fitted(columns: Sequence[Column], natural: list[int], width: int | None) -> list[int]:
    """Return the width of each column, 0 for one that is left out."""
    widths = list(natural)
    for least in (True, False):  # first all that may be cut are cut, then columns are left out
        for index in reversed(range(len(columns))):
            column = columns[index]
            excess = _total(widths) - (width or _total(widths))
            if excess <= 0 or column.whole or not widths[index]:
                continue
            if not least:
                widths[index] = 0
            elif column.least:
                widths[index] = max(widths[index] - excess, min(column.least, widths[index]))
    return widths


def _total(widths: list[int]) -> int:
    there = [width for width in widths if width]
    return sum(there) + len(GAP) * (len(there) - 1)


def _cell(value: Any) -> str:
    return "" if value is None else visible(str(value))


def _fit(cell: str, column: Column, size: int) -> str:
    cut = cell if len(cell) <= size else f"{cell[: size - 1]}…"
    return cut.rjust(size) if column.right else cut.ljust(size)
