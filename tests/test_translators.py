"""Functions that say how a report is logged, and the wording of Elixir."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp
from trio_otp._process.runtime import runtime
from trio_otp.events import ApplicationReport, CrashReport, NoticeReport, SupervisorReport

if TYPE_CHECKING:
    Records = pytest.LogCaptureFixture


def tell(text: str) -> None:
    """Report something."""
    runtime().events.emit("notice", NoticeReport(None, text))


def texts(records: Records) -> list[str]:
    """Return what was logged of notices."""
    return [r.getMessage() for r in records.records if r.name == "trio_otp.notice"]


async def test_the_newest_translator_is_asked_first(caplog: Records) -> None:
    """None leaves a report to the one before it, and at last to the library (LG-11)."""
    otp.reports.add_translator(lambda report: f"first {report.as_dict()['text']}")
    otp.reports.add_translator(lambda report: "second" if "b" in str(report) else None)
    tell("a")
    tell("b")

    assert ["first a", "second"] == texts(caplog)


async def test_a_report_can_be_kept_out(caplog: Records) -> None:
    """It still reaches listeners."""
    heard: list[Any] = []
    otp.events.attach("notice", heard.append)
    otp.reports.add_translator(lambda report: otp.reports.SKIP)
    tell("a")

    assert [] == caplog.records
    assert 1 == len(heard)
    assert "SKIP" == repr(otp.reports.SKIP)


async def test_a_translator_can_add_attributes(caplog: Records) -> None:
    """Those of the library stay as they are."""
    otp.reports.add_translator(lambda report: ("text", {"team": "blue", "otp_kind": "mine"}))
    tell("a")

    [record] = caplog.records
    assert ("text", "blue", "notice") == (record.getMessage(), record.team, record.otp_kind)  # type: ignore[attr-defined]


@pytest.mark.parametrize("result", [LookupError("broken"), 5, ("text",), (5, {})], ids=repr)
async def test_one_that_is_broken_loses_nothing(caplog: Records, result: Any) -> None:
    """It is removed and that is told once; the report is logged as if it were not there (LG-11)."""

    def broken(report: object) -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    otp.reports.add_translator(lambda report: "good")
    otp.reports.add_translator(broken)
    tell("a")
    tell("b")

    assert ["good", "good"] == texts(caplog)
    [told] = [r for r in caplog.records if r.name == "trio_otp.reports"]
    assert "raised and is removed: " in told.getMessage()
    assert told.exc_info is not None


async def test_added_twice_and_removed() -> None:
    """It is asked once, and then no more."""
    asked: list[object] = []
    otp.reports.add_translator(asked.append)
    otp.reports.add_translator(asked.append)
    tell("a")
    otp.reports.remove_translator(asked.append)
    otp.reports.remove_translator(asked.append)
    tell("b")

    assert 1 == len(asked)


def test_they_belong_to_a_run(caplog: Records) -> None:
    """The next run does not have them; outside of one there are none (law 7)."""

    async def main(add: bool) -> None:
        if add:
            otp.reports.add_translator(lambda report: "translated")
        tell("plain")

    trio.run(main, True)
    trio.run(main, False)

    assert ["translated", "plain"] == texts(caplog)
    with pytest.raises(otp.NotInRun):
        otp.reports.add_translator(str)


async def test_it_has_to_be_a_function() -> None:
    """The error says so where the mistake is."""
    with pytest.raises(TypeError, match="function='x': expected a function"):
        otp.reports.add_translator("x")  # type: ignore[arg-type]


async def test_nobody_is_asked_about_what_is_not_logged(caplog: Records) -> None:
    """A level that is off costs no translation."""
    caplog.set_level(logging.CRITICAL, "trio_otp")
    asked: list[object] = []
    otp.reports.add_translator(asked.append)
    tell("a")

    assert [] == asked


# -- the wording of Elixir -------------------------------------------------------------------------


class Counter(otp.GenServer):
    """Crashes when it is told to."""

    def __init__(self) -> None:
        self.count = 1

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        raise ValueError("boom")


async def test_a_crash_and_what_the_supervisor_says(caplog: Records) -> None:
    """Who, why with the frames, last message with its sender, state, client; then the child."""
    otp.reports.add_translator(otp.reports.elixir_text)
    caplog.set_level(logging.DEBUG, "trio_otp")
    async with (
        otp.open_supervisor([otp.child(Counter).having(name="counter")], name="top") as sup,
        otp.open_process() as me,
    ):
        counter = otp.whereis("counter")
        with pytest.raises(otp.ServerExited):
            await otp.call("counter", "boom")
        await wait_all_tasks_blocked()

    started, crash, terminated, _ = (r.getMessage().splitlines() for r in caplog.records)
    assert [
        "GenServer 'counter' terminating",
        "** (ValueError) boom",
    ] == crash[:2]
    assert f"    {__file__}:136: handle_call" == crash[-5]
    assert [
        f"Last message (from {me!r}): call 'boom'",
        "State: {'count': 1}",
        f"Client {me!r} is alive",
    ] == crash[-4:-1]
    assert crash[-1].endswith("in test_a_crash_and_what_the_supervisor_says")
    assert f"Child 'counter' of Supervisor {sup.pid!r} started" == started[0]
    assert [
        f"Child 'counter' of Supervisor {sup.pid!r} terminated",
        "** (ValueError) boom",
    ] == terminated[:2]
    assert [
        f"Pid: {counter!r}",
        "Start Call: <child Counter() name='counter'>",
        "Restart: permanent",
        "Shutdown: 5.0",
        "Type: worker",
    ] == terminated[-5:]


def say(report: Any) -> list[str]:
    """Word a report."""
    text = otp.reports.elixir_text(report)
    assert text is not None
    return text.splitlines()


def test_the_other_reports() -> None:
    """Each has its own words; a notice is text already."""
    assert ["Application shop started"] == say(ApplicationReport("shop", "started"))
    assert ["Application shop exited: stopped"] == say(ApplicationReport("shop", "stopped"))
    assert ["Application shop exited: 'x'"] == say(ApplicationReport("shop", "exited", "x"))
    assert None is otp.reports.elixir_text(NoticeReport(None, "text"))
    contexts = [say(SupervisorReport("s", c, otp.KILLED, "a"))[0] for c in CONTEXTS]
    assert [f"Child 'a' of Supervisor 's' {said}" for said in CONTEXTS.values()] == contexts


CONTEXTS: dict[Any, str] = {
    "start_error": "failed to start",
    "child_terminated": "terminated",
    "shutdown_error": "shut down abnormally",
    "shutdown": "caused shutdown",
}


def test_a_crash_of_little_known() -> None:
    """What is not known is left out; a reason that is no exception is an exit."""
    assert ["Process shop.stop terminating", "** (exit) ('a', 1)"] == say(
        CrashReport(None, None, "shop.stop", ("a", 1))
    )
    told = say(CrashReport(None, "a", "A", KeyError(1), last_message="x", client="gone"))
    assert ["** (KeyError) KeyError(1)", "Last message (from gone): x"] == told[1:3]
    assert "Client gone is gone or busy" == told[-1]


def test_a_reason_that_would_hurt() -> None:
    """Its repr may raise or be huge."""

    class Rude(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

        __repr__ = __str__

    huge = ValueError("x" * 10**6)
    for reason in (Rude(), huge, {"x": Rude()}):
        assert len("".join(say(CrashReport(None, "a", "A", reason)))) < 2000
