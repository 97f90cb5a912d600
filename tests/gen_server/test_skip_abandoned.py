"""Calls whose callers gave up: handled as in OTP, unless method, class or bound says otherwise."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from flood_kit import Drops, as_process, in_task
from inside import process_of

import trio_otp as otp

SECONDS = 10.0  # that all calls take which come at a time


class Counts(otp.GenServer, restart="temporary"):
    """Has calls that take some virtual time, and counts them."""

    def __init__(self, clock: Any = None, takes: float = 0.0) -> None:
        self.clock = clock
        self.takes = takes
        self.handled: list[Any] = []
        self.gate = trio.Event()

    async def hold(self, what: Any) -> Any:
        await self.gate.wait()
        self.handled.append(what)
        return what

    async def handle_call(self, request: Any, from_: Any) -> Any:
        return otp.Reply(await self.hold(request))

    @otp.on_call(skip_abandoned=True)
    async def skips(self, what: Any) -> Any:
        return await self.hold(what)

    @otp.on_call
    async def keeps(self, what: Any) -> Any:
        return await self.hold(what)

    @otp.on_call_deferred(skip_abandoned=True)
    async def defers(self, from_: otp.From[Any], what: Any) -> None:
        otp.reply(from_, await self.hold(what))

    @otp.on_call(skip_abandoned=True, raises=(KeyError,))
    def works(self) -> None:
        self.clock.jump(self.takes)
        self.handled.append("worked")


class Skipping(Counts, skip_abandoned=True):
    """All of its calls are skipped."""


async def give_up(server: Any, *sends: Any) -> Counts:
    """Block a server, send calls whose callers give up, and one that waits; return its instance."""
    counts: Counts = process_of(server).instance
    async with trio.open_nursery() as nursery:
        in_task(nursery, otp.call, server, "in hand", timeout=None)
        await trio.testing.wait_all_tasks_blocked()
        for send in sends:
            with trio.move_on_after(1):
                await send()
        answer = in_task(nursery, otp.call, server, "waits", timeout=None)
        await trio.testing.wait_all_tasks_blocked()
        counts.gate.set()
    assert ["waits"] == answer
    return counts


@as_process
async def test_the_method_says_whether_a_call_is_skipped() -> None:
    """Deferred ones as well; each is counted and reported as dropped, with the reason."""
    drops = Drops()
    server = await otp.start_link(Counts)
    client = Counts.at(server)
    sends = [partial(client.skips, 1), partial(client.keeps, 2), partial(client.defers, 3)]
    counts = await give_up(server, *sends, partial(otp.call, server, 4))
    assert ["in hand", 2, 4, "waits"] == counts.handled
    assert ["skips(1)", "defers(3)"] == [
        repr(message)
        for message, why in zip(drops.messages, drops.reasons, strict=True)
        if why == "its caller has given up"
    ]


@pytest.mark.parametrize("way", ["class", "child"])
@as_process
async def test_the_class_or_the_child_says_so_for_all_calls(way: str) -> None:
    """`having(skip_abandoned=False)` undoes the class option."""
    child = otp.child(Skipping) if way == "class" else otp.child(Counts).having(skip_abandoned=True)
    server = await otp.start_link(child)
    counts = await give_up(
        server, partial(Counts.at(server).keeps, 1), partial(otp.call, server, 2)
    )
    assert ["in hand", "waits"] == counts.handled
    server = await otp.start_link(otp.child(Skipping).having(skip_abandoned=False))
    counts = await give_up(server, partial(Counts.at(server).keeps, 1))
    assert ["in hand", 1, "waits"] == counts.handled


@as_process
async def test_it_is_skipped_also_while_somebody_watches_or_holds_it_up() -> None:
    """A server under debugging skips them too, and emits no event."""
    server = await otp.start_link(Skipping)
    await otp.sys.log(server, True)
    await give_up(server, partial(otp.call, server, "gone"))
    events = await otp.sys.log(server, "get")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]  # as below
    assert "gone" not in repr(events)
    assert "waits" in repr(events)


@as_process
async def test_only_calls_to_the_server_itself_are_skipped() -> None:
    """A `From` that somebody passes on as a plain message is a message."""
    got: list[Any] = []

    class Takes(otp.GenServer, skip_abandoned=True):
        def handle_call(self, request: Any, from_: Any) -> Any:
            got.append(from_)
            return otp.NoReply()

        def handle_info(self, message: Any) -> None:
            got.append(message)

    one, two = await otp.start_link(Takes), await otp.start_link(Takes)
    with pytest.raises(otp.CallTimeout):
        await otp.call(one, "x", timeout=1)
    otp.send(two, got[0])
    await trio.testing.wait_all_tasks_blocked()
    assert [got[0], got[0]] == got


@as_process
async def test_a_machine_skips_calls_in_its_mailbox_and_postponed_ones() -> None:
    """When a state changes, those who still wait are served."""

    class Door(otp.GenStatem[str], skip_abandoned=True):
        initial = "closed"

        def __init__(self) -> None:
            self.handled: list[Any] = []

        def handle_event(self, kind: Any, content: Any, state: str) -> Any:
            if content == "open":
                return otp.NextState("open")
            if state == "closed":
                return otp.KeepState(otp.Postpone())
            self.handled.append(content)
            return otp.KeepState(otp.Reply(content))

    pid: Any = await otp.start_link(Door)
    async with trio.open_nursery() as nursery:
        for number in range(3):
            in_task(nursery, otp.call, pid, number, timeout=1)
        lives = in_task(nursery, otp.call, pid, "lives", timeout=None)
        await trio.sleep(2)
        otp.cast(pid, "open")
    assert ["lives"] == lives
    assert ["lives"] == process_of(pid).instance.handled


@pytest.mark.parametrize("callers", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
async def test_with_many_callers_no_work_is_done_that_nobody_waits_for(
    callers: int, autojump_clock: Any
) -> None:
    """Together they take 10 s, all have 5 s: those served are those answered (section 8)."""
    answered = 0

    async def ask() -> None:
        nonlocal answered
        try:
            await Counts.at("counts").works()
        except otp.CallTimeout:
            return
        answered += 1

    child = otp.child(Counts, autojump_clock, SECONDS / callers).having(name="counts")
    async with otp.open_supervisor([child]):
        async with trio.open_nursery() as nursery:
            for _ in range(callers):
                nursery.start_soon(ask)
        counts = process_of(otp.whereis("counts")).instance
        await otp.stop("counts")
    served = len(counts.handled)
    assert 0 <= served - answered <= 64  # one burst: those whose time was up in it
    assert 0 < answered < callers
    assert trio.current_time() < 5.5


YES: Any = "yes"


@pytest.mark.parametrize(
    "make",
    [
        lambda: otp.on_call(skip_abandoned=YES)(lambda self: None),
        lambda: otp.on_call_deferred(skip_abandoned=YES)(lambda self, from_: None),
        lambda: type("Wrong", (otp.GenServer,), {}, skip_abandoned=YES),
        lambda: otp.child(Counts).having(skip_abandoned=YES),
    ],
)
def test_what_is_neither_true_nor_false_is_refused(make: Any) -> None:
    """At the method, the class or the child."""
    with pytest.raises((TypeError, otp.SpecError), match="skip_abandoned='yes': expected True or"):
        make()
