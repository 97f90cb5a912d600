"""`otp.sys`: trace, log, statistics, debug functions (SY-7 to SY-9), and other versions (SY-6)."""

from __future__ import annotations

import io
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from inside import process_of
from sys_kit import Door, Tally
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from trio_otp.sys import DebugEvent


@asynccontextmanager
async def tally(*debug: Any) -> AsyncGenerator[otp.Pid[Tally]]:
    async with otp.open_process(trap_exit=True):
        yield await otp.start_link(otp.child(Tally).having(name="tally", debug=debug))


def shown(events: tuple[DebugEvent, ...]) -> list[tuple[str, Any]]:
    return [(event.kind, event.content) for event in events]


# -- events --------------------------------------------------------------------------------------


async def test_the_log_holds_the_events_of_a_server(autojump_clock: Any) -> None:
    """SY-7: what arrived, what was answered and to whom, what went on."""
    async with tally(("log", 20)) as pid:
        otp.cast(pid, 5)
        await otp.call(pid, "total")
        await otp.call(pid, ("go on", "token"))
        await otp.call(pid, ("idle", 1))
        await trio.sleep(2)
        otp.send(pid, "plain")
        events = await otp.sys.log(pid, "get")
    assert [
        *[("in", 5), ("noreply", None)],
        *[("in", "total"), ("out", 5)],
        *[("in", ("go on", "token")), ("out", "going on"), ("continue", "token")],
        *[("in", ("idle", 1)), ("out", "set")],
        *[("in", otp.Timeout()), ("noreply", None)],
        *[("in", "plain"), ("noreply", None)],
    ] == shown(events)
    assert [isinstance(event.client, otp.From) for event in events] == [
        event.kind == "out" or event.content in ("total", ("go on", "token"), ("idle", 1))
        for event in events
    ]
    assert {pid} == {event.pid for event in events}


async def test_a_deferred_call_and_the_end_are_events() -> None:
    """A call that is answered later is `noreply`; the last event is `terminate`."""
    events: list[tuple[str, Any]] = []
    async with tally() as pid, trio.open_nursery() as nursery:
        await otp.sys.install(pid, lambda _, event: events.append((event.kind, event.content)))
        nursery.start_soon(call_until_the_end, pid)
        await wait_all_tasks_blocked()
        assert "stopping" == await otp.call(pid, ("stop", "enough"))
    assert [
        ("in", "defer"),
        ("noreply", None),
        ("in", ("stop", "enough")),
        ("terminate", "enough"),
    ] == events


async def call_until_the_end(pid: otp.Pid[Any]) -> None:
    with pytest.raises(otp.ServerExited):
        await otp.call(pid, "defer")


async def test_the_client_layer_is_seen_as_it_is_called() -> None:
    """Typed methods appear with their names and arguments."""

    class Cache(otp.GenServer):
        @otp.on_call
        async def get(self, key: str) -> str:
            return key * 2

        @otp.on_cast
        def put(self, key: str) -> None: ...

    async with otp.open_process():
        pid = await otp.start_link(otp.child(Cache).having(name="cache", debug=["log"]))
        assert "kk" == await Cache.at("cache").get("k")
        Cache.at("cache").put("x")
        events = await otp.sys.log(pid, "get")
    assert ["get('k')", "'kk'", "put('x')", "None"] == [repr(event.content) for event in events]


async def test_the_log_holds_the_events_of_a_state_machine() -> None:
    """SY-7: in, postpone, consume with the states, out, timers, zero time-outs."""
    async with otp.open_process(), trio.open_nursery() as nursery:
        door = await otp.start_link(otp.child(Door).having(debug=[("log", 20)]))
        nursery.start_soon(otp.call, door, "wait")
        await wait_all_tasks_blocked()
        otp.cast(door, 7)
        otp.cast(door, "now")
        events = await otp.sys.log(door, "get")
    assert [
        *[("in", "locked", None), ("postpone", "locked", "locked")],
        *[("in", "locked", None), ("consume", "locked", "open"), ("start_timer", "open", None)],
        *[("in", "open", None), ("out", None, None), ("consume", "open", "open")],
        *[("in", "open", None), ("consume", "open", "open"), ("insert_timeout", "open", None)],
        *[("in", "open", None), ("consume", "open", "open")],
    ] == [(event.kind, event.state, event.next_state) for event in events]
    assert (otp.Event.STATE_TIMEOUT, 10.0) == events[4].content


async def test_enter_calls_and_changes_of_class_are_events() -> None:
    """SY-7: `enter`, `module` and `terminate` of a state machine."""

    class Second(otp.GenStatem[str]):
        state_enter = True

        def handle_event(self, kind: Any, content: Any, state: str) -> Any:
            return None

    class First(otp.GenStatem[str]):
        initial = "a"
        state_enter = True

        def handle_event(self, kind: Any, content: Any, state: str) -> Any:
            if content == "go":
                return otp.NextState("b", otp.ChangeCallbacks(Second))
            return None

    kinds: list[str] = []
    async with otp.open_process():
        pid = await otp.start_link(otp.child(First))
        await otp.sys.get_state(pid)
        await otp.sys.install(pid, lambda _, event: kinds.append(event.kind))
        otp.cast(pid, "go")
        await otp.stop(pid)
    assert ["in", "module", "enter", "consume", "terminate"] == kinds


# -- where they go -------------------------------------------------------------------------------


async def test_a_trace_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """One line an event, until it is switched off."""
    async with tally() as pid:
        await otp.sys.trace(pid, True)
        otp.cast(pid, 5)
        await otp.sys.trace(pid, False)
        otp.cast(pid, 6)
    expected = "*DBG* <Pid 2 Tally 'tally'> in 5\n*DBG* <Pid 2 Tally 'tally'> noreply\n"
    assert expected == capsys.readouterr().out


async def test_a_trace_goes_to_a_stream_or_a_logger(caplog: pytest.LogCaptureFixture) -> None:
    """A text stream gets lines, a logger records of level INFO."""
    stream = io.StringIO()
    async with tally(("trace", stream)) as pid:
        otp.cast(pid, 5)
        with caplog.at_level(logging.INFO, "probe"):
            await otp.sys.trace(pid, logging.getLogger("probe"))
            otp.cast(pid, 6)
            await otp.sys.get_state(pid)
        await otp.sys.trace(pid, False)
    assert ["in 5", "noreply"] == [line.split("> ")[1] for line in stream.getvalue().splitlines()]
    found = [record.getMessage().split("> ")[1] for record in caplog.records]
    assert ["in 6", "noreply"] == found


async def test_a_stream_that_fails_ends_the_trace_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A watcher never hurts the server; law 8: it is told."""
    stream = io.StringIO()
    stream.close()
    async with tally(("trace", stream), "log") as pid:
        otp.cast(pid, 5)
        assert 5 == await otp.call(pid, "total")
        assert ("log",) == (await otp.sys.get_status(pid)).debug
        assert 4 == len(await otp.sys.log(pid, "get"))
    assert 1 == sum("could not be written" in record.getMessage() for record in caplog.records)


async def test_a_log_file_is_closed_at_the_end_of_the_process(tmp_path: Path) -> None:
    """Lines are there at once; switching it off, another file, or the end closes it."""
    one, two = tmp_path / "one", tmp_path / "two"
    async with tally() as pid:
        await otp.sys.log_to_file(pid, one)
        otp.cast(pid, 5)
        await otp.sys.get_state(pid)
        assert 2 == len(one.read_text().splitlines())
        await otp.sys.log_to_file(pid, str(two))
        otp.cast(pid, 6)
        await otp.sys.log_to_file(pid, False)
        otp.cast(pid, 7)
        await otp.sys.log_to_file(pid, one)
        assert ("log_to_file",) == (await otp.sys.get_status(pid)).debug
        otp.exit(pid, otp.KILL)
        await wait_all_tasks_blocked()
    assert 2 == len(two.read_text().splitlines())
    assert "" == one.read_text()


async def test_a_file_that_cannot_be_opened_is_the_callers_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The process goes on with what it had; at a start it is reported."""
    nowhere = tmp_path / "no" / "file"
    async with tally("log", ("log_to_file", nowhere)) as pid:
        assert "cannot be opened" in caplog.text
        await otp.sys.log_to_file(pid, tmp_path / "file")
        with pytest.raises(FileNotFoundError):
            await otp.sys.log_to_file(pid, nowhere)
        assert ("log", "log_to_file") == (await otp.sys.get_status(pid)).debug


async def test_the_log_keeps_the_last_events(capsys: pytest.CaptureFixture[str]) -> None:
    """Ten of them, or as many as one says; none when it is off."""
    async with tally() as pid:
        assert () == await otp.sys.log(pid, "get")
        await otp.sys.log(pid, True)
        for number in range(8):
            otp.cast(pid, number)
        assert [3, None, 4, None, 5, None, 6, None, 7, None] == [
            event.content for event in await otp.sys.log(pid, "get")
        ]
        await otp.sys.log(pid, 2)
        assert [7, None] == [event.content for event in await otp.sys.log(pid, "get")]
        await otp.sys.log(pid, "print")
        await otp.sys.log(pid, False)
        otp.cast(pid, 1)
        assert () == await otp.sys.log(pid, "get")
    assert 2 == len(capsys.readouterr().out.splitlines())


async def test_the_crash_report_has_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """GS-20: what was kept of the last events comes with the crash."""
    async with tally("log") as pid:
        otp.cast(pid, 5)
        with pytest.raises(otp.ServerExited):
            await otp.call(pid, "nonsense")
    [record] = caplog.records
    log = record.otp_report.log  # type: ignore[attr-defined]
    assert [("in", 5), ("noreply", None), ("in", "nonsense")] == shown(log)
    assert record.getMessage().count("\n    DebugEvent(kind='in'") == 2


async def test_statistics_count_what_comes_in_and_goes_out(autojump_clock: Any) -> None:
    """SY-8: from when they are switched on; None while they are off."""
    async with tally() as pid:
        assert await otp.sys.statistics(pid, "get") is None
        otp.cast(pid, 1)
        start = trio.current_time()
        await otp.sys.statistics(pid, True)
        otp.cast(pid, 1)
        await otp.call(pid, "total")
        await trio.sleep(3)
        found = await otp.sys.statistics(pid, "get")
        assert otp.sys.Statistics(start, start + 3, 2, 1) == found
        await otp.sys.statistics(pid, False)
        assert await otp.sys.statistics(pid, "get") is None


# -- functions -----------------------------------------------------------------------------------


async def test_a_debug_function_has_a_state_and_removes_itself() -> None:
    """SY-9: it gets its state and the event; DONE removes it."""

    def three(count: int, event: DebugEvent) -> Any:
        seen.append(event.content)
        return otp.sys.DONE if count == 3 else count + 1

    seen: list[Any] = []
    async with tally() as pid:
        await otp.sys.install(pid, three, 1)
        for number in range(5):
            otp.cast(pid, number)
        assert () == (await otp.sys.get_status(pid)).debug
    assert [0, None, 1] == seen


async def test_a_debug_function_that_raises_is_removed_and_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """SY-9: the server goes on; unlike in OTP somebody hears of it."""

    def broken(_: Any, event: DebugEvent) -> Any:
        raise ValueError("boom")

    def leaving(_: Any, event: DebugEvent) -> Any:
        otp.exit("bye")

    async with tally() as pid:
        await otp.sys.install(pid, broken)
        await otp.sys.install(pid, leaving, function_id="leaving")
        assert 0 == await otp.call(pid, "total")
        assert () == (await otp.sys.get_status(pid)).debug
    told = [record.getMessage() for record in caplog.records]
    assert [True, True] == ["is removed: ValueError('boom')" in told[0], "'bye'" in told[1]]
    assert 2 == len(told)


async def test_functions_are_removed_by_id_or_by_themselves() -> None:
    """A second one of the same id stays out; removing what is not there does no harm."""
    seen: list[str] = []
    async with tally() as pid:
        note = lambda name, _: seen.append(name) or name  # noqa: E731
        await otp.sys.install(pid, note, "one", function_id=1)
        await otp.sys.install(pid, note, "not this", function_id=1)
        await otp.sys.install(pid, note, "itself")
        otp.cast(pid, 1)
        await otp.sys.remove(pid, 1)
        otp.cast(pid, 1)
        await otp.sys.remove(pid, note)
        await otp.sys.remove(pid, "nothing")
        otp.cast(pid, 1)
        await otp.sys.get_state(pid)
    assert ["one", "itself"] * 2 + ["itself"] * 2 == seen


async def test_no_debug_switches_everything_off(tmp_path: Path) -> None:
    """And a process that nobody watches costs nothing more."""
    everything = [
        *("trace", "statistics", "log", ("log", 3), ("log_to_file", tmp_path / "file")),
        *(("install", print), ("install", print, 0), ("install", print, 0, "id")),
    ]
    async with tally(*everything) as pid:
        assert 6 == len((await otp.sys.get_status(pid)).debug)
        await otp.sys.no_debug(pid)
        assert () == (await otp.sys.get_status(pid)).debug
        process = process_of(pid)
        assert process.debug is None


@pytest.mark.parametrize(
    "wrong", ["trace", ["tracing"], [("log", 0)], [("log", True)], [("install", 5)], 5, ["log", 1]]
)
def test_debug_options_are_checked(wrong: Any) -> None:
    """SY-9: an unknown option is refused where it is given."""
    with pytest.raises(otp.SpecError, match="debug="):
        otp.child(Tally).having(debug=wrong)


async def test_a_supervisor_can_be_watched() -> None:
    """SY-10: its messages are the ends of its children and management calls."""
    async with otp.open_supervisor([otp.child(Tally).having(name="tally")], name="top"):
        await otp.sys.log("top", True)
        otp.exit("tally", otp.KILL)
        await wait_all_tasks_blocked()
        await otp.count_children("top")
        events = await otp.sys.log("top", "get")
        kinds: list[str] = []
        await otp.sys.install("top", lambda _, event: kinds.append(event.kind))
    assert ["terminate"] == kinds
    assert ["in", "in"] == [event.kind for event in events]
    assert otp.KILLED is events[0].content.reason


# -- code change ---------------------------------------------------------------------------------


class Newer(Tally):
    """A later version: keeps its total in cents."""

    async def code_change(self, old_version: Any, extra: Any) -> Any:
        await trio.lowlevel.checkpoint()
        if extra == "fail":
            raise ValueError("fail")
        if extra == "return":
            return self  # it may not
        self.total *= 100
        self.seen.append((old_version, extra))
        return None


async def test_the_code_changes_while_suspended() -> None:
    """SY-6: the class is another one, and `code_change` takes over what the old one left."""
    async with tally() as pid:
        otp.cast(pid, 2)
        with pytest.raises(otp.ProcessNotSuspended, match="is not suspended"):
            await otp.sys.change_code(pid, Newer)
        await otp.sys.suspend(pid)
        await otp.sys.change_code(pid, Newer, old_version=1, extra="more")
        await otp.sys.resume(pid)
        assert 200 == await otp.call(pid, "total")
        state = await otp.sys.get_state(pid)
        assert Newer is type(state)
        assert [2, (1, "more")] == state.seen
        assert Newer is otp.process_info(pid).behaviour


@pytest.mark.parametrize("behaviour", [Door, otp.Supervisor, int, 5])
async def test_a_class_that_cannot_take_over_is_refused(behaviour: Any) -> None:
    """SY-6: the caller learns of it, everything is as it was."""
    async with tally() as pid:
        await otp.sys.suspend(pid)
        with pytest.raises(otp.CallbackFailed):
            await otp.sys.change_code(pid, behaviour)
        with pytest.raises(otp.CallbackFailed) as caught:
            await otp.sys.change_code(pid, Newer, extra="fail")
        assert isinstance(caught.value.__cause__, ValueError)
        with pytest.raises(otp.CallbackFailed, match="changes the instance in place"):
            await otp.sys.change_code(pid, Newer, extra="return")
        assert Tally is type(await otp.sys.get_state(pid))
        assert Tally is otp.process_info(pid).behaviour


async def test_the_code_of_a_state_machine_changes_with_its_state() -> None:
    """SY-6: code_change may give another state, without an enter call."""

    class Gate(Door):
        def code_change(self, old_version: Any, extra: Any) -> Any:
            return extra

        def handle_event(self, kind: Any, content: Any, state: str) -> Any:
            return otp.KeepState(otp.Reply(f"gate {state}"))

    async with otp.open_process():
        door = await otp.start_link(otp.child(Door))
        await otp.sys.suspend(door)
        with pytest.raises(otp.CallbackFailed, match="without actions"):
            await otp.sys.change_code(door, Gate, extra=otp.NextState("x", otp.Postpone()))
        assert ("locked", Door) == tuple(map_type(await otp.sys.get_state(door)))
        await otp.sys.change_code(door, Gate, extra=otp.NextState("half open"))
        await otp.sys.resume(door)
        assert "gate half open" == await otp.call(door, "which")


async def test_the_code_of_a_supervisor_changes_its_specification() -> None:
    """SY-6: its init runs anew, also that of another class; one that fails changes nothing."""

    class One(otp.Supervisor):
        def init(self) -> Any:
            return otp.Supervisor.spec([otp.child(Tally).having(id="first")])

    class Two(otp.Supervisor):
        def init(self) -> Any:
            children = [otp.child(Tally).having(id=id) for id in ("first", "second")]
            return otp.Supervisor.spec(children, strategy="one_for_all")

    class Broken(otp.Supervisor):
        def init(self) -> Any:
            return "nonsense"

    async with otp.open_process():
        top = await otp.start_link(One)
        with pytest.raises(otp.ProcessNotSuspended):
            await otp.sys.change_code(top, Two)
        await otp.sys.suspend(top)
        with pytest.raises(otp.CallbackFailed):
            await otp.sys.change_code(top, Broken)
        assert One is type(await otp.sys.get_state(top))
        await otp.sys.change_code(top, Two)
        await otp.sys.resume(top)
        assert ["first", "second"] == [info.id for info in await otp.which_children(top)]
        assert "one_for_all" == (await otp.sys.get_status(top)).state["strategy"]


def map_type(state: tuple[Any, Any]) -> tuple[Any, Any]:
    return state[0], type(state[1])


async def test_an_event_of_a_state_machine_names_its_states() -> None:
    """The line of a trace has the state before and the one after."""
    async with otp.open_process() as me:
        event = otp.sys.DebugEvent("consume", me, "push", state="locked", next_state="open")
    assert str(event).endswith("consume 'push' in state 'locked' => 'open'")


async def test_a_trace_shows_the_end_of_a_supervisor() -> None:
    """Also of one that has given up, or is stopped."""
    stream = io.StringIO()
    traced = otp.child(otp.Supervisor, []).having(name="top", debug=[("trace", stream)])
    async with otp.open_process(trap_exit=True):
        await otp.start_link(traced)
        await otp.stop("top", otp.SHUTDOWN)
        assert "terminate SHUTDOWN" in stream.getvalue()


class Blinker(otp.GenStatem[str]):
    """Sets and ends all kinds of time-outs."""

    initial = "off"

    def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        match content:
            case "on":
                return otp.NextState("on", otp.StateTimeout(60), otp.GenericTimeout("n", 60))
            case "now":
                return otp.KeepState(otp.EventTimeout(0, "a"), otp.GenericTimeout("z", 0, "b"))
            case "off":
                return otp.NextState("off", otp.GenericTimeout.cancel("n"))
        return otp.KeepState()


async def test_a_trace_of_a_machine_shows_the_time_outs_it_sets() -> None:
    """Those of the clock, and those that are due at once; what ends is not shown."""
    stream = io.StringIO()
    async with otp.open_process():
        pid = await otp.start_link(otp.child(Blinker).having(debug=[("trace", stream)]))
        for each in ("on", "now", "off"):
            otp.cast(pid, each)
        await otp.sys.get_state(pid)
    lines = [
        line.split("> ", 1)[1].split(" in state")[0] for line in stream.getvalue().splitlines()
    ]
    assert 2 == sum(line.startswith("start_timer") for line in lines)
    assert 2 == sum(line.startswith("insert_timeout") for line in lines)
