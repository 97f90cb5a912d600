"""The owner of a port: what it does not take, and its absence, keep nobody from the end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import MOST_WAITING, port_output
from port_kit import python

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable

THOUSAND = "[print(n) for n in range(1000)]; raise SystemExit(3)"
WAITS = "print(input(), flush=True); print(input(), flush=True); input()"
FLOODS_AT_ITS_END = (  # more than a pipe holds
    "import signal, sys; signal.signal(15, lambda *_: sys.exit(print('x\\n' * 99998)));"
    "print('up', flush=True); signal.pause()"
)


def port_for(owner: Any, code: str) -> otp.Child[otp.Port]:
    """Return a port whose lines go to an owner."""
    return otp.child(otp.Port, python(code), stdout="send", owner=owner)


def dropped() -> list[Any]:
    """Return what is dropped from now on: who was to get it."""
    seen: list[Any] = []
    otp.events.attach("dropped", lambda ref, *_: seen.append(ref))
    return seen


class Broken:
    """A via module of a user that fails."""

    def whereis_name(self, key: object) -> Any:
        raise ZeroDivisionError(key)

    register_name = unregister_name = send = whereis_name


OWNERS: list[Callable[[], Any]] = [
    lambda: "nobody",
    lambda: ("via", "NoRegistry", "key"),
    lambda: ("via", Broken(), "key"),
    lambda: otp.spawn(trio.lowlevel.checkpoint),
]


@pytest.mark.parametrize("make", OWNERS)
async def test_the_lines_for_nobody_are_dropped_and_counted(make: Callable[[], Any]) -> None:
    """Whatever kind of reference leads to nobody: the port lives, and its end is the program's."""
    async with otp.open_process():
        owner = make()
        await trio.testing.wait_all_tasks_blocked()
        lost = dropped()
        await otp.start_monitor(port_for(owner, "[print(n) for n in range(500)]; 1 / 0"))
        reason = (await otp.receive(otp.Down)).reason
    assert [owner] * 500 == lost
    assert 1 == reason.returncode


async def test_an_owner_with_a_name_may_be_away_for_a_moment() -> None:
    """What is written meanwhile is dropped, and the next one with that name gets the rest."""
    async with otp.open_process():
        lost = dropped()
        pid, _ = await otp.start_monitor(port_for("owner", WAITS))
        await otp.Port.command(pid, "one\n")
        while not lost:
            await trio.lowlevel.checkpoint()
        async with otp.open_process(name="owner"):
            await otp.Port.command(pid, "two\n")
            assert "two" == (await otp.receive(otp.PortLine)).text
    assert ["owner"] == lost


async def test_what_else_is_in_the_mailbox_does_not_count(autojump_clock: Any) -> None:
    """An owner with many other messages gets the lines, and the end, as one without."""
    others = 3 * MOST_WAITING
    async with otp.open_process() as me:
        for number in range(others):
            otp.send(me, number)
        await otp.start_monitor(port_for(me, "print('up')"))
        await otp.receive(otp.Down)
        assert 0.0 == trio.current_time()
        assert list(range(others)) == [await otp.receive() for _ in range(others)]
        assert "up" == (await otp.receive(otp.PortLine)).text


@pytest.mark.parametrize("channel", [False, True])
async def test_the_end_is_told_to_an_owner_that_takes_no_lines(channel: bool) -> None:
    """Half a second later, and none of the lines is lost."""
    async with otp.open_process() as me:
        if channel:
            otp.send_end(me)
        await otp.start_monitor(port_for(me, THOUSAND))
        with trio.fail_after(60):
            assert 3 == (await otp.receive(otp.Down)).reason.returncode
        assert [str(n) for n in range(1000)] == [(await otp.receive()).text for _ in range(1000)]


async def test_a_slow_owner_does_not_keep_the_end_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that still reads is waited for, and not as long as it reads."""
    monkeypatch.setattr(port_output, "LINGER", linger := 0.1)
    monkeypatch.setattr(port_output, "PATIENCE", patience := 0.4)
    taken: list[float] = []

    async def read_slowly() -> None:
        while True:
            await otp.receive(otp.PortLine)
            taken.append(trio.current_time())
            await trio.sleep(linger / 10)

    async with otp.open_process():
        owner = otp.spawn(read_slowly)
        await otp.start_monitor(port_for(owner, THOUSAND))
        with trio.fail_after(60):
            assert 3 == (await otp.receive(otp.Down)).reason.returncode
        took = trio.current_time() - taken[0]
        assert 0 < len(taken) < 1000
        assert patience / 2 < took
        otp.exit(owner, otp.KILL)


async def test_an_owner_that_takes_no_lines_does_not_keep_a_program_from_its_end() -> None:
    """One that is told to end, and then writes a lot, can; what finds no room is counted."""
    async with otp.open_process() as me:
        lost = dropped()
        pid, _ = await otp.start_monitor(port_for(me, FLOODS_AT_ITS_END).having(shutdown=None))
        while not otp.process_info(me).message_queue_len:
            await trio.lowlevel.checkpoint()
        with trio.fail_after(60):
            await otp.stop(pid)
        await otp.receive(otp.Down)
        taken = otp.process_info(me).message_queue_len
        assert MOST_WAITING <= taken < 100_000
        assert [me] * (100_000 - taken) == lost


async def test_a_descendant_that_floods_the_pipe_is_not_waited_for() -> None:
    """The end is told while somebody else writes on and on."""
    away = "import os; os.setsid()\nwhile True: print('x' * 999)"
    code = f"import os, time; pid = os.fork()\nif not pid: exec({away!r})\ntime.sleep(0.1)"
    async with otp.open_process():
        lost = dropped()
        with trio.fail_after(60):
            await otp.start_monitor(port_for("nobody", code))
            assert otp.NORMAL is (await otp.receive(otp.Down)).reason
    assert lost


@pytest.mark.parametrize("error", [OSError(24, "too many open files"), AttributeError()])
async def test_its_end_is_seen_without_a_file_for_it(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Where the operating system has none, or no more of them."""

    def pidfd_open(pid: int) -> int:
        raise error

    async with otp.open_process():
        monkeypatch.setattr(os, "pidfd_open", pidfd_open)
        pid, _ = await otp.start_monitor(otp.child(otp.Port, ["sh", "-c", "read x; exit 3"]))
        await otp.Port.command(pid, "\n")
        assert 3 == (await otp.receive(otp.Down)).reason.returncode


async def test_a_fault_in_reading_ends_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its program is told to end, and its own limit is not waited for."""

    def feed(self: port_output.Lines, data: bytes) -> Any:
        raise ZeroDivisionError(data)

    monkeypatch.setattr(port_output.Lines, "feed", feed)
    async with otp.open_process():
        program = ["sh", "-c", "echo up; exec sleep 60"]
        await otp.start_monitor(otp.child(otp.Port, program).having(shutdown=60))
        with trio.fail_after(30):
            reason = (await otp.receive(otp.Down)).reason
    assert isinstance(reason, ZeroDivisionError)


async def test_an_owner_that_dies_while_it_is_waited_for_is_waited_for_no_longer() -> None:
    """What there is for it by then is dropped and counted, and the program ends."""
    async with otp.open_process():
        lost = dropped()
        owner = otp.spawn(trio.sleep_forever)
        await otp.start_monitor(port_for(owner, THOUSAND))
        while otp.process_info(owner).message_queue_len < MOST_WAITING:
            await trio.lowlevel.checkpoint()
        otp.exit(owner, otp.KILL)
        with trio.fail_after(60):
            assert 3 == (await otp.receive(otp.Down)).reason.returncode
        assert 1000 == len(lost)
