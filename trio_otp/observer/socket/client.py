"""Talk to the observer of another program over its Unix socket, in lines of JSON.

This is the side of a command: it blocks, has a limit for everything, and takes nothing on trust, as
root may be talking to a program of anybody. It speaks only with a program of the user to whom the
directory belongs, as the system tells it.
"""

from __future__ import annotations

import json
import os
import socket
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, cast

from .unix_socket import peer_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

VERSION: Final = 1
PATIENCE: Final = 5.0  # seconds for a line
LONGEST: Final = 16 * 1024 * 1024  # bytes of a line
CHUNK: Final = 65536


class Unreachable(Exception):
    """A program does not answer, or not as expected; the text says how."""


class Silent(Unreachable):
    """A program says nothing in the time that it has."""


class Refused(Exception):
    """The program has answered that it cannot do what was asked.

    Args:
        kind: what for, a word.
        text: the same for people.
        loop: as of `Answer`.
    """

    def __init__(self, kind: str, text: str, loop: dict[str, Any] | None) -> None:
        super().__init__(text)
        self.kind = kind
        self.loop = loop


class Answer(NamedTuple):
    """What a program says.

    Args:
        result: what was asked for.
        loop: None, or since when its loop is stuck, and where.
    """

    result: dict[str, Any]
    loop: dict[str, Any] | None


class Client:
    """A connection to one program.

    Args:
        path: its socket.
        owner: the user whose program it has to be.
        patience: seconds for the program to say something.

    Raises:
        ConnectionRefusedError: nobody listens: the program has been killed.
        Unreachable: it does not say what it should.
        OSError: it cannot be reached.
    """

    def __init__(self, path: Path, owner: int, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._rest = b""
        self._number = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(patience)
            self._socket.connect(os.fspath(path))
            self._check_owner(owner)
            self.hello: dict[str, Any] = _hello_in(self._receive())
        except BlockingIOError:
            self.close()
            raise Unreachable("it has no room for another connection") from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def ask(self, what: str, **arguments: Any) -> Answer:
        """Ask once.

        Args:
            what: the name of the question.
            **arguments: its arguments.

        Raises:
            Refused: the program answers with an error.
            Unreachable: it does not answer.
        """
        return next(self.answers(what, **arguments))

    def answers(self, what: str, **arguments: Any) -> Iterator[Answer]:
        """Ask, and yield all answers as they come; with `every` there are more than one."""
        self._number += 1
        self.send({"id": self._number, "ask": what, **arguments})
        while True:
            message = self._receive()
            if message.get("id") in (self._number, None):  # no set: it may be a list
                yield _answer_in(message)  # None: to a line that it cannot read

    def send(self, message: dict[str, Any]) -> None:
        """Send one message."""
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as exc:
            raise Unreachable(f"the connection is lost: {exc.strerror or exc}") from None

    def _check_owner(self, owner: int) -> None:
        peer = peer_of(self._socket)
        if peer is not None and peer[1] != owner:
            raise Unreachable(f"a program of user {peer[1]} answers, expected user {owner}")

    def _receive(self) -> dict[str, Any]:
        until = time.monotonic() + self._patience
        while b"\n" not in self._rest:
            if len(self._rest) > LONGEST:
                raise Unreachable(f"it sends a line of more than {LONGEST} bytes")
            self._rest += self._more(until)
        line, _, self._rest = self._rest.partition(b"\n")
        return _message_in(line)

    def _more(self, until: float) -> bytes:
        try:
            self._socket.settimeout(max(until - time.monotonic(), 0.001))
            received = self._socket.recv(CHUNK)
        except TimeoutError:
            raise Silent(f"it says nothing for {self._patience:g} s") from None
        except OSError as exc:
            raise Unreachable(f"the connection is lost: {exc.strerror or exc}") from None
        if not received:
            raise Unreachable("it has hung up")
        return received


def _message_in(line: bytes) -> dict[str, Any]:
    try:
        message: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise Unreachable("it sends what is no JSON") from None
    found = _object(message)
    if found is None:
        raise Unreachable("it sends JSON that is no object")
    return found


def _object(value: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _hello_in(message: dict[str, Any]) -> dict[str, Any]:
    hello = _object(message.get("hello"))
    if hello is None or not isinstance(hello.get("pid"), int):
        raise Unreachable("it does not say hello")
    if hello.get("version") != VERSION:
        versions = f"{hello.get('version')!r}, expected {VERSION}"
        raise Unreachable(f"it speaks version {versions}: use the trio-otp of its environment")
    return hello


def _answer_in(message: dict[str, Any]) -> Answer:
    error, result = _object(message.get("error")), _object(message.get("result"))
    loop = _object(message.get("loop"))
    if error is not None:
        raise Refused(str(error.get("kind")), str(error.get("text")), loop)
    if result is None:
        raise Unreachable("it answers without a result")
    return Answer(result, loop)
