"""How a run becomes a node: what is refused, what is left of a failure, epmd, a node in a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import inside
import pytest
import trio
import trio.lowlevel
import trio.testing
import trustme
from other_node import HERE, THERE, contexts
from scripted_peer import PLAYED, ScriptedPeer
from small_epmd import SmallEpmd

import trio_otp as otp

if TYPE_CHECKING:
    from pathlib import Path

    from other_node import Net


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"name": "no host"}, 'the name of a node, as "py@host"'),
        ({"name": 7}, 'the name of a node, as "py@host"'),
        ({"tick": 0}, "a finite number of seconds > 0"),
        ({"tick": "1"}, "a finite number of seconds > 0"),
        ({"max_frame": 10}, "a number of bytes >= 1024"),
        ({"tls": "yes"}, "two ssl.SSLContext"),
        ({"tls": (1, 2)}, "two ssl.SSLContext"),
        ({"resolve": 7}, "a dict of names and addresses"),
        ({"allow": "a@b"}, "names of nodes, or a function"),
        ({"allow": 7}, "names of nodes, or a function"),
        ({"listen": 7}, '(host, port), as ("127.0.0.1", 0)'),
        ({"epmd": "localhost"}, "(host, port), a port, False or None"),
    ],
)
async def test_what_is_no_option_is_refused(
    net: Net, options: dict[str, Any], expected: str
) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        async with otp.cluster.open_node(**{"name": HERE, **net.options(**options)}):
            pass
    assert expected in str(caught.value)


async def test_the_cookie_is_a_secret(net: Net, tmp_path: Path, monkeypatch: Any) -> None:
    net.cookie.chmod(0o640)
    with pytest.raises(otp.StartError, match=r"others can read .*; write chmod 600"):
        await enter(net)
    net.cookie.chmod(0o600)
    net.cookie.write_text("\n")
    with pytest.raises(otp.StartError, match="has no first line"):
        await enter(net)
    with pytest.raises(otp.StartError, match="No such file") as caught:
        await enter(net, cookie_file=tmp_path / "none")
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    home = tmp_path / ".erlang.cookie"
    home.touch(0o600)
    home.write_text("the usual one\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    await enter(net, cookie_file=None)


async def enter(net: Net, name: str = HERE, **options: Any) -> None:
    async with otp.cluster.open_node(name, **net.options(**options)):
        assert otp.cluster.node() == name


async def test_a_run_is_one_node(net: Net) -> None:
    async with net.here():
        with pytest.raises(otp.StartError, match=f"this run is the node {HERE} already"):
            await enter(net, "second@127.0.0.1")
    assert otp.cluster.node() is None
    with pytest.raises(RuntimeError, match="this run is no node of a cluster; write"):
        otp.cluster.nodes()


async def test_others_are_kept_out_or_need_certificates(net: Net) -> None:
    everywhere = ("0.0.0.0", 0)
    ca = trustme.CA()
    with pytest.raises(otp.StartError, match="which others can reach; expected TLS with cert"):
        await enter(net, listen=everywhere)
    with pytest.raises(otp.StartError, match="which others can reach"):
        await enter(net, listen=everywhere, tls=contexts(ca, mutual=False))
    await enter(net, listen=everywhere, tls=contexts(ca))
    await enter(net, listen=everywhere, insecure=True)


async def test_without_epmd_and_resolve_a_node_does_not_start(net: Net, monkeypatch: Any) -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()
    monkeypatch.setenv("ERL_EPMD_PORT", str(port))
    with pytest.raises(otp.StartError, match=r"no epmd at 127\.0\.0\.1:\d+: start it .*resolve="):
        await enter(net, epmd=None, resolve=None)
    with pytest.raises(otp.StartError, match="there is no epmd"):
        await enter(net, epmd=port)
    await enter(net, epmd=None)


@pytest.mark.parametrize("mode", ["epmd", "names"])
async def test_a_name_that_is_taken_here_is_a_start_error(net: Net, mode: str) -> None:
    async with otp.open_process(name="net_kernel"):
        with pytest.raises(otp.AlreadyStarted):
            await enter(net)
        assert otp.cluster.node() is None


@pytest.fixture
def patient_clock() -> trio.testing.MockClock:
    """Jump only when nothing has come over a socket for a while."""
    return trio.testing.MockClock(autojump_threshold=0.01)


async def test_epmd_finds_nodes(net: Net) -> None:
    async with SmallEpmd().running() as epmd:
        options = {"epmd": epmd.address, "resolve": None}
        with net.there(start=False, **options) as other:
            await trio.to_thread.run_sync(other.start)
            async with net.here(**options):
                assert epmd.ports.keys() == {"here", "there"}
                await otp.cluster.connect(THERE)
                assert otp.cluster.nodes() == [THERE]
                with pytest.raises(otp.NoConnection, match="knows no node called nobody"):
                    await otp.call(("x", "nobody@127.0.0.1"), 1)
            await trio.to_thread.run_sync(other.end)
        with trio.fail_after(20):
            while epmd.ports:
                await trio.lowlevel.checkpoint()


async def test_a_name_that_is_taken_at_epmd_is_tried_again_for_two_seconds(
    net: Net, patient_clock: trio.abc.Clock
) -> None:
    async with SmallEpmd().running() as epmd, trio.open_nursery() as nursery:
        epmd.ports["here"] = 1
        start = trio.current_time()
        with pytest.raises(otp.StartError, match="epmd has another node called here"):
            await enter(net, epmd=epmd.address)
        assert trio.current_time() - start >= 2

        async def free() -> None:
            await trio.sleep(1)
            del epmd.ports["here"]

        nursery.start_soon(free)
        await enter(net, epmd=epmd.address)


async def test_a_node_registers_again_when_epmd_was_started_anew(
    net: Net, patient_clock: trio.abc.Clock
) -> None:
    epmd = SmallEpmd()
    async with trio.open_nursery() as nursery:
        await nursery.start(epmd.run)
        async with otp.cluster.open_node(HERE, **net.options(epmd=epmd.address)):
            epmd.stop()
            await trio.sleep(3)
            assert not epmd.ports
            await nursery.start(epmd.run)
            epmd.ports["here"] = 1  # as if its old self were still known
            await trio.sleep(3)
            del epmd.ports["here"]
            await trio.sleep(3)
            assert epmd.ports.keys() == {"here"}
        epmd.stop()


async def test_a_node_at_a_unix_socket(net: Net, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with net.there(listen=path):
        net.addresses[THERE] = str(path)
        assert path.stat().st_mode & 0o777 == 0o600
        async with net.here():
            await otp.cluster.connect(THERE)
            assert otp.cluster.nodes() == [THERE]
    assert not path.exists()
    (tmp_path / "taken").touch()
    with pytest.raises(otp.StartError, match="in use"):
        await enter(net, listen=tmp_path / "taken")


async def test_a_node_as_a_child(net: Net) -> None:
    node = otp.child(otp.cluster.Node, HERE, **net.options()).having(name="node")
    async with otp.open_supervisor([node]) as supervisor, otp.open_process():
        first = otp.whereis("node")
        assert otp.cluster.node() == HERE
        assert first is not None
        assert "secret" not in str((await otp.sys.get_status("node")).state)
        monitor = otp.monitor("net_kernel")
        otp.exit(first, otp.KILL)
        assert await otp.receive(otp.Down) == otp.Down(monitor, "net_kernel", otp.SHUTDOWN)
        while otp.whereis("node") in (None, first):
            await trio.lowlevel.checkpoint()
        while otp.whereis("net_kernel") is None:
            await trio.lowlevel.checkpoint()
        assert otp.cluster.node() == HERE
        await otp.terminate_child(supervisor, "node")
        assert otp.cluster.node() is None
        assert otp.whereis("net_kernel") is None


async def test_a_node_as_a_child_that_cannot_start(net: Net) -> None:
    net.cookie.unlink()
    with pytest.raises(otp.StartError, match="No such file"):
        async with otp.open_supervisor([otp.child(otp.cluster.Node, HERE, **net.options())]):
            pass


async def test_an_open_node_that_is_cancelled_leaves_nothing(net: Net) -> None:
    """At each of its checkpoints."""
    async with SmallEpmd().running() as epmd:
        for number in range(1, 100):
            if await opened_before(number, net, epmd=epmd.address):
                break
            assert otp.cluster.node() is None
            assert otp.whereis("net_kernel") is None
            with trio.fail_after(20):
                while epmd.ports:
                    await trio.lowlevel.checkpoint()
        assert number > 3


async def test_one_at_a_unix_socket_that_is_cancelled_leaves_no_file(
    net: Net, tmp_path: Path
) -> None:
    """At each of its checkpoints; else the next one would find the address in use."""
    path = tmp_path / "socket"
    for number in range(1, 100):
        is_open = await opened_before(number, net, listen=path)
        assert not path.exists()  # noqa: ASYNC240 - of this test alone
        if is_open:
            break
    assert number > 2


class _AtStep(trio.abc.Instrument):
    def __init__(self, task: trio.lowlevel.Task, left: int, scope: trio.CancelScope) -> None:
        self._task, self._left, self._scope = task, left, scope

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self._left -= 1
            if self._left == 0:
                self._scope.cancel()


async def opened_before(number: int, net: Net, **options: Any) -> bool:
    """Open a node, and cancel that at a checkpoint; return whether it was open by then."""
    is_open = False
    with trio.CancelScope() as scope:
        instrument = _AtStep(trio.lowlevel.current_task(), number, scope)
        trio.lowlevel.add_instrument(instrument)
        try:
            async with otp.cluster.open_node(HERE, **net.options(**options)):
                is_open = True
        finally:
            trio.lowlevel.remove_instrument(instrument)
    return is_open


async def test_what_leaves_the_block_is_bare(net: Net) -> None:
    with pytest.raises(ZeroDivisionError):
        async with otp.cluster.open_node(HERE, **net.options()):
            raise ZeroDivisionError


# -- who is refused -----------------------------------------------------------------------------


async def test_a_node_with_another_cookie_is_refused_and_logged(net: Net, caplog: Any) -> None:
    async with net.here(), trio.open_nursery() as nursery:
        peer = ScriptedPeer(nursery)
        with pytest.raises(trio.BrokenResourceError):
            await peer.connect(HERE, cookie=b"another")
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    [record] = [each for each in caplog.records if "has refused" in each.getMessage()]
    assert f"{peer.name} has another cookie" in record.getMessage()
    assert "secret" not in record.getMessage()


@pytest.mark.parametrize("allow", [["friend@127.0.0.1"], lambda name: name.startswith("friend")])
async def test_a_node_that_is_not_allowed_is_refused(net: Net, allow: Any) -> None:
    async with net.here(allow=allow), trio.open_nursery() as nursery:
        with pytest.raises(Exception, match="does not allow this node"):
            await ScriptedPeer(nursery).connect(HERE)
        await ScriptedPeer(nursery, name="friend@127.0.0.1").connect(HERE)
        await trio.testing.wait_all_tasks_blocked()
        assert otp.cluster.nodes() == ["friend@127.0.0.1"]
        nursery.cancel_scope.cancel()


async def test_a_handshake_has_seven_seconds_and_its_bytes(
    net: Net, autojump_clock: trio.abc.Clock, caplog: Any
) -> None:
    async with net.here(limit=1000), trio.open_nursery() as nursery:
        slow = ScriptedPeer(nursery)
        start = trio.current_time()
        assert await slow.stream.receive_some() == b""
        assert trio.current_time() - start == 7
        loud = ScriptedPeer(nursery)
        await loud.stream.send_all(b"\xff\xff" + bytes(80_000))
        assert await loud.stream.receive_some() == b""
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    told = [each.getMessage() for each in caplog.records if "has refused" in each.getMessage()]
    assert "its handshake took longer than 7 s" in told[0]
    assert len(told) == 2


async def test_a_node_that_gives_way_to_another_connection_is_no_stranger(
    net: Net, caplog: Any
) -> None:
    """Of two nodes that connect to each other at once, one ends its attempt."""
    async with net.here(), trio.open_nursery() as nursery:
        await ScriptedPeer(nursery).connect(HERE)
        again = ScriptedPeer(nursery)
        await again.begin(HERE)
        await again.stream.send_stream.aclose()
        stranger = ScriptedPeer(nursery, name="stranger@127.0.0.1")
        await stranger.begin(HERE)
        await stranger.stream.send_stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert otp.cluster.nodes() == [PLAYED]
        nursery.cancel_scope.cancel()
    [told] = [each.getMessage() for each in caplog.records if "has refused" in each.getMessage()]
    assert "it has closed the connection in the handshake" in told


async def test_there_are_so_many_unfinished_handshakes_at_most(
    net: Net, autojump_clock: trio.abc.Clock
) -> None:
    async with net.here(limit=1000), trio.open_nursery() as nursery:
        many = [ScriptedPeer(nursery) for _ in range(100)]
        await trio.testing.wait_all_tasks_blocked()
        late = ScriptedPeer(nursery)
        assert await late.stream.receive_some() == b""
        assert trio.current_time() == 0
        await many[0].connect(HERE)
        await ScriptedPeer(nursery, name="later@127.0.0.1").connect(HERE)
        nursery.cancel_scope.cancel()


async def test_reaching_beyond_this_host_needs_certificates(net: Net, monkeypatch: Any) -> None:
    monkeypatch.setattr(inside.streams, "is_loopback", lambda _: False)
    with net.there(insecure=True):
        async with net.here(insecure=True):
            pass
        net.addresses.pop(HERE)
        monkeypatch.undo()
        async with net.here():
            monkeypatch.setattr(inside.streams, "is_loopback", lambda _: False)
            with pytest.raises(otp.NoConnection, match="expected TLS with certificates"):
                await otp.cluster.connect(THERE)
            monkeypatch.undo()
