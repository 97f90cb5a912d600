"""Values that misbehave reach the caller who sent them, never the server."""

from __future__ import annotations

import time
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
