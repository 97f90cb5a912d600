"""Services and draining, one case each."""

from __future__ import annotations

import trio
from async_world import World, case
from inside import Draining

import trio_otp as otp


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
