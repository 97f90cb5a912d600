"""Which partition a key belongs to: the same one for equal keys, in every run. Pure: no Trio.

Python's `hash` of text differs from run to run, so it would send a key to another partition after
every start of the program. Here whole numbers go by their remainder, as in OTP, and all else by a
checksum of what it consists of. Which partition that is may change with the version of the library.
"""

from __future__ import annotations

import enum
import zlib
from typing import Any

from .._process.pid import Pid
from .._util.bounded import bounded


def partition_of(key: Any, partitions: int) -> int:
    """Return the number of the partition of a key.

    Args:
        key: a whole number, or what else hashes and has a `repr` of its own.
        partitions: how many there are, at least one.

    Raises:
        TypeError: the key does not hash, or is an object that only its address tells apart.

    >>> [partition_of(key, 3) for key in (0, 4, -1)]
    [0, 1, 1]
    >>> partition_of(("user", "ada"), 8), partition_of("ada", 8)
    (7, 4)
    """
    if key.__class__ is int:
        return int(abs(key) % partitions)
    return zlib.crc32(_image(key)) % partitions


def _image(key: Any) -> bytes:
    """Write a key so that equal keys of one type look the same, and others do not."""
    kind: Any = key.__class__
    if isinstance(key, str):
        return b"s" + str.encode(key, "utf-8", "surrogatepass")
    if isinstance(key, bytes):
        return b"b" + key
    if isinstance(key, enum.Enum):
        return f"e{_path(kind)}.{key.name}".encode()
    if isinstance(key, type):
        cls: Any = key
        return b"c" + _path(cls).encode()
    if kind is float:
        return f"f{key + 0.0!r}".encode()  # 0.0 for -0.0, which is equal
    if kind is Pid:
        return f"p{key._number}".encode()
    return _image_of_many(key)


def _image_of_many(key: object) -> bytes:
    items: Any = key
    if isinstance(key, tuple):
        return b"t" + _joined([_image(item) for item in items])
    if isinstance(key, frozenset):
        return b"z" + _joined(sorted(_image(item) for item in items))
    _check(key)
    kind: Any = key.__class__
    return f"o{_path(kind)}:{key!r}".encode("utf-8", "surrogatepass")


def _joined(images: list[bytes]) -> bytes:
    return b"".join(b"%d:%b" % (len(image), image) for image in images)


def _path(cls: Any) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _check(key: object) -> None:
    try:
        hash(key)
    except TypeError:
        raise TypeError(f"key={bounded(key)}: expected any hashable value") from None
    shown: Any = type(key).__repr__
    if shown is object.__repr__:
        raise TypeError(
            f"key={bounded(key)}: expected text, a number, a pid, a tuple of these, or an object "
            "whose class has a __repr__, that tells it from others"
        )
