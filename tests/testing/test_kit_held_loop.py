"""A server that holds the event loop of a test: a warning, and a failure if that is asked for."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import pytest
from inside import held_loop
from testing_kit import COUNTER, run

import trio_otp as otp
from trio_otp.testing import LongScheduleWarning, open_system

PATIENCE = 60  # seconds after which a test fails that waits to be told


class Hog(otp.GenServer):
    """Holds the loop until that is told."""

    def __init__(self, told: threading.Event) -> None:
        self.told = told

    @otp.on_call(timeout=None)
    def hold(self) -> bool:
        return self.told.wait(PATIENCE)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Make a moment count as long; return the event that is set when a hold is reported."""
    told = threading.Event()
    publish = held_loop.HeldLoop.publish

    def publish_and_set(self: Any, report: Any) -> None:
        publish(self, report)
        if "hold" in report.doing or "hold" in report.place:
            told.set()

    monkeypatch.setattr(held_loop, "LIMIT", 0.02)
    monkeypatch.setattr(held_loop.HeldLoop, "publish", publish_and_set)
    monkeypatch.setattr(held_loop, "told", told, raising=False)
    return told


def threads() -> int:
    return sum("system monitor" in each.name for each in threading.enumerate())


async def test_a_server_that_holds_the_loop_is_warned_of(told: threading.Event) -> None:
    """At its line, with its name, once; and the thread that looks ends with the test."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with open_system("test_slow") as system:
            hog = await system.start_supervised(otp.child(Hog, told).having(name="hog"))
            assert 1 == threads()
            assert await Hog.hold(hog)
    assert 0 == threads()
    (warning,) = [each for each in caught if "hold" in str(each.message)]
    assert warning.category is LongScheduleWarning
    assert __file__ == warning.filename
    text = str(warning.message)
    assert text.startswith("in test_slow the event loop ")
    assert "by <Pid 3 Hog 'hog'>, handling `hold()`, at " in text


async def test_it_is_an_error_where_such_warnings_are(told: threading.Event) -> None:
    """All has been stopped by then."""

    async def test() -> None:
        async with open_system() as system:
            hog = await system.start_supervised(otp.child(Hog, told).having(name="hog"))
            await Hog.hold(hog)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", ".*Hog.*", LongScheduleWarning)
        with pytest.raises(LongScheduleWarning, match="handling `hold"):
            await test()
    assert None is otp.whereis("hog")
    assert 0 == threads()


async def test_what_the_test_itself_computes_is_its_own_affair(told: threading.Event) -> None:
    """Only processes that serve others are told."""

    def hold() -> bool:
        return told.wait(PATIENCE)

    async with open_system():
        assert hold()


async def test_a_test_within_a_test_is_watched_by_the_outer_one() -> None:
    """And a test that fails or leaks is told of that alone."""

    async def fail() -> None:
        async with open_system():
            assert 1 == threads()
            raise LookupError

    async with open_system() as outer:
        await outer.start_supervised(COUNTER)
        with pytest.raises(LookupError):
            await fail()
        assert 1 == threads()
    assert 0 == threads()


async def test_a_hold_that_lasts_is_warned_of_once() -> None:
    """With the time that it has taken in the end; each further one is another."""
    held = held_loop.HeldLoop("test", None)
    for pid, seconds, over in ((1, 1.0, False), (1, 11.0, False), (1, 12.0, True), (2, 1.0, False)):
        held.publish(
            otp.events.LongSchedule(pid, "task", "busy", seconds, "shop.py:7 in f", (), over)
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        held.warn()
    assert [
        "in test the event loop was held for 12 s by 1, busy, at shop.py:7 in f",
        "in test the event loop is held for 1 s by 2, busy, at shop.py:7 in f",
    ] == [str(each.message) for each in caught]
    assert [("shop.py", 7)] * 2 == [(each.filename, each.lineno) for each in caught]


SOURCE = """
from trio_otp.testing import held_loop

class Hog(otp.GenServer):
    @otp.on_call(timeout=None)
    def hold(self):
        return held_loop.told.wait(60)

name = "trio_otp.testing.LongScheduleWarning"

@pytest.mark.filterwarnings("ignore::" + name, "ACTION:.*Hog:" + name)
async def test_slow(start_supervised):
    hog = await start_supervised(Hog)
    assert await Hog.hold(hog)
"""


@pytest.mark.usefixtures("told")
def test_pytest_shows_it_in_its_summary_or_as_a_failure(pytester: pytest.Pytester) -> None:
    """Under the line that holds the loop."""
    outcomes, text = run(pytester, SOURCE.replace("ACTION", "default"))
    assert {"passed": 1, "warnings": 1} == outcomes, text
    assert "LongScheduleWarning: in test_slow the event loop " in text
    held_loop.told.clear()
    outcomes, text = run(pytester, SOURCE.replace("ACTION", "error"))
    assert {"failed": 1} == outcomes, text
    assert "LongScheduleWarning: in test_slow the event loop " in text
