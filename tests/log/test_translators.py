"""Functions that say how a report is logged."""

from __future__ import annotations

import logging
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import trio
from inside import runtime

import trio_otp as otp
from trio_otp.events import NoticeReport

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


def test_the_constant_for_what_is_left_out_is_one() -> None:
    """It is itself after a pickle, and shows its name."""
    assert otp.reports.SKIP is pickle.loads(pickle.dumps(otp.reports.SKIP))
    assert "SKIP" == repr(otp.reports.SKIP)
    assert "IGNORE" == repr(otp.IGNORE)
