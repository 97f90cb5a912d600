"""A start under a name whose holder is about to die waits, but neither for ever nor for nothing."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from inside import runtime

import trio_otp as otp


class Server(otp.GenServer):
    """Nothing special."""


async def holds(seconds: float) -> None:
    """Take the name, and need some time to end."""
    otp.register("name", otp.self())
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)


async def exiting(nursery: trio.Nursery, seconds: float) -> None:
    pid = otp.spawn(holds, seconds, nursery=nursery)
    await trio.testing.wait_all_tasks_blocked()
    otp.exit(pid, "boom")


async def test_a_nursery_stops_what_started_after_such_a_wait(autojump_clock: object) -> None:
    """The guard of the nursery may have left during the wait; the process is guarded still."""
    async with trio.open_nursery() as other:
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                await exiting(other, 1)
                pid = await otp.start(otp.child(Server).having(name="name"), nursery=nursery)
                nursery.cancel_scope.cancel()
        assert not otp.is_alive(pid)


async def test_the_wait_is_part_of_the_time_limit(autojump_clock: object) -> None:
    """A start with a time-out fails with it if the name is not free by then."""
    async with trio.open_nursery() as nursery:
        await exiting(nursery, 3)
        began = trio.current_time()
        with pytest.raises(otp.StartError) as caught:
            await otp.start(otp.child(Server).having(name="name", timeout=0.5), nursery=nursery)

        assert otp.TIMEOUT is caught.value.reason
        assert 0.5 == pytest.approx(trio.current_time() - began)


async def test_a_holder_cannot_wait_for_who_waits_for_its_end(
    autojump_clock: object,
) -> None:
    """A circle of a start and a call is told to whoever closes it, and so the start goes on."""

    async def asks_its_supervisor() -> None:
        otp.register("name", otp.self())
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
                await otp.which_children("sup")

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery, otp.open_supervisor(name="sup"):
            pid = otp.spawn(asks_its_supervisor, nursery=nursery)
            await trio.testing.wait_all_tasks_blocked()
            otp.exit(pid, "boom")
            await trio.sleep(0.5)
            pid = await otp.start_child("sup", otp.child(Server).having(name="name"))
            assert pid == otp.whereis("name")


async def test_a_server_does_not_wait_for_its_own_end(autojump_clock: object) -> None:
    """Starting another under one's own name from `terminate` is refused at once."""
    refused: list[object] = []

    class Last(otp.GenServer):
        async def terminate(self, reason: object) -> None:
            with pytest.raises(otp.StartError) as caught:
                await otp.start(otp.child(Server).having(name="name"))
            refused.append(caught.value.reason)

    with trio.fail_after(5):
        async with otp.open_supervisor([otp.child(Last).having(name="name", shutdown=None)]):
            pass
    assert [otp.CallingSelf] == [type(reason) for reason in refused]


async def test_nothing_starts_for_a_starter_that_has_ended(autojump_clock: object) -> None:
    """A helper task that outlives its process cannot start what that process would monitor."""
    errors: list[Any] = []

    async def helper(nursery: trio.Nursery) -> None:
        try:
            await otp.start_monitor(otp.child(Server).having(name="name"), nursery=nursery)
        except otp.StartError as exc:
            errors.append(exc.reason)

    async with trio.open_nursery() as nursery:

        async def starter() -> None:
            nursery.start_soon(helper, nursery)
            await trio.sleep(0.1)

        await exiting(nursery, 1)
        otp.spawn(starter, nursery=nursery)
        await trio.sleep(3)

        assert [otp.NOPROC] == errors
        assert otp.whereis("name") is None


async def test_a_closed_nursery_leaves_nothing_behind() -> None:
    """Starting in a nursery that is over is an error, and no ordered nursery of it is kept."""
    async with trio.open_nursery() as nursery:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        otp.spawn(trio.sleep_forever, nursery=nursery)
    assert {} == runtime().nurseries
