"""Ports: real programs as children, and their end in every state."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.lowlevel
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inside import Lines, port_output
from paths import ROOT, SUPPORT
from port_kit import CLEANS_UP, FORKS, FREEZES, IGNORES, OBEYS, open_line, port, python
from supervision_kit import Reports, kill, leftovers, statuses

import trio_otp as otp

if TYPE_CHECKING:
    from pathlib import Path

TRUE, FALSE = ["true"], ["false"]


async def reason_of(child: otp.Child[otp.Port]) -> object:
    """Run a program and give the exit reason of its port."""
    async with otp.open_process():
        _, _ = await otp.start_monitor(child)
        return (await otp.receive(otp.Down)).reason


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("", otp.NORMAL),
        ("raise SystemExit(3)", otp.ExitStatus(3)),
        ("print('a'); print('b'); raise SystemExit(3)", otp.ExitStatus(3, ("a", "b"))),
        ("import os; os.kill(os.getpid(), 9)", otp.ExitStatus(-9)),
        ("import os; os.kill(os.getpid(), 40)", otp.ExitStatus(-40)),
    ],
)
async def test_its_exit_status_is_its_reason(code: str, expected: object) -> None:
    """0 is NORMAL, another is an ExitStatus with the last lines of its output."""
    assert expected == await reason_of(otp.child(otp.Port, python(code)))


async def test_what_is_none_of_its_methods_ends_no_program() -> None:
    """An unknown call is its caller's error, and what else nobody expects is logged."""
    async with otp.open_process():
        pid = await otp.start_link(otp.child(otp.Port, ["cat"]))
        with pytest.raises(TypeError, match="Port does not take the call 'nonsense'"):
            await otp.call(pid, "nonsense")
        otp.cast(pid, "nonsense")
        otp.send(pid, "nonsense")
        await otp.Port.command(pid, "still there\n")
        await otp.stop(pid)


def test_an_exit_status_tells_the_signal() -> None:
    """The signal has its name, if it has one."""
    assert None is otp.ExitStatus(3).signal
    assert signal.SIGKILL is otp.ExitStatus(-9).signal
    assert 40 == otp.ExitStatus(-40).signal


async def test_an_exit_status_shows_the_last_lines_only() -> None:
    """However much a program has written, and however long its lines are."""
    code = (
        "print('x' * 999); [print(n) for n in range(1000)]; print('y' * 999); raise SystemExit(1)"
    )
    reason = await reason_of(otp.child(otp.Port, python(code), stdout="log"))
    assert otp.ExitStatus(1, (*(str(n) for n in range(991, 1000)), "y" * 200)) == reason


@pytest.mark.parametrize(
    ("restart", "program", "runs"),
    [
        ("permanent", TRUE, 4),
        ("permanent", FALSE, 4),
        ("transient", TRUE, 1),
        ("transient", FALSE, 4),
        ("temporary", FALSE, 1),
    ],
)
async def test_it_is_restarted_by_its_rule(restart: Any, program: list[str], runs: int) -> None:
    """Status 0 is a normal end and another a failure, so the restart types apply."""
    progress = Reports("progress")
    child = otp.child(otp.Port, program).having(restart=restart, significant=restart != "permanent")
    with suppress(otp.SupervisorExited):
        async with otp.open_supervisor([child], auto_shutdown="any_significant") as sup:
            await sup.wait()
    assert runs == len(progress)


async def test_a_program_that_is_missing_is_named() -> None:
    """A start error names the argument that is wrong and its value."""
    child = otp.child(otp.Port, ["no-such-program"])
    async with otp.open_process():
        with pytest.raises(otp.StartError, match=r"command\[0\]='no-such-program'") as caught:
            await otp.start(child)
        assert isinstance(caught.value.reason, FileNotFoundError)
        with pytest.raises(otp.StartError, match="cwd='/no/such/place'"):
            await otp.start(otp.child(otp.Port, TRUE, cwd="/no/such/place"))
        assert 1 == otp.process_count()


WRONG: list[tuple[Any, dict[str, Any], str]] = [
    ("ls -l", {}, r"command='ls -l': write a list: \['ls', '-l'\]"),
    ([], {}, r"command=\[\]"),
    ([1], {}, r"command=\[1\]: expected a list of str"),
    (TRUE, {"stdout": "stdout"}, "stdout='stdout': expected 'log', 'send'"),
    (TRUE, {"stderr": "nowhere"}, "stderr='nowhere'.*'stdout'"),
    (TRUE, {"stdout": "send"}, "expected an owner together with stdout='send' or stderr='send'"),
    (TRUE, {"owner": "me"}, "expected an owner together with stdout='send' or stderr='send'"),
    (TRUE, {"env": {"a": 1}}, "env=.*: expected a mapping of str to str"),
]


@pytest.mark.parametrize(("command", "options", "text"), WRONG)
async def test_wrong_arguments_are_named(command: Any, options: dict[str, Any], text: str) -> None:
    """The start fails and names the argument, the value and what is accepted."""
    async with otp.open_process():
        with pytest.raises(otp.StartError) as caught:
            await otp.start(otp.child(otp.Port, command, **options))
        with pytest.raises((TypeError, ValueError), match=text):
            raise caught.value.__cause__ or caught.value


# -- output and input ------------------------------------------------------------------------------


async def test_an_owner_gets_the_lines(tmp_path: Path) -> None:
    """As PortLine messages, each with its stream; before the port ends."""
    code = "import sys; print('one'); print('two', file=sys.stderr); print('three', end='')"
    async with otp.open_process() as me:
        child = otp.child(otp.Port, python(code), stdout="send", stderr="send", owner=me)
        pid, monitor = await otp.start_monitor(child)
        got = [await otp.receive() for _ in range(4)]
    assert otp.Down(monitor, pid, otp.NORMAL) == got[3]
    lines = [(line.stream, line.text) for line in got[:3]]
    assert [("stdout", "one"), ("stdout", "three")] == [x for x in lines if x[0] == "stdout"]
    assert ("stderr", "two") in lines
    assert {pid} == {line.port for line in got[:3]}


async def test_both_streams_can_be_one() -> None:
    """stderr="stdout" keeps the order in which the program wrote."""
    code = "import sys; print(1); print(2, file=sys.stderr); print(3)"
    async with otp.open_process() as me:
        await otp.start(otp.child(otp.Port, python(code), stdout="send", stderr="stdout", owner=me))
        assert ["1", "2", "3"] == [(await otp.receive(otp.PortLine)).text for _ in range(3)]


async def test_lines_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """By default every line is a log record of level INFO that names port and stream."""
    caplog.set_level("INFO", "trio_otp.notice")
    code = "import sys; print('one'); print('two', file=sys.stderr)"
    assert otp.NORMAL == await reason_of(otp.child(otp.Port, python(code)).having(name="p"))
    logged = sorted(record.getMessage().partition("'p'> ")[2] for record in caplog.records)
    assert ["stderr: two", "stdout: one"] == logged


async def test_output_can_be_inherited_or_discarded(capfd: pytest.CaptureFixture[str]) -> None:
    """It goes where ours goes, or nowhere."""
    code = "import sys; print('one'); print('two', file=sys.stderr)"
    child = otp.child(otp.Port, python(code), stdout="inherit", stderr="discard")
    assert otp.NORMAL == await reason_of(child)
    assert ("one\n", "") == capfd.readouterr()


async def test_where_and_with_what_environment_it_runs(tmp_path: Path) -> None:
    """cwd and env are those of the program."""
    where = await trio.Path(tmp_path).resolve()
    code = "import os; print(os.getcwd(), os.environ['WHAT'])"
    async with otp.open_process() as me:
        program = python(code)
        await otp.start(
            otp.child(otp.Port, program, stdout="send", owner=me, cwd=tmp_path, env={"WHAT": "tea"})
        )
        assert f"{where} tea" == (await otp.receive(otp.PortLine)).text


@pytest.mark.parametrize("data", ["\ud800", 7])
async def test_what_cannot_be_written_is_the_callers_error(data: Any) -> None:
    """Half a character, or no text at all, does not end the program."""
    async with otp.open_process():
        pid = await otp.start_link(otp.child(otp.Port, ["cat"], stdout="discard"))
        with pytest.raises((TypeError, ValueError), match=r"data=.*: expected"):
            await otp.Port.command(pid, data)
        await otp.Port.command(pid, "still there")


async def test_it_reads_what_is_written_to_it() -> None:
    """command writes, in the order of the calls; close_stdin ends the input."""
    async with otp.open_process() as me:
        cat = otp.child(otp.Port, ["cat"], stdout="send", owner=me)
        pid, _ = await otp.start_monitor(cat)
        await otp.Port.command(pid, "ü\n")
        await otp.Port.command(pid, b"two\n")
        assert ["ü", "two"] == [(await otp.receive(otp.PortLine)).text for _ in range(2)]
        await otp.Port.close_stdin(pid)
        assert otp.NORMAL is (await otp.receive(otp.Down)).reason
        with pytest.raises(otp.NoProcess):
            await otp.Port.command(pid, "late")


async def test_what_cannot_be_written_is_the_error_of_the_writer(tmp_path: Path) -> None:
    """A wrong type, an input closed by us, an input closed by the program: the port lives."""
    async with open_line(tmp_path) as line, otp.open_supervisor([port(line, OBEYS)]):
        await line.wait_up()
        wrong: Any = 7
        with pytest.raises(TypeError, match="data=7: expected str or bytes"):
            await otp.Port.command("p", wrong)
        await otp.Port.close_stdin("p")
        with pytest.raises(trio.ClosedResourceError):
            await otp.Port.command("p", "more")
    code = "import os, sys; os.close(0); print('closed'); import signal; signal.pause()"
    async with otp.open_process() as me:
        child = otp.child(otp.Port, python(code), stdout="send", owner=me)
        pid = await otp.start_link(child)
        await otp.receive(otp.PortLine)
        with pytest.raises(trio.BrokenResourceError):
            await otp.Port.command(pid, "more")
        assert otp.is_alive(pid)


async def test_a_writer_that_waits_learns_of_the_end(tmp_path: Path) -> None:
    """A program that does not read lets the writer wait, and nobody waits for the dead."""
    async with (
        open_line(tmp_path) as line,
        otp.open_supervisor([port(line, OBEYS)]) as sup,
        trio.open_nursery() as nursery,
    ):
        await line.wait_up()
        errors: list[object] = []

        async def write() -> None:
            with pytest.raises((otp.ServerExited, trio.BrokenResourceError)) as caught:
                await otp.Port.command("p", b"x" * 1_000_000)
            errors.append(caught.value)

        for _ in range(2):
            nursery.start_soon(write)
        await trio.testing.wait_all_tasks_blocked()
        await otp.terminate_child(sup, "p")
    assert 2 == len(errors)


@given(
    st.lists(st.text("ab\r\n€", max_size=6), max_size=8),
    st.integers(1, 5),
    st.integers(1, 6),
)
def test_lines_are_those_of_the_whole(texts: list[str], size: int, longest: int) -> None:
    """However the bytes are cut, the lines are those of the text, long ones in pieces."""
    whole = "".join(texts)
    raw = whole.encode()
    lines = Lines(longest)
    got = [one for at in range(0, len(raw), size) for one in lines.feed(raw[at : at + size])]
    got += lines.end()
    assert whole.replace("\r", "").replace("\n", "") == "".join(got).replace("\r", "")
    assert all(len(line) <= longest for line in got)
    *ended, rest = whole.split("\n")
    expected = [line.removesuffix("\r") for line in ended] + ([rest] if rest else [])
    if all(len(line) <= longest for line in (*ended, rest)):
        assert expected == got


async def test_a_flood_to_the_log_leaves_others_their_turns() -> None:
    """While a program writes without end, other tasks run, and it can be stopped."""
    async with otp.open_supervisor([otp.child(otp.Port, ["yes"]).having(name="p")]) as sup:
        notices = Reports("notice")
        longest = 0
        while len(notices) < 5000:
            before = len(notices)
            await trio.lowlevel.checkpoint()
            longest = max(longest, len(notices) - before)
        assert 0 < longest <= 2 * 64  # it may have two turns between two of ours
        await otp.terminate_child(sup, "p")
        assert {"p": "undefined"} == statuses(await otp.which_children(sup))


async def test_a_flood_to_an_owner_waits_for_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than some hundred messages ever wait, and none is lost."""
    monkeypatch.setattr(port_output, "PATIENCE", 60.0)  # this owner reads as fast as it can
    code = "for n in range(5000): print(n)"
    async with otp.open_process() as me:
        child = otp.child(otp.Port, python(code), stdout="send", owner=me)
        await otp.start_monitor(child)
        while otp.process_info(me).message_queue_len < 100:
            await trio.lowlevel.checkpoint()
        got: list[str] = []
        while isinstance(message := await otp.receive(), otp.PortLine):
            assert otp.process_info(me).message_queue_len <= 101
            got.append(message.text)
        assert [str(n) for n in range(5000)] == got
        assert otp.NORMAL is message.reason


async def test_the_lines_for_an_owner_who_is_dead_are_dropped() -> None:
    """They are counted, and the program goes on."""
    async with otp.open_process():
        owner = otp.spawn(trio.sleep_forever)
        dropped: list[object] = []
        otp.events.attach("dropped", lambda *what: dropped.append(what))
        code = "input(); print('one'); print('two')"
        child = otp.child(otp.Port, python(code), stdout="send", owner=owner)
        pid, _ = await otp.start_monitor(child)
        otp.exit(owner, otp.KILL)
        await otp.Port.command(pid, "\n")
        assert otp.NORMAL is (await otp.receive(otp.Down)).reason
    assert 2 == len(dropped)


async def test_a_descendant_that_keeps_the_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """The port ends with its program, also if somebody else still has its output open."""
    code = "import os, time; os.fork() or (os.setsid(), os.read(0, 1), os.write(1, b'x'))"
    async with otp.open_process():
        await otp.start_monitor(otp.child(otp.Port, python(code)))
        with trio.fail_after(60):
            assert otp.NORMAL is (await otp.receive(otp.Down)).reason


# -- its end -------------------------------------------------------------------------------------


async def test_it_has_started_when_the_program_runs(tmp_path: Path) -> None:
    """process_info tells its number in the operating system, as long as it runs."""
    async with open_line(tmp_path) as line, otp.open_supervisor([port(line, OBEYS)]):
        number = otp.process_info("p").os_pid
        assert number is not None
        os.kill(number, 0)
        await line.wait_up()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


async def test_it_is_stopped_by_sigterm(tmp_path: Path) -> None:
    """It has time to clean up, and however it then exits, it has stopped as asked."""
    async with open_line(tmp_path) as line:
        async with otp.open_supervisor([port(line, CLEANS_UP, shutdown=10)]) as sup:
            reports = Reports()
            await line.wait_up()
            await otp.terminate_child(sup, "p")
            assert [] == reports
        assert "bye\n" == await line.wait_gone()


async def test_one_that_ignores_sigterm_is_killed(tmp_path: Path, autojump_clock: Any) -> None:
    """After the limit of the child, by SIGKILL, and its supervisor reports it."""
    async with open_line(tmp_path) as line:
        async with otp.open_supervisor([port(line, IGNORES, shutdown=7)]) as sup:
            reports = Reports()
            await line.wait_up()
            began = trio.current_time()
            await otp.terminate_child(sup, "p")
            assert 7.0 <= trio.current_time() - began <= 8.0  # it dies by the real clock
            assert [("shutdown_error", otp.KILLED)] == [(r.context, r.reason) for r in reports]
        assert "" == await line.wait_gone()


@pytest.mark.sampled(8)
@pytest.mark.parametrize("program", [OBEYS, CLEANS_UP, IGNORES, FREEZES, FORKS])
@pytest.mark.parametrize("how", ["brutal_kill", "kill", "signal", "cancel", "error", "supervisor"])
async def test_nothing_is_left_of_it(
    tmp_path: Path, autojump_clock: Any, program: str, how: str
) -> None:
    """Whatever the program does, whatever ends its port: it and what it started is gone."""
    async with open_line(tmp_path) as line:
        try:
            async with trio.open_nursery() as nursery:
                child = port(line, program, shutdown="brutal_kill" if how == "brutal_kill" else 1)
                tree = otp.child(otp.Supervisor, [child.having(restart="temporary")])
                top = await otp.start(tree.having(shutdown=5), nursery=nursery)
                await line.wait_up()
                await end_it(how, top, nursery)
                if how not in ("cancel", "error"):
                    await line.wait_gone()
                nursery.cancel_scope.cancel()
        except* ZeroDivisionError:
            assert "error" == how
        await line.wait_gone()
    assert [] == leftovers()


async def end_it(how: str, top: Any, nursery: trio.Nursery) -> None:
    """End the port called `p`, in one of the ways there are."""
    match how:
        case "brutal_kill":
            [info] = await otp.which_children(top)
            await otp.terminate_child(top, info.id)
        case "kill":
            await kill("p")
        case "signal":
            otp.exit("p", "bye")
        case "cancel":
            nursery.cancel_scope.cancel()
        case "error":
            nursery.start_soon(divide)
        case _:
            otp.exit(top, otp.KILL)


async def divide() -> None:
    raise ZeroDivisionError


async def test_a_signal_of_a_stranger_is_its_reason(tmp_path: Path) -> None:
    """It ends as for its supervisor, by SIGTERM; NORMAL is no reason to end."""
    async with open_line(tmp_path) as line, otp.open_process():
        pid, _ = await otp.start_monitor(port(line, CLEANS_UP))
        await line.wait_up()
        otp.exit(pid, otp.NORMAL)
        otp.exit(pid, "bye")
        assert "bye" == (await otp.receive(otp.Down)).reason
        assert "bye\n" == await line.wait_gone()


async def test_a_stranger_waits_no_longer_than_its_limit(
    tmp_path: Path, autojump_clock: Any
) -> None:
    """The limit of the child counts for otp.stop and for links as well."""
    async with open_line(tmp_path) as line, otp.open_process():
        otp.trap_exit()
        pid = await otp.start_link(port(line, IGNORES, shutdown=7))
        await line.wait_up()
        otp.exit(pid, "bye")
        assert otp.KILLED is (await otp.receive(otp.Exit)).reason
        assert 7.0 <= trio.current_time() <= 8.0


async def test_it_is_killed_while_it_is_being_stopped(tmp_path: Path) -> None:
    """A kill does not wait for the limit."""
    async with open_line(tmp_path) as line, otp.open_process():
        pid, _ = await otp.start_monitor(port(line, IGNORES, shutdown=100))
        await line.wait_up()
        otp.exit(pid, "bye")
        await trio.testing.wait_all_tasks_blocked()
        assert "exiting" == otp.process_info(pid).status
        otp.exit(pid, otp.KILL)
        assert otp.KILLED is (await otp.receive(otp.Down)).reason


async def test_it_is_killed_while_it_starts(tmp_path: Path) -> None:
    """Whoever starts it may be cancelled at every moment; nothing is left."""
    async with open_line(tmp_path) as line:
        for ticks in range(12):
            async with trio.open_nursery() as nursery:
                await give_up_after(ticks, line, nursery)
        assert "" == (await line.wait_gone()).replace("up\n", "")
    assert [] == leftovers()


async def give_up_after(ticks: int, line: Any, nursery: trio.Nursery) -> None:
    """Begin to start a port, and cancel that after some steps of the loop."""
    with trio.CancelScope() as scope:

        async def cancel() -> None:
            for _ in range(ticks):
                await trio.lowlevel.checkpoint()
            scope.cancel()

        nursery.start_soon(cancel)
        await otp.start(port(line, OBEYS), nursery=nursery)
    nursery.cancel_scope.cancel()


async def test_its_own_end_and_the_order_to_end_meet(tmp_path: Path) -> None:
    """A program that exits while it is told to stop ends once, for one of the two reasons."""
    for ticks in range(8):
        async with otp.open_process():
            child = otp.child(otp.Port, python("input()")).having(shutdown=10)
            pid, _ = await otp.start_monitor(child)
            await otp.Port.close_stdin(pid)  # EOFError, status 1
            for _ in range(ticks):
                await trio.lowlevel.checkpoint()
            with suppress(otp.CallError):
                await otp.stop(pid)
            reason = (await otp.receive(otp.Down)).reason
            assert otp.NORMAL is reason or 1 == getattr(reason, "returncode", None)


HOW = ["exit 0", "exit 3", "kill -9 $$", "stop", "kill", "signal"]


@given(ends=st.lists(st.sampled_from(HOW), min_size=1, max_size=3))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_however_programs_end_the_port_tells_why(ends: list[str]) -> None:
    """The exit reason is that of the model, and no process is left, ours or of the system."""

    async def main() -> None:
        with trio.fail_after(20):
            async with otp.open_process() as me:
                for how in ends:
                    await end_one(how)
                assert [me] == otp.processes()

    trio.run(main)


async def end_one(how: str) -> None:
    """Run a shell, end it, and compare the exit reason with the model's."""
    model = {
        "exit 0": otp.NORMAL,
        "exit 3": otp.ExitStatus(3),
        "kill -9 $$": otp.ExitStatus(-9),
        "stop": "enough",
        "kill": otp.KILLED,
        "signal": "bye",
    }
    pid, _ = await otp.start_monitor(otp.child(otp.Port, ["sh"]))
    number = otp.process_info(pid).os_pid
    assert number is not None
    match how:
        case "stop":
            await otp.stop(pid, "enough")
        case "kill":
            otp.exit(pid, otp.KILL)
        case "signal":
            otp.exit(pid, "bye")
        case _:
            await otp.Port.command(pid, how + "\n")
    assert model[how] == (await otp.receive(otp.Down)).reason
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


ENDINGS = [
    ("app", "SIGINT", OBEYS),
    ("app", "SIGTERM", IGNORES),
    ("app", "SIGHUP", IGNORES),
    ("app", "SIGQUIT", FORKS),
    ("plain", "SIGINT", FORKS),
    ("plain", "SIGHUP", FORKS),
    ("plain", "SIGQUIT", OBEYS),
    ("error", None, IGNORES),
    ("exit", None, FORKS),
]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("how", "sent", "program"), ENDINGS)
async def test_it_ends_with_our_program(
    tmp_path: Path, how: str, sent: str | None, program: str
) -> None:
    """By Ctrl-C, by another signal, by an exception: our program leaves no process behind."""
    command = [sys.executable, str(SUPPORT / "signalled_port.py"), how, program]
    async with open_line(tmp_path) as line:
        ours = await trio.lowlevel.open_process(
            [*command, line.path],
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(SUPPORT)))},
        )
        with trio.fail_after(20):
            if sent is not None:
                await line.wait_up()
                ours.send_signal(signal.Signals[sent])
            await ours.wait()
            await line.wait_gone()
    assert None is not ours.returncode


async def test_a_message_that_it_does_not_expect_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It goes on, as every server."""
    async with open_line(tmp_path) as line:
        async with otp.open_supervisor([port(line, OBEYS)]):
            await line.wait_up()
            otp.send("p", "surprise")
            await otp.sys.get_state("p")
            assert otp.is_alive("p")
        await line.wait_gone()
    assert "surprise" in caplog.text
