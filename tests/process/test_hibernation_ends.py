"""The ends of a server that sleeps, each compared with the same end of one that waits."""

from __future__ import annotations

import contextvars
import signal
from typing import Any

import pytest
import trio
import trio.testing
from inside import process_of
from sleep_kit import Sleeper, Sync, a_sleeper, asleep, is_asleep

import trio_otp as otp

COLOUR: contextvars.ContextVar[str] = contextvars.ContextVar("colour")


class Ending(otp.GenServer):
    """Notes in a list, which outlives it, what it hears and how it ends."""

    def __init__(self, log: list[Any], *, trap: bool = False, wait: bool = False) -> None:
        self.log = log
        self.wait = wait
        otp.trap_exit(trap)

    async def handle_call(self, request: Any, from_: Any) -> Any:
        return request

    def handle_info(self, message: Any) -> None:
        self.log.append(message.reason if isinstance(message, otp.Exit) else message)

    async def terminate(self, reason: object) -> None:
        self.log.append(("terminate", reason))
        await trio.lowlevel.checkpoint()
        self.log.append("over")


class EndingAsleep(Ending):
    """The same, asleep."""

    hibernate_after = 0


# -- what ends it ----------------------------------------------------------------------------------


async def kill(pid: otp.Pid[Any], sup: Any) -> None:
    otp.exit(pid, otp.KILL)


async def exit_signal(pid: otp.Pid[Any], sup: Any) -> None:
    otp.exit(pid, "signal")


async def normal_signal(pid: otp.Pid[Any], sup: Any) -> None:
    otp.exit(pid, otp.NORMAL)
    await otp.call(pid, otp.Reply(None))


async def link_breaks(pid: otp.Pid[Any], sup: Any) -> None:
    async def body() -> None:
        otp.link(pid)
        otp.exit("broken")

    otp.spawn(body)


async def stop(pid: otp.Pid[Any], sup: Any) -> None:
    await otp.stop(pid, "asked")


async def stop_by_reply(pid: otp.Pid[Any], sup: Any) -> None:
    assert "bye" == await otp.call(pid, otp.Stop("said so", reply="bye"))


async def crash(pid: otp.Pid[Any], sup: Any) -> None:
    with pytest.raises(otp.ServerExited):
        await otp.call(pid, "no answer")


async def terminate_child(pid: otp.Pid[Any], sup: Any) -> None:
    await otp.terminate_child(sup, pid)


async def supervisor_stops(pid: otp.Pid[Any], sup: Any) -> None:
    await otp.stop(sup, otp.SHUTDOWN)


async def supervisor_is_killed(pid: otp.Pid[Any], sup: Any) -> None:
    otp.exit(sup, otp.KILL)


async def sys_terminate(pid: otp.Pid[Any], sup: Any) -> None:
    await otp.sys.terminate(pid, "by sys")


async def signal_then_message(pid: otp.Pid[Any], sup: Any) -> None:
    otp.exit(pid, "signal")
    otp.send(pid, "too late")


async def message_then_kill(pid: otp.Pid[Any], sup: Any) -> None:
    otp.send(pid, "not handled")
    otp.exit(pid, otp.KILL)


WAYS: list[Any] = [
    kill,
    exit_signal,
    normal_signal,
    link_breaks,
    stop,
    stop_by_reply,
    crash,
    terminate_child,
    supervisor_stops,
    supervisor_is_killed,
    sys_terminate,
    signal_then_message,
    message_then_kill,
]


async def end(server: type[Ending], way: Any, *, trap: bool) -> list[Any]:
    """Let a server under a supervisor end in some way; give what it and its monitor noticed."""
    log: list[Any] = []

    class Pool(otp.DynamicSupervisor):
        def init(self) -> Any:
            return otp.DynamicSupervisor.spec(max_restarts=0)

    async with otp.open_process(trap_exit=True):
        sup = await otp.start_link(Pool)
        child = otp.child(server, log, trap=trap).having(restart="temporary", name="ending")
        pid = await otp.start_child(sup, child)
        assert pid is not None
        await trio.testing.wait_all_tasks_blocked()
        assert is_asleep(pid) is (server is EndingAsleep)
        ref = otp.monitor(pid)
        await way(pid, sup)
        await trio.testing.wait_all_tasks_blocked()
        otp.exit(pid, otp.KILL)  # who has trapped the signal
        down = await otp.receive(lambda m: isinstance(m, otp.Down) and m.ref is ref)
        assert otp.whereis("ending") is None
        log.append(("down", down.reason))
    return [repr(entry) for entry in log]


@pytest.mark.parametrize("trap", [False, True])
@pytest.mark.parametrize("way", WAYS)
async def test_it_ends_as_one_that_waits(way: Any, trap: bool, autojump_clock: Any) -> None:
    """Its terminate runs or does not, its monitor hears the same."""
    awake = await end(Ending, way, trap=trap)
    assert awake == await end(EndingAsleep, way, trap=trap)
    assert "down" in awake[-1]


# -- the end of what it lives in -------------------------------------------------------------------


async def test_a_cancelled_nursery_stops_it_in_order() -> None:
    """Sleeping or not, newest first, each with its terminate."""
    log: list[Any] = []

    class Named(otp.GenServer):
        def __init__(self, number: int) -> None:
            self.number = number

        async def terminate(self, reason: object) -> None:
            await trio.lowlevel.checkpoint()
            log.append((self.number, reason))

    class NamedAsleep(Named):
        hibernate_after = 0

    async with trio.open_nursery() as nursery:
        for number in range(6):
            kind = Named if number % 2 else NamedAsleep
            await otp.start(otp.child(kind, number), nursery=nursery)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [(number, otp.SHUTDOWN) for number in reversed(range(6))] == log


async def test_a_nursery_waits_for_those_that_sleep(autojump_clock: Any) -> None:
    """As for a task: leaving the block does not end them."""
    async with trio.open_nursery() as nursery:
        pid = await asleep(await otp.start(Sync, nursery=nursery))
        begin = trio.current_time()
        otp.send_after(pid, "tick", 5)

        async def stop_later() -> None:
            await trio.sleep(10)
            await otp.stop(pid)

        trio.lowlevel.spawn_system_task(stop_later)
        process = process_of(pid)
        server = process.instance
    assert process.dead
    assert 10 == trio.current_time() - begin
    assert ["tick", ("terminate", otp.NORMAL)] == server.log


async def test_the_end_of_open_process_stops_it() -> None:
    """What the block has started is shut down when it is left."""
    async with otp.open_process():
        pid = await otp.start_link(Sync)
        await asleep(pid)
        log = process_of(pid).instance.log
    assert [("terminate", otp.SHUTDOWN)] == log


async def test_a_deadline_around_a_supervisor_stops_it(autojump_clock: Any) -> None:
    """A cancellation from outside reaches it through its supervisor."""
    with trio.move_on_after(5):
        async with otp.open_supervisor([otp.child(Sync).having(name="s")]) as sup:
            await trio.testing.wait_all_tasks_blocked()
            pid = otp.whereis("s")
            assert pid is not None
            log = process_of(pid).instance.log
            assert is_asleep(pid)
            await sup.wait()
    assert [("terminate", otp.SHUTDOWN)] == log


def test_ctrl_c_stops_it() -> None:
    """Ctrl-C in the main task ends the block, and with it those that sleep."""
    logs = []

    async def main() -> None:
        async with otp.open_supervisor([otp.child(Sync).having(name="s")]):
            await trio.testing.wait_all_tasks_blocked()
            pid = otp.whereis("s")
            assert pid is not None
            assert is_asleep(pid)
            logs.append(process_of(pid).instance.log)
            signal.raise_signal(signal.SIGINT)
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert [[("terminate", otp.SHUTDOWN)]] == logs


async def test_a_stuck_terminate_is_killed_in_its_time(autojump_clock: Any) -> None:
    """The limit of the child counts from the order, also if that had to wake it."""

    class Stuck(Sync, shutdown=3.0):
        async def terminate(self, reason: object) -> None:
            await trio.sleep_forever()

    begin = trio.current_time()
    async with trio.open_nursery() as nursery:
        await asleep(await otp.start(Stuck, nursery=nursery))
        nursery.cancel_scope.cancel()
    assert 3 == trio.current_time() - begin


async def test_brutal_kill_gives_it_no_time() -> None:
    """It dies without its terminate."""

    class Brutal(Sync, shutdown="brutal_kill"):
        pass

    async with otp.open_supervisor([otp.child(Brutal).having(name="b")]):
        await trio.testing.wait_all_tasks_blocked()
        log = process_of(otp.whereis("b")).instance.log
    assert [] == log


async def test_one_for_all_takes_those_that_sleep_along() -> None:
    """A crash restarts a sibling that sleeps."""
    children = [otp.child(Sleeper).having(name="a"), otp.child(Sync).having(name="b")]
    async with otp.open_supervisor(children, strategy="one_for_all"):
        await trio.testing.wait_all_tasks_blocked()
        before = otp.whereis("b")
        assert before is not None
        log = process_of(before).instance.log
        otp.cast("a", lambda: otp.exit("crash"))
        await trio.testing.wait_all_tasks_blocked()
        assert [("terminate", otp.SHUTDOWN)] == log
        after = otp.whereis("b")
        assert after not in (None, before)
        assert await otp.call("b", 5) == 5


# -- nobody hangs on it ----------------------------------------------------------------------------


async def test_a_deferred_call_is_answered_by_its_death() -> None:
    """It sleeps with the request open, and is killed."""
    async with otp.open_process():
        pid = await otp.start(Sleeper)
        request = otp.send_request(pid, otp.NoReply())
        await asleep(pid)
        otp.exit(pid, otp.KILL)
        with pytest.raises(otp.ServerExited) as caught:
            await otp.receive_response(request)
        assert otp.KILLED == caught.value.reason


@pytest.mark.parametrize("keeps_context", [False, True])
async def test_a_call_and_a_kill_at_once(keeps_context: bool) -> None:
    """The call has woken it, the kill is what it finds."""
    async with otp.open_process():
        pid = await otp.start(Sync)
        if keeps_context:
            await otp.call(pid, lambda: COLOUR.set("red"))
        await asleep(pid)
        request = otp.send_request(pid, 1)
        otp.exit(pid, otp.KILL)
        with pytest.raises(otp.ServerExited):
            await otp.receive_response(request)


async def test_circles_of_calls_are_found() -> None:
    """Two that sleep call each other."""

    async def ask_back(other: str, me: str) -> Any:
        async def again() -> Any:
            with pytest.raises(otp.DeadlockError):
                await otp.call(other, otp.Reply(None))
            return otp.Reply("found")

        return otp.Reply(await otp.call(me, again))

    async with otp.open_process():
        for name in ("a", "b"):
            await asleep(await otp.start_link(otp.child(Sleeper).having(name=name)))
        assert "found" == await otp.call("a", lambda: ask_back("a", "b"))


async def test_a_helper_of_it_may_look_into_its_mailbox() -> None:
    """A helper task takes messages out of the mailbox of its process, which is empty."""
    done = trio.Event()

    async with otp.open_process(), trio.open_nursery() as nursery:

        async def helper() -> None:
            await trio.testing.wait_all_tasks_blocked()
            otp.demonitor(ref, flush=True)
            done.set()

        def begin() -> Any:
            nonlocal ref
            ref = otp.monitor(peer)
            nursery.start_soon(helper)
            return otp.Reply(None)

        ref: Any = None
        peer = await a_sleeper()
        pid = await a_sleeper()
        await otp.call(pid, begin)
        await done.wait()
        assert is_asleep(pid)
        assert () == otp.process_info(pid).monitors


async def test_its_mailbox_is_one_object_and_wakes_it_once() -> None:
    """Who holds it reaches the process, whether that sleeps or not."""
    async with otp.open_process():
        pid = await a_sleeper()
        process = process_of(pid)
        sleeping = process.mailbox
        assert 0 == len(sleeping)
        sleeping.put("one")
        sleeping.put("two")
        await asleep(pid)
        assert process.mailbox is sleeping
        assert [("info", "one"), ("info", "two")] == process.instance.log
