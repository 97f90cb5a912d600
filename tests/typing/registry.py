"""What the checkers make of registries, and of what is seen from outside."""

from __future__ import annotations

from typing import Any, assert_type

import trio_otp as otp
from tests.support.inside import Status

REG = otp.registry("reg")


class Server(otp.GenServer):
    """A server to be named."""


def check_children() -> None:
    """A registry is a child like any other; its arguments are checked."""
    assert_type(otp.child(otp.Registry, keys="duplicate"), otp.Child[otp.Registry])
    assert_type(otp.child(Server).having(name=REG.via("k")), otp.Child[Server])
    otp.child(otp.Registry, keys="many")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    otp.registry(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def check_handle(pid: otp.Pid[Server]) -> None:
    """Pids and values come in pairs; functions get what they are promised."""
    assert_type(REG.lookup("k"), list[tuple[otp.Pid[Any], Any]])
    assert_type(REG.select(lambda key, pid, value: value > 1), list[tuple[Any, otp.Pid[Any], Any]])
    assert_type(REG.keys(pid), list[Any])
    assert_type(REG.send("k", "hello"), int)
    assert_type(REG.update_value("k", lambda value: value), tuple[Any, Any])
    assert_type(otp.whereis(REG.via("k")), otp.Pid[Any] | None)
    REG.dispatch("k", lambda entries: [pid for pid, value in entries if value])
    REG.dispatch("k", "hello")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def check_blocks() -> None:
    """Locks and subscriptions are context managers; a subscription is a Trio channel."""
    async with REG.lock("k") as nothing:
        assert_type(nothing, None)
    async with REG.subscribe("k", max_buffer=10) as channel:
        assert_type(channel, otp.Subscription)
        assert_type(channel.dropped, int)
        assert_type(await channel.receive(), Any)


async def check_partitions(shop: otp.Partitions) -> None:
    """A partition supervisor takes children of any kind, and its handle gives references."""
    many = otp.child(otp.PartitionSupervisor, lambda number: otp.child(Server), partitions=3)
    assert_type(many, otp.Child[otp.PartitionSupervisor])
    otp.child(otp.PartitionSupervisor, Server)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    assert_type(otp.whereis(shop.via(1)), otp.Pid[Any] | None)
    assert_type(shop.count(), int)
    assert_type(await shop.resize(2), int)


def check_groups(pid: otp.Pid[Server]) -> None:
    """Groups take one pid or several, and give pids."""
    otp.pg.join("scope", "group", pid)
    otp.pg.join("scope", ("group", 1), [pid, pid])
    otp.pg.join("scope", "group", "pid")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(otp.pg.leave("scope", "group", (pid,)), bool)
    assert_type(otp.pg.get_members("scope", "group"), list[otp.Pid[Any]])
    handle, members = otp.pg.monitor("scope", "group")
    assert_type(handle, otp.pg.GroupMonitor)
    assert_type(members, list[otp.Pid[Any]])
    assert_type(otp.pg.monitor_scope("scope")[1], dict[Any, list[otp.Pid[Any]]])


def check_info(pid: otp.Pid[Server]) -> None:
    """A picture of a process is data, and is read only."""
    info = otp.process_info(pid)
    assert_type(info.status, Status)
    assert_type(info.links, tuple[otp.Pid[Any], ...])
    assert_type(otp.processes(), list[otp.Pid[Any]])
    assert_type(otp.tree(REG.via("k")), str)
    info.handled = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def on_crash(report: otp.events.CrashReport) -> None:
    """Take a crash."""


def check_events() -> None:
    """Events have names that the checkers know."""
    otp.events.attach("crash", on_crash)
    otp.events.detach("crush", on_crash)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
