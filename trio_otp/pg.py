"""Process groups: named sets of processes that anybody can look up, and hear the changes of.

**Why.** A registry is for processes that name themselves. A group is put together by those who know
its members, a process may be in it several times, and others can follow who comes and goes.

>>> import trio, trio_otp as otp
>>> class Worker(otp.GenServer):
...     def init(self):
...         otp.pg.join("pools", "thumbnails", otp.self())
>>> async def main():
...     pools = otp.child(otp.pg.Scope).having(name="pools")
...     workers = [otp.child(Worker).having(id=number) for number in range(2)]
...     async with otp.open_supervisor([pools, *workers]), otp.open_process():
...         watch, members = otp.pg.monitor("pools", "thumbnails")
...         otp.exit(members[0], otp.KILL)
...         print((await otp.receive(otp.pg.Left)).pids == (members[0],))
...         print(len((await otp.receive(otp.pg.Joined)).pids), otp.pg.which_groups("pools"))
>>> trio.run(main)
True
1 ['thumbnails']

**Client and server side.** A scope is a process that keeps groups; the functions of this module
take its name, or any other reference to it, and read and write its tables at once, without a
message. They raise `NoProcess` if the scope does not run. Groups are any hashable values; 1, 1.0
and True are three groups. A process that dies has left all its groups before anybody hears of it.

**Supervise** a scope as any other child, put before those who join. Members are not
linked to it. When it ends its groups are lost; who wants to be a member of the next one monitors it
and joins again, or stands after it in a supervisor with `rest_for_one`.

**When not to use it.** For a process that is to be found by one name, and for topics that a process
subscribes itself to, there is `otp.Registry`.

Follows: Erlang's `pg`; there is one node, so all members are local ones.
"""

from __future__ import annotations

from ._pg.groups import (
    demonitor,
    get_members,
    join,
    leave,
    monitor,
    monitor_scope,
    send,
    which_groups,
)
from ._pg.scope import GroupMonitor, Joined, Left, Scope

__all__ = [
    "GroupMonitor",
    "Joined",
    "Left",
    "Scope",
    "demonitor",
    "get_members",
    "join",
    "leave",
    "monitor",
    "monitor_scope",
    "send",
    "which_groups",
]


def __dir__() -> list[str]:
    return __all__
