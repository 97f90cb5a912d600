"""A full disk, a damaged page: an error for the clients concerned, and a line in the log."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import trio
from service_process import ROOT, OsProcess
from worker_kit import until

import trio_otp as otp
from examples.cache_service.client import ReplyError, connect
from examples.cache_service.keyspaces import KEYSPACES, WORKERS
from examples.cache_service.repo import Repo

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from conftest import Service

    from examples.cache_service.client import Client, Reply

PAGE = 4096
UNREADABLE = ReplyError(
    "MISCONF Errors reading the database file: database disk image is malformed"
)
UNWRITABLE = ReplyError(
    "MISCONF Errors writing to the database file: database disk image is malformed"
)
FULL = ReplyError("MISCONF Errors writing to the database file: database or disk is full")


async def fill(redis: Client, keyspace: int, count: int, size: int = 1000) -> None:
    """Store entries in a keyspace, and stay there."""
    await redis.ask("SELECT", keyspace)
    for start in range(0, count, 100):
        part = range(start, min(start + 100, count))
        await redis.ask_all([("SET", f"key:{keyspace}:{n:05}", b"x" * size) for n in part])


class Damage:
    """Bytes of a page of the database that are overwritten, and can be put back.

    Args:
        path: the database, with nothing in its write-ahead log.
        key: one that is on the page.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        data = path.read_bytes()
        assert key in data
        self.at = data.rindex(key) // PAGE * PAGE
        self.before = data[self.at : self.at + PAGE]

    def do(self) -> None:
        self._write(b"\xa5" * PAGE)

    def mend(self) -> None:
        self._write(self.before)

    def _write(self, data: bytes) -> None:
        with self.path.open("r+b") as file:
            file.seek(self.at)
            file.write(data)


async def persistence(redis: Client) -> tuple[str, str]:
    """Return the lines of INFO on writing and reading."""
    text: Any = await redis.ask("INFO", "persistence")
    facts = dict(line.split(":") for line in text.decode().splitlines() if ":" in line)
    return facts["aof_last_write_status"], facts["last_load_status"]


def faults_logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


async def test_damaged_page_concerns_its_keyspace_alone(
    stopped: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service starts, other keyspaces are served, and each try is an error, not a crash.

    When the page is mended the keyspace is there, without a restart of anything.
    """
    monkeypatch.setattr("examples.cache_service.worker.RELOAD_EVERY", 0.05)
    async with stopped.run(), await stopped.connect() as redis:
        await fill(redis, 0, 300)
        await fill(redis, 1, 300)
    damage = Damage(stopped.path, b"key:1:00150")
    damage.do()

    async with stopped.run(), await stopped.connect() as redis:
        await redis.ask("SELECT", 1)
        commands = [("GET", "key:1:00000"), ("SET", "k", "v"), ("DBSIZE",), ("KEYS", "*")]
        commands += [("SCAN", "0"), ("EXPORT", "out")]
        assert [UNREADABLE] * 6 == await redis.ask_all(commands)
        worker = otp.whereis(KEYSPACES.via(1))
        tried = trio.current_time()
        while trio.current_time() < tried + 0.3:
            assert [UNREADABLE] == await redis.ask_all([("GET", "k")])
        assert ("ok", "err") == await persistence(redis)

        async with await stopped.connect() as other:
            assert [b"x" * 1000, "OK", 301] == await other.ask_all(
                [("GET", "key:0:00299"), ("SET", "k", "v"), ("DBSIZE",)]
            )
        damage.mend()
        await until_answered(redis, "GET", "key:1:00150")
        assert [300, "OK"] == await redis.ask_all([("DBSIZE",), ("SET", "k", "v")])
        assert ("ok", "ok") == await persistence(redis)
        assert worker == otp.whereis(KEYSPACES.via(1))
        assert [0, 0] == [child.restarts for child in await otp.which_children(WORKERS)]
    [text] = faults_logged(caplog)
    assert "errors reading keyspace 1" in text
    assert "malformed; clients are told MISCONF" in text


async def until_answered(redis: Client, *command: str) -> None:
    with trio.fail_after(60):
        while isinstance((await redis.ask_all([command]))[0], ReplyError):
            pass


async def test_damaged_page_refuses_no_other_write_of_its_commit(
    stopped: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Writes share a commit, not their faults; reads are served from memory."""
    async with stopped.run(), await stopped.connect() as redis:
        await fill(redis, 0, 10)
        await fill(redis, 1, 900, 3000)  # more than SQLite keeps in memory
    async with stopped.run(), await stopped.connect() as redis:
        await redis.ask_all([cmd for n in (0, 2, 1) for cmd in (("SELECT", n), ("GET", "k"))])
        Damage(stopped.path, b"key:1:00100").do()
        repo = otp.whereis(Repo)
        with closing(sqlite3.connect(stopped.path, isolation_level=None)) as disk:
            disk.execute("BEGIN IMMEDIATE")
            clients = [await stopped.connect() for _ in range(3)]
            commits = (await Repo.stats(Repo)).commits
            for keyspace, client in zip((2, 0, 1), clients, strict=True):
                await client.send([("SELECT", keyspace), ("SET", f"key:{keyspace}:00100", "new")])
            await until_waiting(3)
            disk.execute("COMMIT")
        replies = [[await client.receive(), await client.receive()] for client in clients]

        assert [["OK", "OK"], ["OK", "OK"], ["OK", UNWRITABLE]] == replies
        assert (await Repo.stats(Repo)).commits == commits + 2
        assert [b"x" * 3000] == await redis.ask_all([("GET", "key:1:00100")])
        assert ("err", "ok") == await persistence(redis)
        assert [UNWRITABLE] == await redis.ask_all([("DEL", "key:1:00100")])
        assert repo == otp.whereis(Repo)
        for client in clients:
            await client.aclose()
    [text] = faults_logged(caplog)
    assert "errors writing keyspace 1" in text


async def until_waiting(count: int) -> None:
    with trio.fail_after(60):
        while (await Repo.stats(Repo)).waiting < count:
            pass


async def test_page_one_that_is_damaged_ends_nothing(
    stopped: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Without any database a Repo that is restarted tells so, again and again, and waits."""
    async with stopped.run(), await stopped.connect() as redis:
        await fill(redis, 0, 10)
        with closing(sqlite3.connect(stopped.path)) as disk:
            disk.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        damage = Damage(stopped.path, b"SQLite format 3")
        damage.do()
        for _ in range(5):
            repo = otp.whereis(Repo)
            otp.exit(repo, otp.KILL)
            await until(lambda repo=repo: otp.whereis(Repo) not in (None, repo))  # type: ignore[misc]
            [reply] = await redis.ask_all([("SET", "k", "v")])
            assert isinstance(reply, ReplyError)
            assert reply.code == "MISCONF"
        assert [b"x" * 1000] == await redis.ask_all([("GET", "key:0:00003")])
        damage.mend()
        await until_answered(redis, "SET", "k", "v")
    assert {"errors writing keyspace 0"} <= {text[:25] for text in faults_logged(caplog)}


async def store(redis: Client, number: int) -> Reply:
    """Try to store a large entry."""
    [reply] = await redis.ask_all([("SET", f"k{number}", b"x" * 10_000)])
    return reply


STORE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from examples.cache_service.store import Put, Store
store = Store.open(Path("cache.db"))
store.apply([Put(0, b"k", b"old")])
store.close()
"""


def can_mount() -> bool:
    """Check whether a user of this machine may mount a small disk of its own, as on most Linux."""
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def on_small_disk(disk: Path, before: str) -> OsProcess:
    """Make a service that has two megabytes, in memory, which nobody else sees."""
    script = f'mount -t tmpfs -o size=2m none {disk} && cd {disk} && {before}; cd {ROOT}; exec "$@"'
    wrapper = ["unshare", "-rm", "sh", "-c", script, "sh"]
    return OsProcess(disk / "cache.db", wrapper=wrapper)


async def remove_ballast(service: OsProcess) -> None:
    """Make room on the disk of the service."""
    await trio.Path(f"/proc/{service.process.pid}/root{service.path.parent}/ballast").unlink()


if can_mount():

    async def test_disk_that_is_full(tmp_path: Path) -> None:
        """Writes are refused with MISCONF, reads are served; with room again writes are stored."""
        disk = tmp_path / "disk"
        await trio.Path(disk).mkdir()
        service = on_small_disk(disk, "head -c 1m /dev/zero > ballast")
        service.log = tmp_path / "service.log"
        with trio.fail_after(60):
            async with service, await connect(service.port) as redis:
                stored = 0
                while (reply := await store(redis, stored)) == "OK":
                    stored += 1
                assert reply == FULL
                assert 5 < stored < 100
                assert await store(redis, stored) == FULL
                assert [stored, b"x" * 10_000] == await redis.ask_all(
                    [("DBSIZE",), ("GET", f"k{stored - 1}")]
                )
                assert ("err", "ok") == await persistence(redis)

                await remove_ballast(service)
                assert await store(redis, stored) == "OK"
                assert [stored + 1] == await redis.ask_all([("DBSIZE",)])
                assert ("ok", "ok") == await persistence(redis)
                service.process.terminate()
                assert await service.process.wait() == 0
        log = await trio.Path(service.log).read_text()
        assert 1 == log.count("clients are told MISCONF")
        assert 1 == log.count("no more errors writing keyspace 0")
        assert "Traceback" not in log

    async def test_disk_that_is_full_at_the_start(tmp_path: Path) -> None:
        """The service starts all the same and tells what is wrong, until there is room."""
        disk = tmp_path / "disk"
        await trio.Path(disk).mkdir()
        fill = "cat /dev/zero > ballast"
        service = on_small_disk(disk, f"{sys.executable} -c '{STORE}' {ROOT} 2>log; {fill} 2>>log")
        service.log = tmp_path / "service.log"
        with trio.fail_after(60):
            async with service, await connect(service.port) as redis:
                for command in (("GET", "k"), ("SET", "k", "v")):
                    [reply] = await redis.ask_all([command])
                    assert isinstance(reply, ReplyError)
                    assert reply.code == "MISCONF"
                assert ("ok", "err") == await persistence(redis)
                await remove_ballast(service)
                await until_answered(redis, "GET", "k")
                assert [b"old", "OK"] == await redis.ask_all([("GET", "k"), ("SET", "k", "new")])
        log = await trio.Path(service.log).read_text()
        assert 1 == log.count("clients are told MISCONF")
        assert "Traceback" not in log


LIMIT = 'ulimit -f 600 && exec "$@"'  # blocks of 512 bytes or of 1024, by the shell


async def test_file_that_may_not_grow(tmp_path: Path) -> None:
    """A limit of the operating system is met like a full disk, and after a kill all is there."""
    limited = OsProcess(tmp_path / "cache.db", wrapper=["sh", "-c", LIMIT, "sh"])
    with trio.fail_after(60):
        async with limited, await connect(limited.port) as redis:
            stored = 0
            while (reply := await store(redis, stored)) == "OK":
                stored += 1
            assert isinstance(reply, ReplyError)
            assert reply.code == "MISCONF"
            assert stored > 5
        service = OsProcess(tmp_path / "cache.db")
        async with service, await connect(service.port) as redis:
            found = await redis.ask_all([("GET", f"k{n}") for n in range(stored)])
            assert [b"x" * 10_000] * stored == found
            assert await store(redis, stored) == "OK"
