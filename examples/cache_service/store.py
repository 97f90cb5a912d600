"""The durable store: entries of all keyspaces in one SQLite file.

Everything here is synchronous and blocks on the disk: use it from one worker thread at a time.

>>> store = Store.open(path)
>>> store.apply([Put(0, b"k", b"v"), Delete(0, b"other")])
[True, False]
>>> store.load(0)
{b'k': Entry(value=b'v', expires_at=None)}
>>> store.close()

Durability: the write-ahead log with `synchronous=FULL` is forced to the disk by every COMMIT, so
what `apply` has returned for survives a crash of the process and of the machine. One forced write
per batch, not per operation: batches are what makes it fast.

Expiry times are in seconds of the wall clock (the Unix epoch), not of a monotonic clock: they have
to mean the same to the process that reads them after a restart. An entry whose time has come is as
good as absent at once; its row is removed when the store is opened next, or overwritten.

Only the store opened last may write. Each opening counts up the file's `user_version`, and every
batch compares it: a thread that a killed process left behind can then never overwrite what its
successor has acknowledged.

Only the owner can read the files, whatever the umask is: SQLite gives the two that it keeps beside
the database the mode of that, and those of an older service are put right when it is opened.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias, assert_never

from .private import keep_private, make_database

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    keyspace INTEGER NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    expires_at REAL,
    PRIMARY KEY (keyspace, key)
) WITHOUT ROWID
"""
_PUT = "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM entries WHERE keyspace = ? AND key = ? RETURNING expires_at"
_EXPIRE = """
UPDATE entries SET expires_at = ?
WHERE keyspace = ? AND key = ? AND (expires_at IS NULL OR expires_at > ?)
"""
_LOAD = """
SELECT key, value, expires_at FROM entries
WHERE keyspace = ? AND (expires_at IS NULL OR expires_at > ?)
"""
_SIZES = "SELECT keyspace, count(*), count(expires_at) FROM entries GROUP BY keyspace"
_PURGE = "DELETE FROM entries WHERE expires_at <= ?"


def is_fault(error: Exception, *codes: int) -> bool:
    """Check whether an error of SQLite is one of some kinds, as `sqlite3.SQLITE_FULL`."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in codes


class Superseded(Exception):
    """Another store has been opened on the file since: this one must not write any more."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored value, and the Unix time in seconds at which it ends, if any."""

    value: bytes
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Put:
    """Store a value, in place of an older one and its expiry time. The result is True."""

    keyspace: int
    key: bytes
    value: bytes
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove an entry. The result says whether there was a live one."""

    keyspace: int
    key: bytes


@dataclass(frozen=True, slots=True)
class Expire:
    """Let an entry end at a Unix time in seconds, or never. The result says whether it is live."""

    keyspace: int
    key: bytes
    expires_at: float | None


Operation: TypeAlias = Put | Delete | Expire


class Store:
    """An open file of entries; `Store.open` makes one."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock
        self._opening = 0

    @classmethod
    def open(cls, path: Path, *, clock: Callable[[], float] = time.time) -> Self:
        """Open the file, and make it if it does not exist.

        Args:
            path: the database; SQLite keeps two more files beside it.
            clock: gives the Unix time in seconds.

        Raises:
            sqlite3.Error: the file cannot be opened, or is no database.
            OSError: it cannot be made, or others can read it and that cannot be changed.
        """
        if str(path) == ":memory:":  # what SQLite would take for no file
            raise sqlite3.OperationalError("journal_mode is 'memory'; expected 'wal'")
        path = path.resolve()  # where SQLite puts its other files, too
        make_database(path)
        # SQLite waits up to 5 s for a lock, as that of a thread that still commits for a
        # process that was killed.
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        store = cls(connection, clock)
        try:
            store._prepare(path)
        except BaseException:
            connection.close()
            raise
        return store

    def _prepare(self, path: Path) -> None:
        # Only what is a database is ours to change, so that comes first.
        self._connection.execute("PRAGMA schema_version").fetchone()
        keep_private(path)
        (mode,) = self._connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise sqlite3.OperationalError(f"journal_mode is {mode!r}; expected 'wal'")
        self._connection.execute("PRAGMA synchronous = FULL")
        now = self._clock()
        with self._transaction():
            self._connection.execute(_SCHEMA)
            self._opening = self._openings() + 1
            self._connection.execute(f"PRAGMA user_version = {self._opening}")
        # It reads all pages: one that is corrupt must not keep the others from being used.
        with suppress(sqlite3.DatabaseError), self._transaction():
            self._connection.execute(_PURGE, (now,))

    def _openings(self) -> int:
        (count,) = self._connection.execute("PRAGMA user_version").fetchone()
        return int(count)

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # SQLite may have rolled back by itself
                self._connection.execute("ROLLBACK")
            raise

    def apply(self, batch: Iterable[Operation]) -> list[bool]:
        """Carry out all operations in one transaction, or none of them.

        Args:
            batch: carried out in this order.

        Returns:
            The result of each operation, in the same order, after COMMIT has returned.

        Raises:
            sqlite3.Error: nothing of the batch is stored.
            Superseded: the same, since another store has the file now.
        """
        now = self._clock()
        with self._transaction():
            self._check_opening()
            return [self._carry_out(operation, now) for operation in batch]

    def _check_opening(self) -> None:
        latest = self._openings()
        if latest != self._opening:
            raise Superseded(f"opening {self._opening} of the file; the last one is {latest}")

    def _carry_out(self, operation: Operation, now: float) -> bool:
        execute = self._connection.execute
        match operation:
            case Put(keyspace, key, value, expires_at):
                execute(_PUT, (keyspace, key, value, expires_at))
                return True
            case Delete(keyspace, key):
                ends = execute(_DELETE, (keyspace, key)).fetchall()
                return any(end is None or end > now for (end,) in ends)
            case Expire(keyspace, key, expires_at):
                return execute(_EXPIRE, (expires_at, keyspace, key, now)).rowcount > 0
            case _:
                assert_never(operation)

    def load(self, keyspace: int) -> dict[bytes, Entry]:
        """Read the live entries of a keyspace.

        Args:
            keyspace: the number that SELECT takes.
        """
        rows = self._connection.execute(_LOAD, (keyspace, self._clock()))
        return {key: Entry(value, expires_at) for key, value, expires_at in rows}

    def sizes(self) -> dict[int, tuple[int, int]]:
        """Count the entries of each keyspace that has some, and those of them that have an end."""
        rows = self._connection.execute(_SIZES)
        return {keyspace: (keys, expires) for keyspace, keys, expires in rows}

    def forget_pages(self) -> None:
        """Read pages from the disk again, where a damaged one may have been mended."""
        self._connection.execute("PRAGMA shrink_memory")

    def close(self) -> None:
        """Close the file; closing again does nothing."""
        self._connection.close()
