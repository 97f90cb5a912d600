"""Blocks of lines and tables, as text and as HTML. Pure.

A style is that of the page, but for what is to the left. All that comes from outside is escaped.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

from .bounded import shown_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDEST: Final = 100  # characters of a line, or of a field
ROWS: Final = 100  # of a table
_LEFT: Final = ' style="text-align: left; vertical-align: top"'


class Block(NamedTuple):
    """A title, and under it lines that begin with what they are about.

    Args:
        title: what it is.
        rows: (what it is about, lines of text); those without lines are left out.

    >>> rows = [("queue", ["2 waiting"]), ("links", []), ("stack", ["a", "b"])]
    >>> print(Block("a cache", rows).text())
    a cache
      queue  2 waiting
      stack  a
             b
    """

    title: str
    rows: Sequence[tuple[str, Sequence[str]]]

    def text(self) -> str:
        """Return it as text."""
        rows = self._rows()
        width = max((len(name) for name, _ in rows), default=0)
        lines = [_cut(self.title)]
        for name, said in rows:
            for at, line in enumerate(said):
                lines.append(f"  {'' if at else name:<{width}}  {line}")
        return "\n".join(lines)

    def html(self) -> str:
        """Return it as HTML."""
        rows = [
            f"<tr><th{_LEFT}>{escape(name)}</th><td{_LEFT}>{_lines(said)}</td></tr>"
            for name, said in self._rows()
        ]
        title = f"<tr><th{_LEFT} colspan='2'>{escape(_cut(self.title))}</th></tr>"
        return f"<table>{title}{''.join(rows)}</table>"

    def _rows(self) -> list[tuple[str, list[str]]]:
        return [(_cut(name), list(map(_cut, said))) for name, said in self.rows if said]


class Table(NamedTuple):
    """Rows under a head.

    Args:
        head: the names of the columns; one that begins with `#` is of numbers, and the mark is
            not shown.
        rows: a text for each column.

    >>> print(Table(["name", "#queue"], [["cache", "2"], ["shop", "10"]]).text())
    name   queue
    cache      2
    shop      10
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """Return it as text."""
        lines = [list(map(_column, self.head)), *self._rows()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = ["  ".join(self._aligned(line, widths)).rstrip() for line in lines]
        return "\n".join([*shown, *self._more()])

    def html(self) -> str:
        """Return it as HTML."""
        head = "".join(f"<th{self._style(name)}>{escape(_column(name))}</th>" for name in self.head)
        rows = [
            "".join(
                f"<td{self._style(name)}>{escape(field)}</td>"
                for name, field in zip(self.head, row, strict=True)
            )
            for row in self._rows()
        ]
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        more = "".join(f"<p>{line}</p>" for line in self._more())
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

    def _rows(self) -> list[list[str]]:
        return [list(map(_cut, row)) for row in self.rows[:ROWS]]

    def _more(self) -> list[str]:
        left = len(self.rows) - ROWS
        return [f"… {left} more"] if left > 0 else []

    def _aligned(self, fields: Iterable[str], widths: Iterable[int]) -> Iterable[str]:
        for name, field, width in zip(self.head, fields, widths, strict=True):
            yield field.rjust(width) if name.startswith("#") else field.ljust(width)

    def _style(self, name: str) -> str:
        return "" if name.startswith("#") else _LEFT


def _column(name: str) -> str:
    return _cut(name.removeprefix("#"))


def _cut(text: str) -> str:
    return shown_text(text, WIDEST)


def _lines(said: Iterable[str]) -> str:
    return "<br>".join(map(escape, said))
