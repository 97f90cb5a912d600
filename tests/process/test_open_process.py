"""open_process: plain Trio code with a pid and a mailbox, and how its block is left."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from inside import runtime

import trio_otp as otp


async def idle() -> None:
    await trio.sleep_forever()


class Diary(otp.GenServer):
    """Notes in a shared list why it ended."""

    def __init__(self, pages: list[Any], name: str) -> None:
        self.pages = pages
        self.name = name

    async def terminate(self, reason: object) -> None:
        self.pages.append((self.name, reason))


class Watcher(otp.GenServer):
    """Links itself to a process and notes the reason of its end."""

    def __init__(self, pages: list[Any], pid: otp.Pid[Any]) -> None:
        self.pages = pages
        otp.trap_exit()
        otp.link(pid)

    def handle_info(self, message: Any) -> None:
        self.pages.append(message.reason)


async def test_the_block_has_a_pid_and_a_name_and_loses_both() -> None:
    """Inside, whereis finds the block by name; afterwards pid and name are gone."""
    async with otp.open_process(name="me", label="main") as me:
        assert me is otp.self() is otp.whereis("me")
        assert "main" == otp.get_label("me")
        assert {me} == {process.pid for process in runtime().processes.values()}
    assert not otp.is_alive(me)
    assert {} == runtime().names
    assert {} == runtime().processes


async def test_a_taken_name_is_refused() -> None:
    """A second block with the same name raises AlreadyRegistered with the holder."""
    async with otp.open_process(name="me") as me:
        with pytest.raises(otp.AlreadyRegistered, match="'me'") as refused:
            async with otp.open_process(name="me"):
                pass
        assert me is refused.value.pid
        assert me is otp.self()
        assert 1 == len(runtime().processes)


async def test_a_name_of_a_process_that_is_about_to_end_is_refused_with_its_pid() -> None:
    """A holder that is exiting still has its name, and the error tells who it is."""

    async def slow() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.testing.wait_all_tasks_blocked()

    async with otp.open_process():
        pid = otp.spawn(slow)
        otp.register("me", pid)
        await trio.testing.wait_all_tasks_blocked()
        otp.exit(pid, "slowly")
        with pytest.raises(otp.AlreadyRegistered) as refused:
            async with otp.open_process(name="me"):
                pass
        assert pid is refused.value.pid


async def test_blocks_can_be_nested() -> None:
    """An inner block is another process in the same task; the outer one is back afterwards."""
    async with otp.open_process(name="outer") as outer:
        async with otp.open_process() as inner:
            assert inner is otp.self()
            assert ("outer",) == otp.ancestors()
            otp.send(outer, "for outer")
            otp.send(inner, "for inner")
            assert "for inner" == await otp.receive()
        assert outer is otp.self()
        assert "for outer" == await otp.receive()


async def test_leaving_stops_what_was_started_newest_first() -> None:
    """What the block started is shut down in reverse order when it ends, and dead afterwards."""
    pages: list[Any] = []
    async with otp.open_process():
        for name in "abc":
            await otp.start_link(otp.child(Diary, pages, name))
    assert [(name, otp.SHUTDOWN) for name in "cba"] == pages
    assert {} == runtime().processes


async def test_an_error_leaves_the_block_bare() -> None:
    """An exception of the body leaves as it is, not in a group, and is the reason links hear."""
    pages: list[Any] = []
    bug = ValueError("bug")
    async with trio.open_nursery() as nursery:

        async def block() -> None:
            async with otp.open_process() as me:
                await otp.start(otp.child(Watcher, pages, me).having(name="w"), nursery=nursery)
                raise bug

        with pytest.raises(ValueError, match="bug") as caught:
            await block()
        assert bug is caught.value
        assert caught.value.__cause__ is None
        await otp.stop("w")
    assert [bug] == pages


async def test_an_exit_signal_cancels_the_block() -> None:
    """A signal cancels the body at its checkpoint, and the block raises ProcessExited."""
    lines: list[str] = []

    async def block() -> None:
        async with otp.open_process(name="me"):
            otp.exit(otp.spawn_link(idle), "please")
            await trio.sleep_forever()
            lines.append("not reached")

    with pytest.raises(otp.ProcessExited, match="please") as caught:
        await block()
    assert "please" == caught.value.reason
    assert [] == lines
    assert otp.whereis("me") is None


async def test_a_signal_that_arrives_at_the_last_moment_counts() -> None:
    """A body that had no checkpoint after the signal still leaves with ProcessExited."""

    async def block() -> None:
        async with otp.open_process() as me:
            with trio.CancelScope(shield=True):
                otp.spawn(exit_other, me)
                await trio.testing.wait_all_tasks_blocked()
            assert not otp.is_alive(me)

    with pytest.raises(otp.ProcessExited, match="late"):
        await block()


async def exit_other(pid: otp.Pid[Any]) -> None:
    otp.exit(pid, "late")


async def test_a_crash_of_a_link_is_the_cause() -> None:
    """When a linked process crashes, ProcessExited carries the exception as its cause."""
    bug = LookupError("bug")

    async def crash() -> None:
        raise bug

    async def block() -> None:
        async with otp.open_process():
            otp.spawn_link(crash)
            await trio.sleep_forever()

    with pytest.raises(otp.ProcessExited) as caught:
        await block()
    assert bug is caught.value.reason
    assert bug is caught.value.__cause__


@pytest.mark.parametrize("reason", ["done", otp.SHUTDOWN, otp.KILL])
async def test_an_own_exit_leaves_as_process_exited(reason: object) -> None:
    """otp.exit(reason) in the block leaves it by ProcessExited."""

    async def block() -> None:
        async with otp.open_process():
            otp.exit(reason)

    with pytest.raises(otp.ProcessExited) as caught:
        await block()
    assert reason == caught.value.reason


async def test_an_own_normal_exit_just_leaves() -> None:
    """otp.exit(NORMAL) leaves the block without an error, as its end would."""
    lines: list[str] = []
    async with otp.open_process() as me:
        otp.exit(otp.NORMAL)
        lines.append("not reached")
    async with otp.open_process() as me:
        otp.exit(otp.self(), otp.NORMAL)
        lines.append("not reached")
    assert [] == lines
    assert not otp.is_alive(me)


async def test_a_cancellation_from_outside_is_a_shutdown_for_links() -> None:
    """A cancelled block ends with SHUTDOWN for whoever hears of it; the cancellation goes on."""
    pages: list[Any] = []
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with otp.open_process() as me:
                watcher = await otp.start(otp.child(Watcher, pages, me), nursery=nursery)
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught
        await otp.stop(watcher)
    assert [otp.SHUTDOWN] == pages


async def test_an_error_during_a_cancellation_is_the_reason() -> None:
    """If a task of the body fails while the block is cancelled, that error is what links hear."""
    pages: list[Any] = []

    async def fails() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("while cancelled")

    async with trio.open_nursery() as nursery:
        with pytest.RaisesGroup(ValueError), trio.CancelScope() as scope:
            async with otp.open_process() as me, trio.open_nursery() as inner:
                watcher = await otp.start(otp.child(Watcher, pages, me), nursery=nursery)
                inner.start_soon(fails)
                inner.start_soon(trio.sleep_forever)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        await otp.stop(watcher)
    assert ["while cancelled"] == [str(reason) for reason in pages]


async def test_ctrl_c_leaves_the_block_as_it_is() -> None:
    """KeyboardInterrupt in the body ends what was started and leaves as KeyboardInterrupt."""
    pages: list[Any] = []

    async def block() -> None:
        async with otp.open_process():
            await otp.start(otp.child(Diary, pages, "a"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await block()
    assert [("a", otp.SHUTDOWN)] == pages
    assert {} == runtime().processes


async def test_a_stubborn_process_is_killed_after_its_limit(autojump_clock: Any) -> None:
    """A process that ignores its shutdown is killed after its seconds, and the block ends."""

    class Stubborn(otp.GenServer, shutdown=2.0):
        def __init__(self) -> None:
            otp.trap_exit()

        async def terminate(self, reason: object) -> None:
            await trio.sleep(1000)

    async with otp.open_process():
        await otp.start(Stubborn)
    assert 2 == trio.current_time()


async def test_start_and_end_of_a_block_are_events() -> None:
    """Whoever listens to the start and end of processes hears of a block too."""
    heard: list[Any] = []
    async with otp.open_process():
        runtime().events.attach("process_start", lambda pid: heard.append(("start", pid)))
        runtime().events.attach("process_exit", lambda pid, why: heard.append(("end", pid, why)))
        async with otp.open_process() as inner:
            pass
        runtime().events.detach("process_exit", heard.append)
        assert [("start", inner), ("end", inner, otp.NORMAL)] == heard
