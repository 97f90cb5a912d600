"""What all tests of the observer have: places of their own for sockets, without other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from observed_kit import own_places

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Have a runtime directory `run` and a temporary one `tmp`, which other users may search."""
    tmp_path_factory.getbasetemp()  # that of all tests is not to be in there
    with own_places() as home:  # with a short name: the path of a socket has a limit
        yield home
