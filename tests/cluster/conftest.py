"""Fixtures of the tests of nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from other_node import Net, fast_threads

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@pytest.fixture
def net(tmp_path: Path) -> Generator[Net]:
    """Where the nodes of the test find each other."""
    with fast_threads():
        yield Net(tmp_path)
