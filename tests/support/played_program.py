"""A program to look into that a test plays: what it says goes through a real socket."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from trio_otp.observer.socket.unix_socket import UnixSocket, listen

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

LIMIT = 20  # seconds
HELLO = {"hello": {"pid": 7, "version": 1, "program": "shop.app:Shop", "actions": True}}


class Line:
    """One connection, at the side of a program that a test plays."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._lines = connection.makefile("r", encoding="utf-8")

    def say(self, **message: Any) -> None:
        self.connection.sendall(json.dumps(message).encode() + b"\n")

    def hear(self) -> dict[str, Any]:
        """Read a question."""
        question: dict[str, Any] = json.loads(self._lines.readline())
        return question


@contextmanager
def played(*parts: Callable[[Line], object]) -> Iterator[UnixSocket]:
    """Play a program: each part is one connection, which says hello first and ends with it."""
    made = listen()

    def play() -> None:
        for part in parts:
            connection, _ = made.listener.accept()
            with connection:
                line = Line(connection)
                line.say(**HELLO)
                part(line)

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        thread.join(LIMIT)
        made.close()
