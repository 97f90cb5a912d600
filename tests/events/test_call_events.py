"""What listeners hear of calls, of handlers that fail and of names; what the dead have handled.

Each beginning has one end, whatever happens in between.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import outcome
import pytest
import trio
from inside import runtime
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio_otp.events import EventName

Start: TypeAlias = Any  # `otp.start`


class Server(otp.GenServer):
    """Runs the function it is sent, and answers with what that returns."""

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        result = request(from_) if callable(request) else request
        return await result if hasattr(result, "__await__") else result

    async def handle_cast(self, message: Any) -> Any:
        return await message()

    def handle_info(self, message: Any) -> Any:
        return message()


class Machine(otp.GenStatem):
    """Does the same as a state machine."""

    initial = "only"

    async def handle_event(self, kind: Any, content: Any, state: Any) -> Any:
        return await content() if callable(content) else otp.KeepState(otp.Reply(content))


@pytest.fixture
def start(nursery: trio.Nursery) -> Start:
    """Start a process in plain Trio code."""
    return partial(otp.start, nursery=nursery)


class Heard(list[tuple[Any, ...]]):
    """What was told of some events, each with its name in front."""

    def __init__(self, *events: EventName) -> None:
        super().__init__()
        for event in events:
            otp.events.attach(event, self._listener(event))

    def _listener(self, event: str) -> Callable[..., None]:
        return lambda *args: self.append((event, *args))


def calls() -> Heard:
    return Heard("call_start", "call_stop")


def answer(_: Any) -> Any:
    return otp.Reply(None)


async def hang(*_: Any) -> Any:
    await trio.sleep_forever()


async def crash(*_: Any) -> Any:
    raise ValueError("boom")


def error_of(heard: Heard, message: Any) -> BaseException | None:
    """Check that one call with that message was told, from its start to its end; give its error."""
    [start, stop] = [told for told in heard if told[1].message is message]
    assert ("call_start", "call_stop") == (start[0], stop[0])
    assert start[1] is stop[1]
    error: BaseException | None = stop[2]
    return error


# -- calls -----------------------------------------------------------------------------------------


async def test_a_call_is_told_at_its_start_and_when_it_is_answered() -> None:
    """With the `From`, which knows the caller, and no error."""
    heard = calls()
    callers: list[Any] = []
    otp.events.attach("call_start", lambda from_: callers.append(from_.caller))
    async with otp.open_process() as me:
        server = await otp.start_link(Server)
        assert 1 == await otp.call(server, lambda _: otp.Reply(1))
        [(_, from_), end] = heard
        assert ("call_stop", from_, None) == end
        assert [me] == callers
        heard.clear()
        assert 2 == await otp.call(await otp.start_link(Machine), 2)
    assert ["call_start", "call_stop"] == [told[0] for told in heard]


async def test_a_call_that_fails_is_told_with_what_its_caller_gets(
    start: Start, virtual_time: Any
) -> None:
    """An error of the server, its end, a time-out, also of no time at all; each once."""
    heard = calls()

    def refuse(_: Any) -> Any:
        return otp.Reply(outcome.Error(LookupError("no such thing")))

    async with otp.open_process():
        for request, timeout, kind in [
            (refuse, 5, LookupError),
            (crash, 5, otp.ServerExited),
            (hang, 5, otp.CallTimeout),
            (hang, 0, otp.CallTimeout),
        ]:
            server = await start(Server)
            heard.clear()
            with pytest.raises(kind) as caught:
                await otp.call(server, request, timeout=timeout)
            [_, stop] = heard
            assert stop[2] is caught.value
            error_of(heard, request)


async def test_a_call_whose_caller_is_cancelled_is_told_with_the_cancellation(start: Start) -> None:
    """Nobody gets an answer then; it is told once, also when one comes later."""
    heard = calls()
    server = await start(Server)
    gate = trio.Event()

    async def late(_: Any) -> Any:
        await gate.wait()
        return otp.Reply("too late")

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(otp.call, server, late)
            await wait_all_tasks_blocked()
            scope.cancel()
    assert isinstance(error_of(heard, late), trio.Cancelled)
    gate.set()
    await otp.stop(server)
    assert 2 == len(heard)


async def test_a_call_that_is_refused_because_it_could_never_be_answered_is_told(
    start: Start,
) -> None:
    """A server that calls itself, and one that closes a circle."""
    heard = calls()

    async def call_self(_: Any) -> Any:
        with pytest.raises(otp.CallingSelf):
            await otp.call(otp.self(), "me")
        with pytest.raises(otp.CallingSelf):
            await otp.call(otp.self(), "at once", timeout=0)
        return otp.Reply(None)

    await otp.call(await start(Server), call_self)
    assert isinstance(error_of(heard, "me"), otp.CallingSelf)
    assert isinstance(error_of(heard, "at once"), otp.CallingSelf)
    assert error_of(heard, call_self) is None


async def test_a_call_that_finds_no_room_is_told(start: Start) -> None:
    """It is over at once, with `MailboxFull`."""
    heard = calls()
    server = await start(Small)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(otp.call, server, hang)
            await wait_all_tasks_blocked()
            otp.cast(server, hang)
            with pytest.raises(otp.MailboxFull):
                await otp.call(server, "no room")
            scope.cancel()
    assert isinstance(error_of(heard, "no room"), otp.MailboxFull)


class Small(Server, mailbox=otp.BoundedMailbox(1)):
    """Has room for one message."""


async def test_room_that_somebody_waits_for_is_no_call(start: Start) -> None:
    """`cast_wait` has a request at the server, of which nothing is told."""
    heard = calls()
    server = await start(Small)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            otp.cast(server, hang)
            await wait_all_tasks_blocked()
            otp.cast(server, hang)
            nursery.start_soon(otp.cast_wait, server, hang)
            await wait_all_tasks_blocked()
            scope.cancel()
    assert [] == heard


async def test_requests_without_a_waiting_task_are_told(start: Start, virtual_time: Any) -> None:
    """Answered, given up after a time-out, and dropped; the caller is not known."""
    heard = calls()
    server = await start(Server)
    answered = otp.send_request(server, lambda _: otp.Reply("here"))
    assert "here" == await otp.receive_response(answered)
    assert ("call_stop", None) == (heard[1][0], heard[1][2])
    assert heard[1][1].caller is None
    otp.cast(server, hang)
    late, lost = otp.send_request(server, "late"), otp.send_request(server, "lost")
    with pytest.raises(otp.CallTimeout) as caught:
        await otp.receive_response(late, timeout=1)
    del lost
    assert error_of(heard, "late") is caught.value
    [*_, last] = heard
    assert ("call_stop", "lost", None) == (last[0], last[1].message, last[2])
    assert last[1].abandoned


async def test_a_listener_that_comes_during_a_call_hears_nothing_of_it(start: Start) -> None:
    """There is no end without its beginning."""
    server = await start(Server)

    async def listen(_: Any) -> Any:
        heard.extend(calls_and_handlers())
        return otp.Reply(None)

    def calls_and_handlers() -> Heard:
        nonlocal heard
        heard = Heard("call_start", "call_stop", "handle_start", "handle_stop", "handle_error")
        return heard

    heard: Any = []
    await otp.call(server, listen)
    assert [] == heard
    await otp.call(server, answer)
    assert 4 == len(heard)


# -- handlers that fail ----------------------------------------------------------------------------

HANDLERS: tuple[EventName, ...] = ("handle_start", "handle_stop", "handle_error")


@pytest.mark.parametrize("kind", [Server, Machine])
async def test_a_handler_that_raises_is_told_before_its_crash(
    start: Start, kind: type[Any]
) -> None:
    """With the error itself, in place of the end that a handler otherwise has."""
    heard = Heard(*HANDLERS, "crash")
    server = await start(kind)
    otp.cast(server, crash)
    await wait_all_tasks_blocked()
    start, failed, report = heard
    assert ("handle_start", server, "cast", crash) == start
    assert ("handle_error", server, "cast", crash) == failed[:4]
    assert (ValueError, "boom") == (type(failed[4]), str(failed[4]))
    assert ("crash", failed[4]) == (report[0], report[1].reason)


async def test_a_handler_that_raises_at_once_is_told_too(start: Start) -> None:
    """One that is no `async def` has its end as well."""
    heard = Heard(*HANDLERS)
    server = await start(Server)

    def fail() -> None:
        raise KeyError("k")

    otp.send(server, fail)
    await wait_all_tasks_blocked()
    assert ["handle_start", "handle_error"] == [told[0] for told in heard]
    assert isinstance(heard[1][4], KeyError)


@pytest.mark.parametrize("kind", [Server, Machine])
async def test_a_handler_that_is_killed_is_told_with_its_cancellation(
    start: Start, kind: type[Any]
) -> None:
    """It raises nothing of its own, and has one end too."""
    heard = Heard(*HANDLERS)
    server = await start(kind)
    otp.cast(server, hang)
    await wait_all_tasks_blocked()
    otp.exit(server, otp.KILL)
    await wait_all_tasks_blocked()
    assert ["handle_start", "handle_error"] == [told[0] for told in heard]
    assert isinstance(heard[1][4], trio.Cancelled)


async def test_a_handler_that_has_returned_did_not_fail(start: Start) -> None:
    """What it returned may be the end of the server, a stop or a wrong value; it has its end."""
    for result in (otp.Stop(ValueError("enough")), "no such result"):
        heard = Heard(*HANDLERS)
        server = await start(Server)

        def end(result: Any = result) -> Any:
            return result

        otp.send(server, end)
        await wait_all_tasks_blocked()
        assert not otp.is_alive(server)
        assert ["handle_start", "handle_stop"] == [told[0] for told in heard]


async def test_a_crash_between_two_messages_is_no_failed_handler(start: Start) -> None:
    """A server that is stopped while it waits has no message in hand."""
    heard = Heard(*HANDLERS)
    server = await start(Server)
    await otp.call(server, answer)
    otp.exit(server, ValueError("out of the blue"))
    await wait_all_tasks_blocked()
    assert ["handle_start", "handle_stop"] == [told[0] for told in heard]


# -- names -----------------------------------------------------------------------------------------


async def test_names_are_told_when_they_are_taken_and_freed(start: Start) -> None:
    """By a start, by `register`, and by the end of the process."""
    heard = Heard("name_taken", "name_freed", "process_exit")
    server = await start(otp.child(Server).having(name="a"))
    assert ("name_taken", "a", server) == heard.pop()
    with pytest.raises(otp.AlreadyStarted):
        await start(otp.child(Server).having(name="a"))
    heard.clear()
    otp.unregister("a")
    otp.register("b", server)
    await otp.stop(server)
    ends = [told[:2] for told in heard]
    assert [("name_freed", "a"), ("name_taken", "b"), ("name_freed", "b")] == ends[:3]
    assert ("process_exit", server) == ends[3]


async def test_a_name_is_free_when_that_is_told(start: Start) -> None:
    """Who starts another process under the name finds it free."""
    free: list[bool] = []
    otp.events.attach("name_freed", lambda name, _: free.append(otp.whereis(name) is None))
    await otp.stop(await start(otp.child(Server).having(name="a")))
    assert [True] == free


async def test_keys_of_a_unique_registry_are_names(start: Start) -> None:
    """As the via tuples that lead there: taken by hand or by a start, freed in each way."""
    rooms = otp.registry("rooms")
    heard = Heard("name_taken", "name_freed")
    registries = [
        otp.child(otp.Registry, keys="unique").having(name="rooms"),
        otp.child(otp.Registry, keys="duplicate").having(name="many"),
    ]
    async with otp.open_process(trap_exit=True) as me, otp.open_supervisor(registries):
        heard.clear()
        rooms.register("k", None)
        otp.registry("many").register("k", None)
        rooms.unregister("k")
        rooms.unregister("k")
        server = await start(otp.child(Server).having(name=rooms.via("s")))
        await otp.stop(server)
        rooms.register("left", None)
        key = "via", "rooms"
        assert [
            ("name_taken", (*key, "k"), me),
            ("name_freed", (*key, "k"), me),
            ("name_taken", (*key, "s"), server),
            ("name_freed", (*key, "s"), server),
            ("name_taken", (*key, "left"), me),
        ] == heard
        heard.clear()
    assert ("name_freed", (*key, "left"), me) in heard


async def test_names_in_a_module_of_a_user_are_told(start: Start) -> None:
    """Any object with the four functions may keep names."""
    heard = Heard("name_taken", "name_freed")
    kept: dict[Any, Any] = {}

    class Names:
        def register_name(self, key: Any, pid: Any) -> bool:
            return kept.setdefault(key, pid) is pid

        def unregister_name(self, key: Any) -> None:
            del kept[key]

        def whereis_name(self, key: Any) -> Any:
            return kept.get(key)

        def send(self, key: Any, message: Any) -> None:
            otp.send(kept[key], message)

    names = Names()
    server = await start(otp.child(Server).having(name=("via", names, "k")))
    await otp.stop(server)
    name = ("via", names, "k")
    assert [("name_taken", name, server), ("name_freed", name, server)] == heard


# -- what the dead have handled --------------------------------------------------------------------


async def test_what_the_dead_have_handled_is_added_up_by_class(start: Start) -> None:
    """The total is there when the end is told; who lives is not in it."""
    seen: list[int] = []
    otp.events.attach("process_exit", lambda *_: seen.append(runtime().handled.get(Server, 0)))
    for count in (2, 3):
        server = await start(Server)
        for _ in range(count):
            await otp.call(server, answer)
        await otp.stop(server)
    alive = await start(Server)
    await otp.call(alive, answer)
    machine = await start(Machine)
    await otp.call(machine, 1)
    await otp.stop(machine)
    assert [2, 5, 5] == seen
    assert {Server: 5, Machine: 1} == runtime().handled
