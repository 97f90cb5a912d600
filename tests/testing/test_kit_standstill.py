"""A test in which everybody waits for ever fails at once, where it waits; others are let alone."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio
from paths import ROOT
from testing_kit import COUNTER, Noted, run, section

import trio_otp as otp
from trio_otp.testing import Standstill, open_system, virtual_clock

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60  # seconds for which a thread waits to be told
WAITS = (
    "everybody waits for ever: no task can run, no time-out or timer is left to jump to, and no "
    "file, socket, program or thread can wake anybody"
)


class Till(otp.GenServer):
    """Never says what something costs, and asks nobody but a clerk."""

    @otp.on_call(timeout=None)
    async def price(self) -> int:
        await trio.sleep_forever()
        raise AssertionError

    @otp.on_call(timeout=None)
    async def ask(self, clerk: str) -> int:
        return await Till.price(clerk)


def line_of(function: Any, after: int) -> str:
    code = function.__code__
    return f"{Path(code.co_filename).name}:{code.co_firstlineno + after}"


def test_it_says_who_waits_for_what() -> None:
    """Each process with what it does, where and for whom; tasks of a user; last those at rest."""
    ended: list[Any] = []

    async def main() -> None:
        children = [
            otp.child(Till).having(name="clerk"),
            otp.child(Till).having(name="till"),
            otp.child(Noted, ended, "noted").having(name="noted"),
        ]
        async with otp.open_supervisor(children), trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await Till.ask("till", "clerk")

    with pytest.raises(Standstill) as caught:
        trio.run(main, clock=virtual_clock())
    clerk, till = line_of(Till.price.__wrapped__, 2), line_of(Till.ask.__wrapped__, 2)
    waits_for = "waiting for <Pid 2 Till 'clerk'>"
    assert [
        WAITS,
        f"  <Pid 2 Till 'clerk'>: handling `price()` for 0 s, at {clerk}",
        f"  <Pid 3 Till 'till'>: handling `ask('clerk')` for 0 s, at {till}, {waits_for}",
        f"  task {main.__module__}.{main.__qualname__}: at {line_of(main, 8)}",
        "  at rest: <Pid 1 Supervisor>, <Pid 4 Noted 'noted'>",
    ] == str(caught.value).splitlines()
    assert [("noted", otp.SHUTDOWN)] == ended


def test_many_are_not_all_listed() -> None:
    async def main() -> None:
        async with otp.open_process():
            for _ in range(30):
                otp.spawn(trio.sleep_forever)
            await trio.sleep_forever()

    with pytest.raises(Standstill, match=r"\n  and 11 more$"):
        trio.run(main, clock=virtual_clock())


def test_a_test_of_pytest_fails_at_its_line(pytester: pytest.Pytester) -> None:
    """Also one that waits again at its end, or for others, or whose fixture does; the next runs."""
    outcomes, text = run(
        pytester,
        """
async def test_call(start_supervised, virtual_time):
    counter = await start_supervised(otp.child(Counter))
    await otp.call(counter, otp.send(counter, "x"))
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()

async def test_finally(virtual_time):
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()

async def wait():
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()

async def test_nursery(virtual_time):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)

@pytest.fixture
async def late():
    yield
    await trio.sleep_forever()

async def test_fixture(late, virtual_time):
    pass

async def test_next(virtual_time):
    await trio.sleep(3600)
""",
    )
    assert {"failed": 4, "passed": 1} == outcomes, text
    assert "at test_a_test_of_pytest_fails_at_its_line.py:LINE" in section(text, "test_call")
    assert ">           await trio.sleep_forever()" in section(text, "test_finally")
    for name in ("test_call", "test_finally", "test_nursery", "test_fixture"):
        assert f"Standstill: {WAITS}" in section(text, name)


STUBBORN = """
import trio
from trio_otp.testing import Standstill, virtual_clock

async def main():
    while True:
        try:
            await trio.sleep_forever()
        except Standstill:
            print("caught", flush=True)

trio.run(main, clock=virtual_clock())
"""


def test_a_test_that_catches_it_again_and_again_is_broken_off() -> None:
    """In a program of its own, since Trio leaves its tasks as they are."""
    command = [sys.executable, "-c", STUBBORN]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT
    )
    assert ["caught"] * 3 == done.stdout.split()
    assert f"trio.TrioInternalError: the run does not end: {WAITS}" in done.stderr


# -- who may still be woken ------------------------------------------------------------------------


class Idle:
    """A virtual clock, and the news that its run has been idle for a while.

    Args:
        then: is called at that moment, in the thread of the loop.
    """

    def __init__(self, then: Callable[[], object] | None = None) -> None:
        self.clock: Any = virtual_clock()
        self.seen = threading.Event()
        look, looks = vars(self.clock)["_autojump"], 0

        def counted() -> None:
            nonlocal looks
            looks += 1
            if looks == 10:
                self.seen.set()
                if then is not None:
                    then()
            look()

        vars(self.clock)["_autojump"] = counted


def test_a_thread_of_trio_may_wake() -> None:
    """One that is awaited, and one that was given up and calls back."""
    idle = Idle()
    again = Idle()

    async def awaited() -> bool:
        return await trio.to_thread.run_sync(idle.seen.wait, PATIENCE)

    async def given_up() -> None:
        event, begun = trio.Event(), threading.Event()

        def work() -> None:
            begun.set()
            again.seen.wait(PATIENCE)
            trio.from_thread.run_sync(event.set, trio_token=token)

        token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(trio.to_thread.run_sync, work, abandon_on_cancel=True))
            await trio.to_thread.run_sync(begun.wait, PATIENCE)
            nursery.cancel_scope.cancel()
        await event.wait()

    assert trio.run(awaited, clock=idle.clock)
    trio.run(given_up, clock=again.clock)


def test_a_thread_with_the_token_may_wake() -> None:
    idle = Idle()

    async def main() -> None:
        event = trio.Event()

        def work(token: trio.lowlevel.TrioToken) -> None:
            idle.seen.wait(PATIENCE)
            token.run_sync_soon(event.set)

        threading.Thread(target=work, args=[trio.lowlevel.current_trio_token()]).start()
        await event.wait()

    trio.run(main, clock=idle.clock)


def test_a_thread_may_wake_and_let_go_of_the_token_while_that_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever is looked at first: here it does so between the two."""
    statistics, go_on, calls = trio.lowlevel.current_statistics, threading.Event(), 0

    async def main() -> None:
        nonlocal threads
        event = trio.Event()

        def work(token: trio.lowlevel.TrioToken) -> None:
            go_on.wait(PATIENCE)
            token.run_sync_soon(event.set)

        threads = [threading.Thread(target=work, args=[trio.lowlevel.current_trio_token()])]
        threads[0].start()
        monkeypatch.setattr(trio.lowlevel, "current_statistics", counted)
        await event.wait()

    def counted() -> Any:
        nonlocal calls
        seen = statistics()
        calls += 1
        if calls == 2:
            go_on.set()
            threads[0].join(PATIENCE)
        return seen

    threads: list[threading.Thread] = []
    trio.run(main, clock=virtual_clock())
    assert calls >= 2


def test_a_socket_may_wake() -> None:
    """Whoever has its other end; here a thread that knows nothing of Trio."""
    idle = Idle()
    here, there = socket.socketpair()

    def work() -> None:
        idle.seen.wait(PATIENCE)
        there.send(b"x")

    async def main() -> None:
        thread = threading.Thread(target=work)
        thread.start()
        await trio.lowlevel.wait_readable(here)

    with here, there:
        trio.run(main, clock=idle.clock)


def test_a_signal_may_wake() -> None:
    idle = Idle(lambda: signal.raise_signal(signal.SIGUSR1))

    async def main() -> None:
        with trio.open_signal_receiver(signal.SIGUSR1) as signals:
            async for _ in signals:  # pragma: no branch - the first one is enough
                return

    trio.run(main, clock=idle.clock)


def test_the_other_loop_of_a_guest_may_wake() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        event, done = trio.Event(), loop.create_future()
        idle = Idle(lambda: loop.call_soon(event.set))
        trio.lowlevel.start_guest_run(
            event.wait,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=done.set_result,
            clock=idle.clock,
        )
        (await done).unwrap()

    asyncio.run(main())


def test_time_may_wake() -> None:
    """A timer, a time-out, `wait_all_tasks_blocked` with a cushion."""

    async def main() -> float:
        async with otp.open_process() as me:
            otp.send_after(me, "ring", 3600)
            await otp.receive(str, timeout=None)
            with trio.move_on_after(60):
                await trio.sleep_forever()
            await trio.testing.wait_all_tasks_blocked(0.001)
            return trio.current_time()

    assert 3660 == trio.run(main, clock=virtual_clock())


def test_a_thread_that_has_answered_does_not_count() -> None:
    async def main() -> None:
        async with open_system() as system:
            await system.start_supervised(COUNTER)
            await trio.to_thread.run_sync(int)
            await trio.sleep_forever()

    with pytest.raises(Standstill):
        trio.run(main, clock=virtual_clock())
