"""Peers: nodes as programs of this one, their start, their end, and what is left of them."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
import trio
from cluster_kit import LIMIT
from inside import runtime
from paths import ROOT

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.interop

MODULE = """
import os
import sys
import trio
import trio_otp as otp


class Server(otp.GenServer):
    @otp.on_call
    def os_pid(self) -> int:
        return os.getpid()

    @otp.on_call
    async def neighbour(self, node: str) -> int:
        return await otp.call(("server", node), otp.cluster.Atom("os_pid"))

    @otp.on_call
    def node(self) -> str | None:
        return otp.cluster.node()

    @otp.on_call
    def burn(self, seconds: float) -> bool:
        import time

        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pass
        return True


async def serve(task_status=trio.TASK_STATUS_IGNORED):
    async with otp.open_supervisor([otp.child(Server).having(name="server")]) as sup:
        task_status.started()
        await sup.wait()


async def waits():
    with trio.CancelScope() as scope:
        try:
            print("waiting", flush=True)
            await trio.sleep_forever()
        finally:
            print("cancelled", flush=True)


async def returns():
    print("hello", flush=True)


async def fails():
    raise ValueError("boom")


async def exits_early(task_status):
    sys.exit(3)


async def never_starts(task_status):
    print("here", flush=True)
    await trio.sleep_forever()


def plain():
    pass


class Holder:
    @staticmethod
    async def main():
        await waits()
"""


@pytest.fixture
async def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A node that has peers alone, and the module that these run."""
    (tmp_path / "peer_module.py").write_text(textwrap.dedent(MODULE))
    monkeypatch.syspath_prepend(str(tmp_path))
    with trio.fail_after(2 * LIMIT):
        async with otp.cluster.open_node("parent@127.0.0.1", epmd=False) as name:
            yield name


def peer(main: str, name: str | None = "w1", **options: Any) -> otp.Child[otp.cluster.Peer]:
    """Describe a peer that runs a function of the module."""
    child = otp.child(otp.cluster.Peer, f"peer_module:{main}", **options)
    return child if name is None else child.having(name=name)


def server(name: str = "w1") -> tuple[str, str]:
    return ("server", f"{name}@127.0.0.1")


OS_PID = "os_pid"


async def ask(ref: Any, what: str) -> Any:
    return await otp.call(ref, otp.cluster.Atom(what), timeout=LIMIT)


def innermost(error: otp.StartError) -> Any:
    """Return the reason why the child of a supervisor did not start."""
    reason: Any = error.reason
    return reason.detail.reason


async def end_of(child: otp.Child[Any]) -> tuple[object, list[str]]:
    """Run a peer to its end; return its reason and what it has written."""
    async with otp.open_process() as me:
        child = otp.child(
            child.target, *child.args, **{**child.kwargs, "owner": me, "stdout": "send"}
        )
        _, _ = await otp.start_monitor(child.having(name="w1"))
        reason = (await otp.receive(otp.Down, timeout=LIMIT)).reason
        lines = []
        while True:
            try:
                lines.append((await otp.receive(otp.PortLine, timeout=0)).text)
            except otp.ReceiveTimeout:
                return reason, lines


async def test_it_is_a_node_with_the_name_of_the_child(parent: str) -> None:
    """It has started when its servers have, and its node has its name and our host."""
    async with otp.open_supervisor([peer("serve")]):
        assert otp.cluster.nodes() == ["w1@127.0.0.1"]
        assert await otp.cluster.Peer.at("w1").node() == "w1@127.0.0.1"
        assert await ask(server(), "node") == "w1@127.0.0.1"
        assert await ask(server(), OS_PID) == otp.process_info("w1").os_pid != os.getpid()
    assert otp.cluster.nodes() == []


async def test_its_node_may_be_named_otherwise(parent: str) -> None:
    """A partition has no name, so its node is named by `node=`, with or without a host."""
    children = [
        peer("serve", None, node=f"w{number}").having(id=number) for number in (1, 2)
    ]  # fmt: skip
    async with otp.open_supervisor([*children, peer("serve", None, node="w3@localhost")]):
        assert sorted(otp.cluster.nodes()) == ["w1@127.0.0.1", "w2@127.0.0.1", "w3@localhost"]
        pids = [await ask(server(f"w{number}"), OS_PID) for number in (1, 2)]
        assert len({*pids, os.getpid()}) == 3


async def test_peers_know_each_other(parent: str) -> None:
    """A peer calls another one without us in between, and without epmd."""
    async with otp.open_supervisor([peer("serve", "w1"), peer("serve", "w2")]):
        request = (otp.cluster.Atom("neighbour"), "w2@127.0.0.1")
        assert await otp.call(server("w1"), request) == await ask(server("w2"), OS_PID)


async def test_one_that_is_killed_comes_back(parent: str) -> None:
    """After SIGKILL its supervisor starts it anew, and its name answers."""
    async with otp.open_supervisor([peer("serve")], max_restarts=10):
        old = otp.whereis("w1")
        assert old is not None
        pid = await otp.call(server(), otp.cluster.Atom("os_pid"))
        os.kill(pid, signal.SIGKILL)
        await otp.wait_down(old)
        await otp.wait_for_name("w1", timeout=LIMIT)
        assert await ask(server(), OS_PID) != pid


async def test_a_return_is_a_normal_end(parent: str) -> None:
    """When `main` returns the peer ends, with the reason NORMAL."""
    assert (otp.NORMAL, ["hello"]) == await end_of(peer("returns"))


async def test_an_error_is_its_reason(parent: str) -> None:
    """When `main` raises, its status and the last lines of its traceback are the reason."""
    reason, _ = await end_of(peer("fails"))
    assert isinstance(reason, otp.ExitStatus)
    assert (reason.returncode, "ValueError: boom" in reason.output[-1]) == (1, True)


async def test_a_stop_cancels_main(parent: str) -> None:
    """At SIGTERM `main` is cancelled, so it can end in order."""
    async with otp.open_process() as me:
        child = peer("waits", None, node="w1", owner=me, stdout="send")
        pid = await otp.start_link(child)
        assert (await otp.receive(otp.PortLine, timeout=LIMIT)).text == "waiting"
        await otp.stop(pid)
        assert (await otp.receive(otp.PortLine, timeout=LIMIT)).text == "cancelled"


@pytest.mark.parametrize(
    ("main", "text"),
    [
        ("exits_early", "returncode=3"),
        ("missing", "has no 'missing'"),
        ("plain", "expected an async function"),
    ],
)
async def test_one_that_does_not_start_says_why(parent: str, main: str, text: str) -> None:
    """What it has written last is in the error, and its name is free again."""
    with pytest.raises(otp.StartError) as caught:
        async with otp.open_supervisor([peer(main)]):
            pass
    assert text in repr(innermost(caught.value))
    async with otp.open_supervisor([peer("serve")]):
        assert otp.cluster.nodes() == ["w1@127.0.0.1"]


async def test_a_start_may_be_given_up(parent: str) -> None:
    """A peer that has not started in time is killed, and nothing is left of it."""
    async with otp.open_process() as me:
        child = peer("never_starts", None, node="w1", owner=me, stdout="send")
        async with trio.open_nursery() as nursery:

            async def begin() -> None:
                await otp.start(child, nursery=nursery)

            nursery.start_soon(begin)
            await otp.receive(otp.PortLine, timeout=LIMIT)
            nursery.cancel_scope.cancel()
        assert [type(each.instance).__name__ for each in runtime().processes.values()].count(
            "Peer"
        ) == 0


async def test_two_of_one_name(parent: str) -> None:
    """A second peer of the name does not start, and the first one lives on."""
    async with otp.open_supervisor([peer("serve")]):
        pid = await ask(server(), OS_PID)
        with pytest.raises(otp.StartError, match="another peer is the node w1@"):
            async with otp.open_supervisor([peer("serve", None, node="w1")]):
                pass
        assert await ask(server(), OS_PID) == pid


@pytest.mark.parametrize("main", ["module", "module:", ":main", "a b:main", 5])
async def test_what_is_no_function_of_a_module(parent: str, main: Any) -> None:
    """What is not `module:function` is refused, with an example."""
    with pytest.raises(otp.StartError, match='expected "module:function"'):
        async with otp.open_supervisor([otp.child(otp.cluster.Peer, main).having(name="w1")]):
            pass


@pytest.mark.parametrize(("node", "error"), [(None, TypeError), ("two words", ValueError)])
async def test_a_name_is_needed(parent: str, node: Any, error: type[Exception]) -> None:
    """Without a name, or with one that no node can have, it does not start."""
    with pytest.raises(otp.StartError, match="expected the name of a node") as caught:
        async with otp.open_supervisor([peer("serve", None, node=node)]):
            pass
    assert isinstance(innermost(caught.value), error)


async def test_a_run_that_is_no_node_has_no_peers() -> None:
    """The error has the line to write."""
    with pytest.raises(otp.StartError, match="open_node"):
        async with otp.open_supervisor([peer("serve")]):
            pass


async def test_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the node is closed the directory of the sockets is gone."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "peer_module.py").write_text(textwrap.dedent(MODULE))
    async with (
        otp.cluster.open_node("parent@127.0.0.1", epmd=False),
        otp.open_supervisor([peer("serve")]),
    ):
        (directory,) = tmp_path.glob("trio_otp-*")  # noqa: ASYNC240 - of this test alone
        assert directory.stat().st_mode & 0o777 == 0o700
        files = [path for path in directory.iterdir() if not path.is_socket()]
        assert [path.read_bytes() for path in files] == [b""]  # the cookie is in none
    assert list(tmp_path.glob("trio_otp-*")) == []  # noqa: ASYNC240 - as above


async def test_nonsense_ends_no_peer(parent: str) -> None:
    """What is none of its calls is its caller's error, here and in its program."""
    async with otp.open_supervisor([peer("serve")]):
        pid = await ask(server(), OS_PID)
        with pytest.raises(TypeError, match="Peer does not take the call 'nonsense'"):
            await otp.call("w1", "nonsense")
        otp.cast("w1", "nonsense")
        gate = ("trio_otp.peer", "w1@127.0.0.1")
        for _ in range(5):  # more crashes than its supervisor would stand
            with pytest.raises(otp.cluster.RemoteError, match="does not take the call"):
                await otp.call(gate, "nonsense", timeout=LIMIT)
            otp.cast(gate, "nonsense")
        assert await ask(server(), OS_PID) == pid


async def test_it_ends_with_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is killed leaves none of its peers behind, and the next one no directory."""
    (tmp_path / "peer_module.py").write_text(textwrap.dedent(MODULE))
    code = f"""
import os, sys, tempfile, trio, trio_otp as otp
sys.path.insert(0, {str(tmp_path)!r})
tempfile.tempdir = {str(tmp_path)!r}

async def main():
    child = otp.child(otp.cluster.Peer, "peer_module:serve").having(name="w1")
    async with otp.cluster.open_node("parent@127.0.0.1", epmd=False), otp.open_supervisor([child]):
        print(otp.process_info("w1").os_pid, flush=True)
        await trio.sleep_forever()

trio.run(main)
"""
    process = await trio.lowlevel.open_process([sys.executable, "-c", code], stdout=-1, cwd=ROOT)
    assert process.stdout is not None
    with trio.fail_after(2 * LIMIT):
        line = bytes(await process.stdout.receive_some())
        descriptor = os.pidfd_open(int(line))
        try:
            process.kill()
            await process.wait()
            await trio.lowlevel.wait_readable(descriptor)  # the peer has ended
        finally:
            os.close(descriptor)
        await process.stdout.aclose()
        (left,) = tmp_path.glob("trio_otp-*")  # noqa: ASYNC240 - of this test alone
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        monkeypatch.syspath_prepend(str(tmp_path))
        async with (
            otp.cluster.open_node("parent@127.0.0.1", epmd=False),
            otp.open_supervisor([peer("serve")]),
        ):
            (found,) = tmp_path.glob("trio_otp-*")  # noqa: ASYNC240 - as above
            assert left != found


async def test_39_four_peers_under_load(parent: str) -> None:
    """Each of four is killed under load and comes back; every call has an answer or an error."""
    names = [f"w{number}" for number in range(4)]
    ends = {"answer": 0, "error": 0}
    is_over = False

    async def load(name: str) -> None:
        while not is_over:
            pid = await otp.wait_for_name(name, timeout=LIMIT)
            try:
                await otp.call(server(name), (otp.cluster.Atom("burn"), 0.001), timeout=LIMIT)
                ends["answer"] += 1
            except (otp.NoConnection, otp.NoProcess, otp.ServerExited):  # and no time-out
                ends["error"] += 1
                await otp.wait_down(pid)

    children = [peer("serve", name) for name in names]
    async with (
        otp.open_supervisor(children, max_restarts=100),
        trio.open_nursery() as nursery,
    ):
        before = {name: await ask(server(name), OS_PID) for name in names}
        for name in names * 4:
            nursery.start_soon(load, name)
        for name in names:
            old = otp.whereis(name)
            assert old is not None
            os.kill(before[name], signal.SIGKILL)
            await otp.wait_down(old)
        for name in names:
            await otp.wait_for_name(name, timeout=LIMIT)
            assert await ask(server(name), OS_PID) not in before.values()
        is_over = True
    assert min(ends.values()) > 0


async def test_a_module_that_is_not_there(parent: str) -> None:
    """The error names it."""
    child = otp.child(otp.cluster.Peer, "no_such_module:main").having(name="w1")
    with pytest.raises(otp.StartError) as caught:
        async with otp.open_supervisor([child]):
            pass
    assert "there is no module 'no_such_module'" in repr(innermost(caught.value))


async def test_a_directory_that_cannot_be_made(
    parent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a place for its socket no peer starts."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(otp.StartError, match="the directory of peers"):
        async with otp.open_supervisor([peer("serve")]):
            pass
