"""Handlers of `logging` for as long as a test wants them."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

H = TypeVar("H", bound=logging.Handler)


@contextmanager
def logging_to(handler: H, name: str = "trio_otp", level: int | None = None) -> Iterator[H]:
    """Give a logger a handler, and perhaps a level; both go when the block is left.

    Args:
        handler: the handler.
        name: of the logger; empty for the root.
        level: what it logs at least; None leaves that as it is.
    """
    logger = logging.getLogger(name)
    before = logger.level
    logger.addHandler(handler)
    if level is not None:
        logger.setLevel(level)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
