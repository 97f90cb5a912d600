"""Exports: a snapshot of one moment, in a file of its own or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked
from worker_kit import NAME, OK, kill, until, until_gone

import trio_otp as otp
from examples.cache_service import export
from examples.cache_service.app import CacheService
from examples.cache_service.client import ReplyError
from examples.cache_service.commands import Set
from examples.cache_service.keyspaces import execute, export_to
from examples.cache_service.worker import TryAgain

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Service

    from examples.cache_service.client import Client


def files(directory: Path) -> list[Path]:
    """List what an export may have left."""
    return list(directory.iterdir())


def everything(directory: Path) -> list[Path]:
    """List all that there is below a directory."""
    return sorted(directory.rglob("*"))


async def test_export_is_one_moment(service: Service, redis: Client) -> None:
    """An export holds what was confirmed when it began; what is written meanwhile is not in it."""
    path = service.exports / "out.resp"
    await redis.ask_all([("SET", f"k{n}", "old") for n in range(3000)])
    await redis.ask_all(
        [("SET", "mortal", "m", "PXAT", 4_000_000_000_000), ("SET", "s", "", "PX", 1)]
    )
    await until_gone(redis, "s")

    async def write() -> None:
        async with await service.connect() as writer:
            await writer.ask_all([("SET", f"k{n}", "new") for n in range(0, 3000, 100)])
            await writer.ask_all([("DEL", "k1", "k2"), ("SET", "extra", "new")])
            assert not path.exists()
            assert [b"new", None] == await writer.ask_all([("GET", "extra"), ("GET", "k1")])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        assert await redis.ask("EXPORT", path.name) == "OK"

    async with await service.connect() as loader:
        await loader.ask("SELECT", 1)
        await loader.stream.send_all(path.read_bytes())
        assert ["OK"] * 3001 == [await loader.receive() for _ in range(3001)]
        assert [b"old", b"old", None] == await loader.ask_all(
            [("GET", "k0"), ("GET", "k1"), ("GET", "extra")]
        )
        (left,) = await loader.ask_all([("TTL", "mortal")])
        assert isinstance(left, int)
        assert left > 1_000_000_000
    assert [b"new", None, b"new"] == await redis.ask_all(
        [("GET", "k0"), ("GET", "k1"), ("GET", "extra")]
    )
    assert [path] == files(service.exports)


async def test_one_export_at_a_time(service: Service) -> None:
    """A second export of a keyspace is refused while the first goes on, and allowed afterwards."""
    await execute(0, [Set(b"k%d" % n, b"v") for n in range(500)])
    replies: dict[str, bytes] = {}

    async def start(name: str) -> None:
        replies[name] = await export_to(0, service.exports, name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(start, "first")
        await wait_all_tasks_blocked()  # but the thread that writes
        await start("second")
    await start("third")

    refused = b"-ERR an export of this keyspace is in progress; try again\r\n"
    assert {"first": OK, "second": refused, "third": OK} == replies


async def test_export_to_where_it_cannot_be_written(service: Service) -> None:
    """A path that is taken, in no directory or a directory is refused, and left as it is."""
    taken = service.exports / "taken"
    taken.write_text("precious")
    (service.exports / "below").mkdir()
    for path, why in [
        ("taken", "File exists"),
        ("below", "File exists"),
        ("nowhere/out", "No such file or directory"),
        ("taken/out", "Not a directory"),
        ("x" * 256, "File name too long"),
    ]:
        reply = f"-ERR cannot export to '{path}': {why}\r\n".encode()
        assert reply == await export_to(0, service.exports, path)

    reply = await export_to(0, service.exports, "x/" * 100_000 + "x")
    assert reply.endswith(b"No such file or directory\r\n")
    assert len(reply) < 1000
    assert taken.read_text() == "precious"
    assert await export_to(0, service.exports, "below/" + "x" * 255) == OK


async def test_export_leads_nowhere_else(service: Service, redis: Client, tmp_path: Path) -> None:
    """No path that a client can send makes or changes a file outside of the directory."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("precious")
    (service.exports / "link").symlink_to(outside)
    (service.exports / "up").symlink_to("..")
    (service.exports / "dangling").symlink_to(outside / "new")
    (service.exports / "to_file").symlink_to(outside / "precious")
    paths = [
        str(outside / "new"),
        "../outside/new",
        "link/../../outside/new",
        "link/new",
        "up/outside/new",
        "dangling",
        "to_file",
        "link",
        "./new/..",
        "new\0",
        "",
    ]
    before = everything(tmp_path)

    replies = await redis.ask_all([("EXPORT", path) for path in paths])

    assert [] == [reply for reply in replies if not isinstance(reply, ReplyError)]
    assert before == everything(tmp_path)
    assert (outside / "precious").read_text() == "precious"


async def test_a_directory_that_becomes_a_link_is_not_followed(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who can rename things below the directory cannot lead an export out of it in the middle."""
    (tmp_path / "outside").mkdir()
    inside = service.exports / "a"
    inside.mkdir()
    create = export._create

    def swap(directory: int, name: str) -> Any:
        inside.rename(service.exports / "b")
        inside.symlink_to(tmp_path / "outside")
        return create(directory, name)

    monkeypatch.setattr(export, "_create", swap)

    assert await export_to(0, service.exports, "a/out") == OK
    assert [] == files(tmp_path / "outside")
    assert [service.exports / "b" / "out"] == files(service.exports / "b")


async def test_export_is_off_without_a_directory(stopped: Service, tmp_path: Path) -> None:
    """The service as it comes writes no file but its own."""
    async with stopped.run(export_dir=""), await stopped.connect() as redis:
        before = everything(tmp_path)
        for path in ("out", str(tmp_path / "out")):
            with pytest.raises(ReplyError, match=r"^ERR "):
                await redis.ask("EXPORT", path)

        assert before == everything(tmp_path)
    assert not CacheService.environment["export_dir"]


async def test_directory_for_exports_has_to_be_there(stopped: Service) -> None:
    """A service whose directory is missing does not start, and says which it is."""
    with pytest.raises(otp.ApplicationStartError, match="nowhere"):
        async with stopped.run(export_dir=str(stopped.exports / "nowhere")):
            pass


async def test_killed_export_leaves_nothing(service: Service) -> None:
    """If the worker dies during an export, the client hears of it and no file is left."""
    await execute(0, [Set(b"k%d" % n, b"v") for n in range(2000)])

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def _() -> None:
            await wait_all_tasks_blocked()  # but the thread that writes
            await kill(NAME)

        with pytest.raises(TryAgain, match="no answer from the worker"):
            await export_to(0, service.exports, "out")
    await until(lambda: files(service.exports) == [])
