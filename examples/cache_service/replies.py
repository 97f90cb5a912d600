"""The replies of the Redis wire protocol, encoded; `resp` reads the requests.

Its versions 2 and 3 differ in what stands for nothing and for a mapping; a connection speaks
version 2 until its client asks for 3 by `HELLO 3`.

The functions below it encode replies:

>>> array([simple("OK"), integer(3), bulk(b"value"), NIL])
b'*4\\r\\n+OK\\r\\n:3\\r\\n$5\\r\\nvalue\\r\\n$-1\\r\\n'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

NIL: Final = b"$-1\r\n"
NULL: Final = b"_\r\n"  # the same in version 3
OK: Final = b"+OK\r\n"


def simple(text: str) -> bytes:
    """Encode a status reply.

    Args:
        text: one line.

    Raises:
        ValueError: the text has a line end in it.
    """
    if "\r" in text or "\n" in text:
        raise ValueError(f"text={text!r} has a line end; expected one line, else use bulk()")
    return b"+%b\r\n" % text.encode()


def error(text: str) -> bytes:
    """Encode an error reply.

    Args:
        text: starts with a code in capitals, as "ERR no such key". Line ends, which would end
            the reply, become spaces.
    """
    return b"-%b\r\n" % text.replace("\r", " ").replace("\n", " ").encode(errors="replace")


def integer(number: int) -> bytes:
    """Encode a number."""
    return b":%d\r\n" % number


def bulk(value: bytes | None) -> bytes:
    """Encode a value of any bytes; None is the reply for what does not exist."""
    return NIL if value is None else b"$%d\r\n%b\r\n" % (len(value), value)


def array(items: Iterable[bytes]) -> bytes:
    """Encode a sequence of replies, or, of bulk strings, a request.

    Args:
        items: what is already encoded.
    """
    encoded = list(items)
    return b"*%d\r\n%b" % (len(encoded), b"".join(encoded))


def mapping(items: Iterable[tuple[bytes, bytes]], version: Literal[2, 3]) -> bytes:
    """Encode pairs of replies: a map, which version 2 sends as an array of keys and values.

    Args:
        items: what is already encoded.
        version: of the protocol.
    """
    pairs = list(items)
    words = [word for pair in pairs for word in pair]
    return array(words) if version == 2 else b"%%%d\r\n%b" % (len(pairs), b"".join(words))
