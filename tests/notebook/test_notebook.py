"""The extension for notebooks, in a shell of IPython in this process."""

from __future__ import annotations

import contextvars
import decimal
import gc
import logging
import re
import subprocess
import sys
import threading
import warnings
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import trio
from notebook_kit import EXTENSION, Cells, new_shell

import trio_otp as otp
from trio_otp.notebook import load_ipython_extension, unload_ipython_extension

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOP_THREAD = "trio_otp notebook"
SERVERS = """
import signal, sys, threading, time
import trio
import trio_otp as otp

class Counter(otp.GenServer):
    def __init__(self, name="counter"):
        self.name, self.count = name, 0

    @otp.on_call
    async def more(self, by: int) -> int:
        if by < 0:
            raise ValueError(by)
        self.count += by
        return self.count

    @otp.on_cast
    async def crash_soon(self) -> None:
        raise ValueError("soon")

    @otp.on_call
    async def block(self, seconds: float) -> None:
        interrupt()
        time.sleep(seconds)

    async def terminate(self, reason):
        await trio.sleep(0.01)
        print(self.name, "ends:", reason)

def tree(*names):
    children = [otp.child(Counter, name).having(name=name) for name in names]
    return otp.child(otp.Supervisor, children).having(name="top")

def interrupt():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
"""


@pytest.fixture
def shell(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cells]:
    """Return a shell without the extension."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    with decimal.localcontext(), new_shell(capsys) as cells:
        yield cells


@pytest.fixture
def cells(shell: Cells) -> Cells:
    """Return a shell with the extension, and servers to start."""
    shell.run(f"%load_ext {EXTENSION}")
    shell.run(SERVERS)
    return shell


def loops() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == LOOP_THREAD]


def test_servers_live_on_between_cells(cells: Cells) -> None:
    """What one cell has started, another one calls, and it has kept its state."""
    cells.run("await otp.start_link(tree('a'))")
    cells.run("await Counter.at('a').more(2)")

    assert 5 == cells.run("await Counter.at('a').more(3)")


def test_servers_run_while_no_cell_does(cells: Cells) -> None:
    """A timer that a cell has set goes off in a process while the shell is idle."""
    cells.run("fired = threading.Event()")
    cells.run("async def fire(): fired.set()")
    cells.run("otp.apply_after(0.01, fire)")

    assert cells.shell.user_ns["fired"].wait(10)


def test_a_server_that_crashes_between_cells_is_restarted(cells: Cells) -> None:
    """A crash while no cell runs is repaired by the supervisor, and ends no cell."""
    cells.run("await otp.start_link(tree('a'))\nawait Counter.at('a').more(2)")
    cells.run("monitor = otp.monitor('a')\nCounter.at('a').crash_soon()")
    cells.run("await otp.receive(otp.Down)")

    assert 1 == cells.run("(await otp.which_children('top'))[0].restarts")
    assert 0 == cells.run("await Counter.at('a').more(0)")


def test_all_that_may_be_awaited_works_at_the_top_level(cells: Cells) -> None:
    """Cells await, and use `async with` and `async for`, on one and the same Trio run."""
    run = cells.run("await trio.sleep(0)\ntrio.lowlevel.current_trio_token()")
    cells.run("async with trio.open_nursery() as nursery:\n    nursery.start_soon(trio.sleep, 0)")
    cells.run(
        "send, receive = trio.open_memory_channel(2)\nsend.send_nowait('x')\nsend.close()\n"
        "async for item in receive:\n    print(item)"
    )

    assert "x\n" == cells.printed
    assert run is cells.run("trio.lowlevel.current_trio_token()")


def test_the_notebook_is_one_process(cells: Cells) -> None:
    """All cells are the same process, which gets messages and survives what it is linked to."""
    me = cells.run("otp.self()")
    cells.run("pid = await otp.start_link(otp.child(Counter))\notp.send(me := otp.self(), 'hello')")
    cells.run("otp.exit(pid, 'enough')")

    assert "hello" == cells.run("await otp.receive(str)")
    assert "enough" == cells.run("(await otp.receive(otp.Exit)).reason")
    assert me is cells.run("otp.self()")


def test_an_error_ends_its_cell_only(cells: Cells) -> None:
    """An error, also the end of a server or of Python, is shown in its cell; all else runs on."""
    cells.run("await otp.start_link(tree('a'))")

    assert isinstance(cells.error("1 / 0"), ZeroDivisionError)
    assert "1 / 0" in cells.printed
    assert isinstance(cells.error("await Counter.at('a').more(-1)"), otp.ServerExited)
    with pytest.warns(UserWarning, match="To exit"):
        assert isinstance(cells.error("sys.exit(1)"), SystemExit)
    assert isinstance(cells.error("await trio.sleep('x')"), TypeError)
    group = cells.error("async with trio.open_nursery() as n:\n    raise ValueError('inside')")
    assert isinstance(group, ExceptionGroup)
    assert "ValueError: inside" in cells.printed
    assert 1 == cells.run("await Counter.at('a').more(1)")


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "waiting",
    [
        "interrupt()\nawait trio.sleep_forever()",
        "interrupt()\nawait otp.receive()",
        "async with trio.open_nursery() as n:\n    n.start_soon(trio.sleep, 99)\n    interrupt()",
        "interrupt()\nwhile True: pass",
        "interrupt()\nwhile True: str(1)",
        "interrupt()\nwhile True: otp.whereis('a')",
    ],
)
def test_an_interrupt_ends_its_cell_only(cells: Cells, waiting: str) -> None:
    """An interrupted cell, whether it waits or computes, shows KeyboardInterrupt; all runs on."""
    cells.run("await otp.start_link(tree('a'))\nawait Counter.at('a').more(1)")

    assert isinstance(cells.error(waiting), KeyboardInterrupt)
    assert 1 == cells.printed.count("Traceback")
    assert "Cancelled:" not in cells.printed
    assert 2 == cells.run("await Counter.at('a').more(1)")


def test_an_interrupted_cell_cleans_up(cells: Cells) -> None:
    """The blocks of an interrupted cell are left in order before the cell is over."""
    error = cells.error(
        "async with otp.open_supervisor([otp.child(Counter)]) as sup:\n"
        "    interrupt()\n    await sup.wait()"
    )

    assert isinstance(error, KeyboardInterrupt)
    assert "counter ends: SHUTDOWN" in cells.printed


def test_a_second_interrupt_ends_the_wait_for_the_clean_up(cells: Cells) -> None:
    """A cell that shields itself holds nobody up who interrupts twice, and ends by itself."""
    cells.run("go_on, ended = trio.Event(), trio.Event()")
    error = cells.error(
        "interrupt()\n"
        "try:\n    await trio.sleep_forever()\n"
        "finally:\n    with trio.CancelScope(shield=True):\n"
        "        interrupt()\n        await go_on.wait()\n    ended.set()"
    )

    assert isinstance(error, KeyboardInterrupt)
    assert "ends in the background" in cells.printed
    cells.run("go_on.set()\nawait ended.wait()")


def test_a_server_that_blocks_the_loop_is_shown_and_not_hurt(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt that cannot get through shows what is in the way, and breaks into no server."""
    monkeypatch.setattr("trio_otp.notebook.interrupt.PATIENCE", 0.01)
    monkeypatch.setattr("trio_otp.notebook.interrupt.TELL_AFTER", 0)
    pid = cells.run("await otp.start_link(tree('a'))\notp.whereis('a')")
    error = cells.error("await Counter.at('a').block(0.2)\nawait trio.sleep_forever()")

    assert isinstance(error, KeyboardInterrupt)
    assert "keeps the loop busy" in cells.printed
    assert "time.sleep(seconds)" in cells.printed
    assert pid is cells.run("otp.whereis('a')")


def test_an_interrupt_breaks_into_nothing_of_the_library(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code of the user that the library calls runs to its end before the cell is interrupted."""
    monkeypatch.setattr("trio_otp.notebook.interrupt.PATIENCE", 0.01)
    error = cells.error(
        "done = []\n"
        "def slow(message):\n"
        "    interrupt()\n    until = time.monotonic() + 0.2\n"
        "    while time.monotonic() < until: pass\n"
        "    done.append(message)\n    return True\n"
        "otp.send(otp.self(), 'hello')\nawait otp.receive(slow)\nawait trio.sleep_forever()"
    )

    assert isinstance(error, KeyboardInterrupt)
    assert ["hello"] == cells.run("done")


def test_a_block_left_open_is_an_error(cells: Cells) -> None:
    """A cell that enters a block and does not leave it is told what to write instead."""
    cells.run("await otp.start_link(tree('a'))")
    error = cells.error(
        "manager = trio.open_nursery()\nnursery = await manager.__aenter__()\n"
        "nursery.start_soon(trio.sleep_forever)"
    )

    assert "otp.start_link" in str(error)
    assert 1 == cells.run("await Counter.at('a').more(1)")


def test_a_name_needs_no_quotes(cells: Cells) -> None:
    """It may have spaces; a variable that leads to a process goes before it, no other does."""
    cells.run("pid = await otp.start_link(tree('a', 'a b'))\nclient = Counter.at('a b')\nb = 1")
    cells.run("await otp.start_link(otp.child(Counter).having(name='b'))")
    shown = {}
    for text in ("a", "a b", "pid", "client", "b", "'a'", "otp.self()", "Counter.at('b')"):
        cells.run(f"%otp_tree {text}")
        shown[text] = cells.printed.split("\n")[0]
    names = {text: line.split("'")[1] if "'" in line else line for text, line in shown.items()}
    assert {"a": "a", "a b": "a b", "client": "a b", "b": "b", "'a'": "a", "pid": "top"} == {
        text: name for text, name in names.items() if not text.endswith(")")
    }
    assert ("<Pid 1 notebook> process, running", "b") == (
        names["otp.self()"],
        names["Counter.at('b')"],
    )
    for text in ("nothing", "no thing", "("):
        assert repr(text) in str(cells.error(f"%otp_tree {text}"))


def test_a_name_completes(cells: Cells) -> None:
    """So do options, and variables that lead to a process."""
    cells.run("atoll = await otp.start_link(tree('a cat', 'a dog', 'bat'))")

    def complete(line: str) -> list[str]:
        with warnings.catch_warnings():  # of IPython's: its new interface adds Python's words
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            found: list[str] = cells.shell.complete(
                line.rsplit(" ", maxsplit=1)[-1], line, len(line)
            )[1]
        return found

    assert ["a cat", "a dog", "atoll"] == complete("%otp_tree a")
    assert ["dog"] == complete("%otp_trace --stop a d")
    assert ["--stop", "--watch"] == complete("%otp_tree --")
    assert ["--stop", "--watch"] == complete("%otp_top -")
    assert ["--stop", "a cat", "a dog", "atoll", "bat", "top"] == complete("%otp_trace ")
    cells.run(f"%unload_ext {EXTENSION}")
    assert "a cat" not in complete("%otp_tree a")
    # IPython collects garbage at the end of each shell, and would look through what Jedi keeps.
    gc.freeze()


def test_those_with_the_most_to_do_come_first(cells: Cells) -> None:
    """`%otp_top` is a table of processes: long queues, then those with the most new messages."""
    cells.run("top = await otp.start_link(tree('a', 'b'))\nfor _ in 'xy': otp.send(otp.self(), _)")
    cells.run("for _ in range(3): await Counter.at('b').more(1)")
    cells.run("%otp_top 2")
    lines = [line.split() for line in cells.printed.splitlines()]
    assert [
        ["pid", "name", "behaviour", "status", "queue", "handled", "doing"],
        ["1", "notebook", "running", "2", "0"],
        ["4", "'b'", "Counter", "idle", "0", "3"],
        ["…", "2", "more"],
    ] == lines
    cells.run("await Counter.at('a').more(1)\n%otp_top")
    assert ["1", "3", "2", "4"] == [line.split()[0] for line in cells.printed.splitlines()[1:]]
    assert "how many" in str(cells.error("%otp_top a"))


def test_the_busiest_say_what_they_do(cells: Cells) -> None:
    """The message in hand and since when, and whom they wait for."""
    cells.run(
        "class Relay(otp.GenServer):\n"
        "    @otp.on_call\n"
        "    async def ask(self) -> None: await otp.call('deaf', 1)"
    )
    cells.run("await otp.start_link(otp.child(otp.Agent, lambda: 0).having(name='deaf'))")
    cells.run("await otp.sys.suspend('deaf')")
    cells.run("await otp.start_link(otp.child(Relay).having(name='relay'))")
    cells.run(
        "async with trio.open_nursery() as nursery:\n"
        "    nursery.start_soon(Relay.at('relay').ask)\n"
        "    await trio.testing.wait_all_tasks_blocked()\n"
        "    %otp_top\n"
        "    nursery.cancel_scope.cancel()"
    )
    [line] = [line for line in cells.printed.splitlines() if "Relay" in line]
    assert re.search(r"call ask\(\), for \S+ s, waits for <Pid 2 .* 'deaf'>$", line), line


def test_a_trace_is_printed_below_the_cell(cells: Cells) -> None:
    """What a process gets and answers, until `--stop`, of one or of all."""
    cells.run("await otp.start_link(tree('a', 'b'))")
    cells.run("%otp_trace a\n%otp_trace b")
    cells.run("_ = await Counter.at('a').more(7)")
    events = [line.partition("'a'> ")[2] for line in cells.printed.splitlines()]
    assert ["in more(7) from", "out 7 to"] == [event.partition(" <")[0] for event in events]
    cells.run("%otp_trace --stop a\n_ = await Counter.at('a').more(1)")
    assert "" == cells.printed
    cells.run("%otp_trace --stop\n_ = await Counter.at('b').more(1)")
    assert "" == cells.printed
    assert isinstance(cells.error("%otp_trace nobody"), otp.NoProcess)
    assert isinstance(cells.error("%otp_trace otp.self()"), otp.WrongServer)
    assert "expected a name" in str(cells.error("%otp_trace"))
    assert "--stop, or a name" in str(cells.error("%otp_trace --off a"))


class Publisher:
    """Takes what a shell shows, in place of a notebook."""

    def __init__(self) -> None:
        self.shown: list[tuple[dict[str, str], str, bool]] = []
        self.came = threading.Condition()

    def publish(
        self, data: Any, metadata: Any, *, transient: Any = None, update: bool = False
    ) -> None:
        with self.came:
            self.shown.append((data, transient["display_id"], update))
            self.came.notify_all()

    def wait_for(self, text: str) -> bool:
        with self.came:
            return self.came.wait_for(lambda: text in self.shown[-1][0]["text/plain"], 20)


@pytest.fixture
def publisher(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    """Let the shell be that of a kernel."""
    found = Publisher()
    monkeypatch.setattr(cells.shell, "kernel", object(), raising=False)
    monkeypatch.setattr(cells.shell.display_pub, "publish", found.publish)
    monkeypatch.setattr("trio_otp.notebook.watch.INTERVAL", 0.001)
    return found


def watchers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "trio_otp watch"]


def test_a_tree_is_watched(cells: Cells, publisher: Publisher) -> None:
    """One output changes as the tree does, whatever time it is, and no cell has to run."""
    cells.run("%otp_time virtual\ntop = tree('a')\nawait otp.start_link(top)")
    cells.run("%otp_tree --watch top")  # the name, which the variable does not hide
    cells.run("await otp.terminate_child('top', 'a')\nbegan = trio.current_time()")
    assert publisher.wait_for("undefined")
    cells.run("await otp.restart_child('top', 'a')\nawait trio.sleep(3600)")
    assert publisher.wait_for("'a'> worker, idle")
    assert 3600 == cells.run("round(trio.current_time() - began)")
    cells.run("await otp.stop('top')")
    assert publisher.wait_for("no process behind 'top'")
    cells.run("await otp.start_link(tree('b'))")
    assert publisher.wait_for("'b'> worker, idle")
    _, first, _ = publisher.shown[0]
    assert {(first, True)} == {(name, update) for _, name, update in publisher.shown[1:]}
    assert "image/svg+xml" in publisher.shown[-1][0]
    assert len(publisher.shown) == 1 + len(
        [1 for one, other in pairwise(publisher.shown) if one[0] != other[0]]
    )


def test_a_watch_ends(cells: Cells, publisher: Publisher) -> None:
    """By `--stop`, by another watch, and with the extension; wrong names are errors of the cell."""
    assert isinstance(cells.error("%otp_tree --watch nobody"), otp.NoProcess)
    assert "'nobody'" in str(cells.error("%otp_tree nobody --watch"))
    assert "expected --watch or --stop" in str(cells.error("%otp_tree --watc a"))
    assert [] == publisher.shown
    cells.run("%otp_tree --watch")
    cells.run("%otp_tree --watch")
    cells.run("%otp_top --watch 5")
    assert 3 == len({name for _, name, _ in publisher.shown})
    [tree, top] = watchers()[-2:]
    cells.run("%otp_top --stop")
    top.join(10)
    assert [tree] == watchers()
    cells.run("%otp_tree --stop")
    tree.join(10)
    assert [] == watchers()
    cells.run("%otp_tree --watch")
    [tree] = watchers()
    cells.run(f"%unload_ext {EXTENSION}")
    tree.join(10)
    assert [] == watchers()


def test_a_shell_that_shows_no_more_ends_a_watch(
    cells: Cells, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its error is told, and the run is not hurt."""
    cells.run("%otp_tree --watch")
    [watcher] = watchers()

    def broken(*_: object, **__: object) -> None:
        raise OSError("no frontend")

    monkeypatch.setattr(cells.shell.display_pub, "publish", broken)
    cells.run("await otp.start_link(tree('a'))")
    watcher.join(10)
    cells.run("None")
    assert not watcher.is_alive()
    assert 1 == cells.run("await Counter.at('a').more(1)")


def test_a_terminal_cannot_watch(cells: Cells) -> None:
    """It is told what draws there, which works as it stands."""
    told = str(cells.error("%otp_tree --watch"))
    line = told.split("`")[1]
    assert "otp.observer" in line
    cells.run(f"pid = {line}")
    cells.run("await otp.stop(pid)")


def test_the_tree_is_shown(cells: Cells) -> None:
    """`%otp_tree` shows all processes, or those under a reference; a wrong one is an error."""
    cells.run("pid = await otp.start_link(tree('a', 'b'))")
    cells.run("%otp_tree")
    whole = cells.printed
    cells.run("%otp_tree pid")
    part = cells.printed

    assert cells.run("otp.tree()") + "\n" == whole
    assert cells.run("otp.tree('top')") + "\n" == part
    assert isinstance(cells.error("%otp_tree 'nobody'"), otp.NoProcess)


def test_a_name_that_nobody_has_brings_names_and_variables_to_mind(cells: Cells) -> None:
    """A variable that leads to a process is written without quotes."""
    cells.run("basket = await otp.start_link(otp.child(otp.Agent, dict)); number = 1")
    cells.run("await otp.start_link(otp.child(otp.Agent, dict).having(name='till'))")

    assert "did you mean basket?" in str(cells.error("await otp.call('basket', 1)"))
    assert "did you mean 'till'?" in str(cells.error("%otp_tree 'tills'"))
    assert "did you mean" not in str(cells.error("await otp.call('number', 1)"))


def test_virtual_time_jumps_while_a_cell_waits(cells: Cells) -> None:
    """In virtual time a cell that waits takes no time, and the timers due meanwhile go off."""
    cells.run("%otp_time virtual")
    cells.run("otp.send_after(otp.self(), 'tick', 1800)\nbegan = trio.current_time()")
    cells.run("await trio.sleep(3600)")

    assert "tick" == cells.run("await otp.receive()")
    assert 3600 == cells.run("round(trio.current_time() - began, 3)")


def test_virtual_time_stands_still_between_cells(cells: Cells) -> None:
    """Between cells no virtual time passes, so a timer does not spin."""
    cells.run("%otp_time virtual\notp.send_interval(otp.self(), 'tick', 0.1)")
    token = cells.run("trio.lowlevel.current_trio_token()")
    began = cells.run("trio.current_time()")
    for _ in range(100):  # turns of the loop
        trio.from_thread.run_sync(int, trio_token=token)

    assert began == cells.run("trio.current_time()")


def test_virtual_time_goes_on_to_the_end(cells: Cells) -> None:
    """What waits while it is stopped takes no time, and holds nobody up."""
    cells.run("%otp_time virtual\nawait otp.start_link(tree('a'))")
    unload_ipython_extension(cells.shell)  # as the end of Python does, outside of cells
    cells.shell.extension_manager.loaded.clear()

    assert "a ends: SHUTDOWN\n" == cells.take_printed()
    assert [] == loops()


def test_real_time_goes_on_after_virtual_time(cells: Cells) -> None:
    """`%otp_time real` goes on from the time that was reached; another word is refused."""
    cells.run("%otp_time virtual\nawait trio.sleep(3600)\n%otp_time real\nawait trio.sleep(0.01)")

    assert 3600 < cells.run("trio.current_time()")
    cells.run("%otp_time")
    assert cells.printed.startswith("real time, 36")
    assert "real, virtual" in str(cells.error("%otp_time fast"))


def test_unloading_stops_everything_in_order(cells: Cells) -> None:
    """The newest child ends first, within the cell that unloads, and the loop is gone."""
    cells.run("await otp.start_link(tree('a', 'b'))")
    cells.run(f"%unload_ext {EXTENSION}")

    assert "b ends: SHUTDOWN\na ends: SHUTDOWN\n" == cells.printed
    assert [] == loops()
    assert 2 == cells.run("1 + 1")
    assert isinstance(cells.error("otp.self()"), otp.NotInRun)


def test_a_shell_gets_everything_back(shell: Cells) -> None:
    """After the extension is unloaded the shell runs cells as before."""

    def state() -> list[Any]:
        ip = shell.shell
        return [ip.trio_runner, ip.loop_runner, ip.autoawait, ip.custom_exceptions]

    before = state()
    magics = set(shell.shell.magics_manager.magics["line"])
    shell.run(f"%load_ext {EXTENSION}")
    assert before != state()
    shell.run(f"%unload_ext {EXTENSION}")

    assert before == state()
    assert magics == set(shell.shell.magics_manager.magics["line"])


def test_reloading_begins_anew(cells: Cells) -> None:
    """`%reload_ext` stops everything; cells then run in a new Trio run."""
    cells.run("await otp.start_link(tree('a'))")
    cells.run(f"%reload_ext {EXTENSION}")

    assert "a ends: SHUTDOWN\n" == cells.printed
    assert cells.run("otp.whereis('a')") is None
    assert 1 == len(loops())


def test_loading_twice_is_an_error(cells: Cells) -> None:
    """A second load changes nothing and says how to begin anew."""
    with pytest.raises(RuntimeError, match=r"%reload_ext trio_otp\.notebook"):
        load_ipython_extension(cells.shell)
    cells.run(f"%load_ext {EXTENSION}")  # IPython itself notices this one

    assert "already loaded" in cells.printed
    assert 1 == len(loops())


def test_outside_of_a_shell_it_is_an_error(shell: Cells) -> None:
    """What is no shell of IPython, or has not loaded the extension, is refused by name."""
    for nothing in (None, object()):
        with pytest.raises(TypeError, match="in ipython, write %load_ext"):
            load_ipython_extension(nothing)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="is not one"):
            unload_ipython_extension(nothing)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="is not loaded"):
        unload_ipython_extension(shell.shell)


CRASHES = """
class Shop(otp.GenServer):
    @otp.on_call
    def sell(self, tea: str) -> int:
        raise LookupError(tea, "is\\nout of stock")

    def init(self):
        if self.closed:
            raise RuntimeError("closed")

    closed = False
"""


def test_a_crash_is_one_line(cells: Cells) -> None:
    """The line says who, why and where; the whole report is there for who asks, by its number."""
    cells.run(CRASHES)
    cells.run("child = otp.child(Shop).having(name='shop')")
    cells.run("await otp.start_link(otp.child(otp.Supervisor, [child]))")
    pid = cells.run("otp.whereis('shop')")
    error = cells.error("await Shop.at('shop').sell('mint')")
    assert isinstance(error, otp.ServerExited)
    [line] = [line for line in cells.printed.splitlines() if " terminated: " in line]
    place = "Cell In[1], line 4"  # the shell counts no cells here
    assert f"{pid!r} terminated: {error.reason!r} ({place}; %otp_crashes 1)" == line
    assert "child" not in cells.printed

    cells.run("try: await Shop.at('shop').sell('rooibos')\nexcept otp.ServerExited: pass")
    assert 1 == cells.printed.count("\n")
    assert cells.printed.endswith("%otp_crashes 2)\n")
    cells.run("%otp_crashes")
    lines = cells.printed.splitlines()
    assert ["1  ", "2  ", ""] == [line[:3] for line in lines[:3]]
    assert "Last message: call sell('rooibos')" in cells.printed
    cells.run("%otp_crashes 1")
    assert "Last message: call sell('mint')" in cells.printed
    assert "Traceback (most recent call last)" in cells.printed
    assert cells.printed.splitlines()[:4] == [
        "Your code, innermost first:",
        f"  {place.replace(', line ', ':')} in sell",
        r"""    raise LookupError(tea, "is\nout of stock")""",
        "",
    ]
    assert f'File "{place.partition(",")[0]}", line 4, in sell' in cells.printed


def test_the_error_of_a_cell_has_the_frames_of_the_user_alone(cells: Cells) -> None:
    """Neither those of Trio and the library, nor a crash that has its own line; `%tb` has all."""
    cells.run(CRASHES)
    cells.run("pid = await otp.start_link(Shop)")
    error = cells.error("await Shop.at(pid).sell('mint')")
    [frame] = [line for line in cells.printed.splitlines() if line.startswith(("File", "Cell"))]
    assert "trio" not in frame
    assert "raise LookupError" not in cells.printed
    assert isinstance(error.__cause__, LookupError)
    cells.run("async def ask():\n    await otp.call('nobody', 1)")
    cells.error("await ask()")
    assert cells.printed.count("await ask()") == cells.printed.count("otp.call('nobody', 1)") == 1
    assert "call_errors" not in cells.printed
    cells.error("otp.call()")
    assert "TypeError" in cells.printed


def test_crashes_at_the_same_time_are_a_line_each(cells: Cells) -> None:
    """What supervisors say of crashes that have been shown is left out, in whatever order."""
    cells.run("class E(otp.GenServer):\n  def handle_cast(self, message): 1 / message")
    cells.run("children = [otp.child(E).having(name=name) for name in 'abc']")
    cells.run("await otp.start_link(otp.child(otp.Supervisor, children))")
    cells.run(
        "for name in 'abc':\n  otp.monitor(name)\n"
        "for name in 'abc':\n  otp.cast(name, 0)\n"
        "for name in 'abc':\n  await otp.receive(otp.Down)\n"
        "await trio.testing.wait_all_tasks_blocked()"
    )

    assert 3 == cells.printed.count("\n") == cells.printed.count("terminated: ZeroDivisionError")


def test_a_failed_start_and_the_end_of_a_supervisor_are_lines_too(cells: Cells) -> None:
    """Whatever is bad and long is a line; a notice, which is short, is shown as it is."""
    cells.run(CRASHES)
    cells.run("top = await otp.start_link(otp.child(otp.Supervisor, [Shop], max_restarts=0))")
    cells.run("[shop] = await otp.which_children(top)")
    cells.run("try: await Shop.at(shop.pid).sell('x')\nexcept otp.ServerExited: pass")
    cells.run("await otp.receive(otp.Exit)")
    assert isinstance(cells.error("%otp_crashes 3"), ValueError)
    cells.run("%otp_crashes 2")
    assert "gives up" in cells.printed

    cells.run("Shop.closed = True\ntop = otp.child(otp.Supervisor, [Shop])")
    cells.error("await otp.start_link(top)")
    assert "did not start: RuntimeError('closed') (Cell In[" in cells.printed
    cells.run("Shop.closed = False\npid = await otp.start_link(Shop)")
    cells.run("otp.send(pid, 'what?')\nawait otp.sys.get_state(pid)\nNone")
    assert "what?" in cells.printed
    assert "%otp_crashes" not in cells.printed


def test_reports_that_are_not_there(cells: Cells) -> None:
    """What is asked for and is not there is told, with what is."""
    cells.run("%otp_crashes")
    assert "no crash yet\n" == cells.printed
    assert "there is no crash yet" in str(cells.error("%otp_crashes 1"))
    cells.run("class E(otp.GenServer):\n  def handle_cast(self, message): 1 / message")
    cells.run(
        "for _ in range(101):\n"
        "    otp.monitor(pid := await otp.start_link(E))\n"
        "    otp.cast(pid, 0)\n"
        "    await otp.receive(otp.Down)"
    )
    assert "from 2 to 101" in str(cells.error("%otp_crashes 1"))
    assert "from 2 to 101" in str(cells.error("%otp_crashes 102"))
    assert "the number of a crash" in str(cells.error("%otp_crashes last"))


def test_a_handler_that_shows_crashes_is_left_to_do_it(cells: Cells) -> None:
    """Who has configured `logging` sees what they asked for, once, and the report is kept."""
    cells.run(CRASHES + "\nimport logging\nhandler = logging.StreamHandler(sys.stderr)")
    cells.run("logging.getLogger().addHandler(handler)")
    try:
        cells.run("pid = await otp.start_link(Shop)")
        cells.run("try: await Shop.at(pid).sell('x')\nexcept otp.ServerExited: pass")
        shown = cells.printed
    finally:
        cells.run("logging.getLogger().removeHandler(handler)\nNone")

    assert 1 == shown.count(" terminated: ")
    assert "Traceback" in shown
    cells.run("%otp_crashes")
    assert "Last message: call sell('x')" in cells.printed


def test_after_the_extension_crashes_are_logged_as_before(cells: Cells) -> None:
    """Unloading takes the handler away, and loading anew puts one there, not two."""
    before = list(logging.getLogger("trio_otp").handlers)
    cells.run(f"%reload_ext {EXTENSION}")
    assert len(before) == len(logging.getLogger("trio_otp").handlers)
    cells.run(f"%unload_ext {EXTENSION}")

    assert len(before) - 1 == len(logging.getLogger("trio_otp").handlers)


VARIABLE = "import contextvars, decimal\nV = contextvars.ContextVar('V', default='lost')"


@pytest.mark.sampled(2)
@pytest.mark.parametrize("ending", ["", "\n1 / 0", "\ninterrupt()\nawait trio.sleep_forever()"])
@pytest.mark.parametrize("way", ["", "await trio.sleep(0)\n"])
def test_what_a_cell_sets_the_next_one_finds(cells: Cells, way: str, ending: str) -> None:
    """Context variables last, however a cell ends, and whether it awaits or not."""
    cells.run(VARIABLE)
    source = f"{way}V.set('kept')\ndecimal.getcontext().prec = 5{ending}"
    cells.error(source) if ending else cells.run(source)

    for again in ("", "await trio.sleep(0)\n"):
        assert ("kept", "0.33333") == cells.run(f"{again}V.get(), str(decimal.Decimal(1) / 3)")


def test_a_token_of_one_cell_fits_in_another(cells: Cells) -> None:
    """A variable that one cell sets is reset by another, as in one program."""
    cells.run(VARIABLE)
    cells.run("token = V.set('first')")
    cells.run("await trio.sleep(0)\nother = V.set('second')")
    cells.run("V.reset(other)\nassert V.get() == 'first'")
    cells.run("await trio.sleep(0)\nV.reset(token)")

    assert "lost" == cells.run("V.get()")
    cells.run("with decimal.localcontext(prec=3):\n    await trio.sleep(0)")
    assert 28 == cells.run("decimal.getcontext().prec")


def test_what_goes_on_in_the_background_has_variables_of_its_own(cells: Cells) -> None:
    """A task gets what its cell has set, keeps it, and changes nothing for the cells."""
    cells.run(VARIABLE)
    cells.run(
        "async def watch():\n"
        "    seen.append(V.get())\n"
        "    V.set('of the task')\n"
        "    await trio.sleep(0)\n"
        "    seen.append(V.get())\n"
        "seen = []"
    )
    cells.run(
        "V.set('first')\n"
        "async with trio.open_nursery() as nursery:\n"
        "    nursery.start_soon(watch)\n"
        "    await trio.sleep(0)\n"
        "    V.set('second')"
    )

    assert ("second", ["first", "of the task"]) == cells.run("V.get(), seen")


def test_a_cell_finds_what_the_shell_has_set(cells: Cells) -> None:
    """What a hook of the shell sets in the main thread, each time anew, is there in the cell."""
    cells.run(VARIABLE)
    variable, numbers = cells.shell.user_ns["V"], iter(range(10))
    cells.shell.events.register("pre_execute", lambda: variable.set(next(numbers)))

    assert [0, 1] == [cells.run("V.get()"), cells.run("await trio.sleep(0)\nV.get()")]


def test_a_cell_finds_what_was_set_around_the_shell(cells: Cells) -> None:
    """As Jupyter does, in the main thread, to tell to which cell an output belongs."""
    cells.run(VARIABLE)
    variable = cells.shell.user_ns["V"]
    for value in ("first", "second"):
        variable.set(value)
        assert value == cells.run("await trio.sleep(0)\nV.get()")


def test_the_shell_gets_what_cells_have_set(cells: Cells) -> None:
    """After the extension is unloaded or loaded anew, cells find what those before have set."""
    before = dict(contextvars.copy_context())
    cells.run(VARIABLE)
    cells.run("V.set('kept')")
    variable = cells.shell.user_ns["V"]
    cells.run(f"%reload_ext {EXTENSION}")
    assert "kept" == cells.run("V.get()")
    cells.run("V.set('again')")
    cells.run(f"%unload_ext {EXTENSION}")

    assert "again" == cells.run("V.get()")
    after = dict(contextvars.copy_context())
    assert {variable} == {each for each in after if after[each] is not before.get(each)}


def test_a_killed_notebook_gets_a_new_process(cells: Cells) -> None:
    """The end of the notebook's own process is reported; cells run on in a new one."""
    old = cells.run("await otp.start_link(tree('a'))\notp.self()")
    error = cells.error("otp.exit(otp.self(), otp.KILL)")
    new = cells.run("otp.self()")

    assert "KILLED" in repr(error)
    assert old != new
    assert cells.run("otp.whereis('a')") is None


def test_a_crashed_loop_gives_the_shell_back(cells: Cells) -> None:
    """If the Trio run itself crashes, the cell says so, and the extension can be loaded anew."""
    cells.run("async def crash():\n    raise ValueError('in the loop')")
    cells.error("trio.lowlevel.spawn_system_task(crash)\nawait trio.sleep_forever()")
    shown = cells.printed
    for thread in loops():
        thread.join(10)
    cells.shell.run_cell("'the last cell that may still be given to the loop'")

    assert "%reload_ext trio_otp.notebook" in shown + cells.take_printed()
    assert 2 == cells.run("1 + 1")
    cells.run(f"%reload_ext {EXTENSION}")
    assert cells.run("await trio.sleep(0)\notp.self()") is not None


def test_a_cell_may_run_a_cell(cells: Cells) -> None:
    """`%%capture` works, but for `await`, which is refused before anything is run."""
    cells.run("%%capture out\nprint('inside')")
    assert "inside\n" == cells.run("out.stdout")
    cells.run("%%capture out\nprint('never')\nawait trio.sleep(0)")
    assert "cannot await" in cells.run("out.stdout")
    assert "never\n" not in cells.run("out.stdout")


def test_the_end_of_python_stops_everything_in_order(tmp_path: Path) -> None:
    """A program that ends with the extension loaded stops its tree, the newest child first."""
    program = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        f"shell.run_cell('%load_ext {EXTENSION}')\n"
        f"shell.run_cell({SERVERS!r})\n"
        "shell.run_cell(\"top = await otp.start_link(tree('a', 'b'))\")\n"
        "print('the end')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"IPYTHONDIR": str(tmp_path), "HOME": str(tmp_path)},
    )

    assert "the end\nb ends: SHUTDOWN\na ends: SHUTDOWN\n" == ran.stdout
    assert "" == ran.stderr


def test_it_imports_nothing_before_it_is_loaded() -> None:
    """Importing the module brings neither IPython nor threads nor the clocks of Trio's tests."""
    program = (
        "import sys, trio_otp.notebook\n"
        "print([m for m in ('IPython', 'trio.testing', 'trio_otp.notebook.notebook')"
        " if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert "[]\n" == ran.stdout
