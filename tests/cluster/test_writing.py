"""What was sent in one turn is written at its end, at once, and a demonitor along with a call."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import TurnEnd
from scripted_peer import PLAYED, in_one_piece, played, server

import trio_otp as otp
from trio_otp.cluster.wire import control as c

if TYPE_CHECKING:
    from other_node import Net

A = otp.cluster.Atom
THERE = ("server", PLAYED)


async def test_what_is_sent_in_one_turn_is_written_at_its_end(net: Net, ends: Any) -> None:
    async with played(net, streams=ends) as peer:
        for number in range(3):
            otp.cast(THERE, number)
        with pytest.raises(BlockingIOError):
            in_one_piece(peer)
        await trio.lowlevel.checkpoint()
        assert [each.message[1] for each in in_one_piece(peer)] == [0, 1, 2]


async def test_a_demonitor_goes_along_with_the_next_call(net: Net, ends: Any) -> None:
    async with played(net, streams=ends) as peer, trio.open_nursery() as nursery:

        async def ask() -> None:
            assert await otp.call(THERE, "first") == "one"
            assert await otp.call(THERE, "second") == "two"

        nursery.start_soon(ask)
        for answer, kinds in (
            ("one", [c.Monitor, c.RegSend]),
            ("two", [c.Demonitor, c.Monitor, c.RegSend]),
        ):
            await trio.lowlevel.wait_readable(peer.stream.socket)
            *_, call = got = in_one_piece(peer)
            assert [type(each) for each in got] == kinds
            caller, tag = call.message[1]
            await peer.send(c.Send(caller, (tag, answer)))
        assert isinstance(await peer.receive(), c.Demonitor)  # of the last one: nothing follows


async def test_what_the_socket_does_not_take_is_written_behind_the_rest(
    net: Net, ends: Any
) -> None:
    texts = [str(number) * 20_000 for number in range(20)]
    ends[1].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    async with played(net, streams=ends) as peer:
        for text in texts:
            otp.cast(THERE, text)
            await trio.testing.wait_all_tasks_blocked()
        for text in texts:
            assert (await peer.receive()).message == (A("$gen_cast"), text)


async def test_an_answer_does_not_overtake_what_the_socket_has_left(net: Net, ends: Any) -> None:
    """Though it is given in the turn in which the writer is woken to write the rest."""
    ends[1].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    async with played(net, server(), streams=ends) as peer:
        await trio.testing.wait_all_tasks_blocked()
        for number in range(20):
            text, me = str(number) * 20_000, peer.pid()
            call = (A("$gen_call"), (me, peer.ref()), number)
            ends[0].socket._sock.send(peer.codec.encode(c.RegSend(me, A("server"), call)))
            otp.cast(THERE, text)
            assert (await peer.receive()).message == (A("$gen_cast"), text)
            assert (await peer.receive()).message[1] == number


async def test_a_connection_that_breaks_as_is_written_is_lost(net: Net, ends: Any) -> None:
    async with played(net, streams=ends):
        await trio.testing.wait_all_tasks_blocked()
        otp.cast(THERE, 1)
        ends[0].socket.close()
        assert (await otp.receive(otp.cluster.Nodedown)).node == PLAYED


async def test_trio_is_asked_for_the_ends_of_turns_only_while_there_is_something() -> None:
    turn_end, calls = TurnEnd(), []
    with pytest.raises(KeyError):
        trio.lowlevel.remove_instrument(turn_end)
    turn_end.call_soon(lambda: calls.append(1), urgent=True)
    await trio.testing.wait_all_tasks_blocked()
    assert calls == [1]
    for _ in range(200):
        await trio.lowlevel.checkpoint()
    with pytest.raises(KeyError):
        trio.lowlevel.remove_instrument(turn_end)
    turn_end.close()
    turn_end.call_soon(lambda: calls.append(2), urgent=True)
    turn_end.call_soon(lambda: calls.append(3), urgent=False)
    await trio.lowlevel.checkpoint()
    assert calls == [1, 2, 3]
    turn_end.close()
    with pytest.raises(KeyError):
        trio.lowlevel.remove_instrument(turn_end)


async def test_what_is_not_urgent_waits_for_some_turns_and_never_for_the_loop() -> None:
    turn_end, calls = TurnEnd(), []
    turn_end.call_soon(lambda: calls.append(1), urgent=False)
    await trio.lowlevel.checkpoint()
    assert not calls  # another turn follows
    for _ in range(5):
        await trio.lowlevel.checkpoint()
    assert calls == [1]
    turn_end.call_soon(lambda: calls.append(2), urgent=False)
    await trio.to_thread.run_sync(int)  # the loop waits for it
    assert calls == [1, 2]
    turn_end.close()
