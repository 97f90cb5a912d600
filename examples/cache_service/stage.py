"""What the parts of the demonstration share: the service, what its clients saw, a screen."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import trio

import trio_otp as otp

from .app import CacheService
from .data import records
from .load import Journal, Session, fill
from .repo import Stats

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from .folding import Folder
    from .load import Record
    from .screen import Screen

HOST: Final = "127.0.0.1"


@dataclass
class Stage:
    """What the demonstration works with, and what it has seen.

    Args:
        port: where the service listens.
        database: its file.
        folder: gets the logs.
        screen: shows the rest.
        seconds: how long clients go on when all records are stored.
        clients: how many there are; at most as many as records.
        keyspaces: how many they use, at least two.
        records: what they store.
        is_observed: whether others may look into it.
    """

    port: int
    database: Path
    folder: Folder
    screen: Screen
    seconds: float = 8.0
    clients: int = 48
    keyspaces: int = 4
    is_observed: bool = False
    records: Sequence[Record] = field(default_factory=lambda: list(records()))
    journal: Journal = field(default_factory=Journal)
    hits: int = 0  # faults that hit a pending commit
    filled: Stats = field(default_factory=lambda: Stats(0, 0, 0))  # when all records were stored
    repos: list[Stats] = field(default_factory=list[Stats])  # what each incarnation has done
    complaints: list[str] = field(default_factory=list[str])

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[otp.OpenApplication]:
        """Run the service.

        Raises:
            ApplicationStartError, ApplicationExited: it did not start, or gave up.
        """
        environment = {"host": HOST, "port": self.port, "path": self.database}
        async with otp.open_application(CacheService, environment=environment) as application:
            yield application

    @asynccontextmanager
    async def sessions(self, count: int, keyspaces: int) -> AsyncGenerator[list[Session]]:
        """Return clients, spread over the first keyspaces."""
        sessions = [Session(self.port, i % keyspaces, self.journal) for i in range(count)]
        async with AsyncExitStack() as stack:
            for session in sessions:
                await stack.enter_async_context(session)
            yield sessions

    def shares(self, count: int) -> list[Sequence[Record]]:
        """Deal out the records to clients."""
        return [self.records[i::count] for i in range(count)]

    def tell(self, text: str) -> None:
        """Print what happens under a heading."""
        self.screen.line(f"   {text}")

    async def show_tree(self, title: str) -> None:
        """Print what runs, once the clients that have left are gone."""
        with trio.move_on_after(1):
            while HOST in otp.tree() or " ended" in otp.tree():  # noqa: ASYNC110 - there is no event
                await trio.sleep(0.01)
        self.screen.line(f"{title}\n", "title")
        tree = otp.tree().replace(" rest_for_one", "")  # it would be wider than a terminal
        self.screen.line("".join(f"   {line}\n" for line in tree.splitlines()))


async def fill_all(sessions: Sequence[Session], shares: Sequence[Sequence[Record]]) -> None:
    """Let each session store its share, all at the same time."""
    async with trio.open_nursery() as nursery:
        for session, share in zip(sessions, shares, strict=True):
            nursery.start_soon(fill, session, share)
