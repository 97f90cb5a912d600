"""What systemd is told, over real sockets: ready, reloading, stopping, and that the loop turns."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
from inside import Notifier, watchdog_interval
from paths import SUPPORT
from program_kit import LIMIT, program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trio.testing import MockClock

operated = partial(program, script=SUPPORT / "operated.py")


class Manager:
    """The side of systemd: a datagram socket, and the messages received."""

    def __init__(self, address: str) -> None:
        self.name = address
        self.socket = trio.socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    async def told(self) -> list[str]:
        """Return the lines of the next message but those of the watchdog."""
        with trio.fail_after(LIMIT):
            while True:
                lines = (await self.socket.recv(10_000)).decode().split("\n")
                if lines != ["WATCHDOG=1"]:
                    return lines

    async def ping(self) -> None:
        """Wait for a message of the watchdog."""
        with trio.fail_after(LIMIT):
            while await self.socket.recv(10_000) != b"WATCHDOG=1":
                pass

    def waiting(self) -> list[bytes]:
        """Take what has come so far."""
        found: list[bytes] = []
        plain = socket.socket(fileno=os.dup(self.socket.fileno()))
        plain.setblocking(False)
        with plain:
            while True:
                try:
                    found.append(plain.recv(10_000))
                except BlockingIOError:
                    return found


@pytest.fixture(params=["path", "abstract"])
async def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A manager at a path of the file system, and at an abstract address."""
    path = str(tmp_path / "notify")
    address = f"@{path}" if request.param == "abstract" else path
    found = Manager(address)
    with found.socket:
        await found.socket.bind(address.replace("@", "\0"))
        yield found


async def test_the_states_of_a_program(manager: Manager, tmp_path: Path) -> None:
    """Ready, reloading with the time of the monotonic clock, ready again, stopping."""
    config = tmp_path / "desk.toml"
    config.write_text("")
    options: Any = {"arguments": [str(config)], "start_new_session": True}
    async with operated("Desk", env={"NOTIFY_SOCKET": manager.name}, **options) as run:
        assert ["READY=1"] == await manager.told()
        before = time.monotonic_ns() // 1000
        run.process.send_signal(signal.SIGHUP)
        state, stamp = await manager.told()
        assert "RELOADING=1" == state
        assert before <= int(stamp.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
        assert ["READY=1"] == await manager.told()
        run.process.send_signal(signal.SIGTERM)
        assert ["STOPPING=1"] == await manager.told()
        assert 0 == await run.end()
    assert [] == manager.waiting()


async def test_the_watchdog_hears_that_the_loop_turns(manager: Manager) -> None:
    """Twice in each interval, and not at all while something holds the loop."""
    env = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "20000"}
    with_pid = ("sh", "-c", 'WATCHDOG_PID=$$ exec "$@"', "sh")
    async with operated("BlockedForAWhile", *with_pid, env=env, stdin=subprocess.PIPE) as run:
        await run.read_until("blocking")
        manager.waiting()
        await run.read_until("over")  # 15 intervals later
        assert [] == manager.waiting()
        assert run.process.stdin is not None
        await run.process.stdin.send_all(b"\n")
        await manager.ping()
        await manager.ping()
        run.process.send_signal(signal.SIGTERM)
        while await manager.told() != ["STOPPING=1"]:
            pass
        assert 0 == await run.end()


async def test_a_program_that_does_not_start_says_why(manager: Manager) -> None:
    """For `systemctl status`; it was never ready."""
    async with program("Fails", env={"NOTIFY_SOCKET": manager.name}) as run:
        assert 1 == await run.end()
    [status] = await manager.told()
    assert status.startswith("STATUS=application 'fails' did not start: ")
    assert status.endswith("OSError: address in use")


async def test_a_program_that_ends_by_itself(manager: Manager) -> None:
    """It was ready, and it stops."""
    async with program("Batch", env={"NOTIFY_SOCKET": manager.name}) as run:
        assert 0 == await run.end()
    assert ["READY=1"] == await manager.told()
    assert ["STOPPING=1"] == await manager.told()


async def test_without_a_manager_nothing_is_said() -> None:
    """Nor if the address is not one of a datagram socket."""
    for address in ("", "vsock:2:1234"):
        async with operated("Desk", env={"NOTIFY_SOCKET": address}) as run:
            await run.read_until("up")
            run.process.send_signal(signal.SIGTERM)
            assert 0 == await run.end()
        assert "NOTIFY_SOCKET" not in run.errors


async def test_a_manager_that_is_gone_is_told_of_once(tmp_path: Path) -> None:
    """The program runs all the same."""
    env = {"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "2000"}
    async with operated("Desk", env=env) as run:
        await run.read_until("up")
        await run.read_errors_until("nobody could be told")
        run.process.send_signal(signal.SIGTERM)
        assert 0 == await run.end()
    assert 1 == run.errors.count("NOTIFY_SOCKET")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "2000000"}, 2.0),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "7"}, 2.0),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "often"}, None),
        ({"WATCHDOG_USEC": "9" * 400}, None),
        ({"WATCHDOG_USEC": "9" * 5000}, None),
    ],
)
def test_the_process_that_the_watchdog_is_for(
    environment: dict[str, str], expected: float | None
) -> None:
    """The variables may have been inherited from another program."""
    assert expected == watchdog_interval(environment, 7)


def test_a_system_without_such_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows: nothing is sent."""
    monkeypatch.delattr(socket, "AF_UNIX")
    Notifier({"NOTIFY_SOCKET": "/run/notify"}).ready()


@contextmanager
def bound(path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.setblocking(False)
        yield sock


async def test_a_full_queue_holds_nobody_up_for_long(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """A manager that does not read loses messages, which is logged; the watchdog never blocks."""
    path = str(tmp_path / "notify")
    with bound(path):
        environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1000000"}
        with closing(Notifier(environment)) as notifier, trio.move_on_after(1000):
            await notifier.watch()
        assert "nobody could be told WATCHDOG=1: [Errno 11]" in caplog.text  # it did not wait
        with closing(Notifier({"NOTIFY_SOCKET": path})) as notifier:
            notifier.ready()
    assert "nobody could be told READY=1: timed out" in caplog.text


def test_the_watchdog_hears_of_a_program_without_free_file_descriptors(tmp_path: Path) -> None:
    """Clients that take all of them must not have a manager restart what still turns."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    path = str(tmp_path / "notify")
    taken: list[int] = []
    with bound(path) as manager, closing(Notifier({"NOTIFY_SOCKET": path})) as notifier:
        notifier.ready()
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
            with suppress(OSError):
                while True:
                    taken.append(os.dup(0))
            notifier.stopping()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for number in taken:
                os.close(number)
        assert [b"READY=1", b"STOPPING=1"] == [manager.recv(100), manager.recv(100)]


def test_a_program_that_stops_is_not_ready_any_more(tmp_path: Path) -> None:
    """Whatever it was about to report when it was asked to stop."""
    path = str(tmp_path / "notify")
    with bound(path) as manager, closing(Notifier({"NOTIFY_SOCKET": path})) as notifier:
        notifier.stopping()
        notifier.ready()
        notifier.stopping()
        assert manager.recv(100) == b"STOPPING=1"
        with pytest.raises(BlockingIOError):
            manager.recv(100)
