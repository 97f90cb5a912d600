"""What crashed during a test, as data, and which crashes the test knows of.

A crash that a test does not know of fails it. It knows of one that it has declared:

    with otp_log.expect_crash(ValueError, of="cache"):
        await assert_call_fails(cache.get("broken"))

and of one that the kit has told it of: the failure of `assert_call_fails`, the reason of
`assert_down`, a `Down` or `Exit` that it has received, the restarts of `assert_restarted`, and what
`crash_next_call` has caused.

Follows: ExUnit's `capture_log/2`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar, final

from .._process.names import check_reference
from .._process.runtime import runtime
from .._process.status import told_reason
from .._util.bounded import bounded, shown_text
from .._util.checks import check_whole
from .._util.copies import Handle, NoConstructor
from .._util.public import public_in
from .errors import UsedAfterTest, pid_of
from .patterns import check_pattern, matches, shown

if TYPE_CHECKING:
    from types import TracebackType

    from ..events import CrashReport, NoticeReport, SupervisorReport


@final
@public_in("testing")
class OtpLog(NoConstructor, Handle):
    """The reports of one run; the fixture `otp_log` is one.

    Args:
        test: the test it belongs to.
    """

    _origin: ClassVar[str] = "the fixture otp_log is one"

    def __init__(self, test: str) -> None:
        self._test = test
        self._open = False
        self._crashes: list[CrashReport] = []
        self._supervisor: list[SupervisorReport] = []
        self._notices: list[NoticeReport] = []
        self._seen: list[object] = []  # reasons that the test knows of
        self._expected: list[CrashReport] = []
        self._outer: OtpLog | None = None  # of the test that this one is a part of

    def __repr__(self) -> str:
        return f"<OtpLog of {self._test}: {len(self._crashes)} crashes>"

    # -- what there is -----------------------------------------------------------------------

    @property
    def crashes(self) -> tuple[CrashReport, ...]:
        """The crashes so far, oldest first, expected or not."""
        return tuple(self._crashes)

    @property
    def supervisor_reports(self) -> tuple[SupervisorReport, ...]:
        """What supervisors had to tell: ends of children, failed starts, giving up."""
        return tuple(self._supervisor)

    @property
    def notices(self) -> tuple[NoticeReport, ...]:
        """What else a person should know, as an unknown message."""
        return tuple(self._notices)

    @property
    def unexpected(self) -> tuple[CrashReport, ...]:
        """The crashes that the test does not know of."""
        return tuple(crash for crash in self._crashes if not self._knows(crash))

    def _knows(self, crash: CrashReport) -> bool:
        reason = crash.reason
        injected = getattr(type(reason), "injected", False)
        known = any(seen is reason or told_reason(None, seen) is reason for seen in self._seen)
        return injected or known or any(each is crash for each in self._expected)

    # -- what the test knows -----------------------------------------------------------------

    def expect_crash(
        self, reason: Any = object, *, of: Any = None, times: int | None = None
    ) -> AbstractContextManager[list[CrashReport]]:
        """Expect a crash while a plain `with` block runs.

        Args:
            reason: a pattern of the reason; any, if not given.
            of: who crashes: a name, a pid or a server class; anybody, if not given.
            times: how many such crashes there are to be; None for one or more.

        Returns:
            The block, which gives the list of the crashes, and fills it as they come.

        Raises:
            AssertionError: on leaving, there were none, or not as many.
            UsedAfterTest: the test is over.
            TypeError, ValueError: an argument is not accepted.
        """
        check_pattern("reason", reason)
        if of is not None:
            check_reference(of)
        if times is not None:
            check_whole("times", times, 0, " or None")
        return _Expectation(self, reason, of, times)

    def see(self, reason: object) -> None:
        """Record that the test knows of the crash with this very reason.

        Args:
            reason: the very object, as of `CrashReport.reason`.
        """
        self._seen.append(reason)
        if self._outer is not None:
            self._outer.see(reason)

    def expect(self, crash: CrashReport) -> None:
        """Record that the test has expected this crash.

        Args:
            crash: its report.
        """
        self._expected.append(crash)
        if self._outer is not None:
            self._outer.expect(crash)

    # -- listening ---------------------------------------------------------------------------

    def open(self) -> None:
        """Begin to listen."""
        self._open = True
        self._outer = runtime().extras.get(OtpLog)
        runtime().extras[OtpLog] = self
        for event, listen in self._listeners():
            runtime().events.attach(event, listen)

    def close(self) -> None:
        """Listen no more; what has come stays."""
        self._open = False
        runtime().extras[OtpLog] = self._outer
        for event, listen in self._listeners():
            runtime().events.detach(event, listen)

    def _listeners(self) -> tuple[tuple[str, Any], ...]:
        return (
            ("crash", self._crashes.append),
            ("supervisor", self._supervisor.append),
            ("notice", self._notices.append),
        )


class _Expectation(AbstractContextManager["list[CrashReport]"]):
    """The block of `expect_crash`; a class, so that a failure shows the line of the test."""

    def __init__(self, log: OtpLog, reason: Any, of: Any, times: int | None) -> None:
        self._log = log
        self._reason = reason
        self._of = of
        self._times = times
        self._before = 0
        self._reports_before = 0
        self._found: list[CrashReport] = []

    def __enter__(self) -> list[CrashReport]:
        if not self._log._open:
            raise UsedAfterTest("otp_log", self._log._test)
        self._before = len(self._log.crashes)
        self._reports_before = len(self._log.supervisor_reports)
        self._found = []
        runtime().events.attach("crash", self._listen)
        return self._found

    def _listen(self, crash: CrashReport) -> None:
        if _is_of(crash, self._of) and matches(self._reason, crash.reason):
            self._found.append(crash)
            self._log.expect(crash)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        runtime().events.detach("crash", self._listen)
        count, times = len(self._found), self._times
        if error is None and not (count if times is None else count == times):
            text = _wanted(self._reason, self._of, times, count)
            there = crashes_text(self._log._crashes[self._before :])
            starts = failed_starts_text(self._log._supervisor[self._reports_before :])
            raise AssertionError(f"{text}\n{there}{starts}")


def note_seen(reason: object) -> None:
    """Record, if a test is going on, that it knows of the crash with this very reason."""
    log: OtpLog | None = runtime().extras.get(OtpLog)
    if log is not None:
        log.see(reason)


def note_seen_ends(supervisor: object, child_id: object) -> None:
    """Record, if a test is going on, that it knows of the ends of a child so far."""
    log: OtpLog | None = runtime().extras.get(OtpLog)
    if log is not None:
        for report in log.supervisor_reports:
            if report.supervisor is supervisor and report.child_id == child_id:
                log.see(report.reason)


def crashes_text(crashes: list[CrashReport]) -> str:
    """List crashes, oldest first, one a line."""
    if not crashes:
        return "there was no crash while the block ran"
    return "\n".join(["crashes:", *(f"  {crash_text(crash)}" for crash in crashes)])


def failed_starts_text(reports: list[SupervisorReport]) -> str:
    """Describe the last start that failed: it is logged as an error, but is no crash."""
    failed = [report for report in reports if report.context == "start_error"]
    if not failed:
        return ""
    last, number = failed[-1], len(failed)
    return (
        f"\na start that fails is no crash and need not be expected; {number} failed, see "
        f"otp_log.supervisor_reports, the last was {bounded(last.child_id)}: {bounded(last.reason)}"
    )


def crash_text(crash: CrashReport) -> str:
    """Describe in a line who crashed, why, and with what in hand."""
    who = shown_text(crash.label) if crash.pid is None else repr(crash.pid)
    hand = "" if crash.last_message is None else f", message in hand: {crash.last_message}"
    return f"{who}: {bounded(crash.reason)}{hand}"


def _is_of(crash: CrashReport, of: Any) -> bool:
    """Check whether a crash is that of a process, name or class."""
    if of is None:
        return True
    is_class = isinstance(of, type) and f"{of.__module__}.{of.__qualname__}" == crash.initial_call
    return crash.pid is pid_of(of) or crash.name == of or is_class


def _wanted(reason: Any, of: Any, times: int | None, count: int) -> str:
    how_many = "a crash" if times is None else f"{times} crashes"
    who = "" if of is None else f" of {bounded(of)}"
    why = "" if reason is object else f" with {shown(reason)}"
    there = "there was none" if count == 0 else f"there were {count}"
    return f"expected {how_many}{who}{why}; {there}"
