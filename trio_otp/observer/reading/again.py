"""Read what another thread changes: what raises meanwhile is read once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
TRIES: Final = 5


def read_again(read: Callable[[], T], tries: int = TRIES) -> T:
    """Return what a function reads.

    Raises:
        Exception: what it raised the last time.
    """
    for _ in range(tries - 1):
        try:
            return read()
        except Exception:  # noqa: S112 - it has changed meanwhile, whatever that raised
            continue
    return read()
