"""A bound with each kind of process, and with all that a server may be doing meanwhile."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from flood_kit import POLICIES, Desk, Drops, as_process, bound, in_task, open_gate, start_desk
from inside import process_of
from sleep_kit import Sync, asleep, is_asleep

import trio_otp as otp
from trio_otp.testing import refute_receive

if TYPE_CHECKING:
    from collections.abc import Callable


def tiny(child: Any, on_full: str = "reject", size: int = 1, **options: Any) -> Any:
    """Return a child with a small mailbox."""
    given = child if isinstance(child, otp.Child) else otp.child(child)
    return given.having(mailbox=bound(size, on_full), **options)


# -- how a bound is given --------------------------------------------------------------------------


@as_process
async def test_a_class_has_a_bound_as_an_option_which_a_child_may_override() -> None:
    """With another bound, or with None for no bound at all."""

    class Small(otp.GenServer, mailbox=otp.BoundedMailbox(7)):
        pass

    sizes = []
    for child in (otp.child(Small), tiny(Small, size=3), otp.child(Small).having(mailbox=None)):
        pid = await otp.start_link(child)
        sizes.append(otp.send_end(pid).statistics().max_buffer_size)
    assert [7, 3, float("inf")] == sizes
    assert otp.BoundedMailbox(7) == otp.child(Small).spec.mailbox
    assert "mailbox=BoundedMailbox(size=3, on_full='reject')" in repr(tiny(Small, size=3))


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: otp.BoundedMailbox(0), otp.SpecError, "size=0: expected a whole number >= 1"),
        (lambda: otp.BoundedMailbox(1.5), otp.SpecError, "size=1.5: expected a whole number >= 1"),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]  # the mistake
        (
            lambda: otp.BoundedMailbox(1, on_full="drop"),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]  # the mistake
            otp.SpecError,
            "on_full='drop': expected 'reject', 'wait', 'drop_newest' or 'drop_oldest'",
        ),
        (
            lambda: otp.child(Desk).having(mailbox=1000),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]  # the mistake
            otp.SpecError,
            "mailbox=1000: expected a bound or None; write mailbox=otp.BoundedMailbox(1000)",
        ),
        (
            lambda: otp.child(Desk).having(mailbox=0),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]  # the mistake
            otp.SpecError,
            "mailbox=0: expected a bound or None; write mailbox=otp.BoundedMailbox(1000)",
        ),
        (
            lambda: tiny(otp.DynamicSupervisor),
            otp.SpecError,
            "DynamicSupervisor is a supervisor, whose mailbox has no bound",
        ),
        (
            lambda: type("Tree", (otp.Supervisor,), {}, mailbox=bound(1, "wait")),
            otp.SpecError,
            "class Tree: mailbox=...: Tree is a supervisor, whose mailbox has no bound",
        ),
    ],
)
def test_a_bound_that_is_not_accepted_is_refused_where_it_is_given(
    make: Callable[[], Any], error: type[Exception], text: str
) -> None:
    """The text has the value, and what to write."""
    with pytest.raises(error) as caught:
        make()
    assert text in str(caught.value)


@as_process
async def test_a_block_may_have_a_bound_and_refuses_what_is_none() -> None:
    """open_process as well, whose messages its own task takes."""
    with pytest.raises(TypeError, match=r"write mailbox=otp\.BoundedMailbox\(5\)"):
        async with otp.open_process(mailbox=5):  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]  # the mistake
            raise AssertionError("the block was entered")
    async with otp.open_process(mailbox=bound(2, "reject")) as me:
        otp.send(me, 1)
        otp.send(me, 2)
        with pytest.raises(otp.MailboxFull):
            otp.send(me, 3)
        assert 1 == await otp.receive()
        otp.send(me, 3)
        assert [2, 3] == [await otp.receive(), await otp.receive()]


@as_process
async def test_a_function_that_is_a_child_may_have_a_bound() -> None:
    """A plain process gets calls as `From` objects; those who gave up are not among them."""
    got: list[Any] = []
    go = trio.Event()

    async def slow() -> None:
        await go.wait()
        while True:
            message = await otp.receive()
            got.append(message)
            if isinstance(message, otp.From):
                otp.reply(message, "answer")

    pid = await otp.start_link(tiny(otp.child(slow), "wait", size=2))
    async with trio.open_nursery() as nursery:
        gone = in_task(nursery, otp.call, pid, "gives up", timeout=1)
        answers = [in_task(nursery, otp.call, pid, number, timeout=None) for number in range(3)]
        await trio.sleep(2)
        go.set()
        await trio.testing.wait_all_tasks_blocked()
        assert [["answer"]] * 3 == answers
    assert [otp.CallTimeout] == [type(error) for error in gone]
    assert {0, 1, 2} == {call.message for call in got}


# -- selective receive -----------------------------------------------------------------------------


@as_process
async def test_fault_14_choosing_what_to_receive_keeps_bound_and_order() -> None:
    """What is passed over keeps its place and its room; what is taken gives room to the next."""
    async with otp.open_process(mailbox=bound(3, "wait")) as me, trio.open_nursery() as nursery:
        for number in (1, 2, 3):
            otp.send(me, number)
        late = in_task(nursery, otp.send_end(me).send, 4)
        later = in_task(nursery, otp.send_end(me).send, 5)
        await trio.testing.wait_all_tasks_blocked()
        waiting = otp.send_end(me).statistics().tasks_waiting_send
        assert ([], [], 2) == (late, later, waiting)
        assert 2 == await otp.receive(lambda message: message == 2)
        await trio.testing.wait_all_tasks_blocked()
        assert 1 == len(late) + len(later)
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(str, timeout=1)
        got = [await otp.receive(int) for _ in range(4)]
        assert [1, 3] == got[:2]
        assert {4, 5} == set(got[2:])


@as_process
async def test_a_receive_that_waits_looks_at_each_message_once() -> None:
    """Also at those that its own function sends while it looks, and after others were taken."""
    async with otp.open_process(mailbox=bound(100, "reject")) as me:
        looked: list[Any] = []

        def is_wanted(message: Any) -> bool:
            looked.append(message)
            if message == 2:
                otp.send(me, "wanted")
            return bool(message == "wanted")

        for number in range(3):
            otp.send(me, number)
        assert "wanted" == await otp.receive(is_wanted)
        assert [0, 1, 2, "wanted"] == looked

        looked.clear()
        otp.send_after(me, 3, 1)
        otp.send_after(me, "late", 2)
        assert "late" == await otp.receive(
            lambda message: looked.append(message) or is_late(message)
        )
        assert [0, 1, 2, 3, "late"] == looked
        assert [0, 1, 2, 3] == [await otp.receive(timeout=0) for _ in range(4)]


def is_late(message: Any) -> bool:
    return bool(message == "late")


@as_process
async def test_a_function_that_takes_the_message_it_looks_at_gets_no_other() -> None:
    """As in a mailbox without a bound."""
    async with otp.open_process(mailbox=bound(10, "reject")) as me:
        mailbox = process_of(me).mailbox

        def takes_it(message: Any) -> bool:
            mailbox.take_match(lambda other: other is message)
            return True

        otp.send(me, 1)
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(takes_it, timeout=0)
        assert 0 == otp.send_end(me).statistics().current_buffer_used


@as_process
async def test_a_server_may_receive_in_a_callback_from_a_full_mailbox() -> None:
    """It takes a plain message and leaves the calls and casts, which keep their room."""
    got: list[Any] = []

    class Asks(otp.GenServer):
        async def handle_cast(self, message: Any) -> None:
            got.append(message)
            if message == "look":
                got.append(await otp.receive(int))

    pid = await otp.start_link(tiny(Asks, size=3))
    for message in ("look", "a"):
        otp.cast(pid, message)
    otp.send(pid, 5)
    await trio.testing.wait_all_tasks_blocked()
    assert ["look", 5, "a"] == got
    assert 0 == otp.send_end(pid).statistics().current_buffer_used


@as_process
async def test_a_special_process_keeps_its_bound() -> None:
    """Its `receive` takes what it wants; system requests need no room."""

    async def meter(*, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        me = otp.SpecialProcess(state=0)
        task_status.started()
        while True:
            await me.receive(lambda message: message == "go", timeout=None)
            me.state += await me.receive(int)

    pid = await otp.start_link(tiny(otp.child(meter), size=2))
    otp.send(pid, 1)
    otp.send(pid, 2)
    with pytest.raises(otp.MailboxFull):
        otp.send(pid, "go")
    assert 0 == await otp.sys.get_state(pid)
    await otp.sys.suspend(pid)
    await otp.sys.resume(pid)
    process_of(pid).mailbox.put("go")
    await trio.testing.wait_all_tasks_blocked()
    assert 1 == await otp.sys.get_state(pid)
    otp.send(pid, "go")
    await trio.testing.wait_all_tasks_blocked()
    assert 3 == await otp.sys.get_state(pid)
    await otp.stop(pid)


@as_process
async def test_a_message_that_a_refutation_has_found_keeps_its_place_and_counts() -> None:
    """The kit puts it back where it was."""
    async with otp.open_process(mailbox=bound(3, "reject")) as me:
        process_of(me).mailbox.put(otp.Down(None, None, "system"))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]  # no monitor
        for message in ("a", 1, "b"):
            otp.send(me, message)
        process_of(me).mailbox.put(otp.Down(None, None, "system too"))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]  # no monitor
        with pytest.raises(AssertionError, match="1 came"):
            await refute_receive(int, within=0)
        assert 3 == otp.send_end(me).statistics().current_buffer_used
        rest = [await otp.receive(timeout=0) for _ in range(5)]
        assert ["a", 1, "b"] == rest[1:4]
        assert 0 == otp.send_end(me).statistics().current_buffer_used


@as_process
async def test_a_server_that_stops_who_waits_for_room_in_it_tells_that_one() -> None:
    """It waits for the end of the other: a circle. What the other has is not let in any more."""
    told: list[Any] = []

    async def waits(server: otp.Pid[Any]) -> None:
        otp.trap_exit()  # so that it is asked to end, and not cancelled
        try:
            await otp.cast_wait(server, "never")
        except otp.DeadlockError as exc:
            told.append(exc.cycle)

    class Stops(otp.GenServer):
        def __init__(self) -> None:
            self.got: list[Any] = []

        async def handle_call(self, request: Any, from_: Any) -> Any:
            otp.cast(otp.self(), "fills it")
            task = otp.task.start_async(waits, otp.self())
            await settle()
            await otp.task.shutdown(task, timeout=10)
            return otp.Reply((otp.self(), task.pid, trio.current_time()))

        def handle_cast(self, message: Any) -> None:
            self.got.append(message)

        def handle_info(self, message: Any) -> None:
            """Take what a task sends."""

    pid: Any = await otp.start_link(tiny(Stops, "wait"))
    server, task, when = await otp.call(pid, "stop it", timeout=None)
    assert [(server, task)] == told
    assert 0 == when
    await settle()
    assert ["fills it"] == process_of(pid).instance.got


# -- servers that sleep, are suspended, end and restart --------------------------------------------


@as_process
async def test_a_server_that_sleeps_wakes_with_its_bound() -> None:
    """It has room while it sleeps; what comes before it is awake counts."""
    pid = await otp.start_link(tiny(Sync, size=2))
    for _ in range(2):
        await asleep(pid)
        otp.cast(pid, "a")
        otp.send(pid, "b")
        with pytest.raises(otp.MailboxFull):
            otp.cast(pid, "c")
        assert 2 == otp.send_end(pid).statistics().current_buffer_used
        with pytest.raises(otp.MailboxFull):
            await otp.call(pid, "d")
        await asleep(pid)
        assert 0 == otp.send_end(pid).statistics().current_buffer_used
    assert ["a", "b"] * 2 == process_of(pid).instance.log


@as_process
async def test_a_message_may_be_looked_for_in_the_mailbox_of_one_that_sleeps() -> None:
    """As `demonitor` with `flush` does, called from any task."""
    monitors: list[otp.Monitor] = []

    class Watches(Sync):
        def init(self) -> None:
            monitors.append(otp.monitor(otp.spawn(trio.sleep, 1)))

    pid = await otp.start_link(tiny(Watches))
    await trio.sleep(2)
    await asleep(pid)
    otp.demonitor(monitors[0], flush=True)
    assert is_asleep(pid)


@as_process
async def test_what_arrives_as_a_server_falls_asleep_counts() -> None:
    """It wakes at once, with its messages and the senders that wait for room."""
    pid = await otp.start_link(tiny(Sync, "wait"))
    await asleep(pid)
    mailbox = process_of(pid).mailbox
    woken: list[int] = []
    mailbox.wake()  # as a timer does
    mailbox.offer("counts")
    mailbox.put("does not")
    mailbox.sleep(lambda: woken.append(1))
    assert ([1], 2, 1) == (woken, len(mailbox), mailbox.statistics().current_buffer_used)
    await trio.testing.wait_all_tasks_blocked()
    assert is_asleep(pid)


@pytest.mark.parametrize("on_full", POLICIES)
@as_process
async def test_a_suspended_server_keeps_its_bound(on_full: str) -> None:
    """System requests pass; what waits is handled in its order when it goes on."""
    desk = await start_desk(1, on_full, fill=False)
    desk.gate.set()
    await otp.sys.suspend("desk")
    otp.cast("desk", "first")
    async with trio.open_nursery() as nursery:
        second = in_task(nursery, otp.call, "desk", "second")
        await trio.testing.wait_all_tasks_blocked()
        assert desk is await otp.sys.get_state("desk")
        await otp.sys.resume("desk")
        await trio.testing.wait_all_tasks_blocked()
    handled = {
        "wait": [("cast", "first"), ("call", "second")],
        "drop_oldest": [("call", "second")],
    }.get(on_full, [("cast", "first")])
    assert handled == desk.handled[1:]
    assert ("second" in second) is (on_full in ("wait", "drop_oldest"))


@pytest.mark.parametrize("end", ["kill", "signal", "stop"])
@as_process
async def test_senders_waiting_for_room_learn_of_the_end_at_once(end: str) -> None:
    """Callers, casts that wait and send ends, each with the reason or Trio's error (law 2)."""
    await start_desk(1, "wait")
    pid: Any = otp.whereis("desk")
    edge = process_of(otp.self())
    async with trio.open_nursery() as nursery:
        told = [in_task(nursery, otp.call, "desk", 1, timeout=None)]
        await settle()  # it is the first, which an order to end makes room for
        told.append(in_task(nursery, otp.cast_wait, "desk", 2))
        told.append(in_task(nursery, Desk.at("desk").note.wait, 3))
        sent = in_task(nursery, otp.send_end("desk").send, 4)
        await trio.testing.wait_all_tasks_blocked()
        assert otp.send_end("desk").statistics().tasks_waiting_send == 4
        if end == "stop":
            nursery.start_soon(otp.stop, pid, "over")
            await trio.testing.wait_all_tasks_blocked()
            process_of(pid).instance.gate.set()
        else:
            otp.exit(pid, otp.KILL if end == "kill" else "over")
    reason = otp.KILLED if end == "kill" else "over"
    assert [reason] * 3 == [error.reason for (error,) in told]
    assert [trio.BrokenResourceError] == [type(error) for error in sent]
    assert edge.waits_for is None


@as_process
async def test_a_restarted_server_begins_with_an_empty_mailbox_and_the_same_bound() -> None:
    """What waited for the one before is told; a handle by name goes on."""
    child = tiny(otp.child(Desk), "wait", name="desk", restart="permanent")
    async with otp.open_supervisor([child]), trio.open_nursery() as nursery:
        otp.cast("desk", "in hand")
        await trio.testing.wait_all_tasks_blocked()
        otp.cast("desk", "fills it")
        waiting = in_task(nursery, otp.cast_wait, "desk", "waits")
        await trio.testing.wait_all_tasks_blocked()
        old: Any = otp.whereis("desk")
        otp.exit(old, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        assert [otp.KILLED] == [error.reason for error in waiting]
        assert old != otp.whereis("desk")
        statistics = otp.send_end("desk").statistics()
        assert (0, 1, 0) == (
            statistics.current_buffer_used,
            statistics.max_buffer_size,
            statistics.tasks_waiting_send,
        )
        otp.cast("desk", "new")
        nursery.cancel_scope.cancel()


# -- send ends -------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_full", POLICIES)
@as_process
async def test_a_send_end_is_a_channel_with_a_bound(on_full: str) -> None:
    """`send_nowait` raises WouldBlock and `send` waits, whatever the bound does with others."""
    drops = Drops()
    desk = await start_desk(1, on_full)
    with otp.send_end("desk") as end:
        with pytest.raises(trio.WouldBlock):
            end.send_nowait("refused")
        closed = end.clone()
        async with trio.open_nursery() as nursery:
            sent = in_task(nursery, end.send, "waits")
            await trio.testing.wait_all_tasks_blocked()
            assert [] == sent
            assert [("cast", 0), ("info", "waits")] == await open_gate(desk)
    assert ([None], []) == (sent, drops.messages)
    await otp.stop("desk")
    with closed, pytest.raises(trio.BrokenResourceError):
        await closed.send("too late")


@as_process
async def test_a_send_end_that_is_closed_meanwhile_refuses_who_waits_on_it_alone() -> None:
    """As Trio's does; a clone of it goes on."""
    desk = await start_desk(1, "wait")
    end = otp.send_end("desk")
    clone = end.clone()
    async with trio.open_nursery() as nursery:
        closed = in_task(nursery, end.send, "never")
        goes_on = in_task(nursery, clone.send, "sent")
        await trio.testing.wait_all_tasks_blocked()
        end.close()
        await trio.testing.wait_all_tasks_blocked()
        assert [trio.ClosedResourceError] == [type(error) for error in closed]
        assert [("cast", 0), ("info", "sent")] == await open_gate(desk)
    assert [None] == goes_on
    clone.close()


# -- state machines --------------------------------------------------------------------------------


class Door(otp.GenStatem[str], restart="temporary"):
    """Postpones everything until it is told to open, by a cast or a signal."""

    initial = "closed"

    def __init__(self) -> None:
        self.handled: list[Any] = []

    def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        if isinstance(content, otp.Exit | otp.Down) or content == "open":
            return otp.NextState("open")
        if state == "closed":
            return otp.KeepState(otp.Postpone())
        self.handled.append(content)
        if isinstance(kind, otp.From):
            return otp.KeepState(otp.Reply(content))
        return None


async def settle() -> None:
    await trio.testing.wait_all_tasks_blocked()


@pytest.mark.parametrize("on_full", POLICIES)
@as_process
async def test_a_machine_postpones_no_more_than_its_mailbox_may_hold(on_full: str) -> None:
    """And the event that ends the waiting always finds room, so it is never stuck."""
    drops = Drops()
    pid: Any = await otp.start_link(tiny(Door, on_full, size=3))
    door = process_of(pid).instance
    for number in range(10):
        await otp.cast_wait(pid, number)
        await settle()
    otp.cast(pid, "open")
    await settle()
    kept = [7, 8, 9] if on_full == "drop_oldest" else [0, 1, 2]
    assert kept == door.handled
    assert sorted({*range(10)} - {*kept}) == drops.messages
    assert {"as many events are postponed as the mailbox may hold"} == set(drops.reasons)


@pytest.mark.parametrize("on_full", POLICIES)
@as_process
async def test_a_postponed_call_that_finds_no_room_is_answered_or_waits(on_full: str) -> None:
    """Nobody is left waiting (law 2); where calls wait for room they wait here as well."""
    pid: Any = await otp.start_link(tiny(Door, on_full, size=2))
    async with trio.open_nursery() as nursery:
        answers = []
        for number in range(5):
            answers.append(in_task(nursery, otp.call, pid, number, timeout=None))
            await settle()
        otp.cast(pid, "open")
        await settle()
    full = [answer for (answer,) in answers if isinstance(answer, otp.MailboxFull)]
    served = [answer for (answer,) in answers if isinstance(answer, int)]
    expected = {"wait": [0, 1, 2, 3, 4], "drop_oldest": [3, 4]}.get(on_full, [0, 1])
    assert (expected, 5 - len(expected)) == (served, len(full))


@as_process
async def test_fault_12_what_the_system_sends_stays_its_own_when_it_is_postponed() -> None:
    """It neither counts among what is postponed, nor is it dropped for others."""

    class Keeps(Door):
        def handle_event(self, kind: Any, content: Any, state: str) -> Any:
            if state == "closed" and content != "open":
                return otp.KeepState(otp.Postpone())
            self.handled.append(content)
            return otp.NextState("open") if content == "open" else None

    drops = Drops()
    pid: Any = await otp.start_link(tiny(Keeps, "drop_oldest", size=2))
    process = process_of(pid)
    for number in range(5):
        process.mailbox.put(otp.Down(None, number, "gone"))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]  # no monitor
        otp.cast(pid, number)
        await settle()
    otp.cast(pid, "open")
    await settle()
    handled = process.instance.handled
    assert [0, 1, 2, 3, 4] == [each.pid for each in handled if isinstance(each, otp.Down)]
    assert [3, 4] == [each for each in handled if isinstance(each, int)]
    assert [0, 1, 2] == drops.messages


@as_process
async def test_postponed_calls_of_those_who_gave_up_take_no_room() -> None:
    """They are taken out when others need it, and are not handled when the state changes."""
    pid: Any = await otp.start_link(tiny(Door, "reject", size=2))
    for number in range(2):
        with pytest.raises(otp.CallTimeout):
            await otp.call(pid, number, timeout=1)
    async with trio.open_nursery() as nursery:
        answers = in_task(nursery, otp.call, pid, "lives", timeout=None)
        await settle()
        with pytest.raises(otp.CallTimeout):
            await otp.call(pid, "gives up too", timeout=1)
        otp.cast(pid, "open")
    assert ["lives"] == answers
    assert ["lives"] == process_of(pid).instance.handled


@as_process
async def test_the_time_outs_of_a_machine_reach_its_full_mailbox() -> None:
    """They are its own."""

    class Times(otp.GenStatem[str]):
        initial = "waits"

        def init(self) -> Any:
            self.gate = trio.Event()
            self.got: list[Any] = []
            return otp.NextState("waits", otp.StateTimeout(1, "time is up"))

        async def handle_event(self, kind: Any, content: Any, state: str) -> None:
            self.got.append(content)
            await self.gate.wait()

    pid: Any = await otp.start_link(tiny(Times, size=2))
    for message in ("in hand", "b", "c"):
        otp.cast(pid, message)
        await settle()
    await trio.sleep(2)
    instance = process_of(pid).instance
    instance.gate.set()
    await settle()
    assert ["in hand", "b", "c", "time is up"] == instance.got


# -- event managers, agents, ports -----------------------------------------------------------------


class Slow(otp.GenEvent):
    """Holds its manager up until its gate opens."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.gate = trio.Event()

    async def handle_event(self, event: Any) -> None:
        await self.gate.wait()
        self.events.append(event)

    def handle_call(self, request: Any) -> Any:
        return otp.Reply(request)


@pytest.mark.parametrize("on_full", POLICIES)
@as_process
async def test_notify_never_waits_and_never_raises_sync_notify_is_a_call(on_full: str) -> None:
    """What finds the manager full is dropped and counted, as from a timer."""
    drops = Drops()
    manager: Any = await otp.start_link(tiny(otp.child(otp.EventManager), on_full))
    slow = Slow()
    await otp.gen_event.add_handler(manager, slow)
    otp.gen_event.notify(manager, "in hand")
    await settle()
    otp.gen_event.notify(manager, "waits")
    otp.gen_event.notify(manager, "too much")
    assert ["Notify(event='too much')"] == [repr(message) for message in drops.messages]
    async with trio.open_nursery() as nursery:
        sync = in_task(nursery, otp.gen_event.sync_notify, manager, "sync")
        asked = in_task(nursery, otp.gen_event.call, manager, Slow, "ask", timeout=None)
        await settle()
        slow.gate.set()
    if on_full == "wait":
        assert ([None], ["ask"]) == (sync, asked)
    elif on_full == "drop_oldest":
        assert 1 == sum(isinstance(got, otp.MailboxFull) for (got,) in (sync, asked))
    else:
        assert [otp.MailboxFull] * 2 == [type(got) for (got,) in (sync, asked)]
    assert otp.whereis(manager) is not None


@as_process
async def test_an_agent_may_have_a_bound() -> None:
    """Its functions are calls, and its cast is one."""

    class Held(otp.Agent[int], mailbox=otp.BoundedMailbox(1)):
        pass

    gate = trio.Event()

    async def wait(value: int) -> int:
        await gate.wait()
        return value + 1

    pid: Any = await otp.start_link(otp.child(Held, lambda: 0))
    otp.Agent.cast(pid, wait)
    await settle()
    otp.Agent.cast(pid, lambda value: value + 10)
    with pytest.raises(otp.MailboxFull):
        otp.Agent.cast(pid, lambda value: value)
    with pytest.raises(otp.MailboxFull):
        await otp.Agent.get(pid, lambda value: value)
    gate.set()
    await settle()
    assert 11 == await otp.Agent.get(pid, lambda value: value)


async def test_the_lines_of_a_port_are_dropped_by_an_owner_that_is_full() -> None:
    """A real program; its end is told all the same, since the port's exit signal needs no room."""
    async with otp.open_process(trap_exit=True, mailbox=bound(2, "wait")) as me:
        drops = Drops()
        program = [sys.executable, "-ISuc", "for n in range(5): print(n)"]
        child = otp.child(otp.Port, program, stdout="send", owner=me)
        port = await otp.start_link(child)
        ended = await otp.receive(lambda message: getattr(message, "pid", None) is port)
        assert isinstance(ended, otp.Exit)
        lines = [await otp.receive(otp.PortLine, timeout=0) for _ in range(2)]
        assert ["0", "1"] == [line.text for line in lines]
        assert ["2", "3", "4"] == [line.text for line in drops.messages]


# -- one message to many ---------------------------------------------------------------------------


class Member(Desk):
    """A desk that joins."""

    def init(self) -> None:
        otp.registry("reg").register("news")
        otp.pg.join("scope", "news", otp.self())


@as_process
async def test_registry_and_groups_say_how_many_took_a_message() -> None:
    """One that is full keeps it from no other; what it does not take is counted as dropped."""
    drops = Drops()
    children = [
        otp.child(otp.Registry, keys="duplicate").having(name="reg"),
        otp.child(otp.pg.Scope).having(name="scope"),
        *(tiny(Member, on_full, name=on_full) for on_full in POLICIES),
        otp.child(Member).having(name="free"),
    ]
    async with otp.open_supervisor(children):
        for name in (*POLICIES, "free"):
            otp.cast(name, "in hand")
        await settle()
        assert 5 == otp.registry("reg").send("news", "first")
        assert 2 == otp.registry("reg").send("news", "second")
        assert ["second", "second", "second", "first"] == sorted(drops.messages, reverse=True)
        assert 2 == otp.pg.send("scope", "news", "third")
        assert 0 == otp.pg.send("scope", "nobody", "x")
        assert 3 == drops.messages.count("third")

        took = otp.registry("reg").dispatch("news", send_to_each)
        assert (3, None) == (took, otp.registry("reg").dispatch("nobody", send_to_each))


def send_to_each(entries: list[tuple[otp.Pid[Any], Any]]) -> int:
    """Count those that do not refuse it: one drops it in silence."""
    took = 0
    for pid, _ in entries:
        try:
            otp.send(pid, "dispatched")
        except otp.MailboxFull:
            continue
        took += 1
    return took


@as_process
async def test_fault_13_one_message_too_many_is_told_at_the_line_that_sends_it() -> None:
    """The sender may catch it there; it is no exit signal and comes at no other time."""
    caught: list[Any] = []

    class Careful(otp.GenServer):
        def handle_cast(self, message: Any) -> None:
            try:
                otp.cast("desk", message)
            except otp.MailboxFull as exc:
                caught.append(exc.message)

    await start_desk(1)
    sender = await otp.start_link(Careful)
    for number in range(3):
        otp.cast(sender, number)
    await settle()
    assert [0, 1, 2] == caught
    assert otp.whereis(sender) is not None
