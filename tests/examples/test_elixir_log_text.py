"""The translator among the examples words every kind of report, whatever is in it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp
from examples.elixir_log_text import elixir_text
from trio_otp.events import ApplicationReport, CrashReport, NoticeReport, SupervisorReport

CONTEXTS: dict[Any, str] = {
    "start_error": "failed to start",
    "child_terminated": "terminated",
    "shutdown_error": "shut down abnormally",
    "shutdown": "caused shutdown",
}


class Login(otp.GenServer):
    """Crashes at each call, and keeps to itself why."""

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        raise ValueError(request)

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        return dict.fromkeys(status, "hidden")


def lines_of(report: Any) -> list[str]:
    """Word a report."""
    text = elixir_text(report)
    assert text is not None
    return text.splitlines()


def test_each_kind_has_its_words() -> None:
    """A notice is text already, so it is left to the library."""
    assert ["Application shop started"] == lines_of(ApplicationReport("shop", "started"))
    assert ["Application shop exited: 'stopped'"] == lines_of(ApplicationReport("shop", "stopped"))
    assert ["Application shop exited: 'x'"] == lines_of(ApplicationReport("shop", "exited", "x"))
    assert None is elixir_text(NoticeReport(None, "text"))
    for context, said in CONTEXTS.items():
        [first, *_] = lines_of(SupervisorReport("s", context, otp.KILLED, "a"))
        assert f"Child 'a' of Supervisor 's' {said}" == first


def test_a_reason_that_would_hurt() -> None:
    """Its repr may raise or be huge, or try to begin a line of its own."""

    class Rude(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

        __repr__ = __str__

    for reason in (Rude(), ValueError("x" * 10**6), {"x": Rude()}, "a\nroot: forged"):
        said = lines_of(CrashReport(None, "a", "A", reason))
        assert 4 == len(said)
        assert len("".join(said)) < 1000


async def test_what_is_hidden_stays_hidden(caplog: pytest.LogCaptureFixture) -> None:
    """It is asked at the start, the crash and the end of a child, and shows no secret."""
    otp.reports.add_translator(elixir_text)
    caplog.set_level(logging.DEBUG, "trio_otp")
    async with otp.open_supervisor([otp.child(Login).having(name="login")]) as sup:
        with pytest.raises(otp.ServerExited):
            await otp.call("login", "s3cr3t")
        await wait_all_tasks_blocked()

    started, crash, terminated, _ = (record.getMessage() for record in caplog.records)
    assert "s3cr3t" not in caplog.text
    assert started.startswith(f"Child 'login' of Supervisor {sup.pid!r} started\nPid: ")
    assert crash.startswith("GenServer 'login' terminating\n** (exit) 'hidden'\nLast message")
    assert crash.endswith("\nState: 'hidden'")
    assert terminated.startswith(f"Child 'login' of Supervisor {sup.pid!r} terminated\nPid: ")
