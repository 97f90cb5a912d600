"""What the checkers make of processes, names, messages and timers."""

from __future__ import annotations

import enum
from typing import Any, assert_type

import trio_otp as otp


class Role(enum.Enum):
    """Names of servers."""

    LEADER = "leader"


class Server(otp.GenServer):
    """Something to have a pid of."""


async def work(number: int, text: str) -> None:
    assert number > len(text)


def check_spawn() -> None:
    """The arguments of spawn are those of the function."""
    assert_type(otp.spawn(work, 1, "a"), otp.Pid[Any])
    assert_type(otp.spawn_link(work, 1, "a", label="worker"), otp.Pid[Any])
    assert_type(otp.spawn_monitor(work, 1, "a"), tuple[otp.Pid[Any], otp.Monitor])
    otp.spawn(work, 1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    otp.spawn(work, "1", "a")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    otp.spawn(check_spawn)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def check_receive() -> None:
    """A type tells what is received; anything else gives Any."""
    assert_type(await otp.receive(), Any)
    assert_type(await otp.receive(str), str)
    assert_type(await otp.receive(otp.Down, timeout=1.0), otp.Down)
    assert_type(await otp.receive((str, int)), Any)
    assert_type(await otp.receive(lambda m: m == 3), Any)
    await otp.receive("text")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]


def check_references(pid: otp.Pid[Server]) -> None:
    """A reference is a pid, an atom or a via tuple."""
    ref: otp.Ref
    for ref in (pid, "name", Role.LEADER, Server, ("via", "names", 7), ("counter", "py@host")):
        assert_type(otp.whereis(ref), otp.Pid[Any] | None)
        assert_type(otp.is_alive(ref), bool)
        assert_type(otp.send(ref, "message"), None)
        assert_type(otp.send_end(ref), otp.SendEnd[Any])
    assert_type(otp.registered(), list[otp.Atom])
    otp.register("name", pid)
    otp.register(7, pid)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    otp.whereis(b"name")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    otp.send(("via", 7), 1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def check_pids(pid: otp.Pid[Server]) -> None:
    """A pid of a class is one of its base, and not of another."""
    base: otp.Pid[otp.GenServer] = pid
    otp.link(base)
    other: otp.Pid[otp.Supervisor] = pid  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
    otp.link(other)


def check_links(pid: otp.Pid[Any]) -> None:
    """Links, monitors and exits."""
    assert_type(otp.link(pid), None)
    assert_type(otp.monitor(pid), otp.Monitor)
    assert_type(otp.demonitor(otp.monitor("name"), flush=True), bool)
    assert_type(otp.trap_exit(), bool)
    assert_type(otp.exit(pid, "reason"), None)
    otp.demonitor(pid)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def check_exit(reason: object) -> int:
    """otp.exit(reason) does not return, so no value is missing here."""
    otp.exit(reason)


def check_timers(pid: otp.Pid[Any]) -> None:
    """Seconds left, or None."""
    timer = otp.send_after(pid, "message", 1.5)
    assert_type(timer, otp.Timer)
    assert_type(otp.cancel_timer(timer), float | None)
    assert_type(otp.read_timer(timer), float | None)
    otp.send_after(pid, "message", "1")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def check_block() -> None:
    """open_process gives a pid; what a process knows of itself has a type."""
    async with otp.open_process(name="me", trap_exit=True) as me:
        assert_type(me, otp.Pid[Any])
        assert_type(otp.self(), otp.Pid[Any])
        assert_type(otp.dictionary(), dict[object, Any])
        assert_type(otp.ancestors(), tuple[object, ...])
        assert_type(otp.callers(), tuple[otp.Pid[Any], ...])
        assert_type(otp.get_label(me), str | None)


class Phones:
    """A registry of a user."""

    def register_name(self, key: str, pid: otp.Pid[Any]) -> bool:
        return True

    def unregister_name(self, key: str) -> None: ...

    def whereis_name(self, key: str) -> otp.Pid[Any] | None:
        return None

    def send(self, key: str, message: object) -> None: ...


def check_via() -> None:
    """Whatever has the four functions stands in a via tuple."""
    module: otp.ViaModule = Phones()
    assert_type(otp.whereis(("via", module, "key")), otp.Pid[Any] | None)


async def check_intervals(pid: otp.Pid[Any]) -> None:
    """A function that runs later takes its own arguments."""

    async def work(word: str, number: int) -> None: ...

    assert_type(otp.send_interval(pid, "tick", 1.5), otp.Timer)
    assert_type(otp.apply_after(1.5, work, "word", 5), otp.Timer)
    assert_type(otp.apply_interval(1.5, work, "word", 5), otp.Timer)
    otp.apply_after(1.5, work, "word", "5")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
