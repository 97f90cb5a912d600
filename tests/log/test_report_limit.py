"""A storm of reports: some are logged, the others counted, and the count is logged."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from depth import few
from hypothesis import given, settings
from hypothesis import strategies as st
from inside import Burst, runtime

import trio_otp as otp
from trio_otp.events import ApplicationReport, NoticeReport

if TYPE_CHECKING:
    Clock = trio.testing.MockClock
    Records = pytest.LogCaptureFixture


def storm(count: int) -> None:
    """Report many things at once."""
    for number in range(count):
        runtime().events.emit("notice", NoticeReport(None, f"notice {number}"))


def told(records: Records) -> list[str]:
    """Return what the log says of itself."""
    return [r.getMessage() for r in records.records if r.name == "trio_otp.reports"]


async def test_a_storm_is_counted(caplog: Records, autojump_clock: Clock) -> None:
    """It is said at once that reports are left out, and after the time how many (LG-9)."""
    heard: list[Any] = []
    otp.events.attach("notice", heard.append)
    storm(1200)
    assert 500 == sum(record.name == "trio_otp.notice" for record in caplog.records)
    first = "more than 500 reports in 1 s: others are counted until that time is over, "
    assert [f"{first}and not logged"] == told(caplog)
    assert 1200 == len(heard)

    await trio.sleep(2)
    assert "700 reports were not logged: 700 notice" == told(caplog)[1]
    assert [logging.WARNING] * 2 == [
        r.levelno for r in caplog.records if r.name == "trio_otp.reports"
    ]


async def test_after_the_storm_all_is_logged(caplog: Records, autojump_clock: Clock) -> None:
    """The next second has a limit of its own."""
    storm(501)
    await trio.sleep(1)
    caplog.clear()
    storm(500)

    assert 500 == len(caplog.records)


async def test_the_count_is_by_kind(caplog: Records, autojump_clock: Clock) -> None:
    """So one sees what there was a storm of."""
    otp.reports.set_limit(1, 10)
    storm(3)
    runtime().events.emit("application", ApplicationReport("shop", "exited", "why"))
    await trio.sleep(11)

    assert "3 reports were not logged: 2 notice, 1 application.exited" == told(caplog)[1]


async def test_what_is_not_wanted_does_not_count(caplog: Records, autojump_clock: Clock) -> None:
    """Neither what is below the level, nor what a translator keeps out."""
    otp.reports.set_limit(1)
    caplog.set_level(logging.CRITICAL, "trio_otp.notice")
    storm(10)
    caplog.set_level(logging.ERROR, "trio_otp.notice")
    otp.reports.add_translator(lambda report: otp.reports.SKIP)
    storm(10)
    await trio.sleep(2)

    assert [] == caplog.records


async def test_there_may_be_no_limit(caplog: Records) -> None:
    """None takes it away."""
    otp.reports.set_limit(None)
    storm(700)

    assert 700 == len(caplog.records)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((0,), r"count=0: expected a number >= 1, or None for no limit"),
        ((5, 0), r"seconds=0: expected a number of seconds > 0"),
        ((5, float("nan")), r"seconds=nan: expected"),
        ((5, float("inf")), r"seconds=inf: expected"),
        ((5, 10**400), r"seconds=1000.*: expected"),
    ],
)
async def test_a_wrong_limit_is_refused(arguments: Any, said: str) -> None:
    """The error says what is accepted."""
    with pytest.raises(ValueError, match=said):
        otp.reports.set_limit(*arguments)


def test_each_run_has_its_own(caplog: Records) -> None:
    """A storm of one run does not silence the next (law 7)."""

    async def main() -> None:
        storm(501)

    trio.run(main)
    caplog.clear()
    trio.run(main)

    assert 500 == sum(record.name == "trio_otp.notice" for record in caplog.records)


async def test_servers_in_a_storm_work(caplog: Records, autojump_clock: Clock) -> None:
    """A thousand crashes are restarted and counted; the last server still answers."""

    class Weak(otp.GenServer):
        def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            if request == "crash":
                raise ValueError("boom")
            return otp.Reply(request)

    child = otp.child(Weak).having(name="weak")
    async with otp.open_supervisor([child], max_restarts=10**6):
        for _ in range(1000):
            with pytest.raises(otp.ServerExited):
                await otp.call("weak", "crash")
            await trio.testing.wait_all_tasks_blocked()
        assert 5 == await otp.call("weak", 5)
        await trio.sleep(2)

    assert 500 == sum(hasattr(record, "otp_report") for record in caplog.records)
    assert "1500 reports were not logged: " in told(caplog)[1]


@settings(max_examples=few(100))
@given(
    st.lists(st.integers(0, 8), max_size=60),
    st.integers(1, 4) | st.none(),
    st.integers(1, 10),
)
def test_a_burst_against_a_model(steps: list[int], count: int | None, seconds: int) -> None:
    """A window opens with a report after the one before is over, and lets so many through."""
    burst = Burst(count, seconds)
    now, windows = 0, []
    for step in steps:
        now += step
        if not windows or now >= windows[-1][0] + seconds:
            windows.append((now, 0))
        opened, used = windows[-1]
        windows[-1] = (opened, used + 1)
        assert burst.admits(now) == (count is None or used < count)
