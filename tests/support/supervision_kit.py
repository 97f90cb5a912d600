"""What the tests of supervision share: a server that writes down its life, and what must be left.

A `Journal` is a list of words in the order in which things happened: `+a` when the init of `a` is
over, `!a` when it fails, `-a` when its `terminate` begins, `=a` when that is over.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from inside import runtime
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable


class Journal(list[str]):
    """The words, and the reasons given to `terminate`."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: list[tuple[str, object]] = []
        self.fail_inits: dict[str, int] = {}  # {worker: how many of its next inits fail}

    def take(self) -> list[str]:
        """Return what was written since the last time."""
        words = list(self)
        self.clear()
        return words


class Worker(otp.GenServer):
    """A server that writes down its life and ends as it is told.

    `otp.cast(worker, reason)` ends it: an exception is raised, any other reason is a `Stop`.

    Args:
        tag: what it is called in the journal.
        journal: where it writes.
        trap: whether it traps exits.
        slow: seconds its `terminate` takes.
        init_takes: seconds its init takes.
        last_words: an exception that its `terminate` raises.
    """

    def __init__(
        self,
        tag: str,
        journal: Journal,
        *,
        trap: bool = False,
        slow: float = 0,
        init_takes: float = 0,
        last_words: BaseException | None = None,
    ) -> None:
        self.tag = tag
        self.journal = journal
        self.trap = trap
        self.slow = slow
        self.init_takes = init_takes
        self.last_words = last_words

    async def init(self) -> None:
        otp.trap_exit(self.trap)
        await trio.sleep(self.init_takes)
        if self.journal.fail_inits.get(self.tag, 0) > 0:
            self.journal.fail_inits[self.tag] -= 1
            self.journal.append(f"!{self.tag}")
            raise InitFailed(self.tag)
        self.journal.append(f"+{self.tag}")

    def handle_call(self, request: Any, from_: otp.From[Any]) -> otp.Reply[Any]:
        return otp.Reply(request() if callable(request) else request)

    def handle_cast(self, reason: object) -> otp.Stop:
        if isinstance(reason, BaseException):
            raise reason
        return otp.Stop(reason)

    def handle_info(self, message: object) -> None:
        self.journal.append(f"{self.tag}:{type(message).__name__}")

    async def terminate(self, reason: object) -> None:
        self.journal.append(f"-{self.tag}")
        self.journal.reasons.append((self.tag, reason))
        await trio.sleep(self.slow)
        if self.last_words is not None:
            raise self.last_words
        self.journal.append(f"={self.tag}")


class InitFailed(Exception):
    """Raised by the init of a `Worker` that was told to fail."""


class Boom(Exception):
    """The crash of a worker."""


def worker(tag: str, journal: Journal, **how: Any) -> otp.Child[Worker]:
    """Describe a worker that is named after its tag."""
    return otp.child(Worker, tag, journal, **how).having(name=tag)


def workers(tags: str, journal: Journal, **how: Any) -> list[otp.Child[Worker]]:
    """Describe a worker for each letter."""
    return [worker(tag, journal, **how) for tag in tags]


async def settle() -> None:
    """Wait until nothing happens any more without the clock."""
    await wait_all_tasks_blocked()


async def end(ref: otp.Ref, reason: object) -> None:
    """Let a worker end by itself, and wait for what follows."""
    otp.cast(ref, reason)
    await settle()


async def kill(ref: otp.Ref) -> None:
    """Kill a process and wait for what follows."""
    otp.exit(ref, otp.KILL)
    await settle()


def begun(journal: Journal) -> list[str]:
    """Return the starts and the beginnings of ends."""
    return [word for word in journal if word[0] in "+-"]


def statuses(children: list[otp.ChildInfo]) -> dict[Any, str]:
    """Return the status of each child."""
    return {info.id: info.status for info in children}


def leftovers() -> list[Any]:
    """List whatever is left in the tables of the run: processes, names, nurseries, timers."""
    tables = runtime()
    left: list[Any] = [process.pid for process in tables.processes.values()]
    return [*left, *tables.names, *tables.nurseries, *range(tables.timers.pending())]


class Reports(list[Any]):
    """The reports of one kind, in the order in which they were made."""

    def __init__(self, event: str = "supervisor") -> None:
        super().__init__()
        runtime().events.attach(event, self.append)

    @property
    def contexts(self) -> list[tuple[str, Any]]:
        """Return what each supervisor report is about, and which child."""
        return [(report.context, report.child_id) for report in self]


@asynccontextmanager
async def gives_up(
    children: Iterable[Any] = (), **flags: Any
) -> AsyncIterator[tuple[otp.OpenSupervisor, pytest.ExceptionInfo[otp.SupervisorExited]]]:
    """Open a supervisor that has to give up while the block runs, and to leave nothing."""
    with pytest.raises(otp.SupervisorExited) as caught:
        async with otp.open_supervisor(children, **flags) as sup:
            yield sup, caught
    assert [] == leftovers()
