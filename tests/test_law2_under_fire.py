"""Nobody hangs on the dead: 100 callers of a server that ends, in every way a server can end.

Of the callers one is in hand, a third has a deferred reply to come, the rest is queued; half of
them are processes, half plain Trio tasks, and of each every third has no time-out. Each must be
answered exactly once, with the reason, in the same turn.
"""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from fire_kit import (
    CALLERS,
    Bug,
    House,
    Scene,
    Target,
    in_block,
    in_dynamic_supervisor,
    in_nursery,
    in_supervisor,
    with_link,
)
from inside import runtime

import trio_otp as otp


def stop_in_hand() -> otp.Stop:
    return otp.Stop("stopped")


def stop_with_reply() -> otp.Stop:
    return otp.Stop("stopped", reply="farewell")


def crash() -> None:
    raise Bug


def exit_in_hand() -> None:
    otp.exit("left")


def interrupt() -> None:
    raise KeyboardInterrupt


def system_exit() -> None:
    raise SystemExit(3)


def nothing() -> None:
    """Return what handle_call must not return."""


async def fail_to_terminate() -> None:
    raise Bug


# What the one in hand does; the server ends by it.
BY_ITSELF: dict[str, tuple[Any, Any]] = {
    "Stop": (stop_in_hand, "stopped"),
    "Stop with reply": (stop_with_reply, "stopped"),
    "raise": (crash, Bug),
    "bad return": (nothing, otp.BadReturn),
    "exit": (exit_in_hand, "left"),
    "KeyboardInterrupt": (interrupt, KeyboardInterrupt),
    "SystemExit": (system_exit, SystemExit),
}


def leave(scene: Scene) -> None:
    scene.leave.set()


def kill(scene: Scene) -> None:
    otp.exit(scene.pid, otp.KILL)


def signal(scene: Scene) -> None:
    otp.exit(scene.pid, "signal")


# Where it lives, how it is made, what ends it from outside, and the reason its callers get.
FROM_OUTSIDE: dict[str, tuple[House, dict[str, Any], Any, Any]] = {
    "exit signal": (in_nursery, {}, signal, "signal"),
    "kill": (in_nursery, {}, kill, otp.KILLED),
    "kill of a trapping server": (in_nursery, {"trap": True}, kill, otp.KILLED),
    "untrapped exit of a link": (with_link, {}, leave, Bug),
    "supervisor shutdown": (in_supervisor, {}, leave, otp.SHUTDOWN),
    "dynamic supervisor shutdown": (in_dynamic_supervisor, {}, leave, otp.SHUTDOWN),
    "supervisor shutdown that has to kill": (in_supervisor, {"trap": True}, leave, otp.KILLED),
    "cancelled nursery": (in_nursery, {}, leave, otp.SHUTDOWN),
    "cancelled nursery that has to kill": (in_nursery, {"trap": True}, leave, otp.KILLED),
    "terminate that hangs": (
        in_nursery,
        {"terminate": trio.sleep_forever},
        leave,
        otp.KILLED,
    ),
    "terminate that crashes": (in_nursery, {"terminate": fail_to_terminate}, leave, Bug),
    "end of a block": (in_block, {}, leave, otp.SHUTDOWN),
}


def check(scene: Scene, reason: Any, *, answered: int = 0) -> None:
    """Every caller has one answer, which is the reason, and nothing is left of any."""
    assert set(range(CALLERS)) == scene.got.keys()
    errors = [answer for answer in scene.got.values() if isinstance(answer, otp.ServerExited)]
    assert CALLERS - answered == len(errors)
    for error in errors:
        assert error.reason is reason or isinstance(error.reason, reason)
        assert error.server is scene.pid
    assert scene.process is not None
    assert scene.process.dead
    assert not scene.process.requests


@pytest.mark.parametrize("way", BY_ITSELF)
async def test_fault_02_a_server_that_ends_itself_answers_all_100(
    way: str, autojump_clock: Any
) -> None:
    """Whatever the handler of the call in hand does, all callers learn of it at once."""
    end, reason = BY_ITSELF[way]
    async with trio.open_nursery() as nursery:
        scene = Scene(nursery)
        nursery.start_soon(scene.host, in_nursery, otp.child(Target, end))
        await scene.ready.wait()
        await scene.fill()
        scene.server.go.set()
        await trio.testing.wait_all_tasks_blocked()
        check(scene, reason, answered=1 if way == "Stop with reply" else 0)
        scene.leave.set()
    assert 0 == trio.current_time()
    assert ([reason] if way in ("KeyboardInterrupt", "SystemExit") else []) == scene.left
    assert {} == runtime().processes


@pytest.mark.parametrize("way", FROM_OUTSIDE)
async def test_fault_01_a_server_that_is_ended_answers_all_100(
    way: str, autojump_clock: Any
) -> None:
    """However a server is ended from outside, all callers learn of it when it is dead."""
    house, made, act, reason = FROM_OUTSIDE[way]
    async with trio.open_nursery() as nursery:
        scene = Scene(nursery)
        nursery.start_soon(scene.host, house, otp.child(Target, **made))
        await scene.ready.wait()
        await scene.fill()
        act(scene)
        await trio.testing.wait_all_tasks_blocked()
        if otp.KILLED is reason and not way.startswith("kill"):
            assert {} == scene.got
            await trio.sleep(2)
            await trio.testing.wait_all_tasks_blocked()
        check(scene, reason)
        scene.leave.set()
    assert trio.current_time() in (0, 2)
    assert {} == runtime().processes


async def test_fault_02_otp_stop_answers_those_before_it_and_fails_those_after_it(
    autojump_clock: Any,
) -> None:
    """stop is a message: queued calls before it are served, later and deferred ones fail."""
    async with trio.open_nursery() as nursery:
        scene = Scene(nursery)
        nursery.start_soon(scene.host, in_nursery, otp.child(Target, lambda: otp.Reply("held")))
        await scene.ready.wait()
        await scene.fill()
        nursery.start_soon(otp.stop, scene.pid)
        await trio.testing.wait_all_tasks_blocked()
        late: list[Any] = []

        async def call_late() -> None:
            try:
                await otp.call(scene.pid, "too late")
            except otp.ServerExited as exc:
                late.append(exc.reason)

        for _ in range(CALLERS):
            nursery.start_soon(call_late)
        await trio.testing.wait_all_tasks_blocked()
        scene.server.go.set()
        await trio.testing.wait_all_tasks_blocked()
        queued = CALLERS - CALLERS // 3 - 1
        check(scene, otp.NORMAL, answered=1 + queued)
        answers = [answer for answer in scene.got.values() if isinstance(answer, str)]
        assert ["held", *["served"] * queued] == sorted(answers)
        assert [otp.NORMAL] * CALLERS == late
        scene.leave.set()


@pytest.mark.parametrize("end", ["raises", "stops", "times out", "is cancelled"])
async def test_an_init_that_fails_answers_those_who_called_by_name(
    autojump_clock: Any, end: str
) -> None:
    """Calls that reach a server during its init fail with it, all of them (GN-1)."""
    gate = trio.Event()

    class Starting(otp.GenServer):
        async def init(self) -> Any:
            await gate.wait()
            if end == "raises":
                raise Bug
            return otp.Stop("stopped")

    reasons = {"raises": Bug, "stops": "stopped", "times out": otp.KILLED}
    got: list[Any] = []
    scope = trio.CancelScope()

    async def starts(nursery: trio.Nursery) -> None:
        child = otp.child(Starting).having(name="starting", timeout=5)
        with scope, pytest.raises(otp.StartError):
            await otp.start(child, nursery=nursery)

    async def calls() -> None:
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call("starting", "hello", timeout=None)
        reason = caught.value.reason
        got.append(type(reason) if isinstance(reason, Bug) else reason)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(starts, nursery)
        await trio.testing.wait_all_tasks_blocked()
        for number in range(CALLERS):
            if number % 2:
                otp.spawn(calls, nursery=nursery)
            else:
                nursery.start_soon(calls)
        await trio.testing.wait_all_tasks_blocked()
        if end == "is cancelled":
            scope.cancel()
        elif end != "times out":
            gate.set()
    assert [reasons.get(end, otp.SHUTDOWN)] * CALLERS == got


def test_the_end_of_the_run_answers_all_100() -> None:
    """A run that ends while system tasks wait for a server ends them all, and itself."""
    answers: list[Any] = []
    scenes: list[Scene] = []
    full = trio.Event()

    async def system() -> None:
        try:
            async with trio.open_nursery() as nursery:
                scene = Scene(nursery)
                scenes.append(scene)
                nursery.start_soon(scene.host, in_nursery, otp.child(Target))
                await scene.ready.wait()
                await scene.fill()
                full.set()
        finally:
            answers.append("system task ended")

    async def main() -> None:
        trio.lowlevel.spawn_system_task(system)
        await full.wait()

    trio.run(main)
    (scene,) = scenes
    assert ["system task ended"] == answers
    assert scene.process is not None
    assert scene.process.dead
    assert not scene.process.requests
    assert otp.SHUTDOWN is scene.process.exit_reason
    assert all(otp.SHUTDOWN is answer.reason for answer in scene.got.values())
