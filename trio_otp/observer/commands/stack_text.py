"""Stacks as text: the lines of the program's own code are marked."""

from __future__ import annotations

from typing import Any


def stack_text(stack: list[dict[str, Any]]) -> list[str]:
    """Return the frames, outermost first; own ones behind a mark.

    >>> stack_text([{"text": "trio/x.py:1 in f", "own": False}, {"text": "a.py:2 in g", "own": 1}])
    ['  trio/x.py:1 in f', '> a.py:2 in g']
    """
    return [f"{'> ' if frame.get('own') else '  '}{frame.get('text')}" for frame in stack]
