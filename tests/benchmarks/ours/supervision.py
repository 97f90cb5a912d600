"""Restarts by supervisors, from the crash to the new server."""

from __future__ import annotations

from typing import Any

import trio

import trio_otp as otp

from ..measure import Sample, Watch

MANY = 1_000_000_000  # restarts in a period, so that no limit ends the race


class Fragile(otp.GenServer):
    """Crashes on a cast; keeps count of how often it was started."""

    starts = 0

    def init(self) -> None:
        Fragile.starts += 1

    def handle_cast(self, message: Any) -> None:
        raise ValueError(message)


def _supervisor(children: list[Any], strategy: Any) -> Any:
    return otp.open_supervisor(children, strategy=strategy, max_restarts=MANY, max_seconds=1)


def _ids(n: int) -> list[Any]:
    return [otp.child(Fragile).having(name=f"fragile {i}", id=i) for i in range(n)]


async def _crash(name: str, starts: int) -> None:
    """Crash a server, and wait until as many as are said have been started anew."""
    expected = Fragile.starts + starts
    otp.cast(name, "crash")
    while Fragile.starts < expected:
        await trio.lowlevel.checkpoint()


async def restart(n: int) -> Sample:
    """One child crashes n times."""
    async with _supervisor(_ids(1), "one_for_one"):
        before = Fragile.starts
        watch = Watch()
        for _ in range(n):
            await _crash("fragile 0", 1)
        return watch.sample(Fragile.starts - before)


async def one_for_all(n: int) -> Sample:
    """One of n children crashes, and all are stopped and started; each counts."""
    async with _supervisor(_ids(n), "one_for_all"):
        before = Fragile.starts
        watch = Watch()
        await _crash("fragile 0", n)
        return watch.sample(Fragile.starts - before)


async def restart_each(n: int) -> Sample:
    """Each of n children crashes, one after the other."""
    async with _supervisor(_ids(n), "one_for_one"):
        before = Fragile.starts
        watch = Watch()
        for i in range(n):
            await _crash(f"fragile {i}", 1)
        return watch.sample(Fragile.starts - before)


async def stop_each(n: int) -> Sample:
    """Each of n named children is stopped, one after the other."""
    async with trio.open_nursery() as nursery:
        for i in range(n):
            child = otp.child(Fragile).having(name=f"server {i}")
            await otp.start(child, nursery=nursery)
        stopped = 0
        watch = Watch()
        for i in range(n):
            await otp.stop(f"server {i}")
            stopped += 1
        return watch.sample(stopped)
