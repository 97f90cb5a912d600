"""Exports: a snapshot of one moment, in a file of its own or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from worker_kit import NAME, OK, kill, until

from examples.cache_service.commands import Set
from examples.cache_service.worker import TryAgain, execute, export_to

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Service

    from examples.cache_service.client import Client


def files(directory: Path) -> list[Path]:
    """List what an export may have left."""
    return list(directory.glob("out*"))


async def test_export_is_one_moment(service: Service, redis: Client, tmp_path: Path) -> None:
    """An export holds what was confirmed when it began; what is written meanwhile is not in it."""
    path = tmp_path / "out.resp"
    await redis.ask_all([("SET", f"k{n}", "old") for n in range(3000)])
    await redis.ask_all(
        [("SET", "mortal", "m", "PXAT", 4_000_000_000_000), ("SET", "s", "", "PX", 1)]
    )
    await trio.sleep(0.01)

    async def write() -> None:
        async with await service.connect() as writer:
            await writer.ask_all([("SET", f"k{n}", "new") for n in range(0, 3000, 100)])
            await writer.ask_all([("DEL", "k1", "k2"), ("SET", "extra", "new")])
            assert not path.exists()
            assert [b"new", None] == await writer.ask_all([("GET", "extra"), ("GET", "k1")])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        assert await redis.ask("EXPORT", str(path)) == "OK"

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
    assert [path] == files(tmp_path)


async def test_one_export_at_a_time(service: Service, tmp_path: Path) -> None:
    """A second export of a keyspace is refused while the first goes on, and allowed afterwards."""
    await execute(0, [Set(b"k%d" % n, b"v") for n in range(500)])
    replies: dict[str, bytes] = {}

    async def export(name: str) -> None:
        replies[name] = await export_to(0, str(tmp_path / name))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(export, "first")
        await trio.sleep(0.002)
        await export("second")
    await export("third")

    refused = b"-ERR an export of this keyspace is in progress; try again\r\n"
    assert {"first": OK, "second": refused, "third": OK} == replies


async def test_export_to_where_it_cannot_be_written(service: Service, tmp_path: Path) -> None:
    """A path that is taken, in no directory or a directory is refused, and left as it is."""
    taken = tmp_path / "taken"
    taken.write_text("precious")
    for path, why in [
        (taken, "File exists"),
        (tmp_path, "File exists"),
        (tmp_path / "nowhere" / "out", "No such file or directory"),
        (taken / "out", "Not a directory"),
    ]:
        reply = b"-ERR cannot export to '%b': %b\r\n" % (bytes(path), why.encode())
        assert reply == await export_to(0, str(path))

    assert taken.read_text() == "precious"


async def test_killed_export_leaves_nothing(service: Service, tmp_path: Path) -> None:
    """If the worker dies during an export, the client hears of it and no file is left."""
    await execute(0, [Set(b"k%d" % n, b"v") for n in range(2000)])

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def _() -> None:
            await trio.sleep(0.02)
            await kill(NAME)

        with pytest.raises(TryAgain, match="no answer from the worker"):
            await export_to(0, str(tmp_path / "out"))
    await until(lambda: files(tmp_path) == [])
