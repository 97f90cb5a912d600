"""Any async function as a child: when it has started, what its end is, how it is stopped."""

from __future__ import annotations

import functools
import socket
from typing import Any

import pytest
import trio
from inside import runtime
from supervision_kit import (
    Boom,
    Journal,
    Reports,
    gives_up,
    kill,
    leftovers,
    settle,
    statuses,
    worker,
)

import trio_otp as otp


async def forever(journal: Journal, tag: str = "f") -> None:
    """Write down start and end."""
    journal.append(f"+{tag}")
    try:
        await trio.sleep_forever()
    finally:
        journal.append(f"-{tag}")


async def ends(journal: Journal) -> None:
    """End normally, at once."""
    journal.append("ran")


async def announces(
    journal: Journal, takes: float, *, task_status: Any = trio.TASK_STATUS_IGNORED
) -> None:
    """Take some time until it has started."""
    await trio.sleep(takes)
    task_status.started(f"after {takes:g} s")
    await forever(journal, "announced")


# -- plain functions -------------------------------------------------------------------------------


async def test_a_function_runs_as_a_child_and_is_cancelled_at_the_end() -> None:
    """It has a pid, is listed by its name, and its `finally` runs in the order of shutdown."""
    journal = Journal()
    children = [worker("a", journal), otp.child(forever, journal), worker("b", journal)]
    async with otp.open_supervisor(children) as sup:
        await settle()
        assert {"a": "running", "forever": "running", "b": "running"} == statuses(
            await otp.which_children(sup)
        )
        journal.clear()
    assert ["-b", "=b", "-f", "-a", "=a"] == journal
    assert [] == leftovers()


async def test_a_function_is_a_process() -> None:
    """It has a pid and a mailbox, and receives under its name."""
    got: list[object] = []

    async def receiver() -> None:
        while True:
            got.append(await otp.receive())

    async with otp.open_supervisor([otp.child(receiver).having(name="r")]):
        otp.send("r", "hello")
        await settle()
        otp.send(otp.whereis("r"), "again")  # type: ignore[arg-type]
        await settle()
    assert ["hello", "again"] == got


async def test_the_arguments_are_exactly_those_of_the_function() -> None:
    """Positional and keyword arguments of any name, those of options included."""
    seen: list[object] = []

    async def takes(*args: object, name: str, shutdown: int, restart: bool) -> None:
        seen.append((args, name, shutdown, restart))
        await trio.sleep_forever()

    child = otp.child(takes, 1, 2, name="n", shutdown=3, restart=True).having(name="other")
    async with otp.open_supervisor([child]):
        await settle()
    assert [((1, 2), "n", 3, True)] == seen


async def test_partials_and_methods_are_functions_too() -> None:
    """Whatever can be called with the arguments and gives something to await."""
    journal = Journal()

    class Service:
        async def run(self, tag: str) -> None:
            await forever(journal, tag)

        async def __call__(self) -> None:
            await forever(journal, "called")

    children = [
        otp.child(Service().run, "method"),
        otp.child(functools.partial(forever, journal), "partial").having(id=2),
        otp.child(Service()).having(id=3),
    ]
    async with otp.open_supervisor(children):
        await settle()
        assert {"+method", "+partial", "+called"} == set(journal)


@pytest.mark.parametrize(
    ("restart", "expected"), [("permanent", 4), ("transient", 1), ("temporary", 1)]
)
async def test_a_function_that_returns_has_ended_normally(restart: Any, expected: int) -> None:
    """A permanent one is started again, and counted, until it is too much."""
    journal = Journal()
    child = otp.child(ends, journal).having(restart=restart)
    if restart == "permanent":
        async with gives_up([child]) as (sup, caught):
            await sup.wait()
        assert [otp.NORMAL] * 4 == [why for _, _, why in caught.value.history]
    else:
        async with otp.open_supervisor([child]):
            await settle()
    assert ["ran"] * expected == journal


async def test_a_function_that_raises_has_crashed() -> None:
    """It is restarted; the crash is reported with the error as it was raised."""
    crashes = [Boom("first"), None]

    async def fragile() -> None:
        if (crash := crashes.pop(0)) is not None:
            raise crash
        await trio.sleep_forever()

    async with otp.open_supervisor() as sup:
        reports, ends_ = Reports("crash"), Reports()
        crash = crashes[0]
        await otp.start_child(sup, otp.child(fragile))
        await settle()
        assert [crash] == [report.reason for report in reports]
        assert [crash] == [report.reason for report in ends_]
        assert [1] == [info.restarts for info in await otp.which_children(sup)]


async def test_a_crash_in_a_nursery_of_the_function_is_told_bare() -> None:
    """The group of one that Trio makes of it is not the reason; a group of many is."""
    many = ExceptionGroup("many", [Boom(1), Boom(2)])

    async def raises(error: Exception) -> None:
        raise error

    async def nursed(error: Exception) -> None:
        async with trio.open_nursery() as outer, trio.open_nursery() as inner:
            inner.start_soon(raises, error)
            outer.start_soon(trio.sleep_forever)

    for error, expected in ((Boom("one"), Boom), (many, ExceptionGroup)):
        async with otp.open_supervisor() as sup:
            reports = Reports()
            await otp.start_child(sup, otp.child(nursed, error).having(restart="temporary"))
            await settle()
            assert [expected] == [type(report.reason) for report in reports]


async def test_a_function_that_swallows_its_cancellation_has_ended_as_it_was_told() -> None:
    """Its reason is SHUTDOWN, whatever it does afterwards."""

    async def stubborn() -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            raise Boom from None

    exits: list[object] = []
    async with otp.open_supervisor([otp.child(stubborn)]):
        await settle()
        reports = Reports()
        runtime().events.attach("process_exit", lambda pid, reason: exits.append(reason))
    assert [] == reports
    assert [otp.SHUTDOWN, otp.SHUTDOWN] == exits


async def test_a_function_that_traps_exits_is_asked_by_a_message(autojump_clock: Any) -> None:
    """It can end in its own time, within its limit."""
    journal = Journal()

    async def polite(answers: bool) -> None:
        otp.trap_exit()
        message = await otp.receive(otp.Exit)
        journal.append(f"asked: {message.reason!r}")
        if not answers:
            await trio.sleep_forever()

    children = [
        otp.child(polite, True).having(id=1),
        otp.child(polite, False).having(id=2, shutdown=2),
    ]
    async with otp.open_supervisor(children):
        await settle()
        reports = Reports()
    assert ["asked: SHUTDOWN"] * 2 == journal
    assert [("shutdown_error", 2), ("shutdown_error", 1)] == reports.contexts
    assert 2.0 == trio.current_time()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
async def test_what_is_not_ours_is_never_restarted(error: type[BaseException]) -> None:
    """It leaves the block bare, and the function ran once."""
    journal = Journal()

    async def raises() -> None:
        journal.append("ran")
        raise error

    with pytest.raises(error):
        async with otp.open_supervisor([worker("a", journal), otp.child(raises)]):
            await trio.sleep_forever()
    assert ["+a", "ran", "-a", "=a"] == journal


# -- task_status -----------------------------------------------------------------------------------


async def test_a_function_with_task_status_has_started_when_it_says_so(autojump_clock: Any) -> None:
    """The next child waits for it; what it gave is kept."""
    journal = Journal()
    children = [
        otp.child(announces, journal, 3.0).having(name="n"),
        worker("b", journal),
    ]
    async with otp.open_supervisor(children):
        assert 3.0 == trio.current_time()
        assert "after 3 s" == otp.process_info("n").started
        await settle()
        assert {"+announced", "+b"} == set(journal)


async def test_a_value_of_task_status_is_that_of_the_present_incarnation() -> None:
    """After a restart it is the new one."""
    values = [1, 2]

    async def counts(task_status: Any) -> None:
        task_status.started(values.pop(0))
        await trio.sleep_forever()

    async with otp.open_supervisor([otp.child(counts).having(name="c")]):
        assert 1 == otp.process_info("c").started
        await kill("c")
        assert 2 == otp.process_info("c").started


@pytest.mark.parametrize("ends_how", ["returns", "raises", "exits"])
async def test_a_function_that_ends_before_it_says_so_did_not_start(ends_how: str) -> None:
    """Returning is an error of its own; a crash and an exit are told as they are."""

    async def quits(*, task_status: Any) -> None:
        if ends_how == "raises":
            raise Boom
        if ends_how == "exits":
            otp.exit("odd")

    async with otp.open_supervisor() as sup:
        with pytest.raises(otp.StartError) as caught:
            await otp.start_child(sup, otp.child(quits))
        expected: Any = {"returns": RuntimeError, "raises": Boom, "exits": str}[ends_how]
        assert isinstance(caught.value.reason, expected)
        assert [] == await otp.which_children(sup)


async def test_a_function_that_says_so_twice_has_crashed() -> None:
    """As with a nursery's `start`."""

    async def eager(*, task_status: Any) -> None:
        task_status.started()
        task_status.started()

    async with otp.open_supervisor() as sup:
        reports = Reports("crash")
        await otp.start_child(sup, otp.child(eager).having(restart="temporary"))
        await settle()
        assert ["task_status.started() was called twice"] == [str(r.reason) for r in reports]


async def test_a_start_that_never_says_so_is_ended_by_its_time_out(autojump_clock: Any) -> None:
    """Its `finally` has run by then."""
    journal = Journal()

    async def mute(*, task_status: Any) -> None:
        await forever(journal)

    async with otp.open_supervisor() as sup:
        with pytest.raises(otp.StartError) as caught:
            await otp.start_child(sup, otp.child(mute).having(timeout=2))
        assert otp.TIMEOUT is caught.value.reason
    assert ["+f", "-f"] == journal
    assert 2.0 == trio.current_time()


async def test_a_task_status_of_the_user_is_left_alone() -> None:
    """If it is among the arguments, the function has started at once."""
    seen: list[object] = []

    class Mine:
        def started(self, value: object = None) -> None:
            seen.append(value)

    async with otp.open_supervisor([otp.child(announces, Journal(), 0, task_status=Mine())]):
        await settle()
    assert ["after 0 s"] == seen


# -- what is not accepted --------------------------------------------------------------------------


def test_arguments_that_do_not_fit_are_refused_where_they_are_written() -> None:
    """The error shows the function and its signature."""
    for make in (
        lambda: otp.child(forever),
        lambda: otp.child(forever, Journal(), "t", 3),
        lambda: otp.child(forever, Journal(), tags="t"),
    ):
        with pytest.raises(TypeError, match=r"forever: .*; it is forever\(journal"):
            make()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("junk", [None, "forever", 3])
def test_what_cannot_be_called_is_refused(junk: Any) -> None:
    """The error says how a child is written."""
    with pytest.raises(TypeError, match=r"write otp\.child\(.*\)"):
        otp.child(junk)


def test_a_child_of_a_child_is_refused() -> None:
    """Options are given by `having`."""
    with pytest.raises(TypeError, match="is already a child"):
        otp.child(otp.child(forever, Journal()))


def test_a_class_that_is_no_behaviour_is_refused() -> None:
    """It would be called and its instance thrown away."""
    with pytest.raises(TypeError, match="expected a GenServer, a Supervisor or another behaviour"):
        otp.child(dict)  # type: ignore[call-overload]


async def test_a_plain_function_that_only_its_call_betrays_does_not_start() -> None:
    """It fails its start and is not run again; the reason says what it returned."""
    runs: list[int] = []

    def counted() -> Any:
        runs.append(1)
        return len(runs)

    with pytest.raises(otp.StartError) as caught:
        async with otp.open_supervisor([counted]):
            raise AssertionError("the block must not be entered")
    told = "counted returned 1; expected an async function; for one that blocks write"
    assert f"{told} otp.child(otp.WorkerThread, counted)" in str(caught.value)
    assert [1] == runs


# -- real sockets ----------------------------------------------------------------------------------


async def shout(stream: trio.SocketStream) -> None:
    """Answer each line in capitals; a line `crash` crashes the listener's nursery."""
    async for data in stream:
        if data == b"crash\n":
            raise Boom("handler")
        await stream.send_all(data.upper())


async def ask(port: int, line: bytes) -> bytes:
    """Send a line over a connection of its own and give the answer."""
    with trio.fail_after(30):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(line)
            return bytes(await stream.receive_some())


def port_of(name: str) -> int:
    """Return the port on which a named `trio.serve_tcp` listens."""
    (listener,) = otp.process_info(name).started
    port: int = listener.socket.getsockname()[1]
    return port


async def test_a_tcp_server_of_trio_is_a_child_as_it_is() -> None:
    """Its listeners are there once the supervisor has started, and closed when it has ended."""
    endpoint = otp.child(trio.serve_tcp, shout, 0, host="127.0.0.1").having(name="tcp")
    async with otp.open_supervisor([endpoint]):
        port = port_of("tcp")
        assert b"HELLO\n" == await ask(port, b"hello\n")
    with pytest.raises(OSError, match="all attempts to connect"):
        await ask(port, b"hello\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", port))


async def test_a_tcp_server_that_crashes_is_restarted_on_the_same_port() -> None:
    """A handler that raises takes the listener down; the supervisor brings it back."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    endpoint = otp.child(trio.serve_tcp, shout, port, host="127.0.0.1").having(name="tcp")
    async with otp.open_supervisor([endpoint]) as sup:
        reports, restarted = Reports(), trio.Event()
        runtime().events.attach("progress", lambda _: restarted.set())
        assert b"" == await ask(port, b"crash\n")
        with trio.fail_after(30):
            await restarted.wait()
        assert port == port_of("tcp")
        assert b"AGAIN\n" == await ask(port, b"again\n")
        assert [Boom] == [type(report.reason) for report in reports]
        assert [1] == [info.restarts for info in await otp.which_children(sup)]


async def test_open_connections_are_closed_by_the_end_of_the_server() -> None:
    """The clients see the end; the supervisor does not wait for them."""
    endpoint = otp.child(trio.serve_tcp, shout, 0, host="127.0.0.1").having(name="tcp")
    with trio.fail_after(30):
        async with otp.open_supervisor([endpoint]) as sup:
            stream = await trio.open_tcp_stream("127.0.0.1", port_of("tcp"))
            await stream.send_all(b"x\n")
            assert b"X\n" == await stream.receive_some()
            await otp.terminate_child(sup, "tcp")
            assert b"" == await stream.receive_some()
            await stream.aclose()


async def test_a_port_that_is_taken_is_a_failed_start() -> None:
    """The error of the operating system is the reason."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = otp.child(trio.serve_tcp, shout, taken.getsockname()[1], host="127.0.0.1")
        with pytest.raises(otp.StartError) as caught:
            async with otp.open_supervisor([endpoint]):
                raise AssertionError("the block must not be entered")
    assert isinstance(caught.value.reason.detail.reason, OSError)  # type: ignore[attr-defined]
