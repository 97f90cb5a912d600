"""`otp.sys`: the state of a running process, and holding it (SY-1 to SY-6, SY-10, SY-11)."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
from sys_kit import Door, Tally
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@asynccontextmanager
async def tally(ended: list[object] | None = None) -> AsyncGenerator[otp.Pid[Tally]]:
    async with otp.open_process(trap_exit=True):
        yield await otp.start_link(otp.child(Tally, ended).having(name="tally"))


class Caller:
    """Calls from a task of its own, and keeps what comes of it."""

    def __init__(self, nursery: trio.Nursery, request: Any, timeout: float | None = 5.0) -> None:
        self.result: Any = "waits"
        nursery.start_soon(self._call, request, timeout)

    async def _call(self, request: Any, timeout: float | None) -> None:
        try:
            self.result = await otp.call("tally", request, timeout=timeout)
        except otp.CallError as exc:
            self.result = type(exc)


# -- state ---------------------------------------------------------------------------------------


async def test_get_state_is_answered_after_what_was_sent_before() -> None:
    """SY-1: it goes through the mailbox, so casts sent before are done."""
    async with tally() as pid:
        for number in range(200):
            otp.cast(pid, number)
        state = await otp.sys.get_state(pid)
        assert sum(range(200)) == state.total
        assert isinstance(state, Tally)


async def test_the_state_of_each_behaviour() -> None:
    """SY-4, SY-10: instance, value, state and instance; supervisors and registries as well."""
    registry = otp.child(otp.Registry).having(name="registry")
    children = [registry, otp.child(otp.DynamicSupervisor).having(name="dynamic"), Door]
    async with (
        otp.open_supervisor([*children, otp.child(otp.TaskSupervisor)], name="top") as top,
        otp.open_process(),
    ):
        agent = await otp.start_link(otp.child(otp.Agent, lambda: None))
        door = await otp.start_link(otp.child(Door).having(name="door"))
        assert await otp.sys.get_state(agent) is None
        state, data = await otp.sys.get_state(door)
        assert "locked" == state
        assert 7 == data.code
        assert isinstance(await otp.sys.get_state(top), otp.Supervisor)
        assert isinstance(await otp.sys.get_state("dynamic"), otp.DynamicSupervisor)
        assert isinstance(await otp.sys.get_state("registry"), otp.Registry)
        for ref in (agent, door, top, "dynamic", "registry"):
            await otp.sys.suspend(ref)
            assert "suspended" == (await otp.sys.get_status(ref)).sys
            await otp.sys.resume(ref)
            assert "running" == (await otp.sys.get_status(ref)).sys


async def test_the_top_of_an_application_answers() -> None:
    """SY-10: the handle of an application stands for its top process."""

    class Shop(otp.Application):
        def start(self) -> Any:
            return otp.Supervisor.spec([otp.child(Tally)])

    async with otp.open_application(Shop) as app:
        status = await otp.sys.get_status(app)
        assert "gen_server" == status.module
        assert "one_for_one" == status.state["strategy"]
        assert ["Tally"] == [info.id for info in status.state["children"]]


async def test_replace_state_gives_the_new_state() -> None:
    """SY-4: the function runs in the process, and what it returns is there from then on."""

    async def doubled(state: Tally) -> Tally:
        await trio.lowlevel.checkpoint()
        assert otp.whereis("tally") is otp.self()
        state.total = 42
        return state

    async with tally() as pid:
        assert 42 == (await otp.sys.replace_state(pid, doubled)).total
        assert 42 == await otp.call(pid, "total")


async def test_replace_state_may_put_another_instance_there() -> None:
    """An instance of the same class takes over, for callbacks and terminate."""
    ended: list[object] = []
    other = Tally(ended)
    async with tally() as pid:
        assert other is await otp.sys.replace_state(pid, lambda _: other)
        otp.cast(pid, 5)
        assert 5 == await otp.call(pid, "total")
        await otp.stop(pid)
    assert [5] == other.seen
    assert [otp.NORMAL] == ended


async def test_replace_state_of_an_agent_takes_any_value() -> None:
    """The value of an agent may be None as well."""
    async with otp.open_process():
        agent = await otp.start_link(otp.child(otp.Agent, lambda: 1))
        assert await otp.sys.replace_state(agent, lambda _: None) is None
        assert await otp.Agent.get(agent, lambda value: value) is None


async def test_the_state_of_an_event_manager_is_the_list_of_its_handlers() -> None:
    """SY-4: newest first; objects of the same classes can take their places."""

    class Sum(otp.GenEvent):
        def __init__(self, total: int = 0) -> None:
            self.total = total

        def handle_event(self, event: int) -> None:
            self.total += event

    async with otp.open_process():
        events = await otp.start_link(otp.child(otp.EventManager, [Sum]))
        await otp.gen_event.add_handler(events, Sum(10), id=2)
        await otp.sys.suspend(events)
        otp.gen_event.notify(events, 5)
        state = await otp.sys.get_state(events)
        assert [((Sum, 2), 10), (Sum, 0)] == [(key, handler.total) for key, handler in state]
        await otp.sys.replace_state(events, lambda old: [(old[0][0], Sum(20)), old[1]])
        with pytest.raises(otp.CallbackFailed) as caught:
            await otp.sys.replace_state(events, lambda old: old[:1])
        assert isinstance(caught.value.__cause__, otp.BadReturn)
        await otp.sys.resume(events)
        state = await otp.sys.get_state(events)
        assert [((Sum, 2), 25), (Sum, 5)] == [(key, handler.total) for key, handler in state]
        assert "gen_event" == (await otp.sys.get_status(events)).module


async def test_replace_state_of_a_state_machine_takes_both() -> None:
    """State and data change together; what cannot be a state is refused and changes nothing."""
    async with otp.open_process():
        door = await otp.start_link(otp.child(Door))
        await otp.sys.replace_state(door, lambda pair: ("open", pair[1]))
        assert "in" == await otp.call(door, "wait")
        other = Door(code=9)
        await otp.sys.replace_state(door, lambda _: ("locked", other))
        otp.cast(door, 9)
        assert ("open", other) == await otp.sys.get_state(door)
        for wrong in ("open", ("open", 5), ("open", other, 3), None):
            with pytest.raises(otp.CallbackFailed, match=r"a tuple \(state, Door\)"):
                await otp.sys.replace_state(door, lambda _, wrong=wrong: wrong)
        assert ("open", other) == await otp.sys.get_state(door)


@pytest.mark.parametrize("wrong", [None, 5, Door()])
async def test_what_cannot_be_the_state_is_refused(wrong: Any) -> None:
    """SY-3: the caller learns of it, the server keeps its state."""
    async with tally() as pid:
        state = await otp.sys.get_state(pid)
        with pytest.raises(otp.CallbackFailed, match="a Tally") as caught:
            await otp.sys.replace_state(pid, lambda _: wrong)
        assert isinstance(caught.value.__cause__, otp.BadReturn)
        assert state is await otp.sys.get_state(pid)


@pytest.mark.parametrize("name", ["registry", "supervisor"])
async def test_the_instance_of_a_registry_or_supervisor_stays(name: str) -> None:
    """Others refer to that very instance, so another one is refused."""
    registry = otp.child(otp.Registry).having(name="registry")
    async with otp.open_supervisor([registry], name="supervisor"):
        with pytest.raises(otp.CallbackFailed, match=r"the .* it was given"):
            await otp.sys.replace_state(name, lambda old: type(old)())
        assert await otp.sys.replace_state(name, lambda old: old) is not None


async def test_a_function_that_raises_fails_in_the_caller_alone() -> None:
    """SY-3: `CallbackFailed` with the cause; state and server are as they were."""

    def broken(_: Tally) -> Tally:
        raise KeyError("boom")

    def leaving(_: Tally) -> Tally:
        otp.exit("bye")
        raise AssertionError

    async with tally() as pid:
        state = await otp.sys.get_state(pid)
        with pytest.raises(otp.CallbackFailed) as caught:
            await otp.sys.replace_state(pid, broken)
        assert isinstance(caught.value.__cause__, KeyError)
        with pytest.raises(otp.CallbackFailed) as caught:
            await otp.sys.replace_state(pid, leaving)
        assert "bye" == caught.value.reason
        assert state is await otp.sys.get_state(pid)
        assert 0 == await otp.call(pid, "total")


# -- suspend and resume --------------------------------------------------------------------------


async def test_a_suspended_server_keeps_what_arrives_in_its_order() -> None:
    """SY-2: calls, casts and plain messages wait; after resume they are handled in order."""
    async with tally() as pid, trio.open_nursery() as nursery:
        await otp.sys.suspend(pid)
        otp.cast(pid, 1)
        otp.send(pid, "two")
        first = Caller(nursery, "total")
        await wait_all_tasks_blocked()
        otp.cast(pid, 3)
        assert [] == (await otp.sys.get_state(pid)).seen
        assert 4 == (await otp.sys.get_status(pid)).message_queue_len
        otp.send(pid, "four")
        await otp.sys.resume(pid)
        state = await otp.sys.get_state(pid)
        await wait_all_tasks_blocked()
        assert [1, "two", 3, "four"] == state.seen
        assert 1 == first.result


async def test_suspending_does_not_nest() -> None:
    """SY-2: suspending twice is suspending once; resuming what runs does no harm."""
    async with tally() as pid:
        await otp.sys.resume(pid)
        await otp.sys.suspend(pid)
        await otp.sys.suspend(pid)
        await otp.sys.resume(pid)
        assert 0 == await otp.call(pid, "total")


async def test_a_call_to_a_suspended_server_times_out_and_is_handled_all_the_same(
    autojump_clock: Any,
) -> None:
    """SY-2: the caller is not kept longer than it said; the late reply is dropped."""
    async with tally() as pid:
        await otp.sys.suspend(pid)
        with pytest.raises(otp.CallTimeout):
            await otp.call(pid, ("go on", "token"), timeout=1)
        await otp.sys.resume(pid)
        assert ["token"] == (await otp.sys.get_state(pid)).seen


@pytest.mark.parametrize("way", ["kill", "signal", "stop", "terminate", "shutdown"])
async def test_however_a_suspended_server_ends_its_callers_are_told(way: str) -> None:
    """Law 2 holds while suspended: queued and deferred calls are answered by the end."""
    ended: list[object] = []
    child = otp.child(Tally, ended).having(name="tally", restart="temporary")
    async with otp.open_supervisor([child]) as sup:
        async with trio.open_nursery() as nursery:
            callers = [Caller(nursery, "defer", None)]
            await wait_all_tasks_blocked()
            await otp.sys.suspend("tally")
            callers += [Caller(nursery, "total", None) for _ in range(3)]
            await wait_all_tasks_blocked()
            match way:
                case "kill":
                    otp.exit("tally", otp.KILL)
                case "signal":
                    otp.exit("tally", "away")
                case "stop":
                    await otp.stop("tally", otp.SHUTDOWN)
                case "terminate":
                    await otp.sys.terminate("tally", otp.SHUTDOWN)
                case _:
                    await otp.terminate_child(sup, "tally")
        assert [otp.ServerExited] * 4 == [caller.result for caller in callers]
    assert ended == ([otp.SHUTDOWN] if way in {"stop", "terminate", "shutdown"} else [])


async def test_a_suspended_server_that_traps_exits_obeys_its_parent() -> None:
    """SY-2: the end of the parent is its end; other exit signals wait like any message."""
    ended: list[object] = []

    class Trapping(Tally):
        def init(self) -> None:
            otp.trap_exit(True)

    async def parent() -> None:
        await otp.start_link(otp.child(Trapping, ended).having(name="tally"))
        await otp.receive()

    async with trio.open_nursery() as nursery, otp.open_process():
        pid = otp.spawn(parent, nursery=nursery)
        await wait_all_tasks_blocked()
        await otp.sys.suspend("tally")
        otp.exit("tally", "of a stranger")
        assert [] == (await otp.sys.get_state("tally")).seen
        otp.send(pid, "go")
        await wait_all_tasks_blocked()
        assert otp.whereis("tally") is None
        assert [otp.NORMAL] == ended
        nursery.cancel_scope.cancel()


async def test_a_cancelled_nursery_ends_a_suspended_server_in_order() -> None:
    """A cancellation from outside runs terminate, as of any server."""
    ended: list[object] = []
    async with trio.open_nursery() as nursery:
        await otp.start(otp.child(Tally, ended).having(name="tally"), nursery=nursery)
        await otp.sys.suspend("tally")
        nursery.cancel_scope.cancel()
    assert [otp.SHUTDOWN] == ended


async def test_an_idle_time_out_keeps_its_deadline(autojump_clock: Any) -> None:
    """System requests neither cancel nor restart it; over while suspended, it comes after."""
    async with tally() as pid:
        await otp.call(pid, ("idle", 10))
        await trio.sleep(6)
        await otp.sys.get_state(pid)
        await trio.sleep(5)
        assert [otp.Timeout()] == (await otp.sys.get_state(pid)).seen
        await otp.call(pid, ("idle", 10))
        await otp.sys.suspend(pid)
        await trio.sleep(20)
        assert [otp.Timeout()] == (await otp.sys.get_state(pid)).seen
        await otp.sys.resume(pid)
        await wait_all_tasks_blocked()
        assert [otp.Timeout()] * 2 == (await otp.sys.get_state(pid)).seen


async def test_a_message_held_back_comes_before_the_idle_time_out(autojump_clock: Any) -> None:
    """What waited while the time-out ran out cancels it, as any message does."""
    async with tally() as pid:
        await otp.call(pid, ("idle", 10))
        await otp.sys.suspend(pid)
        otp.send(pid, "held")
        await trio.sleep(20)
        await otp.sys.resume(pid)
        await trio.sleep(20)
        assert ["held"] == (await otp.sys.get_state(pid)).seen


async def test_a_state_time_out_that_ran_out_comes_after_resume(autojump_clock: Any) -> None:
    """Events of a state machine wait in their order, the end of its timers among them."""
    async with otp.open_process():
        door = await otp.start_link(otp.child(Door))
        otp.cast(door, 7)
        await otp.sys.suspend(door)
        await trio.sleep(20)
        assert "open" == (await otp.sys.get_state(door))[0]
        await otp.sys.resume(door)
        assert "locked" == (await otp.sys.get_state(door))[0]


async def test_a_suspended_supervisor_restarts_when_it_is_resumed() -> None:
    """Ends of children and management calls wait; the order to end does not."""
    child = otp.child(Tally).having(name="tally")
    async with otp.open_supervisor([child], name="top"), trio.open_nursery() as nursery:
        await otp.sys.suspend("top")
        otp.exit("tally", otp.KILL)
        await wait_all_tasks_blocked()
        counted: list[Any] = []

        async def count() -> None:
            counted.append((await otp.count_children("top")).active)

        nursery.start_soon(count)
        await wait_all_tasks_blocked()
        assert otp.whereis("tally") is None
        assert [] == counted
        await otp.sys.resume("top")
        await wait_all_tasks_blocked()
        assert otp.whereis("tally") is not None
        assert [1] == counted
        await otp.sys.suspend("top")
    assert otp.whereis("top") is None


async def test_a_suspended_supervisor_stops_its_children_when_it_is_stopped() -> None:
    """Orders to end are obeyed while suspended, children first."""
    ended: list[object] = []
    async with otp.open_process(trap_exit=True):
        top = await otp.start_link(otp.child(otp.Supervisor, [otp.child(Tally, ended)]))
        await otp.sys.suspend(top)
        await otp.stop(top, otp.SHUTDOWN)
    assert [otp.SHUTDOWN] == ended


# -- status, terminate, time-outs, mistakes ------------------------------------------------------


async def test_get_status_tells_what_there_is_to_know() -> None:
    """SY-5: class, state through `format_status`, dictionary, parent, what is on."""

    class Secret(Tally):
        def init(self) -> None:
            otp.dictionary()["key"] = "value"

        def format_status(self) -> object:
            return "hidden"

    async with otp.open_process() as me:
        pid = await otp.start_link(otp.child(Secret).having(name="s", debug=["log"]))
        status = await otp.sys.get_status(pid)
    assert (pid, "s", Secret, "gen_server") == (
        status.pid,
        status.name,
        status.behaviour,
        status.module,
    )
    assert ("running", me, "hidden") == (status.sys, status.parent, status.state)
    assert {"key": "value"} == status.dictionary
    assert (("log",), {}) == (status.debug, status.misc)


async def test_the_status_of_a_state_machine_lists_what_is_postponed() -> None:
    """Row 127: the state, postponed events and running time-outs."""
    async with otp.open_process(), trio.open_nursery() as nursery:
        door = await otp.start_link(otp.child(Door))
        nursery.start_soon(otp.call, door, "wait")
        await wait_all_tasks_blocked()
        status = await otp.sys.get_status(door)
        assert "gen_statem" == status.module
        assert "locked" == status.misc["state"]
        assert ["call 'wait'"] == [repr(event) for event in status.misc["postponed"]]
        assert {"code": 7, "entered": 0} == {key: status.state[key] for key in ("code", "entered")}
        otp.cast(door, 7)
        assert (otp.Event.STATE_TIMEOUT,) == (await otp.sys.get_status(door)).misc["timeouts"]


async def test_it_is_seen_from_outside_what_otp_sys_does(autojump_clock: Any) -> None:
    """`process_info` and the tree say that a process is suspended, or busy with a request."""

    async def stuck(state: Tally) -> Tally:
        await trio.sleep_forever()
        return state

    async with otp.open_supervisor([otp.child(Tally).having(name="tally")]) as sup:
        await otp.sys.suspend("tally")
        assert "suspended" == otp.process_info("tally").status
        assert "worker, suspended" in otp.tree()
        await otp.sys.suspend(sup)
        assert "suspended" == otp.process_info(sup).status
        await otp.sys.resume(sup)
        await otp.sys.resume("tally")
        assert ("idle", None) == seen("tally")
        with trio.move_on_after(0.01):
            await otp.sys.replace_state("tally", stuck)
        status, message = seen("tally")
        assert "handling" == status
        assert "ReplaceState" in str(message)


def seen(ref: Any) -> tuple[str, str | None]:
    info = otp.process_info(ref)
    return info.status, info.message


async def test_a_format_status_that_raises_does_not_break_the_status() -> None:
    """GS-21: there is a note in its place."""

    class Broken(Tally):
        def format_status(self) -> object:
            raise ValueError("no")

    async with otp.open_process():
        pid = await otp.start_link(otp.child(Broken))
        status = await otp.sys.get_status(pid)
    assert "<format_status raised ValueError('no')>" == repr(status.state)


async def test_terminate_answers_and_then_ends_the_server() -> None:
    """SY-11: `terminate` gets the reason, as if it had been stopped."""
    ended: list[object] = []
    async with tally(ended) as pid:
        otp.cast(pid, 1)
        await otp.sys.terminate(pid, "enough")
        assert otp.Exit(pid, "enough") == await otp.receive(otp.Exit)
    assert ["enough"] == ended


@pytest.mark.parametrize("way", ["timeout", "cancelled", "timeout=0"])
async def test_requests_that_were_given_up_do_nothing(way: str, autojump_clock: Any) -> None:
    """A suspend that nobody knows of would hold the server for ever; no other one is done later."""
    async with tally() as pid, trio.open_nursery() as nursery:
        nursery.start_soon(partial(otp.call, pid, ("sleep", 20), timeout=30))
        await wait_all_tasks_blocked()
        requests: list[Any] = [
            otp.sys.suspend,
            lambda ref, timeout: otp.sys.replace_state(ref, double, timeout=timeout),
            lambda ref, timeout: otp.sys.log(ref, True, timeout=timeout),
            lambda ref, timeout: otp.sys.install(ref, print, timeout=timeout),
            lambda ref, timeout: otp.sys.change_code(ref, timeout=timeout),
            otp.sys.get_state,
        ]
        for request in requests:
            if way == "cancelled":
                with trio.move_on_after(1) as scope:
                    await request(pid, timeout=None)
                assert scope.cancelled_caught
            else:
                with pytest.raises(otp.CallTimeout):
                    await request(pid, timeout=1 if way == "timeout" else 0)
        await trio.sleep(20)
        status = await otp.sys.get_status(pid)
        assert ("running", ()) == (status.sys, status.debug)
        assert 0 == await otp.call(pid, "total")


def double(server: Any) -> Any:
    server.total = 2
    return server


@pytest.mark.parametrize("way", ["timeout", "cancelled"])
async def test_a_suspended_process_passes_over_what_was_given_up(
    way: str, autojump_clock: Any
) -> None:
    """Also one that is held and busy with another request; its resume comes all the same."""
    async with tally() as pid, trio.open_nursery() as nursery:
        await otp.sys.suspend(pid)
        nursery.start_soon(partial(otp.sys.replace_state, pid, busy_for_a_while, timeout=None))
        await wait_all_tasks_blocked()
        for request in (otp.sys.resume, otp.sys.suspend):
            with suppress(otp.CallTimeout), trio.move_on_after(1):
                await request(pid, timeout=1 if way == "timeout" else None)
        await trio.sleep(20)
        assert "running" == (await otp.sys.get_status(pid)).sys


async def busy_for_a_while(server: Any) -> Any:
    await trio.sleep(10)
    return server


async def test_a_server_that_was_ordered_to_end_in_vain_ends_later(autojump_clock: Any) -> None:
    """As after an `otp.stop` that has timed out."""
    ended: list[object] = []
    async with tally(ended) as pid, trio.open_nursery() as nursery:
        nursery.start_soon(partial(otp.call, pid, ("sleep", 20), timeout=30))
        await wait_all_tasks_blocked()
        with pytest.raises(otp.CallTimeout):
            await otp.sys.terminate(pid, "enough", timeout=1)
        assert otp.Exit(pid, "enough") == await otp.receive(otp.Exit)
    assert ["enough"] == ended


async def test_a_plain_process_is_refused_at_once() -> None:
    """SY-10: it would never answer; nothing arrives in its mailbox."""
    async with otp.open_process() as me:
        with pytest.raises(otp.WrongServer, match="which is a plain process"):
            await otp.sys.get_state(otp.spawn(trio.sleep_forever))
        with pytest.raises(otp.WrongServer):
            await otp.sys.suspend(me)
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(timeout=0)
        otp.exit(otp.NORMAL)


async def test_requests_to_the_dead_and_to_oneself_fail_at_once() -> None:
    """As any call: NoProcess, CallingSelf, ServerExited."""

    class Asking(Tally):
        async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            return otp.Reply(await otp.sys.get_state(otp.self()))

    async with otp.open_process(trap_exit=True):
        pid = await otp.start_link(otp.child(Asking))
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call(pid, "ask")
        assert isinstance(caught.value.reason, otp.CallingSelf)
        with pytest.raises(otp.NoProcess):
            await otp.sys.get_state(pid)
        with pytest.raises(otp.NoProcess):
            await otp.sys.get_state("nobody")


async def test_wrong_arguments_are_refused_in_the_caller() -> None:
    """The text names the argument, the value and what is accepted."""
    requests: list[tuple[Any, str]] = [
        (lambda: otp.sys.get_state("tally", timeout=-1), "timeout=-1"),
        (lambda: otp.sys.replace_state("tally", 5), "function=5"),  # type: ignore[arg-type]
        (lambda: otp.sys.trace("tally", 5), "to=5"),  # type: ignore[arg-type]
        (lambda: otp.sys.log("tally", "all"), "what='all'"),  # type: ignore[call-overload]
        (lambda: otp.sys.log("tally", -1), "what=-1"),
        (lambda: otp.sys.statistics("tally", 1), "what=1"),
        (lambda: otp.sys.log_to_file("tally", 5), "path=5"),  # type: ignore[arg-type]
        (lambda: otp.sys.install("tally", 5), "function=5"),  # type: ignore[arg-type]
        (lambda: otp.sys.get_state(5), "expected"),  # type: ignore[arg-type]
    ]
    async with tally() as pid:
        for request, text in requests:
            with pytest.raises((TypeError, ValueError), match=text):
                await request()
        assert () == (await otp.sys.get_status(pid)).debug


async def test_a_function_that_kills_its_process_gets_no_answer() -> None:
    """The caller gets the end as an error instead."""

    def kill(_: object) -> None:
        otp.exit(otp.self(), otp.KILL)

    async with tally() as pid:
        with pytest.raises(otp.ServerExited) as caught:
            await otp.sys.replace_state(pid, kill)
        assert caught.value.reason is otp.KILLED


async def test_a_format_status_of_which_nothing_is_known_gets_nothing() -> None:
    """What does not say which arguments it takes is called without any."""

    class Shown(otp.GenServer):
        format_status: Any = dict

        def __init__(self) -> None:
            self.count = 1

    async with otp.open_process():
        pid = await otp.start_link(Shown)
        assert {} == (await otp.sys.get_status(pid)).state


@pytest.mark.parametrize("reason", [ValueError("secret"), ("secret", 1)])
async def test_a_misspelt_key_of_format_status_hides_everything(
    reason: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What it was to keep out is not known; of an exception the class is shown."""

    class Misspelt(otp.GenServer):
        def format_status(self, status: dict[str, Any]) -> Any:
            return {"massage": None}

        def handle_cast(self, message: Any) -> otp.Stop:
            return otp.Stop(reason)

    async with otp.open_process(trap_exit=True):
        otp.cast(await otp.start_link(Misspelt), "end")
        await otp.receive(otp.Exit)
    assert "secret" not in caplog.text
    assert "format_status returned" in caplog.text
    assert ("ValueError" in caplog.text) == isinstance(reason, ValueError)
