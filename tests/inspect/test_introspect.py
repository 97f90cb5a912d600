"""Processes seen from outside: counts, lists, process_info and the tree."""

from __future__ import annotations

import dataclasses
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
from inside import info_of, runtime
from trio.testing import wait_all_tasks_blocked
from work import calls_of

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable

    from inside import Runtime

    Clock = trio.testing.MockClock


class Server(otp.GenServer):
    """Runs the function it is sent, in a call or a cast; waits if that is async."""

    async def handle_call(self, request: Callable[[], Any], from_: otp.From[Any]) -> Any:
        result = request()
        return otp.Reply(await result if hasattr(result, "__await__") else result)

    async def handle_cast(self, message: Callable[[], Any]) -> None:
        await message()

    async def handle_continue(self, token: Any) -> None:
        await trio.sleep(token)


async def main_tree() -> None:
    """Wait in a process of its own."""
    await trio.sleep_forever()


def info(ref: Any) -> otp.ProcessInfo:
    """Return what is known of a process."""
    return otp.process_info(ref)


# -- counting and listing --------------------------------------------------------------------------


async def test_processes_are_counted_and_listed_oldest_first() -> None:
    """From their start until they are dead."""
    assert (0, []) == (otp.process_count(), otp.processes())
    async with otp.open_process() as me:
        a, b = await otp.start(Server), await otp.start(Server)
        assert (3, [me, a, b]) == (otp.process_count(), otp.processes())

        otp.exit(a, otp.KILL)
        assert [me, a, b] == otp.processes()
        await wait_all_tasks_blocked()
        assert (2, [me, b]) == (otp.process_count(), otp.processes())
    assert (0, []) == (otp.process_count(), otp.processes())


@pytest.mark.parametrize("use", [otp.process_count, otp.processes, otp.tree])
def test_outside_of_a_run_there_is_nothing_to_see(use: Callable[[], object]) -> None:
    """The error is NotInRun."""
    with pytest.raises(otp.NotInRun):
        use()


# -- process_info ----------------------------------------------------------------------------------


async def test_the_identity_of_a_process() -> None:
    """Names, labels, class, ancestors, links and monitors are told."""
    async with otp.open_process(name="me") as me:
        a = await otp.start_link(otp.child(Server).having(name="a"))
        watch = otp.monitor(a)
        await otp.call(a, lambda: (otp.monitor("me"), otp.dictionary().update(key=1)))
        await otp.call(a, lambda: otp.set_label("busy bee"))
        await otp.call(a, otp.trap_exit)
        told = info("a")

        assert (a, "a", "busy bee", Server) == (told.pid, told.name, told.label, told.behaviour)
        assert (me, None, ("me",), ()) == (
            told.parent,
            told.supervisor,
            told.ancestors,
            told.callers,
        )
        assert ((me,), ("me",), (me,)) == (told.links, told.monitors, told.monitored_by)
        assert (True, ("key",)) == (told.trap_exit, told.dictionary)
        assert (a,) == info(me).monitors
        assert (a,) == info(me).monitored_by
        otp.demonitor(watch)
        assert () == info(a).monitored_by


async def test_a_process_is_found_by_any_reference() -> None:
    """Pid, name, via tuple and handle give the same."""
    reg = otp.registry("reg")
    child = otp.child(Server).having(name=reg.via("k"))
    registry = otp.child(otp.Registry).having(name="reg")
    async with otp.open_supervisor([registry, child], name="top") as sup:
        pid = otp.whereis(reg.via("k"))
        assert pid is not None

        assert info(pid) == info(reg.via("k"))
        assert info(sup) == info("top") == info(sup.pid)


async def test_a_dead_process_is_nobody() -> None:
    """A reference without a process is NoProcess, what is none a TypeError."""
    async with otp.open_process():
        a = await otp.start(Server)
        await otp.stop(a)

        for ref in (a, "unknown", otp.registry("reg").via("k")):
            with pytest.raises(otp.NoProcess):
                info(ref)
        with pytest.raises(TypeError, match="not a reference to a process"):
            info(1)


def test_a_pid_of_another_run_is_nobody() -> None:
    """Even if that run is still going on, in another thread."""

    async def outer() -> None:
        async with otp.open_process() as me:
            with pytest.raises(otp.NoProcess):
                await trio.to_thread.run_sync(trio.run, inner, me)

    async def inner(pid: otp.Pid[Any]) -> None:
        info(pid)

    trio.run(outer)


async def test_it_cannot_be_changed() -> None:
    """It is a picture of one moment."""
    async with otp.open_process() as me:
        told = info(me)
        with pytest.raises(dataclasses.FrozenInstanceError):
            told.handled = 5


async def test_what_was_given_to_task_status() -> None:
    """`started` is the object itself, for instance the listeners of a socket server."""

    async def serve(*, task_status: trio.TaskStatus[dict[str, int]]) -> None:
        task_status.started({"port": 80})
        await trio.sleep_forever()

    async with otp.open_supervisor([otp.child(serve).having(name="web")]):
        assert {"port": 80} == info("web").started
        assert None is info("web").behaviour


async def test_the_queue_and_the_message_in_hand(autojump_clock: Clock) -> None:
    """What waits, what is handled, since when, and what has been handled."""
    async with otp.open_process():
        a = await otp.start(Server)
        otp.cast(a, partial(trio.sleep, 10))
        otp.cast(a, partial(trio.sleep, 10))
        otp.send(a, "third")
        await trio.sleep(4)
        busy = info(a)
        await trio.sleep(100)
        idle = info(a)

    assert (2, 0, 4.0) == (busy.message_queue_len, busy.handled, busy.seconds)
    assert str(busy.message).startswith("cast functools.partial(")
    assert (0, 3, None, 0.0) == (idle.message_queue_len, idle.handled, idle.message, idle.seconds)


async def test_calls_that_wait_for_an_answer_are_counted(autojump_clock: Clock) -> None:
    """Queued ones, the one in hand, and deferred ones."""

    class Deferring(otp.GenServer):
        async def handle_call(self, request: Any, from_: otp.From[Any]) -> otp.NoReply:
            await trio.sleep(request)
            return otp.NoReply()

    async with otp.open_process() as me, trio.open_nursery() as nursery:
        a = await otp.start(Deferring)
        for request in (0, 10, 0):
            nursery.start_soon(partial(otp.call, a, request, timeout=None))
            await trio.sleep(1)

        assert (3, "call 10", 1) == (info(a).unanswered, info(a).message, info(a).handled)
        assert 0 == info(me).unanswered
        nursery.cancel_scope.cancel()


async def test_the_token_of_a_continue_is_in_hand(autojump_clock: Clock) -> None:
    """With the time since it began, not since the message before it."""

    class Eager(Server):
        def init(self) -> otp.NoReply:
            return otp.NoReply(continue_=10)

    async with otp.open_process():
        await trio.sleep(50)
        a = await otp.start(Eager)
        await trio.sleep(4)

        assert ("10", 4.0, "handling") == (info(a).message, info(a).seconds, info(a).status)


async def test_messages_are_cut() -> None:
    """A message of any size, or with a repr that raises, costs nothing."""

    class Rude:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    class Waiting(otp.GenServer):
        async def handle_cast(self, message: Any) -> None:
            await trio.sleep_forever()

    async with otp.open_process():
        a, b = await otp.start(Waiting), await otp.start(Waiting)
        otp.cast(a, dict.fromkeys(range(100000), "x" * 1000))
        otp.cast(b, Rude())
        await wait_all_tasks_blocked()

        assert 200 == len(info(a).message or "")
        assert calls_of(lambda: info(a)) < 1000
        assert "cast <Rude: repr raised ZeroDivisionError>" == info(b).message
        otp.exit(a, otp.KILL)
        otp.exit(b, otp.KILL)


async def test_the_states_of_a_server(autojump_clock: Clock) -> None:
    """It starts, waits for messages, handles one, waits for another's answer, and ends."""
    seen: list[otp.ProcessInfo] = []

    class Watched(Server):
        async def init(self) -> None:
            seen.append(info("a"))

        async def terminate(self, reason: object) -> None:
            await trio.sleep(1)

    async with otp.open_process(name="me"):
        a = await otp.start(otp.child(Watched).having(name="a"))
        b = await otp.start(Server)
        seen.append(info(a))
        otp.cast(a, partial(trio.sleep, 1))
        await trio.sleep(0.5)
        seen.append(info(a))
        otp.cast(a, lambda: otp.call(b, partial(trio.sleep, 1)))
        await trio.sleep(1)
        seen.append(info(a))
        assert b is info(a).waits_for
        await trio.sleep(5)
        otp.send(a, "take it")
        seen.append(info("me"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(otp.stop, a)
            await trio.sleep(0.5)
            seen.append(info(a))
        c = await otp.start(Server)
        otp.exit(c, otp.KILL)
        seen.append(info(c))

    states = ["starting", "idle", "handling", "waiting", "running", "exiting", "exiting"]
    assert states == [told.status for told in seen]


async def test_a_starter_waits_for_the_init(autojump_clock: Clock) -> None:
    """Who starts a process waits for it, as in a call."""

    class Slow(otp.GenServer):
        async def init(self) -> None:
            await trio.sleep(1)

    async with otp.open_process():
        starter = await otp.start(Server)
        otp.cast(starter, lambda: otp.start(otp.child(Slow).having(name="slow")))
        await trio.sleep(0.5)

        assert ("waiting", "starting") == (info(starter).status, info("slow").status)
        assert otp.whereis("slow") is info(starter).waits_for


async def test_the_stack_of_one_that_waits() -> None:
    """File, line and function of each frame, the innermost last."""

    async def outer() -> None:
        await inner()

    async def inner() -> None:
        await trio.sleep_forever()

    async with otp.open_process():
        pid = otp.spawn(outer)
        assert () == info(pid).stack
        await wait_all_tasks_blocked()
        stack = info(pid).stack
        otp.exit(pid, otp.KILL)

    places = [
        f"{__file__}:{fn.__code__.co_firstlineno + 1} in {fn.__name__}" for fn in (outer, inner)
    ]
    assert places == [line for line in stack if __file__ in line]


async def test_the_stack_of_the_process_that_asks() -> None:
    """Its own frames are listed as well, down to the line that asks."""

    async def ask() -> tuple[str, ...]:
        await trio.lowlevel.checkpoint()
        return info(otp.self()).stack

    async with otp.open_process():
        a = await otp.start(Server)
        stack = await otp.call(a, ask)

    names = [line.rpartition(" in ")[2] for line in stack]
    assert ["handle_call", "ask", "info"] == names[-3:]
    assert "run" == names[0]


async def test_what_a_supervisor_knows_of_its_children() -> None:
    """Id and restarts of a child; strategy and the last ends of a supervisor."""
    boom = ValueError("boom")
    child = otp.child(Server).having(name="a", id="first")
    children = [child, otp.child(otp.DynamicSupervisor).having(name="many")]
    async with otp.open_supervisor(children, strategy="rest_for_one") as sup:
        for _ in range(2):
            with pytest.raises(otp.ServerExited):
                await otp.call("a", lambda: otp.exit(boom))
            await wait_all_tasks_blocked()
        pid = await otp.start_child("many", Server)

        assert ("first", 2, sup.pid, sup.pid) == (
            info("a").child_id,
            info("a").restarts,
            info("a").supervisor,
            info("a").parent,
        )
        assert ("rest_for_one", "dynamic", None) == (
            info(sup).summary,
            info("many").summary,
            info("a").summary,
        )
        ends = [(child_id, repr(reason)) for _, child_id, reason in info(sup).history]
        assert [("first", "ValueError('boom')")] * 2 == ends
        assert (otp.whereis("many"), 0) == (info(pid).supervisor, info(pid).restarts)


# -- the tree --------------------------------------------------------------------------------------


def shown(text: str) -> str:
    """Return a tree without the numbers of pids."""
    return re.sub(r"<Pid \d+ ", "<Pid ", text)


async def test_supervisors_stand_above_their_children() -> None:
    """With id, pid, type, status, strategy and restarts; children that are down as well."""
    workers = otp.child(otp.DynamicSupervisor).having(name="workers")
    children = [
        otp.child(otp.Registry).having(name="reg"),
        otp.child(Server).having(name="a"),
        workers,
        otp.child(Server).having(id=("b", 1)),
        otp.child(main_tree).having(id="function"),
    ]
    async with otp.open_supervisor(children, name="top"):
        with pytest.raises(otp.ServerExited):
            await otp.call("a", lambda: otp.exit("odd"))
        for _ in range(2):
            await otp.start_child("workers", Server)
        await otp.terminate_child("top", ("b", 1))
        await wait_all_tasks_blocked()

        assert """\
<Pid Supervisor 'top'> supervisor one_for_one, idle
├─ <Pid Registry 'reg'> supervisor, idle
├─ <Pid Server 'a'> worker, idle, 1 restart
├─ <Pid DynamicSupervisor 'workers'> supervisor dynamic, idle
│  ├─ <Pid Server> worker, idle
│  └─ <Pid Server> worker, idle
├─ ('b', 1) worker, undefined
└─ 'function' <Pid main_tree> worker, running""" == shown(otp.tree())


async def test_what_has_no_supervisor_comes_last() -> None:
    """Linked processes stand under their starter, others by themselves."""
    async with (
        otp.open_process() as me,
        otp.open_supervisor([otp.child(Server).having(name="a")], name="top"),
    ):
        await otp.call("a", lambda: otp.spawn_link(main_tree))
        otp.spawn_link(main_tree)
        otp.spawn(main_tree)

        assert """\
<Pid Supervisor 'top'> supervisor one_for_one, idle
└─ <Pid Server 'a'> worker, idle
   └─ <Pid main_tree> linked, running
outside of supervisors:
<Pid open_process> process, running
└─ <Pid main_tree> linked, running
<Pid main_tree> process, running""" == shown(otp.tree())
        assert "<Pid open_process> process, running" == shown(otp.tree(me)).splitlines()[0]


async def test_a_process_that_outlives_its_starter_stands_by_itself() -> None:
    """A starter that ended normally leaves the process it was linked to alive."""

    async def start_and_end() -> None:
        otp.spawn_link(main_tree)

    async with otp.open_process():
        otp.spawn(start_and_end)
        await wait_all_tasks_blocked()

        assert "<Pid main_tree> process, running" == shown(otp.tree()).splitlines()[-1]


async def test_part_of_the_tree() -> None:
    """A reference gives the tree below it."""
    children = [otp.child(otp.DynamicSupervisor).having(name="workers")]
    async with otp.open_supervisor(children):
        await otp.start_child("workers", Server)

        assert """\
<Pid DynamicSupervisor 'workers'> supervisor dynamic, idle
└─ <Pid Server> worker, idle""" == shown(otp.tree("workers"))
        with pytest.raises(otp.NoProcess):
            otp.tree("nobody")


async def test_a_tree_that_is_being_built_or_ends(autojump_clock: Clock) -> None:
    """A child in its init is shown, and one that is about to die."""

    class Slow(otp.GenServer):
        async def init(self) -> None:
            await trio.sleep(1)

    async def look() -> None:
        await trio.sleep(0.5)
        trees.append(shown(otp.tree()))

    trees: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        slow = otp.child(Slow)
        children = [otp.child(Server), slow, otp.child(otp.DynamicSupervisor)]
        named = [child.having(name=name) for child, name in zip(children, "abc", strict=True)]
        async with otp.open_supervisor(named, name="top"):
            nursery.start_soon(look)
            nursery.start_soon(otp.start_child, "c", slow)
            await trio.sleep(2)
            otp.exit("a", otp.KILL)
            trees.append(shown(otp.tree()))

    assert [
        """\
<Pid Supervisor 'top'> supervisor one_for_one, starting
├─ <Pid Server 'a'> worker, idle
├─ <Pid Slow 'b'> worker, starting
└─ 'c' supervisor, undefined""",
        """\
<Pid Supervisor 'top'> supervisor one_for_one, idle
├─ <Pid Server 'a'> worker, idle
├─ <Pid Slow 'b'> worker, idle
└─ <Pid DynamicSupervisor 'c'> supervisor dynamic, waiting
   └─ <Pid Slow> worker, starting""",
        """\
<Pid Supervisor 'top'> supervisor one_for_one, idle
├─ <Pid Server 'a'> worker, exiting
├─ <Pid Slow 'b'> worker, idle
└─ <Pid DynamicSupervisor 'c'> supervisor dynamic, idle
   └─ <Pid Slow> worker, idle""",
    ] == trees


async def test_nobody_is_an_empty_tree() -> None:
    """There is nothing to draw."""
    assert "" == otp.tree()


async def test_a_chain_of_links_of_any_length_is_drawn() -> None:
    """Longer than Python's stack; the indentation ends somewhere."""
    length = 1050

    async def grow(left: int) -> None:
        if left:
            otp.spawn_link(grow, left - 1)
        await trio.sleep_forever()

    async with otp.open_process(trap_exit=True):
        first = otp.spawn_link(grow, length)
        await wait_all_tasks_blocked()
        lines = otp.tree(first).splitlines()

        assert length + 1 == len(lines)
        assert max(map(len, lines)) < 250
        otp.exit(first, otp.KILL)
        await otp.receive(otp.Exit)


async def test_the_work_to_see_many_processes_grows_with_their_number() -> None:
    """Four times the processes are four times the work, for the tree and for the infos."""

    def look() -> None:
        text = otp.tree()
        told = [info(pid) for pid in otp.processes()]
        assert otp.process_count() == len(text.splitlines()) == len(told)

    async with otp.open_supervisor([otp.child(otp.DynamicSupervisor).having(name="many")]):
        work = []
        for count in (100, 300):
            for _ in range(count):
                await otp.start_child("many", Server)
            work.append(calls_of(look))

    assert work[1] < 4.4 * work[0]


async def test_a_thread_with_a_run_of_its_own_reads_the_tables_of_this_one() -> None:
    """It is all there, but for the message in hand; by its pid, its process is not found there."""
    release = trio.Event()

    class Holder(otp.GenServer):
        @otp.on_call
        async def hold(self, event: trio.Event) -> None:
            await event.wait()

    async def look(tables: Runtime, pid: otp.Pid[Any]) -> otp.ProcessInfo:
        with pytest.raises(otp.NoProcess):
            otp.process_info(pid)
        return info_of(next(each for each in tables.processes.values() if each.pid is pid), None)

    children = [otp.child(Holder).having(name="holder")]
    async with trio.open_nursery() as nursery, otp.open_supervisor(children):
        nursery.start_soon(Holder.at("holder").hold, release)
        await wait_all_tasks_blocked()
        pid = otp.whereis("holder")
        assert pid is not None
        seen = await trio.to_thread.run_sync(lambda t: trio.run(look, t, pid), runtime())
        here = otp.process_info("holder")
        release.set()
    assert "call hold(" == (here.message or "")[:10]
    assert here == dataclasses.replace(seen, seconds=here.seconds, message=here.message)
    assert ("handling", None) == (seen.status, seen.message)
    assert "in hold" in " ".join(seen.stack)
