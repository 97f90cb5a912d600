"""The examples in the docstrings of the cache service."""

from __future__ import annotations

import doctest
from typing import TYPE_CHECKING

import pytest

from examples.cache_service import (
    commands,
    glob,
    key_order,
    keyspace,
    parsing,
    replies,
    resp,
    store,
)

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


@pytest.mark.parametrize(
    "module",
    [commands, glob, key_order, keyspace, parsing, replies, resp, store],
    ids=lambda module: module.__name__,
)
def test_docstrings_show_what_happens(module: ModuleType, tmp_path: Path) -> None:
    """Each example in a docstring gives what the docstring says."""
    failed, tried = doctest.testmod(module, extraglobs={"path": tmp_path / "cache.db"})

    assert tried > 0
    assert failed == 0
