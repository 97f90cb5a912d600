"""What a process of the operating system writes: cut into lines, and handed on.

A flood costs neither memory nor the patience of others: after some lines everybody else has a turn,
a line without an end is handed on in pieces, and an owner that does not keep up is waited for. Then
the pipe fills, and the process that writes waits as well, as for any slow reader.

Nobody may keep the end of the process from being told. So an owner that is away is not waited for,
its lines are dropped and counted; only lines of this port count, whatever else is in its mailbox;
and once the end has begun, an owner is waited for only as long as it reads, and not for long. What
then finds no room is dropped while the process still writes, and handed on when it is over, as a
pipe does not hold much.
"""

from __future__ import annotations

import codecs
import logging
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import trio
from trio.lowlevel import enable_ki_protection

from .._process.names import find_living
from .._util.bounded import bounded, visible
from .._util.public import public
from ..events import NoticeReport

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator

    from .._process.names import Ref
    from .._process.pid import Pid
    from .._process.process import Process

LONGEST: Final = 65536  # characters of a line; a longer one is handed on in pieces
CHUNK: Final = 16384  # bytes read at once
BURST: Final = 64  # lines without a checkpoint
MOST_WAITING: Final = 100  # lines of a port that its owner has not taken, at which it is waited for
PAUSE: Final = 0.001  # seconds between the first two looks at its mailbox
LONGEST_PAUSE: Final = 0.05  # seconds
LOOKED_AT: Final = 1_000_000  # messages that may be looked at in a second
LINGER: Final = 0.5  # seconds for output after the end: somebody who got away may hold the pipe
PATIENCE: Final = 2.0  # seconds for an owner that still reads, once the end has begun
LEFT_IN_PIPE: Final = 1 << 20  # bytes; more than any pipe holds
REMEMBERED: Final = 10  # lines that an exit reason shows
SHOWN: Final = 200  # characters of each


@public
@dataclass(frozen=True, slots=True)
class PortLine:
    """A line that the process of a port has written, without its end.

    Args:
        port: the port.
        stream: where it was written.
        text: the line, decoded as UTF-8; bytes that are none are replaced.
    """

    port: Pid
    stream: Literal["stdout", "stderr"]
    text: str


class Lines:
    r"""Cuts bytes into lines, as they come.

    >>> lines = Lines()
    >>> list(lines.feed(b"one\ntw")), list(lines.feed(b"o\r\nth")), list(lines.end())
    (['one'], ['two'], ['th'])
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> Iterator[str]:
        """Return the lines that are complete."""
        *whole, rest = (self._rest + self._decoder.decode(data)).split("\n")
        self._rest = ""
        for line in whole:
            yield from self._pieces(line.removesuffix("\r"))
        while len(rest) > self._longest:
            yield rest[: self._longest]
            rest = rest[self._longest :]
        self._rest = rest

    def end(self) -> Iterator[str]:
        """Return what stands behind the last line end."""
        rest, self._rest = self._rest + self._decoder.decode(b"", final=True), ""
        if rest:
            yield from self._pieces(rest)

    def _pieces(self, line: str) -> Iterator[str]:
        for start in range(0, max(len(line), 1), self._longest):
            yield line[start : start + self._longest]


class Owner:
    """Who gets the lines of a port, and how many it has not taken yet.

    Args:
        port: the port.
        ref: a reference to the owner; a name may lead to another process at every line.
    """

    def __init__(self, port: Process, ref: Ref) -> None:
        self._port = port
        self._ref = ref
        self._waiting = 0  # how many lines may be in its mailbox, at most
        self._patient_until = math.inf
        self._over = False

    def hurry(self) -> None:
        """Wait no longer than `PATIENCE` from now on, all in all: the end has begun."""
        self._patient_until = min(self._patient_until, trio.current_time() + PATIENCE)

    def expect_end(self) -> None:
        """Drop nothing for want of room any more: what is still to come is what a pipe holds."""
        self.hurry()
        self._over = True

    async def take(self, line: PortLine) -> None:
        """Get a line, when there is room for it."""
        if self._waiting >= MOST_WAITING:
            await self._wait_for_room()
        if self._waiting >= MOST_WAITING and not self._over:
            self._port.runtime.drop(self._ref, line, "the owner of a port does not read")
        elif (process := self._find(line)) is not None:
            self._waiting += process.mailbox.deliver(line) is not False

    def _find(self, line: PortLine | None = None) -> Process | None:
        """Return the process that is the owner now; a line for nobody is dropped."""
        why = "the owner of a port is not there"
        try:
            process = find_living(self._ref)
        except Exception as exc:  # of a via module of the user
            why = f"the owner of a port cannot be found: {bounded(exc)}"
            process = None
        if process is None and line is not None:
            self._port.runtime.drop(self._ref, line, why)
        return process

    async def _wait_for_room(self) -> None:
        # A mailbox tells nobody when it empties; this looks only while a line waits.
        pause, took = PAUSE, trio.current_time()
        while (now := trio.current_time()) < self._patient_until:
            before = self._waiting
            looked_at = self._look()
            if self._waiting <= MOST_WAITING // 2:
                return
            if self._waiting < before:
                pause, took = PAUSE, now
            elif now >= max(took, self._patient_until - PATIENCE) + LINGER:
                self._patient_until = now
                return
            await trio.sleep(max(pause, looked_at / LOOKED_AT))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _look(self) -> int:
        """Count the lines it has not taken; give how many messages were looked at."""
        process = self._find()
        if process is None:  # who comes next begins anew
            self._waiting = 0
            return 0
        self._waiting = min(self._waiting, process.mailbox.count(self._is_ours))
        return len(process.mailbox)

    def _is_ours(self, message: Any) -> bool:
        return message.__class__ is PortLine and bool(message.port is self._port.pid)


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
        owner: Owner | None,
        last: deque[str],
    ) -> None:
        self._process = process
        self._name: Literal["stdout", "stderr"] = name
        self._stream = stream
        self._owner = owner
        self._last = last
        self._reading = trio.CancelScope()
        self._until = math.inf
        self._cut = False
        self._handed = 0
        self.over = trio.Event()

    def expect_end(self) -> None:
        """Wait no longer than `LINGER` for more, all in all: the writers are gone."""
        self._until = trio.current_time() + LINGER
        self._reading.deadline = self._until

    @enable_ki_protection
    async def run(self) -> None:
        """Read it to its end, in a task of its own."""
        lines = Lines()
        try:
            while data := await self._read():
                for line in lines.feed(data):
                    await self._hand_on(line)
            for line in lines.end():
                await self._hand_on(line)
        finally:  # also if it fails, the end is not to wait for it
            self.over.set()

    async def _read(self) -> bytes:
        if self._cut:
            return b""
        with trio.CancelScope(deadline=self._until) as self._reading:
            return bytes(await self._stream.receive_some(CHUNK))
        self._cut = True
        return self._what_is_there()

    def _what_is_there(self) -> bytes:
        """Read what had been written by the end, if there was no time for it before."""
        stream: Any = self._stream
        data = bytearray()
        try:
            while len(data) < LEFT_IN_PIPE and (chunk := os.read(stream.fileno(), CHUNK)):
                data += chunk
        except (AttributeError, BlockingIOError):  # one of Windows; nothing more
            pass
        return bytes(data)

    async def _hand_on(self, line: str) -> None:
        self._last.append(line[:SHOWN])
        if self._owner is None:
            self._log(line)
        else:
            await self._owner.take(PortLine(self._process.pid, self._name, line))
        self._handed += 1
        if self._handed % BURST == 0:
            await trio.lowlevel.checkpoint()

    def _log(self, line: str) -> None:
        pid = self._process.pid
        report = NoticeReport(pid, f"{pid!r} {self._name}: {visible(line)}", logging.INFO)
        self._process.runtime.events.emit("notice", report)
