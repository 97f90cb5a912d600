"""Peers that are killed, whose parents are, and modules that cannot be run."""

from __future__ import annotations

import os
import signal
import statistics
from typing import TYPE_CHECKING, Any

import pytest
import trio
from cluster_kit import LIMIT

import trio_otp as otp
from trio_otp.cluster.neighbours import Neighbours
from trio_otp.cluster.opening import node_of_run
from trio_otp.cluster.peer_boot import COMMAND, Boot, own_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.interop

A = otp.cluster.Atom
KNOWN = 0.1  # seconds after which the end of a node that was killed is known

MODULE = """
import os
import trio
import trio_otp as otp


class Server(otp.GenServer):
    @otp.on_call_deferred
    def never(self, from_: otp.From[None]) -> None:
        pass

    @otp.on_call
    def command_line(self) -> bytes:
        with open("/proc/self/cmdline", "rb") as file:
            return file.read()

    @otp.on_call
    def environment(self) -> bytes:
        with open("/proc/self/environ", "rb") as file:
            return file.read()


async def serve(task_status=trio.TASK_STATUS_IGNORED):
    async with otp.open_supervisor([otp.child(Server).having(name="server")]) as sup:
        task_status.started()
        await sup.wait()
"""
UNGUARDED = """
import trio
import trio_otp as otp


async def serve():
    await trio.sleep_forever()


async def main():
    worker = otp.child(otp.cluster.Peer, "unguarded:serve").having(name="w1")
    async with otp.cluster.open_node("inner@127.0.0.1", epmd=False), otp.open_supervisor([worker]):
        await trio.sleep_forever()

trio.run(main)
"""


@pytest.fixture
async def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A node that has peers alone, and the modules that these run."""
    (tmp_path / "ends_module.py").write_text(MODULE)
    (tmp_path / "unguarded.py").write_text(UNGUARDED)
    (tmp_path / "needs_more.py").write_text("import no_such_module\n")
    (tmp_path / "broken.py").write_text("raise ValueError('broken at import')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with trio.fail_after(3 * LIMIT):
        async with otp.cluster.open_node("parent@127.0.0.1", epmd=False) as name:
            yield name


def peer(main: str, **options: Any) -> otp.Child[otp.cluster.Peer]:
    return otp.child(otp.cluster.Peer, main, **options).having(name="w1")


SERVER = ("server", "w1@127.0.0.1")


async def test_a_kill_is_known_at_once(parent: str) -> None:
    """From SIGKILL to the Down, the lost call and the Nodedown; the median of five."""
    took = []
    async with otp.open_process():
        for _ in range(5):
            child = peer("ends_module:serve").having(restart="temporary")
            async with otp.open_supervisor([child]):
                otp.cluster.monitor_nodes()
                pid = otp.process_info("w1").os_pid
                assert pid is not None
                handle = otp.monitor(SERVER)
                request = otp.send_request(SERVER, A("never"))
                await otp.call(SERVER, A("command_line"), timeout=LIMIT)
                since = trio.current_time()
                os.kill(pid, signal.SIGKILL)
                down = await otp.receive(otp.Down, timeout=LIMIT)
                assert (down.ref, down.reason) == (handle, otp.NOCONNECTION)
                with pytest.raises(otp.NoConnection):
                    await otp.receive_response(request, timeout=LIMIT)
                gone = await otp.receive(otp.cluster.Nodedown, timeout=LIMIT)
                took.append(trio.current_time() - since)
                assert gone.node == "w1@127.0.0.1"
                otp.cluster.monitor_nodes(False)
    assert statistics.median(took) < KNOWN


async def test_the_cookie_is_in_no_list_of_processes(parent: str) -> None:
    """Neither the command line of a peer nor its environment has it."""
    async with otp.open_supervisor([peer("ends_module:serve")]):
        cookie = node_of_run().options.cookie
        for what in ("command_line", "environment"):
            told = await otp.call(SERVER, A(what), timeout=LIMIT)
            assert len(told) > 10
            assert cookie not in told


async def test_news_of_nodes_change_nothing(parent: str) -> None:
    """A Nodeup or Nodedown that it has not read in its start is left alone."""
    async with otp.open_supervisor([peer("ends_module:serve")]):
        before = otp.whereis("w1")
        otp.send("w1", otp.cluster.Nodeup("other@127.0.0.1"))
        otp.send("w1", otp.cluster.Nodedown("other@127.0.0.1", "why"))
        otp.send("w1", "what nobody expects")  # as any message, this is logged
        assert await otp.cluster.Peer.at("w1").node() == "w1@127.0.0.1"
        assert otp.whereis("w1") is before


async def test_its_end_with_its_parent_needs_nobody_else(parent: str) -> None:
    """A peer sees itself that its parent is gone: nobody has the other end of its stdin."""
    own = node_of_run()
    # With a peer its node has a directory.
    async with otp.open_supervisor([peer("ends_module:serve")]), otp.open_process():
        otp.cluster.monitor_nodes()
        neighbours = own.neighbours
        assert isinstance(neighbours, Neighbours)
        boot = Boot(
            main="ends_module:serve",
            node="alone@127.0.0.1",
            parent=own.name,
            cookie=own.options.cookie.decode(),
            directory=str(neighbours.directory),
            tick=15.0,
            max_frame=2**20,
            path=own_path(),
        )
        program = await trio.lowlevel.open_process(COMMAND, stdin=-1)
        assert program.stdin is not None
        try:
            await program.stdin.send_all(boot.to_line())
            await otp.receive(otp.cluster.Nodeup, timeout=LIMIT)
            await otp.call(("trio_otp.peer", boot.node), A("wait_started"), timeout=LIMIT)
            await program.stdin.send_all(b"what nobody reads")
            await program.stdin.aclose()
            with trio.fail_after(LIMIT):
                assert await program.wait() == 0
        finally:
            program.kill()
            await program.wait()


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("needs_more", "No module named 'no_such_module'"),
        ("broken", "ValueError: broken at import"),
        ("unguarded", "importing unguarded, which a peer does, opens a node"),
        ("__main__", "write the name of the file in place of __main__"),
    ],
)
async def test_a_module_that_cannot_be_run(parent: str, module: str, text: str) -> None:
    """Why is in the error; one that runs at its import does not start peers without end."""
    with pytest.raises(otp.StartError) as caught:
        async with otp.open_supervisor([peer(f"{module}:serve")]):
            pass
    reason: Any = caught.value.reason
    assert text in repr(reason.detail.reason)


async def test_a_directory_without_room_for_a_socket(
    parent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the path of a socket is too long no peer starts, and nothing is left."""
    deep = tmp_path / ("a" * 120)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with pytest.raises(otp.StartError, match="the directory of peers"):
        async with otp.open_supervisor([peer("ends_module:serve")]):
            pass
    assert list(deep.iterdir()) == []


async def test_modules_come_from_where_ours_do(parent: str, tmp_path: Path) -> None:
    """The directory that it runs in is no place for modules, and its environment may be empty."""
    for name in ("trio", "json", "trio_otp"):
        (tmp_path / "cwd" / name).mkdir(parents=True)
        (tmp_path / "cwd" / name / "__init__.py").write_text("raise SystemExit('not this one')\n")
    async with otp.open_supervisor([peer("ends_module:serve", cwd=tmp_path / "cwd", env={})]):
        assert otp.cluster.nodes() == ["w1@127.0.0.1"]


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What peers run, where there is no node yet."""
    (tmp_path / "ends_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("modules")
async def test_it_ends_with_the_node_it_belongs_to() -> None:
    """When that is started anew so is the peer; the old one could never be reached again."""
    node = otp.child(otp.cluster.Node, "parent@127.0.0.1", epmd=False).having(name="node")
    with trio.fail_after(3 * LIMIT):
        async with otp.open_supervisor([node, peer("ends_module:serve")], max_restarts=10):
            old = otp.whereis("w1")
            assert old is not None
            otp.exit(otp.whereis("node"), "crash")  # type: ignore[arg-type]  # it is there
            assert await otp.wait_down(old) is otp.NOCONNECTION
            await otp.wait_for_name("w1", timeout=LIMIT)
            assert await otp.call(SERVER, A("command_line"), timeout=LIMIT)


@pytest.mark.parametrize("is_connected", [True, False])
@pytest.mark.usefixtures("modules")
async def test_a_start_ends_with_the_node_it_belongs_to(tmp_path: Path, is_connected: bool) -> None:
    """Whether it has connected by then or not."""
    (tmp_path / "late.py").write_text(
        f"import time, trio\nif not {is_connected}: time.sleep(3600)\n"
        "async def serve(task_status): await trio.sleep_forever()\n"
    )

    async def begin() -> None:
        with pytest.raises(otp.StartError) as caught:
            await otp.start(peer("late:serve"), nursery=nursery)
        assert caught.value.reason is otp.NOCONNECTION

    with trio.fail_after(2 * LIMIT):
        async with (
            trio.open_nursery() as nursery,
            otp.cluster.open_node("parent@127.0.0.1", epmd=False),
        ):
            nursery.start_soon(begin)
            while not (otp.cluster.nodes() if is_connected else runs("w1")):
                await trio.lowlevel.checkpoint()


def runs(name: str) -> bool:
    """Check whether the program of a port runs."""
    return otp.whereis(name) is not None and otp.process_info(name).os_pid is not None
