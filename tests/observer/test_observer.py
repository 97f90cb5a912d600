"""The observer, on streams and on a pseudo terminal, beside real trees; by the real clock."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from inside import loop_now, process_of, runtime
from observer_kit import Blocked
from supervision_kit import Reports, statuses

import trio_otp as otp
from trio_otp.observer.reading.watchdog import Watchdog
from trio_otp.observer.screen.pictures import plain
from trio_otp.observer.screen.snapshot import Row, Snapshot, take

if TYPE_CHECKING:
    from collections.abc import Iterator

FAST = 0.01  # seconds between two pictures
ESCAPES = re.compile(r"\x1b\[[?\d;]*[A-Za-z]")


class Server(otp.GenServer):
    """Waits for what it is told to wait for."""

    @otp.on_call
    async def wait(self, event: trio.Event) -> None:
        await event.wait()

    @otp.on_call
    async def ask(self, other: str, event: trio.Event) -> None:
        await Server.at(other).wait(event)


CHILDREN = [otp.child(Server).having(name="shop"), otp.child(Server).having(name="till")]


async def wait_for(shown: Any, *words: str) -> str:
    """Wait for the next picture with all of these words in one line."""
    with trio.fail_after(60):
        while True:
            picture: str = shown.getvalue()
            for line in reversed(picture.splitlines()):
                if all(word in line for word in words):
                    return line
            await trio.sleep(FAST)


async def test_it_shows_the_tree_and_a_line_for_each_process() -> None:
    """With what the process does, whom it waits for, its queue and its links."""
    shown, event = io.StringIO(), trio.Event()
    async with otp.open_supervisor(CHILDREN, name="top"), trio.open_nursery() as nursery:
        await otp.observer.start(nursery=nursery, stream=shown, interval=FAST)
        assert "├─ <Pid 2 Server 'shop'> worker, idle" == await wait_for(shown, "├─", "'shop'")
        nursery.start_soon(Server.ask, "shop", "till", event)
        for _ in range(3):
            nursery.start_soon(Server.wait, "till", event)
        line = await wait_for(shown, "'shop'", "Server", "waiting", "3 'till'")
        assert re.match(r"  2  'shop' +Server +0 +1  waiting +3 'till' +0  call ask for", line)
        await wait_for(shown, "'till'", "handling", "call wait for")
        line = await wait_for(shown, "4 processes, 3 messages waiting, 0 restarts, 0 dropped")
        event.set()
        await wait_for(shown, "4 processes, 0 messages waiting")
        await otp.start(otp.child(otp.Port, ["cat"]), nursery=nursery)
        await wait_for(shown, "Port", "os pid")
        nursery.cancel_scope.cancel()


async def test_it_shows_a_child_whose_restart_waits() -> None:
    """In the tree, with the seconds that are left, which its thread works out itself."""
    shown = io.StringIO()
    waiting = otp.child(Server).having(name="late", backoff=otp.Backoff(min_delay=90, max_delay=90))
    async with otp.open_supervisor([waiting]), trio.open_nursery() as nursery:
        await otp.observer.start(nursery=nursery, stream=shown, interval=FAST)
        otp.exit("late", otp.KILL)
        line = await wait_for(shown, "'late' worker, restarting in")
        assert 80 < float(line.split()[-2]) <= 90
        nursery.cancel_scope.cancel()


async def test_it_shows_restarts_and_ends_with_its_process() -> None:
    """What a supervisor has restarted is counted; nothing is drawn after the end."""
    shown = io.StringIO()
    children = [*CHILDREN, otp.observer.child(stream=shown, interval=FAST)]
    async with otp.open_supervisor(children) as sup:
        await wait_for(shown, "Observer", "running", "in its thread")
        otp.exit("shop", otp.KILL)
        await wait_for(shown, "'shop'", "1 restart")
        await wait_for(shown, "0 messages waiting, 1 restarts")
        notices = Reports("notice")
        assert _is_drawing()
        await otp.terminate_child(sup, "Observer")
        assert [] == notices
        assert not _is_drawing()


async def test_it_shows_since_when_the_loop_is_stuck_and_where() -> None:
    """The line that keeps the loop is in the stack, and it is shown while the loop is kept."""
    shown, seen = io.StringIO(), threading.Event()

    def look() -> None:
        while "in hold" not in shown.getvalue():
            time.sleep(0.01)
        seen.set()

    async with (
        otp.open_supervisor([otp.child(Blocked, seen).having(name="b")]),
        trio.open_nursery() as nursery,
    ):
        await otp.observer.start(nursery=nursery, stream=shown, interval=FAST)
        threading.Thread(target=look, daemon=True).start()
        assert await Blocked.hold("b")
        assert "THE LOOP HAS NOT ANSWERED FOR" in shown.getvalue()
        nursery.cancel_scope.cancel()


async def test_a_virtual_clock_and_idle_loops_do_not_notice_it(autojump_clock: Any) -> None:
    """It wakes nobody: hours pass in no time, and the loop is seen to be idle."""
    shown = io.StringIO()
    async with otp.open_supervisor(CHILDREN), trio.open_nursery() as nursery:
        await otp.observer.start(nursery=nursery, stream=shown, interval=FAST)
        began = time.monotonic()
        for _ in range(5):
            await trio.sleep(3600)
            await trio.testing.wait_all_tasks_blocked(0.02)
        assert time.monotonic() - began < 5
        assert 5 * 3600 == trio.current_time()
        nursery.cancel_scope.cancel()


class Broken(io.StringIO):
    """A stream that has gone away after some pictures."""

    def write(self, text: str) -> int:
        if len(self.getvalue()) > 1000:
            raise OSError("terminal has gone away")
        return super().write(text)


async def test_its_errors_are_logged_and_end_only_the_observer() -> None:
    """It is not restarted, and its supervisor and its siblings go on."""
    crashes = Reports("crash")
    children = [*CHILDREN, otp.observer.child(stream=Broken(), interval=0.1)]
    async with otp.open_supervisor(children, max_restarts=0) as sup:
        pid = otp.whereis("shop")
        failed = trio.Event()
        otp.events.attach("crash", lambda _: failed.set())
        await failed.wait()
        assert {"shop": "running", "till": "running"} == statuses(await otp.which_children(sup))
        assert pid is otp.whereis("shop")
    [crash] = crashes
    assert "terminal has gone away" in str(crash.reason)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"interval": 0}, "interval=0: expected a number of seconds > 0"),
    ({"interval": "1"}, "interval='1': expected a number of seconds > 0"),
    ({"stream": 7}, "stream=7: expected a text stream, or None"),
]


@pytest.mark.parametrize(("options", "text"), WRONG)
async def test_wrong_options_are_named(options: dict[str, Any], text: str) -> None:
    """The start fails; an option that does not exist is refused before."""
    async with otp.open_process():
        with pytest.raises(otp.StartError) as caught:
            await otp.observer.start(**{"stream": io.StringIO(), **options})
        assert text in str(caught.value.__cause__)
        with pytest.raises(TypeError, match="colour"):
            await otp.observer.start(colour="red")
    with pytest.raises(otp.NotAProcess):
        await otp.observer.start(stream=io.StringIO())


# -- on a terminal ---------------------------------------------------------------------------------


@contextmanager
def terminal(columns: int, lines: int) -> Iterator[tuple[Any, int]]:
    """Open a pseudo terminal of that size; give the stream into it, and where to read it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    os.set_blocking(ours, False)
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        yield stream, ours
    os.close(ours)


class Reader:
    """What has come out of a pseudo terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._data = b""

    def getvalue(self) -> str:
        """Return everything so far, without escape sequences."""
        return ESCAPES.sub("", self.raw())

    def raw(self) -> str:
        try:
            while data := os.read(self._descriptor, 65536):
                self._data += data
        except OSError:  # nothing more for now
            pass
        return self._data.decode(errors="ignore")


async def test_on_a_terminal_it_draws_over_the_last_picture() -> None:
    """In the size of the terminal, on a screen of its own that it gives back."""
    with terminal(60, 12) as (stream, descriptor):
        shown = Reader(descriptor)
        async with otp.open_supervisor(CHILDREN, name="top") as sup:
            child = otp.observer.child(stream=stream, interval=FAST).having(id="o")
            await otp.start_child(sup, child)
            await wait_for(shown, "'shop'", "idle")
            await otp.terminate_child(sup, "o")
        text = shown.raw()
    assert text.startswith("\x1b[?1049h\x1b[?25l\x1b[H")
    assert text.endswith("\x1b[?25h\x1b[?1049l")
    for picture in text.split("\x1b[H")[1:]:
        lines = ESCAPES.sub("", picture).replace("\r", "").split("\n")
        assert len(lines) <= 12
        assert all(len(line) <= 60 for line in lines)


async def test_a_terminal_that_does_not_take_it_keeps_nobody_waiting() -> None:
    """The loop goes on; at its end the thread is left behind, and named."""
    with terminal(200, 60) as (stream, descriptor):
        async with otp.open_supervisor(CHILDREN) as sup:
            child = otp.observer.child(stream=stream, interval=0.001)
            await otp.start_child(sup, child.having(id="o", shutdown=0.1))
            sits = 0
            while sits < 20:  # until the thread is stuck in its write
                await trio.sleep(FAST)
                await Server.wait("shop", _set())
                there = "in _write" in otp.process_info(_pid(sup, "o")).stack[-1]
                sits = sits + 1 if there else 0
            notices = Reports("notice")
            await otp.terminate_child(sup, "o")
            assert "is left behind; its thread sits in" in notices[0].text
            assert "in _write" in notices[0].text
        reader = Reader(descriptor)
        while any("in _write" in line for line in _stacks()):  # lets the thread go
            reader.raw()
            await trio.sleep(FAST)


def _pid(sup: otp.OpenSupervisor, child_id: str) -> Any:
    process = process_of(sup.pid)
    return next(i.pid for i in process.instance.children_info() if i.id == child_id)


def _set() -> trio.Event:
    event = trio.Event()
    event.set()
    return event


def _is_drawing() -> bool:
    """Check whether a thread is anywhere in the loop of an observer."""
    return any("screen.py in _draw_on" in line for line in _stacks())


def _stacks() -> list[str]:
    """List the frames of all threads."""
    frames = [f for top in sys._current_frames().values() for f, _ in traceback.walk_stack(top)]
    return [f"{f.f_code.co_filename} in {f.f_code.co_name}" for f in frames]


def test_nothing_is_imported_before_it_is_used() -> None:
    """Importing the library imports neither the parts of the observer nor what its page needs."""
    code = (
        "import sys, trio_otp; "
        "print([m for m in sys.modules if m in ('h11', 'wsproto') or 'observer.' in m])"
    )
    root = str(Path(otp.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert "[]\n" == done.stdout


# -- its parts -------------------------------------------------------------------------------------


async def test_a_thread_reads_while_processes_come_and_go() -> None:
    """A snapshot is taken whatever happens meanwhile, and a row is whole or missing."""
    tables, stop = runtime(), threading.Event()
    taken: list[Snapshot] = []

    def read() -> None:
        while not stop.is_set():
            taken.append(take(tables, 0.0, None))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, read)
        for _ in range(150):
            async with otp.open_supervisor(CHILDREN):
                otp.exit("shop", otp.KILL)
                await trio.lowlevel.checkpoint()
        stop.set()
    assert 10 < len(taken)
    assert {"-", "Server", "Supervisor"} >= {row.behaviour for one in taken for row in one.rows}


async def test_what_a_process_does_is_named_and_not_shown() -> None:
    """The repr of what it handles may take long."""
    tables = runtime()

    class Slow(otp.GenServer):
        async def handle_info(self, message: Any) -> None:
            await trio.sleep_forever()

    async with otp.open_process():
        pid = await otp.start_link(Slow)
        otp.send(pid, ["a message"])
        await trio.testing.wait_all_tasks_blocked()
        row = next(row for row in take(tables, 0.0, None).rows if row.pid == pid._number)
        assert row.doing.startswith("list for ")


async def test_looking_makes_no_table() -> None:
    """A thread that made one would replace what the loop has put into another one meanwhile."""
    tables = runtime()

    class Sleeper(otp.GenServer):
        hibernate_after = 0

    async with otp.open_process() as me:
        pids = [
            await otp.start(Sleeper),
            await otp.start_link(Server),
            await otp.start_link(Sleeper),
        ]
        otp.monitor(pids[2])
        await trio.testing.wait_all_tasks_blocked()
        processes = [tables.processes[pid._number] for pid in pids]
        before = [_slots(process) for process in processes]
        row = next(row for row in take(tables, 0.0, None).rows if row.pid == pids[2]._number)
        assert row.links == 1
        info = otp.process_info(pids[2])
        assert (info.links, len(info.monitored_by)) == ((me,), 1)
        for pid in pids:
            otp.process_info(pid)
        assert [_slots(process) for process in processes] == before


def _slots(process: Any) -> list[Any]:
    names = ("links", "monitors", "monitored_by", "requests", "dictionary", "timers")
    tables = [getattr(process, name) for name in names]
    return [(type(table), len(table or ())) for table in tables]


async def test_a_loop_that_is_busy_and_goes_on_is_not_stuck() -> None:
    """Only one that is found in the same step over and over is, from when that was first seen."""
    watchdog = Watchdog(runtime())
    for look in range(10):
        watchdog.look(float(look))
        assert None is watchdog.stuck(look + 0.4)
        await trio.lowlevel.checkpoint()
    watchdog.look(10.0)
    seconds, stack = watchdog.stuck(10.6) or (0.0, ())
    assert 0.6 == pytest.approx(seconds)
    assert "in test_a_loop_that_is_busy_and_goes_on_is_not_stuck" in "".join(stack)
    await trio.lowlevel.checkpoint()
    assert None is watchdog.stuck(10.7)


@pytest.mark.parametrize("seen", ["nothing", "another step"])
def test_a_loop_that_goes_on_while_it_is_looked_at_is_not_stuck(
    seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stack would be that of something else."""

    async def main() -> None:
        watchdog, now = Watchdog(runtime()), loop_now(runtime())
        assert now is not None
        other = None if seen == "nothing" else now._replace(step=(0, 0))
        watchdog.look(1.0)
        assert watchdog.stuck(2.0) is not None
        monkeypatch.setattr("trio_otp.observer.reading.watchdog.loop_now", lambda _: other)
        assert watchdog.stuck(3.0) is None

    trio.run(main)


WORD = st.text("ab c'├", max_size=70)
ROWS = st.builds(
    Row,
    pid=st.integers(1, 10**7),
    who=WORD,
    behaviour=WORD,
    queue=st.integers(0, 10**6),
    links=st.integers(0, 99),
    status=st.sampled_from(["idle", "waiting", "exiting"]),
    waits_for=WORD,
    restarts=st.integers(0, 1000),
    doing=WORD,
)
SNAPSHOTS = st.builds(
    Snapshot,
    rows=st.lists(ROWS, max_size=30).map(tuple),
    tree=st.lists(WORD, max_size=30).map(tuple),
    dropped=st.integers(0, 9),
    stuck=st.none() | st.tuples(st.floats(0, 99), st.lists(WORD, max_size=12).map(tuple)),
)


@given(snapshot=SNAPSHOTS, width=st.integers(20, 150), height=st.integers(5, 50))
def test_a_picture_fits_its_screen(snapshot: Snapshot, width: int, height: int) -> None:
    """Whatever there is to show, it has the size of the screen, and its most important lines."""
    lines = plain(snapshot, width, height)
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)
    assert f"{len(snapshot.rows)} processes"[:width] in lines[0]
    if snapshot.stuck is not None:
        assert "THE LOOP HAS NOT" in lines[1]


async def test_what_changes_too_fast_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree or a row that cannot be read while it changes is not shown, and nothing is raised."""

    def changes(*_: Any) -> Any:
        raise RuntimeError("dictionary changed size during iteration")

    monkeypatch.setattr("trio_otp.observer.screen.snapshot.drawn", changes)
    monkeypatch.setattr("trio_otp.observer.screen.snapshot._read", changes)
    async with otp.open_process():
        seen = take(runtime(), 0.0, None)
    assert () == seen.rows
    assert ("(changes too fast to be read)",) == seen.tree


async def test_a_pause_of_the_whole_program_is_no_stuck_loop() -> None:
    """Time counts from look to look: nobody looks while the program stands still."""
    watchdog = Watchdog(runtime(), patience=2.0)
    watchdog.look(10.0)
    watchdog.look(10.5)
    assert None is watchdog.held(500.0)
    watchdog.look(501.0)
    seconds, _ = watchdog.held(501.5) or (0.0, None)
    assert 3.0 == pytest.approx(seconds)
