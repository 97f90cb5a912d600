"""Every await is a checkpoint, every sync call is none: for all public names of the library."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import trio
import trio.testing
from async_failures import CANNOT_FAIL, FAILURES
from async_kit import CASES, PUBLIC_ASYNC, is_async, public, slow, world
from sync_uses import NOT_CALLED, SYNC

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


def test_every_public_async_function_has_a_failing_case() -> None:
    """A new public async function fails this test until async_failures has a case of it."""
    beside = {"task.async_stream", "VirtualTime.advance", "VirtualTime.settle"}  # no functions
    failing = {name.split(":", maxsplit=1)[0] for name in FAILURES}
    assert PUBLIC_ASYNC | beside == failing | CANNOT_FAIL.keys()
    assert not failing & CANNOT_FAIL.keys()


@pytest.mark.parametrize("name", FAILURES)
async def test_an_error_is_a_checkpoint(name: str, autojump_clock: Any) -> None:
    """Who tries again in a loop lets others have their turn."""
    prepare, error = FAILURES[name]
    async with world(nothing) as w:
        fails = await prepare(w)
        with trio.testing.assert_checkpoints(), pytest.raises(error) as caught:
            await fails()
        assert error is type(caught.value)


@pytest.mark.parametrize("name", FAILURES)
async def test_a_cancellation_comes_before_an_error(name: str, autojump_clock: Any) -> None:
    """In a cancelled scope there is no error, so a loop that tries again ends."""
    prepare, _ = FAILURES[name]
    async with world(nothing) as w:
        fails = await prepare(w)
        with trio.CancelScope() as scope:
            scope.cancel()
            await fails()
        assert scope.cancelled_caught


async def test_a_retry_that_never_waits_ends_with_the_restart(autojump_clock: Any) -> None:
    """A loop around a call that fails at once is answered as soon as the server is back."""

    class Shop(otp.GenServer):
        async def init(self) -> None:
            await trio.testing.wait_all_tasks_blocked()

        @otp.on_call
        async def stock(self) -> int:
            return 42

    async with otp.open_supervisor([otp.child(Shop).having(name="shop")]):
        otp.exit("shop", otp.KILL)
        refused = 0
        while True:
            try:
                assert 42 == await Shop.stock("shop")
                break
            except otp.NoProcess:
                refused += 1
        assert refused > 0


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
