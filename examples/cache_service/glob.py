r"""Patterns of keys, as KEYS, SCAN and CONFIG GET take them.

>>> matcher = compile_pattern(b"h[ae]llo*")
>>> [bool(matcher(key)) for key in (b"hello", b"hallo world", b"hillo", b"oh hello")]
[True, True, False, False]

`?` is any byte, `*` any number of them, `[abc]`, `[a-c]` and `[^a]` one byte of a set, and a
backslash takes the next byte as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

from .commands import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Matcher: TypeAlias = "Callable[[bytes], object]"

# Matching takes at most len(pattern) * len(key) steps, and blocks the event loop meanwhile.
LONGEST: Final = 1024  # bytes of a pattern
_STAR: Final = b""
_NEVER: Final = b"(?!)"
_ANY: Final = b"."


def compile_pattern(pattern: bytes) -> Matcher:
    """Return a function that checks whether a whole key matches the pattern.

    Raises:
        CommandError: the pattern is too long.
    """
    if len(pattern) > LONGEST:
        raise CommandError(f"ERR the pattern is longer than {LONGEST} bytes")
    head, *parts = _parts(pattern)
    if not parts:
        return re.compile(head, re.DOTALL).fullmatch
    *middle, tail = parts
    # An atomic group keeps the first place where a part fits and never tries another: the first
    # one leaves the most to what follows, so nothing is missed, and stars cost no back-tracking.
    found = b"".join(b"(?>.*?%b)" % part for part in middle if part)
    return re.compile(b"%b%b.*%b" % (head, found, tail), re.DOTALL).fullmatch


def _parts(pattern: bytes) -> list[bytes]:
    """Return the regular expressions of what stands between the stars; each has a fixed length."""
    parts = [b""]
    for element in _elements(pattern):
        if element == _STAR:
            parts.append(b"")
        else:
            parts[-1] += element
    return parts


def _elements(pattern: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(pattern):
        byte = pattern[at : at + 1]
        at += 1
        if byte == b"*":
            yield _STAR
        elif byte == b"?":
            yield _ANY
        elif byte == b"[":
            element, at = _set(pattern, at)
            yield element
        else:
            if byte == b"\\" and at < len(pattern):
                byte, at = pattern[at : at + 1], at + 1
            yield re.escape(byte)


def _set(pattern: bytes, at: int) -> tuple[bytes, int]:
    """Read a set from after its bracket; one that is not closed ends with the pattern."""
    negated = pattern.startswith(b"^", at)
    at += negated
    ranges = b""
    while at < len(pattern) and pattern[at] != ord("]"):
        first, last, at = _range(pattern, at)
        ranges += b"\\x%02x-\\x%02x" % (min(first, last), max(first, last))
    if not ranges:
        return (_ANY if negated else _NEVER), at + 1
    return b"[%b%b]" % (b"^" if negated else b"", ranges), at + 1


def _range(pattern: bytes, at: int) -> tuple[int, int, int]:
    """Read the ends of a range, which may be the same byte, and say where the next one begins."""
    left = len(pattern) - at
    if pattern[at] == ord("\\") and left >= 2:
        return pattern[at + 1], pattern[at + 1], at + 2
    if left >= 3 and pattern[at + 1] == ord("-"):
        return pattern[at], pattern[at + 2], at + 3
    return pattern[at], pattern[at], at + 1
