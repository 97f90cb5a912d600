"""Nodes of one program, this one and its peers: they find each other without epmd and need no TLS.

Each listens at a Unix socket, named after it, in a directory that belongs to their user alone. The
first of them locks it. A program that is killed by SIGKILL leaves it behind, without its lock, and
the next one that makes such a directory removes it.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from contextlib import ExitStack, suppress
from hashlib import blake2s
from pathlib import Path
from typing import Final

from .._exits.errors import StartError

_PREFIX: Final = "trio_otp-"
_LOCK: Final = "lock"


class Neighbours:
    """The nodes of one program.

    Args:
        directory: where they listen.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.names: set[str] = set()  # of the peers that run
        self._lock: int | None = None  # the descriptor that holds the lock of the directory

    def path_of(self, node: str) -> str:
        """Return where a node listens: the path of a socket may not be long, so it has a hash."""
        return str(self.directory / blake2s(node.encode(), digest_size=8).hexdigest())

    def address_of(self, node: str) -> str | None:
        """Return where a node listens; None if it is not one of them."""
        path = self.path_of(node)
        return path if os.path.exists(path) else None  # noqa: PTH110 - on the way of a connect

    def take_name(self, node: str) -> None:
        """Take the name of a peer that is to be started; what a dead one has left goes.

        Raises:
            StartError: another one has it.
        """
        if node in self.names:
            raise StartError(ValueError(f"another peer is the node {node}"), f"node {node}")
        self.names.add(node)
        Path(self.path_of(node)).unlink(missing_ok=True)

    @classmethod
    def make(cls, node: str) -> tuple[Neighbours, socket.socket]:
        """Make their directory; return also what listens there for the first of them.

        Args:
            node: its name.

        Raises:
            OSError: that cannot be done; nothing is left.
            ImportError, AttributeError: there are no locks or Unix sockets here.
        """
        made = cls(Path(tempfile.mkdtemp(prefix=_PREFIX)))  # for its owner alone
        try:
            made._lock = _lock(made.directory)
            _remove_left(made.directory.parent)
            listener = socket.socket(socket.AF_UNIX)
            try:
                listener.bind(made.path_of(node))
                listener.listen()
            except BaseException:
                listener.close()
                raise
        except BaseException:
            made.remove()
            raise
        return made, listener

    def remove(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.directory, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock(directory: Path) -> int:
    """Lock a directory that is new; return the descriptor that holds the lock.

    Raises:
        OSError: that cannot be done.
        ImportError: there are no such locks here.
    """
    import fcntl  # noqa: PLC0415 - not on Windows

    made = directory / "new"
    held = os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with ExitStack() as stack:
        stack.callback(os.close, held)
        fcntl.flock(held, fcntl.LOCK_EX)
        made.rename(directory / _LOCK)  # from now on it is looked at, and locked
        stack.pop_all()  # it stays open
    return held


def _remove_left(parent: Path) -> None:
    """Remove what programs of this user have left that were killed: their locks are gone."""
    for lock in parent.glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError):
            _remove_unlocked(lock)


def _remove_unlocked(lock: Path) -> None:
    """Remove a directory by its lock.

    Raises:
        OSError: it is held, or there is no such thing any more.
    """
    import fcntl  # noqa: PLC0415 - not on Windows

    held = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        if os.fstat(held).st_uid == os.geteuid():
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent)
    finally:
        os.close(held)
