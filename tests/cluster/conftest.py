"""Fixtures of the tests of nodes."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
import trio
from other_node import Net, fast_threads

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path


@pytest.fixture
def net(tmp_path: Path) -> Generator[Net]:
    """Where the nodes of the test find each other."""
    with fast_threads():
        yield Net(tmp_path)


@pytest.fixture
async def ends() -> AsyncGenerator[tuple[trio.SocketStream, trio.SocketStream]]:
    """The two ends of a connection: of the node that the test plays, and of the other one."""
    near, far = (trio.SocketStream(trio.socket.from_stdlib_socket(s)) for s in socket.socketpair())
    yield near, far
    near.socket.close()
