"""Call cycles: what is refused at once, and what only looks like a cycle."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from inside import process_of

import trio_otp as otp


class Node(otp.GenServer):
    """Does what a request says: a function of the node, called in its own task."""

    def __init__(self) -> None:
        self.kept: list[otp.From[Any]] = []

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        if request == "ping":
            return otp.Reply("pong")
        if request == "keep":
            self.kept.append(from_)
            return otp.NoReply()
        if request == "keep and go on":
            self.kept.append(from_)
            return otp.NoReply(continue_="go on")
        return await request(self, from_)

    async def handle_cast(self, message: Any) -> None:
        await message(self)

    async def handle_continue(self, token: Any) -> None:
        otp.reply(self.kept.pop(), "first answered")
        otp.send("test", await otp.call("a", "ping"))


def calls(ref: Any, request: Any = "ping", **kwargs: Any) -> Any:
    """Make a request that lets a node call another one and pass on what it gets."""

    async def run(node: Node, from_: Any) -> Any:
        return otp.Reply(await otp.call(ref, request, **kwargs))

    return run


async def nodes(names: str = "abc") -> list[otp.Pid[Node]]:
    return [await otp.start(otp.child(Node).having(name=name)) for name in names]


def root(exc: BaseException | None) -> BaseException | None:
    """Return the first cause of a chain of ServerExited."""
    while exc is not None and exc.__cause__ is not None:
        exc = exc.__cause__
    return exc


def edges(pids: list[otp.Pid[Node]]) -> list[Any]:
    """List for whom each process waits."""
    return [None if process_of(pid) is None else process_of(pid).waits_for for pid in pids]


# -- cycles ----------------------------------------------------------------------------------------


async def test_fault_08_a_server_that_calls_itself_is_told_at_once() -> None:
    """A call of a server to itself, by pid or name, is CallingSelf, without any waiting (GS-22)."""
    async with otp.open_process():
        for ref in ("pid", "a"):
            (pid,) = await nodes("a")
            with pytest.raises(otp.ServerExited) as caught:
                await otp.call(pid, calls(pid if ref == "pid" else "a"), timeout=None)
            assert isinstance(caught.value.reason, otp.CallingSelf)
            assert "called itself" in str(caught.value.reason)
        me = otp.self()
        with pytest.raises(otp.CallingSelf):
            await otp.call(me, "ping")
        with pytest.raises(otp.CallingSelf):
            await otp.stop(me)


@pytest.mark.parametrize("names", ["ab", "abc", "abcdefgh"])
async def test_fault_08_a_cycle_of_calls_is_refused_naming_it(names: str) -> None:
    """The call that would close a cycle raises DeadlockError with everybody in it, at once."""
    async with otp.open_process():
        pids = await nodes(names)
        request = calls(names[0], timeout=None)
        for name in reversed(names[1:]):
            request = calls(name, request, timeout=None)
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call(names[0], request, timeout=None)
        deadlock = root(caught.value)
        assert isinstance(deadlock, otp.DeadlockError)
        assert set(pids) == set(deadlock.cycle)
        assert len(names) == len(deadlock.cycle)
        for pid in pids:
            assert repr(pid) in str(deadlock)
        assert "ping" in str(deadlock)


async def test_a_deadlock_error_can_be_handled(autojump_clock: Any) -> None:
    """Whoever closes the cycle may catch the error, and all calls get their answers."""

    async def careful(node: Node, from_: Any) -> Any:
        try:
            return otp.Reply(await otp.call("a", "ping"))
        except otp.DeadlockError:
            return otp.Reply("saw it coming")

    async with otp.open_process():
        pids = await nodes("ab")
        assert "saw it coming" == await otp.call("a", calls("b", careful))
        assert [None, None] == edges(pids)
        assert "pong" == await otp.call("b", calls("a"))
    assert 0 == trio.current_time()


async def test_a_stop_can_close_a_cycle() -> None:
    """A server that stops the one that waits for it is told, too."""

    async def stops_a(node: Node, from_: Any) -> Any:
        await otp.stop("a")

    async with otp.open_process():
        await nodes("ab")
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call("a", calls("b", stops_a, timeout=None), timeout=None)
        assert isinstance(root(caught.value), otp.DeadlockError)


async def test_an_init_that_calls_its_starter_is_told() -> None:
    """The starter waits for init, so a call of init to it would never be answered."""

    class Child(otp.GenServer):
        async def init(self) -> None:
            await otp.call("a", "ping", timeout=None)

    async def starts(node: Node, from_: Any) -> Any:
        try:
            await otp.start_link(Child)
        except otp.StartError as exc:
            return otp.Reply(exc.reason)

    async with otp.open_process():
        await nodes("a")
        reason = await otp.call("a", starts, timeout=None)
        assert isinstance(reason, otp.DeadlockError)
        assert "pong" == await otp.call("a", "ping")


async def test_an_init_that_calls_a_server_waiting_for_its_starter_is_told() -> None:
    """Edges of calls and of starts make one cycle."""

    class Child(otp.GenServer):
        async def init(self) -> None:
            await otp.call("a", "ping", timeout=None)

    async def starts(node: Node, from_: Any) -> Any:
        return otp.Reply(await otp.start(Child))

    async with otp.open_process():
        await nodes("ab")
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call("a", calls("b", starts, timeout=None), timeout=None)
        assert isinstance(root(caught.value), otp.DeadlockError)


# -- no cycles -------------------------------------------------------------------------------------


async def test_a_deferred_call_makes_no_cycle(autojump_clock: Any) -> None:
    """B defers A's call, answers it, then calls A: no error, and both are answered."""
    async with otp.open_process(name="test"):
        await nodes("ab")
        assert "first answered" == await otp.call("a", calls("b", "keep and go on"))
        assert "pong" == await otp.receive(str, timeout=1)


async def test_a_deferred_call_may_be_answered_while_another_waits(autojump_clock: Any) -> None:
    """B defers A's call and calls A, which is answered by a third party: no DeadlockError."""
    got: list[Any] = []

    async def ask_a(node: Node) -> None:
        got.append(await otp.call("a", "ping", timeout=None))

    async with otp.open_process(), trio.open_nursery() as nursery:
        pids = await nodes("ab")

        async def ask() -> None:
            got.append(await otp.call("a", calls("b", "keep", timeout=None), timeout=None))

        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert [None, None] == edges(pids)
        otp.cast("b", ask_a)
        await trio.testing.wait_all_tasks_blocked()
        assert [] == got
        process = process_of(pids[1])
        assert otp.reply(process.instance.kept[0], "by a third")
        await trio.testing.wait_all_tasks_blocked()
    assert {"by a third", "pong"} == set(got)


@pytest.mark.parametrize("way", ["starts", "fails", "waits for the name", "stops"])
async def test_a_start_or_stop_that_is_over_leaves_no_edge(way: str, autojump_clock: Any) -> None:
    """Whoever was started, refused, waited for or stopped may call A afterwards."""
    gate = trio.Event()

    async def dying() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await gate.wait()
                await trio.sleep(1)

    async def starts(node: Node, from_: Any) -> Any:
        child = otp.child(Node).having(name="child")
        match way:
            case "starts":
                await otp.start(child)
            case "fails":
                with pytest.raises(otp.AlreadyStarted):
                    await otp.start(child.having(name="b"))
            case "waits for the name":
                gate.set()
                await otp.start(child)
            case "stops":
                await otp.stop("b")
        return otp.Reply("done")

    async with otp.open_process():
        pids = await nodes("ab")
        if way == "waits for the name":
            pid = otp.spawn(dying)
            otp.register("child", pid)
            await trio.testing.wait_all_tasks_blocked()
            otp.exit(pid, "slowly")
        assert "done" == await otp.call("a", starts)
        assert edges(pids)[0] is None
        for name in {"b", "child"} & set(otp.registered()):
            assert "pong" == await otp.call(name, calls("a"))


async def test_helpers_and_plain_tasks_make_no_edge(autojump_clock: Any) -> None:
    """A call of a helper task is not the wait of its process; a time-out ends it as usual."""

    async def by_helper(node: Node, from_: Any) -> Any:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect_timeout)
        return otp.Reply("timed out")

    async def expect_timeout() -> None:
        with pytest.raises(otp.CallTimeout):
            await otp.call("a", "ping", timeout=2)

    async with otp.open_process():
        await nodes("a")
        assert "timed out" == await otp.call("a", by_helper)
    assert 2 == trio.current_time()


async def test_a_chain_is_no_cycle() -> None:
    """A calls B calls C, and D calls B too: everybody is answered and no edge is left."""
    async with otp.open_process(), trio.open_nursery() as nursery:
        pids = await nodes("abcd")
        got: list[str] = []

        async def ask(first: str) -> None:
            got.append(await otp.call(first, calls("b", calls("c"))))

        nursery.start_soon(ask, "a")
        nursery.start_soon(ask, "d")
        await trio.testing.wait_all_tasks_blocked()
        assert [None] * 4 == edges(pids)
    assert ["pong", "pong"] == got


@pytest.mark.parametrize("end", ["timeout", "cancel", "crash", "stop"])
async def test_every_end_of_a_wait_removes_its_edge(autojump_clock: Any, end: str) -> None:
    """After a time-out, a cancellation, a crash or a stop of B, A waits for nobody."""

    async def tries(node: Node, from_: Any) -> Any:
        with trio.move_on_after(1 if end == "cancel" else 100):
            try:
                await otp.call("b", "keep", timeout=1 if end == "timeout" else None)
            except otp.CallError as exc:
                return otp.Reply(type(exc))
        return otp.Reply("cancelled")

    async with otp.open_process(), trio.open_nursery() as nursery:
        pids = await nodes("ab")
        got: list[Any] = []

        async def ask() -> None:
            got.append(await otp.call("a", tries, timeout=None))

        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        if end == "crash":
            otp.exit("b", "crash")
        if end == "stop":
            await otp.stop("b")
    expected = {"timeout": otp.CallTimeout, "cancel": "cancelled"}.get(end, otp.ServerExited)
    assert [expected] == got
    assert edges(pids)[0] is None
