"""A user is in a room as long as one of their devices there is alive."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio
import trio.testing

import trio_otp as otp
from examples.recipes import presence
from examples.recipes.presence import SCOPE, Watcher, device, leave, users_in

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import pytest


@asynccontextmanager
async def rooms(*early: tuple[str, str]) -> AsyncGenerator[list[str]]:
    """Run a scope with a watcher, and devices that were there before it; give what it tells."""
    told: list[str] = []
    scope = otp.child(otp.pg.Scope).having(name=SCOPE)
    watcher = otp.child(Watcher, told.append).having(name="watcher")
    async with otp.open_supervisor([scope]), otp.open_process():
        for room, user in early:
            otp.spawn(device, room, user)
        await trio.testing.wait_all_tasks_blocked()
        async with otp.open_supervisor([watcher]):
            yield told


async def settled(told: list[str]) -> list[str]:
    """Return what has been told since the last time."""
    await trio.testing.wait_all_tasks_blocked()
    news, told[:] = list(told), []
    return news


async def test_a_user_is_there_from_the_first_device_to_the_last() -> None:
    """However each of them ends."""
    async with rooms() as told:
        devices = [otp.spawn(device, "tea", "ada") for _ in range(3)]
        assert ["ada has come to tea"] == await settled(told)
        otp.exit(devices[0], otp.KILL)
        otp.exit(devices[1], "broken")
        assert [] == await settled(told)
        assert ["ada"] == users_in("tea")
        otp.exit(devices[2], otp.SHUTDOWN)
        assert ["ada has left tea"] == await settled(told)
        assert [] == users_in("tea")


async def test_rooms_and_users_are_apart() -> None:
    """A user may be in several rooms; a watcher that starts late knows the users there."""
    async with rooms(("tea", "ada"), ("tea", "bob"), ("milk", "ada")) as told:
        assert (["ada", "bob"], ["ada"]) == (users_in("tea"), users_in("milk"))
        late = otp.spawn(device, "tea", "ada")
        assert [] == await settled(told)
        otp.exit(late, otp.KILL)
        assert [] == await settled(told)


async def test_one_may_leave_and_live_on() -> None:
    """By calling `leave`."""

    async def guest() -> None:
        presence.enter("tea", "eve")
        await otp.receive()
        leave("tea", "eve")
        await trio.sleep_forever()

    async with rooms() as told:
        pid = otp.spawn(guest)
        assert ["eve has come to tea"] == await settled(told)
        otp.send(pid, "go")
        assert ["eve has left tea"] == await settled(told)
        assert otp.is_alive(pid)


async def test_what_it_prints(autojump_clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Ada has two devices; the end of the program is the end of Bob's."""
    await presence.main()
    printed = capsys.readouterr().out.splitlines()
    assert {"ada has come to tea", "bob has come to tea"} == set(printed[:2])
    assert ["in the room: ['ada', 'bob']", "ada has left tea", "in the room: ['bob']"] == printed[
        2:5
    ]
