"""Requests whose answers are taken later (GN-8, GN-9); servers asked together (GS-17, GS-18)."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import outcome
import pytest
import trio
from counting import Operations
from inside import process_of, runtime
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable


class Desk(otp.GenServer):
    """Answers at once, after some seconds, when told to, with an error, or never."""

    def __init__(self) -> None:
        self.deferred: list[otp.From[Any]] = []
        self.seen: list[Any] = []
        self.abandoned: list[bool] = []

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        self.seen.append(request)
        self.abandoned.append(from_.abandoned)
        match request:
            case "defer":
                self.deferred.append(from_)
                return otp.NoReply()
            case "answer":
                otp.reply(self.deferred.pop(0), "late")
                return otp.Reply("answered")
            case "refuse":
                return otp.Reply(outcome.Error(LookupError("no")))
            case ("sleep", seconds):
                await trio.sleep(seconds)
                return otp.Reply(seconds)
            case "crash":
                raise ValueError("boom")
            case _:
                return otp.Reply(request)

    def handle_cast(self, message: Any) -> None:
        self.seen.append(message)


@pytest.fixture
async def desk(nursery: trio.Nursery) -> AsyncGenerator[otp.Pid[Desk]]:
    yield await otp.start(otp.child(Desk).having(name="desk"), nursery=nursery)
    process = runtime().names.get("desk")
    assert process is None or not process.requests


async def test_the_answer_can_be_taken_later(desk: otp.Pid[Desk]) -> None:
    """A request is handled at once; its answer waits with the id, in plain Trio code too."""
    request_id = otp.send_request(desk, "one")
    await wait_all_tasks_blocked()
    assert ["one"] == (await otp.sys.get_state(desk)).seen
    assert "one" == await otp.receive_response(request_id)


async def test_nobody_behind_the_reference_is_the_answer() -> None:
    """GN-8: sending does not fail, receiving raises NoProcess."""
    request_id = otp.send_request("nobody", "one")
    with pytest.raises(otp.NoProcess) as caught:
        await otp.receive_response(request_id)
    assert "nobody" == caught.value.server
    assert isinstance(otp.check_response(otp.send_request("nobody", 1)), outcome.Error)
    with pytest.raises(TypeError, match="expected"):
        otp.send_request(5, "one")  # type: ignore[arg-type]


@pytest.mark.parametrize("end", ["crash", "kill", "stop", "suspended"])
async def test_the_end_of_the_server_is_the_answer(end: str, desk: otp.Pid[Desk]) -> None:
    """Law 2: however the server ends, and wherever the request is, it is answered."""
    requests = [otp.send_request(desk, "defer")]
    await otp.sys.get_state(desk)
    if end == "suspended":
        await otp.sys.suspend(desk)
    if end == "crash":
        requests.append(otp.send_request(desk, "crash"))
    requests.append(otp.send_request(desk, "queued"))
    if end in {"kill", "suspended"}:
        otp.exit(desk, otp.KILL)
    elif end == "stop":
        await otp.stop(desk)
        assert "queued" == await otp.receive_response(requests.pop())
    for request_id in requests:
        with pytest.raises(otp.ServerExited):
            await otp.receive_response(request_id, timeout=None)


async def test_an_error_as_the_answer_is_raised(desk: otp.Pid[Desk]) -> None:
    """What the server answers with `outcome.Error` is raised where the answer is taken."""
    with pytest.raises(LookupError, match="no"):
        await otp.receive_response(otp.send_request(desk, "refuse"))


async def test_wait_may_be_repeated_and_receive_gives_up(
    desk: otp.Pid[Desk], autojump_clock: Any
) -> None:
    """GN-9: after a time-out of wait the request goes on, after one of receive it is abandoned."""
    waited, received = otp.send_request(desk, "defer"), otp.send_request(desk, "defer")
    with pytest.raises(otp.CallTimeout):
        await otp.wait_response(waited, timeout=1)
    with pytest.raises(trio.TooSlowError):
        await otp.receive_response(received, timeout=1)
    dropped = runtime().dropped
    assert "answered" == await otp.call(desk, "answer")
    assert "answered" == await otp.call(desk, "answer")
    assert dropped + 1 == runtime().dropped
    assert "late" == await otp.wait_response(waited)
    for over in (waited, received):
        for take in (otp.wait_response, otp.receive_response):
            with pytest.raises(ValueError, match="has been taken, or it has been given up"):
                await take(over)
        with pytest.raises(ValueError, match="over"):
            otp.check_response(over)


async def test_a_request_without_time_takes_what_is_there(desk: otp.Pid[Desk]) -> None:
    """GN-7: an answer that has arrived wins over a time-out of 0."""
    request_id = otp.send_request(desk, "one")
    await wait_all_tasks_blocked()
    assert "one" == await otp.receive_response(request_id, timeout=0)


async def test_check_looks_without_waiting(desk: otp.Pid[Desk]) -> None:
    """GN-9: None as long as there is no answer, then the answer, once."""
    request_id = otp.send_request(desk, "one")
    assert otp.check_response(request_id) is None
    await wait_all_tasks_blocked()
    assert outcome.Value("one") == otp.check_response(request_id)


async def test_a_receiver_that_is_cancelled_gives_up(
    desk: otp.Pid[Desk], autojump_clock: Any
) -> None:
    """Nothing is left of the request at the server; one who only waits can come again."""
    received, waited = otp.send_request(desk, "defer"), otp.send_request(desk, "defer")
    with trio.move_on_after(0.01):
        await otp.receive_response(received, timeout=None)
    with trio.move_on_after(0.01):
        await otp.wait_response(waited, timeout=None)
    process = process_of(desk)
    assert 1 == len(process.requests)
    await otp.call(desk, "answer")
    await otp.call(desk, "answer")
    assert "late" == await otp.receive_response(waited)
    with pytest.raises(ValueError, match="given up"):
        await otp.receive_response(received)


async def test_an_id_that_nobody_keeps_leaves_nothing(desk: otp.Pid[Desk]) -> None:
    """The request is handled, its answer dropped; the server keeps nothing of it."""
    otp.send_request(desk, "one")
    kept = otp.send_request(desk, "defer")
    await wait_all_tasks_blocked()
    state = await otp.sys.get_state(desk)
    assert (["one", "defer"], [True, False]) == (state.seen, state.abandoned)
    process = process_of(desk)
    assert 1 == len(process.requests)
    del kept
    gc.collect()
    assert not process.requests


async def test_requests_make_no_wait_for_edges(autojump_clock: Any) -> None:
    """Two servers that wait for each other by requests are ended by the time-out, no deadlock."""

    class Asking(otp.GenServer):
        async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            if request == "ping":
                return otp.Reply("pong")
            peer, inner = request
            request_id = otp.send_request(peer, inner)
            try:
                return otp.Reply(await otp.receive_response(request_id, timeout=1))
            except otp.CallTimeout:
                return otp.Reply("too slow")

    async with otp.open_process():
        for name in ("a", "b"):
            await otp.start_link(otp.child(Asking).having(name=name))
        assert "pong" == await otp.call("a", ("b", "ping"))
        assert "too slow" == await otp.call("a", ("b", ("a", "ping")), timeout=10)


async def test_several_tasks_may_wait_for_one_answer(desk: otp.Pid[Desk]) -> None:
    """One of them gets it, the others are told that it has been taken."""
    results: list[Any] = []

    async def wait() -> None:
        try:
            results.append(await otp.wait_response(request_id))
        except ValueError:
            results.append("taken")

    request_id = otp.send_request(desk, "defer")
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        await otp.call(desk, "answer")
    assert ["late", "taken", "taken"] == sorted(results)


# -- collections ---------------------------------------------------------------------------------


async def test_a_collection_gives_answers_as_they_come(desk: otp.Pid[Desk]) -> None:
    """GN-9: with their labels, the one answered first first; None when there is none left."""
    ids = otp.RequestIds()
    ids.send(desk, "defer", label="slow")
    ids.add(otp.send_request(desk, "quick"), label=2)
    ids.send("nobody", "x", label="none")
    assert 3 == len(ids)
    assert ["slow", 2, "none"] == [label for _, label in ids.to_list()]
    label, answer = await ids.receive() or ("", None)
    assert "none" == label
    assert isinstance(answer, outcome.Error)
    assert (2, outcome.Value("quick")) == await ids.receive()
    assert ids.check() is None
    await otp.call(desk, "answer")
    assert ("slow", outcome.Value("late")) == ids.check()
    assert await ids.receive() is None
    assert await ids.wait() is None
    assert 0 == len(ids)


async def test_answers_come_in_the_order_they_arrived(desk: otp.Pid[Desk]) -> None:
    """Not in that of the requests."""
    ids = otp.RequestIds()
    ids.send(desk, "defer", label=1)
    ids.send(desk, "two", label=2)
    await wait_all_tasks_blocked()
    await otp.call(desk, "answer")
    assert [2, 1] == [(await ids.receive() or (0,))[0] for _ in range(2)]


async def test_a_time_out_abandons_a_whole_collection(
    desk: otp.Pid[Desk], autojump_clock: Any
) -> None:
    """GN-9: receive gives all of them up, wait none."""
    ids = otp.RequestIds()
    first = ids.send(desk, "defer", label=1)
    ids.send(desk, "defer", label=2)
    with pytest.raises(otp.CallTimeout):
        await ids.wait(timeout=1)
    assert 2 == len(ids)
    with pytest.raises(otp.CallTimeout):
        await ids.receive(timeout=1)
    assert 0 == len(ids)
    with pytest.raises(ValueError, match="over"):
        await otp.wait_response(first)


async def test_an_answered_request_may_stay_in_its_collection(desk: otp.Pid[Desk]) -> None:
    """`delete=False` keeps it in the list; it is not waited for again."""
    ids = otp.RequestIds()
    request_id = ids.send(desk, "one", label="label")
    assert ("label", outcome.Value("one")) == await ids.receive(delete=False)
    assert [(request_id, "label")] == ids.to_list()
    assert await ids.receive(delete=False) is None


async def test_a_request_is_in_a_collection_once(desk: otp.Pid[Desk]) -> None:
    """GN-9: adding it twice, or when it is over, or what is none, is refused."""
    ids = otp.RequestIds()
    request_id = ids.send(desk, "one")
    with pytest.raises(ValueError, match="is already in the collection"):
        ids.add(request_id)
    with pytest.raises(TypeError, match="request_id=5"):
        ids.add(5)  # type: ignore[arg-type]
    await ids.receive()
    with pytest.raises(ValueError, match="over"):
        ids.add(request_id)
    with pytest.raises(TypeError, match="request_id='x'"):
        otp.check_response("x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="timeout=-1"):
        await otp.wait_response(otp.send_request(desk, "one"), timeout=-1)


# -- several servers -----------------------------------------------------------------------------


async def test_multi_call_tells_who_answered_and_who_did_not(
    nursery: trio.Nursery, autojump_clock: Any
) -> None:
    """GS-17: the dead, the slow and the crashed are bad; one time-out is for all together."""
    for name in ("a", "b", "slow"):
        await otp.start(otp.child(Desk).having(name=name), nursery=nursery)
    slow = otp.send_request("slow", ("sleep", 60))
    began = trio.current_time()
    replies, bad = await otp.multi_call(["a", "slow", "nobody", "b"], "hello", timeout=2)
    assert 2 == trio.current_time() - began
    assert [("a", "hello"), ("b", "hello")] == replies
    assert [("slow", otp.CallTimeout), ("nobody", otp.NoProcess)] == [
        (ref, type(error)) for ref, error in bad
    ]
    replies, bad = await otp.multi_call(["b", "a"], "crash")
    assert [] == replies
    assert [("b", otp.ServerExited), ("a", otp.ServerExited)] == [
        (ref, type(error)) for ref, error in bad
    ]
    with pytest.raises(otp.CallTimeout):
        await otp.receive_response(slow, timeout=0)


async def test_multi_call_of_one_name_and_of_oneself(desk: otp.Pid[Desk]) -> None:
    """A single reference is a list of one; the caller itself is bad at once."""
    assert ([("desk", 5)], []) == await otp.multi_call("desk", 5)
    assert ([(desk, 5)], []) == await otp.multi_call(desk, 5)
    assert ([], []) == await otp.multi_call([], 5)

    class Asking(otp.GenServer):
        async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            return otp.Reply(await otp.multi_call([otp.self(), "desk"], 1, timeout=None))

    async with otp.open_process():
        pid = await otp.start_link(Asking)
        replies, bad = await otp.call(pid, "ask")
    assert [("desk", 1)] == replies
    assert [otp.CallingSelf] == [type(error) for _, error in bad]


async def test_abcast_casts_to_all_that_are_there(desk: otp.Pid[Desk]) -> None:
    """GS-18: it returns at once and never fails on who is not there."""
    otp.abcast(["desk", "nobody", desk], 1)
    otp.abcast("desk", 2)
    assert [1, 1, 2] == (await otp.sys.get_state(desk)).seen
    with pytest.raises(TypeError, match="expected"):
        otp.abcast([5], 1)  # type: ignore[list-item]


async def test_the_crash_report_names_a_request_as_the_client(
    desk: otp.Pid[Desk], caplog: pytest.LogCaptureFixture
) -> None:
    """There is no task that waits."""
    with pytest.raises(otp.ServerExited):
        await otp.receive_response(otp.send_request(desk, "crash"))
    assert "Client: a request id" in caplog.text


async def test_requests_work_from_threads(desk: otp.Pid[Desk]) -> None:
    """A worker thread sends by `trio.from_thread.run_sync` and takes the answer by `run`."""

    def worker() -> Any:
        request_id = trio.from_thread.run_sync(otp.send_request, "desk", "one")
        return trio.from_thread.run(otp.receive_response, request_id)

    assert "one" == await trio.to_thread.run_sync(worker)


# -- several tasks that wait -----------------------------------------------------------------------


async def test_two_tasks_share_a_collection(
    desk: otp.Pid[Desk], autojump_clock: trio.testing.MockClock
) -> None:
    """Each gets one of the answers; who was not first waits on for the next."""
    ids = otp.RequestIds()
    for seconds in (1, 2):
        ids.send(desk, ("sleep", seconds))
    got: list[Any] = []

    async def take() -> None:
        got.append(await ids.receive(timeout=10))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        nursery.start_soon(take)
    assert [(None, outcome.Value(1)), (None, outcome.Value(2))] == got


async def test_a_waiting_task_hears_that_another_gives_up(
    desk: otp.Pid[Desk], autojump_clock: trio.testing.MockClock
) -> None:
    """A request given up in one task keeps no other waiting for ever."""
    ids = otp.RequestIds()
    request_id = ids.send(desk, "defer")
    got: list[Any] = []

    async def wait_for_one() -> None:
        with pytest.raises(ValueError, match="given up"):
            await otp.wait_response(request_id, timeout=None)
        got.append("one")

    async def wait_for_any() -> None:
        got.append(await ids.receive(timeout=None))

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_one)
            nursery.start_soon(wait_for_any)
            await wait_all_tasks_blocked()
            with pytest.raises(otp.CallTimeout):
                await ids.receive(timeout=1)
    assert {"one", None} == set(got)


async def test_what_is_no_reference_is_named() -> None:
    """multi_call takes a reference or several, and says so."""
    wrong: Any = 3
    with pytest.raises(TypeError, match="refs=3: expected a reference"):
        await otp.multi_call(wrong, "x")


# -- many ------------------------------------------------------------------------------------------


async def operations(ask: Callable[[list[Any]], Awaitable[Any]], count: int) -> int:
    """Count what the interpreter does in the modules of requests for so many servers."""
    operations = Operations("request_ids", "request_collection", "multi_call", "request")
    async with trio.open_nursery() as nursery:
        desks = [await otp.start(Desk, nursery=nursery) for _ in range(count)]
        with operations.counted():
            await ask(desks)
        nursery.cancel_scope.cancel()
    return operations.count


async def take_each(desks: list[Any]) -> None:
    """Take the answers one by one, as they come."""
    ids = otp.RequestIds()
    for desk in desks:
        ids.send(desk, "hello", label=desk)
    answers = 0
    while (await ids.receive()) is not None:
        answers += 1
    assert len(desks) == answers


async def look_at_each(desks: list[Any]) -> None:
    """Look for answers without waiting, and leave the requests in the collection."""
    ids = otp.RequestIds()
    for desk in desks:
        ids.send(desk, "hello", label=desk)
    await wait_all_tasks_blocked()
    for _ in desks:
        assert ids.check(delete=False) is not None
    assert ids.check() is None


async def ask_all(desks: list[Any]) -> None:
    """Ask them in one call."""
    replies, bad = await otp.multi_call(desks, "hello")
    assert (len(desks), []) == (len(replies), bad)


@pytest.mark.parametrize("ask", [take_each, look_at_each, ask_all])
async def test_many_requests_cost_each_as_much_as_few(
    ask: Callable[[list[Any]], Awaitable[Any]],
) -> None:
    """Twice as many take twice as many operations, not four times."""
    few, many = await operations(ask, 50), await operations(ask, 200)
    assert few > 1000
    assert many < 4.4 * few


async def test_a_request_may_be_in_several_collections(desk: otp.Pid[Desk]) -> None:
    """Each hears of its answer; whoever takes it, the others see that it is gone."""
    one, two = otp.RequestIds(), otp.RequestIds()
    request_id = one.send(desk, 1, label="one")
    two.add(request_id, label="two")
    assert 2 == len(one) + len(two)
    label, answer = await two.receive()  # type: ignore[misc]  # there is one
    assert ("two", 1) == (label, answer.unwrap())
    assert await one.receive() is None
    assert one.check() is None


async def test_a_wait_ends_when_somebody_else_has_given_up_the_last_request(
    desk: otp.Pid[Desk], autojump_clock: Any
) -> None:
    """It has nothing left to wait for."""
    ids = otp.RequestIds()
    request_id = ids.send(desk, "defer")
    results: list[Any] = []

    async def wait() -> None:
        results.append(await ids.wait(timeout=60))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        with pytest.raises(otp.CallTimeout):
            await otp.receive_response(request_id, timeout=3)
    assert [None] == results
    assert 3 == trio.current_time()


async def test_the_answer_to_an_id_that_is_gone_is_dropped() -> None:
    """An id that was dropped needs no answer; the server is not hurt."""
    async with otp.open_process():
        desk = await otp.start_link(Desk)
        otp.send_request(desk, "defer")
        gc.collect()
        await wait_all_tasks_blocked()
        assert await otp.call(desk, "answer") == "answered"


async def test_what_ends_the_program_leaves_a_call_of_many() -> None:
    """An answer that is SystemExit is no answer of a list."""

    class Ends(otp.GenServer):
        def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            return otp.Reply(outcome.Error(SystemExit(3)))

    async with otp.open_process():
        pid = await otp.start_link(Ends)
        with pytest.raises(SystemExit):
            await otp.multi_call([pid], "now")
