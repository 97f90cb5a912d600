"""The load of the demonstration: clients over real sockets that remember what they were promised.

Clients do what real ones do about faults: after an error reply they try again, after a closed
connection they connect anew. No key belongs to two of them, so each knows what must be stored:

* the newest value that was acknowledged,
* or, while a write has no answer, the value on its way, which may be stored or not.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final, Self, TypeAlias

import trio

from .client import Client, ReplyError, connect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .client import Reply, Word

PAUSE: Final = 0.02  # seconds before a client tries again
PIPELINE: Final = 25  # records that are sent together while the store is filled
READS: Final = 3  # after each write, later on
BATCH: Final = 500  # keys that are checked at once
LOST: Final = ReplyError("CLOSED the connection was lost")

Place: TypeAlias = tuple[int, bytes]  # keyspace and key
Record: TypeAlias = tuple[bytes, bytes]  # key and value


@dataclass
class Journal:
    """What clients were promised, and what they met."""

    acknowledged: dict[Place, bytes] = field(default_factory=dict[Place, bytes])  # newest values
    in_doubt: dict[Place, bytes] = field(default_factory=dict[Place, bytes])
    writes: int = 0  # acknowledged ones
    write_times: list[float] = field(default_factory=list[float])  # seconds, retries included
    read_times: list[float] = field(default_factory=list[float])
    failures: Counter[str] = field(default_factory=Counter[str])  # by the text of the error
    closed: int = 0  # connections that ended under a client
    wrong: list[str] = field(default_factory=list[str])

    @property
    def retries(self) -> int:
        """How many commands were sent again."""
        return self.failures.total()

    @property
    def unexpected(self) -> list[str]:
        """The errors that no fault explains."""
        return [text for text in self.failures if text.split()[0] not in ("TRYAGAIN", "CLOSED")]

    def starts(self, place: Place, value: bytes) -> None:
        """A write begins: from now on it may be stored."""
        self.in_doubt[place] = value

    def ends(self, place: Place, reply: Reply) -> None:
        """A write is acknowledged: from now on it must be stored."""
        if reply == "OK":
            self.acknowledged[place] = self.in_doubt.pop(place)
            self.writes += 1
        else:
            self.wrong.append(f"SET {_shown(place)} was answered {reply!r}")

    def check(self, place: Place, found: Reply) -> str | None:
        """Say what is wrong with a value that was read, if anything is."""
        promised = self.acknowledged.get(place)
        if found == promised or (place in self.in_doubt and found == self.in_doubt[place]):
            return None
        if promised is not None and found is None:
            return f"{_shown(place)} was acknowledged and is missing"
        return f"{_shown(place)} is not what was acknowledged last, but {found!r}"


def _shown(place: Place) -> str:
    keyspace, key = place
    return f"{key.decode(errors='replace')} in keyspace {keyspace}"


class Session:
    """A client that does not give up: it tries again and connects anew; `async with` closes it.

    Args:
        port: of the service.
        keyspace: that it selects whenever it has connected.
        journal: where it notes what it was promised.
    """

    def __init__(self, port: int, keyspace: int, journal: Journal) -> None:
        self.keyspace = keyspace
        self.journal = journal
        self._port = port
        self._redis: Client | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def ask_all(self, commands: Sequence[Sequence[Word]]) -> list[Reply]:
        """Send commands together, and those that fail again, until each has a good reply."""
        replies = await self._try(commands)
        while failed := [i for i, reply in enumerate(replies) if isinstance(reply, ReplyError)]:
            self.journal.failures.update(str(replies[i]) for i in failed)
            await trio.sleep(PAUSE)
            again = await self._try([commands[i] for i in failed])
            for i, reply in zip(failed, again, strict=True):
                replies[i] = reply
        return replies

    async def store(self, records: Sequence[Record]) -> float:
        """Store records, sent together; give the seconds that it took, retries included."""
        began = trio.current_time()
        for key, value in records:
            self.journal.starts((self.keyspace, key), value)
        replies = await self.ask_all([("SET", key, value) for key, value in records])
        for (key, _), reply in zip(records, replies, strict=True):
            self.journal.ends((self.keyspace, key), reply)
        return trio.current_time() - began

    async def read(self, key: bytes) -> float:
        """Read a value and check it; give the seconds that it took, retries included."""
        began = trio.current_time()
        (found,) = await self.ask_all([("GET", key)])
        if (complaint := self.journal.check((self.keyspace, key), found)) is not None:
            self.journal.wrong.append(complaint)
        return trio.current_time() - began

    async def aclose(self) -> None:
        """Close the connection, if there is one."""
        redis, self._redis = self._redis, None
        if redis is not None:
            with trio.CancelScope(shield=True):
                await redis.aclose()

    async def _try(self, commands: Sequence[Sequence[Word]]) -> list[Reply]:
        try:
            return await (await self._connected()).ask_all(commands)
        except ReplyError as exc:
            return [exc] * len(commands)
        except (OSError, EOFError, trio.BrokenResourceError, trio.ClosedResourceError):
            self.journal.closed += self._redis is not None
            await self.aclose()
            return [LOST] * len(commands)

    async def _connected(self) -> Client:
        if self._redis is None:
            redis = await connect(self._port)
            try:
                await redis.ask("SELECT", self.keyspace)
            except BaseException:
                await trio.aclose_forcefully(redis.stream)
                raise
            self._redis = redis
        return self._redis


async def fill(session: Session, records: Sequence[Record]) -> None:
    """Store records as fast as one connection can."""
    for begin in range(0, len(records), PIPELINE):
        await session.store(records[begin : begin + PIPELINE])


async def use(session: Session, records: Sequence[Record]) -> None:
    """Store new values of records, one at a time, and read some; goes on until cancelled."""
    choose = random.Random(session.keyspace).choice  # noqa: S311
    journal = session.journal
    for revision in count(2):
        for key, value in records:
            journal.write_times.append(await session.store([(key, revised(value, revision))]))
            for _ in range(READS):
                journal.read_times.append(await session.read(choose(records)[0]))


def revised(value: bytes, revision: int) -> bytes:
    """Make another value of a JSON object."""
    return value[:-1] + b',"revision":%d}' % revision


async def check_all(port: int, journal: Journal) -> list[str]:
    """Read every place that was written over the socket, and say what is wrong.

    Args:
        port: of the service, which nobody writes to any more.
        journal: what it promised.
    """
    complaints: list[str] = []
    for keyspace in sorted({keyspace for keyspace, _ in journal.acknowledged}):
        places = [place for place in journal.acknowledged if place[0] == keyspace]
        async with await connect(port) as redis:
            await redis.ask("SELECT", keyspace)
            for begin in range(0, len(places), BATCH):
                complaints += await _check_some(redis, places[begin : begin + BATCH], journal)
    return complaints


async def _check_some(redis: Client, places: Sequence[Place], journal: Journal) -> list[str]:
    found = await redis.ask_all([("GET", key) for _, key in places])
    checks = (journal.check(place, value) for place, value in zip(places, found, strict=True))
    return [complaint for complaint in checks if complaint is not None]
