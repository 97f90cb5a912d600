"""Two nodes talk to each other: calls, casts, messages, monitors, links, stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from other_node import HERE, THERE

import trio_otp as otp

if TYPE_CHECKING:
    from other_node import Net

A = otp.cluster.Atom
COUNTER = ("counter", THERE)


class Counter(otp.GenServer):
    """Counts, echoes, and does what else a test needs."""

    def __init__(self) -> None:
        self.count = 0
        self.seen: list[Any] = []
        self.put_off: otp.From[Any] | None = None

    @otp.on_call
    def add(self, number: int, times: int = 1) -> int:
        self.count += number * times
        return self.count

    @otp.on_cast
    def bump(self, number: int) -> None:
        self.count += number

    @otp.on_call
    def boom(self) -> None:
        raise ValueError("boom")

    @otp.on_call(raises=(KeyError,))
    def missing(self, key: str) -> None:
        raise KeyError(key)

    @otp.on_call_deferred
    def later(self, from_: otp.From[str], text: str) -> None:
        otp.reply(from_, text)

    @otp.on_call
    def whose(self, *, key: str) -> str:
        return key

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        match request:
            case "seen":
                return otp.Reply(self.seen)
            case "caller":
                return otp.Reply(from_.caller)
            case "self":
                return otp.Reply(otp.self())
            case "never":
                self.put_off = from_
                return otp.NoReply()
            case ("link", pid):
                otp.link(pid)
                return otp.Reply("linked")
            case ("no form",):
                return otp.Reply(object())
            case _:
                return otp.Reply(("echo", request))

    def handle_cast(self, message: Any) -> None:
        self.seen.append(message)

    def handle_info(self, message: Any) -> None:
        match message:
            case ("tell", pid, what):
                otp.send(pid, what)
            case _:
                self.seen.append(message)


def counter() -> otp.Child[Counter]:
    return otp.child(Counter).having(name="counter")


async def test_a_call_reaches_a_server_of_another_node(net: Net) -> None:
    with net.there(counter()):
        async with net.here():
            assert await otp.call(COUNTER, ("question", 1, 2.5, b"x", "é", None, [True])) == (
                "echo",
                ("question", 1, 2.5, b"x", "é", None, [True]),
            )
            assert otp.cluster.nodes() == [THERE]
            assert otp.cluster.node() == HERE


async def test_a_typed_client_works_over_nodes(net: Net) -> None:
    with net.there(counter()):
        async with net.here():
            client = Counter.at(COUNTER)
            assert await client.add(2) == 2
            assert await client.add(number=3, times=2) == 8
            client.bump(1)
            assert await client.add(0) == 9
            assert await client.later("text") == "text"


async def test_wrong_arguments_of_another_node_hurt_no_server(net: Net) -> None:
    with net.there(counter()):
        async with net.here():
            with pytest.raises(otp.cluster.RemoteError, match=r"TypeError.*Counter\.add"):
                await otp.call(COUNTER, (A("add"), 1, 2, 3))
            with pytest.raises(TypeError, match="key has no position"):
                await Counter.at(COUNTER).whose(key="a")
            with pytest.raises(TypeError, match="has no form on another node"):
                await otp.call(COUNTER, object())
            with pytest.raises(otp.cluster.RemoteError, match="has no form on another node"):
                await otp.call(COUNTER, ("no form",))
            assert await Counter.at(COUNTER).add(1) == 1


async def test_an_undecorated_method_is_not_reached(net: Net) -> None:
    with net.there(counter()):
        async with net.here():
            assert await otp.call(COUNTER, A("terminate")) == ("echo", "terminate")
            assert await otp.call(COUNTER, (A("handle_cast"), 1)) == ("echo", ("handle_cast", 1))


async def test_casts_and_messages_arrive_in_order(net: Net) -> None:
    with net.there(counter()):
        async with net.here():
            for number in range(300):
                (otp.cast if number % 2 else otp.send)(COUNTER, number)
            assert await otp.call(COUNTER, "seen") == list(range(300))


async def test_pids_come_back_as_the_same_object(net: Net) -> None:
    with net.there(counter()):
        async with net.here(), otp.open_process() as me:
            assert await otp.call(COUNTER, "caller") is me
            there = await otp.call(COUNTER, "self")
            assert isinstance(there, otp.cluster.RemotePid)
            assert await otp.call(there, "self") is there
            assert otp.whereis(there) is there
            assert f"of {THERE}, incarnation " in repr(there)
            otp.send(there, ("tell", me, ("hello", there)))
            assert await otp.receive(tuple) == ("hello", there)


async def test_a_missing_server_is_no_process(net: Net) -> None:
    with net.there():
        async with net.here(), otp.open_process():
            with pytest.raises(otp.NoProcess):
                await otp.call(("nobody", THERE), 1)
            with pytest.raises(otp.NoProcess):
                await otp.stop(("nobody", THERE))
            monitor = otp.monitor(("nobody", THERE))
            assert await otp.receive() == otp.Down(monitor, ("nobody", THERE), otp.NOPROC)


async def test_the_crash_of_a_server_is_that_of_its_callers(net: Net) -> None:
    with net.there(counter()):
        async with net.here():
            with pytest.raises(otp.cluster.RemoteError, match="KeyError"):
                await Counter.at(COUNTER).missing("k")
            with pytest.raises(otp.ServerExited, match="ValueError: boom") as caught:
                await Counter.at(COUNTER).boom()
            assert isinstance(caught.value.__cause__, otp.cluster.RemoteError)


async def test_a_time_out_leaves_the_server_and_a_late_answer_is_dropped(net: Net) -> None:
    with net.there(counter()):
        async with net.here():
            with pytest.raises(otp.CallTimeout, match="on another node"):
                await otp.call(COUNTER, "never", timeout=0.05)
            assert await otp.call(COUNTER, 1) == ("echo", 1)


async def test_requests_and_multi_calls_work_over_nodes(net: Net) -> None:
    with net.there(counter()):
        async with net.here():
            request = otp.send_request(COUNTER, "one")
            assert await otp.receive_response(request) == ("echo", "one")
            replies, bad = await otp.multi_call([COUNTER, ("nobody", THERE)], 1)
            assert replies == [(COUNTER, ("echo", 1))]
            assert [(ref, type(error)) for ref, error in bad] == [
                (("nobody", THERE), otp.NoProcess)
            ]
            replies, bad = await otp.multi_call(COUNTER, 2)
            assert replies == [(COUNTER, ("echo", 2))]


async def test_a_monitor_tells_of_an_end_and_can_be_taken_back(net: Net) -> None:
    with net.there(counter()):
        async with net.here(), otp.open_process():
            there = await otp.call(COUNTER, "self")
            by_name, by_pid, gone = otp.monitor(COUNTER), otp.monitor(there), otp.monitor(there)
            assert otp.demonitor(gone)
            otp.exit(there, "enough")
            downs = {await otp.receive(otp.Down) for _ in range(2)}
            assert downs == {
                otp.Down(by_name, COUNTER, "enough"),
                otp.Down(by_pid, there, "enough"),
            }
            with pytest.raises(otp.NoProcess):
                await otp.call(there, 1)


async def next_one() -> Any:
    """Return the server that follows one that has ended, once its supervisor has started it."""
    while True:
        try:
            return await otp.call(COUNTER, "self")
        except otp.NoProcess:  # it is told of the end sooner than of the start
            await trio.lowlevel.checkpoint()


async def test_a_link_ends_either_side(net: Net) -> None:
    with net.there(counter()):
        async with net.here(), otp.open_process(trap_exit=True) as me:
            there = await otp.call(COUNTER, "self")
            otp.link(there)
            otp.exit(there, "first")
            assert await otp.receive(otp.Exit) == otp.Exit(there, "first")
            there = await next_one()
            monitor = otp.monitor(there)
            async with trio.open_nursery() as nursery:

                async def link_and_end() -> None:
                    assert await otp.call(there, ("link", otp.self())) == "linked"
                    otp.exit("second")

                otp.spawn(link_and_end, nursery=nursery)
                assert await otp.receive(otp.Down) == otp.Down(monitor, there, "second")
            assert otp.is_alive(me)


async def test_a_link_that_was_taken_off_brings_nothing(net: Net) -> None:
    with net.there(counter()):
        async with net.here(), otp.open_process(trap_exit=True):
            there = await otp.call(COUNTER, "self")
            otp.link(there)
            otp.unlink(there)
            monitor = otp.monitor(there)
            otp.exit(there, "end")
            assert await otp.receive() == otp.Down(monitor, there, "end")


async def test_a_link_to_the_dead_brings_an_exit(net: Net) -> None:
    with net.there(counter()):
        async with net.here(), otp.open_process(trap_exit=True):
            there = await otp.call(COUNTER, "self")
            otp.exit(there, otp.KILL)
            otp.link(there)
            assert (await otp.receive(otp.Exit)).reason in (otp.KILLED, otp.NOPROC)


class Asker(otp.GenServer):
    """Asks whom it is told to."""

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        match request:
            case (name, node, *rest):
                ref, more = (name.decode(), node.decode()), tuple(rest)
                try:
                    return otp.Reply(await otp.call(ref, more, timeout=0.1))
                except otp.CallTimeout:
                    return otp.Reply("nobody answers")
            case _:
                return otp.Reply("asked")


async def test_a_circle_over_nodes_ends_by_its_time_out(net: Net) -> None:
    with net.there(otp.child(Asker).having(name="there")):
        async with net.here(), otp.open_supervisor([otp.child(Asker).having(name="here")]):
            there, here = (b"there", THERE.encode()), (b"here", HERE.encode())
            assert await otp.call("here", (*there,)) == "asked"
            assert await otp.call("here", (*there, *here)) == "nobody answers"
            assert await otp.call("here", ()) == "asked"  # and both go on
            assert await otp.call(("there", THERE), ()) == "asked"


async def test_stop_waits_for_the_end(net: Net) -> None:
    with net.there(counter()):
        async with net.here():
            there = await otp.call(COUNTER, "self")
            await otp.stop(there)
            await next_one()
            await otp.stop(COUNTER, "done")
            with pytest.raises(otp.NoProcess):
                await otp.stop(there)


async def test_a_lost_connection_ends_what_waits(net: Net) -> None:
    second = otp.child(Counter).having(id="second", name="second")
    with net.there(counter(), second) as other:
        async with net.here(), otp.open_process(trap_exit=True):
            there = await otp.call(("second", THERE), "self")
            linked = await otp.call(COUNTER, "self")
            otp.link(linked)
            monitor = otp.monitor(COUNTER)
            otp.cluster.monitor_nodes()
            request = otp.send_request(COUNTER, "never")
            await otp.call(COUNTER, 1)
            assert await other.ask(otp.cluster.disconnect, HERE)
            with pytest.raises(otp.NoConnection) as caught:
                await otp.receive_response(request)
            assert (caught.value.sent, caught.value.node) == (True, THERE)
            told = [await otp.receive() for _ in range(3)]
            lost = [
                otp.Exit(linked, otp.NOCONNECTION),
                otp.Down(monitor, COUNTER, otp.NOCONNECTION),
            ]
            assert told[:2] in (lost, lost[::-1])
            assert isinstance(told[2], otp.cluster.Nodedown)
            assert await otp.call(there, "self") is there
            assert await otp.receive() == otp.cluster.Nodeup(THERE)
            assert otp.cluster.nodes() == [THERE]


async def test_a_node_that_is_not_there_is_no_connection(net: Net) -> None:
    net.addresses[THERE] = ("127.0.0.1", 1)
    async with net.here(), otp.open_process():
        with pytest.raises(otp.NoConnection, match="nothing was sent") as caught:
            await otp.call(COUNTER, 1)
        assert (caught.value.sent, caught.value.node) == (False, THERE)
        monitor = otp.monitor(COUNTER)
        assert await otp.receive() == otp.Down(monitor, COUNTER, otp.NOCONNECTION)
        with pytest.raises(otp.NoConnection) as stopped:
            await otp.stop(COUNTER)
        with pytest.raises(otp.NoConnection) as connected:
            await otp.cluster.connect(THERE)
        assert (stopped.value.sent, connected.value.sent) == (False, False)
        otp.cast(COUNTER, 1)


async def test_a_node_that_is_started_anew_has_other_pids(net: Net) -> None:
    async with net.here(), otp.open_process():
        with net.there(counter()) as other:
            old = await otp.call(COUNTER, "self")
            otp.cluster.monitor_nodes()
            other.end()
            await otp.receive(otp.cluster.Nodedown)
            net.addresses.pop(THERE)
            other.start()
            new = await otp.call(COUNTER, "self")
            assert new is not old
            with pytest.raises(otp.NoProcess):
                await otp.call(old, 1)
            monitor = otp.monitor(old)
            assert await otp.receive(otp.Down) == otp.Down(monitor, old, otp.NOPROC)


async def test_the_own_node_is_a_node_as_well(net: Net) -> None:
    async with net.here(), otp.open_supervisor([counter()]):
        assert await Counter.at(("counter", HERE)).add(1) == 1
        assert await Counter.at("counter").add(1) == 2
