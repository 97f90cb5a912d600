"""Whatever another node sends, in whatever order, stops no server that it does not exit."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import inside
import trio
import trio.testing
from depth import few
from hypothesis import given, settings
from hypothesis import strategies as st
from other_node import HERE, Net
from scripted_peer import ScriptedPeer, played, server

import trio_otp as otp
from trio_otp.cluster.wire import control as c
from trio_otp.cluster.wire.opaque import make_pid, make_reference
from trio_otp.cluster.wire.terms import Atom, ImproperList

PLAYED = "played@127.0.0.1"
SERVER = "the pid of the server"  # which is known only when it runs

pids = st.sampled_from(
    [
        SERVER,
        make_pid(PLAYED, 1, 0, 7),
        make_pid(PLAYED, 2, 0, 7),
        make_pid(PLAYED, 2, 0, 6),
        make_pid("third@127.0.0.1", 1, 0, 1),
        make_pid(HERE, 999_999, 0, 1),
    ]
)
references = st.builds(
    make_reference, st.sampled_from([PLAYED, HERE]), st.just(7), st.tuples(st.integers(1, 4))
)
OWN = ["registry", "supervisor", "port"]  # servers of the library
names = st.sampled_from([*map(Atom, ["server", "net_kernel", *OWN, "nobody", ""])])
tags = references | st.builds(lambda ref: ImproperList([Atom("alias")], ref), references)
plain = st.none() | st.integers() | st.binary() | st.text() | references | st.just(())
requests = plain | st.sampled_from(
    [
        Atom("get"),
        (Atom("get"), 1),
        (Atom("greet"), b"\xff"),
        (Atom("put"), b"text"),
        Atom("put"),
        Atom("terminate"),
        Atom("suspend"),
        Atom("resume"),
        Atom("get_state"),
        Atom("get_status"),
        (Atom("replace_state"), 1),
        (Atom("is_auth"), Atom("a@b")),
    ]
)
messages = (
    plain
    | st.tuples(st.just(Atom("$gen_call")), st.tuples(pids, tags) | plain, requests)
    | st.tuples(st.just(Atom("$gen_cast")), requests)
    | st.tuples(st.just(Atom("system")), st.tuples(pids, tags) | plain, requests)
    | st.tuples(references, plain)
)
theirs = pids.filter(lambda pid: pid is not SERVER)
controls = st.one_of(
    st.builds(c.Send, pids, messages),
    st.builds(c.SendSender, theirs, pids, messages),
    st.builds(c.RegSend, theirs, names, messages),
    st.builds(c.AliasSend, theirs, references, messages),
    st.builds(c.Link, theirs, pids),
    st.builds(c.Unlink, st.integers(1, 9), theirs, pids),
    st.builds(c.UnlinkAck, st.integers(1, 9), theirs, pids),
    st.builds(c.Exit, theirs, pids, st.just(Atom("normal"))),
    st.builds(c.Exit2, theirs, pids, st.just(Atom("normal"))),
    st.builds(c.Monitor, theirs, pids | names, references),
    st.builds(c.Demonitor, theirs, pids | names, references),
    st.builds(c.MonitorExit, pids | names, pids, references, plain),
    st.builds(c.GroupLeader, theirs, pids),
)


@settings(max_examples=few(30))
@given(st.lists(controls, max_size=20))
def test_no_control_message_stops_a_server(sent: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        clock = trio.testing.MockClock(autojump_threshold=0)
        trio.run(play, Net(Path(directory)), sent, clock=clock)


async def play(net: Net, sent: list[Any]) -> None:
    async with played(net, server(), *servers_of_the_library()) as peer:
        before = otp.whereis("server")
        others = [otp.whereis(name) for name in ("net_kernel", *OWN)]
        own = inside.dump_pid(before)
        await peer.send(*(with_server(each, own) for each in sent))
        await trio.testing.wait_all_tasks_blocked()
        await otp.sys.resume("server")
        assert otp.whereis("server") is before
        assert [otp.whereis(name) for name in ("net_kernel", *OWN)] == others
        assert otp.cluster.nodes() == [PLAYED]
        assert await last_answer(peer) == "still here"


def servers_of_the_library() -> list[otp.Child[Any]]:
    return [
        otp.child(otp.Registry).having(name="registry"),
        otp.child(otp.DynamicSupervisor).having(name="supervisor"),
        otp.child(otp.Port, ["cat"], stdout="discard").having(name="port"),
    ]


async def last_answer(peer: ScriptedPeer) -> Any:
    """Call the server; return its answer, behind all that it has said before."""
    tag = make_reference(PLAYED, 7, (99,))
    call = (Atom("$gen_call"), (peer.pid(), tag), "still here")
    await peer.send(c.RegSend(peer.pid(), Atom("server"), call))
    while True:
        reply = await peer.receive()
        if isinstance(reply, c.Send) and reply.message[0] == tag:
            return reply.message[1]


def with_server(term: Any, pid: Any) -> Any:
    """Put the pid of the server into the place that is held for it."""
    if term is SERVER:
        return pid
    if type(term) is tuple:
        return tuple(with_server(each, pid) for each in term)
    if type(term).__module__ == c.__name__:
        fields = (with_server(getattr(term, name), pid) for name in type(term).__slots__)
        return type(term)(*fields)
    return term
