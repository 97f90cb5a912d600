"""Files that only their owner can read and write, whatever the umask is."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

OWNER_ONLY: Final = 0o600  # read and write


def open_private(name: str | Path, flags: int, *, directory: int | None = None) -> int:
    """Open a file, and make it if there is none; give its descriptor. A link is not followed.

    Args:
        name: its path.
        flags: for `os.open`, as O_RDWR.
        directory: the descriptor of the directory that the path is relative to.

    Raises:
        OSError: it cannot be opened, or it belongs to somebody else.
    """
    file = os.open(name, flags | os.O_CREAT | os.O_NOFOLLOW, OWNER_ONLY, dir_fd=directory)
    try:
        os.fchmod(file, OWNER_ONLY)
    except BaseException:
        os.close(file)
        raise
    return file


def make_database(path: Path) -> None:
    """Make an empty file for a database of SQLite if there is none.

    SQLite gives the files that it makes beside the database the mode of that.

    Raises:
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        os.close(open_private(path, os.O_RDWR | os.O_EXCL))


def keep_private(database: Path) -> None:
    """Put right the modes of the files of a database that was there before.

    Raises:
        OSError: others can read one and that cannot be changed.
    """
    # By their names: to close a file takes away all locks that this process has on it, also
    # those of a store that a thread of a killed process still uses.
    for suffix in ("", "-wal", "-shm", "-journal"):
        file = database.with_name(database.name + suffix)
        with suppress(FileNotFoundError):
            mode = file.stat().st_mode
            if stat.S_ISREG(mode) and stat.S_IMODE(mode) & ~OWNER_ONLY:
                file.chmod(OWNER_ONLY)
