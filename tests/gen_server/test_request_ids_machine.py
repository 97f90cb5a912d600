"""Request ids beside a model: what has been answered, in which order, and what is over.

Requests are sent, answered, given up, waited for and dropped, and the server is restarted, in any
order; each answer is taken once, and nothing of what is over is left at the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import outcome
import trio
from depth import few
from hypothesis import given, settings
from inside import process_of
from trio.testing import MockClock, wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable

OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["send", "send", "answer", "answer", "receive", "wait", "check", "drop", "kill", "next"]
        ),
        st.integers(0, 5),
    ),
    max_size=25,
)


class Deferring(otp.GenServer):
    """Keeps every call until it is told to answer it."""

    def __init__(self) -> None:
        self.kept: dict[Any, otp.From[Any]] = {}

    def handle_call(self, request: Any, from_: otp.From[Any]) -> otp.NoReply:
        self.kept[request] = from_
        return otp.NoReply()

    def handle_cast(self, number: int) -> None:
        otp.reply(self.kept.pop(number), number)


class System:
    """The ids that are alive, and what the model knows of them."""

    def __init__(self) -> None:
        self.ids: dict[int, otp.RequestId] = {}
        self.all = otp.RequestIds()
        self.count = 0
        self.open: list[int] = []  # neither answered nor over
        self.answered: dict[int, Any] = {}  # {number: answer or type of error}, in their order

    async def do(self, operation: str, choice: int) -> None:
        numbers = [*self.open, *self.answered]
        number = numbers[choice % len(numbers)] if numbers else None
        match operation:
            case "send":
                self.count += 1
                self.ids[self.count] = self.all.send("server", self.count, self.count)
                self.open.append(self.count)
            case "answer" if self.open:
                chosen = self.open.pop(choice % len(self.open))
                otp.cast("server", chosen)
                self.answered[chosen] = chosen
            case "kill":
                otp.exit("server", otp.KILL)
                self.answered |= dict.fromkeys(self.open, otp.ServerExited)
                self.open.clear()
            case "drop" if number in self.open:
                self._drop(number)
            case "next":
                await self._take_next()
            case "receive" | "wait" | "check" if number is not None:
                await self._take(operation, number)
            case _:
                pass

    def _drop(self, number: int | None) -> None:
        """Forget an id: a collection without it takes the place of the old one."""
        assert number is not None
        self.open.remove(number)
        del self.ids[number]
        kept = [pair for pair in self.all.to_list() if pair[1] != number and pair[1] in self.ids]
        self.all = otp.RequestIds()
        for request_id, label in kept:
            self.all.add(request_id, label)

    async def _take_next(self) -> None:
        found = self.all.check()
        if not self.answered:
            assert found is None
            return
        number = next(iter(self.answered))
        expected = self.answered.pop(number)
        assert found is not None
        assert (number, expected) == (found[0], value_of(found[1]))
        del self.ids[number]

    async def _take(self, operation: str, number: int) -> None:
        request_id = self.ids[number]
        expected = self.answered.pop(number, otp.CallTimeout)
        if operation == "check":
            found = otp.check_response(request_id)
            assert (None if found is None else value_of(found)) == (
                None if expected is otp.CallTimeout else expected
            )
        else:
            function = otp.receive_response if operation == "receive" else otp.wait_response
            assert expected == await outcome_of(function(request_id, timeout=1))
        if expected is not otp.CallTimeout:
            del self.ids[number]
        elif operation == "receive":
            self.open.remove(number)
            del self.ids[number]

    async def check(self) -> None:
        await wait_all_tasks_blocked()
        process = otp.whereis("server")
        assert process is not None
        assert process_of(process) is not None
        assert self.open == [request.message for request in process_of(process).requests or ()]


async def outcome_of(work: Awaitable[Any]) -> Any:
    try:
        return await work
    except otp.CallError as exc:
        return type(exc)


def value_of(answer: outcome.Outcome[Any]) -> Any:
    return type(answer.error) if isinstance(answer, outcome.Error) else answer.unwrap()


async def _play(operations: list[tuple[str, int]]) -> None:
    child = otp.child(Deferring).having(name="server")
    async with otp.open_supervisor([child], max_restarts=1000):
        system = System()
        for operation, choice in operations:
            await system.do(operation, choice)
            await system.check()


@settings(max_examples=few(150), deadline=None)
@given(OPERATIONS)
def test_requests_are_as_their_model(operations: list[tuple[str, int]]) -> None:
    """After every step the server has the open requests and no others."""
    trio.run(_play, operations, clock=MockClock(autojump_threshold=0))
