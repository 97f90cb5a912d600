"""Applications that tell of their start and end, and what they should have told.

`log` has the entries of the running test; `empty_log`, imported by a test file, empties it.
`ctrl_c` is for tests that press it.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
import trio

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Iterator

log: list[tuple[Any, ...]] = []


@pytest.fixture(autouse=True)
def empty_log() -> Iterator[None]:
    """Return an empty log, a new one for each test."""
    log.clear()
    yield
    log.clear()


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let SIGINT be Ctrl-C, also where the tests run in the background and it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Worker(otp.GenServer):
    """Tells of its start and its end."""

    def __init__(self, name: str, seconds: float = 0.0) -> None:
        self.name = name
        self.seconds = seconds

    def init(self) -> None:
        otp.trap_exit()
        log.append(("up", self.name))

    def handle_cast(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        return otp.Stop(message)

    async def terminate(self, reason: object) -> None:
        await trio.sleep(self.seconds)
        log.append(("down", self.name))


class Traced(otp.Application):
    """Tells of its callbacks; its tree has two workers, named after it."""

    flags: dict[str, Any] = {}  # noqa: RUF012  (a test class)
    name = "traced"

    def start(self) -> Any:
        log.append(("start", self.name))
        workers = [otp.child(Worker, f"{self.name}{i}") for i in (1, 2)]
        named = [child.having(name=child.args[0]) for child in workers]
        return otp.Supervisor.spec(named, **self.flags)

    def prep_stop(self) -> None:
        log.append(("prep_stop", self.name, tree_size(self.name)))

    async def stop(self) -> None:
        await trio.lowlevel.checkpoint()
        log.append(("stop", self.name, tree_size(self.name)))


class Base(Traced):
    pass


class Web(Traced):
    dependencies = (Base,)


class Weak(Traced):
    flags = {"max_restarts": 0}  # noqa: RUF012


class Bad(Traced):
    dependencies = (Web,)

    def start(self) -> Any:
        log.append(("start", self.name))
        raise otp.StartError("no_config")


def tree_size(name: str) -> int:
    return sum(str(atom).startswith(name) for atom in otp.registered())


def up(name: str) -> list[tuple[Any, ...]]:
    return [("start", name), ("up", f"{name}1"), ("up", f"{name}2")]


def down(name: str) -> list[tuple[Any, ...]]:
    return [
        ("prep_stop", name, 2),
        ("down", f"{name}2"),
        ("down", f"{name}1"),
        ("stop", name, 0),
    ]


def running() -> list[str]:
    return otp.application.which_applications()
