"""The network between nodes breaks and heals: both sides know in time, and go on where they were.

As root there are machines, network namespaces whose cable is pulled, so that no packet tells of it.
Else, and for what goes wrong in one direction alone, a relay hands on nothing any more.
"""

from __future__ import annotations

from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from beam_kit import COOKIE, Beam, Epmd, free_port
from cluster_kit import HOST, LIMIT, DeskNode
from netns_kit import Network, can_split
from other_node import HERE, THERE
from relay import Relay
from relay_kit import open_relay

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from other_node import Net

pytestmark = pytest.mark.interop

TICK = 0.5  # seconds; Erlang's net_ticktime is whole seconds, and four of them
TICKS = "-kernel net_ticktime 2"
MOST = 5 * TICK + 1  # seconds after which everybody knows; a busy machine gets one more


def atom(text: str) -> Any:
    return otp.cluster.Atom(text)


def desk_of(node: Any) -> str:
    """Return the name of a desk that outlives those it is linked to."""
    return "desk" if isinstance(node, Beam) else "trapper"


def options(cookie_file: Path, **more: Any) -> dict[str, Any]:
    return {"cookie_file": cookie_file, "tick": TICK, **more}


async def lose(break_it: Any, desk: Any, node: str) -> None:
    """Break the network while all kinds of things are open: each is told, once and in time."""
    pid = await otp.call(desk, atom("pid"), timeout=LIMIT)
    otp.trap_exit()
    handle = otp.monitor(pid)
    otp.link(pid)
    request = otp.send_request(pid, atom("never"))
    otp.cluster.monitor_nodes()
    await otp.call(pid, (atom("add"), 1, 2), timeout=LIMIT)
    broken = trio.current_time()
    break_it()
    with pytest.raises(otp.NoConnection) as caught:
        await otp.receive_response(request, timeout=LIMIT)
    assert trio.current_time() - broken < MOST
    assert caught.value.sent
    news = [await otp.receive(timeout=LIMIT) for _ in range(3)]
    assert otp.Exit(pid, otp.NOCONNECTION) in news
    assert [(each.ref, each.reason) for each in news if isinstance(each, otp.Down)] == [
        (handle, otp.NOCONNECTION)
    ]
    assert isinstance(news[-1], otp.cluster.Nodedown)
    assert news[-1].node == node
    with pytest.raises(otp.ReceiveTimeout):
        await otp.receive(timeout=0)


async def call_when_healed(pid: Any, request: Any) -> Any:
    """Call until there is an answer; return it."""
    with trio.fail_after(LIMIT):
        while True:
            try:
                return await otp.call(pid, request, timeout=MOST)
            except (otp.NoConnection, otp.CallTimeout):
                pass  # the other side has still to see that the old connection is lost


async def heal(desk: Any, pid: Any, node: str) -> None:
    """When the network is back the next use connects, and the pid of before is the same."""
    assert await call_when_healed(pid, (atom("add"), 1, 2)) == 3
    assert await otp.call(desk, atom("pid"), timeout=LIMIT) is pid
    assert node in otp.cluster.nodes()


@pytest.fixture(scope="module", params=["elixir", "python"])
def local(
    request: pytest.FixtureRequest, epmd: Epmd, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """Another node of this machine, one for all tests: none of them ends it."""
    if request.param == "elixir":
        node: Any = Beam(epmd, "split", erl=TICKS).wait_up()
    else:
        cookie = tmp_path_factory.mktemp("split") / "cookie"
        cookie.touch(0o600)
        cookie.write_text(COOKIE)
        node = DeskNode(f"split@{HOST}", cookie, epmd, TICK).wait_up()
    yield node
    node.close()


@asynccontextmanager
async def relayed(
    local: Any, epmd: Epmd, name: str, cookie_file: Path
) -> AsyncIterator[tuple[Any, tuple[str, str]]]:
    """Be a node that reaches the other one through a relay."""
    if isinstance(local, Beam):
        async with local.open() as orders:
            await orders.run("Desk.start(:desk, trap: true)")
    asked = await trio.open_tcp_stream(HOST, epmd.port)
    async with asked:
        alive = local.name.partition("@")[0].encode()
        await asked.send_all((len(alive) + 1).to_bytes(2, "big") + b"z" + alive)
        port = int.from_bytes(bytes(await asked.receive_some())[2:4], "big")
    async with open_relay(port) as relay:
        resolve = {local.name: (HOST, relay.port)}
        async with (
            otp.cluster.open_node(
                name, **options(cookie_file, epmd=(HOST, epmd.port), resolve=resolve)
            ),
            otp.open_process(),
        ):
            yield relay, (desk_of(local), local.name)


@pytest.mark.parametrize("directions", [(), ("to",), ("back",)], ids=["both", "to", "back"])
async def test_a_frozen_network(
    local: Any, epmd: Epmd, name: str, cookie_file: Path, directions: tuple[str, ...]
) -> None:
    """Whichever direction is silent, both sides give the connection up, and the next one works."""
    async with relayed(local, epmd, name, cookie_file) as (relay, desk):
        pid = await otp.call(desk, atom("pid"))
        await lose(lambda: relay.freeze(*directions), desk, local.name)
        relay.thaw()
        await heal(desk, pid, local.name)
        assert relay.connections > 1


async def test_a_connection_that_is_cut(
    local: Any, epmd: Epmd, name: str, cookie_file: Path
) -> None:
    """A connection that is closed is known at once, and made anew at the next use."""
    async with relayed(local, epmd, name, cookie_file) as (relay, desk):
        pid = await otp.call(desk, atom("pid"))
        async with trio.open_nursery() as nursery:
            await lose(lambda: nursery.start_soon(relay.cut), desk, local.name)
        await heal(desk, pid, local.name)


async def test_a_long_frame_is_a_sign_of_life(epmd: Epmd, name: str, cookie_file: Path) -> None:
    """A frame that takes longer than all ticks arrives, as each of its bytes counts."""
    theirs = name.replace("py", "slow")
    node = DeskNode(theirs, cookie_file, epmd, TICK).wait_up()
    try:
        async with relayed(node, epmd, name, cookie_file) as (relay, desk):
            await otp.call(desk, atom("pid"))
            began = trio.current_time()
            relay.drip = 0.05
            data = bytes(64_000 * 60)
            otp.cast(desk, (atom("note"), data))
            assert await otp.call(desk, (atom("add"), 1, 2), timeout=LIMIT) == 3
            assert trio.current_time() - began > 5 * TICK
            relay.drip = 0
            assert await otp.call(desk, atom("log")) == [data]
            assert relay.connections == 1
    finally:
        node.close()


THIRD = "third@127.0.0.1"


class Desk(otp.GenServer):
    """Says who it is."""

    @otp.on_call
    def pid(self) -> otp.Pid[Any]:
        return otp.self()


async def test_one_of_three_is_cut_off(net: Net) -> None:
    """Both others lose it, and it loses both; these two stay connected, and then all are again."""
    desk = otp.child(Desk).having(name="desk")
    with (
        net.there(desk, tick=TICK) as there,
        net.there(desk, tick=TICK, name=THIRD) as third,
    ):
        async with net.here(tick=TICK, limit=3 * LIMIT), trio.open_nursery() as nursery:
            relay = Relay(net.addresses[THERE])
            await nursery.start(relay.run)
            net.addresses[THERE] = relay.address  # for both others
            await third.do(otp.cluster.connect, THERE)
            async with otp.open_process():
                pids = [await otp.call(("desk", each), atom("pid")) for each in (THERE, THIRD)]
                monitors = [otp.monitor(pid) for pid in pids]
                relay.hold()
                down = await otp.receive(timeout=MOST + LIMIT)
                assert down == otp.Down(monitors[0], pids[0], otp.NOCONNECTION)
                await until(lambda: there.ask(otp.cluster.nodes), [])
                await until(lambda: third.ask(otp.cluster.nodes), [HERE])
                assert otp.cluster.nodes() == [THIRD]
                assert await otp.call(pids[1], atom("pid")) is pids[1]
                relay.let_go()
                assert await call_when_healed(pids[0], atom("pid")) is pids[0]
                await third.do(otp.cluster.connect, THERE)
                await until(lambda: there.ask(otp.cluster.nodes), [HERE, THIRD])
                assert otp.is_alive(pids[1])
                with pytest.raises(otp.ReceiveTimeout):
                    await otp.receive(timeout=0)
            nursery.cancel_scope.cancel()


async def until(ask: Any, nodes: list[str]) -> None:
    """Wait until somebody is connected to these nodes alone."""
    with trio.fail_after(LIMIT):
        while sorted(await ask()) != nodes:
            pass


@contextmanager
def machines(count: int) -> Iterator[Network]:
    network = Network(count)
    try:
        yield network
    finally:
        network.close()


def start_on(
    stack: ExitStack, network: Network, number: int, *, kind: str, cookie_file: Path, port: int
) -> Any:
    """Start a node with a desk, and an epmd, on a machine."""
    host = network.hosts[number]
    epmd = Epmd(port, prefix=network.prefix(number), address=None)
    stack.callback(epmd.close)
    if kind == "elixir":
        options = {"erl": TICKS, "prefix": network.prefix(number), "host": host}
        node: Any = Beam(epmd, f"n{number}", **options).wait_up()
    else:
        node = DeskNode(
            f"n{number}@{host}", cookie_file, epmd, TICK, "insecure", prefix=network.prefix(number)
        ).wait_up()
    stack.callback(node.close)
    return node


async def begin(node: Any) -> None:
    if isinstance(node, Beam):
        async with node.open() as orders:
            await orders.run("Desk.start(:desk, trap: true)")


@pytest.mark.parametrize("kinds", [["elixir"], ["python"], ["elixir", "python"]], ids="+".join)
async def test_a_pulled_cable(kinds: list[str], cookie_file: Path) -> None:
    """Machines that are cut off are lost in time, the others stay; plugged in they are the same."""
    if not can_split():  # no root: the relay above has to be enough
        assert kinds
        return
    port = free_port()
    with machines(1 + len(kinds)) as network, ExitStack() as stack:
        nodes = [
            start_on(stack, network, number, kind=kind, cookie_file=cookie_file, port=port)
            for number, kind in enumerate(kinds, 1)
        ]
        own_epmd = Epmd(port, prefix=network.prefix(0), address=None)
        stack.callback(own_epmd.close)
        stack.enter_context(network.on(0))
        for node in nodes:
            await begin(node)
        name = f"here@{network.hosts[0]}"
        with trio.fail_after(2 * LIMIT):
            async with (
                otp.cluster.open_node(name, **options(cookie_file, epmd=port, insecure=True)),
                otp.open_process(),
            ):
                desks = [(desk_of(node), node.name) for node in nodes]
                pids = [await otp.call(desk, atom("pid"), timeout=LIMIT) for desk in desks]
                await lose(lambda: network.pull(1), desks[0], nodes[0].name)
                if len(nodes) > 1:  # the third machine has lost nobody
                    assert await otp.call(pids[1], (atom("add"), 1, 2)) == 3
                network.plug(1)
                for desk, pid, node in zip(desks, pids, nodes, strict=True):
                    await heal(desk, pid, node.name)
