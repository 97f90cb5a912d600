"""A task that is cancelled in the very moment of its wake-up, by a `__del__` say, wakes once.

Trio ends the run if a task is woken twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable


class Worker(otp.Agent[int]):
    """What a pool lends."""


@pytest.fixture
def cancelled(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], trio.CancelScope]:
    """Give a scope that is cancelled as a module wakes the task in it."""

    def of(module: str) -> trio.CancelScope:
        place = f"trio_otp.{module}.reschedule"
        scope, really = trio.CancelScope(), trio.lowlevel.reschedule

        def wake(*arguments: Any) -> None:
            scope.cancel()
            really(*arguments)

        monkeypatch.setattr(place, wake)
        return scope

    return of


async def in_line(registry: Any, scope: trio.CancelScope, told: list[str]) -> None:
    """Wait for a lock that another task has."""
    with scope:
        try:
            async with registry.lock("key"):
                told.append("held")
        except otp.ServerExited:
            told.append("ended")


@pytest.mark.parametrize("ends", [True, False])
async def test_a_lock(
    ends: bool, cancelled: Callable[[str], trio.CancelScope], autojump_clock: Any
) -> None:
    """As it is given up, or as its registry ends."""
    told: list[str] = []
    registry = otp.registry("places")
    child = otp.child(otp.Registry).having(name="places")
    async with otp.open_supervisor([child]), trio.open_nursery() as nursery:
        async with registry.lock("key"):
            nursery.start_soon(in_line, registry, cancelled("_registry.lock"), told)
            await trio.testing.wait_all_tasks_blocked()
            if ends:
                otp.exit(otp.whereis("places"), "gone")  # type: ignore[arg-type]  # it is there
                await trio.testing.wait_all_tasks_blocked()
        await trio.testing.wait_all_tasks_blocked()
        async with registry.lock("key"):
            told.append("free")
    assert told[-1] == "free"


async def test_a_start(cancelled: Callable[[str], trio.CancelScope], autojump_clock: Any) -> None:
    """Its process has started, and stays."""

    async def slow(task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(1)
        task_status.started()
        await trio.sleep_forever()

    async with otp.open_process(trap_exit=True):
        with cancelled("_start.start"):
            pid = await otp.start_link(otp.child(slow))
        await trio.sleep(5)
        assert otp.is_alive(pid)


async def test_a_checkout(
    cancelled: Callable[[str], trio.CancelScope], autojump_clock: Any
) -> None:
    """The worker is lent to the next client."""

    async def client(scope: trio.CancelScope) -> None:
        with scope:
            async with pool.checkout():
                await trio.lowlevel.checkpoint()

    pool = otp.pool("workers", Worker)
    child = otp.child(otp.Pool, otp.child(Worker, int), size=1).having(name="workers")
    async with otp.open_supervisor([child]), trio.open_nursery() as nursery:
        async with pool.checkout():
            nursery.start_soon(client, cancelled("_net.checkout_request"))
            await trio.testing.wait_all_tasks_blocked()
        await trio.testing.wait_all_tasks_blocked()
        async with pool.checkout(timeout=5):
            pass
