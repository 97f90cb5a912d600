"""What goes wrong in one connection, or in the attempt to get one, ends no node."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING, Any

import inside
import pytest
import trio
import trio.testing
from other_node import HERE, THERE
from scripted_peer import COOKIE, PLAYED, ScriptedPeer, played

import trio_otp as otp
from trio_otp.cluster.wire import control as c
from trio_otp.cluster.wire.handshake import Acceptor, Local, Send
from trio_otp.cluster.wire.opaque import make_pid

if TYPE_CHECKING:
    from pathlib import Path

    from other_node import Net

IMPOSSIBLE = make_pid("ex@" + "a" * 70, 1, 0, 1)  # of a host that no name server takes


async def test_a_function_that_fails_ends_one_connection_and_not_the_node(
    net: Net, autojump_clock: trio.abc.Clock, caplog: Any
) -> None:
    """A name that `allow` or `resolve` did not expect, or an address that is none, ends no node."""

    def fail(name: str) -> Any:
        raise KeyError(name)

    async with net.here(allow=fail, resolve=fail, limit=1000), trio.open_nursery() as nursery:
        with pytest.raises(trio.BrokenResourceError):
            await ScriptedPeer(nursery).connect(HERE)
        with pytest.raises(otp.NoConnection, match=r"KeyError\('ex@h'\)") as caught:
            await otp.call(("server", "ex@h"), 1, timeout=100)
        assert not caught.value.sent
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    told = sorted(each.getMessage() for each in caplog.records if "KeyError" in each.getMessage())
    assert [text.split(": KeyError")[0] for text in told] == [
        f"node {HERE} cannot connect to ex@h",
        f"node {HERE} has refused StapledStream",
    ]


@pytest.mark.parametrize("address", [5, ("127.0.0.1",), ("127.0.0.1", "http"), ("a" * 70, 5)])
async def test_an_address_that_is_none_ends_no_node(net: Net, address: Any) -> None:
    net.addresses["ex@h"] = address
    async with net.here():
        with pytest.raises(otp.NoConnection, match=r"resolve of ex@h|label"):
            await otp.cluster.connect("ex@h")
        assert otp.cluster.nodes() == []


async def test_a_pid_of_a_host_that_cannot_be_ends_no_node(
    net: Net, tmp_path: Path, autojump_clock: trio.abc.Clock
) -> None:
    """A peer may send pids of any node; who answers to one is told that there is no connection."""
    async with played(net, epmd=4369, listen=tmp_path / "socket") as peer:
        await peer.send(c.SendSender(peer.pid(), inside.dump_pid(otp.self()), IMPOSSIBLE))
        pid = await otp.receive()
        otp.send(pid, "hello")
        assert await otp.wait_down(pid) == otp.NOCONNECTION
        assert otp.cluster.nodes() == [peer.name]


@pytest.mark.parametrize(
    "options",
    [
        {"name": "py@" + "a" * 70},
        {"listen": ("a" * 70, 0)},
        {"epmd": ("a" * 70, 4369)},
    ],
)
async def test_a_host_that_cannot_be_is_no_start(net: Net, options: dict[str, Any]) -> None:
    with pytest.raises(otp.StartError, match="label"):
        async with otp.cluster.open_node(**{"name": HERE, **net.options(**options)}):
            pass


async def test_an_address_may_be_a_list(net: Net) -> None:
    async with net.here(listen=["127.0.0.1", 0]):
        assert net.addresses[HERE][1] > 0


async def test_a_port_of_the_environment_that_is_none(net: Net, monkeypatch: Any) -> None:
    monkeypatch.setenv("ERL_EPMD_PORT", "http")
    with pytest.raises(ValueError, match="ERL_EPMD_PORT='http' of the environment"):
        async with otp.cluster.open_node(HERE, **net.options(epmd=None)):
            pass


async def test_three_connections_of_one_node_at_once(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    """Each takes the place of the one before, also of one that came while it waited for its end."""
    async with net.here(limit=1000), trio.open_nursery() as nursery:
        first, second, third = (ScriptedPeer(nursery) for _ in range(3))
        await first.connect(HERE)
        for each in (second, third):
            await each.begin(HERE)
        async with trio.open_nursery() as both:
            both.start_soon(second.finish)
            both.start_soon(third.finish)
        await trio.testing.wait_all_tasks_blocked()
        assert otp.cluster.nodes() == [first.name]
        assert otp.cluster.disconnect(first.name)
        await trio.testing.wait_all_tasks_blocked()
        assert otp.cluster.nodes() == []
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("node", ["nowhere", "a@b@c", "two words@h", "@h", "x@", "x@h\nforged"])
async def test_a_pid_of_a_node_that_cannot_be_is_one_of_the_dead(
    net: Net, autojump_clock: trio.abc.Clock, node: str
) -> None:
    """A peer may send it, and hurts nobody who answers to it."""
    async with played(net) as peer:
        wire = make_pid(node, 1, 0, 1)
        await peer.send(c.SendSender(peer.pid(), inside.dump_pid(otp.self()), wire))
        pid = await otp.receive()
        assert not otp.is_alive(pid)
        otp.send(pid, "hello")
        assert await otp.wait_down(pid) is otp.NOPROC
        with pytest.raises(otp.NoProcess):
            await otp.call(pid, 1)
        assert "\n" not in repr(pid)


class Big(otp.GenServer):
    """Answers with more than is decoded at once."""

    @otp.on_call
    def big(self) -> bytes:
        return bytes(200_000)


async def test_answers_are_decoded_while_all_threads_wait_for_one(net: Net) -> None:
    """Threads that call another node hold all tokens of the program; the decoder has its own."""
    with net.there(otp.child(Big).having(name="big")):
        async with net.here():
            trio.to_thread.current_default_thread_limiter().total_tokens = 1
            call = partial(otp.call, ("big", THERE), otp.cluster.Atom("big"))
            answer = await trio.to_thread.run_sync(trio.from_thread.run, call)
    assert len(answer) == 200_000


@pytest.mark.parametrize("times", [[1, 2], [0, 1]], ids=["it comes first", "we come first"])
async def test_a_stranger_who_says_a_name_does_not_keep_us_from_its_node(
    net: Net, tmp_path: Path, autojump_clock: trio.abc.Clock, times: list[int]
) -> None:
    """Who has no cookie can claim to be the node; our attempt gives way to that once, for 1 s."""
    net.addresses[THERE] = str(tmp_path / "there")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(net.addresses[THERE])  # Trio would do this in a thread, and the clock would jump
    sock.listen()
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
    reached = []
    is_reached = trio.Event()

    async def serve(stream: trio.SocketStream) -> None:
        reached.append(trio.current_time())
        is_reached.set()
        await trio.sleep_forever()

    async with net.here(limit=1000), trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        begun = trio.current_time()
        if times[0]:
            await ScriptedPeer(nursery, name=THERE).begin(HERE)
            await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(connect_to_nobody)
        await is_reached.wait()
        for _ in range(10):
            await ScriptedPeer(nursery, name=THERE).begin(HERE)
            await trio.sleep(0.3)
        assert [time - begun for time in reached] == times
        nursery.cancel_scope.cancel()


async def connect_to_nobody() -> None:
    with pytest.raises(otp.NoConnection):
        await otp.cluster.connect(THERE)


async def test_a_node_told_to_wait_for_the_other_side_takes_its_connection(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    """Of two nodes that connect at once, this one gives way when the other says so."""
    async with net.here(limit=1000), trio.open_nursery() as nursery:

        async def say_nok(stream: trio.SocketStream) -> None:
            shake = Acceptor(Local(PLAYED, 7, COOKIE))
            events: list[Any] = []
            while not events:
                events = list(shake.feed(bytes(await stream.receive_some())))
            [answer] = [each for each in shake.answer("nok") if isinstance(each, Send)]
            await stream.send_all(answer.data)
            is_told.set()

        is_told = trio.Event()
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        net.addresses[PLAYED] = listeners[0].socket.getsockname()
        nursery.start_soon(trio.serve_listeners, say_nok, listeners)
        nursery.start_soon(otp.cluster.connect, PLAYED)
        await is_told.wait()
        await trio.testing.wait_all_tasks_blocked()
        await ScriptedPeer(nursery).connect(HERE)
        await trio.testing.wait_all_tasks_blocked()
        assert otp.cluster.nodes() == [PLAYED]
        nursery.cancel_scope.cancel()


async def test_a_connection_that_is_closed_as_its_writer_wakes(
    net: Net, autojump_clock: trio.abc.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a `__del__` say: Trio would end the run if the writer was woken twice."""
    really, closed = trio.lowlevel.reschedule, []

    def close_and_wake(task: trio.lowlevel.Task) -> None:
        closed.append(otp.cluster.disconnect(PLAYED))
        really(task)

    async with played(net), trio.open_nursery() as nursery:
        await trio.testing.wait_all_tasks_blocked()  # the writer waits, too
        monkeypatch.setattr("trio_otp.cluster.connection.reschedule", close_and_wake)
        otp.cast(("server", PLAYED), "hello")
        assert isinstance(await otp.receive(), otp.cluster.Nodedown)
        assert closed == [True]
        monkeypatch.undo()
        await ScriptedPeer(nursery).connect(HERE)
        assert await otp.receive() == otp.cluster.Nodeup(PLAYED)
        nursery.cancel_scope.cancel()
