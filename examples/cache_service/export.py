"""Write a snapshot of a keyspace to a file, while the keyspace goes on serving.

The file holds the commands that store the entries again: `redis-cli --pipe < file` loads it. It
appears under its name complete or not at all, and never in place of another file: whoever may
send commands to the service may not thereby overwrite what belongs to others.

Nor may they choose where it is written: it is below the one directory that the service was given
for exports. On the way there every directory is opened from the one before, and no symbolic link is
followed, so the way that was checked is the way that is taken. Only the owner can read the file.

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

from .parsing import export_parts
from .private import open_private
from .replies import array, bulk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from trio._file_io import AsyncIOWrapper

    from .store import Entry

SLICE: Final = 50  # entries formatted at a time: some 150 microseconds
REST: Final = 0.001  # seconds that follow for others; 100,000 entries take some 3 s
CHUNK: Final = 256 * 1024  # bytes handed to a thread at once


async def export(entries: Mapping[bytes, Entry], root: Path, path: str, now: float) -> None:
    """Write entries to a new file.

    Args:
        entries: must not change meanwhile.
        root: the directory for exports.
        path: the file, relative to it; its directory must exist.
        now: the Unix time in seconds; entries that end before it are left out.

    Raises:
        FileExistsError: there is such a file.
        OSError: it cannot be written. Nothing is left behind.
        CommandError: the path is none, see `export_parts`.
    """
    *directories, name = export_parts(path)
    directory = await trio.to_thread.run_sync(_open_directory, root, directories)
    try:
        await _export(entries, directory, name, now)
    finally:
        os.close(directory)


def _open_directory(root: Path, names: Sequence[str]) -> int:
    """Open a directory below the root, without following a link on the way."""
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for name in names:
        above = directory
        try:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            directory = os.open(name, flags, dir_fd=above)
        finally:
            os.close(above)
    return directory


async def _export(entries: Mapping[bytes, Entry], directory: int, name: str, now: float) -> None:
    await trio.to_thread.run_sync(_check_absent, directory, name)
    part = f".{uuid4().hex}.part"
    try:
        file = await trio.to_thread.run_sync(_create, directory, part)
        await _write(trio.wrap_file(file), entries, now)
        await trio.to_thread.run_sync(_link, directory, part, name)
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(_remove, directory, part)


def _check_absent(directory: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.stat(name, dir_fd=directory, follow_symlinks=False)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _create(directory: int, name: str) -> BinaryIO:
    return os.fdopen(open_private(name, os.O_WRONLY | os.O_EXCL, directory=directory), "wb")


def _link(directory: int, part: str, name: str) -> None:
    """Put the file under its name; fail if that is taken."""
    os.link(part, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)


def _remove(directory: int, part: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(part, dir_fd=directory)


async def _write(
    binary: AsyncIOWrapper[BinaryIO], entries: Mapping[bytes, Entry], now: float
) -> None:
    async with binary as file:
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
    """Return the command that stores an entry."""
    words = [b"SET", key, entry.value]
    if entry.expires_at is not None:
        words += [b"PXAT", b"%d" % round(entry.expires_at * 1000)]
    return array(map(bulk, words))
