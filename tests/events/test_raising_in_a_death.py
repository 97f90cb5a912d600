"""What a listener raises while a process dies, as SystemExit, ends the program and no promise."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp
from trio_otp.testing import virtual_clock

REG = otp.registry("held")
WAYS = ["crash", "kill", "exit", "shutdown"]
DYING = ["process_exit", "name_freed", "call_stop", "crash", "dropped", "handle_error"]
BEGINNINGS: list[Any] = ["call_start", "handle_start"]
TOLD = {
    "link": "Exit",
    "monitor": "Down",
    "first put off": "ServerExited",
    "second put off": "ServerExited",
    "in hand": "ServerExited",
    "queued": "ServerExited",
}


class Boom(BaseException):
    """Is neither an error of a listener nor an order to end."""


class Victim(otp.GenServer):
    """Has two names, a timer, two calls that it has put off, one in hand and one that waits."""

    def __init__(self, event: trio.Event) -> None:
        self.event = event

    def init(self) -> None:
        REG.register("victim", None)
        otp.send_after(otp.self(), "late", 1000)

    async def handle_call(self, request: str, from_: otp.From[None]) -> otp.NoReply:
        if "put off" in request:
            return otp.NoReply()
        await self.event.wait()
        raise ValueError("crash")


class Case:
    """One death, in which the n-th event of a name raises something.

    Args:
        event: the event.
        error: the class of what its listener raises.
        way: how the process ends.
        number: which of these events.
    """

    def __init__(self, event: Any, error: type[BaseException], way: str, number: int) -> None:
        self.event, self.error, self.way, self.number = event, error, way, number
        self.seen = 0
        self.told: dict[str, str] = {}

    def listen(self, *_: object) -> None:
        self.seen += 1
        if self.seen == self.number:
            raise self.error

    async def ask(self, request: str) -> None:
        with trio.CancelScope(shield=True):
            try:
                await otp.call("victim", request, timeout=50)
            except otp.CallError as exc:
                self.told[request] = type(exc).__name__

    async def hear(self, by: Any) -> None:
        with trio.CancelScope(shield=True):
            async with otp.open_process(trap_exit=True):
                by("victim")
                with trio.move_on_after(60):
                    self.told[by.__name__] = type(await otp.receive(timeout=None)).__name__

    async def run(self) -> None:
        for begin in BEGINNINGS:  # an end is told whose start was
            otp.events.attach(begin, lambda *_: None)
        crash = trio.Event()
        victim = otp.child(Victim, crash).having(name="victim", restart="temporary", shutdown=1)
        names = otp.child(otp.Registry).having(name="held")
        async with otp.open_supervisor([names, victim]) as sup, trio.open_nursery() as nursery:
            nursery.start_soon(self.hear, otp.link)
            nursery.start_soon(self.hear, otp.monitor)
            for request in list(TOLD)[2:]:
                nursery.start_soon(self.ask, request)
                await wait_all_tasks_blocked()
            otp.send("victim", "left")
            otp.events.attach(self.event, self.listen)
            match self.way:
                case "crash":
                    crash.set()
                case "shutdown":
                    await otp.terminate_child(sup, "victim")
                case _:
                    otp.exit("victim", otp.KILL if self.way == "kill" else "bad")
            await wait_all_tasks_blocked()
            otp.events.detach(self.event, self.listen)

    def result(self) -> BaseException | None:
        """Run it; return what came out of the program."""
        try:
            trio.run(self.run, clock=virtual_clock())
        except BaseException as exc:
            return exc
        return None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("event", DYING)
def test_everybody_is_told_before_it_leaves(event: str, way: str) -> None:
    """Whichever event of a death it is; and it leaves the program bare, as Ctrl-C does."""
    number = 1
    while True:
        case = Case(event, KeyboardInterrupt, way, number)
        left = case.result()
        assert TOLD == case.told
        if case.seen < number:
            break
        assert KeyboardInterrupt is type(left)
        number += 1
    assert left is None
    assert number > 1 or (way != "crash" and event in ("crash", "handle_error"))


@pytest.mark.parametrize("error", [SystemExit, Boom])
def test_so_it_is_with_whatever_is_no_exception(error: type[BaseException]) -> None:
    case = Case("process_exit", error, "crash", 1)
    assert error is type(case.result())
    assert TOLD == case.told


def test_two_listeners_may_raise() -> None:
    """None of both is lost."""

    class Twice(Case):
        def listen(self, *_: object) -> None:
            raise self.error

    case = Twice("call_stop", Boom, "kill", 0)
    left = case.result()
    assert isinstance(left, BaseExceptionGroup)
    assert [Boom] * 4 == [type(each) for each in left.exceptions]
    assert TOLD == case.told


class Slow(otp.GenServer):
    """Does not end in order."""

    async def terminate(self, reason: object) -> None:
        await trio.sleep_forever()


@pytest.mark.parametrize("first", ["the killed", "the linked"])
def test_a_death_may_bring_about_another(first: str) -> None:
    """A kill takes along at once who is linked and about to end: everybody is told of both."""
    told: list[object] = []
    pids: dict[str, otp.Pid[Any]] = {}

    async def be_about_to_end(told_to: trio.Event) -> None:
        with suppress(otp.ProcessExited):
            async with otp.open_process() as pid:
                pids["the linked"] = pid
                otp.link(pids["the killed"])
                await otp.start_link(otp.child(Slow))
                await told_to.wait()

    async def hear() -> None:
        with trio.CancelScope(shield=True), trio.move_on_after(60):
            async with otp.open_process():
                for pid in pids.values():
                    otp.monitor(pid)
                told.extend([await otp.receive(timeout=None) for _ in pids])

    def listen(pid: otp.Pid[Any], _: object) -> None:
        if pid == pids[first]:
            raise KeyboardInterrupt

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            pids["the killed"] = otp.spawn(trio.sleep_forever, nursery=nursery)
            nursery.start_soon(be_about_to_end, end := trio.Event())
            await wait_all_tasks_blocked()
            nursery.start_soon(hear)
            await wait_all_tasks_blocked()
            end.set()
            await wait_all_tasks_blocked()
            otp.events.attach("process_exit", listen)
            otp.exit(pids["the killed"], otp.KILL)
            await trio.sleep_forever()

    with pytest.RaisesGroup(KeyboardInterrupt):  # of the nursery in which they lived
        trio.run(main, clock=virtual_clock())
    ends = {down.pid: down.reason for down in told if isinstance(down, otp.Down)}
    assert ends == dict.fromkeys(pids.values(), otp.KILLED)


async def test_a_listener_that_exits_ends_nobody_who_is_dead(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """There is no process left that could end: it is told as an error of the listener."""

    def leave(*_: object) -> None:
        otp.exit("reason of a listener")

    async with otp.open_process():
        otp.events.attach("process_exit", leave)
        pid = otp.spawn(trio.lowlevel.checkpoint)
        ref = otp.monitor(pid)
        assert otp.Down(ref, pid, otp.NORMAL) == await otp.receive()
    assert "of process_exit raised; it is detached" in caplog.text
