"""Starts of trio_otp: in a nursery, linked, under supervisors; and stops."""

from __future__ import annotations

from typing import Any

import trio

import trio_otp as otp

from ..measure import Sample, Watch, traced
from .servers import Plain


def _children() -> tuple[Any, ...]:
    return (otp.child(otp.DynamicSupervisor).having(name="sup"),)


async def in_nursery(n: int, server: type[Any] = Plain) -> Sample:
    """`otp.start(Class, nursery=nursery)`."""
    async with trio.open_nursery() as nursery:
        before = otp.process_count()
        watch = Watch()
        for _ in range(n):
            await otp.start(server, nursery=nursery)
        sample = watch.sample(otp.process_count() - before)
        nursery.cancel_scope.cancel()
    return sample


async def linked(n: int) -> Sample:
    """`otp.start_link(Class)` of a process."""
    async with otp.open_process():
        before = otp.process_count()
        watch = Watch()
        for _ in range(n):
            await otp.start_link(Plain)
        return watch.sample(otp.process_count() - before)


async def dynamic_children(n: int) -> Sample:
    """`otp.start_child` of a DynamicSupervisor."""
    async with otp.open_supervisor(_children()):
        before = otp.process_count()
        watch = Watch()
        for _ in range(n):
            await otp.start_child("sup", Plain)
        return watch.sample(otp.process_count() - before)


async def static_children(n: int) -> Sample:
    """`otp.start_child` of a Supervisor, each with an id of its own."""
    async with otp.open_supervisor([]) as sup:
        specs = [otp.child(Plain).having(id=i) for i in range(n)]
        before = otp.process_count()
        watch = Watch()
        for spec in specs:
            await otp.start_child(sup, spec)
        return watch.sample(otp.process_count() - before)


async def start_and_stop(n: int) -> Sample:
    """`otp.start` and `otp.stop`, one server after the other."""
    async with trio.open_nursery() as nursery:
        stopped = 0
        watch = Watch()
        for _ in range(n):
            pid = await otp.start(Plain, nursery=nursery)
            await otp.stop(pid)
            stopped += not otp.is_alive(pid)
        sample = watch.sample(stopped)
        nursery.cancel_scope.cancel()
    return sample


async def memory(n: int, server: Any) -> Sample:
    """What a server and its pid weigh, started in a nursery."""
    async with trio.open_nursery() as nursery:
        await otp.start(server, nursery=nursery)  # what the first one brings is not its weight
        with traced() as memory:
            pids = [await otp.start(server, nursery=nursery) for _ in range(n)]
            memory.weigh()
        nursery.cancel_scope.cancel()
    return Sample(memory.bytes, len(pids))


async def supervised_memory(n: int) -> Sample:
    """What a child of a DynamicSupervisor weighs, with what the supervisor keeps of it."""
    async with otp.open_supervisor(_children()):
        await otp.start_child("sup", Plain)
        with traced() as memory:
            pids = [await otp.start_child("sup", Plain) for _ in range(n)]
            memory.weigh()
    return Sample(memory.bytes, len(pids))
