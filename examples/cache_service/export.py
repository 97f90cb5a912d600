"""Write a snapshot of a keyspace to a file, while the keyspace goes on serving.

The file holds the commands that store the entries again: `redis-cli --pipe < file` loads it. It
appears under its name complete or not at all, and never in place of another file: whoever may
send commands to the service may not thereby overwrite what belongs to others.

The event loop formats a few entries at a time and rests in between, so that clients wait no
longer than for each other; threads write. Formatting in a thread instead would be worse for them:
a thread that computes keeps Python's lock for milliseconds.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import trio

from .resp import array, bulk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from .store import Entry

SLICE: Final = 50  # entries formatted at a time: some 150 microseconds
REST: Final = 0.001  # seconds that follow for others; 100,000 entries take some 3 s
CHUNK: Final = 256 * 1024  # bytes handed to a thread at once


async def export(entries: Mapping[bytes, Entry], path: Path, now: float) -> None:
    """Write entries to a new file.

    Args:
        entries: must not change meanwhile.
        path: the file; its directory must exist.
        now: the Unix time in seconds; entries that end before it are left out.

    Raises:
        FileExistsError: there is such a file.
        OSError: it cannot be written. Nothing is left behind.
    """
    if await trio.to_thread.run_sync(os.path.lexists, path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    part = path.with_name(f"{path.name}.{uuid4().hex}.part")
    try:
        await _write(part, entries, now)
        await trio.to_thread.run_sync(os.link, part, path)
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(_remove, part)


def _remove(part: Path) -> None:
    with suppress(FileNotFoundError):
        part.unlink()


async def _write(part: Path, entries: Mapping[bytes, Entry], now: float) -> None:
    async with await trio.open_file(part, "xb") as file:
        chunk = bytearray()
        commands = _commands(entries, now)
        while some := b"".join(islice(commands, SLICE)):
            chunk += some
            if len(chunk) >= CHUNK:
                await file.write(chunk)
                chunk = bytearray()
            await trio.sleep(REST)
        await file.write(chunk)
        await file.flush()
        await trio.to_thread.run_sync(os.fsync, file.fileno())


def _commands(entries: Mapping[bytes, Entry], now: float) -> Iterator[bytes]:
    for key, entry in entries.items():
        if entry.expires_at is None or entry.expires_at > now:
            yield encode(key, entry)


def encode(key: bytes, entry: Entry) -> bytes:
    """Give the command that stores an entry."""
    words = [b"SET", key, entry.value]
    if entry.expires_at is not None:
        words += [b"PXAT", b"%d" % round(entry.expires_at * 1000)]
    return array(map(bulk, words))
