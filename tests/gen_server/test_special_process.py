"""Hand-written loops that answer `otp.sys`, how they start, and how they go on as servers."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from sys_kit import Door, Tally
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

STARTED = trio.TASK_STATUS_IGNORED


class Loops:
    """A loop that notes what it takes; how it is made is left to the test."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.seen: list[Any] = []
        self.trap = False

    async def run(self, *, task_status: Any = STARTED) -> None:
        otp.trap_exit(self.trap)
        me = otp.SpecialProcess(state=0, **self.options)
        otp.init_ack("ready")
        try:
            while True:
                message = await me.receive()
                if isinstance(message, otp.From):
                    otp.reply(message, ("answer to", message.message))
                elif isinstance(message, int):
                    me.state += message
                self.seen.append(message if not isinstance(message, otp.From) else "call")
        finally:
            self.seen.append("end")


async def test_a_loop_answers_system_requests() -> None:
    """Row 150: state, status, replace, suspend, resume, as any server."""
    loops = Loops()
    async with otp.open_supervisor([otp.child(loops.run).having(name="loop")]):
        assert "ready" == otp.process_info("loop").started
        otp.send("loop", 5)
        assert 5 == await otp.sys.get_state("loop")
        assert 10 == await otp.sys.replace_state("loop", lambda state: state * 2)
        await otp.sys.suspend("loop")
        otp.send("loop", 1)
        status = await otp.sys.get_status("loop")
        assert ("suspended", 10, "proc_lib") == (status.sys, status.state, status.module)
        with pytest.raises(otp.CallbackFailed):
            await otp.sys.replace_state("loop", lambda state: state / 0)
        await otp.sys.resume("loop")
        assert 11 == await otp.sys.get_state("loop")
        assert ("answer to", "question") == await otp.call("loop", "question")
    assert [5, 1, "call", "end"] == loops.seen


@pytest.mark.parametrize("suspended", [False, True])
@pytest.mark.parametrize("way", ["stop", "terminate", "shutdown", "parent", "kill"])
async def test_orders_to_end_leave_the_loop(way: str, suspended: bool) -> None:
    """Its `finally` runs, and its exit reason is what it was told."""
    loops = Loops()
    loops.trap = way == "parent"

    async def parent() -> None:
        await otp.start_link(otp.child(loops.run).having(name="loop"))
        await otp.receive()
        otp.exit("gone")

    async with otp.open_process(trap_exit=True), trio.open_nursery() as nursery:
        starter = otp.spawn(parent, nursery=nursery)
        await wait_all_tasks_blocked()
        watch = otp.monitor("loop")
        if suspended:
            await otp.sys.suspend("loop")
            otp.send("loop", "never")
        match way:
            case "stop":
                await otp.stop("loop", "enough")
            case "terminate":
                await otp.sys.terminate("loop", "enough")
            case "shutdown":
                nursery.cancel_scope.cancel()
            case "parent":
                otp.send(starter, "go")
            case _:
                otp.exit("loop", otp.KILL)
        down = await otp.receive(otp.Down)
        assert watch is down.ref
        reasons = {"shutdown": otp.SHUTDOWN, "parent": "gone", "kill": otp.KILLED}
        assert reasons.get(way, "enough") == down.reason
        nursery.cancel_scope.cancel()
    assert ["end"] == loops.seen


async def test_system_requests_do_not_lengthen_a_time_out(autojump_clock: Any) -> None:
    """`receive` takes what is wanted, and the rest keeps its order."""

    async def loop() -> None:
        me = otp.SpecialProcess("state")
        with pytest.raises(otp.ReceiveTimeout):
            await me.receive(int, timeout=3)
        results.append(trio.current_time() - began)
        results.append(await me.receive(str))
        results.append(await otp.receive())  # sees no system requests either
        results.append(await me.receive())

    results: list[Any] = []
    async with trio.open_nursery() as nursery:
        began = trio.current_time()
        pid = otp.spawn(loop, nursery=nursery)
        await wait_all_tasks_blocked()
        for message in (b"first", "text"):
            otp.send(pid, message)
        for _ in range(2):
            await trio.sleep(1)
            assert "state" == await otp.sys.get_state(pid)
        await trio.sleep(2)
        nursery.start_soon(otp.sys.get_status, pid)
        await wait_all_tasks_blocked()
        otp.send(pid, "last")
    assert [3, "text", b"first", "last"] == results


async def test_a_receive_that_is_cancelled_loses_no_request(autojump_clock: Any) -> None:
    """What it was doing is told to the caller; suspended it stays, whatever is around it."""

    async def loop() -> None:
        me = otp.SpecialProcess(0)
        for _ in range(3):
            with trio.move_on_after(10):
                seen.append(await me.receive(int))

    async def slow(state: int) -> int:
        await trio.sleep(60)
        return state

    seen: list[int] = []
    async with trio.open_nursery() as nursery:
        pid = otp.spawn(loop, nursery=nursery)
        await wait_all_tasks_blocked()
        with pytest.raises(otp.CallbackFailed, match="cancelled"):
            await otp.sys.replace_state(pid, slow, timeout=20)
        await otp.sys.suspend(pid)
        otp.send(pid, 1)
        await trio.sleep(15)
        assert "suspended" == (await otp.sys.get_status(pid)).sys
        assert [] == seen
        await otp.sys.resume(pid)
    assert [1] == seen


async def test_a_request_of_a_suspended_process_is_cancelled_as_any_other(
    autojump_clock: Any,
) -> None:
    """What it was doing while it was suspended is told to the caller, who would wait for ever."""

    async def loop() -> None:
        me = otp.SpecialProcess(0)
        with trio.move_on_after(10):
            await me.receive(int)
        await me.receive(int)

    async def slow(state: int) -> int:
        await trio.sleep(60)
        return state

    async with trio.open_nursery() as nursery:
        pid = otp.spawn(loop, nursery=nursery)
        await wait_all_tasks_blocked()
        await otp.sys.suspend(pid)
        with pytest.raises(otp.CallbackFailed, match="cancelled"):
            await otp.sys.replace_state(pid, slow, timeout=1000)
        await otp.sys.resume(pid)
        otp.send(pid, 1)


async def test_a_request_in_hand_at_the_end_is_answered_by_that(autojump_clock: Any) -> None:
    """Law 2: who waits for a state that is being replaced gets the reason of the end."""

    async def loop() -> None:
        await otp.SpecialProcess(0).receive(int)

    async def slow(state: int) -> int:
        await trio.sleep(60)
        return state

    async def end() -> None:
        await trio.sleep(1)
        otp.exit(pid, "enough")

    async with trio.open_nursery() as nursery:
        pid = otp.spawn(loop, nursery=nursery)
        await wait_all_tasks_blocked()
        nursery.start_soon(end)
        with pytest.raises(otp.ServerExited, match="enough"):
            await otp.sys.replace_state(pid, slow)


async def test_a_request_in_the_mailbox_at_the_end_is_answered() -> None:
    """Law 2: a loop that does not look any more, and ends, answers by its end."""

    async def loop() -> None:
        otp.SpecialProcess()
        await otp.receive()

    async with otp.open_process(), trio.open_nursery() as nursery:
        pid = otp.spawn(loop)
        await wait_all_tasks_blocked()

        async def ask() -> None:
            with pytest.raises(otp.ServerExited):
                await otp.sys.get_state(pid)

        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        otp.send(pid, "end")


async def test_its_code_and_its_status_are_functions() -> None:
    """`code_change` gives the next state, `format_status` what is shown of it."""
    loops = Loops(
        format_status=lambda state: f"about {state}",
        code_change=lambda state, old, extra: (state, old, extra),
    )
    async with otp.open_supervisor([otp.child(loops.run).having(name="loop")]):
        with pytest.raises(otp.ProcessNotSuspended):
            await otp.sys.change_code("loop")
        await otp.sys.suspend("loop")
        await otp.sys.change_code("loop", old_version=1, extra=2)
        with pytest.raises(otp.CallbackFailed):
            await otp.sys.change_code("loop", Tally)
        assert (0, 1, 2) == await otp.sys.get_state("loop")
        assert "about (0, 1, 2)" == (await otp.sys.get_status("loop")).state


async def test_a_loop_is_watched_and_tells_of_more() -> None:
    """What it receives is an event; it can add others."""

    async def loop(*, task_status: Any = STARTED) -> None:
        me = otp.SpecialProcess()
        task_status.started()
        while True:
            me.tell("out", await me.receive() * 2)

    child = otp.child(loop).having(name="loop", debug=["log"])
    async with otp.open_supervisor([child]):
        otp.send("loop", 4)
        events = await otp.sys.log("loop", "get")
    assert [("in", 4), ("out", 8)] == [(event.kind, event.content) for event in events]


async def test_processes_that_cannot_be_special() -> None:
    """Servers are already, plain Trio code is no process, and one object belongs to one process."""

    class Server(Tally):
        def init(self) -> None:
            otp.SpecialProcess()

    async def twice() -> None:
        otp.SpecialProcess()
        otp.SpecialProcess()

    with pytest.raises(otp.NotAProcess):
        otp.SpecialProcess()
    async with otp.open_process(trap_exit=True):
        with pytest.raises(otp.StartError, match=r"already answers otp\.sys"):
            await otp.start(Server)
        otp.spawn_link(twice)
        assert isinstance((await otp.receive(otp.Exit)).reason, ValueError)
        me = otp.SpecialProcess("block")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect_refusal, me)
        otp.send(otp.self(), 1)
        assert 1 == await me.receive(int, timeout=0)


async def expect_refusal(special: otp.SpecialProcess) -> None:
    with pytest.raises(otp.NotAProcess):
        await special.receive()


# -- starts --------------------------------------------------------------------------------------


async def test_init_ack_is_task_status_started() -> None:
    """Row 151: the starter waits for it; a second one is refused."""

    async def child(*, task_status: Any = STARTED) -> None:
        await trio.lowlevel.checkpoint()
        otp.init_ack("value")
        with pytest.raises(RuntimeError, match="nobody waits"):
            otp.init_ack()
        with pytest.raises(RuntimeError, match="has started"):
            otp.init_fail("late")
        with pytest.raises(RuntimeError, match="was called twice"):
            task_status.started()
        await trio.sleep_forever()

    async with otp.open_process():
        pid = await otp.start_link(otp.child(child))
        assert "value" == otp.process_info(pid).started


async def test_init_fail_is_the_error_of_the_start(caplog: pytest.LogCaptureFixture) -> None:
    """Row 151: StartError with the reason, nothing left and nothing logged."""

    async def child(*, task_status: Any = STARTED) -> None:
        otp.init_fail("no licence")

    async with otp.open_process(trap_exit=True):
        with pytest.raises(otp.StartError) as caught:
            await otp.start_link(otp.child(child).having(name="child"))
        assert "no licence" == caught.value.reason
        assert otp.whereis("child") is None
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(timeout=0)
    assert [] == caplog.records


async def test_init_ack_of_ignore_is_none() -> None:
    """As a server whose init returns IGNORE."""

    async def child(*, task_status: Any = STARTED) -> None:
        otp.init_ack(otp.IGNORE)

    async with otp.open_process():
        assert await otp.start_link(otp.child(child)) is None


# -- enter_loop ----------------------------------------------------------------------------------


async def test_a_process_goes_on_as_a_server() -> None:
    """Row 50: what waits in its mailbox is handled first; it is a server in every respect."""
    ended: list[object] = []

    async def begin(*, task_status: Any = STARTED) -> None:
        task_status.started()
        assert "hello" == await otp.receive(str)
        await otp.enter_loop(Tally(ended), otp.NoReply(continue_="first"))

    async with otp.open_supervisor([otp.child(begin).having(name="server")]):
        otp.cast("server", 5)
        otp.send("server", "hello")
        await wait_all_tasks_blocked()
        assert 5 == await otp.call("server", "total")
        state = await otp.sys.get_state("server")
        assert ["first", 5] == state.seen
        assert Tally is otp.process_info("server").behaviour
        await otp.sys.suspend("server")
        await otp.stop("server", otp.SHUTDOWN)
    assert [otp.SHUTDOWN] == ended[:1]


async def test_the_server_that_was_a_process_crashes_and_is_restarted() -> None:
    """Its crash is a server's: callers are told, terminate runs, the function begins anew."""
    ended: list[object] = []

    async def begin(*, task_status: Any = STARTED) -> None:
        await otp.enter_loop(Tally(ended))

    async with otp.open_supervisor([otp.child(begin).having(name="server")]):
        with pytest.raises(otp.ServerExited):
            await otp.call("server", "nonsense")
        await wait_all_tasks_blocked()
        assert 0 == await otp.call("server", "total")
    assert [ValueError, otp.SHUTDOWN] == [
        type(reason) if isinstance(reason, Exception) else reason for reason in ended
    ]


async def test_a_process_goes_on_as_a_state_machine(autojump_clock: Any) -> None:
    """With a state and actions, as gen_statem's enter_loop."""

    async def begin() -> None:
        await otp.enter_loop(Door(), otp.NextState("open", otp.StateTimeout(5, "shut")))

    async with otp.open_process():
        pid = otp.spawn_link(begin)
        assert "in" == await otp.call(pid, "wait")
        await trio.sleep(6)
        assert "locked" == (await otp.sys.get_state(pid))[0]


async def test_processes_that_cannot_enter_a_loop() -> None:
    """A server, a block of plain Trio code; and what is no server's instance."""

    class Server(Tally):
        async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            await otp.enter_loop(Tally())

    async with otp.open_process(trap_exit=True):
        with pytest.raises(ValueError, match="cannot become a server"):
            await otp.enter_loop(Tally())
        with pytest.raises(TypeError, match="server=5"):
            await otp.enter_loop(5)  # type: ignore[arg-type]
        pid = await otp.start_link(Server)
        with pytest.raises(otp.ServerExited, match="cannot become a server"):
            await otp.call(pid, "enter")
    with pytest.raises(otp.NotAProcess):
        await otp.enter_loop(Tally())


async def test_a_loop_belongs_to_the_process_that_made_it() -> None:
    """Another process that receives by it is refused, and takes none of its messages."""
    async with otp.open_process():
        made: list[Any] = []

        async def make() -> None:
            made.append(otp.SpecialProcess(state=0))

        otp.spawn_monitor(make)
        await otp.receive(otp.Down)
        with pytest.raises(otp.NotAProcess, match="this SpecialProcess belongs to"):
            await made[0].receive()


async def test_without_a_function_a_change_of_code_changes_nothing() -> None:
    """The state of a loop that has no `code_change` stays as it is."""
    loops = Loops()
    async with otp.open_supervisor([otp.child(loops.run).having(name="loop")]):
        otp.send("loop", 3)
        await otp.sys.suspend("loop")
        await otp.sys.change_code("loop", None)
        await otp.sys.resume("loop")
        assert await otp.sys.get_state("loop") == 3
