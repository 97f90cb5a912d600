"""A room is a server. It knows its members by pid, and ends when it has been empty for long."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import trio_otp as otp

ROOMS = otp.registry("rooms")
REMEMBERED = 20  # lines that a new member is shown


@dataclass(frozen=True)
class Line:
    """A line that was said in a room, as each member gets it."""

    room: str
    who: str
    text: str


class Room(otp.GenServer, restart="temporary"):
    """One room. It is found by `ROOMS.via(name)`, and started by the first member."""

    def __init__(self, name: str, idle_after: float) -> None:
        self.name = name
        self.idle_after = idle_after
        self.members: dict[otp.Ref, str] = {}
        self.lines: deque[Line] = deque(maxlen=REMEMBERED)

    def init(self) -> otp.NoReply:
        return self.wait()

    def wait(self) -> otp.NoReply:
        """Wait for the next message, with a timeout if the room is empty."""
        return otp.NoReply(timeout=None if self.members else self.idle_after)

    @otp.on_call
    def join(self, member: otp.Pid, who: str) -> list[Line]:
        """Add a member; return the earlier lines."""
        before = list(self.lines)
        otp.monitor(member)  # removes it however it ends
        self.members[member] = who
        self.tell(who, "has come in")
        return before

    @otp.on_call
    def say(self, member: otp.Pid, text: str) -> None:
        """Send a line of one member to all members.

        It is a call, so that nobody can say more than the room gets through.
        """
        if member in self.members:
            self.tell(self.members[member], text)

    @otp.on_info(otp.Down)
    def left(self, down: otp.Down) -> otp.NoReply:
        """Forget a member whose process has ended."""
        self.tell(self.members.pop(down.pid), "has left")
        return self.wait()

    @otp.on_info(otp.Timeout)
    def idle(self, _: otp.Timeout) -> otp.Stop:
        """End: the room has been empty for long."""
        return otp.Stop(otp.NORMAL)

    def tell(self, who: str, text: str) -> None:
        line = Line(self.name, who, text)
        self.lines.append(line)
        for member in self.members:
            try:
                otp.send(member, line)
            except otp.MailboxFull:  # it reads too slowly; its Down follows
                otp.exit(member, otp.SHUTDOWN)


async def enter(name: str, who: str, idle_after: float) -> tuple[otp.Pid[Room], list[Line]]:
    """Make the calling process a member of a room, which is started if it does not exist."""
    room = otp.child(Room, name, idle_after).having(name=ROOMS.via(name))
    while True:
        pid = await otp.ensure_child("room supervisor", room)
        try:
            return pid, await Room.join(pid, otp.self(), who)
        except (otp.NoProcess, otp.ServerExited):
            continue  # it has just ended: start the next one
