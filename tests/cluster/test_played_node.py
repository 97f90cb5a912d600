"""What must hold, shown in virtual time against a node that the test plays itself."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable  # noqa: TC003 - of annotations that are looked up
from typing import TYPE_CHECKING, Any

import inside
import pytest
import trio
import trio.testing
from other_node import HERE
from scripted_peer import (
    PLAYED,
    TICK,
    ScriptedPeer,
    Server,
    answer_to,
    played,
    server,
    system_request,
)

import trio_otp as otp
from trio_otp.cluster.wire import control as c

if TYPE_CHECKING:
    from other_node import Net

A = otp.cluster.Atom


# -- signs of life -----------------------------------------------------------------------------


CLOSED = f"node {HERE} has closed the connection to {PLAYED}: "


async def test_a_silent_node_is_lost_after_four_to_five_ticks(
    net: Net, autojump_clock: trio.abc.Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with played(net) as peer:
        await trio.sleep(TICK / 2)
        await peer.stream.send_all(bytes(4))
        start = trio.current_time()
        down = await otp.receive(otp.cluster.Nodedown)
        assert 4 * TICK <= trio.current_time() - start <= 5 * TICK
        assert "no sign of life in 4 ticks" in down.why
        assert caplog.text.count(CLOSED + down.why) == 1


async def test_each_byte_of_a_long_frame_is_a_sign_of_life(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net, server()) as peer:
        frame = peer.codec.encode(c.RegSend(peer.pid(), A("server"), (A("$gen_cast"), b"x" * 40)))
        for byte in frame:
            await peer.stream.send_all(bytes([byte]))
            await trio.sleep(3 * TICK)
        assert await Server.at("server").get() == [b"x" * 40]
        assert otp.cluster.nodes() == [PLAYED]


async def test_signs_of_life_are_sent_in_each_tick_and_only_then(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net) as peer:
        start = trio.current_time()
        assert await peer.stream.receive_some() == bytes(4)
        assert trio.current_time() - start == TICK


# -- who is told, in which order ----------------------------------------------------------------


async def test_a_node_that_connects_anew_is_told_of_after_its_old_self(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net) as peer, trio.open_nursery() as nursery:
        old = inside.load_pid(peer.pid())
        otp.link(old)
        monitor = otp.monitor(old)
        again = ScriptedPeer(nursery, creation=8)
        await again.connect(HERE)
        told = [await otp.receive() for _ in range(4)]
        assert told[0] == otp.Exit(old, otp.NOCONNECTION)
        assert told[1] == otp.Down(monitor, old, otp.NOCONNECTION)
        assert told[2].why == "the node has connected anew"
        assert told[3] == otp.cluster.Nodeup(PLAYED)
        assert otp.whereis(old) is None
        with pytest.raises(otp.NoProcess):
            await otp.call(old, 1)
        nursery.cancel_scope.cancel()


async def test_callers_of_a_successor_do_not_hear_of_its_predecessor(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net) as peer:
        requests = [otp.send_request(("there", PLAYED), number) for number in (1, 2)]
        frames = [await peer.receive() for _ in range(4)]
        first, second = frames[0].ref, frames[2].ref
        await peer.send(c.MonitorExit(A("there"), frames[0].sender, first, A("bye")))
        await peer.send(c.Send(frames[2].sender, (second, "from the next one")))
        with pytest.raises(otp.ServerExited):
            await otp.receive_response(requests[0])
        assert await otp.receive_response(requests[1]) == "from the next one"


async def test_a_pid_of_the_same_incarnation_works_again(
    net: Net, autojump_clock: trio.abc.Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with played(net) as peer, trio.open_nursery() as nursery:
        pid = inside.load_pid(peer.pid())
        await peer.stream.aclose()
        assert await otp.receive() == otp.cluster.Nodedown(PLAYED, "it has closed the connection")
        assert CLOSED not in caplog.text  # nodes come and go
        again = ScriptedPeer(nursery)
        await again.connect(HERE)
        otp.send(pid, "hello")
        assert (await again.receive()).message == "hello"
        nursery.cancel_scope.cancel()


# -- calls from there ---------------------------------------------------------------------------


async def test_text_is_decoded_for_parameters_that_are_annotated_so(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net, server()) as peer:
        assert await answer_to(peer, (A("greet"), "é".encode())) == "hello, é"
        assert await answer_to(peer, (A("greet"), None)) == "hello, None"
        error = await answer_to(peer, (A("greet"), b"\xff"))
        assert "is no text" in error[1]["message"]
        await peer.send(c.RegSend(peer.pid(), A("server"), (A("$gen_cast"), (A("put"), b"a"))))
        await peer.send(c.RegSend(peer.pid(), A("server"), (A("$gen_cast"), (A("put"),))))
        assert await answer_to(peer, A("get")) == ["a"]


class Words(otp.GenServer):
    """Played by the other node, which answers each call with a binary."""

    @otp.on_call
    def text(self) -> str | otp.Reply[str]: ...

    @otp.on_call
    def either(self) -> str | bytes: ...

    @otp.on_call
    def function(self) -> Callable[[int], str]: ...


async def test_a_binary_is_decoded_for_a_method_that_returns_text(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    """As its annotation says, which is what the caller's type checker goes by."""
    words: Any = Words.at(("there", PLAYED))
    answers: list[object] = []
    async with played(net) as peer, trio.open_nursery() as nursery:

        async def ask(method: Any) -> None:
            try:
                answers.append(await method())
            except ValueError as exc:
                answers.append(str(exc))

        async def answer(method: Any, data: bytes) -> None:
            nursery.start_soon(ask, method)
            while not isinstance(call := await peer.receive(), c.RegSend):
                pass  # monitors, and their ends
            _, (caller, tag), _ = call.message
            await peer.send(c.Send(caller, (tag, data)))
            await trio.testing.wait_all_tasks_blocked()

        await answer(words.text, "é".encode())
        await answer(words.either, b"a")
        await answer(words.function, b"f")
        await answer(words.text, b"\xff")
        nursery.cancel_scope.cancel()
    assert answers == [
        "é",
        b"a",
        b"f",
        "b'\\xff' is no text; what the method returns is annotated str",
    ]


async def test_a_full_mailbox_refuses_calls_and_drops_casts(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    bounded = otp.child(Server).having(name="server", mailbox=otp.BoundedMailbox(2))
    async with played(net, bounded) as peer:
        await otp.sys.suspend("server")
        for number in range(3):
            await peer.send(c.RegSend(peer.pid(), A("server"), (A("$gen_cast"), number)))
        error = await answer_to(peer, "question")
        assert error[0] == "error"
        assert "MailboxFull" in error[1][A("message")]
        await otp.sys.resume("server")
        assert await answer_to(peer, A("get")) == [0, 1]


async def test_an_alias_gets_the_answer(net: Net, autojump_clock: trio.abc.Clock) -> None:
    async with played(net, server()) as peer:
        ref = peer.ref()
        tag = otp.cluster.ImproperList([A("alias")], ref)
        await peer.send(c.RegSend(peer.pid(), A("server"), (A("$gen_call"), (peer.pid(), tag), 1)))
        reply = await peer.receive()
        assert (reply.alias, reply.message) == (ref, (tag, 1))


async def test_the_end_of_a_server_is_told_to_who_monitors_it_there(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net, server()) as peer:
        ref, gone, again = peer.ref(), peer.ref(), peer.ref()
        await peer.send(
            c.Monitor(peer.pid(), A("server"), ref),
            c.Monitor(peer.pid(), A("server"), gone),
            c.Demonitor(peer.pid(), A("server"), gone),
            c.RegSend(peer.pid(), A("server"), (A("$gen_call"), (peer.pid(), peer.ref()), "later")),
        )
        await answer_to(peer, 1)
        otp.exit("server", "enough")
        assert await peer.receive() == c.MonitorExit(A("server"), peer.pid(), ref, "enough")
        await peer.send(c.Monitor(peer.pid(), A("nobody"), again))
        reply = await peer.receive()
        assert (reply.ref, reply.reason) == (again, otp.NOPROC)


async def test_a_reason_without_a_form_is_told_as_text(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net, server()) as peer:
        ref = peer.ref()
        await peer.send(c.Monitor(peer.pid(), A("server"), ref))
        await answer_to(peer, 1)
        otp.exit("server", {1, 2})
        assert (await peer.receive()).reason == "{1, 2}"


# -- system requests ----------------------------------------------------------------------------


async def test_system_requests_of_another_node(net: Net, autojump_clock: trio.abc.Clock) -> None:
    async with played(net, server(restart="temporary")) as peer:
        assert await system_request(peer, A("suspend")) == "ok"
        status = await system_request(peer, A("get_status"))
        assert status[0] == "status"
        assert status[3][1] == "suspended"
        assert await system_request(peer, A("resume")) == "ok"
        assert "Server object" in await system_request(peer, A("get_state"))
        assert (await system_request(peer, (A("replace_state"), 1)))[0] == "error"
        ref = peer.ref()
        await peer.send(c.Monitor(peer.pid(), A("server"), ref))
        assert await system_request(peer, (A("terminate"), A("normal"))) == "ok"
        assert await peer.receive() == c.MonitorExit(A("server"), peer.pid(), ref, otp.NORMAL)


async def test_a_plain_process_is_stopped_and_answers_nothing_else(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    plain = otp.child(trio.sleep_forever).having(name="plain", restart="temporary")
    async with played(net, plain) as peer:
        await peer.send(
            c.RegSend(peer.pid(), A("plain"), (A("system"), (peer.pid(), peer.ref()), A("suspend")))
        )
        assert await system_request(peer, (A("terminate"), A("normal")), "plain") == "ok"
        await otp.wait_down("plain")


async def test_net_kernel_answers_who_pings(net: Net, autojump_clock: trio.abc.Clock) -> None:
    async with played(net) as peer:
        assert await answer_to(peer, (A("is_auth"), A(PLAYED)), "net_kernel") == "yes"
        assert await answer_to(peer, b"nonsense", "net_kernel") == "ignored"
        await peer.send(c.RegSend(peer.pid(), A("net_kernel"), "nonsense"))
        await peer.send(c.RegSend(peer.pid(), A("net_kernel"), (A("$gen_cast"), "nonsense")))
        assert await answer_to(peer, (A("is_auth"), A(PLAYED)), "net_kernel") == "yes"


# -- what is not to hurt ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [b"\0\0\0\4nope", b"\xff" * 8, b"\0\0\0\3p\x83\x50", b"\0\0\0\2p\x83"]
)
async def test_garbage_closes_that_connection_only(
    net: Net, autojump_clock: trio.abc.Clock, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with played(net, server()) as peer, trio.open_nursery() as nursery:
        other = ScriptedPeer(nursery, name="other@127.0.0.1")
        await other.connect(HERE)
        assert await otp.receive() == otp.cluster.Nodeup("other@127.0.0.1")
        await peer.stream.send_all(data)
        down = await otp.receive(otp.cluster.Nodedown)
        assert "it sent what is no message" in down.why
        assert caplog.text.count(CLOSED + down.why) == 1
        assert otp.cluster.nodes() == ["other@127.0.0.1"]
        assert await answer_to(other, 1) == 1
        nursery.cancel_scope.cancel()


async def test_control_messages_for_nobody_change_nothing(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net, server()) as peer:
        me, ref = peer.pid(), peer.ref()
        await peer.send(c.Monitor(me, A("server"), ref))
        await answer_to(peer, "first")
        own = inside.dump_pid(otp.whereis("server"))
        gone = inside.dump_pid(otp.spawn(trio.lowlevel.checkpoint))
        foreign = ScriptedPeer.foreign_pid()
        await peer.send(
            c.Monitor(me, A("server"), ref),
            c.Demonitor(me, A("server"), peer.ref()),
            c.MonitorExit(me, own, peer.ref(), "x"),
            c.Exit(me, own, "x"),
            c.Exit(foreign, own, "x"),
            c.Link(foreign, own),
            c.Unlink(1, foreign, own),
            c.Unlink(2, me, own),
            c.UnlinkAck(3, me, own),
            c.Exit2(me, foreign, "x"),
            c.Exit2(me, own, otp.NORMAL),
            c.Send(foreign, "x"),
            c.Send(own, (ref, "an answer nobody waits for")),
            c.SendSender(me, own, "hello"),
            c.AliasSend(me, ref, "x"),
            c.AliasSend(me, ref, (ref, "x")),
            c.RegSend(me, A("nobody"), "x"),
            c.GroupLeader(me, own),
        )
        assert await peer.receive() == c.UnlinkAck(2, own, me)
        assert await answer_to(peer, "last") == "last"
        assert otp.is_alive("server")
        await peer.send(c.Link(me, gone))
        reply = await peer.receive()
        assert (reply.sender, reply.reason) == (gone, otp.NOPROC)


async def test_links_and_exit_signals_from_there(net: Net, autojump_clock: trio.abc.Clock) -> None:
    async with played(net, server()) as peer:
        me = peer.pid()
        own = inside.dump_pid(otp.self())
        await peer.send(c.Link(me, own), c.Exit(me, own, "first"), c.Exit(me, own, "again"))
        pid = inside.load_pid(me)
        assert await otp.receive() == otp.Exit(pid, "first")
        await peer.send(c.Link(me, own), c.Unlink(7, me, own), c.Exit(me, own, "late"))
        assert await peer.receive() == c.UnlinkAck(7, own, me)
        await peer.send(c.Exit2(me, own, "signal"))
        assert await otp.receive() == otp.Exit(pid, "signal")
        killed = otp.spawn(trio.sleep_forever)
        otp.monitor(killed)
        await peer.send(c.Exit2(me, inside.dump_pid(killed), otp.KILL))
        assert (await otp.receive(otp.Down)).reason is otp.KILLED


# -- what is kept, and what is freed ------------------------------------------------------------


async def test_pids_and_proxies_that_nobody_holds_are_freed(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net) as peer:
        pid = inside.load_pid(peer.pid())
        otp.send(pid, "hello")
        otp.send(("name", PLAYED), "hello")
        monitor = otp.monitor(pid)
        weak = weakref.ref(pid)
        del pid
        gc.collect()
        assert weak() is not None
        otp.demonitor(monitor)
        del monitor
        gc.collect()
        assert weak() is None
        assert not inside.peer_tables(PLAYED).proxies


async def test_a_dead_pid_of_ours_comes_back_as_the_same_object(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net) as peer:
        dead = otp.spawn(trio.lowlevel.checkpoint)
        wire = inside.dump_pid(dead)
        await otp.wait_down(dead)
        me = otp.self()
        await peer.send(c.Send(inside.dump_pid(me), [wire, peer.pid()]))
        found = await otp.receive(list)
        assert found[0] is dead
        assert repr(found[1]).startswith(f"<RemotePid 1.0 of {PLAYED}, incarnation 7")


# -- back pressure ------------------------------------------------------------------------------


async def test_calls_wait_for_room_within_their_time_out(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net) as peer, trio.open_nursery() as nursery:
        gate = peer.hold()
        there = ("there", PLAYED)
        otp.cast(there, b"x" * 2_000_000)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(otp.CallTimeout):
            await otp.call(there, "first", timeout=1)
        sent: list[str] = []

        async def note(name: str, waiting: Any) -> None:
            await waiting
            sent.append(name)

        nursery.start_soon(note, "cast", otp.cast_wait(there, "cast"))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(note, "sent", otp.send_end(there).send("sent"))
        await trio.testing.wait_all_tasks_blocked()
        assert sent == []
        end = otp.send_end(there)
        nursery.start_soon(note, "closed", _closed(end))
        await trio.testing.wait_all_tasks_blocked()
        end.close()
        gate.set()
        contents = [(await peer.receive()).message for _ in range(3)]
        assert contents[1:] == [(A("$gen_cast"), "cast"), "sent"]
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(sent) == ["cast", "closed", "sent"]


async def _closed(end: Any) -> None:
    with pytest.raises(trio.ClosedResourceError):
        await end.send("never")


async def test_above_the_limit_the_connection_is_closed(
    net: Net, autojump_clock: trio.abc.Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with played(net) as peer:
        peer.hold()
        for _ in range(34):
            otp.cast(("there", PLAYED), b"x" * 2_000_000)
        down = await otp.receive(otp.cluster.Nodedown)
        assert "67108864 bytes wait to be sent" in down.why
        assert caplog.text.count(CLOSED + down.why) == 1


async def test_waiting_calls_are_told_that_nothing_was_sent(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net) as peer:
        there = ("there", PLAYED)
        sent = otp.send_request(there, "sent")
        await peer.receive()
        peer.hold()
        otp.cast(there, b"x" * 2_000_000)
        await trio.testing.wait_all_tasks_blocked()
        left = otp.send_request(there, "left")
        replies = otp.cluster.disconnect(PLAYED)
        assert replies
        with pytest.raises(otp.NoConnection) as caught:
            await otp.receive_response(sent)
        assert caught.value.sent
        with pytest.raises(otp.NoConnection) as caught:
            await otp.receive_response(left)
        assert not caught.value.sent


async def test_a_call_that_is_cancelled_before_it_is_made_is_not_sent(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with played(net) as peer:
        with trio.CancelScope() as scope:
            scope.cancel()
            await otp.call(("there", PLAYED), "never")
        otp.send(("there", PLAYED), "next")
        assert (await peer.receive()).message == "next"
