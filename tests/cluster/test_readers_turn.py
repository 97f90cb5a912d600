"""A call of another node that a waiting server handles in the turn of the task that has read it.

Each test is run both ways: nobody at the other end can tell one from the other.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import MessageLoop, message_loop, process_of, request
from scripted_peer import PLAYED, ScriptedPeer, answer_to, in_one_piece, played

import trio_otp as otp
from trio_otp.cluster.wire import control as c

if TYPE_CHECKING:
    from collections.abc import Callable

    from other_node import Net

A = otp.cluster.Atom


class Server(otp.GenServer):
    """Does with a call what the test says, and notes which tasks have run it."""

    def __init__(self, does: Callable[[Any, otp.From[Any]], Any]) -> None:
        self.does = does
        self.tasks: list[trio.lowlevel.Task] = []
        self.log: list[object] = []

    def handle_call(self, request: object, from_: otp.From[Any]) -> Any:
        if request == "warm up":
            return otp.Reply(None)
        self.tasks.append(trio.lowlevel.current_task())
        self.log.append(request)
        return self.does(self, from_)

    def handle_cast(self, message: object) -> None:
        self.log.append(message)

    @otp.on_call(raises=(KeyError,))
    def fetch(self, key: str) -> object:
        self.tasks.append(trio.lowlevel.current_task())
        return {}[key]

    @otp.on_call
    async def look(self) -> bool:
        return trio.lowlevel.current_task() is process_of(otp.self()).task


@pytest.fixture(params=["reader", "server"])
def way(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: trio.abc.Clock,  # so that a call without an answer is not waited for
) -> str:
    """Whose turn it is: that of the reader, or that of the server, as if there were no other."""
    monkeypatch.setattr(MessageLoop, "serves_callers", request.param == "reader")
    monkeypatch.setattr(message_loop, "BURST_SECONDS", 1e6)  # however slow this machine is
    kind: str = request.param
    return kind


def child(does: Callable[[Any, otp.From[Any]], Any]) -> otp.Child[Server]:
    return otp.child(Server, does).having(name="server", restart="temporary")


async def waiting() -> tuple[Any, trio.lowlevel.Task]:
    """Return the server, which has been in its own turn and waits, and its task."""
    await otp.call("server", "warm up")
    await trio.testing.wait_all_tasks_blocked()
    process = process_of(otp.whereis("server"))  # type: ignore[arg-type]  # it lives
    return process.instance, process.task


def was_handled_by(way: str, instance: Any, own: trio.lowlevel.Task) -> bool:
    """Check whether all calls were handled in the turn of whom they should be."""
    return {way == "server"} == {task is own for task in instance.tasks}


def call(peer: ScriptedPeer, request: object, tag: Any = None) -> Any:
    """Return the message of a call of the server."""
    from_ = peer.pid(), tag or peer.ref()
    return c.RegSend(peer.pid(), A("server"), (A("$gen_call"), from_, request))


@pytest.mark.parametrize(
    ("does", "answer"),
    [
        (lambda _server, _from: otp.Reply(7), 7),
        (lambda _server, from_: otp.Stop("bye", reply=from_.message), "ask"),
        (lambda _server, from_: (otp.reply(from_, "early"), otp.NoReply())[1], "early"),
    ],
)
async def test_an_answer(net: Net, way: str, does: Any, answer: object) -> None:
    async with played(net, child(does)) as peer:
        server, own = await waiting()
        assert await answer_to(peer, "ask") == answer
        assert was_handled_by(way, server, own)


async def test_an_error_that_is_the_answer(net: Net, way: str) -> None:
    async with played(net, child(lambda *_: None)) as peer:
        server, own = await waiting()
        error = await answer_to(peer, (A("fetch"), "key"))
        assert (error[0], error[1]["message"]) == ("error", "KeyError: 'key'")
        assert was_handled_by(way, server, own)


async def test_a_method_that_needs_the_task_of_the_server_is_not_tried_without(
    net: Net, way: str
) -> None:
    async with played(net, child(lambda _server, _from: otp.Reply(7))) as peer:
        server, own = await waiting()
        assert await answer_to(peer, A("look")) is True
        await trio.testing.wait_all_tasks_blocked()
        assert await answer_to(peer, "ask") == 7
        assert was_handled_by(way, server, own)  # having been in vain costs some turns


async def test_an_answer_that_comes_later(net: Net, way: str) -> None:
    kept: list[Any] = []

    def does(_server: Any, from_: Any) -> Any:
        kept.append(from_)
        return otp.NoReply()

    async with played(net, child(does)) as peer:
        server, own = await waiting()
        await peer.send(call(peer, "ask"))
        await trio.testing.wait_all_tasks_blocked()
        assert (kept[0].caller.node, kept[0].abandoned) == (PLAYED, False)
        otp.reply(kept[0], "late")
        assert (await peer.receive()).message[1] == "late"
        assert was_handled_by(way, server, own)


async def test_a_crash_is_told_to_who_monitors(net: Net, way: str) -> None:
    def does(_server: Any, _from: Any) -> Any:
        raise ValueError("boom")

    async with played(net, child(does)) as peer:
        server, own = await waiting()
        ref = peer.ref()
        await peer.send(c.Monitor(peer.pid(), A("server"), ref), call(peer, "ask", ref))
        down = await peer.receive()
        assert (down.ref, str(down.reason)) == (ref, "ValueError: boom")
        assert was_handled_by(way, server, own)


async def test_what_comes_in_is_handled_in_order(net: Net, way: str) -> None:
    def does(_server: Any, _from: Any) -> Any:
        return otp.Reply(None)

    def cast(peer: ScriptedPeer, message: object) -> Any:
        return c.RegSend(peer.pid(), A("server"), (A("$gen_cast"), message))

    async with played(net, child(does)) as peer:
        server, own = await waiting()
        await peer.send(call(peer, 1), cast(peer, 2), call(peer, 3), call(peer, 4), cast(peer, 5))
        await trio.testing.wait_all_tasks_blocked()
        assert server.log == [1, 2, 3, 4, 5]
        first, *rest = server.tasks
        assert (first is own) == (way == "server")
        assert {own} == set(rest)  # as the cast has woken it


async def test_a_flood_of_calls_leaves_the_server_its_turn(net: Net, way: str) -> None:
    async with played(net, child(lambda _server, _from: otp.Reply(None))) as peer:
        server, own = await waiting()
        await peer.send(*(call(peer, number) for number in range(200)))
        await trio.testing.wait_all_tasks_blocked()
        assert server.log == list(range(200))
        theirs = [task is not own for task in server.tasks]
        most = message_loop.BURST if way == "reader" else 0
        assert not any(theirs[most:])
        assert any(theirs) == (way == "reader")


async def test_a_callback_that_ends_the_connection_that_has_brought_it(net: Net, way: str) -> None:
    def does(_server: Any, _from: Any) -> Any:
        otp.cluster.disconnect(PLAYED)
        return otp.Reply("to nobody")

    async with played(net, child(does)) as peer:
        server, own = await waiting()
        await peer.send(call(peer, "ask"))
        assert (await otp.receive(otp.cluster.Nodedown)).node == PLAYED
        assert was_handled_by(way, server, own)
        await otp.call("server", "warm up")  # nothing has become of it


async def test_a_server_that_its_callback_kills(net: Net, way: str) -> None:
    def does(_server: Any, _from: Any) -> Any:
        otp.exit(otp.self(), otp.KILL)
        return otp.Reply("from the dead")

    async with played(net, child(does)) as peer:
        server, own = await waiting()
        ref = peer.ref()
        await peer.send(c.Monitor(peer.pid(), A("server"), ref), call(peer, "ask", ref))
        assert (await peer.receive()).reason is otp.KILLED
        assert was_handled_by(way, server, own)


@pytest.mark.parametrize("exits", [True, False])
async def test_a_server_that_is_woken_before_the_turn_begins(
    net: Net, monkeypatch: pytest.MonkeyPatch, exits: bool
) -> None:
    """As by a `__del__`: what it was sent comes first, and its task goes on."""
    real = request.is_free

    def wake(*args: Any) -> bool:
        monkeypatch.setattr(request, "is_free", real)
        if exits:
            otp.exit(pid, "left")
        else:
            otp.cast(pid, "before")
        return real(*args)

    async with played(net, child(lambda _server, _from: otp.Reply("yes"))) as peer:
        server, own = await waiting()
        pid: Any = otp.whereis("server")
        monkeypatch.setattr(request, "is_free", wake)
        ref = peer.ref()
        await peer.send(c.Monitor(peer.pid(), A("server"), ref), call(peer, "ask", ref))
        told = await peer.receive()
        if exits:
            assert (told.ref, told.reason, server.log) == (ref, "left", [])
        else:
            assert (told.message[1], server.log, server.tasks) == ("yes", ["before", "ask"], [own])


async def test_those_who_listen_are_told_of_a_call_and_its_end(net: Net, way: str) -> None:
    told: list[Any] = []
    async with played(net, child(lambda _server, _from: otp.Reply("yes"))) as peer:
        server, own = await waiting()
        otp.events.attach("call_start", lambda from_: told.append(from_.caller.node))
        otp.events.attach("call_stop", lambda *end: told.append(end[1]))
        assert await answer_to(peer, "ask") == "yes"
        assert told == [PLAYED, None]
        assert was_handled_by(way, server, own)


async def test_the_answer_is_written_before_the_task_that_has_read_the_call_waits(
    net: Net, ends: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Steps(trio.abc.Instrument):
        def after_task_step(self, task: trio.lowlevel.Task) -> None:
            with suppress(BlockingIOError):
                written.append((task, in_one_piece(peer)))

    written: list[Any] = []
    monkeypatch.setattr(message_loop, "BURST_SECONDS", 1e6)
    async with played(net, child(lambda _server, _from: otp.Reply("yes")), streams=ends) as peer:
        server, _ = await waiting()
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        await peer.send(call(peer, "ask"))
        await trio.testing.wait_all_tasks_blocked()
        trio.lowlevel.remove_instrument(steps)
        [(task, [answer])] = written
        assert [task] == server.tasks
        assert answer.message[1] == "yes"
