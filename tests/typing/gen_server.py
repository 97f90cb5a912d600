"""What the checkers make of the plain OTP layer."""

from __future__ import annotations

from typing import Any, ClassVar, assert_type

import outcome

import trio_otp as otp
from tests.support.inside import Ignore  # noqa: TC001 - read by `assert_type`


class Counter(otp.GenServer, restart="transient", shutdown=2.0):
    """Answers with the types that the callbacks may have."""

    def __init__(self, start: int = 0) -> None:
        self.count = start
        self.waiting: list[otp.From[int]] = []

    async def init(self) -> otp.NoReply | otp.Stop | None:
        return otp.NoReply(timeout=5.0, continue_="go")

    def handle_call(
        self, request: int, from_: otp.From[int]
    ) -> otp.Reply[int] | otp.NoReply | otp.Stop:
        if request == 0:
            return otp.Stop(otp.NORMAL, reply=self.count)
        if request < 0:
            self.waiting.append(from_)
            return otp.NoReply(continue_="later")
        return otp.Reply(self.count + request, timeout=1.0)

    async def handle_cast(self, message: int) -> None:
        self.count += message

    def handle_info(self, message: object) -> otp.Stop | None:
        match message:
            case otp.Down(ref=ref, pid=pid, reason=reason):
                assert_type(ref, otp.Monitor)
                assert_type(pid, otp.Ref)
                return otp.Stop(reason)
            case otp.Exit(pid=pid, reason=reason):
                assert_type(pid, otp.Pid[Any] | None)
                return otp.Stop(otp.Shutdown(reason))
            case _:
                return None

    async def handle_continue(self, token: str) -> None:
        assert token

    def terminate(self, reason: object) -> None:
        assert reason

    def format_status(self) -> dict[str, int]:
        return {"count": self.count}


class Idle(Counter):
    """Sleeps after a while."""

    hibernate_after: ClassVar[float | None] = 30.0


class NeverIdle(Idle):
    """Does not."""

    hibernate_after: ClassVar[float | None] = None


class WrongIdle(Counter):
    """Has a text where seconds are expected."""

    hibernate_after = "30 s"  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType, reportIncompatibleVariableOverride]


class Ignored(otp.GenServer):
    """Does not want to run."""

    def init(self) -> Ignore:
        return otp.IGNORE


class WrongOption(otp.GenServer, restart="transient"):
    """Options of the class statement are those of a child."""


async def check_calls(pid: otp.Pid[Counter]) -> None:
    """The plain functions take any reference and any request; the answer is Any."""
    assert_type(await otp.call(pid, 3), Any)
    assert_type(await otp.call("counter", 3, timeout=None), Any)
    assert_type(otp.cast(pid, 3), None)
    assert_type(otp.send(("via", "names", "counter"), 3), None)
    assert_type(await otp.stop(pid, otp.SHUTDOWN, timeout=1.0), None)
    await otp.call(7, 3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await otp.call(pid)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await otp.call(pid, 3, timeout="5")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def check_starts() -> None:
    """A start gives a pid that knows its class; a bare class stands for itself."""
    assert_type(await otp.start_link(Counter), otp.Pid[Counter])
    assert_type(await otp.start_link(otp.child(Counter, 3)), otp.Pid[Counter])
    assert_type(await otp.start(otp.child(Counter).having(name="c")), otp.Pid[Counter])
    assert_type(await otp.start_monitor(Counter), tuple[otp.Pid[Counter], otp.Monitor])
    await otp.start_link(Counter(3))  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    await otp.start(int)  # type: ignore[type-var] # pyright: ignore[reportCallIssue, reportArgumentType]


def check_reply(from_: otp.From[int]) -> None:
    """A From knows what it is answered with."""
    assert_type(otp.reply(from_, 3), bool)
    assert_type(from_.abandoned, bool)
    otp.reply(from_, outcome.Error(ValueError("no")))
    otp.reply(from_, "3")  # type: ignore[misc] # pyright: ignore[reportArgumentType]


def check_returns() -> None:
    """What callbacks return has a type of its own."""
    assert_type(otp.Reply(3), otp.Reply[int])
    assert_type(otp.Reply(b"v", timeout=1.0, continue_="x"), otp.Reply[bytes])
    assert_type(otp.NoReply(), otp.NoReply)
    assert_type(otp.Stop("reason", reply=3), otp.Stop)
    otp.Reply()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    otp.NoReply(3, 4, 5)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


class Right(otp.GenServer):
    """Callbacks may wait or not, and say what they return as exactly as they like."""

    async def init(self) -> otp.InitResult:
        return otp.NoReply(continue_="go")

    async def handle_call(self, request: int, from_: otp.From[str]) -> otp.CallResult[str]:
        return otp.Reply(str(request))

    def handle_cast(self, message: int) -> otp.Stop | None:
        return otp.Stop() if message else None

    async def handle_info(self, message: object) -> None:
        """Return nothing."""

    def handle_continue(self, token: str) -> otp.InfoResult:
        return otp.NoReply(timeout=1.0)


class Wrong(otp.GenServer):
    """What a callback must not return is a type error where it is written."""

    def init(self) -> str:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        return "ready"

    async def handle_call(self, request: int, from_: otp.From[int]) -> int:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        return request

    def handle_cast(self, message: int) -> otp.Reply[int]:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        return otp.Reply(message)

    async def handle_info(self, message: object) -> bool:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        return True

    def handle_continue(self, token: str) -> otp.CallResult[int]:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        return otp.Reply(1)


class WrongInside(otp.GenServer):
    """A wrong return within a body is one as well."""

    def handle_call(self, request: int, from_: otp.From[int]) -> otp.CallResult[int]:
        if request:
            return otp.Reply("text")  # type: ignore[arg-type] # pyright: ignore[reportReturnType]
        return request  # type: ignore[return-value] # pyright: ignore[reportReturnType]

    def handle_cast(self, message: int) -> otp.CastResult:
        return otp.Reply(message)  # type: ignore[return-value] # pyright: ignore[reportReturnType]


def check_pids(pid: otp.Pid, task: otp.Task) -> None:
    """A reference without a parameter is one of anything."""
    assert_type(pid, otp.Pid[Any])
    assert_type(task, otp.Task[Any])


def check_errors(exc: otp.CallError, started: otp.AlreadyStarted) -> None:
    """Errors carry what a caller decides by."""
    assert_type(exc.server, object)
    assert_type(exc.message, object)
    assert_type(exc.elapsed, float)
    assert_type(started.pid, Any)


def check_reasons(reason: object) -> str:
    """Exit reasons are data to match."""
    match reason:
        case otp.NORMAL | otp.SHUTDOWN:
            return "quiet"
        case otp.Shutdown(detail):
            assert_type(detail, object)
            return "quiet"
        case Exception():
            return "crash"
        case _:
            return "other"
