"""One service for one database: a lock that ends with the process that holds it.

The lock is that of `flock` on a file beside the database, which stays there. The operating system
gives it back when the process ends, however it does, so there is never a stale one. It is a child
of its own, before the store and stopped after it: the store may be restarted under it.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import trio

from .private import open_private

if TYPE_CHECKING:
    from pathlib import Path


class DatabaseInUse(Exception):
    """Another service has the database; the text names the file."""


async def hold_lock(  # noqa: ASYNC114  (a child is started by what otp.child makes of it)
    path: Path, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Hold the lock of a database until cancelled.

    Args:
        path: the database; other names that lead to it by symbolic links have the same lock.
        task_status: told when the lock is held.

    Raises:
        DatabaseInUse: somebody else holds it.
        OSError: the file for it cannot be made.
    """
    lock = await trio.to_thread.run_sync(_lock, path)
    try:
        task_status.started()
        await trio.sleep_forever()
    finally:
        os.close(lock)


def _lock(path: Path) -> int:
    real = path.resolve()
    file = real.with_name(f"{real.name}-lock")
    lock = open_private(file, os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise DatabaseInUse(f"{path} is in use: another service holds {file}") from None
    except BaseException:
        os.close(lock)
        raise
    return lock
