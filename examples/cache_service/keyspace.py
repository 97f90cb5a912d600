"""One keyspace in memory: what the store has confirmed, and the writes on their way to it.

No Trio in here and no store: a `CacheWorker` drives it, tests do so with a clock of their own.

>>> from examples.cache_service.commands import Get, Set
>>> space = Keyspace(0, {}, clock=lambda: 1000.0)
>>> space.write([Set(b"k", b"v"), Get(b"k")])
[b'+OK\\r\\n', b'$1\\r\\nv\\r\\n']
>>> space.read([Get(b"k")])
[b'$-1\\r\\n']
>>> space.depart()
[Put(keyspace=0, key=b'k', value=b'v', expires_at=None)]
>>> space.settle()
>>> space.read([Get(b"k")])
[b'$1\\r\\nv\\r\\n']

A write is carried out at once on top of the writes before it, in `waiting`, so it has its place
in the order of all writes and its reply. The reply may be sent when the store has confirmed all
writes up to it. The writes that wait go to the store together, when it has answered for those
before: `depart` moves them to `leaving`, `settle` from there to the settled entries; `abandon`
forgets both, for a write that is not stored takes those that were computed on top of it with it.

Reads alone are answered from the settled entries: they never wait, and never show what a crash
could take back. Reads that a client sent together with writes see these writes, and wait as they
do. Both ways every reply fits one order of all commands in which no client's are swapped.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from .commands import (
    INT_MAX,
    INT_MIN,
    CommandError,
    DbSize,
    Delete,
    Exists,
    Expire,
    Get,
    Increment,
    Set,
    Ttl,
    integer,
)
from .key_order import KeyOrder
from .lifetimes import end_of, is_mortal, living, time_left
from .replies import NIL, OK, bulk, error
from .replies import integer as number_reply
from .store import Delete as Remove
from .store import Entry, Put

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .commands import KeyCommand, Lifetime, ReadCommand

    Find: TypeAlias = "Callable[[bytes], Entry | None]"

# Bytes of replies after which a batch is cut: a client that asks for a large value many times
# at once must not make the server hold them all.
REPLY_LIMIT: Final = 256 * 1024
SWEEP_LIMIT: Final = 200  # entries looked at in one sweep
THAW_LIMIT: Final = 500  # entries moved at once when an export is over


@dataclass(frozen=True, slots=True)
class Facts:
    """What INFO shows of a keyspace."""

    keys: int
    expires: int  # of them
    hits: int = 0  # reads that found an entry, since the start of its worker
    misses: int = 0
    expired: int = 0  # entries that were swept


class Keyspace:
    """The entries of one keyspace.

    Args:
        number: what SELECT calls it.
        entries: what the store has; it is the keyspace's from now on.
        clock: gives the Unix time in seconds.
    """

    # Invariant: the newest state of a key is that in `_waiting`, else in `_leaving`, else in
    # `_fresh`, else in `_settled`; None stands for an entry that has been removed. `_fresh` is
    # what was confirmed while `_settled` is frozen. `_mortal` are the keys of confirmed entries
    # with an end, the one to be looked at next first; it may name others too. `_order` has the
    # keys of confirmed entries.

    def __init__(
        self, number: int, entries: dict[bytes, Entry], clock: Callable[[], float]
    ) -> None:
        self.number = number
        self._clock = clock
        self._settled = entries
        self._fresh: dict[bytes, Entry | None] = {}
        self._leaving: dict[bytes, Entry | None] = {}
        self._waiting: dict[bytes, Entry | None] = {}
        self._mortal = OrderedDict.fromkeys(k for k, e in entries.items() if is_mortal(e))
        self._order = KeyOrder(entries)
        self._frozen = False
        self._hits = self._misses = self._expired = 0

    def __repr__(self) -> str:
        return (
            f"<Keyspace {self.number}: {len(self._settled)} entries, {len(self._leaving)} leaving, "
            f"{len(self._waiting)} waiting>"
        )

    # -- commands ----------------------------------------------------------------------------

    def read(self, batch: Sequence[ReadCommand]) -> list[bytes]:
        """Answer from what is confirmed.

        Returns:
            The replies; fewer than commands if they are large. The rest has to be asked again.
        """
        return self._carry_out(batch, self._confirmed if self._fresh else self._settled.get)

    def write(self, batch: Sequence[KeyCommand]) -> list[bytes]:
        """Carry out commands on top of all writes so far.

        Returns:
            The replies, to be sent when the store has confirmed all of these writes; fewer than
            commands if they are large. The rest has not been carried out.
        """
        return self._carry_out(batch, self._newest)

    def _carry_out(self, batch: Sequence[KeyCommand], find: Find) -> list[bytes]:
        now = self._clock()
        replies: list[bytes] = []
        room = REPLY_LIMIT
        for command in batch:
            reply = self._reply(command, find, now)
            replies.append(reply)
            room -= len(reply)
            if room <= 0:
                break
        return replies

    def _reply(self, command: KeyCommand, find: Find, now: float) -> bytes:
        match command:
            case Get(key):
                entry = self._look_up(key, find, now)
                return NIL if entry is None else bulk(entry.value)
            case Set():
                return self._set(command, now)
            case Increment(key, by):
                return self._increment(key, by, now)
            case Delete(keys):
                return number_reply(sum(self._delete(key, now) for key in keys))
            case Expire(key, lifetime):
                return number_reply(self._expire(key, lifetime, now))
            case Exists(keys):
                found = [self._look_up(key, find, now) for key in keys]
                return number_reply(sum(entry is not None for entry in found))
            case Ttl(key, unit):
                return number_reply(time_left(self._look_up(key, find, now), unit, now))
            case DbSize():
                return number_reply(self._count(pending=find == self._newest))
            case _:
                assert_never(command)

    def _look_up(self, key: bytes, find: Find, now: float) -> Entry | None:
        entry = living(find(key), now)
        if entry is None:
            self._misses += 1
        else:
            self._hits += 1
        return entry

    def _set(self, command: Set, now: float) -> bytes:
        key = command.key
        if command.condition is not None:
            exists = living(self._newest(key), now) is not None
            if exists is (command.condition == "NX"):
                return NIL
        self._waiting[key] = Entry(command.value, end_of(command.lifetime, now))
        return OK

    def _increment(self, key: bytes, by: int, now: float) -> bytes:
        entry = living(self._newest(key), now) or Entry(b"0")
        try:
            number = integer(entry.value) + by
        except CommandError as exc:
            return error(str(exc))
        if not INT_MIN <= number <= INT_MAX:
            return error("ERR increment or decrement would overflow")
        self._waiting[key] = Entry(b"%d" % number, entry.expires_at)
        return number_reply(number)

    def _delete(self, key: bytes, now: float) -> bool:
        if living(self._newest(key), now) is None:
            return False
        self._waiting[key] = None
        return True

    def _expire(self, key: bytes, lifetime: Lifetime | None, now: float) -> bool:
        entry = living(self._newest(key), now)
        if entry is None or (lifetime is None and not is_mortal(entry)):
            return False
        self._waiting[key] = living(Entry(entry.value, end_of(lifetime, now)), now)
        return True

    def _count(self, *, pending: bool) -> int:
        changes = self._fresh | self._leaving | self._waiting if pending else self._fresh
        gone = sum(entry is None and key in self._settled for key, entry in changes.items())
        new = sum(entry is not None and key not in self._settled for key, entry in changes.items())
        return len(self._settled) - gone + new

    def _newest(self, key: bytes) -> Entry | None:
        for layer in (self._waiting, self._leaving, self._fresh):
            if key in layer:
                return layer[key]
        return self._settled.get(key)

    def _confirmed(self, key: bytes) -> Entry | None:
        return self._fresh[key] if key in self._fresh else self._settled.get(key)

    # -- what is there -----------------------------------------------------------------------

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """List some of the keys of confirmed entries; see `KeyOrder.page`."""
        now = self._clock()
        following, keys = self._order.page(cursor, count)
        return following, [key for key in keys if living(self._confirmed(key), now) is not None]

    def facts(self) -> Facts:
        """Count the confirmed entries."""
        keys = self._count(pending=False)
        return Facts(keys, len(self._mortal), self._hits, self._misses, self._expired)

    # -- the way to the store ----------------------------------------------------------------

    @property
    def has_waiting(self) -> bool:
        """Check whether there are writes that have not been sent to the store."""
        return bool(self._waiting)

    @property
    def has_leaving(self) -> bool:
        """Check whether there are writes that the store has not answered for."""
        return bool(self._leaving)

    def depart(self) -> list[Put | Remove]:
        """Return the writes that wait for the store, one for each key; none may be on its way."""
        assert not self._leaving
        self._leaving, self._waiting = self._waiting, {}
        return [
            Remove(self.number, key)
            if entry is None
            else Put(self.number, key, entry.value, entry.expires_at)
            for key, entry in self._leaving.items()
        ]

    def settle(self) -> None:
        """Take what left as confirmed."""
        for key, entry in self._leaving.items():
            self._confirm(key, entry)
        self._leaving = {}

    def abandon(self) -> None:
        """Forget every write that is not confirmed; nothing of them may be in the store."""
        self._leaving = {}
        self._waiting = {}

    def _confirm(self, key: bytes, entry: Entry | None) -> None:
        if self._frozen:
            self._fresh[key] = entry
        else:
            self._fresh.pop(key, None)
            _put(self._settled, key, entry)
        if entry is not None and is_mortal(entry):
            self._mortal[key] = None
        else:
            self._mortal.pop(key, None)
        if entry is None:
            self._order.discard(key)
        else:
            self._order.add(key)

    # -- expiry ------------------------------------------------------------------------------

    def sweep(self) -> bool:
        """Look at some of the entries with an end; remove, as a write that waits, those past it.

        Returns:
            Whether so many were past it that another sweep should follow at once.
        """
        now = self._clock()
        keys = list(islice(self._mortal, SWEEP_LIMIT))
        expired = sum(self._sweep_key(key, now) for key in keys)
        return expired > SWEEP_LIMIT // 4

    def _sweep_key(self, key: bytes, now: float) -> bool:
        self._mortal.move_to_end(key)
        pending = key in self._waiting or key in self._leaving
        if pending or living(self._confirmed(key), now) is not None:
            return False
        self._waiting[key] = None
        self._expired += 1
        return True

    # -- export ------------------------------------------------------------------------------

    @property
    def is_frozen(self) -> bool:
        """Check whether an export is going on, or its changes are still being put together."""
        return self._frozen or bool(self._fresh)

    def freeze(self) -> Mapping[bytes, Entry]:
        """Return what is confirmed as a mapping that does not change until `thaw`.

        It costs nothing: writes that are confirmed in the meantime are kept beside it.
        """
        assert not self.is_frozen
        self._frozen = True
        return MappingProxyType(self._settled)

    def thaw(self, limit: int = THAW_LIMIT) -> bool:
        """Put some of what was confirmed in the meantime where it belongs.

        Args:
            limit: how many entries at most.

        Returns:
            Whether that was all; else call it again.
        """
        self._frozen = False
        for key in list(islice(self._fresh, limit)):
            _put(self._settled, key, self._fresh.pop(key))
        return not self._fresh


def _put(entries: dict[bytes, Entry], key: bytes, entry: Entry | None) -> None:
    if entry is None:
        entries.pop(key, None)
    else:
        entries[key] = entry
