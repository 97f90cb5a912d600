"""gen_event: events reach every handler, and a handler that fails harms no other."""

from __future__ import annotations

import logging
from contextlib import nullcontext, suppress
from typing import Any

import outcome
import pytest
import trio
import trio.testing

import trio_otp as otp
from trio_otp.runtime import runtime

ge = otp.gen_event
MANAGER = otp.child(otp.EventManager).having(name="events")


class Note(otp.GenEvent):
    """Writes down what happens to it, in a list that handlers may share."""

    def __init__(self, name: str = "note", log: list[Any] | None = None) -> None:
        self.name = name
        self.log: list[Any] = [] if log is None else log

    def init(self) -> None:
        self.log.append((self.name, "init"))

    def init_swapped(self, result: object) -> None:
        self.log.append((self.name, "init_swapped", result))

    def handle_event(self, event: Any) -> Any:
        self.log.append((self.name, event))
        return event() if callable(event) else None

    def handle_call(self, request: Any) -> Any:
        return request() if callable(request) else otp.Reply((self.name, request))

    def handle_info(self, message: Any) -> None:
        self.log.append((self.name, "info", message))

    def terminate(self, reason: object) -> Any:
        self.log.append((self.name, "terminate", reason))
        return f"{self.name} is gone"


def boom() -> None:
    """Raise, wherever it is called."""
    raise ValueError("boom")


def without_init(log: list[Any]) -> list[Any]:
    return [entry for entry in log if entry[1:] != ("init",)]


# -- events ----------------------------------------------------------------------------------------


async def test_events_reach_handlers_newest_first() -> None:
    """All handlers get each event, one handler after another, the newest first (GE-1)."""
    log: list[Any] = []
    async with otp.open_supervisor([MANAGER]):
        for name in ("old", "new"):
            await ge.add_handler("events", Note(name, log), id=name)
        ge.notify("events", "one")
        await ge.sync_notify("events", "two")
        assert [("new", "one"), ("old", "one"), ("new", "two"), ("old", "two")] == without_init(log)
        assert [(Note, "new"), (Note, "old")] == await ge.which_handlers("events")


async def test_sync_notify_waits_for_all_handlers(autojump_clock: Any) -> None:
    """notify returns at once, sync_notify when the slowest handler is ready (GE-7, GE-13)."""

    class Slow(otp.GenEvent):
        async def handle_event(self, event: Any) -> None:
            await trio.sleep(2)

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Slow())
        await ge.add_handler("events", Slow(), id=2)
        ge.notify("events", "event")
        assert 0 == trio.current_time()
        await ge.sync_notify("events", "event")
        assert 8 == trio.current_time()


async def test_plain_messages_reach_all_handlers() -> None:
    """What was sent by `otp.send` goes to `handle_info` of each handler (GE-11)."""
    log: list[Any] = []
    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Note("a", log), id="a")
        await ge.add_handler("events", Note("b", log), id="b")
        otp.send("events", "hello")
        await ge.which_handlers("events")
        assert [("b", "info", "hello"), ("a", "info", "hello")] == without_init(log)


async def test_methods_of_on_info_take_messages_of_their_type(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A handler without handle_info takes what it has a method for, and logs the rest (GE-11)."""
    taken: list[int] = []

    class Numbers(otp.GenEvent):
        @otp.on_info(int)
        def number(self, number: int) -> None:
            taken.append(number)

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Numbers())
        otp.send("events", 5)
        otp.send("events", "text")
        assert [Numbers] == await ge.which_handlers("events")
    assert [5] == taken
    assert ["got an unexpected message: 'text'"] == [
        record.getMessage().partition("> ")[2] for record in caplog.records
    ]


async def test_events_to_the_dead() -> None:
    """notify to a dead pid or free via name drops the event, counted; a free name is an error."""
    names = otp.registry("names")
    children = [MANAGER, otp.child(otp.Registry).having(name="names")]
    async with otp.open_supervisor(children) as sup:
        pid = otp.whereis("events")
        assert pid is not None
        await otp.terminate_child(sup, "events")
        before = runtime().dropped
        ge.notify(pid, "event")
        ge.notify(names.via("nobody"), "event")
        assert before + 2 == runtime().dropped
        with pytest.raises(otp.NoProcess):
            ge.notify("events", "event")
        with pytest.raises(otp.NoProcess):
            await ge.sync_notify(pid, "event")


async def test_a_restarted_manager_has_the_handlers_of_its_child(autojump_clock: Any) -> None:
    """Handlers of the child specification are made at each start, others are gone with a crash."""
    child = otp.child(otp.EventManager, [Note, lambda: Note("second")]).having(name="events")
    async with otp.open_supervisor([child]):
        await ge.add_handler("events", Note("added"), id="added")
        assert [(Note, "added"), Note, Note] == await ge.which_handlers("events")
        otp.exit("events", otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        assert [Note, Note] == await ge.which_handlers("events")
        assert ("second", "x") == await ge.call("events", Note, "x")


async def test_a_handler_of_the_child_that_does_not_start(autojump_clock: Any) -> None:
    """The start of the manager fails with it."""

    class Refuses(otp.GenEvent):
        def init(self) -> otp.Stop:
            return otp.Stop("no disk")

    async with otp.open_process():
        with pytest.raises(otp.StartError, match="no disk"):
            await otp.start_link(otp.child(otp.EventManager, [Refuses]))


async def test_a_start_that_fails_ends_the_handlers_it_has_started() -> None:
    """What their init has opened is closed by their terminate."""
    log: list[Any] = []

    class Fails(Note):
        def init(self) -> None:
            boom()

    async with otp.open_process():
        with pytest.raises(otp.StartError):
            await otp.start_link(otp.child(otp.EventManager, [lambda: Note("a", log), Fails]))
    assert [("a", "terminate", otp.SHUTDOWN)] == without_init(log)


@pytest.mark.parametrize("handlers", [[Note()], [5], "ab"])
async def test_one_handler_object_cannot_serve_all_restarts(handlers: Any) -> None:
    """A child takes what makes handlers, not handlers; the text has the line to write."""
    async with otp.open_process():
        with pytest.raises(otp.StartError) as caught:
            await otp.start_link(otp.child(otp.EventManager, handlers))
    assert isinstance(caught.value.reason, TypeError)
    assert "accepted are" in str(caught.value.reason)


# -- adding and deleting ---------------------------------------------------------------------------


async def test_operations_meet_the_newest_of_one_name() -> None:
    """A second handler of a class, or of class and id, is no error; the newest is meant (GE-2)."""
    async with otp.open_supervisor([MANAGER]):
        for name in ("first", "second"):
            await ge.add_handler("events", Note(name))
        assert ("second", 1) == await ge.call("events", Note, 1)
        assert "second is gone" == await ge.delete_handler("events", Note)
        assert "first is gone" == await ge.delete_handler("events", Note)
        with pytest.raises(otp.NoHandler):
            await ge.delete_handler("events", Note)


async def test_the_reason_of_a_deletion_reaches_terminate() -> None:
    """delete_handler hands its reason over; left out, it is NORMAL (GE-4, GE-9)."""
    note = Note()
    async with otp.open_supervisor([MANAGER]):
        for reason in (["because"], []):
            await ge.add_handler("events", note)
            await ge.delete_handler("events", Note, *reason)
    assert ["because", otp.NORMAL] == [entry[2] for entry in without_init(note.log)]


async def test_a_terminate_that_raises() -> None:
    """delete_handler raises HandlerCrashed, and the handler is gone (GE-9)."""

    class Bad(otp.GenEvent):
        def terminate(self, reason: object) -> None:
            boom()

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Bad())
        with pytest.raises(otp.HandlerCrashed) as caught:
            await ge.delete_handler("events", Bad)
        assert isinstance(caught.value.__cause__, ValueError)
        assert [] == await ge.which_handlers("events")


@pytest.mark.parametrize("fault", [otp.Stop("no"), 5, boom, lambda: otp.exit("no")])
async def test_an_init_that_fails(fault: Any) -> None:
    """Whoever adds it gets StartError, nothing is added, the object is free again (GE-10)."""
    faults = [fault]

    class Fails(otp.GenEvent):
        async def init(self) -> Any:
            fault = faults.pop() if faults else None
            return fault() if callable(fault) else fault

    handler = Fails()
    async with otp.open_supervisor([MANAGER]):
        with pytest.raises(otp.StartError) as caught:
            await ge.add_handler("events", handler)
        reason = caught.value.reason
        assert reason == "no" or isinstance(reason, ValueError | otp.BadReturn)
        assert [] == await ge.which_handlers("events")
        await ge.add_handler("events", handler)


async def test_an_object_is_in_one_place_at_a_time() -> None:
    """Two places would share its state: the second is refused, until it has left the first."""
    note = Note()
    other = otp.child(otp.EventManager).having(name="other")
    async with otp.open_supervisor([MANAGER, other]):
        await ge.add_handler("events", note)
        for manager in ("events", "other"):
            with pytest.raises(ValueError, match="make a new object"):
                await ge.add_handler(manager, note)
        await ge.delete_handler("events", Note)
        await ge.add_handler("other", note)


async def test_wrong_arguments_are_refused_in_the_caller() -> None:
    """Each error names the argument and what is accepted; nothing reaches the manager."""
    anything: Any = Note
    async with otp.open_supervisor([MANAGER]), otp.open_process():
        with pytest.raises(TypeError, match=r"handler=Note: .*; write Note\(\)"):
            await ge.add_handler("events", anything)
        with pytest.raises(TypeError, match=r"new='x': accepted is an object"):
            await ge.swap_handler("events", Note, "x")  # type: ignore[arg-type]
        anything = Note()
        for operation in (ge.delete_handler, ge.call):
            with pytest.raises(TypeError, match=r"; write Note$"):
                await operation("events", anything, "x")
        with pytest.raises(TypeError, match=r"accepted is a GenEvent class or \(class, id\)"):
            await ge.delete_handler("events", (int, "id"))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="timeout=-1"):
            await ge.call("events", Note, "x", -1)
        assert 0 == runtime().names["events"].handled


async def test_what_is_no_event_manager_is_refused_in_the_caller(autojump_clock: Any) -> None:
    """A server or plain process never sees what was meant for a manager."""
    async with otp.open_process():
        server = await otp.start_link(otp.child(otp.Registry).having(name="server"))
        plain = otp.spawn_link(trio.sleep_forever)
        for ref in (server, plain):
            with pytest.raises(otp.WrongServer):
                ge.notify(ref, "event")
            with pytest.raises(otp.WrongServer):
                await ge.which_handlers(ref)
            with pytest.raises(otp.WrongServer):
                await ge.stop(ref)
            assert otp.is_alive(ref)


async def test_what_is_for_no_handler_does_not_hurt_a_manager() -> None:
    """A bare call is refused in the caller, a bare cast is logged; the handlers stay."""
    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Note())
        with pytest.raises(TypeError, match="does not take the call 'stray'"):
            await otp.call("events", "stray")
        otp.cast("events", "stray")
        assert [Note] == await ge.which_handlers("events")


async def test_an_id_that_cannot_be_compared_hurts_its_sender_alone() -> None:
    """What its `==` raises is raised in the caller."""

    class Bad:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no ==")

        __hash__ = object.__hash__

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Note(), id=Bad())
        with pytest.raises(RuntimeError, match="no =="):
            await ge.call("events", (Note, "x"), 1)
        assert 1 == len(await ge.which_handlers("events"))


# -- calls -----------------------------------------------------------------------------------------


async def test_calls_reach_one_handler() -> None:
    """A call is answered by the handler it names, by a value or an error of the caller's (GE-8)."""

    def refuse() -> Any:
        return otp.Reply(outcome.Error(KeyError("k")))

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Note("a"), id="a")
        await ge.add_handler("events", Note("b"), id="b")
        assert ("a", "x") == await ge.call("events", (Note, "a"), "x")
        with pytest.raises(KeyError):
            await ge.call("events", (Note, "b"), refuse)
        with pytest.raises(otp.NoHandler, match="add_handler"):
            await ge.call("events", Note, "x")
        assert 2 == len(await ge.which_handlers("events"))


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (boom, ValueError),
        (lambda: None, otp.BadReturn),
        (lambda: "bare", otp.BadReturn),
        (otp.NoReply, otp.BadReturn),
        (lambda: otp.Reply(1, timeout=1), otp.BadReturn),
        (otp.RemoveHandler, otp.BadReturn),
    ],
)
async def test_a_handler_that_cannot_answer_is_removed(request_: Any, kind: type[Any]) -> None:
    """Its caller gets HandlerCrashed with the reason; the manager lives (GE-8)."""
    note = Note()
    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", note)
        with pytest.raises(otp.HandlerCrashed) as caught:
            await ge.call("events", Note, request_)
        assert isinstance(caught.value.reason, kind)
        assert caught.value.reason is caught.value.__cause__
        assert [("note", "terminate", caught.value.reason)] == without_init(note.log)
        assert [] == await ge.which_handlers("events")


async def test_a_call_has_a_time_limit(autojump_clock: Any) -> None:
    """After 5 s, or the seconds given, the caller gets CallTimeout; the handler stays."""

    class Slow(otp.GenEvent):
        async def handle_call(self, request: float) -> otp.Reply[str]:
            await trio.sleep(request)
            return otp.Reply("late")

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Slow())
        with pytest.raises(otp.CallTimeout):
            await ge.call("events", Slow, 6)
        assert 5 == trio.current_time()
        assert "late" == await ge.call("events", Slow, 6, timeout=None)


async def test_a_handler_that_calls_its_own_manager() -> None:
    """It would wait for itself: CallingSelf, which takes the handler out (law 2)."""

    class Asks(otp.GenEvent):
        async def handle_call(self, request: Any) -> Any:
            return otp.Reply(await ge.which_handlers("events"))

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Asks())
        with pytest.raises(otp.HandlerCrashed) as caught:
            await ge.call("events", Asks, "x")
        assert isinstance(caught.value.reason, otp.CallingSelf)


class Words(otp.GenEvent):
    """Has a typed client."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def handle_event(self, event: str) -> None:
        self.words.append(event)

    @otp.on_call(raises=(IndexError,))
    async def last(self, count: int = 1) -> str:
        return self.words[-count]

    @otp.on_call
    def leave(self) -> Any:
        return otp.RemoveHandler(reply="left")

    @otp.on_cast
    def forget(self) -> None:
        self.words.clear()


async def test_a_typed_client_of_a_handler() -> None:
    """The on_call methods of the class are calls to the handler, checked in the caller."""
    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Words(), id=1)
        words = Words.at("events", id=1)
        ge.notify("events", "tea")
        assert "tea" == await words.last()
        with pytest.raises(IndexError):
            await words.last(2)
        with pytest.raises(TypeError, match="number"):
            await words.last(number=2)  # type: ignore[call-arg]
        with pytest.raises(otp.NoHandler):
            await Words.at("events").last()
        with pytest.raises(AttributeError, match="no 'forget'; it has last, leave"):
            words.forget()
        assert "left" == await words.leave()
        assert [] == await ge.which_handlers("events")
        with pytest.raises(otp.WrongServer) as caught:
            await Words.last("events")
        assert ["A handler is asked through its client: Words.at('events').last(...)"] == (
            caught.value.__notes__
        )
        with pytest.raises(TypeError, match="no reference"):
            Words.at(5)  # type: ignore[arg-type]


# -- handlers that leave ---------------------------------------------------------------------------


async def test_a_handler_may_leave_by_itself() -> None:
    """RemoveHandler takes it out; terminate gets NORMAL (GE-4)."""
    note, other = Note("leaves"), Note("stays")
    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", note, id=1)
        await ge.add_handler("events", other, id=2)
        assert "bye" == await ge.call("events", (Note, 1), lambda: otp.RemoveHandler(reply="bye"))
        assert [("leaves", "terminate", otp.NORMAL)] == without_init(note.log)
        assert [(Note, 2)] == await ge.which_handlers("events")
        await ge.sync_notify("events", otp.RemoveHandler)
        assert [] == await ge.which_handlers("events")


@pytest.mark.parametrize("event", [boom, lambda: "nonsense", lambda: otp.exit("custom")])
async def test_a_crash_takes_out_one_handler(event: Any, caplog: pytest.LogCaptureFixture) -> None:
    """terminate gets the reason, a report is logged, and all others get the event (GE-3)."""
    log: list[Any] = []

    class Deaf(Note):
        def handle_event(self, event: Any) -> None:
            self.log.append((self.name, "heard"))

    async with otp.open_supervisor([MANAGER]):
        for handler in (Deaf("old", log), Note("bad", log), Deaf("new", log)):
            await ge.add_handler("events", handler, id=handler.name)
        await ge.sync_notify("events", event)
        assert [(Deaf, "new"), (Deaf, "old")] == await ge.which_handlers("events")
        new, _, (_, _, reason), old = without_init(log)
        assert [("new", "heard"), ("old", "heard")] == [new, old]
    [record] = caplog.records
    assert ("trio_otp.crash", logging.ERROR) == (record.name, record.levelno)
    assert record.getMessage().startswith("handler (Note, 'bad') of <Pid ")
    assert "Last message: cast" not in record.getMessage()
    assert "State: {'name': 'bad'" in record.getMessage()
    assert reason == record.otp_report.reason  # type: ignore[attr-defined]


async def test_a_handler_without_handle_event_is_removed() -> None:
    """It could only miss events: NoCallback takes it out."""

    class Empty(otp.GenEvent):
        pass

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Empty())
        await ge.sync_notify("events", "event")
        assert [] == await ge.which_handlers("events")


# -- swaps -----------------------------------------------------------------------------------------


async def test_a_swap_hands_over() -> None:
    """init_swapped gets what terminate returned; the new one is the newest (GE-6)."""
    log: list[Any] = []
    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Note("a", log), id="a")
        await ge.add_handler("events", Note("b", log), id="b")
        await ge.swap_handler("events", (Note, "a"), Note("c", log), reason="why", id="c")
        assert [("a", "terminate", "why"), ("c", "init_swapped", "a is gone")] == without_init(log)
        assert [(Note, "c"), (Note, "b")] == await ge.which_handlers("events")


async def test_a_swap_of_nobody_adds() -> None:
    """The new one is told by a NoHandler; without init_swapped it just starts (GE-6)."""
    note, plain = Note(), Words()
    async with otp.open_supervisor([MANAGER]):
        await ge.swap_handler("events", Words, note)
        await ge.swap_handler("events", (Note, "missing"), plain)
        assert [Words, Note] == await ge.which_handlers("events")
    assert isinstance(note.log[0][2], otp.NoHandler)


async def test_a_swap_whose_new_handler_fails() -> None:
    """The caller gets StartError, and the old one is gone all the same (GE-6)."""

    class Fails(Note):
        def init_swapped(self, result: object) -> None:
            boom()

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Note())
        with pytest.raises(otp.StartError) as caught:
            await ge.swap_handler("events", Note, Fails())
        assert isinstance(caught.value.__cause__, ValueError)
        assert [] == await ge.which_handlers("events")


async def test_a_swap_for_an_object_that_is_in_use_does_nothing() -> None:
    """The old handler stays; an object may take its own place."""
    old, used = Note("old"), Words()
    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", used)
        await ge.add_handler("events", old)
        for missing_or_not in (Note, (Note, "missing")):
            with pytest.raises(ValueError, match="make a new object"):
                await ge.swap_handler("events", missing_or_not, used)
        assert [Note, Words] == await ge.which_handlers("events")
        await ge.swap_handler("events", Note, old, id="again")
        assert [(Note, "again"), Words] == await ge.which_handlers("events")


async def test_a_handler_may_give_its_place_away() -> None:
    """The new one stands where the old one stood, and does not get the event in hand (GE-6)."""
    log: list[Any] = []
    new = Note("new", log)

    class Old(Note):
        def handle_event(self, event: Any) -> Any:
            return otp.SwapHandler(new, reason="why", id="id")

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Note("first", log))
        await ge.add_handler("events", Old("old", log))
        await ge.add_handler("events", Note("last", log))
        await ge.sync_notify("events", "e")
        assert [Note, (Note, "id"), Note] == await ge.which_handlers("events")
    swap = [("old", "terminate", "why"), ("new", "init_swapped", "old is gone")]
    assert [("last", "e"), *swap, ("first", "e")] == without_init(log)[:4]


async def test_a_call_may_be_answered_by_a_swap() -> None:
    """The reply of a SwapHandler reaches the caller, also if the new one does not start."""
    async with otp.open_supervisor([MANAGER]):
        note = Note()
        await ge.add_handler("events", note)
        assert 1 == await ge.call("events", Note, lambda: otp.SwapHandler(Words(), reply=1))
        await ge.swap_handler("events", Words, note)
        other = Note()
        await ge.add_handler("events", other, id="other")
        assert 2 == await ge.call("events", Note, lambda: otp.SwapHandler(other, reply=2))
        assert [(Note, "other")] == await ge.which_handlers("events")


# -- owners ----------------------------------------------------------------------------------------


async def received() -> list[Any]:
    """Take out what has arrived: the reasons of HandlerExit, other messages as they are."""
    got: list[Any] = []
    while True:
        try:
            message = await otp.receive(timeout=0)
        except otp.ReceiveTimeout:
            return got
        got.append(message.reason if isinstance(message, otp.HandlerExit) else message)


async def test_the_owner_hears_of_every_way_out() -> None:
    """NORMAL for deleted and removed, Swapped, the crash, SHUTDOWN when the manager ends (GE-5)."""
    async with otp.open_process() as me:
        manager = await otp.start(otp.EventManager)

        async def add() -> None:
            await ge.add_sup_handler(manager, Note())

        await add()
        await ge.delete_handler(manager, Note, "why")
        await add()
        await ge.sync_notify(manager, otp.RemoveHandler)
        await add()
        await ge.swap_handler(manager, Note, Words(), id=1)
        await ge.sync_notify(manager, 5)
        await ge.delete_handler(manager, (Words, 1))
        await add()
        await ge.sync_notify(manager, boom)
        await add()
        await ge.stop(manager, "custom")
        got = await received()
        swapped = otp.Swapped((Words, 1), me)
        assert [otp.NORMAL, otp.NORMAL, swapped, otp.NORMAL] == got[:4]
        assert isinstance(got[4], ValueError)
        assert [otp.SHUTDOWN] == got[5:]


async def test_the_message_names_manager_and_handler() -> None:
    """An owner of many handlers, in many managers, can tell them apart."""
    async with otp.open_process():
        manager = await otp.start(otp.EventManager)
        await ge.add_sup_handler(manager, Note(), id="id")
        await ge.delete_handler(manager, (Note, "id"))
        expected = otp.HandlerExit(manager, (Note, "id"), otp.NORMAL)
        assert expected == await otp.receive(otp.HandlerExit, timeout=0)


async def test_a_sup_swap_takes_the_handler_over() -> None:
    """The old owner hears who has it now; the new one hears of its end (GE-5, GE-6)."""
    heard: list[Any] = []

    async def owner(*, task_status: trio.TaskStatus[None]) -> None:
        await ge.add_sup_handler("events", Note())
        task_status.started()
        heard.append((await otp.receive(otp.HandlerExit)).reason)

    async with otp.open_supervisor([MANAGER]), otp.open_process() as me:
        await otp.start_link(otp.child(owner))  # type: ignore[call-arg]
        await ge.swap_sup_handler("events", Note, Note("new"))
        await ge.delete_handler("events", Note)
        assert [otp.NORMAL] == await received()
        await trio.testing.wait_all_tasks_blocked()
        assert [otp.Swapped(Note, me)] == heard


@pytest.mark.parametrize("reason", [otp.NORMAL, otp.SHUTDOWN, "custom", otp.KILL])
async def test_the_end_of_an_owner_takes_its_handlers_out(reason: object) -> None:
    """terminate gets why the owner ended; handlers of others stay (GE-5)."""
    log: list[Any] = []

    async def owner(*, task_status: trio.TaskStatus[None]) -> None:
        await ge.add_sup_handler("events", Note("owned", log), id="owned")
        task_status.started()
        otp.exit(await otp.receive())

    async with otp.open_supervisor([MANAGER]), otp.open_process():
        await ge.add_handler("events", Note("free", log))
        pid = await otp.start(otp.child(owner))  # type: ignore[call-arg]
        if reason is otp.KILL:
            otp.exit(pid, reason)
        else:
            otp.send(pid, reason)
        await trio.testing.wait_all_tasks_blocked()
        assert [Note] == await ge.which_handlers("events")
        why = otp.KILLED if reason is otp.KILL else reason
        gone, told = without_init(log)
        assert ("owned", "terminate", otp.OwnerExited(why)) == gone
        assert ("free", "info", otp.Exit(pid, why)) == told


async def test_an_owner_that_ends_before_its_handler_is_added(autojump_clock: Any) -> None:
    """The handler does not outlive it."""

    class Slow(Note):
        async def init(self) -> None:  # type: ignore[override]
            await trio.sleep(5)

    note = Slow()

    async def owner() -> None:
        await ge.add_sup_handler("events", note)

    async with otp.open_supervisor([MANAGER]), otp.open_process():
        pid = otp.spawn(owner)
        await trio.sleep(1)
        otp.exit(pid, "custom")
        await trio.sleep(10)
        assert [] == await ge.which_handlers("events")
        assert [("note", "terminate", otp.OwnerExited(otp.NOPROC))] == note.log


async def test_the_end_of_a_manager_is_no_signal_to_owners() -> None:
    """It lets go of them; a manager that is killed cannot (GE-5)."""
    async with otp.open_process(trap_exit=True):
        for how in ("custom", otp.SHUTDOWN):
            manager = await otp.start(otp.EventManager)
            await ge.add_sup_handler(manager, Note())
            await ge.stop(manager, how)
            assert [otp.SHUTDOWN] == await received()
        manager = await otp.start(otp.EventManager)
        await ge.add_sup_handler(manager, Note())
        otp.exit(manager, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        assert [otp.Exit(manager, otp.KILLED)] == await received()


async def test_the_parent_of_a_manager_hears_of_its_end_as_well() -> None:
    """An owner that is its parent keeps that link (GE-5)."""
    async with otp.open_process(trap_exit=True):
        manager = await otp.start_link(otp.EventManager)
        await ge.add_sup_handler(manager, Note())
        await ge.stop(manager, "custom")
        assert [otp.SHUTDOWN, otp.Exit(manager, "custom")] == await received()


async def test_plain_trio_code_owns_no_handler() -> None:
    """It has no mailbox to be told in."""
    async with otp.open_supervisor([MANAGER]):
        with pytest.raises(otp.NotAProcess):
            await ge.add_sup_handler("events", Note())
        with pytest.raises(otp.NotAProcess):
            await ge.swap_sup_handler("events", Note, Note())


# -- the end of a manager --------------------------------------------------------------------------


async def test_a_supervisor_that_stops_ends_the_handlers() -> None:
    """Each terminate runs, newest first, with SHUTDOWN, whatever the others do (GE-4, GE-12)."""
    log: list[Any] = []

    class Bad(Note):
        def terminate(self, reason: object) -> None:
            super().terminate(reason)
            boom()

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Note("a", log), id="a")
        await ge.add_handler("events", Bad("b", log), id="b")
        await ge.add_handler("events", Note("c", log), id="c")
    assert [(name, "terminate", otp.SHUTDOWN) for name in "cba"] == without_init(log)


async def test_a_manager_that_traps_no_exits_any_more_ends_all_handlers() -> None:
    """A handler that turned trapping off cannot keep others from their terminate."""
    log: list[Any] = []

    class Meddles(Note):
        def init(self) -> None:
            otp.trap_exit(False)

        def terminate(self, reason: object) -> None:
            boom()

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Note("a", log))
        await ge.add_handler("events", Meddles())
    assert [("a", "terminate", otp.SHUTDOWN)] == without_init(log)


@pytest.mark.parametrize("how", ["from outside", "by a handler", "at once"])
async def test_a_killed_manager_runs_nothing_more(how: str, autojump_clock: Any) -> None:
    """No other handler hears the event, no terminate runs, and the callers are answered."""
    log: list[Any] = []

    class Slow(Note):
        async def handle_event(self, event: Any) -> None:
            if how != "from outside":
                with suppress(BaseException) if how == "at once" else nullcontext():
                    otp.exit(otp.self(), otp.KILL)
            else:
                await trio.sleep(5)

    async with otp.open_process():
        manager = await otp.start(otp.EventManager)
        await ge.add_handler(manager, Note("old", log))
        await ge.add_handler(manager, Slow("new", log), id="new")
        if how == "from outside":
            otp.spawn(kill_later, manager)
        with pytest.raises(otp.ServerExited) as caught:
            await ge.sync_notify(manager, "event")
        assert otp.KILLED is caught.value.reason
        assert [] == without_init(log)


async def kill_later(pid: otp.Pid[Any]) -> None:
    await trio.sleep(1)
    otp.exit(pid, otp.KILL)


async def test_ctrl_c_in_a_handler_is_no_crash_of_it() -> None:
    """What is not ours passes through (law 5)."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    log: list[Any] = []

    async def program() -> None:
        async with otp.open_supervisor([MANAGER]) as sup:
            await ge.add_handler("events", Note("a", log))
            ge.notify("events", interrupt)
            await sup.wait()

    with pytest.raises(KeyboardInterrupt):
        await program()
    assert ("a", "terminate", otp.SHUTDOWN) == log[-1]
