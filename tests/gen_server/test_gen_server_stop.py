"""otp.stop: what is served before, what it waits for, and what it tells."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from server_kit import Noted, Pages, raises, ran_once

import trio_otp as otp


async def test_stop_handles_what_is_queued_first() -> None:
    """stop ends the server after the messages before it, and waits for its end (GN-11)."""
    pages: Pages = []
    async with otp.open_process():
        pid = await otp.start(otp.child(Noted, pages))
        for number in range(3):
            otp.cast(pid, number)
        assert await otp.stop(pid) is None
        assert not otp.is_alive(pid)
        assert [0, 1, 2, *ran_once(otp.NORMAL)] == pages


@pytest.mark.parametrize("reason", [otp.SHUTDOWN, otp.Shutdown("x"), "any", None])
async def test_stop_with_a_reason(reason: object) -> None:
    """The reason given to stop is that of the end and of terminate."""
    pages: Pages = []
    async with otp.open_process():
        pid, _ = await otp.start_monitor(otp.child(Noted, pages))
        await otp.stop(pid, reason)
        assert reason == (await otp.receive(otp.Down)).reason
    assert [*ran_once(reason)] == pages


async def test_stop_that_takes_too_long_still_ends_the_server(autojump_clock: Any) -> None:
    """After a time-out the order stays in the mailbox, and the server ends later (GN-11)."""
    async with otp.open_process():
        pid, _ = await otp.start_monitor(otp.child(Noted, []))
        otp.cast(pid, partial(trio.sleep, 10))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(otp.CallTimeout):
            await otp.stop(pid, otp.SHUTDOWN, timeout=2)
        assert 2 == trio.current_time()
        assert otp.SHUTDOWN is (await otp.receive(otp.Down)).reason
        assert 10 == trio.current_time()


async def test_stop_of_nobody_is_no_process() -> None:
    """stop of a dead server or a free name raises NoProcess."""
    async with otp.open_process():
        pid = await otp.start(otp.child(Noted, []))
        await otp.stop(pid)
        for ref in (pid, "nobody"):
            with pytest.raises(otp.NoProcess):
                await otp.stop(ref)


async def test_stop_tells_if_the_server_ends_otherwise() -> None:
    """A server that ends with another reason than asked for is ServerExited with that."""
    bug = ValueError("in terminate")
    async with otp.open_process():
        pid = await otp.start(otp.child(Noted, [], raises(bug)))
        with pytest.raises(otp.ServerExited) as caught:
            await otp.stop(pid)
        assert bug is caught.value.reason


async def test_stop_ends_plain_processes_and_functions_too() -> None:
    """A process that handles no stop message is cancelled with the reason."""
    async with otp.open_process():
        pid, _ = otp.spawn_monitor(trio.sleep_forever)
        await otp.stop(pid, "done")
        assert "done" == (await otp.receive(otp.Down)).reason


@pytest.mark.parametrize("timeout", [-1, math.nan, "1"])
async def test_a_wrong_stop_timeout_is_refused(timeout: Any) -> None:
    """A time-out that is none is a ValueError, and the server lives."""
    async with otp.open_process():
        pid = await otp.start(otp.child(Noted, []))
        with pytest.raises(ValueError, match=r"timeout=.*expected"):
            await otp.stop(pid, timeout=timeout)
        assert otp.is_alive(pid)
