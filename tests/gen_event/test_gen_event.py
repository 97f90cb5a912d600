"""gen_event: events reach every handler, and handlers come and go."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from gen_event_kit import MANAGER, Note, Words, boom, ge, without_init
from inside import runtime

import trio_otp as otp

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
    assert "expected" in str(caught.value.reason)


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
        with pytest.raises(TypeError, match=r"new='x': expected an instance"):
            await ge.swap_handler("events", Note, "x")  # type: ignore[arg-type]
        anything = Note()
        for operation in (ge.delete_handler, ge.call):
            with pytest.raises(TypeError, match=r"; write Note$"):
                await operation("events", anything, "x")
        with pytest.raises(TypeError, match=r"expected a GenEvent class or \(class, id\)"):
            await ge.delete_handler("events", (int, "id"))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="timeout=-1"):
            await ge.call("events", Note, "x", timeout=-1)
        assert 0 == runtime().names["events"].messages_handled


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
