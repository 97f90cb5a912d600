"""The process that owns the durable store, and makes many writes share one commit.

`Repo` itself never waits for the disk. It queues what it is asked for and answers later; a second
process, the writer, holds the store and does one thing at a time in a worker thread. While a
commit is on its way others queue up, and all of them together are the next one: the busier it is,
the more callers share the price of forcing the disk.

The two are linked. Whatever ends one ends the other, the writer closes the store on its way out,
and the callers hear of the end at once. A thread that a killed pair leaves behind may finish its
commit, but begins no other: see `store.py`.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import outcome
import trio

import trio_otp as otp

from .store import Entry, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .store import Operation

    Entries: TypeAlias = dict[bytes, Entry]


class StoreRefused(Exception):
    """The store could not do it, and nothing of it is stored: the disk is full, for instance."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What a repo has done since its start, and how many callers wait for it."""

    commits: int
    operations: int
    waiting: int


@dataclass(frozen=True, slots=True)
class _Commit:
    """A request to store something, or several of them as one."""

    operations: Sequence[Operation]
    callers: Sequence[otp.From[Any]]

    def __repr__(self) -> str:
        return f"<{len(self.operations)} operations of {len(self.callers)} callers>"

    def carry_out(self, store: Store) -> None:
        store.apply(self.operations)


@dataclass(frozen=True, slots=True)
class _Load:
    """A request to read a keyspace."""

    keyspace: int
    callers: Sequence[otp.From[Any]]

    def carry_out(self, store: Store) -> Entries:
        return store.load(self.keyspace)


_Job: TypeAlias = _Commit | _Load


@dataclass(frozen=True, slots=True)
class _Done:
    """What the writer tells when it has finished a job."""

    job: _Job
    value: Any = field(repr=False, default=None)
    error: str | None = None

    def answer(self) -> None:
        """Tell everybody who asked for it; an outcome serves one of them only."""
        for caller in self.job.callers:
            refused = self.error is not None
            otp.reply(caller, outcome.Error(StoreRefused(self.error)) if refused else self.value)


class Repo(otp.GenServer):
    """Stores and loads entries.

    Args:
        path: the database.
        clock: gives the Unix time in seconds.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._writer: otp.Pid[Any] | None = None
        self._queue: deque[_Job] = deque()
        self._current: _Job | None = None
        self._commits = 0
        self._operations = 0

    async def init(self) -> None:
        """Open the store; the start fails if that does."""
        writer = otp.child(own_store, otp.self(), self._path, self._clock)
        self._writer = await otp.start_link(writer)

    @otp.on_call_deferred(timeout=None)
    def commit(self, from_: otp.From[None], operations: Sequence[Operation]) -> None:
        """Store operations, all or none; returns when COMMIT has.

        Raises:
            StoreRefused: in the caller; nothing of them is stored.
        """
        self._queue.append(_Commit(operations, [from_]))
        self._next()

    @otp.on_call_deferred(timeout=None)
    def load(self, from_: otp.From[Entries], keyspace: int) -> None:
        """Read a keyspace, with everything that any process has asked to be stored before.

        Raises:
            StoreRefused: in the caller, if it cannot be read.
        """
        self._queue.append(_Load(keyspace, [from_]))
        self._next()

    @otp.on_call
    def stats(self) -> Stats:
        """Tell how much has been stored."""
        jobs = [*self._queue, *([self._current] if self._current else [])]
        return Stats(self._commits, self._operations, sum(len(job.callers) for job in jobs))

    @otp.on_info(_Done)
    def _done(self, done: _Done) -> None:
        if isinstance(done.job, _Commit) and done.error is None:
            self._commits += 1
            self._operations += len(done.job.operations)
        done.answer()
        self._current = None
        self._next()

    def _next(self) -> None:
        """Return the writer the next job, unless it has one."""
        if self._current is None and self._queue:
            assert self._writer is not None
            self._current = self._take_commits() or self._queue.popleft()
            otp.send(self._writer, self._current)

    def _take_commits(self) -> _Commit | None:
        """Make one commit of all that are at the head of the queue."""
        commits: list[_Commit] = []
        while self._queue and isinstance(job := self._queue[0], _Commit):
            commits.append(job)
            self._queue.popleft()
        if not commits:
            return None
        operations = [operation for commit in commits for operation in commit.operations]
        return _Commit(operations, [c for commit in commits for c in commit.callers])

    def format_status(self) -> object:
        """Leave the entries themselves out of reports."""
        return {"path": self._path, "current": self._current, "queued": len(self._queue)}


async def own_store(  # noqa: ASYNC114  (a child is started by what otp.child makes of it)
    repo: otp.Pid[Repo],
    path: Path,
    clock: Callable[[], float],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Be the writer: open the store, do one job at a time, close it whatever happens.

    Args:
        repo: who sends the jobs, and is told when each is done.
        path: the database.
        clock: gives the Unix time in seconds.
        task_status: told when the store is open.
    """
    store = await trio.to_thread.run_sync(partial(Store.open, path, clock=clock))
    try:
        task_status.started()
        while True:
            job = await otp.receive((_Commit, _Load))
            otp.send(repo, await trio.to_thread.run_sync(_carry_out, job, store))
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(store.close)


def _carry_out(job: _Job, store: Store) -> _Done:
    """Do a job; an error of SQLite is an answer, any other one ends the writer."""
    try:
        return _Done(job, job.carry_out(store))
    except sqlite3.Error as exc:
        return _Done(job, error=f"{type(exc).__name__}: {exc}")
