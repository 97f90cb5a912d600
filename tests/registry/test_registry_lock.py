"""Registry.lock: one task at a time, in the order they came, however each of them ends."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
import trio
import trio.testing
from depth import few
from hypothesis import given, settings
from inside import Locks, process_of, runtime

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

REG = otp.registry("reg")


@asynccontextmanager
async def running(**options: Any) -> AsyncGenerator[trio.Nursery]:
    """Run a registry, and give a nursery of plain Trio code."""
    registry = otp.child(otp.Registry, **options).having(name="reg")
    async with otp.open_supervisor([registry], max_restarts=50), trio.open_nursery() as nursery:
        yield nursery


class Room:
    """What only one task at a time may be in."""

    def __init__(self) -> None:
        self.inside: list[Any] = []
        self.entered: list[Any] = []
        self.errors: list[tuple[Any, BaseException]] = []
        self.door = trio.Event()

    async def visit(self, who: Any, key: Any = "room") -> None:
        try:
            async with REG.lock(key):
                self.inside.append(who)
                self.entered.append(who)
                try:
                    await self.door.wait()
                finally:
                    self.inside.remove(who)
        except (otp.CallError, RuntimeError) as exc:
            self.errors.append((who, exc))


def held() -> int:
    """Count the locks that are held."""
    process = process_of(otp.whereis("reg"))
    return len(process.instance.locks)


def left_behind() -> int:
    """Count the locks that are held although their registry has ended."""
    return len(runtime().extras.get(Locks, ()))


async def test_waiters_come_in_the_order_they_asked() -> None:
    """Each gets the lock when the one before has left, and at last nobody holds it."""
    async with running() as nursery:
        room = Room()
        for who in range(5):
            nursery.start_soon(room.visit, who)
            await trio.testing.wait_all_tasks_blocked()
            assert ([0], [0]) == (room.inside, room.entered)

        room.door.set()
        await trio.testing.wait_all_tasks_blocked()

        assert [0, 1, 2, 3, 4] == room.entered
        assert 0 == held()


async def test_locks_of_other_keys_are_free() -> None:
    """Keys are told apart by type, and the keys of entries are none of them."""
    async with running() as nursery, otp.open_process():
        room = Room()
        REG.register("room")
        for key in ("room", 1, 1.0, True, ("room", 1)):
            nursery.start_soon(room.visit, key, key)
        await trio.testing.wait_all_tasks_blocked()

        assert 5 == len(room.inside) == held()
        assert ["room"] == REG.keys(otp.self())
        room.door.set()


async def test_an_error_in_the_block_gives_the_lock_up() -> None:
    """It is raised as it is, and the next one comes in."""
    async with running() as nursery:
        with pytest.raises(ZeroDivisionError):
            async with REG.lock("room"):
                raise ZeroDivisionError
        assert 0 == held()
        room = Room()
        nursery.start_soon(room.visit, "next")
        await trio.testing.wait_all_tasks_blocked()

        assert ["next"] == room.inside
        room.door.set()


async def test_a_holder_that_is_killed_gives_the_lock_up() -> None:
    """Waiters that were killed before are passed over."""
    async with running() as nursery:
        room = Room()
        pids = []
        for who in range(4):
            pids.append(otp.spawn(room.visit, who, nursery=nursery))
            await trio.testing.wait_all_tasks_blocked()

        otp.exit(pids[1], otp.KILL)
        otp.exit(pids[2], otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        assert [0] == room.inside
        otp.exit(pids[0], otp.KILL)
        await trio.testing.wait_all_tasks_blocked()

        assert ([3], [0, 3]) == (room.inside, room.entered)
        room.door.set()


async def test_a_waiter_killed_with_the_lock_in_hand_passes_it_on() -> None:
    """It was first in line and dies before it has run: the one behind it comes in."""
    async with running() as nursery:
        room = Room()
        pids = []
        for who in range(3):
            pids.append(otp.spawn(room.visit, who, nursery=nursery))
            await trio.testing.wait_all_tasks_blocked()

        otp.exit(pids[0], otp.KILL)
        while 0 in room.inside:
            await trio.lowlevel.checkpoint()
        otp.exit(pids[1], otp.KILL)
        await trio.testing.wait_all_tasks_blocked()

        assert [2] == room.inside
        room.door.set()


async def test_a_task_that_asks_twice_is_told() -> None:
    """It would wait for itself; the lock it has is not hurt."""
    async with running():
        async with REG.lock("room"):
            with pytest.raises(RuntimeError, match="already holds the lock 'room'"):
                async with REG.lock("room"):
                    pass
            assert 1 == held()
        assert 0 == held()


async def test_nobody_waits_for_a_registry_that_ended() -> None:
    """Waiters get ServerExited with its reason, processes and plain Trio code; the holder stays."""
    async with running() as nursery:
        room = Room()
        nursery.start_soon(room.visit, "holder")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(room.visit, "plain")
        otp.spawn(room.visit, "process", nursery=nursery)
        await trio.testing.wait_all_tasks_blocked()

        otp.exit("reg", otp.KILL)
        await trio.testing.wait_all_tasks_blocked()

        reasons = {who: exc.reason for who, exc in room.errors if isinstance(exc, otp.ServerExited)}
        assert {"plain": otp.KILLED, "process": otp.KILLED} == reasons
        assert ["holder"] == room.inside
        room.door.set()


@pytest.mark.parametrize("restarts", [1, 2])
@pytest.mark.parametrize(
    ("first", "then"),
    [
        (lambda: REG, lambda: REG),
        (lambda: REG, lambda: otp.registry(otp.whereis("reg"))),  # type: ignore[arg-type]
        (lambda: otp.registry(otp.whereis("reg")), lambda: REG),  # type: ignore[arg-type]
    ],
)
async def test_a_lock_is_held_beyond_the_restart_of_its_registry(
    first: Any, then: Any, restarts: int
) -> None:
    """Whoever comes after it waits for the block that has begun before, so there are never two."""
    async with running() as nursery:
        log: list[Any] = []
        door = trio.Event()

        async def visit(who: str, reg: Any, event: trio.Event | None = None) -> None:
            async with reg.lock("room"):
                log.append(who)
                if event is not None:
                    await event.wait()
                log.append(f"{who} leaves")

        nursery.start_soon(visit, "holder", first(), door)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(restarts):
            otp.exit("reg", otp.KILL)
            await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(visit, "next", then())
        await trio.testing.wait_all_tasks_blocked()
        otp.spawn(visit, "process", then(), nursery=nursery)
        await trio.testing.wait_all_tasks_blocked()
        assert ["holder"] == log
        async with REG.lock("other"):  # is free
            door.set()
        await trio.testing.wait_all_tasks_blocked()
        assert ["holder", "holder leaves", "next", "next leaves"] == log[:4]
        assert ["process", "process leaves"] == log[4:]
        assert 0 == held()


async def test_a_lock_that_was_given_up_without_a_registry_is_free() -> None:
    """What is left behind goes with its holder, also while no registry runs."""
    registry = otp.child(otp.Registry).having(name="reg", restart="temporary")
    async with otp.open_supervisor([registry]) as sup:
        async with REG.lock("room"):
            otp.exit("reg", otp.KILL)
            await trio.testing.wait_all_tasks_blocked()
            assert 1 == left_behind()
        assert 0 == left_behind()
        await otp.start_child(sup, registry)
        async with REG.lock("room"):
            assert 1 == held()


async def test_a_holder_that_asks_again_after_the_restart_is_told() -> None:
    """It would wait for itself."""
    async with running(), REG.lock("room"):
        otp.exit("reg", otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="this task already holds the lock 'room'"):
            async with REG.lock("room"):
                pass


async def test_a_lock_of_no_registry_is_refused() -> None:
    """It is NoProcess, as for every function of the handle."""
    async with otp.open_process():
        with pytest.raises(otp.NoProcess):
            async with REG.lock("room"):
                pass


async def test_a_lock_needs_a_key_that_hashes() -> None:
    """The error names the key; nothing is held."""
    async with running():
        with pytest.raises(TypeError, match=r"key=\[1\]: expected any hashable value"):
            async with REG.lock([1]):
                pass
        assert 0 == held()


# -- against a model -------------------------------------------------------------------------------

OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["ask", "leave", "kill", "restart"]), st.integers(0, 5)), max_size=30
)


class Guest:
    """A process that asks for the lock at once, and leaves when it is told."""

    def __init__(self, log: list[Any], who: int, nursery: trio.Nursery) -> None:
        self.leave = trio.Event()
        self.log = log
        self.who = who
        self.pid = otp.spawn(self.run, nursery=nursery)

    async def run(self) -> None:
        with suppress(otp.ServerExited):
            async with REG.lock("room"):
                self.log.append(self.who)
                try:
                    await self.leave.wait()
                finally:
                    self.log.remove(self.who)


async def _run(operations: list[tuple[str, int]]) -> None:
    async with running() as nursery:
        inside: list[int] = []
        line: list[int] = []  # the model: the first of them has the lock
        guests: dict[int, Guest] = {}
        for name, who in operations:
            if name == "ask" and who not in line:
                guests[who] = Guest(inside, who, nursery)
                line.append(who)
            elif name == "leave" and who == next(iter(line), None):
                guests[who].leave.set()
                line.remove(who)
            elif name == "kill" and who in line:
                otp.exit(guests[who].pid, otp.KILL)
                line.remove(who)
            elif name == "restart":  # those who wait are told, who is inside stays there
                otp.exit("reg", otp.KILL)
                del line[1:]
            await trio.testing.wait_all_tasks_blocked()
            assert line[:1] == inside
            assert min(1, len(line)) == held() + left_behind()
        nursery.cancel_scope.cancel()


@given(operations=OPERATIONS)
@settings(max_examples=few(80))
def test_the_line_agrees_with_its_model(operations: list[tuple[str, int]]) -> None:
    """Whoever asks, leaves and dies in whatever order, the first of those left has the lock."""
    trio.run(_run, operations)


async def test_a_registry_may_be_reached_by_what_cannot_be_a_key() -> None:
    """Its locks also work for users that name it by a via tuple with a list in it."""

    class Lists:
        """A via module whose keys are lists of names."""

        def whereis_name(self, key: list[str]) -> Any:
            return otp.whereis(key[0])

        register_name = unregister_name = send = whereis_name

    registry = otp.registry(("via", Lists(), ["reg"]))
    async with running(), registry.lock("room"):
        assert held() == 1
