"""The faults of the demonstration: each is announced, caused, and watched until it is over.

They are real ones. An exit signal ends a process wherever it is, and the crash is one that a
mistake in a program would cause: a message that the worker has no handler for.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

import trio

import trio_otp as otp
from trio_otp import events

from .endpoint import ENDPOINT
from .figures import counted, milliseconds
from .keyspaces import KEYSPACES
from .load import Session
from .repo import Repo
from .worker import OutcomeUnknown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence

    from .stage import Stage

    Fault: TypeAlias = "tuple[str, Callable[[Stage], Awaitable[None]]]"  # announcement and cause

NOTICE: Final = 0.3  # seconds from an announcement to its fault
PATIENCE: Final = 10.0  # seconds that a fault may last
ATTEMPTS: Final = 3  # times that the Repo is killed until a worker has lost a commit
REST: Final = 2.5  # seconds in between: its supervisor allows three restarts in five
LOOK_FOR: Final = 2.0  # seconds until there has to be a commit pending
LOOK_EVERY: Final = 0.002  # seconds between two looks


class Trouble(Exception):
    """The service did not do what the demonstration is there to show; the text says what."""


async def cause(stage: Stage, faults: Sequence[Fault]) -> None:
    """Announce and cause faults, spread over the time of the load."""
    began = trio.current_time()
    for number, (announcement, fault) in enumerate(faults, 1):
        await trio.sleep_until(began + stage.seconds * (number - 0.5) / len(faults))
        stage.screen.line(f"FAULT {number} of {len(faults)}: {announcement}", "alarm")
        await trio.sleep(NOTICE)
        try:
            await fault(stage)
        except (Trouble, otp.OtpError) as exc:
            stage.complaints.append(str(exc))


async def kill_worker(stage: Stage) -> None:
    """End a worker, wherever it is."""
    name = KEYSPACES.via(0)
    stage.folder.expect(otp.KILLED, otp.whereis(name))
    otp.exit(name, otp.KILL)
    await recovery(stage, [0])


async def kill_repo(stage: Stage) -> None:
    """End the Repo while commits are pending; again, if no worker lost one."""
    stage.folder.expect(OutcomeUnknown)
    for attempt in range(ATTEMPTS):
        await trio.sleep(REST if attempt else 0)
        with _count_ends(OutcomeUnknown) as in_doubt:
            await _kill_busy_repo(stage)
            await recovery(stage, range(stage.keyspaces))
        if in_doubt:
            stage.hits += 1
            return
        stage.tell("no worker lost a commit, so once more")


@contextmanager
def _count_ends(kind: type[Exception]) -> Generator[list[object]]:
    """Collect the exit reasons of a kind."""
    found: list[object] = []

    def note(_: otp.Pid, reason: object) -> None:
        if isinstance(reason, kind):
            found.append(reason)

    events.attach("process_exit", note)
    try:
        yield found
    finally:
        events.detach("process_exit", note)


async def _kill_busy_repo(stage: Stage) -> None:
    with trio.move_on_after(LOOK_FOR):
        while True:
            stats = await Repo.stats(Repo)
            # From here to the exit signal nothing else runs: what is pending stays so.
            if pending := otp.process_info(Repo).unanswered:
                stage.repos.append(stats)
                _kill_pending(stage, pending)
                return
            await trio.sleep(LOOK_EVERY)
    raise Trouble(f"no commit was pending for {LOOK_FOR:g} s, so the Repo was not killed")


def _kill_pending(stage: Stage, pending: int) -> None:
    stage.folder.expect(otp.KILLED, otp.whereis(Repo))
    clients = counted(len(stage.journal.in_doubt), "client")
    stage.tell(f"pending: {counted(pending, 'commit')}; {clients} wait for an answer: killed")
    otp.exit(Repo, otp.KILL)


async def crash_worker(stage: Stage) -> None:
    """Let a worker meet a bug."""
    name = KEYSPACES.via(1)
    stage.folder.expect(otp.NoCallback, otp.whereis(name))
    otp.cast(name, "compact yourself")
    await recovery(stage, [1])


async def kill_endpoint(stage: Stage) -> None:
    """End what listens, and with it every connection."""
    stage.folder.expect(otp.KILLED, otp.whereis(ENDPOINT))
    otp.exit(ENDPOINT, otp.KILL)
    await recovery(stage, range(stage.keyspaces))


async def recovery(stage: Stage, keyspaces: Iterable[int]) -> None:
    """Wait until a client's next write to each of the keyspaces is acknowledged.

    Raises:
        Trouble: that takes too long.
    """
    began, retries = trio.current_time(), stage.journal.retries
    with trio.move_on_after(PATIENCE) as scope:
        async with trio.open_nursery() as nursery:
            for keyspace in keyspaces:
                nursery.start_soon(_probe, stage, keyspace)
    if scope.cancelled_caught:
        raise Trouble(f"writes were not acknowledged again within {PATIENCE:g} s of a fault")
    took = milliseconds(trio.current_time() - began)
    tried = counted(stage.journal.retries - retries, "retry")
    stage.tell(f"recovered: writes are acknowledged again after {took} and {tried}")


async def _probe(stage: Stage, keyspace: int) -> None:
    async with Session(stage.port, keyspace, stage.journal) as session:
        await session.store([(b"probe", b"%d" % stage.journal.writes)])


FAULTS: Final[tuple[Fault, ...]] = (
    ("the worker of keyspace 0 will be killed", kill_worker),
    ("the Repo will be killed as soon as it has commits pending", kill_repo),
    ("the worker of keyspace 1 will crash: a message without a handler", crash_worker),
    ("the Endpoint will be killed, and every connection with it", kill_endpoint),
)
