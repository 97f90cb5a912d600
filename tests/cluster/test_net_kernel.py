"""The processes of a node itself: whatever others do to them, the node stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import inside
import pytest
import trio
import trio.testing
from other_node import HERE
from scripted_peer import PLAYED, answer_to, played

import trio_otp as otp
from trio_otp.cluster.wire import control as c

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from other_node import Net
    from scripted_peer import ScriptedPeer

A = otp.cluster.Atom


async def by_signal(peer: ScriptedPeer, kernel: otp.Pid[Any]) -> None:
    await peer.send(c.Exit2(peer.pid(), inside.dump_pid(kernel), A("kill")))


async def by_link(peer: ScriptedPeer, kernel: otp.Pid[Any]) -> None:
    own = inside.dump_pid(kernel)
    await peer.send(c.Link(peer.pid(), own), c.Exit(peer.pid(), own, A("bye")))


async def by_request(peer: ScriptedPeer, kernel: otp.Pid[Any]) -> None:
    stop = (A("system"), (peer.pid(), peer.ref()), (A("terminate"), A("normal")))
    await peer.send(c.RegSend(peer.pid(), A("net_kernel"), stop))
    assert (await peer.receive()).message[1] == "ok"


async def by_code_here(peer: ScriptedPeer, kernel: otp.Pid[Any]) -> None:
    await otp.stop(kernel)


@pytest.mark.parametrize("end", [by_signal, by_link, by_request, by_code_here])
async def test_net_kernel_comes_back(
    net: Net,
    autojump_clock: trio.abc.Clock,
    caplog: pytest.LogCaptureFixture,
    end: Callable[[ScriptedPeer, otp.Pid[Any]], Awaitable[None]],
) -> None:
    """Who calls from plain code has another pid then, and what was open is answered as ever."""
    async with played(net) as peer, trio.open_nursery() as nursery:
        answers: list[object] = []

        async def ask() -> None:
            answers.append(await otp.call(("desk", PLAYED), "asked", timeout=None))

        trio.lowlevel.spawn_system_task(ask)  # plain code
        monitor, called = await peer.receive(), await peer.receive()
        assert isinstance(monitor, c.Monitor)
        kernel = otp.whereis("net_kernel")
        assert kernel is not None
        assert monitor.sender == inside.dump_pid(kernel)
        await end(peer, kernel)
        await otp.wait_down(kernel)
        again = await otp.wait_for_name("net_kernel")
        assert again is not kernel
        await trio.testing.wait_all_tasks_blocked()
        assert otp.cluster.nodes() == [PLAYED]
        assert await answer_to(peer, (A("is_auth"), A(PLAYED)), "net_kernel") == "yes"
        await peer.send(c.Send(monitor.sender, (called.message[1][1], "answered")))
        await trio.testing.wait_all_tasks_blocked()
        assert answers == ["answered"]
        assert isinstance(await peer.receive(), c.Demonitor)
        nursery.cancel_scope.cancel()
    assert caplog.text.count(f"net_kernel of node {HERE} has ended: ") == 1


async def test_a_node_takes_no_calls(net: Net) -> None:
    """Nonsense is its caller's error; a crash would lose all connections."""
    node = otp.child(otp.cluster.Node, HERE, **net.options()).having(name="node")
    async with otp.open_supervisor([node]):
        before = otp.whereis("node")
        with pytest.raises(TypeError, match="Node does not take the call 'nonsense'"):
            await otp.call("node", "nonsense")
        otp.cast("node", "nonsense")
        otp.send("node", "nonsense")
        await trio.testing.wait_all_tasks_blocked()
        assert otp.whereis("node") is before
        assert otp.cluster.node() == HERE
