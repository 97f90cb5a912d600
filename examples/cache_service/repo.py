"""The process that owns the durable store, and makes many writes share one commit.

`Repo` itself never waits for the disk. It queues what it is asked for and answers later; a second
process, the writer, holds the store and does one thing at a time in a worker thread. While a
commit is on its way others queue up, and all of them together are the next one: the busier it is,
the more callers share the price of forcing the disk.

The two are linked. Whatever ends one ends the other, the writer closes the store on its way out,
and the callers hear of the end at once. A thread that a killed pair leaves behind may finish its
commit, but begins no other: see `store.py`.

A disk that is full and a page that is corrupt end nothing: a new process would meet the same. Who
asked gets the error, the log has a line, and the next request may succeed.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from sqlite3 import SQLITE_CORRUPT, SQLITE_FULL, SQLITE_IOERR
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import outcome
import trio

import trio_otp as otp

from .keyspace import Facts
from .store import Entry, Store, is_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .store import Operation

    Entries: TypeAlias = dict[bytes, Entry]

Subject: TypeAlias = tuple[Literal["reading", "writing"], int | None]  # a keyspace
_FAULTS: Final = (sqlite3.Error, OSError)
_NONE: Final[Mapping[Subject, str]] = MappingProxyType({})
_log = logging.getLogger("examples.cache_service")


class StoreRefused(Exception):
    """The store could not do it, and nothing of it is stored: the disk is full, for instance."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What a repo has done since its start, and how it is now.

    Args:
        commits: how many there were.
        operations: how many they stored.
        waiting: how many callers wait.
        faults: why a keyspace cannot be read, or written, at present.
        sizes: the keyspaces as they were when the store was opened.
    """

    commits: int
    operations: int
    waiting: int
    faults: Mapping[Subject, str] = field(default_factory=dict[Subject, str])
    sizes: Mapping[int, Facts] = field(default_factory=dict[int, Facts], repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class _Write:
    """A request to store operations, all or none."""

    operations: Sequence[Operation]
    caller: otp.From[Any]

    def __repr__(self) -> str:
        return f"<{len(self.operations)} operations>"

    @property
    def subject(self) -> Subject:
        return "writing", self.operations[0].keyspace if self.operations else None


@dataclass(frozen=True, slots=True)
class _Load:
    """A request to read a keyspace."""

    keyspace: int
    caller: otp.From[Any]

    @property
    def subject(self) -> Subject:
        return "reading", self.keyspace

    @property
    def requests(self) -> Sequence[_Load]:
        return [self]

    def carry_out(self, store: Store) -> list[_Answer]:
        return [_Answer(self, store.load(self.keyspace))]


@dataclass(frozen=True, slots=True)
class _Answer:
    """The outcome of a request: a value, or the error of the store."""

    request: _Write | _Load
    value: Any = field(repr=False, default=None)
    error: str | None = None

    def send(self) -> None:
        refused = self.error is not None
        value = outcome.Error(StoreRefused(self.error)) if refused else self.value
        otp.reply(self.request.caller, value)


@dataclass(frozen=True, slots=True)
class _Commit:
    """Writes that are carried out as one."""

    requests: Sequence[_Write]

    def carry_out(self, store: Store) -> list[_Answer]:
        store.apply([operation for write in self.requests for operation in write.operations])
        return [_Answer(write) for write in self.requests]


_Job: TypeAlias = _Commit | _Load


@dataclass(frozen=True, slots=True)
class _Done:
    """What the writer sends when it has finished a job."""

    answers: Sequence[_Answer]


class Repo(otp.GenServer):
    """Stores and loads entries.

    Args:
        path: the database.
        clock: gives the Unix time in seconds.

    Published:
        is_open: whether the store could be opened.
        faults: why a keyspace cannot be read, or written, at present.
    """

    is_open = otp.published(False)
    faults: otp.Published[Mapping[Subject, str]] = otp.published(_NONE)

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._writer: otp.Pid | None = None
        self._queue: deque[_Job] = deque()
        self._current: _Job | None = None
        self._commits = 0
        self._operations = 0

    async def init(self) -> None:
        """Open the store; while that fails, requests are refused."""
        writer = otp.child(own_store, otp.self(), self._path, self._clock)
        self._writer = await otp.start_link(writer)
        self.is_open = otp.process_info(self._writer).started is not None

    @otp.on_call_deferred(timeout=None)
    def commit(self, from_: otp.From[None], operations: Sequence[Operation]) -> None:
        """Store operations, all or none; returns when COMMIT has.

        Raises:
            StoreRefused: in the caller; nothing of them is stored.
        """
        self._queue.append(_Commit([_Write(operations, from_)]))
        self._next()

    @otp.on_call_deferred(timeout=None)
    def load(self, from_: otp.From[Entries], keyspace: int) -> None:
        """Read a keyspace, with everything that any process has asked to be stored before.

        Raises:
            StoreRefused: in the caller, if it cannot be read.
        """
        self._queue.append(_Load(keyspace, from_))
        self._next()

    @otp.on_call
    def stats(self) -> Stats:
        """Return how much has been stored, and what is wrong."""
        jobs = [*self._queue, *([self._current] if self._current else [])]
        waiting = sum(len(job.requests) for job in jobs)
        sizes: dict[int, Facts] | None
        sizes = otp.process_info(self._writer).started if self._writer else None
        return Stats(self._commits, self._operations, waiting, self.faults, sizes or {})

    @otp.on_info(_Done)
    def _done(self, done: _Done) -> None:
        stored = [answer.request for answer in done.answers if answer.error is None]
        writes = [request for request in stored if isinstance(request, _Write)]
        self._commits += bool(writes)
        self._operations += sum(len(write.operations) for write in writes)
        faults = dict(self.faults)
        for answer in done.answers:
            self._note(answer, faults)
            answer.send()
        if faults != self.faults:
            self.faults = MappingProxyType(faults)
        self.is_open = self.is_open or bool(stored)
        self._current = None
        self._next()

    def _note(self, answer: _Answer, faults: dict[Subject, str]) -> None:
        """Log a fault when it begins, and when it is over."""
        deed, keyspace = subject = answer.request.subject
        before = faults.pop(subject, None)
        if answer.error is not None:
            faults[subject] = answer.error
            if answer.error != before:
                _log.error(
                    "errors %s keyspace %s of %s: %s; clients are told MISCONF",
                    deed,
                    keyspace,
                    self._path,
                    answer.error,
                )
        elif before is not None:
            _log.info("no more errors %s keyspace %s of %s", deed, keyspace, self._path)

    def _next(self) -> None:
        """Send the writer its next job, unless it has one."""
        if self._current is None and self._queue:
            assert self._writer is not None
            self._current = self._take_commits() or self._queue.popleft()
            otp.send(self._writer, self._current)

    def _take_commits(self) -> _Commit | None:
        """Make one commit of all that are at the head of the queue."""
        writes: list[_Write] = []
        while self._queue and isinstance(job := self._queue[0], _Commit):
            writes += job.requests
            self._queue.popleft()
        return _Commit(writes) if writes else None

    def format_status(self) -> object:
        """Leave the entries themselves out of reports."""
        return {"path": self._path, "current": self._current, "queued": len(self._queue)}


class _LazyStore:
    """The store, which is opened when it can be; for one worker thread at a time."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._store: Store | None = None

    def get(self) -> Store:
        if self._store is None:
            self._store = Store.open(self._path, clock=self._clock)
        return self._store

    def forget_pages(self) -> None:
        if self._store is not None:
            with suppress(*_FAULTS):
                self._store.forget_pages()

    def sizes(self) -> dict[int, Facts] | None:
        """Open it, and count its entries; None if that fails: the next request then fails too."""
        with suppress(*_FAULTS):
            return {number: Facts(*size) for number, size in self.get().sizes().items()}
        return None

    def close(self) -> None:
        if self._store is not None:
            self._store.close()


async def own_store(  # noqa: ASYNC114  (a child is started by what otp.child makes of it)
    repo: otp.Pid[Repo],
    path: Path,
    clock: Callable[[], float],
    *,
    task_status: trio.TaskStatus[dict[int, Facts] | None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Be the writer: open the store, do one job at a time, close it whatever happens.

    Args:
        repo: who sends the jobs, and is told when each is done.
        path: the database.
        clock: gives the Unix time in seconds.
        task_status: told what is in the store, when that has been tried to be opened.
    """
    store = _LazyStore(path, clock)
    try:
        task_status.started(await trio.to_thread.run_sync(store.sizes))
        while True:
            job = await otp.receive((_Commit, _Load))
            otp.send(repo, _Done(await trio.to_thread.run_sync(_carry_out, job, store)))
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(store.close)


def _carry_out(job: _Job, store: _LazyStore) -> list[_Answer]:
    """Do a job; an error of the store is an answer, any other one ends the writer."""
    try:
        return job.carry_out(store.get())
    except _FAULTS as exc:
        store.forget_pages()
        # One write may need a damaged page; the others are still carried out.
        if isinstance(job, _Commit) and len(job.requests) > 1 and is_fault(exc, SQLITE_CORRUPT):
            alone = [_carry_out(_Commit([write]), store) for write in job.requests]
            return [answer for answers in alone for answer in answers]
        return [_Answer(request, error=str(exc)) for request in job.requests]


async def check_store(  # noqa: ASYNC114  (a child is started by what otp.child makes of it)
    path: Path, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Fail at the start of the service if the path is a mistake: no database, no directory.

    A disk that is full or a file that is damaged is no mistake; clients are told of it later.

    Args:
        path: the database; it is made if there is none.
        task_status: told when it has been looked at.
    """
    await trio.to_thread.run_sync(_check, path)
    task_status.started()


def _check(path: Path) -> None:
    try:
        Store.open(path).close()
    except sqlite3.Error as exc:
        if not is_fault(exc, SQLITE_FULL, SQLITE_IOERR, SQLITE_CORRUPT):
            raise
