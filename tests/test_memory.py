"""What is over is let go at once, whatever else is still open; what is remembered holds no state.

Each test keeps one thing open, for longer than the test, and looks for what was done behind it. The
slow ones do so many times, and count the blocks of memory that Python has in use.
"""

from __future__ import annotations

import gc
import logging
import sys
import weakref
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import process_of, runtime

import trio_otp as otp
from trio_otp import task

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from inside import Timer

HOUR = 3600.0


class Payload:
    """Something that can be seen to be gone."""


class Kept:
    """Counts how many of some objects are still there."""

    def __init__(self) -> None:
        self._seen: list[weakref.ref[Any]] = []

    def watch(self, value: Any) -> Any:
        self._seen.append(weakref.ref(value))
        return value

    def payloads(self, count: int) -> Iterator[Payload]:
        for _ in range(count):
            yield self.watch(Payload())

    def __len__(self) -> int:
        gc.collect()
        return sum(seen() is not None for seen in self._seen)


class Desk(otp.GenServer):
    """Answers at once, except for `wait`, which it never does."""

    def handle_call(self, request: Any, from_: Any) -> Any:
        return otp.NoReply() if request == "wait" else otp.Reply(None)


async def answered_calls(timeout: float | None, count: int) -> int:
    """Call beside a long poll with the same time-out; give how many requests are left."""
    kept = Kept()
    desks = [otp.child(Desk).having(name=name) for name in ("desk", "poll")]
    async with otp.open_supervisor(desks), trio.open_nursery() as nursery:
        nursery.start_soon(partial(otp.call, "poll", "wait", timeout=timeout))
        await trio.testing.wait_all_tasks_blocked()
        for payload in kept.payloads(count):
            await otp.call("desk", payload, timeout=timeout)
        del payload
        await trio.testing.wait_all_tasks_blocked()  # Trio holds what a task woke with until then
        left = len(kept)
        nursery.cancel_scope.cancel()
    return left


async def test_answered_calls_are_let_go_beside_a_long_poll() -> None:
    """A request is forgotten with its answer, also if an older one of the same time-out waits."""
    assert [0, 0, 0] == [await answered_calls(timeout, 50) for timeout in (None, 5.0, HOUR)]


async def test_calls_that_were_given_up_are_let_go_beside_a_long_poll() -> None:
    """So is a request whose caller was cancelled, and that has been handled."""
    kept = Kept()
    desks = [otp.child(Desk).having(name=name) for name in ("desk", "poll")]
    async with otp.open_supervisor(desks), trio.open_nursery() as nursery:
        nursery.start_soon(partial(otp.call, "poll", "wait", timeout=HOUR))
        await trio.testing.wait_all_tasks_blocked()
        for payload in kept.payloads(20):
            with trio.CancelScope() as scope:
                scope.cancel()
                await otp.call("desk", payload, timeout=HOUR)
        del payload
        await trio.testing.wait_all_tasks_blocked()
        assert 0 == len(kept)
        nursery.cancel_scope.cancel()


async def test_requests_whose_answers_were_taken_let_go_of_the_server() -> None:
    """An id that its owner keeps does not keep the server that has answered it."""
    kept = Kept()
    ids: list[otp.RequestId] = []
    async with otp.open_supervisor([otp.child(otp.DynamicSupervisor).having(name="desks")]):
        for _ in range(10):
            desk = await otp.start_child("desks", otp.child(Desk).having(restart="temporary"))
            kept.watch(await otp.sys.get_state(desk))
            ids.append(otp.send_request(desk, "ask"))
            await otp.receive_response(ids[-1])
            await otp.stop(desk)
        assert 0 == len(kept)


async def test_items_of_a_stream_are_let_go_beside_a_slow_one() -> None:
    """What was taken from a stream is forgotten while its first item, or another stream, runs."""
    kept = Kept()
    release = trio.Event()

    async def work(item: Any) -> None:
        if item == "slow":
            await release.wait()

    def items() -> Iterator[Any]:
        yield "slow"
        yield from kept.payloads(50)

    options: dict[str, Any] = {"timeout": HOUR, "ordered": False, "max_concurrency": 2}
    async with otp.open_process(), task.async_stream(items(), work, **options) as results:
        for _ in range(50):
            assert task.Ok(None) == await anext(results)
        assert len(kept) <= 1  # the generator still has the last one
        release.set()


async def test_killed_servers_are_let_go_beside_a_stuck_one(autojump_clock: Any) -> None:
    """One that will not die is watched for a second, and keeps no other that is killed then."""
    kept = Kept()

    async def stuck() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(0.5)

    async with trio.open_nursery() as nursery:
        otp.exit(otp.spawn(stuck, nursery=nursery), otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        async with otp.open_supervisor([otp.child(otp.DynamicSupervisor).having(name="desks")]):
            for _ in range(10):
                desk = await otp.start_child("desks", otp.child(Desk).having(restart="temporary"))
                kept.watch(await otp.sys.get_state(desk))
                otp.exit(desk, otp.KILL)
                await trio.testing.wait_all_tasks_blocked()
            assert 0 == len(kept)


async def test_starts_are_let_go_beside_a_slow_one() -> None:
    """A start that is over leaves nothing under its time-out while an older one goes on."""
    kept = Kept()

    class Slow(otp.GenServer):
        async def init(self) -> None:
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery, otp.open_process():
        slow = otp.child(Slow).having(timeout=HOUR)
        nursery.start_soon(partial(otp.start, slow, nursery=nursery))
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(10):
            desk = await otp.start(otp.child(Desk).having(timeout=HOUR))
            kept.watch(await otp.sys.get_state(desk))
            await otp.stop(desk)
        del desk
        assert 0 == len(kept)
        nursery.cancel_scope.cancel()


async def by_kill(desk: otp.Pid[Any]) -> None:
    otp.exit(desk, otp.KILL)


async def by_terminate_child(desk: otp.Pid[Any]) -> None:
    await otp.terminate_child("desks", desk)


async def by_crash_of_handler(desk: otp.Pid[Any]) -> None:
    await otp.gen_event.sync_notify("events", desk)
    await otp.stop(desk)


async def by_failed_replace(desk: otp.Pid[Any]) -> None:
    with pytest.raises(otp.CallbackFailed):
        await otp.sys.replace_state(desk, fail)
    await otp.stop(desk)


def fail(state: object) -> None:
    raise LookupError(state)


class Crasher(otp.GenEvent):
    """Crashes at each event, with something in its hands."""

    def __init__(self, payload: Payload) -> None:
        self.payload = payload

    def handle_event(self, event: Any) -> None:
        raise LookupError(event)


@pytest.mark.parametrize(
    "end",
    [
        by_kill,
        by_terminate_child,
        by_failed_replace,
        # On 3.12 and later the handler is freed by the garbage collector only.
        *([by_crash_of_handler] if sys.version_info < (3, 12) else []),
    ],
)
async def test_a_state_is_freed_at_once(end: Callable[[otp.Pid[Any]], Awaitable[None]]) -> None:
    """No frame of the library holds on to the error that ends it, so no collector is needed."""
    otp.events.detach("crash", otp.reports.log_crash)  # pytest keeps what is logged
    seen: list[weakref.ref[Any]] = []
    children = [
        otp.child(otp.DynamicSupervisor).having(name="desks"),
        otp.child(otp.EventManager).having(name="events"),
    ]
    async with otp.open_supervisor(children):
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                desk = await otp.start_child("desks", otp.child(Desk).having(restart="temporary"))
                seen.append(weakref.ref(await otp.sys.get_state(desk)))
                crasher = Crasher(Payload())
                seen.append(weakref.ref(crasher.payload))
                await otp.gen_event.add_handler("events", crasher)
                del crasher
                await end(desk)
                if end is not by_crash_of_handler:
                    await otp.gen_event.delete_handler("events", Crasher)
            await trio.testing.wait_all_tasks_blocked()
            assert [None] * 6 == [each() for each in seen]
        finally:
            gc.enable()


def send(me: otp.Pid[Any], payload: Any) -> Timer:
    return otp.send_after(me, payload, HOUR)


async def test_timers_that_are_over_hold_nothing() -> None:
    """Neither the service nor a handle keeps a message that was cancelled, or its receiver."""
    kept = Kept()
    async with otp.open_process() as me:
        send(me, "stays")
        handles = [send(me, payload) for payload in kept.payloads(20)]
        for handle in handles:
            otp.cancel_timer(handle)
        desk = await otp.start_link(Desk)
        kept.watch(await otp.sys.get_state(desk))
        handles.extend(send(desk, payload) for payload in kept.payloads(20))
        await otp.stop(desk)
        del desk, handle
        assert 0 == len(kept)
        assert [None] * 40 == [otp.read_timer(handle) for handle in handles]


async def test_a_process_does_not_keep_the_timers_it_has_cancelled() -> None:
    """A server that sets a timer with each message and takes it back stays as small as it was."""
    async with otp.open_process() as me:
        handles = [send(me, "never"), otp.send_interval(me, "never", HOUR)]
        for handle in handles:
            otp.cancel_timer(handle)
        assert [] == [each for each in process_of(me).timers or () if each in handles]


async def test_monitors_that_are_over_hold_nothing() -> None:
    """A reference that its owner keeps does not keep the process that it was about."""
    kept = Kept()
    async with otp.open_process():
        refs: list[Any] = []
        for _ in range(10):
            desk = await otp.start(Desk)
            kept.watch(await otp.sys.get_state(desk))
            refs.append(otp.monitor(desk))
            await otp.stop(desk)
            assert otp.NORMAL is (await otp.receive()).reason
        del desk
        assert 0 == len(kept)
        assert [False] * 10 == [otp.demonitor(ref) for ref in refs]


async def test_what_was_due_is_let_go_when_its_time_has_come(autojump_clock: Any) -> None:
    """Time-outs that were met in any order leave no queue behind."""
    async with otp.open_process():
        desk = await otp.start(Desk)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(timed_out, partial(otp.call, desk, "wait", timeout=7))
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(100):
                await otp.call(desk, "ask", timeout=7)
            assert [1] == [len(fifo) for fifo in runtime().timers._fifos.values() if fifo]
        assert {} == runtime().timers._fifos


async def timed_out(call: Callable[[], Awaitable[Any]]) -> None:
    try:
        await call()
    except otp.CallTimeout:
        return
    raise AssertionError("it was answered")


# -- a million times -------------------------------------------------------------------------------

GROWTH = 3000  # blocks of memory; one that is kept for each round would be twenty times as many


class Crashing(otp.GenServer):
    """Has a state that would be noticed if it were kept."""

    def __init__(self) -> None:
        self.data = bytearray(1000)

    def handle_cast(self, message: Any) -> None:
        raise ValueError(message, self.data)


async def calls(count: int) -> None:
    """Call a server, with the time-out of the long poll and with one that is used for once."""
    for number in range(count):
        await otp.call("desk", [number], timeout=HOUR)
        if number % 100 == 0:
            await otp.call("desk", [number], timeout=HOUR + number)


async def requests(count: int) -> None:
    """Ask by id, and take the answers from a collection."""
    ids = otp.RequestIds()
    for number in range(count):
        ids.send("desk", [number])
        await ids.receive(timeout=HOUR)


async def crashes(count: int) -> None:
    """Let servers that are started for once crash under a supervisor."""
    child = otp.child(Crashing).having(restart="temporary", timeout=HOUR)
    for number in range(count):
        pid = await otp.start_child("many", child)
        otp.cast(pid, number)
        await trio.testing.wait_all_tasks_blocked()


async def restarts(count: int) -> None:
    """Let one server crash and be restarted."""
    for number in range(count):
        otp.cast("crashing", number)
        await trio.testing.wait_all_tasks_blocked()


async def time_outs(count: int) -> None:
    """Let calls that nobody answers time out, one by one and side by side."""
    for number in range(count):
        await timed_out(partial(otp.call, "poll", "wait", timeout=1 + number % 3))


async def timers(count: int) -> None:
    """Set timers, and cancel them or let their owner end."""
    async with otp.open_process() as me:
        for number in range(count):
            otp.cancel_timer(otp.send_after(me, [number], HOUR))
            otp.demonitor(otp.monitor("desk"))


async def items(count: int) -> None:
    """Take the results of a stream, beside one whose first item is slow."""

    async def work(number: int) -> int:
        return number

    async with task.async_stream(range(count), work, timeout=HOUR) as results:
        async for result in results:
            assert isinstance(result, task.Ok)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rounds", "count"),
    [
        (calls, 300_000),
        (requests, 100_000),
        (crashes, 60_000),
        (restarts, 60_000),
        (time_outs, 60_000),
        (timers, 300_000),
        (items, 60_000),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_memory_stays_flat_beside_a_long_poll(
    rounds: Callable[[int], Awaitable[None]], count: int
) -> None:
    """What is done so many times while one old call waits leaves nothing behind."""
    trio.run(measured, rounds, count, clock=trio.testing.MockClock(autojump_threshold=0))


def blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()


async def measured(rounds: Callable[[int], Awaitable[None]], count: int) -> None:
    """Do it, and compare the memory in use after the first hundredth and after the rest."""
    otp.events.detach("crash", otp.reports.log_crash)
    otp.events.detach("supervisor", otp.reports.log_supervisor)
    desks = [otp.child(Desk).having(name=name) for name in ("desk", "poll")]
    children = [
        *desks,
        otp.child(Crashing).having(name="crashing", shutdown=HOUR),
        otp.child(otp.DynamicSupervisor).having(name="many"),
    ]
    logging.getLogger("trio_otp").info("%d of %s", count, rounds.__name__)
    options: dict[str, Any] = {"max_restarts": 3 * count, "max_seconds": 1}
    async with otp.open_supervisor(children, **options), trio.open_nursery() as nursery:
        for timeout in (HOUR * 10_000, None):
            nursery.start_soon(partial(otp.call, "poll", "wait", timeout=timeout))
        for timeout in (5.0, HOUR):  # those would time out while virtual time passes
            if rounds is not time_outs:
                nursery.start_soon(partial(otp.call, "poll", "wait", timeout=timeout))
        await trio.testing.wait_all_tasks_blocked()
        await rounds(count // 100)
        before = blocks()
        await rounds(count)
        assert blocks() - before < GROWTH
        nursery.cancel_scope.cancel()


# -- a flood -----------------------------------------------------------------------------------


async def flood(count: int) -> None:
    """Send far more than fits to a server that is held up, in every way that does not wait."""
    for number in range(count):
        for send in (otp.cast, otp.send):
            with suppress(otp.MailboxFull):
                send("held", [number])
        if number % 100 == 0:
            with suppress(otp.MailboxFull, otp.CallTimeout):
                await otp.call("held", [number], timeout=0.001)


async def flooded(count: int, on_full: Any) -> int:
    """Return how many blocks of memory the last million messages have left behind."""

    class Held(otp.GenServer):
        async def handle_cast(self, message: Any) -> None:
            await trio.sleep_forever()

    bound = otp.BoundedMailbox(1000, on_full=on_full)
    async with otp.open_supervisor([otp.child(Held).having(name="held", mailbox=bound)]):
        otp.cast("held", "in hand")
        await trio.testing.wait_all_tasks_blocked()
        await flood(2000)
        before = blocks()
        await flood(count)
        left = blocks() - before
        assert 1000 == otp.send_end("held").statistics().current_buffer_used
        otp.exit(otp.whereis("held"), otp.KILL)  # type: ignore[arg-type]  # it is there
    return left


@pytest.mark.parametrize("on_full", ["reject", "wait", "drop_newest", "drop_oldest"])
@pytest.mark.parametrize("count", [5_000, pytest.param(500_000, marks=pytest.mark.slow)])
def test_a_flood_against_a_bound_of_1000_leaves_memory_flat(on_full: str, count: int) -> None:
    """Twice as many messages, and calls that give up: none of them stays."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    assert trio.run(flooded, count, on_full, clock=clock) < GROWTH
