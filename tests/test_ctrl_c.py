"""Ctrl-C between any two lines of the sync functions: it hits before or after, never halfway."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import process_of, runtime

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

LIBRARY = str(Path(otp.__file__).parent)
LINES = 1000  # more than any of these functions runs through


class Press:
    """Presses Ctrl-C before the n-th line of the library that a function runs through."""

    def __init__(self, line: int) -> None:
        self.left = line
        self.pressed = False

    def trace(self, frame: FrameType, event: str, arg: object) -> Any:
        if not frame.f_code.co_filename.startswith(LIBRARY):
            return None
        if event == "line" and not self.pressed:
            self.left -= 1
            if self.left <= 0:
                self.pressed = True
                signal.raise_signal(signal.SIGINT)
        return self.trace


class Target(otp.GenServer):
    """Keeps the calls it gets."""

    def __init__(self) -> None:
        self.kept: list[otp.From[str]] = []

    def handle_call(self, request: Any, from_: otp.From[str]) -> otp.NoReply:
        self.kept.append(from_)
        return otp.NoReply()

    def handle_cast(self, message: Any) -> None: ...

    def handle_info(self, message: Any) -> None: ...


class Stage:
    """What there is when Ctrl-C is pressed: a server with a call in hand, a timer, a monitor."""

    def __init__(self, pid: otp.Pid[Target], nursery: trio.Nursery) -> None:
        self.pid = pid
        self.nursery = nursery
        self.timer = otp.send_after(pid, "tick", 50)
        self.monitor = otp.monitor(pid)
        self.got: list[str] = []
        self.from_: otp.From[str]
        nursery.start_soon(self.ask)

    async def ask(self) -> None:
        try:
            self.got.append(await otp.call(self.pid, "keep", timeout=None))
        except otp.ServerExited:
            self.got.append("ended")

    async def ready(self) -> None:
        """Wait until the server has the call in hand."""
        await trio.testing.wait_all_tasks_blocked()
        process = process_of(self.pid)
        (self.from_,) = process.instance.kept

    async def check(self) -> None:
        """Fail if tables do not agree with each other, or if anything does not come to its end."""
        for name, process in runtime().names.items():
            assert name == process.name
        for process in runtime().processes.values():
            assert process.name is None or runtime().names[process.name] is process
            assert all(process in (peer.links or ()) for peer in process.links or ())
            for monitor in process.monitors or ():
                assert monitor.target is not None
                assert monitor in (monitor.target.monitored_by or ())
            assert not set(process.timers or ()) - {entry[2] for entry in runtime().timers._heap}
        assert runtime().timers._armed <= runtime().timers._earliest()
        otp.reply(self.from_, "answered")
        await trio.sleep(200)
        assert ["answered"] == self.got or (["ended"] == self.got and not otp.is_alive(self.pid))
        assert 0 == runtime().timers.pending()
        assert not otp.is_alive(self.pid) or await works(self.pid)


async def works(pid: otp.Pid[Target]) -> bool:
    await otp.stop(pid, timeout=5)
    return True


FUNCTIONS: dict[str, Callable[[Stage], object]] = {
    "send": lambda s: otp.send(s.pid, "x"),
    "cast": lambda s: otp.cast("server", "x"),
    "reply": lambda s: otp.reply(s.from_, "answered"),
    "send_after": lambda s: otp.send_after(s.pid, "x", 1),
    "cancel_timer": lambda s: otp.cancel_timer(s.timer),
    "register": lambda s: otp.register("new", otp.self()),
    "unregister": lambda s: otp.unregister("server"),
    "link": lambda s: otp.link(s.pid),
    "monitor": lambda s: otp.monitor(s.pid),
    "demonitor": lambda s: otp.demonitor(s.monitor, flush=True),
    "exit": lambda s: otp.exit(s.pid, otp.KILL),
    "spawn_link": lambda s: otp.spawn_link(trio.sleep, 1),
}


def pressed_at(line: int, function: Callable[[Stage], object]) -> bool:
    """Press Ctrl-C at a line of a function; tell whether it came to that."""
    press = Press(line)

    async def main() -> None:
        async with otp.open_process(trap_exit=True), trio.open_nursery() as nursery:
            child = otp.child(Target).having(name="server")
            stage = Stage(await otp.start(child), nursery)
            await stage.ready()
            with trio.CancelScope(shield=True):
                await interrupted(lambda: function(stage), press)
                await stage.check()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return press.pressed


async def interrupted(function: Callable[[], object], press: Press) -> None:
    """Run a function with Ctrl-C at a line, and take the KeyboardInterrupt where it comes out."""
    try:
        before = sys.gettrace()
        sys.settrace(press.trace)
        try:
            function()
        finally:
            sys.settrace(before)
        if press.pressed:
            await trio.lowlevel.checkpoint()  # one that was held back comes here
    except KeyboardInterrupt:
        return
    assert not press.pressed


@pytest.mark.parametrize("name", FUNCTIONS)
def test_fault_25_ctrl_c_at_every_line(name: str) -> None:
    """Wherever it hits, tables stay whole, messages and timers arrive, and callers get answers."""
    for line in range(1, LINES):
        if not pressed_at(line, FUNCTIONS[name]):
            assert line > 1
            return
    pytest.fail(f"{name} ran through more than {LINES} lines")


class Waiting(otp.GenServer):
    """Presses Ctrl-C as soon as it enters a function of its wait for the next message."""

    def __init__(self, function: str) -> None:
        self.function = function
        self.pressed = self.ended = False

    def handle_cast(self, message: Any) -> None:
        sys.settrace(self.trace)

    def trace(self, frame: FrameType, event: str, arg: object) -> None:
        back = frame.f_back
        if back is not None and (self.function, "_serve") == (
            frame.f_code.co_name,
            back.f_code.co_name,
        ):
            sys.settrace(None)
            self.pressed = True
            signal.raise_signal(signal.SIGINT)

    async def terminate(self, reason: object) -> None:
        otp.cast(otp.self(), "it does not wait any more")
        await trio.sleep(1)
        self.ended = True


@pytest.mark.parametrize("function", ["park", "wait_task_rescheduled"])
def test_fault_25_ctrl_c_where_a_server_begins_to_wait(function: str) -> None:
    """It ends as by any Ctrl-C; what is sent to it meanwhile wakes nobody who does not wait."""
    before = sys.gettrace()
    started: list[Waiting] = []

    async def main() -> None:
        async with otp.open_process():
            pid = await otp.start(otp.child(Waiting, function))
            assert process_of(pid) is not None
            started.append(process_of(pid).instance)
            otp.cast(pid, "begin")
            await trio.sleep_forever()

    try:
        with pytest.RaisesGroup(KeyboardInterrupt, allow_unwrapped=True):
            trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    finally:
        sys.settrace(before)
    assert (True, True) == (started[0].pressed, started[0].ended)


class Stopped(otp.GenServer):
    """Gets a Ctrl-C when it is told to end."""

    async def handle_cast(self, message: Any) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyboardInterrupt

    async def terminate(self, reason: object) -> None:
        await trio.lowlevel.checkpoint()


class Failing(Stopped):
    """Cannot even clean up."""

    async def terminate(self, reason: object) -> None:
        raise ValueError(reason)


@pytest.mark.parametrize("server", [Stopped, Failing])
@pytest.mark.parametrize("end", ["shutdown", "exit", "kill"])
def test_ctrl_c_wins_over_the_end_of_a_server(server: type[otp.GenServer], end: str) -> None:
    """A server that is to end anyway, or cannot clean up, passes it on all the same."""

    async def main() -> None:
        async with otp.open_supervisor([otp.child(server).having(name="s")]) as sup:
            otp.cast("s", "begin")
            await trio.testing.wait_all_tasks_blocked()
            if end == "shutdown":
                await otp.terminate_child(sup, "s")
            else:
                otp.exit("s", otp.KILL if end == "kill" else "soon")
            await trio.sleep(1)

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
