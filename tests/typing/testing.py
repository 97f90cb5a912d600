"""What the checkers make of the testing kit."""

from __future__ import annotations

from typing import assert_type

import trio

import trio_otp as otp
from trio_otp.testing import (
    OtpLog,
    OtpSystem,
    Probe,
    StartSupervised,
    StopSupervised,
    VirtualTime,
    assert_call_fails,
    assert_receive,
    assert_restarted,
    like,
    open_system,
    pause,
    virtual_clock,
)


class Cache(otp.GenServer):
    """A server."""

    @otp.on_call
    def get(self, key: str) -> int:
        """Return a number."""
        return len(key)


async def check_fixtures(system: OtpSystem, probe: Probe, log: OtpLog, time: VirtualTime) -> None:
    """What is started is known by its class; a probe is a reference."""
    assert_type(await system.start_supervised(Cache), otp.Pid[Cache])
    assert_type(await system.start_supervised(otp.child(Cache).having(name="x")), otp.Pid[Cache])
    await system.stop_supervised("x")
    await otp.call(probe, "x")
    assert_type(await probe.receive(str), str)
    assert_type(await probe.receive(like(otp.Down, reason=otp.NORMAL)), otp.Down)
    otp.reply(await probe.receive_call("x"), 1)
    with log.expect_crash(KeyError, of=Cache) as crashes:
        assert_type([crash.label for crash in crashes], list[str])
    await time.advance(1)


async def idle() -> None:
    await trio.sleep_forever()


async def check_functions(
    start_supervised: StartSupervised, stop_supervised: StopSupervised, system: OtpSystem
) -> None:
    """The fixtures that are functions have types of their own; those of a system fit."""
    assert_type(await start_supervised(Cache), otp.Pid[Cache])
    assert_type(await start_supervised(otp.child(Cache).having(name="x")), otp.Pid[Cache])
    assert_type(await start_supervised(idle), otp.Pid[None])
    await stop_supervised("x")
    await start_supervised("x")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    start: StartSupervised = system.start_supervised
    stop: StopSupervised = system.stop_supervised
    await check_functions(start, stop, system)


async def check_assertions() -> None:
    """A pattern that says the type gives it."""
    assert_type(await assert_receive(str), str)
    assert_type(await assert_receive(like(otp.Exit)), otp.Exit)
    await assert_receive(("x", int))
    assert_type(await assert_call_fails(Cache.get("x", "key"), KeyError), Exception)
    await assert_restarted("x", 2)
    async with pause("x") as pid, open_system() as system:
        assert_type(system.log, OtpLog)
        otp.send(pid, "x")
    trio.run(check_assertions, clock=virtual_clock())


async def check_mistakes(system: OtpSystem) -> None:
    """What is no child cannot be started."""
    await system.start_supervised(7)  # type: ignore[call-overload] # pyright: ignore[reportArgumentType, reportCallIssue]
    like(7)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
