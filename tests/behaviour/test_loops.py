"""What drives servers, machines and supervisors: one way for each message, few crossings."""

from __future__ import annotations

import inspect
import sys
import traceback
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import trio.testing
from inside import (
    DynamicLoop,
    MessageLoop,
    PartitionLoop,
    ServerLoop,
    StatemLoop,
    StaticLoop,
    SupervisorLoop,
)

import trio_otp as otp

if TYPE_CHECKING:
    from types import FrameType


class Cache(otp.GenServer):
    """Crashes on request, in each way that a message can come."""

    @otp.on_call
    def get(self) -> None:
        raise ValueError

    @otp.on_call(raises=(KeyError,))
    def get_or_raise(self) -> None:
        raise ValueError

    @otp.on_cast
    def put(self) -> None:
        raise ValueError

    @otp.on_info(int)
    def tick(self, _: int) -> None:
        raise ValueError


def frames_of(crash: object) -> list[str]:
    """Name the functions between the loop and the end of the traceback of a crash."""
    assert isinstance(crash, ValueError)
    names = [frame.name for frame in traceback.extract_tb(crash.__traceback__)]
    return names[names.index("_serve") + 1 :]


async def crash_of(send: Any, *, watched: bool = False) -> object:
    """Give the reason with which a server ends that gets a message."""
    async with otp.open_process():
        pid = await otp.start(otp.child(Cache))
        if watched:
            await otp.sys.log(pid, 10)
        monitor = otp.monitor(pid)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, pid)
            down = await otp.receive(otp.Down)
        assert down.ref == monitor
        return down.reason


async def get(pid: Any) -> None:
    """Call the server, whatever comes of it."""
    with suppress(otp.ServerExited):
        await Cache.get(pid)


async def get_or_raise(pid: Any) -> None:
    """Call the server by a method that tells some errors."""
    with suppress(otp.ServerExited):
        await Cache.get_or_raise(pid)


async def put(pid: Any) -> None:
    """Cast."""
    Cache.put(pid)


async def send(pid: Any) -> None:
    """Send a plain message."""
    otp.send(pid, 1)


async def test_a_message_of_a_method_is_run_in_one_way() -> None:
    """What a traceback shows between the loop and the method is one frame, the same for all."""
    assert ["_handle", "run", "get"] == frames_of(await crash_of(get))
    assert ["_handle", "run", "put"] == frames_of(await crash_of(put))
    assert ["_handle", "run", "run", "get_or_raise"] == frames_of(await crash_of(get_or_raise))


async def test_what_is_watched_goes_the_same_way() -> None:
    """There is no second dispatcher for servers that somebody watches."""
    for way in (get, get_or_raise, put, send):
        plain, watched = await crash_of(way), await crash_of(way, watched=True)
        assert frames_of(plain) == frames_of(watched)


def test_servers_and_machines_have_one_dispatcher() -> None:
    """Neither has a way of its own to take a message."""
    for loop in (ServerLoop, StatemLoop):
        for name in ("_serve", "_sort", "_next", "_wait", "_pause"):
            assert getattr(loop, name) is getattr(MessageLoop, name)


def test_loops_say_what_their_kinds_have_to_say() -> None:
    """A hook that is left out is an error at the first object, not at the first use."""
    assert inspect.isabstract(MessageLoop)
    assert inspect.isabstract(SupervisorLoop)
    hooks = "begin change child_exited due infos retry slot_of stop_children"
    assert hooks.split() == sorted(SupervisorLoop.__abstractmethods__)
    for loop in (ServerLoop, StatemLoop, StaticLoop, DynamicLoop, PartitionLoop):
        assert not inspect.isabstract(loop)


def test_management_calls_are_a_table() -> None:
    """Each loop lists what it answers, and every entry is the method of that name."""
    for loop in (StaticLoop, DynamicLoop, PartitionLoop):
        for name, method in loop.commands.items():
            assert getattr(loop, name) is method, name
    assert "resize" in PartitionLoop.commands
    assert "restart_child" not in DynamicLoop.commands


async def test_a_restart_goes_down_once() -> None:
    """It does not go back and forth between the base of the loops and its kind."""
    seen: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.endswith(("_supervisor/loop.py", "_supervisor/static_loop.py")):
            seen.append(file)

    async with otp.open_supervisor([otp.child(Cache).having(name="c")]):
        before = otp.whereis("c")
        Cache.put("c")
        sys.setprofile(note)
        try:
            await trio.testing.wait_all_tasks_blocked()
        finally:
            sys.setprofile(None)
        assert otp.whereis("c") not in (None, before)
    # Down at the end of the child, and down again when the supervisor wakes as the init is over;
    # then up, where it tells that nothing is under way any more.
    assert 4 == sum(one != other for one, other in pairwise(seen)), seen
