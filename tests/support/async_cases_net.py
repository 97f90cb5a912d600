"""Services, draining and pools, one case each."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio
from async_world import Slow, World, case, steps
from inside import Draining

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

DB = otp.pool("db", Slow)


@case("wait_draining")
async def _(w: World) -> None:
    nursery = trio.lowlevel.current_task().parent_nursery
    assert nursery is not None
    draining = Draining(nursery)  # whatever this task lives in is to end soon

    async def begin() -> None:  # noqa: ASYNC124 - it is called later
        draining.begin()

    timer = otp.apply_after(1, begin)
    w.begin()
    try:
        await otp.wait_draining()
        assert otp.is_draining()
    finally:
        otp.cancel_timer(timer)
        draining.forget()


@asynccontextmanager
async def pool(w: World, workers: int) -> AsyncGenerator[None]:
    """Start a pool of one worker, or of two, which may have started, and begin."""
    child = otp.child(otp.Pool, Slow, size=max(workers, 1)).having(name="db")
    w.returned.append(await otp.start(child))
    if workers:
        async with DB.checkout():
            pass
    w.begin()
    yield


async def query() -> str:
    async with DB.checkout(timeout=None) as slow:
        return await slow.echo("works")


@case("PoolHandle.checkout")
async def _(w: World) -> None:
    async with pool(w, 1):
        for _ in range(2):
            assert "works" == await query()


@case("PoolHandle.checkout: the first")
async def _(w: World) -> None:
    async with pool(w, 0):
        assert "works" == await query()


@case("PoolHandle.checkout: waiting")
async def _(w: World) -> None:
    async def other() -> None:
        async with DB.checkout():
            await steps(4)

    async with pool(w, 1), trio.open_nursery() as nursery:
        nursery.start_soon(other)
        assert "works" == await query()


@case("PoolHandle.checkout: one in another")
async def _(w: World) -> None:
    async with pool(w, 2), DB.checkout(timeout=None):
        assert "works" == await query()
