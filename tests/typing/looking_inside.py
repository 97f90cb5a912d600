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
