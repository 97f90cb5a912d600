"""Circles over waits for an end: of a supervisor, `stop`, a block, an application, a task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing
from inside import runtime

import trio_otp as otp

Act = Callable[[], Awaitable[object]]


class Child(otp.GenServer):
    """Does something when it ends, and when it is told to; notes what came of that, and when."""

    def __init__(self, seen: list[Any], at_end: Act | None = None, traps: bool = False) -> None:
        self.seen = seen
        self.at_end = at_end
        otp.trap_exit(traps)

    async def terminate(self, reason: object) -> None:
        if self.at_end is not None:
            await self.try_(self.at_end)

    async def handle_cast(self, message: Any) -> None:
        await self.try_(message)

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        return otp.Reply("pong" if request == "ping" else await request())

    async def try_(self, act: Act) -> None:
        try:
            self.seen.append(await act())
        except otp.DeadlockError as exc:
            self.seen.append((exc.cycle, trio.current_time()))


def refused(seen: list[Any]) -> bool:
    """Whether the only thing tried was refused at the beginning, by an error with its circle."""
    [(cycle, time)] = seen
    return len(cycle) >= 2 and time == 0


ASKS: dict[str, Act] = {
    "which_children": lambda: otp.which_children("sup"),
    "count_children": lambda: otp.count_children("sup"),
    "start_child": lambda: otp.start_child("sup", otp.child(Child, []).having(id="new")),
    "terminate_child": lambda: otp.terminate_child("sup", "c"),
    "restart_child": lambda: otp.restart_child("sup", "c"),
    "stop": lambda: otp.stop("sup"),
    "over another": lambda: otp.call("other", ASKS["which_children"], timeout=None),
}
STOPS: dict[str, Act] = {
    "terminate_child": lambda: otp.terminate_child("sup", "c"),
    "stop": lambda: otp.stop("sup"),
}


def child_c(seen: list[Any], at_end: Act | None = None, **more: Any) -> otp.Child[Child]:
    return otp.child(Child, seen, at_end, **more).having(id="c", name="c", shutdown=None)


def tree(*children: Any, **flags: Any) -> Any:
    """Open a supervisor `sup` of some children, with a server `other` beside it."""
    inner = otp.child(otp.Supervisor, children, **flags).having(name="sup", restart="temporary")
    other = otp.child(Child, []).having(name="other", id="other")
    return otp.open_supervisor([other, inner])


def edges() -> list[Any]:
    """List for whom living processes wait."""
    return [p.waits_for for p in runtime().processes.values() if p.waits_for is not None]


# -- what comes later closes the circle ------------------------------------------------------------


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("ask", ["which_children", "count_children", "start_child"])
@pytest.mark.parametrize("limit", [5.0, None])
async def test_a_terminate_that_asks_the_supervisor_that_stops_it_is_told(
    ask: str, stop: str, limit: float | None, autojump_clock: Any
) -> None:
    """Whatever it asks, and whatever limit it has: at once, by an error that names both."""
    seen: list[Any] = []
    async with tree(child_c(seen, ASKS[ask]).having(shutdown=limit)):
        await STOPS[stop]()
        assert refused(seen)
        assert [] == edges()


@pytest.mark.parametrize("ask", ["terminate_child", "restart_child", "stop"])
async def test_a_terminate_that_has_its_supervisor_stop_something_is_told(
    ask: str, autojump_clock: Any
) -> None:
    """Also itself, and the supervisor."""
    seen: list[Any] = []
    async with tree(child_c(seen, ASKS[ask])):
        await otp.stop("sup")
    assert refused(seen)


async def test_the_circle_may_go_over_others(autojump_clock: Any) -> None:
    """A `terminate` calls a server that asks the supervisor: the server is told."""
    seen: list[Any] = []

    async def over_other() -> object:
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call("other", ASKS["which_children"], timeout=None)
        assert isinstance(caught.value.reason, otp.DeadlockError)
        raise caught.value.reason

    async with tree(child_c(seen, over_other)):
        await otp.terminate_child("sup", "c")
    [(cycle, time)] = seen
    assert 3 == len(set(cycle))
    assert 0 == time


async def test_a_supervisor_that_is_cancelled_is_not_there_for_its_children(
    autojump_clock: Any,
) -> None:
    """Its end is on its way, so a `terminate` that asks it is told so at once."""
    seen: list[Any] = []

    async def asks() -> object:
        with pytest.raises(otp.NoProcess):
            await otp.which_children("sup")
        return "nobody"

    async with tree(child_c(seen, asks)):
        pass
    assert ["nobody"] == seen
    assert 0 == trio.current_time()


@pytest.mark.parametrize("kind", [otp.DynamicSupervisor, otp.TaskSupervisor])
async def test_a_dynamic_supervisor_waits_for_all_its_children(
    kind: Any, autojump_clock: Any
) -> None:
    """Each of the children that are stopped at once is told."""
    seen: list[Any] = []
    async with otp.open_supervisor([otp.child(kind).having(name="sup", restart="temporary")]):
        for _ in range(10):
            child = otp.child(Child, seen, ASKS["which_children"]).having(shutdown=None)
            await otp.start_child("sup", child)
        await otp.stop("sup")
        assert [] == edges()
    assert 10 == len(seen)
    assert all(time == 0 and len(cycle) == 2 for cycle, time in seen)


async def test_a_supervisor_that_restarts_others_waits_for_them(autojump_clock: Any) -> None:
    """one_for_all stops the child, whose `terminate` asks; then it starts both again."""
    seen: list[Any] = []
    crashing = otp.child(crash_on_message).having(id="x", name="x")
    async with tree(child_c(seen, ASKS["which_children"]), crashing, strategy="one_for_all"):
        otp.send("x", "crash")
        await trio.sleep(1)
        assert refused(seen)
        assert "pong" == await otp.call("c", "ping")
        seen.clear()


async def crash_on_message() -> None:
    await otp.receive()
    raise LookupError("bug")


async def test_a_process_that_leaves_the_block_of_a_supervisor_waits_for_it(
    autojump_clock: Any,
) -> None:
    """A `terminate` that calls the process that leaves is told."""
    seen: list[Any] = []
    async with otp.open_process(name="me"):
        async with tree(child_c(seen, lambda: otp.call("me", "x", timeout=None))):
            pass
        assert refused(seen)
        assert [] == edges()


async def test_a_block_of_a_process_waits_for_what_lives_in_it(autojump_clock: Any) -> None:
    """Over another that has called it: its end answers that call only after theirs."""
    seen: list[Any] = []

    async def ask_other() -> object:
        try:
            return await otp.call("outside", "ping", timeout=None)
        except otp.DeadlockError as exc:
            seen.append(len(exc.cycle))
            raise

    async with trio.open_nursery() as nursery:
        outside = otp.child(Child, []).having(name="outside")
        await otp.start(outside, nursery=nursery)
        async with otp.open_process(name="me"):
            await otp.start_link(otp.child(Child, [], ask_other).having(shutdown=None))
            otp.cast("outside", call_me)
            await trio.testing.wait_all_tasks_blocked()
        assert [3] == seen
        nursery.cancel_scope.cancel()
    assert 0 == trio.current_time()


async def call_me() -> object:
    with pytest.raises(otp.ServerExited):
        await otp.call("me", "x", timeout=None)
    return None


# -- applications ----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["stop", "leave"])
async def test_a_process_waits_for_the_application_that_it_stops(
    way: str, autojump_clock: Any
) -> None:
    """By `application.stop`, or by leaving its block: a `terminate` that calls it is told."""
    seen: list[Any] = []

    class App(otp.Application):
        def start(self) -> Any:
            return otp.Supervisor.spec([child_c(seen, lambda: otp.call("me", "x", timeout=None))])

    async with otp.open_process(name="me"):
        async with otp.open_application(App, type="temporary"):
            if way == "stop":
                await otp.application.stop(App)
        assert [] == edges()
    assert refused(seen)


async def test_a_terminate_that_waits_for_the_end_of_its_application_is_told(
    autojump_clock: Any,
) -> None:
    """A start of it would have to wait for the end that is under way."""
    seen: list[Any] = []

    class App(otp.Application):
        def start(self) -> Any:
            wanted = lambda: otp.application.ensure_started("app")  # noqa: E731 - it is short
            return otp.Supervisor.spec([child_c(seen, wanted)])

    async with otp.open_application(App, type="temporary"):
        await otp.application.stop(App)
        assert refused(seen)


# -- the wait for the end closes the circle --------------------------------------------------------


@pytest.mark.parametrize("stop", STOPS)
async def test_a_call_that_came_before_the_stop_is_answered(stop: str, autojump_clock: Any) -> None:
    """A child that traps exits waits for its supervisor, which has begun to stop it."""
    seen: list[Any] = []
    gate = trio.Event()

    async def slow_init(*, task_status: Any) -> None:
        await gate.wait()
        task_status.started()

    async with tree(child_c(seen, traps=True)), trio.open_nursery() as nursery:
        slow = otp.child(slow_init).having(id="slow", restart="temporary")
        nursery.start_soon(otp.start_child, "sup", slow)
        await trio.testing.wait_all_tasks_blocked()  # the supervisor is busy
        nursery.start_soon(STOPS[stop])
        await trio.testing.wait_all_tasks_blocked()
        otp.cast("c", ASKS["which_children"])
        await trio.testing.wait_all_tasks_blocked()
        gate.set()
    assert refused(seen)


async def test_a_call_of_a_child_that_is_cancelled_is_no_circle(autojump_clock: Any) -> None:
    """One that does not trap exits is not told: it ends, as it was asked to."""
    seen: list[Any] = []
    async with tree(child_c(seen)) as _, otp.open_process():
        watch = otp.monitor("c")
        otp.cast("c", ASKS["terminate_child"])
        down = await otp.receive(otp.Down)
        assert watch is down.ref
        assert otp.SHUTDOWN is down.reason
    assert [] == seen
    assert 0 == trio.current_time()


async def test_a_child_that_traps_exits_and_asks_for_its_own_end_is_killed(
    autojump_clock: Any,
) -> None:
    """It stands in its own way until its limit is over, as in OTP."""
    seen: list[Any] = []
    child = child_c(seen, traps=True).having(shutdown=3.0)
    async with tree(child), otp.open_process():
        watch = otp.monitor("c")
        otp.cast("c", ASKS["terminate_child"])
        down = await otp.receive(otp.Down)
        assert watch is down.ref
        assert otp.KILLED is down.reason
    assert [] == seen
    assert 3 == trio.current_time()


async def test_stopping_a_process_that_waits_for_the_caller_is_told(autojump_clock: Any) -> None:
    """A server has a child stopped, that traps exits and waits for an answer of the server."""
    seen: list[Any] = []
    async with tree(child_c(seen, traps=True)):
        otp.cast("c", lambda: otp.call("other", "ping", timeout=None))
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call("other", ask_both, timeout=None)
        assert isinstance(caught.value.reason, otp.DeadlockError)
    assert 0 == trio.current_time()


async def ask_both() -> object:
    await trio.testing.wait_all_tasks_blocked()  # the child has called
    return await otp.terminate_child("sup", "c")


# -- no circles ------------------------------------------------------------------------------------


async def test_a_terminate_may_call_others(autojump_clock: Any) -> None:
    """Siblings and strangers, also those that wait for nobody who waits for it."""
    seen: list[Any] = []
    older = otp.child(Child, []).having(id="older", name="older")

    async def asks() -> object:
        return [await otp.call(name, "ping") for name in ("older", "other")]

    async with tree(older, child_c(seen, asks)):
        await otp.stop("sup")
    assert [["pong", "pong"]] == seen


async def test_a_helper_task_of_a_terminate_waits_by_itself(autojump_clock: Any) -> None:
    """Its call is not the wait of the process; a time-out ends it as ever."""
    seen: list[Any] = []

    async def asks() -> object:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_in_vain)
        return "timed out"

    async with tree(child_c(seen, asks)):
        await otp.terminate_child("sup", "c")
    assert ["timed out"] == seen
    assert 2 == trio.current_time()


async def ask_in_vain() -> None:
    with trio.move_on_after(2):
        await otp.which_children("sup")


async def test_a_call_that_is_deferred_makes_no_circle(autojump_clock: Any) -> None:
    """The server that has deferred the answer may stop who waits for it."""

    class Desk(otp.GenServer):
        async def handle_call(self, request: Any, from_: otp.From[Any]) -> otp.NoReply:
            return otp.NoReply(continue_=from_)

        async def handle_continue(self, token: Any) -> None:
            await otp.terminate_child("sup", "c")
            otp.reply(token, "late")

    seen: list[Any] = []
    async with tree(child_c(seen)), trio.open_nursery() as nursery:
        await otp.start(otp.child(Desk).having(name="desk"), nursery=nursery)
        otp.cast("c", lambda: otp.call("desk", "x", timeout=None))
        await trio.testing.wait_all_tasks_blocked()
        assert otp.whereis("c") is None
        assert otp.is_alive("desk")
        nursery.cancel_scope.cancel()
    assert [] == seen


async def test_a_plain_process_that_calls_is_stopped_by_whom_it_calls(autojump_clock: Any) -> None:
    """It is cancelled, so its call is over: `otp.stop` of it succeeds."""
    async with tree(otp.child(plain_calls).having(name="plain", restart="temporary")):
        assert "stopped" == await otp.call("other", stop_plain, timeout=None)
        assert otp.whereis("plain") is None
    assert 0 == trio.current_time()


async def plain_calls() -> None:
    await otp.receive()
    await otp.call("other", "ping", timeout=None)


async def stop_plain() -> object:
    otp.send("plain", "go")
    await trio.testing.wait_all_tasks_blocked()
    await otp.stop("plain", otp.SHUTDOWN)
    return "stopped"


async def test_a_task_that_calls_its_owner_can_be_shut_down(autojump_clock: Any) -> None:
    """It is cancelled; but in a shielded clean-up it is told that its owner waits for it."""
    seen: list[Any] = []

    async def job() -> None:
        try:
            await otp.call("me", "x", timeout=None)
        finally:
            with trio.CancelScope(shield=True):
                try:
                    await otp.call("me", "x", timeout=None)
                except otp.DeadlockError as exc:
                    seen.append((exc.cycle, trio.current_time()))

    async with otp.open_process(name="me"):
        task = otp.task.start_async(job)
        await trio.testing.wait_all_tasks_blocked()
        assert await otp.task.shutdown(task) is None
        assert [] == edges()
    assert refused(seen)


async def test_a_call_into_a_circle_does_not_walk_it_for_ever(autojump_clock: Any) -> None:
    """A stop that waits for one that waits for the same end is a circle that nothing breaks."""
    seen: list[Any] = []
    child = child_c(seen, traps=True).having(shutdown=3.0)
    async with tree(child), trio.open_nursery() as nursery:
        otp.cast("c", ASKS["stop"])  # the supervisor then stops the child, which waits
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(otp.ServerExited):
            await otp.call("other", lambda: otp.call("c", "ping", timeout=None), timeout=None)
        nursery.cancel_scope.cancel()
    assert 3 == trio.current_time()
