"""The requests of the Redis wire protocol, without any input or output; `replies` encodes answers.

They are the same in its versions 2 and 3.

A connection feeds what it received to a `RequestParser` and takes complete commands from it:

>>> parser = RequestParser()
>>> parser.feed(b"*2\\r\\n$3\\r\\nGET\\r\\n$1\\r\\nk\\r\\nPI")
>>> list(parser)
[[b'GET', b'k']]
>>> parser.feed(b"NG\\r\\n")
>>> list(parser)
[[b'PING']]
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_NUMBER: Final = 20
_ESCAPES: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
_HEAD: Final = re.compile(rb"\*([1-9][0-9]{0,3})\r\n")
_ARGUMENT: Final = re.compile(rb"\$([0-9]{1,6})\r\n")
_SPACE: Final = re.compile(rb"\s*")
# A word of an inline command: a bare part, then perhaps a quoted one. Possessive (`*+`), so that an
# escaped quote is never read as the closing one.
_WORD: Final = re.compile(
    rb"""([^\s"']*+)(?:"((?:\\.|[^"\\])*+)"|'((?:\\'|[^'])*+)')?(?=\s|\Z)""", re.DOTALL
)
_ESCAPED: Final = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)


class ProtocolError(Exception):
    """The bytes are no requests. Send `error(str(exc))` to the client and close the connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may cost; together they bound the memory a connection can claim.

    Args:
        bulk: the longest argument, in bytes.
        args: the most arguments of one command, its name included.
        line: the longest inline command, in bytes.
        command: the most bytes of all arguments of one command together.
        fault: what an argument or a command that is larger is called.
    """

    bulk: int = 512 * 1024
    args: int = 1024
    line: int = 64 * 1024
    command: int = 4 * 1024 * 1024
    fault: str = "invalid"


ARGUMENT_COST: Final = 64  # bytes that one takes in memory beside its own


class RequestParser:
    """Turn bytes, however they are split, into commands; each is a list of its arguments.

    Iterating gives the commands that are complete. It raises `ProtocolError` where the bytes stop
    being requests, after the commands before it, and again at every later try.

    Args:
        limits: what one request may cost; to be changed between two commands only.
    """

    # Invariants: `_buffer[_at:]` is not parsed yet, and has no line end before `_seen`. `_missing`
    # is the number of arguments that the command in `_args` still lacks, `_size` the bytes it
    # has; `_body` is the length of the argument whose bytes come next, None where a line does.

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._buffer = bytearray()
        self._at = 0
        self._seen = 0
        self._args: list[bytes] = []
        self._missing = 0
        self._size = 0
        self._body: int | None = None
        self._error: ProtocolError | None = None

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes as they came from the client.

        Args:
            data: any number of bytes; they are copied.
        """
        if self._error is None:
            self._buffer += data

    @property
    def held(self) -> int:
        """The bytes that are kept of a command that is not complete, 0 if there is none."""
        parsed = self._size - (self._body or 0) + (1 + len(self._args)) * ARGUMENT_COST
        return len(self._buffer) - self._at + (parsed if self._missing else 0)

    def __iter__(self) -> Iterator[list[bytes]]:
        while (command := self.next_command()) is not None:
            yield command

    def next_command(self) -> list[bytes] | None:
        """Take the next complete command.

        Returns:
            Its arguments, the name first, or None if more bytes are needed.

        Raises:
            ProtocolError: the bytes are no request; nothing more will be parsed.
        """
        if self._error is not None:
            raise ProtocolError(*self._error.args)
        if (command := self._take_whole()) is not None:
            return command
        while self._at < len(self._buffer) and self._step():
            if self._args and not self._missing:
                return self._take_command()
        self._compact()
        return None

    def _take_whole(self) -> list[bytes] | None:
        """Take a command that has arrived as a whole and is within the limits, as nearly all are.

        It does what the steps do, only faster. For whatever is not so plain, it changes nothing.
        """
        buffer, limits = self._buffer, self.limits
        head = None if self._missing else _HEAD.match(buffer, self._at)
        if head is None or (count := int(head[1])) > limits.args:
            return None
        at = head.end()
        args: list[bytes] = []
        for _ in range(count):
            argument = _ARGUMENT.match(buffer, at)
            if argument is None or (length := int(argument[1])) > limits.bulk:
                return None
            start = argument.end()
            at = start + length + 2
            if not buffer.startswith(b"\r\n", at - 2):
                return None
            args.append(bytes(buffer[start : at - 2]))
        if at - head.end() > limits.command:
            return None
        self._at = self._seen = at
        return args

    def _take_command(self) -> list[bytes]:
        command, self._args, self._size = self._args, [], 0
        return command

    def _compact(self) -> None:
        # Only called when all that is left is one unfinished line or argument, so that every byte
        # is moved at most once for each time bytes are fed.
        if self._at:
            del self._buffer[: self._at]
            self._seen -= self._at
            self._at = 0

    def _step(self) -> bool:
        """Parse one line or one argument; False if it is not complete."""
        if self._body is not None:
            return self._take_argument(self._body)
        line = self._take_line()
        if line is None:
            return False
        if self._missing:
            self._start_argument(line)
        elif line.startswith(b"*"):
            self._start_command(line)
        else:
            self._args = self._split(line)
        return True

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._seen)
        found = end >= 0
        length = (end if found else len(self._buffer)) - self._at
        if length > self.limits.line:
            self._fail(self._what_is_too_big())
        self._seen = end + 1 if found else len(self._buffer)
        if not found:
            return None
        line = bytes(self._buffer[self._at : end])
        self._at = self._seen
        return line.removesuffix(b"\r")

    def _what_is_too_big(self) -> str:
        if self._missing:
            return "too big bulk count string"
        if self._buffer[self._at] == ord("*"):
            return "too big mbulk count string"
        return "too big inline request"

    def _start_command(self, line: bytes) -> None:
        count = _number(line[1:])
        if count is None or count > self.limits.args:
            self._fail(f"{'invalid' if count is None else self.limits.fault} multibulk length")
        self._missing = max(count, 0)  # as in Redis, an empty or a null array is no command

    def _start_argument(self, line: bytes) -> None:
        if not line.startswith(b"$"):
            self._fail(f"expected '$', got '{_shown(line)}'")
        length = _number(line[1:])
        if length is None or length < 0:
            self._fail("invalid bulk length")
        if length > self.limits.bulk:
            self._fail(f"{self.limits.fault} bulk length")
        self._size += length
        if self._size > self.limits.command:
            self._fail("too big command")
        self._body = length

    def _take_argument(self, length: int) -> bool:
        end = self._at + length
        if len(self._buffer) < end + 2:
            return False
        if not self._buffer.startswith(b"\r\n", end):
            self._fail("expected CRLF after a bulk string")
        self._args.append(bytes(self._buffer[self._at : end]))
        self._at = self._seen = end + 2
        self._missing -= 1
        self._body = None
        return True

    def _split(self, line: bytes) -> list[bytes]:
        words = _split_words(line)
        if words is None:
            self._fail("unbalanced quotes in request")
        if len(words) > self.limits.args:
            self._fail("too many arguments in inline request")
        return words

    def _fail(self, what: str) -> NoReturn:
        self._error = ProtocolError(f"ERR Protocol error: {what}")
        self._buffer.clear()
        raise self._error


def _number(text: bytes) -> int | None:
    """Read a decimal number; None for anything else, also for what `int` would let pass."""
    digits = text.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > _LONGEST_NUMBER:
        return None
    return int(text)


def _shown(line: bytes) -> str:
    first = line[:1]
    return first.decode() if b" " <= first <= b"~" else "?"


def _split_words(line: bytes) -> list[bytes] | None:
    """Split an inline command as a shell would; None if a quote does not end where a word does."""
    if b'"' not in line and b"'" not in line:
        return line.split()
    words: list[bytes] = []
    at = _after_space(line, 0)
    while at < len(line):
        match = _WORD.match(line, at)
        if match is None:
            return None
        words.append(_unquote(match))
        at = _after_space(line, match.end())
    return words


def _after_space(line: bytes, at: int) -> int:
    match = _SPACE.match(line, at)
    return match.end() if match else at


def _unquote(word: re.Match[bytes]) -> bytes:
    bare, double, single = word.groups()
    if double is not None:
        return bare + _ESCAPED.sub(_unescape, double)
    return bare + (single or b"").replace(b"\\'", b"'")


def _unescape(match: re.Match[bytes]) -> bytes:
    code: bytes = match[1]
    return bytes.fromhex(code[1:].decode()) if len(code) == 3 else _ESCAPES.get(code, code)
