"""Worker threads: how they reach processes, and what refuses them."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import trio
import trio.testing
from inside import process_of, runtime

import trio_otp as otp


class Adder(otp.GenServer):
    def __init__(self) -> None:
        self.total = 0
        self.waiting: list[otp.From[int]] = []

    @otp.on_call
    async def add(self, number: int) -> int:
        self.total += number
        return self.total

    @otp.on_call
    async def add_in_thread(self, number: int) -> int:
        """Let a worker thread call this server, which is busy with the thread."""
        return await trio.to_thread.run_sync(trio.from_thread.run, Adder.add, otp.self(), number)

    @otp.on_call_deferred
    async def later(self, from_: otp.From[int]) -> None:
        self.waiting.append(from_)


async def test_a_thread_calls_by_from_thread_run() -> None:
    """trio.from_thread.run(otp.call, ...) and client methods work from a worker thread."""

    def work(ref: otp.Pid[Adder]) -> list[int]:
        by_class = trio.from_thread.run(Adder.add, ref, 5)
        return [by_class, trio.from_thread.run(Adder.at(ref).add, 7)]

    async with trio.open_nursery() as nursery:
        server = await otp.start(Adder, nursery=nursery)
        assert [5, 12] == await trio.to_thread.run_sync(work, server)
        nursery.cancel_scope.cancel()


async def test_a_thread_gets_the_error_of_a_call() -> None:
    """The errors of a call reach the thread as they are."""
    async with otp.open_process():
        pid = await otp.start_link(Adder)
        await otp.stop(pid)
        with pytest.raises(otp.NoProcess):
            await trio.to_thread.run_sync(trio.from_thread.run, otp.call, pid, "x")


async def test_a_foreign_thread_calls_with_a_token() -> None:
    """A thread that Trio did not start calls with a trio token; it is nobody's process."""
    token = trio.lowlevel.current_trio_token()
    got: list[object] = []

    def work(ref: otp.Pid[Adder]) -> None:
        got.append(trio.from_thread.run(Adder.add, ref, 5, trio_token=token))
        try:
            trio.from_thread.run_sync(otp.self, trio_token=token)
        except otp.NotAProcess as exc:
            got.append(type(exc))

    async with otp.open_process():
        server = await otp.start_link(Adder)
        thread = threading.Thread(target=work, args=(server,))
        thread.start()
        await trio.to_thread.run_sync(thread.join)
    assert [5, otp.NotAProcess] == got


async def test_messages_from_a_thread() -> None:
    """send from a worker thread goes through from_thread.run_sync."""
    async with otp.open_process() as me:
        await trio.to_thread.run_sync(trio.from_thread.run_sync, otp.send, me, "hello")
        assert "hello" == await otp.receive()


async def test_a_thread_of_a_server_that_calls_the_server_is_told() -> None:
    """The server waits for its thread, so a call of the thread to it is CallingSelf, not a hang."""
    async with otp.open_process():
        server = await otp.start(Adder)
        with pytest.raises(otp.ServerExited) as caught:
            await Adder.add_in_thread(server, 1)
        assert isinstance(caught.value.reason, otp.CallingSelf)


def in_thread(function: Any, *args: Any) -> Any:
    """Return what a function raises in a worker thread, outside of the run."""
    with pytest.raises(otp.NotInRun, match=r"trio\.from_thread\.run\(otp\.call") as caught:
        function(*args)
    return caught.value


async def test_every_sync_function_refuses_a_worker_thread() -> None:
    """Called in a thread directly, a function raises NotInRun with the line to write."""
    async with otp.open_process(name="me") as me:
        timer = otp.send_after(me, "never", 100)
        functions: list[tuple[Any, ...]] = [
            (otp.self,),
            (otp.send, me, "x"),
            (otp.cast, me, "x"),
            (otp.whereis, me),
            (otp.whereis, "me"),
            (otp.is_alive, me),
            (otp.get_label, me),
            (otp.registered,),
            (otp.register, "name", me),
            (otp.unregister, "me"),
            (otp.send_end, me),
            (otp.send_after, me, "x", 1),
            (otp.cancel_timer, timer),
            (otp.read_timer, timer),
            (otp.exit, me, "x"),
            (otp.exit, "x"),
            (otp.link, me),
            (otp.unlink, me),
            (otp.monitor, me),
            (otp.trap_exit,),
            (otp.dictionary,),
            (otp.ancestors,),
            (otp.callers,),
            (otp.set_label, "x"),
            (otp.spawn, trio.sleep_forever),
            (otp.spawn_link, trio.sleep_forever),
            (otp.spawn_monitor, trio.sleep_forever),
        ]
        for function in functions:
            await trio.to_thread.run_sync(in_thread, *function)
        assert 100 > (otp.cancel_timer(timer) or 0) > 0
        assert {"me"} == set(runtime().names)


async def test_a_reply_in_a_thread_is_refused_and_the_caller_still_gets_one() -> None:
    """otp.reply directly from a thread raises NotInRun and does not use the From up."""
    async with otp.open_process():
        server = await otp.start(Adder)
        got: list[int] = []

        async def ask() -> None:
            got.append(await Adder.later(server))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            process = process_of(server)
            from_ = process.instance.waiting[0]
            await trio.to_thread.run_sync(in_thread, otp.reply, from_, 1)
            assert otp.reply(from_, 2)
        assert [2] == got


async def test_demonitor_in_a_thread_is_refused() -> None:
    """demonitor changes tables too, and raises NotInRun in a thread."""
    async with otp.open_process():
        monitor = otp.monitor(otp.spawn(trio.sleep_forever))
        await trio.to_thread.run_sync(in_thread, otp.demonitor, monitor)
        assert otp.demonitor(monitor)
