"""What happens rarely between nodes: names where pids are needed, what comes too late, races."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import inside
import pytest
import trio
import trio.testing
from other_node import HERE, THERE
from scripted_peer import PLAYED, ScriptedPeer, Server, answer_to, played, server

import trio_otp as otp
from trio_otp.cluster.wire import control as c
from trio_otp.cluster.wire.opaque import make_pid, make_reference

if TYPE_CHECKING:
    from missing import Missing  # type: ignore[import-not-found]  # as in a program with a circle
    from other_node import Net

A = otp.cluster.Atom
NAMED = ("there", PLAYED)


class Slow(Server):
    """Waits in its handlers, and has annotations that cannot be looked up."""

    @otp.on_call
    async def wait(self) -> None:
        await trio.sleep(1)

    @otp.on_call
    def odd(self, name: str, other: Missing) -> Any:
        return name, other

    def terminate(self, reason: object) -> None:
        if self.seen == ["fail"]:
            raise ValueError("in terminate")


# -- names where pids are needed ----------------------------------------------------------------


async def test_links_and_signals_need_a_pid(net: Net, autojump_clock: trio.abc.Clock) -> None:
    async with played(net):
        with pytest.raises(TypeError, match=r"otp\.link needs the pid of a process"):
            otp.link(NAMED)  # type: ignore[arg-type]  # on purpose
        with pytest.raises(TypeError, match=r"otp\.exit needs the pid of a process"):
            otp.exit(NAMED, "reason")


async def test_a_pid_that_stands_for_a_name(net: Net, autojump_clock: trio.abc.Clock) -> None:
    async with played(net) as peer:
        pid = otp.whereis(NAMED)
        assert repr(pid) == f"<RemotePid 'there' of {PLAYED}>"
        otp.send(pid, ("name", pid))  # type: ignore[arg-type]  # it is one
        message = await peer.receive()
        assert (message.name, message.message) == ("there", ("name", ("there", PLAYED)))
        await peer.stream.aclose()
        await otp.receive(otp.cluster.Nodedown)
        monitor = otp.monitor(pid)  # type: ignore[arg-type]  # it is one
        otp.demonitor(monitor)


async def test_exit_signals_go_there(net: Net, autojump_clock: trio.abc.Clock) -> None:
    async with played(net) as peer, trio.open_nursery() as nursery:
        pid, me = inside.load_pid(peer.pid()), inside.dump_pid(otp.self())
        otp.exit(pid, "reason")
        assert await peer.receive() == c.Exit2(me, peer.pid(), "reason")
        with pytest.raises(TypeError, match="has no form on another node"):
            otp.exit(pid, object())
        otp.link(pid)
        otp.link(pid)
        assert await peer.receive() == c.Link(me, peer.pid())
        otp.unlink(pid)
        otp.unlink(pid)
        assert await peer.receive() == c.Unlink(1, me, peer.pid())
        await peer.send(c.UnlinkAck(1, peer.pid(), me))
        linked = otp.spawn(_link_and_end, pid, nursery=nursery)
        own = inside.dump_pid(linked)
        assert await peer.receive() == c.Link(own, peer.pid())
        assert await peer.receive() == c.Exit(own, peer.pid(), "bye")


async def _link_and_end(pid: otp.Pid[Any]) -> None:
    otp.link(pid)
    otp.exit("bye")


# -- what comes too late -------------------------------------------------------------------------


async def test_an_answer_after_the_time_out_is_dropped(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net) as peer:
        request = otp.send_request(NAMED, 1)
        monitor, call = await peer.receive(), await peer.receive()
        caller, tag = call.message[1]
        assert (monitor.ref, monitor.to) == (tag, "there")
        with pytest.raises(otp.CallTimeout):
            await otp.receive_response(request, timeout=1)
        assert (await peer.receive()).ref == tag  # the monitor is taken back
        await peer.send(c.Send(caller, (tag, "late")), c.Send(caller, "next"))
        assert await otp.receive() == "next"


async def test_the_end_of_a_node_behind_the_node_is_a_lost_connection(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net) as peer:
        request = otp.send_request(NAMED, 1)
        ref = (await peer.receive()).ref
        await peer.send(c.MonitorExit(A("there"), peer.pid(), ref, otp.NOCONNECTION))
        with pytest.raises(otp.NoConnection) as caught:
            await otp.receive_response(request)
        assert caught.value.sent


async def test_an_answer_for_a_lost_node_is_dropped(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net, server()) as peer:
        tag = peer.ref()
        await peer.send(
            c.RegSend(peer.pid(), A("server"), (A("$gen_call"), (peer.pid(), tag), "keep"))
        )
        await trio.testing.wait_all_tasks_blocked()
        await peer.stream.aclose()
        await otp.receive(otp.cluster.Nodedown)
        assert await otp.call("server", "answer") == "kept"


async def test_a_request_to_a_server_that_dies_is_answered_by_the_monitor(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    slow = otp.child(Slow).having(name="server", restart="temporary")
    async with played(net, slow) as peer:
        ref, me = peer.ref(), peer.pid()
        await peer.send(
            c.Monitor(me, A("server"), ref),
            c.RegSend(me, A("server"), (A("$gen_call"), (me, peer.ref()), A("wait"))),
            c.RegSend(me, A("server"), (A("system"), (me, peer.ref()), A("get_state"))),
        )
        await trio.testing.wait_all_tasks_blocked()
        otp.exit("server", otp.KILL)
        assert (await peer.receive()).reason is otp.KILLED


async def test_send_ends_and_mailboxes_break_with_the_connection(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net) as peer, trio.open_nursery() as nursery:
        end = otp.send_end(NAMED)
        await end.send("one")
        assert (await peer.receive()).message == "one"
        peer.hold()
        otp.cast(NAMED, bytes(2_000_000))

        async def send() -> None:
            with pytest.raises(trio.BrokenResourceError):
                await end.send("two")

        nursery.start_soon(send)
        await trio.testing.wait_all_tasks_blocked()
        assert otp.cluster.disconnect(PLAYED)
        assert not otp.cluster.disconnect(PLAYED)
        await otp.receive(otp.cluster.Nodedown)
        with pytest.raises(trio.BrokenResourceError):
            end.send_nowait("three")


async def test_timers_send_there_and_drop_what_has_no_form(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net) as peer:
        otp.send_after(NAMED, object(), 1)
        otp.send_after(NAMED, "hello", 2)
        assert (await peer.receive()).message == "hello"


async def test_system_functions_are_for_processes_of_this_run(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net):
        with pytest.raises(TypeError, match="has no form on another node"):
            await otp.sys.get_state(NAMED)
        with pytest.raises(otp.WrongServer, match="a process of another node"):
            await otp.which_children(NAMED)
        with pytest.raises(otp.NoProcess):
            otp.process_info(NAMED)


async def test_a_stop_that_cannot_be_sent_leaves_no_trace(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net):
        with pytest.raises(TypeError, match="has no form on another node"):
            await otp.stop(NAMED, object())
        assert otp.process_info(otp.self()).waits_for is None


async def test_nothing_comes_of_a_connection_behind_its_end(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    """What is received with the message at which it was closed is not carried out, nor answered."""
    async with played(net, server()) as peer:
        otp.events.attach("dropped", lambda *_: otp.cluster.disconnect(PLAYED))
        pid = peer.pid()
        nobody, cast = c.RegSend(pid, A("nobody"), 1), c.RegSend(pid, A("server"), "late")
        await peer.send(nobody, cast, cast)
        assert isinstance(await otp.receive(), otp.cluster.Nodedown)
        with pytest.raises(trio.EndOfChannel):
            await peer.receive()
        assert await Server.at("server").get() == []


async def test_what_is_sent_behind_an_end_is_for_the_next_connection(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    """Not for the one that is being closed, which still has a turn."""
    async with played(net) as peer:
        otp.cast(NAMED, "left")
        otp.cluster.disconnect(PLAYED)
        otp.cast(NAMED, "next")
        assert isinstance(await otp.receive(), otp.cluster.Nodedown)
        with pytest.raises(trio.EndOfChannel):
            await peer.receive()


async def test_a_stop_that_may_have_arrived_says_so(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net) as peer, trio.open_nursery() as nursery:
        told: dict[str, bool] = {}

        async def stop(which: str) -> None:
            with pytest.raises(otp.NoConnection) as caught:
                await otp.stop(NAMED)
            told[which] = caught.value.sent

        gate = peer.hold()
        nursery.start_soon(stop, "on its way")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(stop, "waits behind it")
        await trio.testing.wait_all_tasks_blocked()
        otp.cluster.disconnect(PLAYED)
        gate.set()
    assert told == {"on its way": True, "waits behind it": False}


async def test_a_stop_that_ends_otherwise_says_so(net: Net) -> None:
    slow = otp.child(Slow).having(name="server")
    with net.there(slow):
        async with net.here():
            otp.cast(("server", THERE), "fail")
            with pytest.raises(otp.ServerExited, match="in terminate"):
                await otp.stop(("server", THERE))


async def test_the_end_of_a_process_there_can_be_waited_for(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net) as peer, trio.open_nursery() as nursery:
        pid = inside.load_pid(peer.pid())
        ends: list[Any] = []

        async def wait() -> None:
            ends.append(await otp.wait_down(pid))

        async def live() -> None:
            async with otp.while_alive(pid) as scope:
                await trio.sleep_forever()
            ends.append(scope.cancelled_caught)

        for waits, end in [(wait, "gone"), (live, True)]:
            nursery.start_soon(waits)
            monitor = await peer.receive()
            await peer.send(c.MonitorExit(peer.pid(), monitor.sender, monitor.ref, "gone"))
            await trio.testing.wait_all_tasks_blocked()
            assert ends.pop() == end


async def test_a_caller_that_waits_no_more_takes_the_monitor_back(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net) as peer:
        with trio.move_on_after(1):
            await otp.wait_down(NAMED)
        with pytest.raises(otp.CallTimeout):
            await otp.stop(NAMED, timeout=1)
        async with otp.while_alive(NAMED):
            pass
        kinds = [type(await peer.receive()).__name__ for _ in range(7)]
        waited, stopped = ["Monitor", "Demonitor"], ["Monitor", "RegSend", "Demonitor"]
        assert kinds == [*waited, *stopped, *waited]
        assert not inside.peer_tables(PLAYED).awaited


# -- what comes in -------------------------------------------------------------------------------


async def test_plain_messages_reach_handle_info(net: Net, autojump_clock: trio.abc.Clock) -> None:
    async with played(net) as peer:
        me = inside.dump_pid(otp.self())
        foreign = make_reference("third@127.0.0.1", 1, (1,))
        for message in [(A("x"), 1), (A("x"), 1, 2), (foreign, 1), (), A("$gen_call"), "text"]:
            await peer.send(c.SendSender(peer.pid(), me, message))
            assert await otp.receive() == message


async def test_annotations_that_cannot_be_looked_up_decode_nothing(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net, otp.child(Slow).having(name="server")) as peer:
        assert await answer_to(peer, (A("odd"), b"a", 1)) == (b"a", 1)


async def test_pids_of_this_node_that_were_never_sent(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    """A node may know them from a third one; of an older incarnation they are dead."""
    async with played(net):
        me = otp.self()
        wire = inside.dump_pid(me)
        assert inside.load_pid(make_pid(HERE, wire.number, 0, wire.creation)) is me
        old = inside.load_pid(make_pid(HERE, wire.number, 0, wire.creation ^ 1))
        assert old is not me
        assert not otp.is_alive(old)
        fresh = otp.spawn(trio.sleep_forever)
        number = int(repr(fresh).split()[1])
        assert inside.load_pid(make_pid(HERE, number, 0, wire.creation)) is fresh
        otp.exit(fresh, otp.KILL)


async def test_signals_to_the_dead_do_nothing(net: Net, autojump_clock: trio.abc.Clock) -> None:
    async with played(net) as peer:
        dead = otp.spawn(trio.lowlevel.checkpoint)
        wire = inside.dump_pid(dead)
        await otp.wait_down(dead)
        await peer.send(
            c.Exit2(peer.pid(), wire, "x"),
            c.Send(wire, "x"),
            c.Send(inside.dump_pid(otp.self()), "next"),
        )
        assert await otp.receive() == "next"


# -- connections ---------------------------------------------------------------------------------


async def test_a_caller_that_is_not_allowed_gets_the_reason(net: Net) -> None:
    with net.there(allow=[]):
        async with net.here():
            with pytest.raises(otp.NoConnection, match="does not allow this node"):
                await otp.cluster.connect(THERE)


async def test_a_node_that_resolve_does_not_know_cannot_be_reached(net: Net) -> None:
    async with net.here():
        with pytest.raises(otp.NoConnection, match="resolve knows no other@127"):
            await otp.cluster.connect("other@127.0.0.1")


async def test_two_handshakes_of_one_name_do_not_disturb_each_other(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with net.here(limit=1000), trio.open_nursery() as nursery:
        first, second = (ScriptedPeer(nursery) for _ in range(2))
        await first.begin(HERE)
        await second.begin(HERE)
        await trio.testing.wait_all_tasks_blocked()
        await first.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        await second.finish()
        await trio.testing.wait_all_tasks_blocked()
        assert otp.cluster.nodes() == [PLAYED]
        nursery.cancel_scope.cancel()


async def test_an_epmd_that_says_nothing_is_none(net: Net) -> None:
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")

        async def close(stream: trio.SocketStream) -> None:
            await stream.receive_some()
            await stream.aclose()

        nursery.start_soon(trio.serve_listeners, close, listeners)
        epmd = listeners[0].socket.getsockname()
        with pytest.raises(otp.StartError, match="epmd"):
            async with otp.cluster.open_node(HERE, **net.options(epmd=epmd)):
                pass
        nursery.cancel_scope.cancel()


async def test_a_node_listens_at_the_port_it_is_told(net: Net) -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    address = listeners[0].socket.getsockname()
    await listeners[0].aclose()
    async with net.here(listen=address):
        assert net.addresses[HERE] == address


async def test_a_watcher_of_nodes_may_outlive_the_node(net: Net) -> None:
    async with otp.open_process() as me:
        async with net.here():
            otp.cluster.monitor_nodes()
        assert otp.is_alive(me)
    async with net.here():
        async with otp.open_process():
            otp.cluster.monitor_nodes()
        gc.collect()
        assert otp.cluster.nodes() == []


def test_the_names_of_the_namespace() -> None:
    assert {"open_node", "Node", "Atom"} <= set(dir(otp.cluster))
