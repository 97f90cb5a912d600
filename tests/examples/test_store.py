"""The durable store: what it has acknowledged is there, whatever happens afterwards."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.cache_service.store import Delete, Entry, Expire, Put, Store, Superseded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from examples.cache_service.store import Operation

NOW = 1_000.0


class Clock:
    """A clock that stands still unless it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[Store]:
    with closing(Store.open(path, clock=clock)) as store:
        yield store


def test_results_come_in_the_order_of_the_batch(store: Store) -> None:
    """Each operation of a batch sees those before it and is answered at its own place."""
    results = store.apply(
        [
            Delete(0, b"k"),
            Put(0, b"k", b"v"),
            Expire(0, b"k", NOW + 5),
            Delete(0, b"k"),
            Expire(0, b"k", NOW + 5),
            Delete(0, b"k"),
        ]
    )

    assert [False, True, True, True, False, False] == results
    assert {} == store.load(0)


def test_keyspaces_are_apart(store: Store) -> None:
    """The same key in two keyspaces is two entries."""
    store.apply([Put(0, b"k", b"zero"), Put(1, b"k", b"one"), Delete(2, b"k")])

    assert {b"k": Entry(b"zero")} == store.load(0)
    assert {b"k": Entry(b"one")} == store.load(1)
    assert {} == store.load(2)


@given(st.dictionaries(st.binary(max_size=30), st.binary(max_size=30), max_size=10))
def test_keys_and_values_are_any_bytes(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[bytes, bytes]
) -> None:
    """Keys that differ in any byte, also in a zero byte, are different entries after reopening."""
    path = tmp_path_factory.mktemp("bytes") / "cache.db"
    with closing(Store.open(path)) as store:
        store.apply([Put(3, key, value) for key, value in entries.items()])
    with closing(Store.open(path)) as store:
        assert {key: Entry(value) for key, value in entries.items()} == store.load(3)


def test_an_expired_entry_is_absent(store: Store, clock: Clock) -> None:
    """From its expiry time on an entry is neither loaded nor deleted nor prolonged."""
    store.apply([Put(0, b"a", b"1", NOW + 5), Put(0, b"b", b"2"), Expire(0, b"b", NOW + 5)])
    clock.now = NOW + 4.9
    before = store.load(0)
    clock.now = NOW + 5

    assert {b"a": Entry(b"1", NOW + 5), b"b": Entry(b"2", NOW + 5)} == before
    assert {} == store.load(0)
    assert [False, False] == store.apply([Expire(0, b"a", None), Delete(0, b"b")])
    assert {} == store.load(0)


def test_a_put_or_an_expire_can_take_an_expiry_time_away(store: Store, clock: Clock) -> None:
    """Writing again without a time, or expiring at None, makes an entry stay."""
    store.apply([Put(0, b"a", b"1", NOW + 5), Put(0, b"b", b"2", NOW + 5)])
    store.apply([Put(0, b"a", b"3"), Expire(0, b"b", None)])
    clock.now = NOW + 10

    assert {b"a": Entry(b"3"), b"b": Entry(b"2")} == store.load(0)


def test_opening_removes_expired_rows(path: Path, clock: Clock) -> None:
    """Expired rows do not pile up: the next opening removes them, and only them."""
    with closing(Store.open(path, clock=clock)) as store:
        store.apply([Put(0, b"a", b"1", NOW + 5), Put(0, b"b", b"2", NOW + 6), Put(0, b"c", b"3")])
    clock.now = NOW + 5
    Store.open(path, clock=clock).close()
    with closing(sqlite3.connect(path)) as connection:
        keys = connection.execute("SELECT key FROM entries ORDER BY key").fetchall()

    assert [(b"b",), (b"c",)] == keys


def test_a_batch_that_fails_leaves_nothing_behind(store: Store) -> None:
    """When one operation fails, those before it are undone and the store goes on."""
    store.apply([Put(0, b"k", b"old")])
    with pytest.raises(sqlite3.IntegrityError):
        store.apply([Put(0, b"k", b"new"), Put(0, b"x", None)])  # type: ignore[arg-type]

    assert {b"k": Entry(b"old")} == store.load(0)
    assert [True] == store.apply([Put(0, b"k", b"newer")])
    assert {b"k": Entry(b"newer")} == store.load(0)


def test_a_full_disk_leaves_nothing_behind(store: Store) -> None:
    """A batch for which there is no room is undone as a whole, and smaller ones still pass."""
    store.apply([Put(0, b"k", b"old")])
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.apply([Put(0, b"k", b"new"), Put(0, b"big", b"x" * 100_000)])

    assert {b"k": Entry(b"old")} == store.load(0)
    assert [True] == store.apply([Put(0, b"k", b"newer")])


def test_the_disk_is_forced_at_every_commit(store: Store) -> None:
    """The file is in WAL mode, and synchronous is FULL (2)."""
    modes = [
        store._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous")
    ]

    assert ["wal", 2] == modes


WRITER = """
import os, signal, sys
from pathlib import Path
from examples.cache_service.store import Put, Store

def fatal():
    yield Put(0, b"pending", b"v")
    os.kill(os.getpid(), signal.SIGKILL)

store = Store.open(Path(sys.argv[1]))
for number in range(10):
    store.apply([Put(0, b"%d" % number, b"v"), Put(1, b"%d" % number, b"w")])
    print(number, flush=True)
store.apply(fatal())
"""


def test_what_was_acknowledged_survives_sigkill(path: Path) -> None:
    """A process killed inside a transaction loses that one and nothing it has acknowledged."""
    writer = subprocess.run(
        [sys.executable, "-c", WRITER, str(path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
    )
    with closing(Store.open(path)) as store:
        assert -9 == writer.returncode, writer.stderr
        assert {b"%d" % n: Entry(b"v") for n in range(10)} == store.load(0)
        assert set(writer.stdout.split()) == store.load(1).keys()


def test_an_older_store_cannot_write(path: Path, store: Store, clock: Clock) -> None:
    """When a file is opened again, late batches for the earlier store are refused."""
    store.apply([Put(0, b"k", b"first")])
    with closing(Store.open(path, clock=clock)) as successor:
        successor.apply([Put(0, b"k", b"second")])
        with pytest.raises(Superseded, match=r"opening 1 .* last one is 2"):
            store.apply([Put(0, b"k", b"late")])

        assert {b"k": Entry(b"second")} == successor.load(0)
        assert [True] == successor.apply([Put(0, b"k", b"third")])


def test_opening_waits_for_a_commit_in_progress(path: Path, store: Store) -> None:
    """A store opened while another thread is in a transaction sees what that thread commits."""
    inside, opening = threading.Event(), threading.Event()
    found: list[dict[bytes, Entry]] = []

    def clock_of_successor() -> float:
        opening.set()  # read just before the transaction of the opening begins
        return NOW

    def open_and_load() -> None:
        inside.wait()
        with closing(Store.open(path, clock=clock_of_successor)) as successor:
            found.append(successor.load(0))

    def batch() -> Iterator[Operation]:
        inside.set()
        opening.wait()
        yield Put(0, b"k", b"v")

    opener = threading.Thread(target=open_and_load)
    opener.start()
    store.apply(batch())
    opener.join()

    assert [{b"k": Entry(b"v")}] == found


def test_a_store_moves_between_threads(store: Store) -> None:
    """Worker threads may take turns with a store."""
    worker = threading.Thread(target=store.apply, args=([Put(0, b"k", b"v")],))
    worker.start()
    worker.join()

    assert {b"k": Entry(b"v")} == store.load(0)


def test_what_is_no_database_is_refused(path: Path) -> None:
    """A file with other content raises and stays as it is."""
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        Store.open(path)

    assert b"no database at all" * 100 == path.read_bytes()


def test_a_store_in_memory_is_refused() -> None:
    """A database that cannot have a write-ahead log is not durable, so it is refused."""
    with pytest.raises(sqlite3.OperationalError, match="expected 'wal'"):
        Store.open(Path(":memory:"))


def test_closing_twice_does_nothing(store: Store) -> None:
    """A store may be closed again."""
    store.close()
    store.close()
