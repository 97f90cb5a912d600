"""The process behind one keyspace: answers reads from memory and writes when they are stored.

A worker starts when its keyspace is first used, and is found by its name only: see `keyspaces.py`.

What it has in memory always agrees with the store, or it is not there at all:

* It loads its keyspace from the `Repo` before it handles its first call.
* One parcel of writes is on its way to the `Repo` at a time; those that arrive meanwhile are the
  next one. A helper process carries it, so the worker goes on answering.
* The `Repo` confirms: the parcel becomes what reads see, and its callers get their replies.
* The `Repo` refuses, or is not there: nothing was stored, so its callers and those who built on
  these writes get an error, and the worker goes on with what is confirmed.
* The `Repo` dies with the parcel in hand: nobody knows what was stored. The worker crashes, which
  answers all its callers, and its supervisor starts it again; it then asks the disk.
* The store cannot be read, for instance since a page is corrupt: commands get an error, and the
  worker tries again now and then. To start anew would not help.
* The registry dies, and the worker's name with it. The worker, being linked to it, dies as well:
  somebody may start another one for the keyspace, and one of the two would be wrong.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import outcome
import trio

import trio_otp as otp

from .commands import CommandError, reads_only
from .export import export
from .keyspace import Keyspace
from .replies import OK, error
from .repo import Repo, StoreRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .commands import KeyCommand
    from .glob import Matcher
    from .keyspace import Facts
    from .store import Entry, Operation

PATIENCE: Final = 10.0  # seconds a worker tries to load its keyspace before it gives up
LONGEST_PATH: Final = 500  # characters of a path that an error quotes
RELOAD_EVERY: Final = 1.0  # seconds between two attempts to load a keyspace that is damaged
SWEEP_EVERY: Final = 1.0  # seconds between two looks for entries past their end


class TryAgain(Exception):
    """The command was not carried out, or nobody knows; the text is the reply."""


class OutcomeUnknown(Exception):
    """The Repo ended while it had writes of a worker in hand: a worker's reason to start anew."""


@dataclass(frozen=True, slots=True)
class _Confirmed:
    """The parcel is stored."""


@dataclass(frozen=True, slots=True)
class _Refused:
    """Nothing of the parcel is stored."""

    why: str


@dataclass(frozen=True, slots=True)
class _Lost:
    """Nobody knows what of the parcel is stored."""

    why: object


@dataclass(frozen=True, slots=True)
class _Reload:
    """It is time to try again to load the keyspace."""


@dataclass(frozen=True, slots=True)
class _Sweep:
    """It is time to look for entries past their end."""


@dataclass(frozen=True, slots=True)
class _Thaw:
    """There is more to put together after an export."""


@dataclass(frozen=True, slots=True)
class _Waiter:
    """Somebody whose replies are ready, and are true once the store has confirmed the writes."""

    caller: otp.From[list[bytes]]
    replies: list[bytes]


class CacheWorker(otp.GenServer, restart="transient"):
    """Serves one keyspace.

    Args:
        number: what SELECT calls it.
        clock: gives the Unix time in seconds.
    """

    def __init__(self, number: int, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._space = Keyspace(number, {}, clock)
        self._fault: TryAgain | None = None  # why the keyspace could not be loaded
        self._leaving: list[_Waiter] = []
        self._waiting: list[_Waiter] = []

    def init(self) -> otp.NoReply:
        """Be there at once, so that starting one worker does not hold up the start of others."""
        return otp.NoReply(continue_="load")

    @otp.on_info(_Reload)
    async def _reload(self, _: _Reload) -> None:
        await self.handle_continue("load")

    async def handle_continue(self, token: object) -> None:
        """Load the keyspace; calls wait in the mailbox meanwhile."""
        try:
            self._space = Keyspace(self._space.number, await self._load(), self._clock)
        except StoreRefused as exc:
            self._fault = TryAgain(f"MISCONF Errors reading the database file: {exc}")
            otp.send_after(otp.self(), _Reload(), RELOAD_EVERY)
        else:
            self._fault = None
            self._sweep_later()

    async def _load(self) -> dict[bytes, Entry]:
        with trio.fail_after(PATIENCE):
            while True:
                try:
                    return await Repo.load(Repo, self._space.number)
                except (otp.NoProcess, otp.ServerExited):
                    await trio.sleep(0.02)

    def format_status(self) -> object:
        """Leave the entries themselves out of reports."""
        return {"space": self._space, "callers": len(self._leaving) + len(self._waiting)}

    # -- commands ----------------------------------------------------------------------------

    @otp.on_call_deferred
    def execute(self, from_: otp.From[list[bytes]], batch: Sequence[KeyCommand]) -> None:
        """Carry out commands, in their order, and answer when their writes are stored.

        Returns:
            The encoded replies; fewer than commands if they are large. The rest has not been
            carried out.

        Raises:
            TryAgain: in the caller; nothing of the batch has been stored.
        """
        if self._fault is not None:
            otp.reply(from_, outcome.Error(self._fault))
            return
        if reads_only(batch):
            otp.reply(from_, self._space.read(batch))
            return
        waiter = _Waiter(from_, self._space.write(batch))
        if self._space.has_waiting:
            self._waiting.append(waiter)
            self._send_parcel()
        elif self._space.has_leaving:
            self._leaving.append(waiter)
        else:
            otp.reply(from_, waiter.replies)

    def _send_parcel(self) -> None:
        if self._space.has_waiting and not self._space.has_leaving:
            operations = self._space.depart()
            self._leaving, self._waiting = self._waiting, []
            otp.spawn_link(_carry, otp.self(), operations, label="parcel")

    @otp.on_info(_Confirmed)
    def _confirmed(self, _: _Confirmed) -> None:
        self._space.settle()
        for waiter in self._leaving:
            otp.reply(waiter.caller, waiter.replies)
        self._leaving = []
        self._send_parcel()

    @otp.on_info(_Refused)
    def _refused(self, refused: _Refused) -> None:
        self._space.abandon()
        for waiter in self._leaving + self._waiting:
            otp.reply(waiter.caller, outcome.Error(TryAgain(refused.why)))
        self._leaving, self._waiting = [], []

    @otp.on_info(_Lost)
    def _lost(self, lost: _Lost) -> otp.Stop:
        return otp.Stop(OutcomeUnknown(f"the Repo ended: {lost.why!r}"))

    @otp.on_call(raises=(TryAgain,))
    def scan(self, cursor: int, count: int, fits: Matcher) -> tuple[int, list[bytes]]:
        """List those of some keys that fit a pattern, as stored.

        Args:
            cursor: where to go on; 0 is the start.
            count: how many keys are looked at, more or less.
            fits: the pattern.

        Returns:
            The cursor for the next ones, 0 if there are none, and the keys.
        """
        if self._fault is not None:
            raise self._fault
        following, keys = self._space.scan(cursor, count)
        return following, [key for key in keys if fits(key)]

    @otp.on_call(timeout=1.0)
    def facts(self) -> Facts | None:
        """Return what INFO shows of the keyspace; None if it could not be loaded."""
        return None if self._fault else self._space.facts()

    # -- expiry ------------------------------------------------------------------------------

    def _sweep_later(self) -> None:
        otp.send_after(otp.self(), _Sweep(), SWEEP_EVERY)

    @otp.on_info(_Sweep)
    def _sweep(self, sweep: _Sweep) -> None:
        if self._space.sweep():
            otp.send(otp.self(), sweep)
        else:
            self._sweep_later()
        self._send_parcel()

    # -- export ------------------------------------------------------------------------------

    @otp.on_call_deferred(timeout=None)
    def export(self, from_: otp.From[bytes], root: Path, path: str) -> None:
        """Write what is confirmed now to a new file, while other commands go on.

        Args:
            from_: who asks.
            root: the directory for exports.
            path: the file, relative to it.

        Returns:
            The encoded reply.
        """
        if self._fault is not None:
            otp.reply(from_, outcome.Error(self._fault))
            return
        if self._space.is_frozen:
            otp.reply(from_, error("ERR an export of this keyspace is in progress; try again"))
            return
        helper = otp.reply_from_task(
            from_, _export, self._space.freeze(), root, path, self._clock()
        )
        otp.monitor(helper)

    @otp.on_info(otp.Down, _Thaw)
    def _thaw(self, _: otp.Down | _Thaw) -> None:
        """The export is over, in whatever way, or there is more to do after one."""
        if not self._space.thaw():
            otp.send(otp.self(), _Thaw())


async def _carry(worker: otp.Pid[CacheWorker], operations: Sequence[Operation]) -> None:
    """Send a parcel to the Repo, and the outcome to the worker."""
    try:
        await Repo.commit(Repo, operations)
    except StoreRefused as exc:
        otp.send(worker, _Refused(f"MISCONF Errors writing to the database file: {exc}"))
    except otp.NoProcess:
        otp.send(worker, _Refused("TRYAGAIN the store is being restarted; try again"))
    except otp.ServerExited as exc:
        otp.send(worker, _Lost(exc.reason))
    else:
        otp.send(worker, _Confirmed())


async def _export(entries: Mapping[bytes, Entry], root: Path, path: str, now: float) -> bytes:
    try:
        await export(entries, root, path, now)
    except CommandError as exc:
        return error(str(exc))
    except OSError as exc:
        shown = path if len(path) <= LONGEST_PATH else f"{path[:LONGEST_PATH]}..."
        return error(f"ERR cannot export to '{shown}': {exc.strerror}")
    return OK
