"""What the checkers make of the parts of the cache service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_type

from examples.cache_service.data import records
from examples.cache_service.replies import array, bulk
from examples.cache_service.store import Delete, Entry, Operation, Put

if TYPE_CHECKING:
    from examples.cache_service.resp import RequestParser
    from examples.cache_service.store import Store


def check_store(store: Store, operation: Operation) -> None:
    """Operations of any kind make a batch; what is no operation does not."""
    assert_type(store.apply([Put(0, b"k", b"v"), Delete(0, b"k"), operation]), list[bool])
    assert_type(store.load(0), dict[bytes, Entry])
    store.apply([b"k"])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    Put("0", b"k", b"v")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def check_protocol(parser: RequestParser) -> None:
    """Commands and replies are bytes; text has to be encoded first."""
    assert_type(parser.next_command(), list[bytes] | None)
    assert_type(iter(parser), Iterator[list[bytes]])
    assert_type(array([bulk(None), bulk(b"v")]), bytes)
    bulk("v")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def check_data() -> None:
    """The shipped records are keys and values."""
    assert_type(records(), Iterator[tuple[bytes, bytes]])
