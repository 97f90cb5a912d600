"""Mailboxes with a bound: what each way of sending meets when there is no room.

The peers' faults 11 to 14 are among these: see `docs/overload.md` for what is promised.
"""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from flood_kit import POLICIES, Desk, Drops, as_process, bound, in_task, open_gate, start_desk
from inside import process_of, runtime

import trio_otp as otp


def length() -> int:
    return otp.process_info("desk").message_queue_len  # type: ignore[union-attr]


# -- reject ----------------------------------------------------------------------------------------


@as_process
async def test_reject_refuses_call_cast_and_send_in_the_sender() -> None:
    """Each raises MailboxFull, which a Trio user may catch as WouldBlock; nothing is dropped."""
    drops = Drops()
    desk = await start_desk(2)
    for send in (otp.cast, otp.send):
        with pytest.raises(otp.MailboxFull):
            send("desk", "more")
    with pytest.raises(trio.WouldBlock):
        Desk.at("desk").note("more")
    with pytest.raises(otp.MailboxFull) as caught:
        await otp.call("desk", "more")

    assert ("desk", "more", 2) == (caught.value.server, caught.value.message, caught.value.size)
    assert "the mailbox of 'desk' is full, 2 messages wait (request 'more')" == str(caught.value)
    assert [("cast", 0), ("cast", 1)] == await open_gate(desk)
    assert ([], []) == (drops.messages, drops.notices)


@as_process
async def test_a_refused_call_is_a_checkpoint_and_leaves_no_trace() -> None:
    """Neither a request nor a wait-for edge is left, and `Cancelled` goes first (law 6)."""
    await start_desk(1)
    with trio.testing.assert_checkpoints(), pytest.raises(otp.MailboxFull):
        await otp.call("desk", "more")
    process = process_of(otp.whereis("desk"))
    assert ({}, None) == (process.requests, process_of(otp.self()).waits_for)

    with trio.CancelScope() as scope:
        scope.cancel()
        await otp.call("desk", "more")
    assert scope.cancelled_caught


@as_process
async def test_room_is_there_as_soon_as_a_message_is_taken() -> None:
    """The message in hand takes no room."""
    desk = await start_desk(1)
    desk.gate.set()
    await trio.testing.wait_all_tasks_blocked()
    desk.gate = trio.Event()
    otp.cast("desk", "in hand")
    await trio.testing.wait_all_tasks_blocked()
    otp.cast("desk", "waits")
    with pytest.raises(otp.MailboxFull):
        otp.cast("desk", "one too many")


# -- wait ------------------------------------------------------------------------------------------


@as_process
async def test_wait_lets_calls_in_in_the_order_of_arrival() -> None:
    """Callers and those of cast_wait stand in one line; nobody overtakes."""
    desk = await start_desk(1, "wait")
    async with trio.open_nursery() as nursery:
        answers = [in_task(nursery, otp.call, "desk", "first")]
        await trio.testing.wait_all_tasks_blocked()
        answers.append(in_task(nursery, otp.cast_wait, "desk", "second"))
        await trio.testing.wait_all_tasks_blocked()
        answers.append(in_task(nursery, Desk.at("desk").note.wait, "third"))
        await trio.testing.wait_all_tasks_blocked()
        answers.append(in_task(nursery, Desk.at("desk").ask, "fourth"))
        await trio.testing.wait_all_tasks_blocked()
        assert (1, 4) == (length(), otp.send_end("desk").statistics().tasks_waiting_send)

        handled = await open_gate(desk)
    expected = [("cast", 0), ("call", "first"), ("cast", "second"), ("cast", "third")]
    assert [*expected, ("call", "fourth")] == handled
    assert [["first"], [None], [None], ["fourth"]] == answers


@as_process
async def test_waiting_for_room_is_part_of_the_time_out_of_a_call() -> None:
    """Also with 100 callers in the line, each is told in time, to the moment (fault 5)."""
    desk = await start_desk(1, "wait")
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        answers = [in_task(nursery, otp.call, "desk", number, timeout=0.1) for number in range(100)]
        await trio.sleep(0.1)
        await trio.testing.wait_all_tasks_blocked()
        assert {otp.CallTimeout} == {type(answer) for (answer,) in answers}
    assert 0.1 == pytest.approx(trio.current_time() - start)
    assert 0 == otp.send_end("desk").statistics().tasks_waiting_send
    assert [("cast", 0)] == await open_gate(desk)


@as_process
async def test_a_plain_cast_or_send_that_would_have_to_wait_raises() -> None:
    """The text has the line that waits."""
    await start_desk(1, "wait")
    with pytest.raises(otp.MailboxFull, match=r"write await otp\.cast_wait\(ref, message\)"):
        otp.cast("desk", "more")
    with pytest.raises(otp.MailboxFull, match=r"await otp\.send_end\(ref\)\.send\(message\)"):
        otp.send("desk", "more")
    with pytest.raises(otp.MailboxFull):
        Desk.note("desk", "more")


@as_process
async def test_a_cancelled_wait_has_sent_nothing() -> None:
    """Of a cast, a call and a send end; the next in the line is not held up by it."""
    desk = await start_desk(1, "wait")
    async with trio.open_nursery() as nursery:
        for wait in (otp.cast_wait, otp.call, Desk.note.wait, Desk.ask):
            with trio.move_on_after(1) as scope:
                await wait("desk", "given up")
            assert scope.cancelled_caught
        with trio.move_on_after(1) as scope:
            await otp.send_end("desk").send("given up")
        assert scope.cancelled_caught
        in_task(nursery, otp.cast_wait, "desk", "stays")
        await trio.testing.wait_all_tasks_blocked()
        assert [("cast", 0), ("cast", "stays")] == await open_gate(desk)


@pytest.mark.parametrize("on_full", POLICIES)
@as_process
async def test_cast_wait_waits_whatever_the_bound_does_with_others(on_full: str) -> None:
    """A cancelled sender loses nothing, and nobody else does."""
    drops = Drops()
    desk = await start_desk(2, on_full)
    async with trio.open_nursery() as nursery:
        done = in_task(nursery, otp.cast_wait, "desk", "waits")
        await trio.testing.wait_all_tasks_blocked()
        assert ([], 2) == (done, length())
        assert [("cast", 0), ("cast", 1), ("cast", "waits")] == await open_gate(desk)
    assert ([None], []) == (done, drops.messages)


@as_process
async def test_cast_wait_without_a_bound_or_with_room_is_a_cast_and_a_checkpoint() -> None:
    """To a dead server it is counted as dropped, as a cast is."""
    drops = Drops()
    desk = await start_desk(None)
    with trio.testing.assert_checkpoints():
        await otp.cast_wait("desk", 1)
    with trio.testing.assert_checkpoints():
        await Desk.at("desk").note.wait(2, more=3)
    with trio.testing.assert_checkpoints():
        await otp.cast_wait("nobody", 3)
    with trio.testing.assert_checkpoints():
        await Desk.at("nobody").note.wait(4)
    assert [("cast", 1), ("cast", 2)] == await open_gate(desk)
    assert 2 == len(drops.messages)


@as_process
async def test_mistakes_of_a_waiting_cast_are_found_in_the_caller() -> None:
    """As those of one that does not wait."""
    await start_desk(1)
    with pytest.raises(TypeError, match="note"):
        await Desk.at("desk").note.wait()  # type: ignore[call-arg]
    with pytest.raises(otp.WrongServer):
        await Other.at("desk").ring.wait()
    with pytest.raises(TypeError, match="sends itself"):
        await otp.cast_wait("desk", Desk.ask)
    with pytest.raises(TypeError, match="sends itself"):
        otp.cast("desk", Desk.at("desk").note.wait(1))


class Other(otp.GenServer):
    @otp.on_cast
    def ring(self) -> None:
        """Do nothing."""


# -- drop ------------------------------------------------------------------------------------------


@as_process
async def test_drop_newest_drops_counts_and_tells() -> None:
    """A cast and a send return; a call is answered at once (law 2)."""
    drops = Drops()
    desk = await start_desk(2, "drop_newest")
    before = runtime().dropped
    otp.cast("desk", "a")
    otp.send("desk", "b")
    with pytest.raises(otp.MailboxFull):
        await otp.call("desk", "c", timeout=None)

    assert ["a", "b", "c"] == drops.messages
    assert {"the mailbox is full: the newest is dropped"} == set(drops.reasons)
    assert (3, 3) == (runtime().dropped - before, otp.send_end("desk").statistics().dropped)
    assert [("cast", 0), ("cast", 1)] == await open_gate(desk)


@as_process
async def test_drop_oldest_makes_room_and_answers_the_call_that_gave_way() -> None:
    """The caller that waited longest gets an error, and no message in hand is lost."""
    drops = Drops()
    desk = await start_desk(2, "drop_oldest", fill=False)
    async with trio.open_nursery() as nursery:
        answers = in_task(nursery, otp.call, "desk", "a", timeout=None)
        await trio.testing.wait_all_tasks_blocked()
        otp.cast("desk", "b")
        assert ([], []) == (answers, drops.messages)
        otp.cast("desk", "c")
        await trio.testing.wait_all_tasks_blocked()
        assert [otp.MailboxFull] == [type(answer) for answer in answers]
        otp.send("desk", "d")
    assert ["a", "b"] == drops.messages
    assert {"the mailbox is full: the oldest is dropped"} == set(drops.reasons)
    assert [("cast", "c"), ("info", "d")] == await open_gate(desk)


@as_process
async def test_a_caller_that_was_cancelled_before_it_called_makes_nobody_give_way() -> None:
    """Its call was never sent: nothing is dropped, and no room is taken."""
    drops = Drops()
    for on_full in POLICIES:
        desk = await start_desk(1, on_full)
        with trio.CancelScope() as scope:
            scope.cancel()
            await otp.call("desk", "late")
        assert scope.cancelled_caught
        assert [("cast", 0)] == await open_gate(desk)
        await otp.stop("desk")
    assert [] == drops.messages


@as_process
async def test_drops_are_written_at_most_once_a_second() -> None:
    """The first at once, then how many there were, each second, until there are no more."""
    drops = Drops()
    desk = await start_desk(1, "drop_newest")
    for _ in range(1000):
        otp.cast("desk", "more")
    assert 1 == len(drops.notices)
    await trio.sleep(0.5)
    otp.cast("desk", "more")
    await trio.sleep(0.6)
    otp.cast("desk", "more")
    await trio.sleep(5)

    pid = otp.whereis("desk")
    full = "as its mailbox is full: BoundedMailbox(size=1, on_full='drop_newest')"
    assert [
        f"{pid!r} dropped a message, {full}",
        f"{pid!r} dropped 1000 messages, {full}",
        f"{pid!r} dropped a message, {full}",
    ] == [notice.text for notice in drops.notices]
    assert {30} == {notice.level for notice in drops.notices}
    assert 1002 == drops.notices[-1].detail["dropped_in_all"]
    await open_gate(desk)
    otp.cast("desk", "handled")
    await trio.sleep(5)
    assert 3 == len(drops.notices)


@as_process
async def test_drops_that_were_not_written_yet_are_when_the_server_ends() -> None:
    """Nothing is silent (law 8)."""
    drops = Drops()
    await start_desk(1, "drop_newest")
    for _ in range(3):
        otp.cast("desk", "more")
    otp.exit(otp.whereis("desk"), otp.KILL)  # type: ignore[arg-type]
    await otp.receive(otp.Exit)
    assert [1, 2] == [notice.detail["dropped"] for notice in drops.notices]


# -- without a task that waits ---------------------------------------------------------------------


@pytest.mark.parametrize("on_full", POLICIES)
@as_process
async def test_what_no_task_sends_is_dropped_whatever_the_bound_says(on_full: str) -> None:
    """send_after and send_interval have nobody to tell, and nothing gives way to them."""
    drops = Drops()
    desk = await start_desk(1, on_full)
    otp.send_after("desk", "later", 1)
    timer = otp.send_interval("desk", "again", 2)
    await trio.sleep(3)
    otp.cancel_timer(timer)

    assert ["later", "again"] == drops.messages
    assert {"the mailbox is full, and the message has no sending task"} == set(drops.reasons)
    assert [("cast", 0)] == await open_gate(desk)
    otp.send_after("desk", "in time", 1)
    await trio.sleep(2)
    assert ("info", "in time") == desk.handled[-1]


# -- what the system sends -------------------------------------------------------------------------


@pytest.mark.parametrize("on_full", POLICIES)
@as_process
async def test_fault_12_what_the_system_sends_is_neither_counted_nor_dropped(on_full: str) -> None:
    """Exit, Down, sys requests and stop reach a full mailbox, and take nobody's room."""
    desk = await start_desk(2, on_full)
    process = process_of(otp.whereis("desk"))
    process.trap_exit = True
    other = otp.spawn(trio.sleep_forever)
    process.add_link(process_of(other))
    otp.exit(other, "bye")
    await trio.testing.wait_all_tasks_blocked()
    async with trio.open_nursery() as nursery:
        state = in_task(nursery, otp.sys.get_state, "desk", timeout=None)
        await trio.testing.wait_all_tasks_blocked()
        assert 4 == length()
        if on_full.startswith("drop"):
            otp.cast("desk", "more")
        assert ([], 4, 2) == (
            state,
            length(),
            otp.send_end("desk").statistics().current_buffer_used,
        )
        handled = await open_gate(desk)
        assert [desk] == state
    kept = {"drop_oldest": [1, "more"]}.get(on_full, [0, 1])
    assert kept == [message for kind, message in handled if kind == "cast"]
    [gone] = [message for kind, message in handled if kind == "info"]
    assert otp.Exit(other, "bye") == gone
    assert 0 == otp.send_end("desk").statistics().current_buffer_used


@as_process
async def test_what_is_passed_on_in_the_name_of_the_system_is_not_dropped() -> None:
    """A `Down` that a server sends on, or a timer brings later, is a `Down` still."""
    desk = await start_desk(1)
    gone = otp.Down(None, None, "passed on")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]  # no monitor
    otp.send("desk", gone)
    otp.send_after("desk", gone, 0)
    await trio.sleep(1)
    assert [("cast", 0), ("info", gone), ("info", gone)] == await open_gate(desk)


@as_process
async def test_stop_ends_a_server_whose_mailbox_is_full() -> None:
    """The order to end goes behind what waits, as ever, and needs no room."""
    desk = await start_desk(2)
    async with trio.open_nursery() as nursery:
        stopped = in_task(nursery, otp.stop, "desk")
        await trio.testing.wait_all_tasks_blocked()
        desk.gate.set()
    assert [None] == stopped
    assert [0, 1] == [message for _, message in desk.handled[1:]]


@as_process
async def test_a_down_reaches_a_full_mailbox_and_does_not_keep_users_out() -> None:
    """1,000 of them and one user's message: the bound of 1 counts that alone."""
    async with otp.open_process(label="watcher", mailbox=bound(1, "reject")) as watcher:
        for _ in range(1000):
            otp.monitor(otp.spawn(trio.sleep, 0))
        await trio.testing.wait_all_tasks_blocked()
        otp.send(watcher, "hello")
        with pytest.raises(otp.MailboxFull):
            otp.send(watcher, "again")
        for _ in range(1000):
            await otp.receive(otp.Down, timeout=0)
        assert "hello" == await otp.receive(str, timeout=0)


# -- callers that give up --------------------------------------------------------------------------


@pytest.mark.parametrize("on_full", POLICIES)
@as_process
async def test_a_queued_call_whose_caller_gave_up_is_removed_unhandled(on_full: str) -> None:
    """By a time-out, a cancellation, or an id that nobody keeps; its room is free at once."""
    drops = Drops()
    desk = await start_desk(3, on_full, fill=False)
    async with trio.open_nursery() as nursery:
        in_task(nursery, otp.call, "desk", "timed out", timeout=1)
        with trio.move_on_after(1):
            await otp.call("desk", "cancelled")
        request_id: Any = otp.send_request("desk", "dropped")
        assert "RequestId" in repr(request_id)
        del request_id
        await trio.testing.wait_all_tasks_blocked()
        assert 0 == length()
        for number in range(3):
            otp.cast("desk", number)
        assert [0, 1, 2] == [message for _, message in await open_gate(desk)]
    assert {"timed out", "cancelled", "dropped"} == set(drops.messages)
    assert {"its caller has given up"} == set(drops.reasons)
    assert [] == drops.notices


@as_process
async def test_a_call_without_time_is_not_handled_either() -> None:
    """It has given up before it began, whether or not there is room."""
    for fill in (False, True):
        desk = await start_desk(1, "wait", fill=fill)
        with pytest.raises(otp.CallTimeout):
            await otp.call("desk", "no time", timeout=0)
        assert [("cast", 0)] * fill == await open_gate(desk)
        await otp.stop("desk")


@as_process
async def test_the_room_of_one_that_gave_up_lets_in_who_waits() -> None:
    """The first of the line, at that moment."""
    desk = await start_desk(1, "wait", fill=False)
    async with trio.open_nursery() as nursery:
        in_task(nursery, otp.call, "desk", "gives up", timeout=1)
        await trio.testing.wait_all_tasks_blocked()
        done = in_task(nursery, otp.cast_wait, "desk", "waits")
        await trio.sleep(0.5)
        assert [] == done
        await trio.sleep(1)
        assert [None] == done
        assert [("cast", "waits")] == await open_gate(desk)


@as_process
async def test_without_a_bound_a_call_that_was_given_up_is_handled_as_in_otp() -> None:
    """Unless the class or the method says otherwise."""
    desk = await start_desk(None)
    with pytest.raises(otp.CallTimeout):
        await otp.call("desk", "late", timeout=1)
    assert [("call", "late")] == await open_gate(desk)


# -- circles ---------------------------------------------------------------------------------------


class Sender(otp.GenServer, restart="temporary"):
    """Waits, in its own task, for what it is told to send."""

    def handle_cast(self, message: Any) -> None:
        """Take it."""

    handle_info = handle_cast

    async def handle_call(self, request: Any, from_: Any) -> Any:
        return otp.Reply(await request())


@as_process
async def test_a_full_server_that_waits_for_itself_is_told_at_once() -> None:
    """cast_wait, the typed one and a send end; with room each of them is taken."""
    child = otp.child(Sender).having(mailbox=bound(1, "wait"))
    for way in ("cast", "typed", "end"):
        pid: Any = await otp.start_link(child)

        async def send(pid: Any = pid, way: str = way) -> Any:
            if way == "cast":
                await otp.cast_wait(pid, "x")
            elif way == "typed":
                await otp.send_end(pid).send("x")
            else:
                await otp.send_end(pid).clone().send("x")
            return "sent"

        async def twice(send: Any = send) -> Any:
            return [await send(), await send()]

        with pytest.raises(otp.ServerExited) as caught:
            await otp.call(pid, twice)
        assert isinstance(caught.value.reason, otp.CallingSelf)
        assert "waits for room in its own full mailbox (request" in str(caught.value.reason)


@as_process
async def test_10_000_self_casts_on_a_bounded_mailbox_do_not_deadlock() -> None:
    """What does not fit raises in the server, at once (fault 11)."""

    class Self(otp.GenServer, mailbox=otp.BoundedMailbox(100, on_full="wait")):
        def __init__(self) -> None:
            self.count = 0

        @otp.on_call
        def flood(self) -> int:
            refused = 0
            for _ in range(10_000):
                try:
                    self.tick()
                except otp.MailboxFull:
                    refused += 1
            return refused

        @otp.on_cast
        def tick(self) -> None:
            self.count += 1

        @otp.on_call
        def total(self) -> int:
            return self.count

    server = Self.at(await otp.start_link(Self))
    assert (9_900, 100) == (await server.flood(), await server.total())


@as_process
async def test_a_circle_of_servers_that_wait_for_room_is_a_deadlock_error() -> None:
    """A waits for room at B, which calls A: told at once, and both of them go on."""
    a: Any = await otp.start_link(otp.child(Sender).having(name="a"))
    child = otp.child(Sender).having(name="b", mailbox=bound(1, "wait"))
    b: Any = await otp.start_link(child)
    go = trio.Event()

    async def call_a() -> Any:
        await go.wait()
        try:
            return await otp.call(a, None, timeout=None)
        except otp.DeadlockError as exc:
            return exc.cycle

    async def cast_to_b() -> Any:
        await otp.cast_wait("b", "more")
        return "sent"

    async with trio.open_nursery() as nursery:
        of_b = in_task(nursery, otp.call, "b", call_a, timeout=None)
        await trio.testing.wait_all_tasks_blocked()
        otp.send("b", "fills it")
        of_a = in_task(nursery, otp.call, a, cast_to_b, timeout=None)
        await trio.testing.wait_all_tasks_blocked()
        go.set()
        await trio.testing.wait_all_tasks_blocked()
        assert [(b, a)] == of_b
        assert ["sent"] == of_a


# -- request ids, many at once ---------------------------------------------------------------------


@pytest.mark.parametrize("on_full", ["reject", "wait", "drop_newest"])
@as_process
async def test_the_answer_to_a_request_id_that_finds_no_room_is_the_error(on_full: str) -> None:
    """No task waits for room, so it is not in the line; those of multi_call have one that waits."""
    desk = await start_desk(1, on_full)
    request_id = otp.send_request("desk", "more")
    with pytest.raises(otp.MailboxFull):
        await otp.receive_response(request_id)
    await otp.start_link(otp.child(Desk).having(name="free"))
    process_of(otp.whereis("free")).instance.gate.set()
    replies, bad = await otp.multi_call(["desk", "free"], "hello", timeout=1)
    assert [("free", "hello")] == replies
    expected = otp.CallTimeout if on_full == "wait" else otp.MailboxFull
    assert [("desk", expected)] == [(ref, type(error)) for ref, error in bad]
    assert [("cast", 0)] == await open_gate(desk)


@as_process
async def test_multi_call_waits_for_room_as_a_call_does() -> None:
    """Inside of its time-out."""
    desk = await start_desk(1, "wait")
    async with trio.open_nursery() as nursery:
        both = in_task(nursery, otp.multi_call, ["desk", "desk"], "hello")
        await trio.sleep(1)
        assert 2 == otp.send_end("desk").statistics().tasks_waiting_send
        await open_gate(desk)
    assert [([("desk", "hello")] * 2, [])] == both


@as_process
async def test_abcast_passes_over_who_is_full() -> None:
    """One that has no room keeps it from no other."""
    drops = Drops()
    await start_desk(1)
    await otp.start_link(otp.child(Desk).having(name="free"))
    free = process_of(otp.whereis("free")).instance
    free.gate.set()
    otp.abcast(["desk", "free"], "news")
    await trio.testing.wait_all_tasks_blocked()
    assert [("cast", "news")] == free.handled
    assert ["news"] == drops.messages
