"""What a process of the operating system writes: cut into lines, and handed on.

A flood costs neither memory nor the patience of others: after some lines everybody else has a turn,
a line without an end is handed on in pieces, and an owner that does not keep up is waited for. Then
the pipe fills, and the process that writes waits as well, as for any slow reader.
"""

from __future__ import annotations

import codecs
import logging
import math
from typing import TYPE_CHECKING, Any, Final, Literal

import trio
from trio.lowlevel import enable_ki_protection

from .events import NoticeReport
from .names import find, send
from .record import dataclass

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator

    from .names import Ref
    from .pid import Pid
    from .process import Process

LONGEST: Final = 65536  # characters of a line; a longer one is handed on in pieces
CHUNK: Final = 16384  # bytes read at once
BURST: Final = 64  # lines without a checkpoint
MOST_WAITING: Final = 100  # messages in the mailbox of an owner at which it is waited for
PAUSE: Final = 0.01  # seconds between two looks at that mailbox
LINGER: Final = 0.5  # seconds for output after the end: somebody who got away may hold the pipe
REMEMBERED: Final = 10  # lines that an exit reason shows
SHOWN: Final = 200  # characters of each


@dataclass(frozen=True, slots=True)
class PortLine:
    """A line that the process of a port has written, without its end.

    Args:
        port: the port.
        stream: where it was written.
        text: the line, decoded as UTF-8; bytes that are none are replaced.
    """

    port: Pid[Any]
    stream: Literal["stdout", "stderr"]
    text: str


class Lines:
    r"""Cuts bytes into lines, as they come.

    >>> lines = Lines()
    >>> list(lines.feed(b"one\ntw")), list(lines.feed(b"o\r\nthr")), list(lines.end())
    (['one'], ['two'], ['thr'])
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> Iterator[str]:
        """Give the lines that are complete."""
        *whole, rest = (self._rest + self._decoder.decode(data)).split("\n")
        self._rest = ""
        for line in whole:
            yield from self._pieces(line.removesuffix("\r"))
        while len(rest) > self._longest:
            yield rest[: self._longest]
            rest = rest[self._longest :]
        self._rest = rest

    def end(self) -> Iterator[str]:
        """Give what stands behind the last line end."""
        rest, self._rest = self._rest + self._decoder.decode(b"", final=True), ""
        if rest:
            yield from self._pieces(rest)

    def _pieces(self, line: str) -> Iterator[str]:
        for start in range(0, max(len(line), 1), self._longest):
            yield line[start : start + self._longest]


class Output:
    """One stream of a port on its way to the log or to an owner.

    Args:
        process: the port.
        name: `stdout` or `stderr`.
        stream: the pipe.
        owner: who gets the lines; None logs them.
        last: keeps the last lines of all streams.
    """

    def __init__(
        self,
        process: Process,
        name: Any,
        stream: trio.abc.ReceiveStream,
        owner: Ref | None,
        last: deque[str],
    ) -> None:
        self._process = process
        self._name: Literal["stdout", "stderr"] = name
        self._stream = stream
        self._owner = owner
        self._last = last
        self._reading = trio.CancelScope()
        self._linger = math.inf
        self._handed = 0
        self.over = trio.Event()

    def expect_end(self) -> None:
        """Wait no longer than `LINGER` for more: whoever wrote is gone."""
        self._linger = LINGER
        self._reading.deadline = min(self._reading.deadline, trio.current_time() + LINGER)

    @enable_ki_protection
    async def run(self) -> None:
        """Be the task that reads it to its end."""
        lines = Lines()
        while data := await self._read():
            for line in lines.feed(data):
                await self._hand_on(line)
        for line in lines.end():
            await self._hand_on(line)
        self.over.set()

    async def _read(self) -> bytes:
        with trio.move_on_after(self._linger) as self._reading:
            return bytes(await self._stream.receive_some(CHUNK))
        return b""

    async def _hand_on(self, line: str) -> None:
        self._last.append(line[:SHOWN])
        if self._owner is None:
            self._log(line)
        else:
            await self._wait_for_room(self._owner)
            send(self._owner, PortLine(self._process.pid, self._name, line))
        self._handed += 1
        if self._handed % BURST == 0:
            await trio.lowlevel.checkpoint()

    def _log(self, line: str) -> None:
        pid = self._process.pid
        report = NoticeReport(pid, f"{pid!r} {self._name}: {line}", logging.INFO)
        self._process.runtime.events.emit("notice", report)

    async def _wait_for_room(self, owner: Ref) -> None:
        # A mailbox tells nobody when it empties; this looks only while a line waits for a full one.
        while (process := find(owner)) is not None and len(process.mailbox) >= MOST_WAITING:  # noqa: ASYNC110
            await trio.sleep(PAUSE)
