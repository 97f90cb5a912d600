"""Control messages in any order, about anybody: they stop no server that they do not exit."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import inside
import pytest
import trio
from scripted_peer import ScriptedPeer, Server, played, server

import trio_otp as otp
from trio_otp.cluster import Atom, ImproperList, Map
from trio_otp.cluster.wire import control as c

if TYPE_CHECKING:
    from other_node import Net

NAMES = [Atom(name) for name in ("server", "other", "nobody", "net_kernel", "rex", "")]
REASONS = [otp.NORMAL, otp.NOPROC, otp.Shutdown(1), Atom("why"), ValueError("boom"), ("a", [])]
WORDS = [Atom(word) for word in ("$gen_call", "$gen_cast", "system", "get", "DOWN", "EXIT", "ok")]
REQUESTS = [Atom("get"), (Atom("greet"), b"\xff"), (Atom("greet"), 1, 2), (Atom("put"),), "later"]


class Speaker:
    """Makes messages that a peer may send, sensible ones and others.

    Args:
        peer: the node that sends them.
        own: pids of processes here.
        seed: two with the same one say the same.
    """

    def __init__(self, peer: ScriptedPeer, own: list[Any], seed: int) -> None:
        self._chance = random.Random(seed)
        self._theirs = [peer.pid(number) for number in range(1, 5)]
        self._theirs += [peer.pid(1, creation=6), peer.foreign_pid()]
        self._pids = [*own, *self._theirs]
        self._refs = [peer.ref() for _ in range(6)]
        self._lately: list[Any] = []

    def message(self) -> Any:
        """Return the next one; at times one that has been sent before."""
        if self._lately and self._chance.random() < 0.1:
            return self._one(self._lately)
        self._lately.append(self._new())
        return self._lately[-1]

    def _one(self, choices: list[Any]) -> Any:
        return choices[int(self._chance.random() * len(choices))]

    def _new(self) -> Any:
        pid, to, ref = self._one(self._pids), self._one(self._pids), self._one(self._refs)
        target = self._one([to, self._one(NAMES)])
        reason = self._one(REASONS)
        return self._one([
            c.Tick,
            lambda: c.Send(to, self._term()),
            lambda: c.SendSender(pid, to, self._term()),
            lambda: c.RegSend(pid, self._one(NAMES), self._term()),
            lambda: c.AliasSend(pid, ref, self._term()),
            lambda: c.Link(pid, to),
            lambda: c.Unlink(int(self._chance.random() * 5), pid, to),
            lambda: c.UnlinkAck(int(self._chance.random() * 5), pid, to),
            lambda: c.Exit(self._one(self._theirs), self._one(self._theirs), reason),
            lambda: c.Exit2(pid, self._one(self._theirs), reason),
            lambda: c.Exit2(pid, to, otp.NORMAL),
            lambda: c.Monitor(pid, target, ref),
            lambda: c.Demonitor(pid, target, ref),
            lambda: c.MonitorExit(target, to, ref, reason),
            lambda: c.GroupLeader(pid, to),
            lambda: c.SpawnRequest(ref, pid, to, (Atom("m"), Atom("f"), 1), [], [self._term()]),
            lambda: c.SpawnReply(ref, to, 1, Atom("notsup")),
        ])()  # fmt: skip

    def _term(self) -> Any:
        """Return the content of a message: a call, a cast, an answer, or something like it."""
        pid, ref = self._one(self._pids), self._one(self._refs)
        tag = self._one([ref, ImproperList([Atom("alias")], ref), 1, []])
        request = self._one(REQUESTS)
        return self._one([
            (Atom("$gen_call"), (pid, tag), request),
            (Atom("$gen_cast"), request),
            (Atom("system"), (pid, tag), self._one([Atom("get_state"), Atom("get_status"), ref])),
            (self._one(WORDS), pid, self._one(WORDS)),
            (self._one(WORDS), tag),
            (self._one(WORDS),),
            (tag, self._one([1, (Atom("error"), {Atom("__exception__"): True})])),
            (Atom("DOWN"), ref, Atom("process"), pid, Atom("x")),
            (Atom("EXIT"), pid, Atom("normal")),
            Map([([1], pid)]),
            None,
        ])  # fmt: skip


@pytest.mark.sampled(3)
@pytest.mark.parametrize("seed", range(60))
async def test_messages_in_any_order(net: Net, autojump_clock: trio.abc.Clock, seed: int) -> None:
    """The servers answer, here and there, and the connection is the same as before."""
    async with played(net, server(), otp.child(Server).having(name="other")) as peer:
        before = {name: otp.whereis(name) for name in ("server", "other")}
        own = [inside.dump_pid(otp.whereis(name)) for name in before]
        gone = inside.dump_pid(otp.spawn(trio.lowlevel.checkpoint))
        speaker = Speaker(peer, [*own, gone], seed)

        for _ in range(20):
            await peer.send(*(speaker.message() for _ in range(60)))
            await trio.testing.wait_all_tasks_blocked()

        assert before == {name: otp.whereis(name) for name in before}
        assert [peer.name] == otp.cluster.nodes()
        for name in before:
            assert isinstance(await Server.at(name).get(), list)
            assert await last_answer(peer, name) == "last"


async def last_answer(peer: ScriptedPeer, name: str) -> Any:
    """Return the answer to a call of the played node, whatever else it has been told before."""
    tag = peer.ref()
    await peer.send(
        c.RegSend(peer.pid(), Atom(name), (Atom("$gen_call"), (peer.pid(), tag), "last"))
    )
    while True:
        said = await peer.receive()
        if isinstance(said, c.Send) and isinstance(said.message, tuple) and said.message[0] == tag:
            return said.message[1]
