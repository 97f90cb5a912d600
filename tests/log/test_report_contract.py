"""Exactly which reports an end produces, in which order, and with which keys: as on OTP 25.

Where OTP has two reports of a crash, of the server and of `proc_lib`, there is one here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from trio_otp.events import Report


class Server(otp.GenServer):
    """Ends as it is told."""

    def __init__(self, last: str = "") -> None:
        self.last = last

    def init(self) -> Any:
        otp.trap_exit()
        if self.last == "fail":
            raise otp.StartError("no")

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        if isinstance(request, BaseException):
            raise request
        return otp.Stop(request, reply="bye")

    async def terminate(self, reason: object) -> None:
        if self.last == "hang":
            await trio.sleep(100)
        if self.last == "bad":
            otp.exit("bad")


class Heard(list["Report"]):
    """All reports of a run."""

    def __init__(self) -> None:
        super().__init__()
        for event in ("crash", "supervisor", "progress"):
            otp.events.attach(event, self.append)  # type: ignore[arg-type]

    @property
    def kinds(self) -> list[str]:
        return [report.kind.removeprefix("supervisor.") for report in self]


def child(last: str = "", **options: Any) -> otp.Child[Server]:
    return otp.child(Server, last).having(name="a", **options)


async def end(reason: object) -> None:
    """Let the server end in a call."""
    with_crash = isinstance(reason, BaseException)
    if with_crash:
        with pytest.raises(otp.ServerExited):
            await otp.call("a", reason)
    else:
        assert "bye" == await otp.call("a", reason)
    await wait_all_tasks_blocked()


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize(
    "reason", [otp.NORMAL, otp.SHUTDOWN, otp.Shutdown("x"), "odd", ValueError("boom")], ids=repr
)
async def test_the_end_of_a_server(restart: Any, reason: object) -> None:
    """A crash has a report of its own; the supervisor tells what it is to know (LG-2, LG-3)."""
    heard = Heard()
    async with otp.open_supervisor([child(restart=restart)]):
        await end(reason)

        quiet = otp.is_quiet(reason)
        expected = ["progress"]
        expected += [] if quiet else ["crash"]
        expected += ["child_terminated"] if restart == "permanent" or not quiet else []
        again = restart == "permanent" or (restart == "transient" and not quiet)
        expected += ["progress"] if again else []
        assert expected == heard.kinds


@pytest.mark.parametrize(
    ("restart", "expected"),
    [
        ("permanent", ["progress", "child_terminated", "progress"]),
        ("transient", ["progress", "child_terminated", "progress"]),
        ("temporary", ["progress", "child_terminated"]),
    ],
)
async def test_a_kill(restart: Any, expected: list[str]) -> None:
    """The victim says nothing; its supervisor does (LG-4)."""
    heard = Heard()
    async with otp.open_supervisor([child(restart=restart)]):
        otp.exit("a", otp.KILL)
        await wait_all_tasks_blocked()

        assert expected == heard.kinds
        assert otp.KILLED is heard[1].as_dict()["reason"]


async def test_a_first_start_that_fails() -> None:
    """The supervisor tells which child it was; there is no child yet."""
    heard = Heard()

    async def program() -> None:
        async with otp.open_supervisor([child("fail")]):
            pass

    with pytest.raises(otp.StartError):
        await program()

    assert ["start_error"] == heard.kinds
    offender = heard[0].as_dict()["offender"]
    assert isinstance(offender, dict)
    assert (None, "a", (Server, ("fail",), {})) == tuple(
        offender[key] for key in ("pid", "id", "mfargs")
    )


async def test_a_start_that_was_asked_for_and_fails() -> None:
    """Whoever asked gets the error; nobody else is told."""
    heard = Heard()
    async with otp.open_supervisor([]) as sup:
        with pytest.raises(otp.StartError):
            await otp.start_child(sup, child("fail"))
    assert [] == heard.kinds


async def test_giving_up() -> None:
    """The last report says so, with OTP's word for the reason and the child that ended last."""
    heard = Heard()

    async def program() -> None:
        async with otp.open_supervisor([child()], max_restarts=0):
            await end(ValueError("boom"))
            await trio.sleep_forever()

    with pytest.raises(otp.SupervisorExited):
        await program()

    assert ["progress", "crash", "child_terminated", "shutdown"] == heard.kinds
    told = heard[-1].as_dict()
    assert "reached_max_restart_intensity" == told["reason"]
    assert heard[-2].as_dict()["offender"] == {**told["offender"], "pid": heard[0].pid}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("last", "options", "expected"),
    [
        ("", {}, ["progress"]),
        ("", {"shutdown": "brutal_kill"}, ["progress"]),
        ("hang", {"shutdown": 1}, ["progress", "shutdown_error"]),
        ("bad", {}, ["progress", "crash", "shutdown_error"]),
    ],
)
async def test_a_shutdown(
    last: str, options: Any, expected: list[str], autojump_clock: Any
) -> None:
    """Only a child that does not end as it was asked to is told of."""
    heard = Heard()
    async with otp.open_supervisor([child(last, **options)]):
        pass
    assert expected == heard.kinds


async def test_a_dynamic_supervisor_tells_no_progress() -> None:
    """It has many children that come and go (LG-6)."""
    async with otp.open_supervisor([otp.child(otp.DynamicSupervisor).having(name="dyn")]):
        heard = Heard()
        await otp.start_child("dyn", child())
        await end(ValueError("boom"))
        assert ["crash", "child_terminated"] == heard.kinds


async def test_a_failed_init_of_a_plain_start_is_not_told() -> None:
    """It is the error of its starter."""
    heard = Heard()
    async with otp.open_process():
        with pytest.raises(otp.StartError):
            await otp.start_link(child("fail"))
    assert [] == heard.kinds


# -- keys ------------------------------------------------------------------------------------------

OFFENDER = ["pid", "id", "mfargs", "restart_type", "significant", "shutdown", "child_type"]
CRASH = [
    "initial_call",
    "pid",
    "registered_name",
    "error_info",
    "ancestors",
    "message_queue_len",
    "links",
    "dictionary",
    "trap_exit",
    "neighbours",
    "last_message",
    "state",
    "client_info",
]


async def test_reports_have_the_keys_of_otp() -> None:
    """Whoever knows OTP's reports finds what stands in them."""
    heard = Heard()
    async with otp.open_supervisor([child(restart="transient", shutdown=2.0)]) as sup:
        a = otp.whereis("a")
        boom = ValueError("boom")
        await end(boom)
        progress, crash, terminated, _ = (report.as_dict() for report in heard)

    assert ["supervisor", "started"] == list(progress)
    assert ["supervisor", "errorContext", "reason", "offender"] == list(terminated)
    expected = [a, "a", (Server, ("",), {}), "transient", False, 2.0, "worker"]
    assert dict(zip(OFFENDER, expected, strict=True)) == progress["started"]
    assert progress["started"] == terminated["offender"]
    assert (sup.pid, "child_terminated", boom) == tuple(terminated.values())[:3]
    assert CRASH == list(crash)
    assert {
        "initial_call": f"{__name__}.Server",
        "pid": a,
        "registered_name": "a",
        "error_info": boom,
        "ancestors": (sup.pid,),
        "links": (sup.pid,),
        "trap_exit": True,
        "neighbours": (),
    }.items() <= crash.items()


async def test_a_supervisor_as_offender() -> None:
    """Its type and that it is significant are told."""
    heard = Heard()
    inner = otp.child(otp.Supervisor, []).having(id="in", significant=True, restart="temporary")
    async with otp.open_supervisor([inner], auto_shutdown="any_significant"):
        pass
    started = heard[0].as_dict()["started"]
    assert isinstance(started, dict)
    assert ("supervisor", True, None) == (
        started["child_type"],
        started["significant"],
        started["shutdown"],
    )


def test_the_other_reports_have_dicts_too() -> None:
    """Of applications with OTP's keys, of notices as they are."""
    started = otp.events.ApplicationReport("shop", "started")
    stopped = otp.events.ApplicationReport("shop", "stopped", otp.SHUTDOWN)
    exited = otp.events.ApplicationReport("shop", "exited", "why")
    assert ["application.started", "application.stopped", "application.exited"] == [
        report.kind for report in (started, stopped, exited)
    ]
    assert "shop" == started.as_dict()["application"]
    assert {"application": "shop", "exited": "stopped"} == stopped.as_dict()
    assert {"application": "shop", "exited": "why"} == exited.as_dict()
    notice = otp.events.NoticeReport(None, "text", detail={"stack": []})
    assert ("notice", {"pid": None, "text": "text", "stack": []}) == (
        notice.kind,
        notice.as_dict(),
    )
