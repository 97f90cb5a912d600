"""Nobody is left waiting at a bounded mailbox, and no message is lost in silence (laws 2 and 8).

Random senders, time-outs, cancellations and faults against servers with every kind of bound. Each
message has one fate: refused, handled, told as dropped, or in hand when its server died.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import trio
import trio.testing
from depth import few
from flood_kit import POLICIES, bound
from hypothesis import given, settings
from hypothesis import strategies as st
from inside import process_of

import trio_otp as otp

HANDLES = 0.25  # seconds for each message
SENDS = ("call", "cast", "send", "cast_wait", "note_wait", "end", "request", "later", "notify")
FAULTS = ("kill", "crash", "stop", "suspend", "resume", "exit", "sleep")

STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(SENDS),
            st.sampled_from([None, 0.0, 0.1, 0.3, 1.0]),  # time-out of a call
            st.sampled_from([None, None, 0.0, 0.2, 0.5]),  # when the sender is cancelled
        ),
        st.tuples(st.sampled_from(FAULTS), st.none(), st.none()),
    ),
    max_size=40,
)


class Story:
    """What has become of each message: its number, and its fates."""

    def __init__(self, *, is_machine: bool) -> None:
        self.is_machine = is_machine
        self.fates: dict[int, list[str]] = {}
        self.waiting: dict[int, str] = {}  # {number: how it was sent}, of tasks that are not done

    def tell(self, number: Any, fate: str) -> None:
        self.fates[getattr(number, "number", number)].append(fate)

    def dropped(self, _ref: Any, message: Any, why: str) -> None:
        content = getattr(message, "message", message)  # of a Cast that was left
        content = content.args[0] if hasattr(content, "args") else content
        if content in self.fates:
            self.tell(content, "dropped")


class Server(otp.GenServer):
    """Takes a while for each message; under way it may be killed, or crash."""

    def __init__(self, story: Story) -> None:
        self.story = story

    async def work(self, number: Any) -> None:
        if number == "crash":
            raise RuntimeError("crash")
        self.story.tell(number, "begun")
        await trio.sleep(HANDLES)

    async def handle_call(self, request: Any, from_: Any) -> Any:
        await self.work(request)
        return otp.Reply(("answer", request))

    async def handle_cast(self, message: Any) -> None:
        await self.work(message)

    async def handle_info(self, message: Any) -> None:
        if isinstance(message, int):
            await self.work(message)

    @otp.on_cast
    async def note(self, number: int) -> None:
        await self.work(number)


class Sleepy(Server):
    """The same, asleep whenever it has nothing to do."""

    hibernate_after = 0


class Machine(otp.GenStatem[str]):
    """Postpones while it is shut; some messages open it, others shut it."""

    initial = "shut"

    def __init__(self, story: Story) -> None:
        self.story = story

    async def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        if content == "crash":
            raise RuntimeError("crash")
        if content == "open":
            return otp.NextState("open")
        if not isinstance(content, int):
            return otp.KeepState()
        if state == "shut" and content % 3:
            return otp.KeepState(otp.Postpone())
        self.story.tell(content, "begun")
        await trio.sleep(HANDLES)
        answer = [otp.Reply(("answer", content))] if isinstance(kind, otp.From) else []
        return otp.NextState("open" if content % 4 else "shut", *answer)


async def send(kind: str, number: int, timeout: float | None) -> None:
    match kind:
        case "call":
            await otp.call("server", number, timeout=timeout)
        case "cast" | "notify":
            otp.cast("server", number)
        case "send":
            otp.send("server", number)
        case "cast_wait":
            await otp.cast_wait("server", number)
        case "note_wait":
            await Server.at("server").note.wait(number)
        case "end":
            await otp.send_end("server").send(number)
        case "request":
            await otp.receive_response(otp.send_request("server", number), timeout=timeout)
        case _:
            otp.send_after("server", number, 0.1)


async def sender(story: Story, number: int, step: Any) -> None:
    """Send one message; its errors are among those that are promised."""
    kind, timeout, cancelled_after = step
    if kind == "note_wait" and story.is_machine:  # which has no typed methods
        kind = "cast_wait"
    story.fates[number] = []
    story.waiting[number] = kind
    limit = float("inf") if cancelled_after is None else cancelled_after
    try:
        with trio.move_on_after(limit) as scope:
            await send(kind, number, timeout)
        if scope.cancelled_caught:
            story.tell(number, "cancelled")
    except otp.MailboxFull:
        story.tell(number, "full")
    except otp.CallTimeout:
        story.tell(number, "too late")
    except (otp.NoProcess, otp.ServerExited, trio.BrokenResourceError):
        story.tell(number, "exited")
    del story.waiting[number]


async def fault(kind: str, nursery: trio.Nursery) -> None:
    pid: Any = otp.whereis("server")
    if kind == "sleep":
        await trio.sleep(0.3)
    elif pid is None:
        return
    elif kind == "kill":
        otp.exit(pid, otp.KILL)
    elif kind == "exit":
        otp.exit(pid, "out")
    elif kind == "crash":
        nursery.start_soon(ignore, otp.cast_wait, pid, "crash")
    elif kind == "stop":
        nursery.start_soon(ignore, otp.stop, pid)
    else:
        function = otp.sys.suspend if kind == "suspend" else otp.sys.resume
        nursery.start_soon(ignore, function, pid)


async def ignore(function: Any, *args: Any) -> None:
    try:
        await function(*args)
    except (otp.OtpError, trio.BrokenResourceError):
        return


def check_bound(size: int) -> None:
    """The bound holds, and nobody waits while there is room."""
    if otp.whereis("server") is None:
        return
    statistics = otp.send_end("server").statistics()
    assert statistics.current_buffer_used <= size
    assert statistics.current_buffer_used == size or statistics.tasks_waiting_send == 0


async def play(steps: list[Any], size: int, on_full: Any, server: type[Any]) -> Story:
    story = Story(is_machine=server is Machine)
    otp.events.attach("dropped", story.dropped)
    for name in ("crash", "supervisor", "notice"):
        otp.events.detach(name, getattr(otp.reports, f"log_{name}"))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]  # a name of an event
    child = otp.child(server, story).having(name="server", mailbox=bound(size, on_full))
    async with otp.open_supervisor([child], max_restarts=100):
        async with trio.open_nursery() as nursery:
            for number, step in enumerate(steps):
                if step[0] in FAULTS:
                    await fault(step[0], nursery)
                else:
                    nursery.start_soon(sender, story, number, step)
                await trio.testing.wait_all_tasks_blocked()
                check_bound(size)
            nursery.start_soon(ignore, otp.sys.resume, "server")
            for _ in range(len(steps) + 4):  # a machine may have been shut again
                await trio.sleep(3 * HANDLES)
                if server is Machine and (pid := otp.whereis("server")) is not None:
                    process_of(pid).mailbox.put("open")
            check_bound(size)
            assert {} == story.waiting, "somebody is left waiting"
        process = process_of(otp.whereis("server"))
        assert not process.requests
    return story


def check_fates(story: Story, steps: list[Any]) -> None:
    for number, fates in story.fates.items():
        kind = steps[number][0]
        count = Counter(fates)
        assert count["begun"] + count["dropped"] <= 1 or count["full"], (number, kind, fates)
        assert count["begun"] <= 1, (number, kind, fates)
        if kind in ("cast", "send", "notify", "later"):
            assert count.total() == 1, (number, kind, fates)


@given(
    steps=STEPS,
    size=st.integers(1, 4),
    on_full=st.sampled_from(POLICIES),
    server=st.sampled_from([Server, Sleepy, Machine]),
)
@settings(max_examples=few(150))
def test_nobody_is_left_waiting_and_nothing_is_lost_in_silence(
    steps: list[Any], size: int, on_full: str, server: type[Any]
) -> None:
    """Whatever is sent, whichever callers give up, and however often the server ends."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    story = trio.run(play, steps, size, on_full, server, clock=clock)
    check_fates(story, steps)
