"""What type checkers make of `otp.sys`, request ids and special processes."""

from __future__ import annotations

from typing import Any, assert_type

import outcome

import trio_otp as otp


async def looks() -> None:
    """Each form of a function gives what it says."""
    assert_type(await otp.sys.get_status("a"), otp.sys.Status)
    assert_type(await otp.sys.log("a", "get"), tuple[otp.sys.DebugEvent, ...])
    assert_type(await otp.sys.statistics("a", "get"), otp.sys.Statistics | None)
    await otp.sys.log("a", 5)
    await otp.sys.log_to_file("a", False)
    await otp.sys.log("a", "all")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    await otp.sys.change_code("a", int)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def asks() -> None:
    """Requests have ids, and answers are outcomes."""
    request_id = otp.send_request("a", 1)
    assert_type(request_id, otp.RequestId)
    assert_type(otp.check_response(request_id), outcome.Outcome[Any] | None)
    ids = otp.RequestIds()
    assert_type(await ids.receive(), tuple[Any, outcome.Outcome[Any]] | None)
    assert_type(await otp.multi_call(["a", "b"], 1), otp.MultiReply)
    otp.send_request(5, 1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def loops() -> None:
    """`receive` of a special process gives the type it is asked for."""
    me = otp.SpecialProcess(state=0)
    assert_type(await me.receive(int), int)
    assert_type(await me.receive(), Any)


def monitors() -> None:
    """What was set before can be set again."""
    before = otp.system_monitor(long_schedule=0.5, long_message_queue=(10, 100))
    assert_type(before, otp.MonitorOptions)
    otp.system_monitor(**before)
    otp.system_monitor(long_schedule="1 s")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    otp.events.attach("system_monitor", tell)


def tell(report: otp.events.LongSchedule | otp.events.LongMessageQueue) -> None:
    """A listener tells them apart by their class."""
    if isinstance(report, otp.events.LongSchedule):
        assert_type(report.seconds, float)
    else:
        assert_type(report.length, int)


async def slow() -> None:
    """A time-out has what the server was doing."""
    try:
        await otp.call("a", 1)
    except otp.CallTimeout as exc:
        assert_type(exc.doing, str)
