"""Presence: which users are in which room, however many devices each of them has.

Each connection is a process, and joins a group of `otp.pg` for its room and user. It has left that
group before its end is reported, even when it is killed, so there are no ghosts. A user is in a
room while that group is not empty; a follower of the scope learns who comes and goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

import trio_otp as otp
from trio_otp.testing import virtual_clock

if TYPE_CHECKING:
    from collections.abc import Callable

SCOPE = "presence"


def enter(room: str, user: str) -> None:
    """Join a room as a user, until this process ends or leaves."""
    otp.pg.join(SCOPE, (room, user), otp.self())


def leave(room: str, user: str) -> None:
    otp.pg.leave(SCOPE, (room, user), otp.self())


def users_in(room: str) -> list[str]:
    return sorted(user for where, user in otp.pg.which_groups(SCOPE) if where == room)


class Watcher(otp.GenServer):
    """Reports when the first device of a user has joined a room, and when the last has left."""

    def __init__(self, tell: Callable[[str], Any]) -> None:
        self.tell = tell
        _, members = otp.pg.monitor_scope(SCOPE)
        self.devices = {group: len(pids) for group, pids in members.items()}

    @otp.on_info(otp.pg.Joined)
    def joined(self, news: otp.pg.Joined) -> None:
        known = self.devices.get(news.group, 0)
        self.devices[news.group] = known + len(news.pids)
        if not known:
            self.tell("{1} has come to {0}".format(*news.group))

    @otp.on_info(otp.pg.Left)
    def left(self, news: otp.pg.Left) -> None:
        self.devices[news.group] -= len(news.pids)
        if not self.devices[news.group]:
            del self.devices[news.group]
            self.tell("{1} has left {0}".format(*news.group))


async def device(room: str, user: str) -> None:
    """Stands for a connection: a websocket, a telephone."""
    enter(room, user)
    await trio.sleep_forever()


async def main() -> None:
    children = [otp.child(otp.pg.Scope).having(name=SCOPE), otp.child(Watcher, print)]
    async with otp.open_supervisor(children, strategy="rest_for_one"), otp.open_process():
        phone, laptop = otp.spawn(device, "tea", "ada"), otp.spawn(device, "tea", "ada")
        otp.spawn(device, "tea", "bob")
        await trio.sleep(0.01)
        print("in the room:", users_in("tea"))
        otp.exit(phone, otp.KILL)
        await otp.stop(laptop, otp.SHUTDOWN)
        await trio.sleep(0.01)
        print("in the room:", users_in("tea"))


if __name__ == "__main__":
    trio.run(main, clock=virtual_clock())
