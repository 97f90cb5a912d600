"""Every await is a checkpoint, every sync call is none: for all public names of the library."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import trio
import trio.testing
from async_kit import CASES, PUBLIC_ASYNC, is_async, public, slow, world

import trio_otp as otp


def nothing() -> None:
    """Do nothing when an operation begins."""


def test_every_public_async_function_has_a_case() -> None:
    """A new public async function fails this test until async_kit has a case of it."""
    blocks = {"task.async_stream"}  # sync functions that give a block
    assert PUBLIC_ASYNC | blocks == {name.split(":", maxsplit=1)[0] for name in CASES}


@pytest.mark.parametrize("name", CASES)
async def test_async_functions_are_checkpoints(name: str, autojump_clock: Any) -> None:
    """Each passes a checkpoint, also when it has nothing to wait for."""
    async with world(nothing) as w:
        with trio.testing.assert_checkpoints():
            await CASES[name](w)


# What is left out of the table below, and why.
NOT_CALLED = {
    "check_childspecs": "runs outside of a run",
    "child": "runs outside of a run",
    "init_ack": "needs a process that starts; see test_special_process",
    "init_fail": "needs a process that starts; see test_special_process",
    "is_quiet": "is pure",
    "on_call": "decorates",
    "on_call_deferred": "decorates",
    "on_cast": "decorates",
    "on_info": "decorates",
    "on_state": "decorates",
    "partitions": "runs outside of a run",
    "registry": "runs outside of a run",
    "run": "is the whole program",
    "template": "runs outside of a run",
    "reply": "needs a call in hand; see test_handlers_do_not_wait",
    "reply_from_task": "needs a call in hand; see test_handlers_do_not_wait",
}
# What each function is called with in a process, with `up` for a server.
SYNC: dict[str, Any] = {
    "abcast": lambda: otp.abcast(["up", "me"], "x"),
    "ancestors": otp.ancestors,
    "apply_after": lambda: otp.apply_after(1, trio.lowlevel.checkpoint),
    "apply_interval": lambda: otp.apply_interval(1, trio.lowlevel.checkpoint),
    "callers": otp.callers,
    "cancel_timer": lambda: otp.cancel_timer(otp.send_after("up", 1, 1)),
    "cast": lambda: otp.cast("up", "x"),
    "check_response": lambda: otp.check_response(otp.send_request("up", "x")),
    "demonitor": lambda: otp.demonitor(otp.monitor("nobody"), flush=True),
    "dictionary": otp.dictionary,
    "exit": lambda: otp.exit("up", otp.NORMAL),
    "get_label": lambda: otp.get_label("up"),
    "is_alive": lambda: otp.is_alive("up"),
    "link": lambda: otp.link(otp.whereis("up")),
    "metadata": otp.metadata,
    "monitor": lambda: otp.monitor("up"),
    "process_count": otp.process_count,
    "process_info": lambda: otp.process_info("up"),
    "processes": otp.processes,
    "read_timer": lambda: otp.read_timer(otp.send_after("up", 1, 1)),
    "register": lambda: otp.register("new", otp.spawn(trio.lowlevel.checkpoint)),
    "registered": otp.registered,
    "reset_metadata": otp.reset_metadata,
    "self": otp.self,
    "send": lambda: otp.send("me", "x"),
    "send_request": lambda: otp.send_request("up", "x"),
    "send_after": lambda: otp.send_after("me", "x", 1),
    "send_interval": lambda: otp.send_interval("me", "x", 1),
    "send_end": lambda: otp.send_end("me").close(),
    "set_label": lambda: otp.set_label("x"),
    "set_metadata": lambda: otp.set_metadata(a=1),
    "spawn": lambda: otp.spawn(trio.lowlevel.checkpoint),
    "spawn_link": lambda: otp.spawn_link(trio.lowlevel.checkpoint),
    "spawn_monitor": lambda: otp.spawn_monitor(trio.lowlevel.checkpoint),
    "trap_exit": otp.trap_exit,
    "tree": otp.tree,
    "unlink": lambda: otp.unlink(otp.whereis("up")),
    "unregister": lambda: otp.unregister("server"),
    "whereis": lambda: otp.whereis("up"),
}
PUBLIC_SYNC = {
    name
    for name, function in public()
    if "." not in name and inspect.isfunction(function) and not is_async(function)
}


def test_every_public_sync_function_is_called_or_has_a_reason() -> None:
    """A new public function fails this test until it is in one of the tables above."""
    assert PUBLIC_SYNC == SYNC.keys() | NOT_CALLED.keys()


@pytest.mark.parametrize("name", SYNC)
async def test_sync_functions_are_no_checkpoints(name: str, autojump_clock: Any) -> None:
    """Each returns at once, and nothing that would have to be awaited."""
    async with world(nothing):
        with trio.testing.assert_no_checkpoints():
            result = SYNC[name]()
        assert not inspect.isawaitable(result)


async def test_handlers_do_not_wait() -> None:
    """Replying, and starting a helper that replies, are no checkpoints in a handler."""

    class Server(otp.GenServer):
        async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            with trio.testing.assert_no_checkpoints():
                if request == "reply":
                    otp.reply(from_, "replied")
                else:
                    otp.reply_from_task(from_, helper)
            return otp.NoReply()

    async def helper() -> str:
        return "helped"

    async with otp.open_process():
        pid = await otp.start_link(Server)
        assert "replied" == await otp.call(pid, "reply")
        assert "helped" == await otp.call(pid, "helper")


async def test_a_start_that_fails_leaves_room_for_others(autojump_clock: Any) -> None:
    """Calls in a loop let other tasks run, whether they succeed or fail."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with world(nothing), trio.open_nursery() as nursery:
        nursery.start_soon(other)
        for _ in range(100):
            with pytest.raises(otp.AlreadyStarted):
                await otp.start(slow("server"))
        assert turns >= 99
        nursery.cancel_scope.cancel()
