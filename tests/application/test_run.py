"""Programs as OS processes: signals at every moment, exit statuses, what is printed."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Any

import pytest
import signalled
import trio
import trio_util
from inside import _Program
from program_kit import LIMIT, program

import trio_otp as otp

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("signum", ENDING)
async def test_a_signal_stops_in_order(signum: signal.Signals) -> None:
    """Each of them stops trees and applications in reverse order; status 0."""
    async with program("Plain") as run:
        await run.read_until("up plain2")
        run.process.send_signal(signum)
        assert 0 == await run.end()
    ends = ["down plain2", "down plain1", "stop plain", "down base2", "down base1", "stop base"]
    assert ["up base1", "up base2", "up plain1", "up plain2", *ends] == run.lines
    assert f"{signum.name}: stopping" in run.errors
    assert "Traceback" not in run.errors


@pytest.mark.sampled(1)
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
async def test_a_signal_that_was_ignored_at_the_start_is_ignored(signum: signal.Signals) -> None:
    """As by `nohup`: the program goes on, and another signal ends it."""
    async with program("Plain", "sh", "-c", f"trap '' {signum.name[3:]}; exec \"$@\"", "sh") as run:
        await run.read_until("up plain2")
        run.process.send_signal(signum)
        run.process.send_signal(signal.SIGTERM)
        assert 0 == await run.end()
    assert "SIGTERM: stopping" in run.errors
    assert signum.name not in run.errors


async def test_it_ends_in_order_without_its_terminal() -> None:
    """A terminal that is closed sends SIGHUP, and nothing can be written to it any more."""
    ours, theirs = os.openpty()
    async with program("Logged", "setsid", "--ctty", stdin=theirs, stderr=theirs) as run:
        os.close(theirs)
        await run.read_until("up logged2")
        os.close(ours)
        assert 0 == await run.end()
    assert ["down logged2", "down logged1", "stop logged"] == run.lines[-3:]


async def test_during_start() -> None:
    """A signal breaks off a start that hangs, and what ran is stopped; status 0."""
    async with program("HangsInStart") as run:
        await run.read_until("hanging")
        run.process.send_signal(signal.SIGTERM)
        assert 0 == await run.end()
    ends = ["broken off", "down hangs_in_start1", "down base2", "down base1", "stop base"]
    assert ends == run.lines[4:]


async def test_in_a_handler() -> None:
    """A signal interrupts a handler that waits; its terminate runs all the same."""
    async with program("InHandler") as run:
        await run.read_until("busy")
        run.process.send_signal(signal.SIGINT)
        assert 0 == await run.end()
    assert ["down busy", "down in_handler1", "stop in_handler"] == run.lines[2:]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("name", "line", "first", "second"),
    [
        ("SlowEnd", "ending", signal.SIGTERM, signal.SIGINT),
        ("SlowStop", "stopping", signal.SIGTERM, signal.SIGINT),
        ("SlowEnd", "ending", signal.SIGHUP, signal.SIGINT),
        ("SlowEnd", "ending", signal.SIGINT, signal.SIGQUIT),
    ],
)
async def test_a_second_signal_cuts_it_short(
    name: str, line: str, first: signal.Signals, second: signal.Signals
) -> None:
    """While a terminate or a stop callback waits, a second signal kills what is left; status 1."""
    async with program(name) as run:
        await run.read_until("up slow_stop2" if name == "SlowStop" else "up slow")
        run.process.send_signal(first)
        await run.read_until(line)
        run.process.send_signal(second)
        assert 1 == await run.end()
    assert "cut" in run.lines
    assert "down base1" not in run.lines
    assert f"{second.name}: killing what is left" in run.errors


@pytest.mark.parametrize("first", [signal.SIGHUP, signal.SIGTERM])
async def test_a_terminal_that_is_closed_is_not_impatient(first: signal.Signals) -> None:
    """The shell and the system both send SIGHUP for it; what ends in order goes on doing so."""
    async with program("SlowEnd") as run:
        await run.read_until("up slow")
        run.process.send_signal(first)
        await run.read_until("ending")
        # Python handles those that are pending in the order of their numbers: SIGHUP is before.
        run.process.send_signal(signal.SIGHUP)
        run.process.send_signal(signal.SIGINT)
        assert 1 == await run.end()
    assert "SIGINT: killing what is left" in run.errors
    assert "SIGHUP: killing" not in run.errors


async def test_a_third_signal_ends_a_program_whose_loop_is_blocked() -> None:
    """A callback that blocks the event loop cannot keep a program alive: the third one ends it."""
    async with program("BlocksTheLoop") as run:
        await run.read_until("blocking")
        # Different ones: two of a kind that are pending at a time count as one. They are handled
        # in the order of their numbers, so the third is the last one sent, however late they come.
        for signum in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            run.process.send_signal(signum)
        assert -signal.SIGTERM == await run.end()


async def test_a_failed_start() -> None:
    """It says the reason and the line first, without a traceback of its own; status 1."""
    async with program("Fails") as run:
        assert 1 == await run.end()
    assert ["down fails1", "down base2", "down base1", "stop base"] == run.lines[3:]
    (text,) = [line for line in run.errors.splitlines() if line.startswith("application 'fails'")]
    assert "application 'fails' did not start: child 'Failing': OSError: address in use" == text
    assert 'raise OSError("address in use")' in run.errors


# -- in this process -----------------------------------------------------------------------------


def test_giving_up(capsys: pytest.CaptureFixture[str]) -> None:
    """An application that gives up stops the others; status 1, and what ended last is said."""
    assert 1 == otp.run(signalled.GivesUp)
    said = capsys.readouterr()
    assert ["stop gives_up", "down base2", "down base1", "stop base"] == said.out.splitlines()[-4:]
    assert "application 'gives_up' exited: SHUTDOWN" in said.err
    assert "child 'Crashes': RuntimeError: boom" in said.err


def test_system_exit(capsys: pytest.CaptureFixture[str]) -> None:
    """SystemExit raised in a process leaves the run, after an ordered stop."""
    with pytest.raises(SystemExit) as caught:
        otp.run(signalled.Exits)
    assert 7 == caught.value.code
    ends = ["stop exits", "down base2", "down base1", "stop base"]
    assert ends == capsys.readouterr().out.splitlines()[-4:]


def test_an_end_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """A program whose work is done ends with status 0, by auto-shutdown."""
    assert 0 == otp.run(signalled.Batch)
    assert "stop batch\n" == capsys.readouterr().out


def test_a_stop_callback_that_raises() -> None:
    """A program that could not clean up does not claim to have ended well; status 1."""
    assert 1 == otp.run(signalled.ClumsyStop)


class Nothing(otp.Application):
    """Ends at once."""

    environment = {"signals": 0}  # noqa: RUF012

    def start(self) -> otp.Child[otp.Supervisor]:
        for _ in range(self.environment["signals"]):
            signal.raise_signal(signal.SIGINT)
        job = otp.child(trio.lowlevel.checkpoint).having(significant=True, restart="temporary")
        return otp.child(otp.Supervisor, [job], auto_shutdown="any_significant")


def test_handlers_are_given_back() -> None:
    """Only our own signal handlers are removed: what others set meanwhile stays."""

    def mine(*_: object) -> None:
        raise AssertionError("unreachable")

    class Meddler(Nothing):
        def stop(self) -> None:
            signal.signal(signal.SIGTERM, mine)

    class Reloads(Nothing):
        def stop(self) -> None:
            assert mine is signal.getsignal(signal.SIGHUP)

    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        assert 0 == otp.run(Nothing)
        assert before == {number: signal.getsignal(number) for number in before}
        assert 0 == otp.run(Meddler)
        assert before[signal.SIGINT] == signal.getsignal(signal.SIGINT)
        assert mine is signal.getsignal(signal.SIGTERM)
        signal.signal(signal.SIGHUP, mine)
        assert 0 == otp.run(Reloads)
        assert mine is signal.getsignal(signal.SIGHUP)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(("signals", "status"), [(1, 0), (2, 1)])
def test_signals_in_the_start_callback(signals: int, status: int) -> None:
    """Signals that come while the loop is busy are acted upon as soon as it is not."""
    assert status == otp.run(Nothing, environment={"signals": signals})


def test_a_signal_before_the_run_has_begun() -> None:
    """A signal that comes before Trio runs is not lost: nothing is started, status 0."""
    program = _Program(Nothing, {"type": "permanent"})
    program.handle(signal.SIGTERM, None)
    assert 0 == trio.run(program.main)


def test_a_shutdown_timeout() -> None:
    """What is left when the time to stop is over is killed, which is no good end; status 1."""

    class SlowStop(Nothing):
        async def stop(self) -> None:
            await trio.sleep_forever()

    assert 1 == otp.run(SlowStop, shutdown_timeout=0.01)


def test_in_another_thread() -> None:
    """Without the main thread there are no signal handlers, and run works all the same."""
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(otp.run(Nothing)))
    thread.start()
    thread.join(LIMIT)
    assert [0] == statuses


def test_wrong_arguments_raise() -> None:
    """A mistyped setting, or what is no application, is the caller's error, not an exit status."""
    with pytest.raises(otp.SpecError, match="'port'; its settings are: signals"):
        otp.run(Nothing, environment={"port": 1})
    with pytest.raises(TypeError, match="subclass"):
        otp.run(otp.GenServer)  # type: ignore[arg-type]


def test_a_configured_root_logger_is_left_alone() -> None:
    """Logging is configured only if nobody has done so (pytest has)."""
    root = logging.getLogger()
    before = list(root.handlers)
    assert before
    assert 0 == otp.run(Nothing)
    assert before == root.handlers


def test_instruments_are_those_of_the_run(caplog: pytest.LogCaptureFixture) -> None:
    """Also trio-util's, which says at the end what it has seen of all tasks of the program."""
    stats = trio_util.TaskStats()
    with caplog.at_level(logging.INFO):
        assert 0 == otp.run(Nothing, instruments=[stats])
    assert "max task wait time" in caplog.text
    assert stats.schedule_counts


@pytest.mark.parametrize("wrong", [trio_util.TaskStats(), [trio_util.TaskStats], 5, "stats"])
def test_what_is_no_list_of_instruments_is_refused(wrong: Any) -> None:
    """Before anything runs."""
    with pytest.raises(TypeError, match=r"expected a list of trio\.abc\.Instrument objects"):
        otp.run(Nothing, instruments=wrong)
