"""The socket by which commands in another terminal reach a program.

It has mode 0600 in a directory that only its owner may enter, and who connects is asked for by the
system: the same user or root. It listens before it has its name, so one that refuses a connection
belongs to nobody any more; only such a socket is removed by others, and a program removes at its
end only the file that it made.
"""

from __future__ import annotations

import os
import secrets
import socket
import stat
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from .directory import own_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import trio

SUFFIX: Final = ".sock"
BACKLOG: Final = 16
LONGEST: Final = 100  # bytes of a path; systems take 104 or 108
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid


class Identity(NamedTuple):
    """Which file it is, whatever its name."""

    device: int
    inode: int


class UnixSocket:
    """A socket that listens, and the file that leads to it.

    Args:
        listener: the socket.
        path: the name of the file.
        identity: which file that is.
    """

    def __init__(self, listener: socket.socket, path: Path, identity: Identity) -> None:
        self.listener = listener
        self.path = path
        self.identity = identity

    def close(self) -> None:
        """Listen no longer, and remove the file, unless another has its name now."""
        self.listener.close()
        remove(self.path, self.identity)


def listen() -> UnixSocket:
    """Make the socket of this program.

    Raises:
        UnsafeDirectory: its directory is not ours alone.
        OSError: it cannot be made.
    """
    if not hasattr(socket, "AF_UNIX"):  # pragma: no cover - on Windows alone
        raise OSError("this system has no Unix sockets for Python")
    directory = own_directory()
    remove_stale(directory)
    name = f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
    path, hidden = directory / name, directory / f".{name}"
    if len(os.fsencode(hidden)) > LONGEST:
        how = "set XDG_RUNTIME_DIR to a shorter directory of yours, with mode 0700"
        raise OSError(f"{path}: expected a path of at most {LONGEST} bytes; {how}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(os.fspath(hidden))
        hidden.chmod(0o600)
        listener.listen(BACKLOG)
        identity = identity_of(hidden)
        hidden.rename(path)  # from here on it is seen, and it listens already
    except BaseException:
        listener.close()
        hidden.unlink(missing_ok=True)
        raise
    return UnixSocket(listener, path, identity)


def remove_stale(directory: Path) -> None:
    """Remove the sockets that programs have left behind which were killed."""
    for path, identity in sockets_in(directory):
        if is_stale(path):
            remove(path, identity)


def sockets_in(directory: Path) -> Iterator[tuple[Path, Identity]]:
    """Yield the sockets of programs; a file or link with such a name also refuses connections."""
    for path in sorted(directory.glob(f"[!.]*{SUFFIX}")):
        with suppress(OSError):
            found = path.lstat()
            if stat.S_ISSOCK(found.st_mode):
                yield path, Identity(found.st_dev, found.st_ino)


def is_stale(path: Path) -> bool:
    """Check whether nobody listens: only if the system refuses, and never because one is slow."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a program that is stopped, or has no room, keeps it waiting
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def identity_of(path: Path) -> Identity:
    """Return which file has a name; a link is a file of its own."""
    found = path.lstat()
    return Identity(found.st_dev, found.st_ino)


def remove(path: Path, identity: Identity) -> None:
    """Remove a file, unless it is another one that has its name by now."""
    with suppress(OSError):
        if identity_of(path) == identity:
            path.unlink()


def peer_of(connection: socket.socket | trio.socket.SocketType) -> tuple[int, int] | None:
    """Return `(pid, uid)` of who is at the other end; None on a system that does not tell.

    There the modes of the directory and the file alone keep others out.
    """
    if sys.platform != "linux":  # pragma: no cover - macOS, BSD
        return None
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _gid = _CREDENTIALS.unpack(raw)
    return pid, uid


def is_welcome(peer: tuple[int, int] | None, uid: int) -> bool:
    """Check whether who connects is the user of a program, or root."""
    return peer is None or peer[1] in {uid, 0}
