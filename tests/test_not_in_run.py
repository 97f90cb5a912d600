"""Where no Trio task runs, every function says so by NotInRun: asyncio, threads, no run at all."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

import pytest
import trio
from async_failures import SIMPLE
from sync_uses import SYNC

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable

MORE_SYNC: dict[str, Callable[[], object]] = {
    "alarm_handler.set_alarm": lambda: otp.alarm_handler.set_alarm("id"),
    "alarm_handler.clear_alarm": lambda: otp.alarm_handler.clear_alarm("id"),
    "application.get_env": lambda: otp.application.get_env("app", "key"),
    "application.load": lambda: otp.application.load(otp.Application),
    "application.which_applications": otp.application.which_applications,
    "events.attach": lambda: otp.events.attach("notice", print),
    "gen_event.notify": lambda: otp.gen_event.notify("manager", "event"),
    "pg.join": lambda: otp.pg.join("scope", "group", []),
    "pg.get_members": lambda: otp.pg.get_members("scope", "group"),
    "task.start_async": lambda: otp.task.start_async(trio.sleep, 1),
    "task.start_link": lambda: otp.task.start_link(trio.sleep, 1),
    "task.completed": lambda: otp.task.completed(1),
    "registry.lookup": lambda: otp.registry("registry").lookup("key"),
    "registry.send": lambda: otp.registry("registry").send("key", "message"),
    "partitions.count": lambda: otp.partitions("shop").count(),
    "Agent.cast": lambda: otp.Agent.cast("agent", len),
}


async def refuses_async(name: str) -> None:
    with pytest.raises(otp.NotInRun, match=r"trio\.run\(main\)"):
        await SIMPLE[name]()


def refuses(function: Callable[[], object]) -> None:
    with pytest.raises(otp.NotInRun, match=r"trio\.run\(main\)"):
        function()


def all_sync() -> None:
    for function in (*SYNC.values(), *MORE_SYNC.values()):
        refuses(function)


@pytest.mark.parametrize("name", SIMPLE)
def test_async_functions_under_asyncio(name: str) -> None:
    """Each public async function, and each block, raises NotInRun under asyncio.run."""
    asyncio.run(refuses_async(name))


def test_sync_functions_under_asyncio() -> None:
    """Each public sync function raises NotInRun under asyncio.run."""

    async def main() -> None:  # noqa: ASYNC124 - asyncio runs it
        all_sync()

    asyncio.run(main())


def test_sync_functions_without_any_run() -> None:
    """Each public sync function raises NotInRun where no event loop runs at all."""
    all_sync()


async def test_sync_functions_in_a_worker_thread() -> None:
    """Each public sync function raises NotInRun in a thread of a run."""
    await trio.to_thread.run_sync(all_sync)


async def test_async_functions_in_a_worker_thread() -> None:
    """An await in a thread is refused, and not only by the name of a Trio function."""

    def drive() -> None:
        for name in SIMPLE:
            running: Any = refuses_async(name)
            with pytest.raises(StopIteration):
                running.send(None)

    await trio.to_thread.run_sync(drive)


@pytest.mark.parametrize("timeout", [5.0, 1.0, 0.0, None])
def test_a_call_from_the_host_of_a_guest_run(timeout: float | None) -> None:
    """asyncio code beside a guest run has a run in its thread, but no task to wait in."""

    async def host() -> None:
        loop, over, begun = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        leave: list[trio.Event] = []

        async def guest() -> None:
            async with otp.open_supervisor([otp.child(otp.Agent, dict).having(name="agent")]):
                leave.append(trio.Event())
                begun.set()
                await leave[0].wait()

        trio.lowlevel.start_guest_run(
            guest,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=lambda _: over.set(),
        )
        await begun.wait()
        assert otp.whereis("agent") is not None
        for fails in (
            lambda: otp.call("agent", "x", timeout=timeout),
            lambda: otp.Agent.get("agent", len, timeout=timeout),
            lambda: otp.stop("agent", timeout=timeout),
            lambda: otp.which_children("agent"),
            lambda: otp.receive(timeout=timeout),
        ):
            with pytest.raises((otp.NotInRun, otp.NotAProcess)) as caught:
                await fails()
            assert otp.NotAProcess is not type(caught.value) or "receive" in str(caught.value)
        leave[0].set()
        await over.wait()

    asyncio.run(host())


async def test_a_callback_with_the_context_of_a_process_is_not_its_task() -> None:
    """Code of no task that has the context of a process, as of a signal handler, is a helper."""
    seen: list[object] = []

    async def block() -> None:
        async with otp.open_process() as me:
            context = contextvars.copy_context()

            def callback() -> None:
                seen.append(otp.self())
                otp.exit(me, "signal")

            trio.lowlevel.current_trio_token().run_sync_soon(context.run, callback)
            seen.append(me)
            await trio.sleep_forever()

    with pytest.raises(otp.ProcessExited) as caught:
        await block()
    assert "signal" == caught.value.reason
    assert seen[0] is seen[1]


def test_where_nothing_runs_the_error_says_what_to_write() -> None:
    """It speaks of asyncio and of threads only where these are."""

    def told() -> str:
        with pytest.raises(otp.NotInRun) as caught:
            otp.self()
        return str(caught.value)

    async def told_here() -> str:
        return told()

    start = "trio_otp works inside a Trio run"
    assert told() == f"{start}; write trio.run(main)"
    assert asyncio.run(told_here()) == f"{start}, not under asyncio; write trio.run(main)"
    in_thread = trio.run(trio.to_thread.run_sync, told)
    assert in_thread.endswith("or in a worker thread trio.from_thread.run(otp.call, ref, request)")
