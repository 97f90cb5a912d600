"""Tasks: starting them, whose they are, waiting for their results."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import runtime
from task_kit import Boom, crash, give, leave, leftovers, messages, run_owner, settle

import trio_otp as otp
from trio_otp import task

if TYPE_CHECKING:
    from supervision_kit import Reports


# -- the result ----------------------------------------------------------------------------------


async def test_a_task_gives_what_its_function_returns(autojump_clock: trio.abc.Clock) -> None:
    """The result of a task is what its function returns, by await or by await_one."""
    async with otp.open_process():
        one, two = task.start_async(give, 1, 1.0), task.start_async(give, 2, 1.0)

        assert (1, 2) == (await one, await task.await_one(two, timeout=2))
        assert 1.0 == trio.current_time()
        assert [] == await messages()


async def test_a_task_runs_beside_its_owner() -> None:
    """Starting a task does not wait; its pid is alive, shown by the function's name or a label."""
    async with otp.open_process() as me:
        named, labelled = task.start_async(give, 1), task.start_async(give, 1, label="one")

        assert (me, me) == (named.owner, labelled.owner)
        assert otp.is_alive(named.pid)
        assert ("give", "one") == (otp.get_label(named.pid), otp.get_label(labelled.pid))
        assert "<Task give <Pid" in repr(named)
        assert [1, 1] == await task.await_many([named, labelled])


async def test_plain_code_gives_a_nursery(autojump_clock: trio.abc.Clock) -> None:
    """In plain Trio code a task lives in a nursery; a crash reaches who awaits it, nobody else."""
    async with trio.open_nursery() as nursery:
        good, bad = (task.start_async(fn, nursery=nursery) for fn in (lambda: give(3), crash))

        assert (None, 3) == (good.owner, await good)
        with pytest.raises(otp.TaskExited) as caught:
            await bad
    assert isinstance(caught.value.reason, Boom)
    assert caught.value.__cause__ is caught.value.reason
    assert [] == leftovers()


async def test_cancelling_the_nursery_ends_the_task() -> None:
    """A task in a nursery of plain code is shut down with it."""
    async with trio.open_nursery() as nursery:
        pid = task.start(trio.sleep_forever, nursery=nursery)
        slow = task.start_async(trio.sleep_forever, nursery=nursery)
        await settle()
        nursery.cancel_scope.cancel()

    assert not otp.is_alive(pid)
    assert task.Exited(otp.SHUTDOWN) == await task.yield_one(slow)


async def test_callers_and_ancestors_lead_to_the_owner() -> None:
    """A task knows on whose behalf it runs, over several steps."""

    async def inner() -> Any:
        return otp.ancestors(), otp.callers()

    async def outer() -> Any:
        return otp.self(), await task.start_async(inner)

    async with otp.open_process() as me:
        middle, (ancestors, callers) = await task.start_async(outer)

        assert ((middle, me), (middle, me)) == (ancestors, callers)


async def test_a_completed_task_has_its_result_at_once() -> None:
    """A completed task gives its value, once, and has no process."""
    async with otp.open_process() as me:
        ready = task.completed(7)

        assert (me, None) == (ready.owner, ready.pid)
        assert task.Ok(7) == await task.yield_one(ready, timeout=0)
        assert await task.yield_one(ready, timeout=0) is None
        assert 8 == await task.completed(8)
    assert 9 == await task.completed(9)
    assert "<Task value completed>" == repr(ready)


# -- links ---------------------------------------------------------------------------------------


async def test_a_crash_takes_the_owner_along() -> None:
    """An owner that does not trap exits dies of its task's crash, while it awaits it or not."""

    async def awaits() -> None:
        await task.start_async(crash)

    async def does_not() -> None:
        task.start_async(crash)
        await trio.sleep_forever()

    async with otp.open_process():
        assert [True, True] == [isinstance(await run_owner(fn), Boom) for fn in (awaits, does_not)]


async def test_the_owners_crash_takes_the_task_along(autojump_clock: trio.abc.Clock) -> None:
    """A task dies with an owner that crashes, and outlives one that ends normally."""
    tasks: list[otp.Task[Any]] = []

    async def owner(reason: object) -> None:
        tasks.append(task.start_async(give, 1, 5))
        await settle()
        otp.exit(reason)

    async with otp.open_process():
        await run_owner(lambda: owner("custom"))
        await run_owner(lambda: owner(otp.NORMAL))

        assert [False, True] == [otp.is_alive(t.pid) for t in tasks]


async def test_a_trapping_owner_gets_the_exit_of_each_task() -> None:
    """An owner that traps exits gets an Exit for each task, also for a normal end."""
    async with otp.open_process(trap_exit=True):
        good, bad = task.start_async(give, 1), task.start_async(crash)
        await good
        with pytest.raises(otp.TaskExited):
            await bad

        exits = {m.pid: m.reason for m in await messages()}
        assert exits.pop(good.pid) is otp.NORMAL
        assert isinstance(exits.pop(bad.pid), Boom)
        assert {} == exits


async def test_start_and_start_link() -> None:
    """`start` is linked to nobody, `start_link` to its caller; nobody gets a result."""

    async def linked() -> None:
        task.start_link(crash)
        await trio.sleep_forever()

    async with otp.open_process():
        pid = task.start(crash)
        await settle()

        assert not otp.is_alive(pid)
        assert isinstance(await run_owner(linked), Boom)
        assert [] == await messages()


# -- await ---------------------------------------------------------------------------------------


async def test_await_gives_up_after_its_time(autojump_clock: trio.abc.Clock) -> None:
    """An await that takes too long raises; the task runs on, its reply is dropped and counted."""
    async with otp.open_process():
        slow = task.start_async(give, 1, 10)
        with pytest.raises(otp.TaskTimeout, match=r"has no result after 5\.0 s") as caught:
            await slow
        assert isinstance(caught.value, trio.TooSlowError)
        assert (5.0, slow, True) == (trio.current_time(), caught.value.what, otp.is_alive(slow.pid))

        await trio.sleep(6)
        assert (1, []) == (runtime().dropped, await messages())
        assert await task.yield_one(slow, timeout=0) is None


async def test_a_result_is_taken_once() -> None:
    """A second await is told at once that the result was taken, also without a time-out."""
    async with otp.open_process():
        quick = task.start_async(give, 1)
        assert 1 == await quick
        with trio.fail_after(60), pytest.raises(otp.TaskTimeout, match="was taken before"):
            await task.await_one(quick, timeout=None)


@pytest.mark.parametrize("awaited_at", [0, 5], ids=["awaited before", "awaited after"])
@pytest.mark.parametrize("reason", [otp.NORMAL, otp.SHUTDOWN, otp.Shutdown(1), "custom"])
async def test_a_task_that_ends_without_a_result(
    reason: object, awaited_at: float, autojump_clock: trio.abc.Clock
) -> None:
    """Awaiting a task that ends in any way without a result raises its reason, at once."""
    async with otp.open_process(trap_exit=True):
        leaver = task.start_async(leave, reason, 3)
        await trio.sleep_until(awaited_at)
        with pytest.raises(otp.TaskExited) as caught:
            await leaver
        assert reason == caught.value.reason
        assert max(3, awaited_at) == trio.current_time()


async def test_a_cancelled_await_can_be_repeated(autojump_clock: trio.abc.Clock) -> None:
    """A caller that is cancelled while it awaits loses nothing."""
    async with otp.open_process():
        slow = task.start_async(give, 1, 2)
        with trio.move_on_after(1) as scope:
            await slow

        assert scope.cancelled_caught
        assert 1 == await slow


async def test_a_reply_wins_over_its_time_out(autojump_clock: trio.abc.Clock) -> None:
    """A result that is ready at the very moment of the time-out counts as in time."""
    async with otp.open_process():
        for _ in range(20):
            assert 1 == await task.await_one(task.start_async(give, 1, 3), timeout=3)


async def test_only_the_owner_may_use_a_task() -> None:
    """A process may not use another's task, nor plain code a process's, nor the other way round."""
    caught: list[otp.TaskNotOwned] = []

    async def stranger(foreign: otp.Task[Any]) -> None:
        for use in (
            task.await_one(foreign),
            task.await_many([foreign]),
            task.yield_one(foreign),
            task.yield_many([foreign]),
            task.shutdown(foreign),
        ):
            with pytest.raises(otp.TaskNotOwned) as info:
                await use
            caught.append(info.value)
        with pytest.raises(otp.TaskNotOwned):
            task.ignore(foreign)

    async with trio.open_nursery() as nursery:
        plain = task.start_async(give, 1, nursery=nursery)
        async with otp.open_process() as me:
            own = task.start_async(give, 2)
            await run_owner(lambda: stranger(own))
            await stranger(plain)
            assert 2 == await own
        assert 1 == await plain
    assert 10 == len(caught)
    assert f"it belongs to {me!r}, not to" in str(caught[0])
    assert "belongs to plain Trio code" in str(caught[-1])


async def test_helper_tasks_of_the_owner_may_wait() -> None:
    """A helper task belongs to its process, and may await what that owns, two at a time as well."""
    results: list[Any] = []

    async def helper(owned: otp.Task[Any]) -> None:
        results.append(await task.yield_one(owned, timeout=1))

    async with otp.open_process():
        one = task.start_async(give, 1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(helper, one)
            nursery.start_soon(helper, one)
    assert sorted(map(repr, [task.Ok(1), None])) == sorted(map(repr, results))


# -- await_many ----------------------------------------------------------------------------------


async def test_await_many_keeps_the_order_of_the_tasks(autojump_clock: trio.abc.Clock) -> None:
    """Results come in the order of the tasks; the time-out is one for all; others' mail stays."""
    async with otp.open_process() as me:
        otp.send(me, "mail")
        tasks = [task.start_async(give, n, n) for n in (3, 1, 2)]

        assert [3, 1, 2] == await task.await_many(tasks, timeout=3.5)
        assert (3.0, ["mail"]) == (trio.current_time(), await messages())
        assert [] == await task.await_many([])
        again = task.start_async(give, 5)
        assert [5, 5] == await task.await_many([again, again])


async def test_await_many_ends_with_the_first_failure(autojump_clock: trio.abc.Clock) -> None:
    """The first task that fails ends the wait; the others run on, unheard."""
    async with otp.open_process(trap_exit=True):
        slow, bad = task.start_async(give, 1, 5), task.start_async(crash, 1)
        with pytest.raises(otp.TaskExited) as caught:
            await task.await_many([slow, bad])

        assert (1.0, bad) == (trio.current_time(), caught.value.task)
        assert otp.is_alive(slow.pid)
        assert await task.yield_one(slow, timeout=None) is None


async def test_await_many_times_out(autojump_clock: trio.abc.Clock) -> None:
    """When the time is up, the tasks without a result are named, and all are let go."""
    async with otp.open_process():
        slow, quick = task.start_async(give, 1, 50), task.start_async(give, 2)
        with pytest.raises(otp.TaskTimeout) as caught:
            await task.await_many([slow, quick], timeout=2)

        assert (2.0, [slow]) == (trio.current_time(), caught.value.what)
        assert [None, None] == [await task.yield_one(t, timeout=0) for t in (slow, quick)]


async def test_await_many_of_a_result_that_was_taken(autojump_clock: trio.abc.Clock) -> None:
    """A task whose result was taken before is told of at once, not after the time-out."""
    async with otp.open_process():
        taken, slow = task.start_async(give, 1), task.start_async(give, 2, 50)
        await taken
        with pytest.raises(otp.TaskTimeout) as caught:
            await task.await_many([taken, slow], timeout=None)

        assert (0.0, [taken, slow]) == (trio.current_time(), caught.value.what)


async def test_a_cancelled_await_many_loses_nothing(autojump_clock: trio.abc.Clock) -> None:
    """Results that had come when the wait was cancelled can be awaited again."""
    async with otp.open_process():
        tasks = [task.start_async(give, n, n) for n in (1, 3)]
        with trio.move_on_after(2):
            await task.await_many(tasks)

        assert [1, 3] == await task.await_many(tasks)


# -- yield ---------------------------------------------------------------------------------------


async def test_yield_looks_and_can_look_again(autojump_clock: trio.abc.Clock) -> None:
    """yield_one gives None while a task runs, what came of it once, then None again."""
    async with otp.open_process(trap_exit=True):
        good, bad = task.start_async(give, 1, 2), task.start_async(leave, "why")

        assert [None, task.Exited("why")] == [
            await task.yield_one(t, timeout=0.5) for t in (good, bad)
        ]
        assert task.Ok(1) == await task.yield_one(good)
        assert [None, None] == [await task.yield_one(t, timeout=None) for t in (good, bad)]


async def test_yield_many_keeps_the_order(autojump_clock: trio.abc.Clock) -> None:
    """Each task comes with what came of it, in the order of the tasks, within one time-out."""
    async with otp.open_process(trap_exit=True):
        tasks = [task.start_async(give, 9, 9), task.start_async(leave, "x"), task.completed(1)]

        first = await task.yield_many(tasks, timeout=3)
        assert [None, task.Exited("x"), task.Ok(1)] == [outcome for _, outcome in first]
        assert (tasks, 3.0) == ([t for t, _ in first], trio.current_time())
        again = await task.yield_many(tasks, timeout=30)
        assert [task.Ok(9), None, None] == [outcome for _, outcome in again]


async def test_yield_many_stops_at_its_limit(autojump_clock: trio.abc.Clock) -> None:
    """As soon as the limit is reached it returns, gives no more, and leaves the others be."""
    async with otp.open_process():
        tasks = [task.start_async(give, n, n) for n in (3, 1, 2)]

        first = await task.yield_many(tasks, limit=1, on_timeout="kill_task")
        assert ([None, task.Ok(1), None], 1.0) == ([o for _, o in first], trio.current_time())
        await trio.sleep(5)
        rest = await task.yield_many(tasks, limit=1)
        assert 1 == sum(outcome is not None for _, outcome in rest)


@pytest.mark.parametrize(
    ("on_timeout", "lives", "later"),
    [("nothing", True, task.Ok(1)), ("ignore", True, None), ("kill_task", False, None)],
)
async def test_what_becomes_of_those_that_take_too_long(
    on_timeout: Any, lives: bool, later: object, autojump_clock: trio.abc.Clock
) -> None:
    """on_timeout says whether slow tasks can be asked again, run on unheard, or are killed."""
    async with otp.open_process():
        quick, slow = task.start_async(give, 0), task.start_async(give, 1, 5)

        found = await task.yield_many([quick, slow], timeout=1, on_timeout=on_timeout)
        assert [task.Ok(0), None] == [outcome for _, outcome in found]
        assert lives == otp.is_alive(slow.pid)
        assert later == await task.yield_one(slow)


# -- messages ------------------------------------------------------------------------------------


class Server(otp.GenServer):
    """Starts tasks that deliver, and writes down what it gets."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    async def handle_call(self, request: Any, from_: object) -> otp.Reply[Any]:
        return otp.Reply(await request(self))

    def handle_info(self, message: Any) -> None:
        self.got.append(message)


async def test_a_server_gets_the_two_messages() -> None:
    """With deliver a server gets the reply, then a normal Down; or the Down of a crash alone."""

    async def begin(server: Server) -> Any:
        otp.trap_exit(True)
        return [task.start_async(fn, 5, deliver=True) for fn in (give, leave)]

    async def ask_in_vain(server: Server) -> Any:
        return [await task.yield_one(t, timeout=0) for t in tasks] + [
            await task.shutdown(t) for t in tasks
        ]

    async with otp.open_process():
        server = await otp.start_link(Server)
        tasks = good, bad = await otp.call(server, begin)
        await settle()
        got = await otp.call(server, lambda s: give(s.got))

        about_good = [m for m in got if isinstance(m, otp.TaskReply) or m.pid is good.pid]
        reply, down = [m for m in about_good if not isinstance(m, otp.Exit)]
        assert (good, 5) == (reply.task, reply.value)
        assert otp.Down(good.ref, good.pid, otp.NORMAL) == down
        assert otp.Down(bad.ref, bad.pid, 5) in got
        noproc = task.Exited(otp.NOPROC)
        assert [None, None, noproc, noproc] == await otp.call(server, ask_in_vain)


async def test_functions_take_the_messages_out_again() -> None:
    """A result that is taken by a function is no message, whether it was one before or not."""
    async with otp.open_process():
        early, late = (task.start_async(give, n, deliver=True) for n in (1, 2))
        assert [1, 2] == await task.await_many([early, late])
        third = task.start_async(give, 3, deliver=True)
        await settle()
        assert 3 == await third
        fourth = task.start_async(give, 4, deliver=True)
        await settle()
        assert task.Ok(4) == task.ignore(fourth)
        await settle()

        assert [] == await messages()


async def test_what_a_helper_waits_for_is_no_message(autojump_clock: trio.abc.Clock) -> None:
    """While a helper task of a process awaits a task, its result is no message."""
    seen: list[int] = []
    async with otp.open_process() as me:
        running = task.start_async(give, 5, 1.0, deliver=True)
        otp.events.attach("process_exit", lambda pid, _: seen.append(process_mail(me)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.await_one, running)
        assert [1] == seen[:1]  # the Down; the reply was none


def process_mail(pid: otp.Pid[Any]) -> int:
    return otp.process_info(pid).message_queue_len


async def test_without_deliver_there_are_no_messages() -> None:
    """A task of an owner that does not ask for messages sends none."""
    async with otp.open_process():
        quiet = task.start_async(give, 1)
        await settle()

        assert ([], None, 1) == (await messages(), quiet.ref, await quiet)


# -- bad use -------------------------------------------------------------------------------------


async def test_what_is_refused() -> None:
    """Wrong arguments are refused at the call that has them, by name."""
    with pytest.raises(otp.NotAProcess, match="nursery=nursery"):
        task.start_async(give, 1)
    with pytest.raises(otp.NotAProcess, match="deliver=True"):
        task.start_async(give, 1, deliver=True)
    with pytest.raises(otp.NotAProcess, match="start_link"):
        task.start_link(give, 1)
    async with otp.open_process():
        ready = task.completed(1)
        with pytest.raises(TypeError, match="fn=3"):
            task.start_async(3)  # type: ignore[arg-type]
        for wrong in (-1, "5", True):
            with pytest.raises(ValueError, match=f"timeout={wrong!r}"):
                await task.await_one(ready, timeout=wrong)  # type: ignore[arg-type]
        for limit in (0, 1.5, True):
            with pytest.raises(ValueError, match=f"limit={limit!r}"):
                await task.yield_many([ready], limit=limit)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="on_timeout='kill'"):
            await task.yield_many([ready], on_timeout="kill")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="no process runs it"):
            await task.shutdown(ready)
        with pytest.raises(ValueError, match="no process runs it"):
            task.ignore(ready)
        assert 1 == await ready


# -- checkpoints ---------------------------------------------------------------------------------


async def test_every_wait_is_a_checkpoint() -> None:
    """Waiting for what is there already is a checkpoint all the same, and is so when it fails."""
    async with otp.open_process(trap_exit=True):
        gone = task.start_async(leave, "why")
        await settle()
        for wait in (
            lambda: task.await_one(task.completed(1)),
            lambda: task.await_many([]),
            lambda: task.yield_one(task.completed(1), timeout=0),
            lambda: task.yield_many([], timeout=None),
            lambda: task.shutdown(gone),
            lambda: task.shutdown(gone, timeout="brutal_kill"),
            lambda: task.shutdown(task.start_async(leave, 1)),
        ):
            with trio.testing.assert_checkpoints():
                await wait()  # type: ignore[no-untyped-call]
        with pytest.raises(otp.TaskTimeout), trio.testing.assert_checkpoints():
            await gone
        async with task.async_stream([1, 2], give) as results:
            with trio.testing.assert_checkpoints():
                await anext(results)
            await settle()
            with trio.testing.assert_checkpoints():
                await anext(results)
            with pytest.raises(StopAsyncIteration), trio.testing.assert_checkpoints():
                await anext(results)


# -- children and reports ------------------------------------------------------------------------


async def test_a_task_as_a_child_is_temporary() -> None:
    """A task that is a child of a supervisor runs once, unless told otherwise."""
    assert "temporary" == task.child(give, 1).spec.restart
    runs = itertools.count(1)

    async def fails_twice() -> None:
        if next(runs) <= 2:
            raise Boom

    again = task.child(fails_twice).having(restart="transient")
    async with otp.open_supervisor([task.child(crash), again]) as sup:
        await settle()
        assert ["fails_twice"] == [info.id for info in await otp.which_children(sup)]
    assert 4 == next(runs)


async def test_a_crash_is_reported_with_call_and_starter(reports: Reports) -> None:
    """A crash report shows what was called and for whom; quiet and named ends make none."""
    async with otp.open_process(trap_exit=True) as me:
        await task.yield_one(task.start_async(crash, 0))
        await task.yield_one(task.start_async(leave, "custom"))
        await task.shutdown(task.start_async(give, 1, 100))

    [report] = reports
    assert ("crash(0)", repr(me)) == (report.last_message, report.client)
    assert isinstance(report.reason, Boom)


@pytest.fixture
async def reports() -> Reports:
    from supervision_kit import Reports

    return Reports("crash")
