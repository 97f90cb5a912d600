"""Values that misbehave reach the caller who sent them, never the server."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import outcome
import pytest
import trio
import trio.testing

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Server(otp.GenServer):
    """Answers every call, at once or later."""

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        if request == "slow":
            await trio.sleep(1)
        return otp.Reply(request)


class BadRepr:
    """Cannot be shown."""

    def __repr__(self) -> str:
        raise ValueError("repr")


class BadHash:
    """Cannot be looked up."""

    def __hash__(self) -> int:
        raise ValueError("hash")


class BadEq:
    """Looks like the id of a child until it is compared."""

    def __hash__(self) -> int:
        return hash("child")

    def __eq__(self, other: object) -> bool:
        raise ValueError("eq")


async def start_twice(sup: otp.Ref) -> None:
    child = otp.child(Server).having(id=BadRepr())
    await otp.start_child(sup, child)
    await otp.start_child(sup, child)


REQUESTS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "unknown request": lambda sup: otp.call(sup, BadRepr()),
    "unhashable id": lambda sup: otp.terminate_child(sup, BadHash()),
    "id without equality": lambda sup: otp.get_childspec(sup, BadEq()),
    "id that cannot be shown": start_twice,
    "child without equality": lambda sup: otp.start_child(
        sup, otp.child(Server).having(id=BadEq())
    ),
}


@pytest.mark.parametrize("what", REQUESTS)
async def test_odd_values_do_not_hurt_a_supervisor(what: str, autojump_clock: object) -> None:
    """A request or id whose methods raise is an error of its caller, and the tree lives."""
    async with otp.open_supervisor([otp.child(Server).having(id="child", name="s")]) as sup:
        server = otp.whereis("s")
        with pytest.raises((TypeError, ValueError, otp.OtpError)):
            await REQUESTS[what](sup)
        await trio.testing.wait_all_tasks_blocked()

        assert server == otp.whereis("s")
        assert 1 == (await otp.count_children(sup)).active or what == "id that cannot be shown"


async def test_a_time_that_no_clock_can_count_is_refused(autojump_clock: object) -> None:
    """A huge whole number is no time-out, and nothing of the call is left to be answered."""
    async with otp.open_supervisor([otp.child(Server).having(name="s")]):
        with pytest.raises(ValueError, match="timeout=1000"):
            await otp.call("s", "slow", timeout=10**400)
        with pytest.raises(ValueError, match="delay=1000"):
            otp.send_after("s", "x", 10**400)
        with pytest.raises(ValueError, match="timeout=1000"):
            otp.task.async_stream([1], asleep, timeout=10**400)
        with pytest.raises(otp.SpecError, match="shutdown=1000"):
            otp.child(Server).having(shutdown=10**400)
        await trio.sleep(2)
        assert "x" == await otp.call("s", "x", timeout=float("inf"))


async def test_an_outcome_may_answer_many_calls(autojump_clock: object) -> None:
    """A constant error that is replied again and again is raised in each caller."""
    gone = outcome.Error(KeyError("gone"))

    class Refusing(otp.GenServer):
        def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            return otp.Reply(gone)

    async with otp.open_supervisor([otp.child(Refusing).having(name="s")]):
        for _ in range(2):
            with pytest.raises(KeyError, match="gone"):
                await otp.call("s", "x")


async def test_a_caller_that_is_sent_on_is_a_plain_message(autojump_clock: object) -> None:
    """A server that gets the `From` of another's call gets it in handle_info, and may answer."""

    class Worker(otp.GenServer):
        def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            return otp.Reply("as a call")

        def handle_info(self, message: Any) -> None:
            otp.reply(message, "as info")

    class Boss(otp.GenServer):
        def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            otp.send("worker", from_)
            return otp.NoReply()

    children = [otp.child(Worker).having(name="worker"), otp.child(Boss).having(name="boss")]
    async with otp.open_supervisor(children):
        assert "as info" == await otp.call("boss", "x")


async def test_a_machine_takes_a_sent_caller_as_a_plain_message() -> None:
    """As a server does: it is no call of the machine, which may answer it."""

    class Worker(otp.GenStatem[str]):
        initial = "idle"

        def handle_event(self, kind: Any, content: Any, state: str) -> None:
            otp.reply(content, kind)

    class Boss(otp.GenServer):
        def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            otp.send("worker", from_)
            return otp.NoReply()

    children = [otp.child(Worker).having(name="worker"), otp.child(Boss).having(name="boss")]
    async with otp.open_supervisor(children):
        assert otp.Event.INFO is await otp.call("boss", "x")


async def test_an_item_that_cannot_be_shown_may_time_out(autojump_clock: object) -> None:
    """The consumer of a stream gets the time-out, and nobody else gets anything."""
    async with otp.task.async_stream([BadRepr()], asleep, timeout=1) as results:
        with pytest.raises(otp.TaskTimeout, match="repr raised"):
            await anext(results)


async def asleep(_: object) -> None:
    await trio.sleep_forever()


async def test_a_function_that_exits_twice_over_does_not_hurt_a_server() -> None:
    """A group of exits out of the function of replace_state is the caller's error."""

    async def leave(_: Any) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave_alone)
            nursery.start_soon(leave_alone)

    async def leave_alone() -> None:
        otp.exit("why")

    async with otp.open_supervisor([otp.child(Server).having(name="s")]):
        server = otp.whereis("s")
        with pytest.raises(otp.CallbackFailed):
            await otp.sys.replace_state("s", leave)
        assert server == otp.whereis("s")


async def test_an_exit_reason_that_cannot_be_shown_may_leave_a_nursery() -> None:
    """Trio shows what ends a nursery, and would break it if that raised."""
    reason = BadRepr()

    async def leave() -> None:
        async with trio.open_nursery():
            otp.exit(reason)

    async with otp.open_process():
        _, _ = otp.spawn_monitor(leave)
        assert reason is (await otp.receive(otp.Down)).reason


class HashesFor:
    """Can be looked up so many times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __hash__(self) -> int:
        self.times -= 1
        if self.times < 0:
            raise ValueError("hash")
        return 1


async def test_a_key_that_ceases_to_hash_does_not_hold_a_subscription() -> None:
    """The block is left with the error of its key, whenever that comes."""
    registry = otp.registry("registry")
    times = 0
    async with otp.open_supervisor([otp.child(otp.Registry, "duplicate").having(name="registry")]):
        key = HashesFor(-1)
        while key.times < 0:
            times += 1
            key = HashesFor(times)
            with suppress(ValueError, TypeError):
                async with registry.subscribe(key):
                    pass
    assert times > 3


class Unfindable:
    """A registry of names that cannot find any."""

    def register_name(self, key: Any, pid: otp.Pid[Any]) -> bool:
        return True

    def unregister_name(self, key: Any) -> None:
        pass

    def whereis_name(self, key: Any) -> otp.Pid[Any] | None:
        raise ValueError("whereis")

    def send(self, key: Any, message: Any) -> None:
        pass


async def test_a_listener_that_cannot_be_found_does_not_hurt_who_registers() -> None:
    """It is as one that is not there, and told as a notice."""
    notices: list[otp.NoticeReport] = []
    otp.events.attach("notice", notices.append)
    listeners = [("via", Unfindable(), "ear")]
    registry = otp.registry("registry")
    child = otp.child(otp.Registry, listeners=listeners).having(name="registry")
    async with otp.open_supervisor([child]):
        async with registry.subscribe("key"):
            assert 1 == registry.count()
        assert 0 == registry.count()
    assert 2 == len([notice for notice in notices if "whereis" in notice.text])


def raises_badly(_: Any) -> Any:
    class Bad(Exception):
        def __str__(self) -> str:
            raise RuntimeError("str")

    raise Bad


async def asynchronous(_: Any) -> Any:
    return "state"


@pytest.mark.parametrize(
    "status", [raises_badly, lambda _: otp.exit("status"), asynchronous], ids=lambda f: f.__name__
)
async def test_a_bad_format_status_does_not_hide_the_crash(
    status: Callable[[Any], Any], autojump_clock: object
) -> None:
    """The reason stays that of the crash, `terminate` runs, and the report says what went wrong."""
    ended: list[object] = []
    reports: list[Any] = []

    class Crashing(otp.GenServer, restart="temporary"):
        format_status = status

        def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            raise KeyError("original")

        def terminate(self, reason: object) -> None:
            ended.append(reason)

    otp.events.attach("crash", reports.append)
    async with otp.open_supervisor([otp.child(Crashing).having(name="s")]):
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call("s", "x")

    assert isinstance(caught.value.reason, KeyError)
    assert [caught.value.reason] == ended
    assert "format_status" in reports[0].state


async def test_an_endless_continue_lets_others_run() -> None:
    """A server that continues for ever without a checkpoint delays a timer by little."""
    began = time.perf_counter()

    class Endless(otp.GenServer):
        def init(self) -> otp.NoReply:
            return otp.NoReply(continue_=1)

        def handle_continue(self, token: Any) -> otp.NoReply | otp.Stop:
            late = time.perf_counter() - began > 20
            return otp.Stop("nobody else ran") if late else otp.NoReply(continue_=token)

    async with otp.open_supervisor([otp.child(Endless).having(restart="temporary")]) as sup:
        await trio.sleep(0.01)
        assert 1 == (await otp.count_children(sup)).active
        [child] = await otp.which_children(sup)
        assert child.pid is not None
        otp.exit(child.pid, otp.KILL)
