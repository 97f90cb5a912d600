"""A server that is held, called, cast to and killed, beside a model: a queue and what was handled.

However the operations fall, messages are handled in their order and never while the server is
suspended, every caller gets its answer or is told of the end, and system requests are answered.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import hypothesis.strategies as st
import trio
from depth import few
from hypothesis import given, settings
from trio.testing import MockClock, wait_all_tasks_blocked

import trio_otp as otp

TIMEOUT = 3.0  # seconds a call waits
OPERATIONS = st.one_of(
    st.sampled_from(["suspend", "resume", "state", "status", "replace", "kill", "stop", "signal"]),
    st.sampled_from(["call", "cast", "info", "defer", "reply", "watch"]),
    st.sampled_from(["call", "cast", "suspend", "resume", "sleep"]),
)


class Noting(otp.GenServer):
    """Notes what it handles; a call is answered with how many that were before."""

    def __init__(self) -> None:
        self.handled: list[Any] = []
        self.deferred: deque[otp.From[int]] = deque()

    def handle_call(self, request: Any, from_: otp.From[int]) -> Any:
        count = len(self.handled)
        self.handled.append(request)
        if request[0] == "defer":
            self.deferred.append(from_)
            return otp.NoReply()
        return otp.Reply(count)

    def handle_cast(self, message: Any) -> None:
        self.handled.append(message)

    handle_info = handle_cast


class Model:
    """What has to be: the queue of a suspended server, and what each call has come to."""

    def __init__(self) -> None:
        self.clear()
        self.results: dict[int, Any] = {}  # {number of a call: its result, if it is over}
        self.waiting: dict[int, float] = {}  # {number of a call: when it times out}

    def clear(self) -> None:
        self.suspended = False
        self.queue: deque[Any] = deque()
        self.handled: list[Any] = []
        self.deferred: deque[int] = deque()

    def arrive(self, message: Any) -> None:
        self.queue.append(message)
        self.run()

    def run(self) -> None:
        while self.queue and not self.suspended:
            kind, number = message = self.queue.popleft()
            if kind == "call":
                self.settle(number, len(self.handled))
            elif kind == "defer":
                self.deferred.append(number)
            self.handled.append(message)

    def settle(self, number: int, result: Any) -> None:
        if self.waiting.pop(number, None) is not None:
            self.results[number] = result

    def die(self) -> None:
        for number in list(self.waiting):
            self.settle(number, otp.ServerExited)
        self.clear()

    def pass_time(self, now: float) -> None:
        for number, deadline in list(self.waiting.items()):
            if deadline <= now:
                self.settle(number, otp.CallTimeout)


class System:
    """The server under a supervisor that restarts it, with the model."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.model = Model()
        self.results: dict[int, Any] = {}
        self.count = 0

    async def call(self, message: Any) -> None:
        try:
            self.results[message[1]] = await otp.call("server", message, timeout=TIMEOUT)
        except otp.CallError as exc:
            self.results[message[1]] = type(exc)

    async def do(self, operation: str) -> None:
        self.count += 1
        message = (operation, self.count)
        match operation:
            case "call" | "defer":
                self.model.waiting[self.count] = trio.current_time() + TIMEOUT
                self.nursery.start_soon(self.call, message)
                self.model.arrive(message)
            case "cast":
                otp.cast("server", message)
                self.model.arrive(message)
            case "info":
                otp.send("server", message)
                self.model.arrive(message)
            case "reply":
                await self.reply()
            case "sleep":
                await trio.sleep(2.0)
                self.model.pass_time(trio.current_time())
            case "kill" | "stop" | "signal":
                await self.end(operation)
            case _:
                await self.ask(operation)

    async def reply(self) -> None:
        state = await otp.sys.get_state("server")
        if state.deferred:
            otp.reply(state.deferred.popleft(), -1)
            self.model.settle(self.model.deferred.popleft(), -1)

    async def end(self, operation: str) -> None:
        if operation == "stop":
            await otp.stop("server")
            self.model.queue.clear()  # what was sent before it is handled, unless suspended
        else:
            otp.exit("server", otp.KILL if operation == "kill" else "away")
        self.model.die()

    async def ask(self, operation: str) -> None:
        match operation:
            case "suspend":
                await otp.sys.suspend("server")
                self.model.suspended = True
            case "resume":
                await otp.sys.resume("server")
                self.model.suspended = False
                self.model.run()
            case "status":
                suspended = "suspended" == (await otp.sys.get_status("server")).sys
                assert self.model.suspended == suspended
            case "replace":
                await otp.sys.replace_state("server", lambda state: state)
            case "watch":
                await otp.sys.log("server", True)
            case _:
                assert isinstance(await otp.sys.get_state("server"), Noting)

    async def check(self) -> None:
        await wait_all_tasks_blocked()
        state = await otp.sys.get_state("server")
        assert self.model.handled == state.handled
        assert self.model.results == self.results
        queued = (await otp.sys.get_status("server")).message_queue_len
        assert len(self.model.queue) == queued


async def _play(operations: list[str]) -> None:
    children = [otp.child(Noting).having(name="server")]
    async with otp.open_supervisor(children, max_restarts=1000), trio.open_nursery() as nursery:
        system = System(nursery)
        for operation in operations:
            await system.do(operation)
            await system.check()
        await trio.sleep(2 * TIMEOUT)
        assert system.model.results.keys() | system.model.waiting.keys() == system.results.keys()


@settings(max_examples=few(150), deadline=None)
@given(st.lists(OPERATIONS, max_size=20))
def test_a_server_that_is_held_now_and_then_is_as_its_model(operations: list[str]) -> None:
    """Order, answers and ends are those of the model after every step."""
    trio.run(_play, operations, clock=MockClock(autojump_threshold=0))
