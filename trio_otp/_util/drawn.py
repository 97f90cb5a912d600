"""A text that a notebook draws.

Jupyter and IPython ask the value of a cell for its `_repr_mimebundle_`. All else sees a `str`: it
can be printed, searched, written to a file. A copy or a pickle of it is a plain text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

SVG = "image/svg+xml"
MERMAID = "text/vnd.mermaid"  # JupyterLab draws it without a server


class Drawn(str):
    """A text, and what a notebook shows in its place.

    Args:
        text: what it is for everybody else.
        kind: the media type of the picture.
        draw: makes the picture, when a notebook asks for it.
        plain: what a terminal shows; None for the text itself.

    >>> drawn = Drawn("top", SVG, lambda: "<svg/>")
    >>> print(drawn, drawn._repr_mimebundle_())
    top {'text/plain': 'top', 'image/svg+xml': '<svg/>'}
    """

    __slots__ = ("_draw", "_kind", "_plain")
    _kind: str
    _draw: Callable[[], str]
    _plain: str | None

    def __new__(
        cls, text: str, kind: str, draw: Callable[[], str], plain: str | None = None
    ) -> Drawn:
        """Make one."""
        self = super().__new__(cls, text)
        self._kind, self._draw, self._plain = kind, draw, plain
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        """Return the text and the picture, as IPython asks for them."""
        return {"text/plain": self._text(), self._kind: self._draw()}

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """Write the text without quotes; IPython knows a way for every `str`, and would take it."""
        printer.text(self._text())

    def _text(self) -> str:
        return str(self) if self._plain is None else self._plain
