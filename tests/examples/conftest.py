"""The cache service, running, on the real clock, which sockets and threads need."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio

import trio_otp as otp
from examples.cache_service.app import CacheService, port_of
from examples.cache_service.client import Client, connect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path


class Service:
    """The service in this run.

    Args:
        path: its database.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.exports = path.parent / "exports"
        self.exports.mkdir()

    @asynccontextmanager
    async def run(self, **environment: Any) -> AsyncGenerator[None]:
        """Start it, on a free port; stop it when the block is left."""
        settings = {"port": 0, "path": str(self.path), "export_dir": str(self.exports)}
        async with otp.open_application(CacheService, environment=settings | environment):
            yield

    @property
    def port(self) -> int:
        return port_of()

    async def connect(self) -> Client:
        return await connect(self.port)


@pytest.fixture
async def stopped(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    """The service before its start; the test may take 20 seconds, or 120 if it is a slow one."""
    slow = request.node.get_closest_marker("slow") is not None
    with trio.fail_after(120 if slow else 20):
        yield Service(tmp_path / "cache.db")


@pytest.fixture
async def service(stopped: Service) -> AsyncIterator[Service]:
    """The service, running."""
    async with stopped.run():
        yield stopped


@pytest.fixture
async def redis(service: Service) -> AsyncIterator[Client]:
    """A client of the service."""
    async with await service.connect() as client:
        yield client
