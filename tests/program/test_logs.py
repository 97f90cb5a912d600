"""`log_level` and `log_format`: what a program writes to standard error, line by line."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
from functools import partial

import pytest
from operated import Desk
from paths import SUPPORT
from program_kit import program

import trio_otp as otp

operated = partial(program, script=SUPPORT / "operated.py")
JSON = {"OPERATED_LOG_FORMAT": "json"}


async def test_all_that_is_written_is_json() -> None:
    """Crashes with their tracebacks, the report of SIGUSR1, the last words; all but faulthandler's.

    That writes the stack of the main thread past all code of Python.
    """
    async with operated("GivesUp", env=JSON, stdin=subprocess.PIPE) as run:
        await run.read_until("up")
        run.process.send_signal(signal.SIGUSR1)
        await run.read_errors_until("SIGUSR1: what program")
        assert run.process.stdin is not None
        await run.process.stdin.send_all(b"\n")
        assert 1 == await run.end()
    lines = run.errors.splitlines()
    said = [json.loads(line) for line in lines if line.startswith("{")]
    others = [line for line in lines if not line.startswith("{")]
    of_faulthandler = ("Stack (most", "Current thread", "  File ", "  <no Python frame>")
    assert [] == [line for line in others if not line.startswith(of_faulthandler)]
    by_logger = {each["logger"]: each for each in said}
    assert "ValueError: boom" in by_logger["trio_otp.crash"]["exception"]
    [report] = [each for each in said if each["message"].startswith("SIGUSR1: what program")]
    assert "processes: " in report["message"]
    assert said[-1]["message"].startswith("application 'gives_up' exited: ")
    assert ("ERROR", "trio_otp.program") == (said[-1]["level"], said[-1]["logger"])


async def test_log_level() -> None:
    """What is below it is not written."""
    async with operated("Desk", env={"OPERATED_LOG_LEVEL": "warning"}) as run:
        await run.read_until("up")
        run.process.send_signal(signal.SIGTERM)
        assert 0 == await run.end()
    assert "" == run.errors
    async with operated("Desk", env={"OPERATED_LOG_LEVEL": "debug"}) as run:
        await run.read_until("up")
        run.process.send_signal(signal.SIGTERM)
        assert 0 == await run.end()
    assert "DEBUG trio_otp.progress" in run.errors


def test_words_that_there_are_not() -> None:
    """They are refused before anything runs."""
    with pytest.raises(otp.SpecError, match="log_level='loud': expected 'debug', 'info', "):
        otp.run(Desk, log_level="loud")  # type: ignore[arg-type]
    with pytest.raises(otp.SpecError, match="log_format='xml': expected 'text' or 'json'"):
        otp.run(Desk, log_format="xml")  # type: ignore[arg-type]


def test_a_log_that_is_configured_stays_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """And what was asked for in vain is told. (pytest has configured it.)"""

    class Ends(otp.Application):
        def start(self) -> otp.Child[otp.Supervisor]:
            job = otp.child(_nothing).having(significant=True, restart="temporary")
            return otp.child(otp.Supervisor, [job], auto_shutdown="any_significant")

    root = logging.getLogger()
    before = root.level, list(root.handlers)
    assert 0 == otp.run(Ends, log_level="debug", log_format="json")
    assert before == (root.level, list(root.handlers))
    assert "log_level and log_format: not used, since the program has configured" in caplog.text


async def _nothing() -> None:
    """Do nothing."""
