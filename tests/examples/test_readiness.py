"""The cache service says whether it is ready, to a manager as to an operator."""

from __future__ import annotations

import logging
import os
import signal
from contextlib import asynccontextmanager
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import trio
from service_process import OsProcess
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp
from examples.cache_service.readiness import READINESS, READY, RESTARTING, state_of, watch_readiness
from examples.cache_service.repo import Repo

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from conftest import Service


MIB = 1024 * 1024


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    texts = [record.getMessage() for record in caplog.records]
    return [text for text in texts if text == READY or text.startswith("not ready")]


async def test_what_happens_to_the_store_is_logged(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Ready, not ready while the Repo is restarted, and ready again."""
    caplog.set_level(logging.INFO)
    pid = otp.whereis(READINESS)
    async with otp.watch(Repo, Repo.is_open) as is_open:
        otp.exit(Repo, otp.KILL)
        await is_open.alive.wait_value(False)
        await is_open.alive.wait_value(True)
    await wait_all_tasks_blocked()
    assert [f"not ready: {RESTARTING}", READY] == told(caplog)
    assert otp.whereis(READINESS) == pid


@pytest.mark.parametrize(
    ("parts", "state"),
    [
        ({"alive": False, "is_open": True, "faults": {}}, RESTARTING),
        ({"alive": True, "is_open": False, "faults": {}}, "the store cannot be opened"),
        ({"alive": True, "is_open": True, "faults": {}}, READY),
        (
            {"alive": True, "is_open": True, "faults": {("writing", 2): "x", ("reading", 1): "y"}},
            "errors reading keyspace 1, writing keyspace 2",
        ),
    ],
)
def test_the_state_is_that_of_the_worst_part(parts: Any, state: str) -> None:
    """One that is down hides what else it may have."""
    assert state == state_of(SimpleNamespace(**parts))


class StubRepo(Repo):
    """A store whose init takes as long as it is told, and whose faults are given."""

    def __init__(self) -> None:
        self.started = 0

    async def init(self) -> None:
        await trio.sleep(10)
        self.is_open = True

    def handle_cast(self, message: Any) -> None:
        self.faults = MappingProxyType(message)


async def test_the_service_has_started_when_no_part_is_being_restarted(
    caplog: pytest.LogCaptureFixture, autojump_clock: Any
) -> None:
    """Also if one dies while others are still being started."""
    caplog.set_level(logging.INFO)

    async def kill_repo() -> None:  # what stands between the two as it dies
        otp.exit(Repo, otp.KILL)
        await otp.wait_down(Repo)

    children = [
        otp.child(StubRepo).having(name=Repo),
        otp.child(kill_repo).having(id="killer", restart="temporary"),
        otp.child(watch_readiness).having(name=READINESS),
    ]
    async with otp.open_supervisor(children[:2], strategy="one_for_one"):
        began = trio.current_time()
        async with otp.open_supervisor(children[2:]):
            assert began + 10 == trio.current_time()
            otp.cast(Repo, {("writing", 3): "disk is full"})
            otp.cast(Repo, {})
            await trio.sleep(1)
            otp.cast(Repo, {("writing", 3): "disk is full"})
            await trio.sleep(1)
    assert [READY, "not ready: errors writing keyspace 3"] == [told(caplog)[0], told(caplog)[-1]]


@asynccontextmanager
async def manager(path: Path) -> AsyncGenerator[trio.socket.SocketType]:
    """Be a service manager that programs tell how they are."""
    with trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_DGRAM) as listening:
        await listening.bind(str(path))
        yield listening


async def test_a_manager_is_told_when_it_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`READY=1` comes when clients can be served, and it was logged before."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with trio.fail_after(60):
        async with (
            manager(tmp_path / "notify") as states,
            OsProcess(tmp_path / "cache.db") as service,
        ):
            assert b"READY=1" == await states.recv(MIB)
            os.kill(service.process.pid, signal.SIGTERM)
            assert b"STOPPING=1" == await states.recv(MIB)
            assert 0 == await service.process.wait()
    before, _, _ = service.log.read_text().partition("application cache_service started")
    assert "examples.cache_service: ready" in before
