"""A start under a supervisor whose caller is cancelled: nothing is left of the child."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from inside import runtime
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

STEPS = 25  # turns of the scheduler, more than any of these starts takes


class Child(otp.GenServer):
    """Takes some turns to start and to end, and says how far it came."""

    def __init__(self, journal: list[str], turns: int = 3) -> None:
        self.journal = journal
        self.turns = turns

    async def init(self) -> Any:
        self.journal.append("init")
        for _ in range(self.turns):
            await trio.lowlevel.checkpoint()
        return otp.NoReply(continue_="started")

    def handle_continue(self, token: Any) -> None:
        self.journal.append(token)

    async def terminate(self, reason: object) -> None:
        assert otp.SHUTDOWN is reason
        await trio.lowlevel.checkpoint()
        self.journal.append("terminate")


class Stuck(otp.GenServer):
    """Never comes to the end of its init."""

    async def init(self) -> None:
        await trio.sleep_forever()


async def job(
    journal: list[str], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Be a function that takes some turns until it has started."""
    for _ in range(3):
        await trio.lowlevel.checkpoint()
    task_status.started()
    await trio.sleep_forever()


SUPERVISORS: dict[str, Callable[[], Any]] = {
    "Supervisor": lambda: otp.child(otp.Supervisor, []),
    "DynamicSupervisor": lambda: otp.child(otp.DynamicSupervisor),
    "TaskSupervisor": lambda: otp.child(otp.TaskSupervisor),
}
CHILDREN: dict[str, Callable[[list[str]], Any]] = {
    "a server": lambda journal: otp.child(Child, journal),
    "a server that starts at once": lambda journal: otp.child(Child, journal, turns=0),
    "a named server": lambda journal: otp.child(Child, journal).having(name="named"),
    "one with a time-out": lambda journal: otp.child(Child, journal).having(timeout=60),
    "one that is killed": lambda journal: otp.child(Child, journal).having(shutdown="brutal_kill"),
    "a function": lambda journal: otp.child(job, journal).having(id="job"),
}


async def start(child: Any, journal: list[str]) -> Any:
    """Start it by the general function."""
    return await otp.start_child("sup", child)


async def ensure(child: Any, journal: list[str]) -> Any:
    """Start it as what is to be there under a name."""
    return await otp.ensure_child("sup", child.having(name="named"))


async def cancelled_after(turns: int, do: Callable[[], Awaitable[Any]]) -> Any:
    """Cancel something after so many turns of the scheduler; return what it has returned."""
    result = None

    async def cancel(scope: trio.CancelScope) -> None:
        for _ in range(turns):
            await trio.lowlevel.checkpoint()
        scope.cancel()

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            if turns:
                nursery.start_soon(cancel, scope)
            else:
                scope.cancel()
            result = await do()
    return result


async def check_nothing_left(before: int) -> None:
    """Check that there is no process more than before, no child, and that another one starts."""
    assert before == otp.process_count()
    assert [] == await otp.which_children("sup")
    assert otp.whereis("named") is None
    journal: list[str] = []
    pid = await otp.start_child("sup", otp.child(Child, journal).having(name="named", id="next"))
    assert otp.whereis("named") == pid
    assert "init" == journal[0]


@pytest.mark.sampled(180)
@pytest.mark.parametrize("heard", [False, True])
@pytest.mark.parametrize("how", [start, ensure])
@pytest.mark.parametrize("child", CHILDREN)
@pytest.mark.parametrize("kind", SUPERVISORS)
@pytest.mark.parametrize("turns", range(STEPS))
async def test_it_is_taken_back_whenever_it_is_cancelled(
    turns: int, kind: str, child: str, how: Any, heard: bool
) -> None:
    """The caller has its pid, or there is no such child, when the cancellation arrives."""
    journal: list[str] = []
    async with otp.open_process():
        if heard:  # the supervisor then starts it in its own task
            runtime().events.attach("process_start", lambda _: None)
        await otp.start_link(SUPERVISORS[kind]().having(name="sup"))
        before = otp.process_count()
        wanted = CHILDREN[child](journal)
        pid = await cancelled_after(turns, lambda: how(wanted, journal))
        if pid is not None:
            assert otp.is_alive(pid)
            assert [pid] == [info.pid for info in await otp.which_children("sup")]
            return
        if "started" in journal and child != "one that is killed":
            assert "terminate" == journal[-1]
        await check_nothing_left(before)


@pytest.mark.parametrize("kind", SUPERVISORS)
async def test_one_that_waits_for_its_turn_is_passed_over(kind: str) -> None:
    """The caller is gone at once; the supervisor finishes what it is doing."""
    journal: list[str] = []
    release = trio.Event()

    class Slow(otp.GenServer):
        async def init(self) -> None:
            await release.wait()

    async with otp.open_process(), trio.open_nursery() as nursery:
        await otp.start_link(SUPERVISORS[kind]().having(name="sup"))
        nursery.start_soon(otp.start_child, "sup", otp.child(Slow).having(id="slow"))
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                inner.start_soon(otp.start_child, "sup", otp.child(Child, journal))
                await wait_all_tasks_blocked()
                scope.cancel()
        assert not release.is_set()
        release.set()
        assert 1 == len(await otp.which_children("sup"))
    assert [] == journal


async def test_one_that_waits_for_its_name_is_broken_off() -> None:
    """Whoever has the name may take long to end."""
    release = trio.Event()

    async def hold_on() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await release.wait()

    async with otp.open_process(trap_exit=True):
        await otp.start_link(SUPERVISORS["Supervisor"]().having(name="sup"))
        holder = await otp.start_link(otp.child(hold_on).having(name="named"))
        await wait_all_tasks_blocked()
        otp.exit(holder, "end")
        journal: list[str] = []
        child = otp.child(Child, journal).having(name="named")
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(otp.start_child, "sup", child)
                await wait_all_tasks_blocked()
                scope.cancel()
        assert [] == await otp.which_children("sup")
        release.set()
        await otp.receive(otp.Exit)
        assert [] == journal
        assert otp.is_alive(await otp.start_child("sup", child))


async def test_an_init_that_does_not_end_is_killed_at_its_limit(autojump_clock: Any) -> None:
    """The caller waits for that, as a start without a supervisor does."""

    class Late(otp.GenServer):
        async def init(self) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(7)

    async with otp.open_process():
        await otp.start_link(SUPERVISORS["Supervisor"]().having(name="sup"))
        with trio.move_on_after(1):
            await otp.start_child("sup", otp.child(Late).having(shutdown=2))
        assert 7 == trio.current_time()
        assert [] == await otp.which_children("sup")


async def test_a_restart_that_is_cancelled_leaves_the_child_down() -> None:
    """As it was before; it can be restarted again."""
    journal: list[str] = []
    async with otp.open_process():
        await otp.start_link(SUPERVISORS["Supervisor"]().having(name="sup"))
        await otp.start_child("sup", otp.child(Child, journal).having(id="child"))
        await otp.terminate_child("sup", "child")
        for turns in range(STEPS):
            journal.clear()
            pid = await cancelled_after(turns, lambda: otp.restart_child("sup", "child"))
            [info] = await otp.which_children("sup")
            assert (pid, "undefined" if pid is None else "running") == (info.pid, info.status)
            assert "started" not in journal or pid is not None or "terminate" == journal[-1]
            if pid is not None:
                await otp.terminate_child("sup", "child")
        assert pid is not None


async def test_a_job_whose_start_is_cancelled_does_not_run() -> None:
    """Nobody could take its result."""
    ran: list[str] = []

    async def work() -> None:
        ran.append("began")
        await trio.sleep_forever()

    async with otp.open_process():
        await otp.start_link(SUPERVISORS["TaskSupervisor"]().having(name="sup"))
        for start_one in (otp.TaskSupervisor.start_child, otp.TaskSupervisor.start_async):
            with trio.CancelScope() as scope:
                scope.cancel()
                await start_one("sup", work)
            await wait_all_tasks_blocked()
            assert [] == await otp.which_children("sup")
    assert [] == ran


async def test_an_item_of_a_stream_is_given_although_its_start_was_cancelled() -> None:
    """A consumer that looks only for a while loses nothing."""

    async def number(item: int) -> int:
        return item

    for turns in range(STEPS):
        given: list[Any] = []
        async with otp.open_process():
            await otp.start_link(SUPERVISORS["TaskSupervisor"]().having(name="sup"))
            runtime().events.attach("process_start", lambda _: None)
            async with otp.TaskSupervisor.async_stream("sup", [1, 2, 3], number) as results:
                first = await cancelled_after(turns, results.__anext__)
                given += [] if first is None else [first]
                given += [result async for result in results]
        assert [1, 2, 3] == [result.value for result in given]


async def test_a_caller_that_dies_leaves_the_child_to_its_supervisor() -> None:
    """As in OTP: the request of a dead caller is handled, and nobody takes the answer."""
    journal: list[str] = []

    async def caller() -> None:
        await otp.start_child("sup", otp.child(Child, journal))

    async with otp.open_process(trap_exit=True):
        await otp.start_link(SUPERVISORS["Supervisor"]().having(name="sup"))
        pid = otp.spawn(caller)
        while "init" not in journal:
            await trio.lowlevel.checkpoint()
        otp.exit(pid, "end")
        await wait_all_tasks_blocked()
        assert ["init", "started"] == journal
        assert 1 == len(await otp.which_children("sup"))


async def test_a_supervisor_that_ends_meanwhile_ends_the_wait() -> None:
    """Nothing is left to be taken back."""
    async with otp.open_process(trap_exit=True):
        for end in (otp.KILL, otp.SHUTDOWN):
            sup = await otp.start_link(SUPERVISORS["Supervisor"]())
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(otp.start_child, sup, otp.child(Stuck))
                    await wait_all_tasks_blocked()
                    scope.cancel()
                    otp.exit(sup, end)
            await otp.receive(otp.Exit)


async def test_a_terminate_that_asks_the_caller_is_told_of_the_circle() -> None:
    """The caller waits for the end of the child, which would wait for the caller."""
    seen: list[str] = []

    class Asks(otp.GenServer):
        def __init__(self, boss: otp.Pid[Any]) -> None:
            self.boss = boss

        async def init(self) -> None:
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    try:
                        await otp.call(self.boss, "hello", timeout=None)
                    except otp.DeadlockError as exc:
                        seen.append(type(exc).__name__)

    class Boss(otp.GenServer):
        @otp.on_call
        async def hire(self) -> None:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._cancel, scope)
                    with trio.CancelScope():
                        await otp.start_child("sup", otp.child(Asks, otp.self()))

        async def _cancel(self, scope: trio.CancelScope) -> None:
            await wait_all_tasks_blocked()
            scope.cancel()

    async with otp.open_process():
        await otp.start_link(SUPERVISORS["Supervisor"]().having(name="sup"))
        boss = await otp.start_link(Boss)
        await Boss.hire(boss)
    assert ["DeadlockError"] == seen
