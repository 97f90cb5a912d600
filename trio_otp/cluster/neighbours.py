"""Nodes of one program, this one and its peers: they find each other without epmd and need no TLS.

Each listens at a Unix socket, named after it, in a directory that belongs to their user alone.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from hashlib import blake2s
from pathlib import Path
from typing import Final

from .._exits.errors import StartError

_COOKIE: Final = "cookie"


class Neighbours:
    """The nodes of one program.

    Args:
        directory: where they listen.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.names: set[str] = set()  # of the peers that run

    @property
    def cookie_file(self) -> Path:
        """Where their cookie is."""
        return self.directory / _COOKIE

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
    def make(cls, node: str, cookie: bytes) -> tuple[Neighbours, socket.socket]:
        """Make their directory; return also what listens there for the first of them.

        Args:
            node: its name.
            cookie: that of all of them.

        Raises:
            OSError: that cannot be done; nothing is left.
            AttributeError: there are no Unix sockets here.
        """
        made = cls(Path(tempfile.mkdtemp(prefix="trio_otp-")))  # for its owner alone
        try:
            made.cookie_file.touch(0o600)
            made.cookie_file.write_bytes(cookie)
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
