"""What type checkers make of chaos, explored orders and state machines of servers."""

from __future__ import annotations

from typing import Any, assert_type

from hypothesis.strategies import SearchStrategy

import trio_otp as otp
from trio_otp.testing import (
    Fault,
    GuestLoop,
    Pending,
    ServerMachine,
    Storm,
    chaos,
    explore,
    replay,
    schedules,
    task_order,
)


async def storms() -> None:
    """A storm is a plain block; its faults are data."""
    with chaos("top", seed=1, rate=0.5, actions=["kill", "drop_reply"]) as storm:
        assert_type(storm, Storm)
    assert_type(storm.schedule, tuple[Fault, ...])
    for fault, pid in storm.hits:
        assert_type(fault, Fault)
        assert_type(pid, otp.Pid[Any] | None)
    with replay("top", [Fault(1, "kill"), Fault(1.5, "delay", "cache", seconds=2)]):
        pass
    assert_type(schedules(), SearchStrategy[list[Fault]])
    Fault(1, "burn")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Fault(1, "kill", 1.5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    chaos("top", actions=["burn"])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    chaos("top", 1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


async def test(number: int, text: str) -> None:
    """A test with arguments."""


def orders() -> None:
    """The arguments of a test are checked."""
    explore(test, 1, "text", runs=5)
    explore(test, 1, "text", seeds=[3])
    explore(test, 1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    explore(test, "text", 1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with task_order(1):
        pass


async def give(number: int) -> str:
    """Return a text."""
    return str(number)


class Machine(ServerMachine):
    """A machine with a rule."""

    def child(self) -> otp.Child[otp.GenServer]:
        return otp.child(otp.GenServer)

    def check(self) -> None:
        """What runs in the loop has its type."""
        assert_type(self.run(give, 1), str)
        assert_type(self.loop, GuestLoop)
        assert_type(self.loop.begin(give, 1), Pending[str])
        assert_type(self.loop.begin(give, 1).result(), str)
        assert_type(self.call("anything"), Any)
        self.run(give, "x")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
