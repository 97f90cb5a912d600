"""Requests to event handlers whose answers are taken later, one by one or from a collection."""

from __future__ import annotations

from typing import Any

import outcome
import pytest
import trio
import trio.testing
from gen_event_kit import MANAGER, Note, boom, ge

import trio_otp as otp


class Slow(otp.GenEvent):
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.go = trio.Event()

    async def handle_call(self, request: Any) -> Any:
        await self.go.wait()
        return otp.Reply(request)


async def test_an_answer_is_taken_later() -> None:
    """The sender goes on; the answer is that of the handler which was named, taken once (GE-8)."""
    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Note("a"), id="a")
        await ge.add_handler("events", Note("b"), id="b")
        requests = [ge.send_request("events", (Note, name), name) for name in ("a", "b")]
        assert ge.check_response(requests[0]) is None
        assert ("b", "b") == await ge.receive_response(requests[1])
        assert ("a", "a") == await ge.wait_response(requests[0], timeout=1)
        with pytest.raises(ValueError, match="has been taken"):
            ge.check_response(requests[0])


@pytest.mark.parametrize("take", ["receive", "wait", "check", "collection"])
@pytest.mark.parametrize(
    ("handler", "request_", "kind"),
    [
        (Slow, "x", otp.NoHandler),
        ((Note, "other"), "x", otp.NoHandler),
        (Note, boom, otp.HandlerCrashed),
        (Note, lambda: None, otp.HandlerCrashed),
        (Note, lambda: otp.Reply(outcome.Error(KeyError("k"))), KeyError),
    ],
)
async def test_what_goes_wrong_is_an_error_whichever_way_it_is_taken(
    handler: Any, request_: Any, kind: type[Exception], take: str
) -> None:
    """As of a call: no handler of this name, or one that crashed and is removed (GE-8)."""
    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Note())
        request_id = ge.send_request("events", handler, request_)
        await trio.testing.wait_all_tasks_blocked()
        if take == "collection":
            ids = otp.RequestIds()
            ids.add(request_id)
            response = await ids.receive()
            assert response is not None
            answer = response[1]
        elif take == "check":
            answer = ge.check_response(request_id)  # type: ignore[assignment]  # it is there
        else:
            function = ge.receive_response if take == "receive" else ge.wait_response
            with pytest.raises(kind):
                await function(request_id)
            return
        with pytest.raises(kind):
            answer.unwrap()


async def test_a_collection_has_requests_to_handlers_and_servers() -> None:
    """They come as they are answered, each with its label."""
    slow = Slow()
    agent = otp.child(otp.Agent, lambda: "value").having(name="agent")
    async with otp.open_supervisor([MANAGER, agent]):
        await ge.add_handler("events", slow)
        ids = otp.RequestIds()
        request_id = ge.send_request("events", Slow, "slow", "first", ids)
        ids.send("nobody", "x", label="second")
        assert [(request_id, "first")] == ids.to_list()[:1]
        response = await ids.receive()
        assert response is not None
        assert "second" == response[0]
        slow.go.set()
        response = await ids.receive()
        assert response is not None
        assert ("first", "slow") == (response[0], response[1].unwrap())
        assert await ids.receive() is None


async def test_a_request_has_a_time_limit(autojump_clock: Any) -> None:
    """After `wait_response` one can wait again, after `receive_response` it is given up."""
    slow = Slow()
    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", slow)
        request_id = ge.send_request("events", Slow, "x")
        with pytest.raises(otp.CallTimeout):
            await ge.wait_response(request_id, timeout=1)
        with pytest.raises(otp.CallTimeout):
            await ge.receive_response(request_id, timeout=1)
        assert 2.0 == trio.current_time()
        slow.go.set()
        with pytest.raises(ValueError, match="given up"):
            await ge.receive_response(request_id)


async def test_nobody_there_and_an_end_are_answers() -> None:
    """What is wrong in the sending is an error of the sender; the rest is the answer."""
    async with otp.open_supervisor([MANAGER, otp.child(otp.Agent, list).having(name="agent")]):
        with pytest.raises(otp.NoProcess):
            await ge.receive_response(ge.send_request("nobody", Note, "x"))
        with pytest.raises(otp.WrongServer, match=r"gen_event\.send_request"):
            ge.send_request("agent", Note, "x")
        with pytest.raises(TypeError, match="handler="):
            ge.send_request("events", "Note", "x")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="ids="):
            ge.send_request("events", Note, "x", "label", [])  # type: ignore[arg-type]
        await ge.add_handler("events", Slow())
        request_id = ge.send_request("events", Slow, "x")
        otp.exit("events", otp.KILL)
        with pytest.raises(otp.ServerExited):
            await ge.receive_response(request_id)


async def test_a_handler_may_ask_its_own_manager_so() -> None:
    """A request makes nobody wait, so it is no circle; the answer comes after the event."""
    answers: list[Any] = []

    class Asks(otp.GenEvent):
        def handle_event(self, event: Any) -> None:
            answers.append(ge.send_request("events", Note, event))

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Note())
        await ge.add_handler("events", Asks())
        await ge.sync_notify("events", "x")
        assert ("note", "x") == await ge.receive_response(answers[0])
