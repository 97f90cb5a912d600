"""A tree of all kinds of servers in a storm: nobody hangs, all comes back, nothing is left behind.

Servers that call each other, state machines, agents, event managers, names in a registry, children
of a pool and of partitions are killed, crash, hang and lose replies, at random but the same each
time. Each storm runs under another order of tasks.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
import trio
from inside import loop_of, runtime
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp
from trio_otp.testing import ACTIONS, chaos, explore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from trio_otp.testing import Storm

PATIENCE = 61  # seconds: a lost reply without a time-out is given up after a minute
REG = otp.registry("Reg")


class Back(otp.GenServer):
    """Answers at once."""

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        return otp.Reply(request)


class Front(otp.GenServer):
    """Asks the one at the back, itself or by a task, and crashes with it."""

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        if request == "helper":
            otp.reply_from_task(from_, otp.call, "back", request)
            return otp.NoReply()
        return otp.Reply(await otp.call("back", request))


class Door(otp.GenStatem[str]):
    """Postpones calls while it is closed, which it is for a second at a time."""

    initial = "open"

    def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        if kind is otp.Event.CAST:
            return otp.NextState("closed", otp.StateTimeout(1.0, "open"))
        if isinstance(kind, otp.From):
            return otp.Postpone() if state == "closed" else otp.KeepState(otp.ReplyTo(kind, state))
        return otp.NextState("open")


class Note(otp.GenEvent):
    """Answers calls to it."""

    def handle_call(self, request: Any) -> Any:
        return otp.Reply(request)


def top() -> list[otp.Child[Any]]:
    """Return the children of the top supervisor."""
    chain = [otp.child(Back).having(name="back"), otp.child(Front).having(name="front")]
    registered = otp.child(Back).having(id="registered", name=REG.via("registered"))
    options: dict[str, Any] = {"max_restarts": 10_000}
    return [
        otp.child(otp.Supervisor, chain, strategy="rest_for_one", **options).having(name="chain"),
        otp.child(Door).having(name="door"),
        otp.child(otp.Agent, dict).having(name="agent"),
        otp.child(otp.EventManager, [Note]).having(name="events"),
        otp.child(
            otp.Supervisor,
            [otp.child(otp.Registry, keys="unique").having(name=REG.name), registered],
            strategy="one_for_all",
            **options,
        ).having(name="names"),
        otp.child(otp.DynamicSupervisor, **options).having(name="pool"),
        otp.child(otp.PartitionSupervisor, Back, partitions=2, **options).having(name="parts"),
    ]


async def ask_pooled() -> Any:
    """Ask a child that goes with its pool, and has to be started anew then."""
    pid = await otp.ensure_child("pool", otp.child(Back).having(name="pooled"))
    return await otp.call(pid, "pool", timeout=None)


ASKS: list[Callable[[], Awaitable[Any]]] = [
    lambda: otp.call("front", "direct", timeout=None),
    lambda: otp.call("front", "helper", timeout=None),
    lambda: otp.call("front", "direct", timeout=2.0),
    lambda: otp.call("door", "state", timeout=None),
    lambda: otp.Agent.get("agent", len),
    lambda: otp.gen_event.call("events", Note, "note"),
    lambda: otp.call(REG.via("registered"), "by name", timeout=None),
    ask_pooled,
    lambda: otp.call(otp.partitions("parts").via("key"), "part"),
]


class Load:
    """Clients that ask all the time; each counts what it got."""

    def __init__(self) -> None:
        self.answers = 0
        self.errors: set[type[Exception]] = set()

    async def ask(self, ask: Callable[[], Awaitable[Any]]) -> None:
        with trio.fail_after(PATIENCE):
            try:
                await ask()
                self.answers += 1
            except otp.OtpError as exc:
                self.errors.add(type(exc))

    async def client(self, ask: Callable[[], Awaitable[Any]]) -> None:
        for _ in range(20):
            await self.ask(ask)
            otp.cast("door", "close")
            await trio.sleep(1)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for ask in ASKS:
                nursery.start_soon(self.client, ask)


async def fire(seed: int) -> None:
    """Let one storm go over the tree, and look at what is left."""
    load = Load()
    async with otp.open_supervisor(top(), name="top", max_restarts=10_000):
        with chaos("top", seed=seed, rate=2.0) as storm:
            await load.run()
        await trio.sleep(15)  # calls in hand that a crash has cut off have their time-outs
        await all_is_well()
    assert {} == runtime().processes
    assert {} == runtime().names
    assert 0 == runtime().timers.pending()
    check(storm, load)


async def all_is_well() -> None:
    """Every child is there, nobody waits for an answer, and each answers."""
    await wait_all_tasks_blocked()
    for process in runtime().processes.values():
        assert not process.requests
        loop = loop_of(process)
        for info in () if loop is None else loop.infos():
            assert info.pid is not None
            assert otp.is_alive(info.pid)
    for ask in ASKS:
        with trio.fail_after(PATIENCE):
            assert await ask() in ("direct", "helper", "open", 0, "note", "by name", "pool", "part")


def check(storm: Storm, load: Load) -> None:
    """The storm was one, and the clients felt it and were served nevertheless."""
    hit = {fault.action for fault, pid in storm.hits if pid is not None}
    assert set(ACTIONS) == hit
    assert otp.ServerExited in load.errors
    assert load.answers > 60


@pytest.fixture(autouse=True)
def _without_the_log_of_many_crashes() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", range(6))
def test_a_tree_in_a_storm(seed: int) -> None:
    """Laws 1, 2 and 4 hold for every behaviour at once."""
    explore(fire, seed, seeds=[seed])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6, 100))
def test_a_tree_in_many_storms(seed: int) -> None:
    """The same at length."""
    explore(fire, seed, runs=3)
