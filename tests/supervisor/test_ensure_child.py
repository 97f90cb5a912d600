"""Ensuring that a child of a name runs, while the one before it is ending."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import trio_otp as otp
from trio_otp.testing import assert_restarted, assert_tree


class Server(otp.GenServer, restart="transient"):
    """A server that a dynamic supervisor restarts after a crash."""

    @otp.on_call
    def ping(self) -> str:
        return "pong"


async def test_child_that_is_ensured_while_it_dies_is_started_once(start_supervised: Any) -> None:
    """Between a child's end and its restart whoever ensures it starts it, and that is all."""
    child = otp.child(Server).having(name="server")
    await start_supervised(otp.child(otp.DynamicSupervisor).having(name="sup"))
    for _ in range(3):
        dying = await otp.ensure_child("sup", child)
        otp.exit(dying, otp.KILL)
    ensured = await otp.ensure_child("sup", child)

    assert "pong" == await Server.ping("server")
    assert ensured == await assert_restarted("server", times=3)
    await assert_restarted("sup", times=0)
    assert_tree([{"sup": [Server]}])


async def test_the_last_place_serves_every_caller_of_its_name(start_supervised: Any) -> None:
    """Callers at the same time get the one child that there is room for, not `MaxChildren`."""
    pids: list[otp.Pid[Any]] = []

    async def ensure() -> None:
        pids.append(await otp.ensure_child("pool", otp.child(Server).having(name="only")))

    await start_supervised(otp.child(otp.DynamicSupervisor, max_children=1).having(name="pool"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ensure)
        nursery.start_soon(ensure)
    assert [otp.whereis("only")] * 2 == pids
    with pytest.raises(otp.MaxChildren):
        await otp.ensure_child("pool", otp.child(Server).having(name="other"))
