"""TaskSupervisor: tasks that live apart from their owners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from task_kit import Boom, crash, give, leave, leftovers, messages, run_owner, settle, stay

import trio_otp as otp
from trio_otp import task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Tasks = otp.TaskSupervisor


@pytest.fixture
async def sup() -> AsyncIterator[otp.OpenSupervisor]:
    """Open a task supervisor named `tasks`; it leaves nothing."""
    async with otp.open_supervisor([otp.child(Tasks).having(name="tasks")]) as top:
        yield top
    assert [] == leftovers()


# -- async ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [Tasks.start_async, Tasks.start_async_nolink])
async def test_a_supervised_task_gives_its_result(sup: otp.OpenSupervisor, start: Any) -> None:
    """A task under a supervisor gives its result to its owner, a process or plain code."""
    assert 3 == await (await start("tasks", give, 3))
    async with otp.open_process() as me:
        one = await start("tasks", give, 4, deliver=True)

        assert (me, "give") == (one.owner, otp.get_label(one.pid) or "give")
        await settle()
        reply, down = await messages()
        assert (4, one) == (reply.value, reply.task)
        assert otp.Down(one.ref, one.pid, otp.NORMAL) == down


async def test_ancestors_and_callers_of_a_task(sup: otp.OpenSupervisor) -> None:
    """A supervised task is the supervisor's child and runs on behalf of its owner."""

    async def who() -> Any:
        return otp.ancestors()[0], otp.callers(), otp.self(), otp.get_label(otp.self())

    async with otp.open_process() as me:
        ancestor, callers, pid, label = await (await Tasks.start_async("tasks", who))
        assert ("tasks", (me,), "who") == (ancestor, callers, label)
        assert "who" in repr(pid)
        pids: list[Any] = []

        async def child() -> None:
            pids.append(otp.callers())

        await Tasks.start_child("tasks", child)
        await settle()
        assert [(me,)] == pids


async def test_async_is_linked_and_nolink_is_not(
    sup: otp.OpenSupervisor, autojump_clock: trio.abc.Clock
) -> None:
    """A crash crosses to the other side of async, in both directions, and of nolink in none."""
    tasks: list[otp.Task[Any]] = []

    async def crashed_by(start: Any) -> None:
        await start("tasks", crash, 1)
        await trio.sleep(2)

    async def crashes(start: Any) -> None:
        tasks.append(await start("tasks", give, 1, 5))
        otp.exit("custom")

    async with otp.open_process():
        linked, free = [
            await run_owner(lambda start=start: crashed_by(start))  # type: ignore[misc]
            for start in (Tasks.start_async, Tasks.start_async_nolink)
        ]
        assert (True, otp.NORMAL) == (isinstance(linked, Boom), free)
        for start in (Tasks.start_async, Tasks.start_async_nolink):
            await run_owner(lambda start=start: crashes(start))  # type: ignore[misc]
        assert [False, True] == [otp.is_alive(t.pid) for t in tasks]


async def test_nolink_gives_the_reason(sup: otp.OpenSupervisor) -> None:
    """The owner of a nolink task looks, and gets the reason of the crash."""
    async with otp.open_process():
        bad = await Tasks.start_async_nolink("tasks", leave, "why")
        assert task.Exited("why") == await task.yield_one(bad)
        with pytest.raises(otp.TaskExited):
            await (await Tasks.start_async_nolink("tasks", crash))


async def test_a_full_supervisor_refuses(sup: otp.OpenSupervisor) -> None:
    """At max_children every way to start a task raises in the caller, and nothing runs."""
    async with otp.open_supervisor([otp.child(Tasks, max_children=1).having(name="one")]):
        await Tasks.start_child("one", trio.sleep_forever)
        for start in (Tasks.start_async, Tasks.start_async_nolink, Tasks.start_child):
            with pytest.raises(otp.MaxChildren, match="max_children=1"):
                await start("one", give, 1)  # type: ignore[operator]
        with pytest.raises(otp.MaxChildren):
            async with Tasks.async_stream("one", [1, 2], give) as results:
                await anext(results)
        assert 1 == len(await Tasks.children("one"))


async def test_stopping_the_supervisor_stops_its_tasks(
    sup: otp.OpenSupervisor, autojump_clock: trio.abc.Clock
) -> None:
    """Tasks are asked to end all at once, each within its own limit; owners hear SHUTDOWN."""
    async with otp.open_process(trap_exit=True):
        pid = await otp.start_link(Tasks)
        polite = await Tasks.start_async(pid, give, 1, 60)
        stubborn = await Tasks.start_async_nolink(pid, stay, shutdown=3)
        brutal = await Tasks.start_async_nolink(pid, stay, shutdown="brutal_kill")
        await settle()
        await otp.stop(pid)

        assert 3.0 == trio.current_time()
        found = await task.yield_many([polite, stubborn, brutal])
        reasons = [outcome.reason for _, outcome in found if isinstance(outcome, task.Exited)]
        assert [otp.SHUTDOWN, otp.KILLED, otp.KILLED] == reasons


async def test_terminate_child_of_an_awaited_task(sup: otp.OpenSupervisor) -> None:
    """Ending a task takes a linked owner along, and tells a nolink owner who awaits it."""

    async def owner() -> None:
        linked = await Tasks.start_async("tasks", trio.sleep_forever)
        await Tasks.terminate_child("tasks", linked.pid)  # type: ignore[arg-type]
        await trio.sleep_forever()

    async with otp.open_process():
        assert await run_owner(owner) is otp.SHUTDOWN
        free = await Tasks.start_async_nolink("tasks", trio.sleep_forever)
        assert [free.pid] == await Tasks.children("tasks")
        await Tasks.terminate_child("tasks", free.pid)  # type: ignore[arg-type]
        with pytest.raises(otp.TaskExited) as caught:
            await free
        assert caught.value.reason is otp.SHUTDOWN
        with pytest.raises(otp.ChildNotFound):
            await Tasks.terminate_child("tasks", free.pid)  # type: ignore[arg-type]


# -- start_child ---------------------------------------------------------------------------------


async def test_start_child_runs_once(sup: otp.OpenSupervisor) -> None:
    """A task of start_child is not restarted, reaches nobody, and is gone after its end."""
    async with otp.open_process(trap_exit=True):
        pid = await Tasks.start_child("tasks", crash)
        await settle()

        assert (False, []) == (otp.is_alive(pid), await Tasks.children("tasks"))
        assert ([], True) == (await messages(), otp.is_alive("tasks"))


@pytest.mark.parametrize(("restart", "expected"), [("transient", 3), ("permanent", 4)])
async def test_start_child_with_a_restart(
    sup: otp.OpenSupervisor, restart: Any, expected: int
) -> None:
    """Transient runs again after a crash, permanent always, until the restarts are too many."""
    runs: list[int] = []

    async def work() -> None:
        runs.append(1)
        if len(runs) < 3:
            raise Boom

    await Tasks.start_child("tasks", work, restart=restart)
    await settle()
    assert expected == len(runs)
    if restart == "permanent":  # the fourth restart in a row ended the supervisor, its own began
        await settle()
    assert [] == await Tasks.children("tasks")


async def test_the_cure_of_a_blocking_callback(
    sup: otp.OpenSupervisor, autojump_clock: trio.abc.Clock
) -> None:
    """A handler that starts a task and defers its reply serves others meanwhile."""

    class Server(otp.GenServer):
        async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            if request == "ping":
                return otp.Reply(("pong", trio.current_time()))

            async def answer() -> None:
                otp.reply(from_, await give(request, 2))

            await Tasks.start_child("tasks", answer)
            return otp.NoReply()

    async with otp.open_process():
        pid = await otp.start_link(Server)
        slow = task.start_async(otp.call, pid, "slow")
        await settle()

        assert ("pong", 0.0) == await otp.call(pid, "ping")
        assert ("slow", 2.0) == (await slow, trio.current_time())


# -- streams -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [Tasks.async_stream, Tasks.async_stream_nolink])
async def test_streams_run_under_the_supervisor(sup: otp.OpenSupervisor, stream: Any) -> None:
    """Tasks of a stream are the supervisor's, and none is left when the stream is."""

    async def ancestor(_: int) -> Any:
        return otp.ancestors()[0]

    async with stream("tasks", range(5), ancestor, max_concurrency=2) as results:
        assert ["tasks"] * 5 == [result.unwrap() async for result in results]
    async with stream("tasks", [60] * 5, trio.sleep, max_concurrency=2) as results:
        with trio.move_on_after(0):
            await anext(results)
        await settle()
    await settle()
    assert [] == await Tasks.children("tasks")


async def test_a_crash_of_a_linked_stream_takes_its_consumer(sup: otp.OpenSupervisor) -> None:
    """Linked items take a consumer along that does not trap exits, unlinked ones do not."""
    found: list[Any] = []

    async def consume(stream: Any) -> None:
        async with stream("tasks", [0, 0], crash, max_concurrency=1) as results:
            found.extend([result async for result in results])

    async with otp.open_process():
        assert isinstance(await run_owner(lambda: consume(Tasks.async_stream)), Boom)
        assert [] == found
        assert await run_owner(lambda: consume(Tasks.async_stream_nolink)) is otp.NORMAL
        assert [True, True] == [isinstance(result.reason, Boom) for result in found]


@pytest.mark.parametrize(("linked", "left"), [(True, 0), (False, 2)])
async def test_a_killed_consumer(sup: otp.OpenSupervisor, linked: bool, left: int) -> None:
    """Items of a killed consumer die with it if they are linked, else they outlive it."""
    stream = Tasks.async_stream if linked else Tasks.async_stream_nolink

    async def consume() -> None:
        async with stream("tasks", [60, 60], trio.sleep) as results:
            await anext(results)

    async with otp.open_process():
        pid = otp.spawn(consume)
        await settle()
        otp.exit(pid, otp.KILL)
        await settle()
        assert left == len(await Tasks.children("tasks"))


@pytest.mark.parametrize("steps", range(10))
async def test_a_start_of_an_item_that_is_cancelled(sup: otp.OpenSupervisor, steps: int) -> None:
    """Asking for a result can be cancelled while a task is being started: no item is lost."""
    found: list[Any] = []
    async with Tasks.async_stream("tasks", range(4), give, max_concurrency=1) as results:
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                found.append((await anext(results)).unwrap())

            nursery.start_soon(ask)
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        found.extend([result.unwrap() async for result in results])
    assert [0, 1, 2, 3] == found


# -- who is asked --------------------------------------------------------------------------------


async def test_it_is_a_dynamic_supervisor(sup: otp.OpenSupervisor) -> None:
    """The management functions of dynamic supervisors work, with any child."""
    pid = await otp.start_child("tasks", otp.child(trio.sleep_forever).having(restart="temporary"))

    assert [pid] == await Tasks.children("tasks")
    assert 1 == (await otp.count_children("tasks")).workers
    assert "tasks" in otp.tree("tasks")


async def test_what_is_refused(sup: otp.OpenSupervisor) -> None:
    """Another server, nobody, and wrong options are refused in the caller."""
    plain = otp.child(otp.DynamicSupervisor).having(name="plain")
    async with otp.open_supervisor([plain]), otp.open_process() as me:
        for ref in ("plain", me):
            for use in (
                Tasks.start_async(ref, give, 1),
                Tasks.start_child(ref, give, 1),
                Tasks.children(ref),
                Tasks.terminate_child(ref, me),
            ):
                with pytest.raises(otp.WrongServer, match="TaskSupervisor"):
                    await use  # type: ignore[misc]
        with pytest.raises(otp.NoProcess):
            await Tasks.start_async("nobody", give, 1)
        with pytest.raises(otp.SpecError, match="shutdown=-1"):
            await Tasks.start_async("tasks", give, 1, shutdown=-1)
        with pytest.raises(otp.SpecError, match="restart='once'"):
            await Tasks.start_child("tasks", give, 1, restart="once")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="fn=3"):
            await Tasks.start_child("tasks", 3)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="max_concurrency=0"):
            Tasks.async_stream("tasks", [], give, max_concurrency=0)
    with pytest.raises(otp.NotAProcess, match="deliver=True"):
        await Tasks.start_async("tasks", give, 1, deliver=True)
    with pytest.raises(otp.SpecError, match="max_children=-1"):
        Tasks(max_children=-1)


# -- starts that are given up --------------------------------------------------------------------


@pytest.mark.parametrize("steps", range(12))
async def test_a_start_that_is_cancelled_anywhere_leaves_no_task(
    sup: otp.OpenSupervisor, steps: int
) -> None:
    """Whenever the caller of a start is cancelled, no task is left that nobody holds."""
    held: list[otp.Task[Any]] = []
    with trio.CancelScope() as scope:

        async def cancel() -> None:
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel)
            held.append(await Tasks.start_async("tasks", trio.sleep_forever))
            await trio.sleep_forever()
    await settle()
    assert [t.pid for t in held] == await Tasks.children("tasks")


async def test_an_owner_that_dies_during_the_start_has_no_task(sup: otp.OpenSupervisor) -> None:
    """A task whose owner has died before it came to run does not run."""
    ran: list[Any] = []

    async def work() -> None:
        ran.append(otp.self())
        await trio.sleep_forever()

    async def owner(start: Any) -> None:
        await start("tasks", work)

    async with otp.open_process():
        for start in (Tasks.start_async, Tasks.start_async_nolink):
            await otp.sys.suspend("tasks")
            pid = otp.spawn(owner, start)
            await settle()
            otp.exit(pid, otp.KILL)
            await otp.sys.resume("tasks")
            await settle()
        assert ([], []) == (ran, await Tasks.children("tasks"))


async def test_a_task_that_is_not_started_leaves_the_mailbox_of_its_owner_as_it_is() -> None:
    """Nothing comes of it, and nothing else is taken out."""
    tasks = otp.child(otp.TaskSupervisor, max_children=0).having(name="tasks")
    async with otp.open_supervisor([tasks]), otp.open_process() as me:
        otp.send(me, "before")
        with pytest.raises(otp.MaxChildren):
            await otp.TaskSupervisor.start_async("tasks", trio.lowlevel.checkpoint)
        assert "before" == await otp.receive(timeout=0)
        assert 0 == otp.process_info(me).message_queue_len
