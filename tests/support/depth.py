"""How many examples random tests try: a third by default, all with the tests that are slow."""

from __future__ import annotations

deep = False  # set by conftest, before any test is imported


def few(count: int) -> int:
    """Return how many of so many examples this run tries."""
    return count if deep else -(-count // 3)
