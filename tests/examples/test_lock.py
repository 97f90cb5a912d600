"""One service for one database, in files that only its owner can read."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import trio
from worker_kit import kill, wait_for_another

import trio_otp as otp
from examples.cache_service.app import LOCK, TOP
from examples.cache_service.lock import DatabaseInUse, hold_lock
from examples.cache_service.repo import Repo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Service

HOLD = """
import sys, trio
from pathlib import Path
from examples.cache_service.lock import hold_lock

class Held:
    def started(self):
        print("held", flush=True)

trio.run(lambda: hold_lock(Path(sys.argv[1]), task_status=Held()))
"""


@pytest.fixture
def held_elsewhere(stopped: Service) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock of the database."""
    command = [sys.executable, "-c", HOLD, str(stopped.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


async def test_second_service_on_a_file_does_not_start(
    stopped: Service, held_elsewhere: subprocess.Popen[bytes]
) -> None:
    """It is refused by a start error that names the file, at once; when the first ends, it can."""
    with pytest.raises(otp.ApplicationStartError, match=str(stopped.path)) as caught:
        async with stopped.run():
            pass
    assert "in use" in str(caught.value)

    held_elsewhere.kill()
    held_elsewhere.wait()
    async with stopped.run(), await stopped.connect() as client:
        assert await client.ask("PING") == "PONG"


async def test_the_lock_is_that_of_the_file_and_not_of_its_name(
    stopped: Service, tmp_path: Path
) -> None:
    """A service in the same process, and one that knows the file by a link, are refused as well."""
    link = tmp_path / "link.db"
    link.symlink_to(stopped.path)
    async with stopped.run():
        for path in (stopped.path, link):
            with pytest.raises(DatabaseInUse, match=path.name):
                await hold_lock(path)
        with pytest.raises(DatabaseInUse):
            await hold_lock(tmp_path / "exports" / ".." / stopped.path.name)


async def test_lock_lives_through_what_is_restarted(service: Service) -> None:
    """While the Repo is restarted the file stays locked, and a lock that ends is taken again."""
    repo, lock = otp.whereis(Repo), otp.whereis(LOCK)
    await kill(Repo)
    with pytest.raises(DatabaseInUse):
        await hold_lock(service.path)
    await wait_for_another(repo, Repo)

    await kill(LOCK)
    await wait_for_another(lock, LOCK)
    await otp.which_children(TOP)  # answered when the restart is over
    with pytest.raises(DatabaseInUse):
        await hold_lock(service.path)


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(directory: Path) -> dict[str, str]:
    """Return {name: mode} of the files in a directory."""
    return {f.name: oct(f.stat().st_mode & 0o777) for f in directory.iterdir() if f.is_file()}


@pytest.mark.usefixtures("umask")
async def test_files_are_for_their_owner_alone(stopped: Service) -> None:
    """Whatever the umask is, others can read neither the database, nor the files beside it."""
    async with stopped.run(), await stopped.connect() as client:
        await client.ask_all([("SET", "k", "v"), ("EXPORT", "out")])
        found = modes(stopped.path.parent) | modes(stopped.exports)

    names = ["cache.db", "cache.db-lock", "cache.db-shm", "cache.db-wal", "out"]
    assert dict.fromkeys(names, "0o600") == found


async def test_files_of_before_become_those_of_their_owner(stopped: Service) -> None:
    """Files that others could read are put right at the next start."""
    async with stopped.run(), await stopped.connect() as client:
        await client.ask("SET", "k", "v")
        data = {f.name: f.read_bytes() for f in stopped.path.parent.glob("cache.db*")}
    for name, content in data.items():  # as a service leaves them that was killed
        await trio.Path(stopped.path.parent / name).write_bytes(content)
        await trio.Path(stopped.path.parent / name).chmod(0o666)

    async with stopped.run(), await stopped.connect() as client:
        assert await client.ask("GET", "k") == b"v"
        assert {"0o600"} == set(modes(stopped.path.parent).values())


async def test_what_is_no_database_keeps_its_mode(stopped: Service) -> None:
    """A path that is set to another file by mistake leaves that file as it is."""
    stopped.path.write_bytes(b"no database at all" * 100)
    stopped.path.chmod(0o644)

    with pytest.raises(otp.ApplicationStartError, match="not a database"):
        async with stopped.run():
            pass
    assert modes(stopped.path.parent)[stopped.path.name] == "0o644"
