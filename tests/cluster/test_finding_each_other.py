"""Two nodes find each other: at one time, again and again, over TLS, by a relay that cuts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trustme
from inside import peer_tables
from other_node import HERE, LIMIT, THERE, contexts
from relay import Relay

import trio_otp as otp

if TYPE_CHECKING:
    from other_node import Net


class Collector(otp.GenServer):
    """Keeps what it is told, and tells a process when that is so much."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def handle_cast(self, message: Any) -> None:
        self.seen.append(message)

    def handle_call(self, request: Any, from_: Any) -> Any:
        if request == "take":
            seen, self.seen = self.seen, []
            return otp.Reply(seen)
        return otp.Reply(otp.self() if request == "self" else request)


def collector() -> otp.Child[Collector]:
    return otp.child(Collector).having(name="collector")


def cast_and_ask(node: str, number: int) -> Any:
    """Cast and send a request, without waiting: a first use connects."""
    ref = ("collector", node)
    for part in range(3):
        otp.cast(ref, (number, part))
    return otp.send_request(ref, number)


@pytest.mark.parametrize("times", [20, pytest.param(100, marks=pytest.mark.slow)])
async def test_nodes_that_connect_at_one_time_lose_nothing(net: Net, times: int) -> None:
    with net.there(collector()) as other:
        async with net.here(), otp.open_supervisor([collector()]):
            for number in range(times):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(meet, other, number)
                parts = [(number, part) for part in range(3)]
                assert await otp.call("collector", "take") == parts
                assert await otp.call(("collector", THERE), "take") == parts
                await part_company(other)


async def meet(other: Any, number: int) -> None:
    """Have both nodes use each other at one moment, and wait until both are answered."""

    async def there() -> Any:
        request = cast_and_ask(HERE, number)
        return await otp.receive_response(request, timeout=LIMIT)

    async with trio.open_nursery() as nursery:

        async def check_there() -> None:
            assert await other.do(there) == number

        nursery.start_soon(check_there)
        request = cast_and_ask(THERE, number)
        assert await otp.receive_response(request, timeout=LIMIT) == number


async def part_company(other: Any) -> None:
    """End the connection, and wait until both sides know."""
    otp.cluster.disconnect(THERE)
    while otp.cluster.nodes() or await other.ask(otp.cluster.nodes):
        await trio.lowlevel.checkpoint()


async def test_a_storm_of_lost_connections_hangs_nobody(net: Net) -> None:
    """Each call is answered, or raises, while both sides hang up all the time."""
    outcomes: list[str] = []
    with net.there(collector()) as other:
        async with net.here(), trio.open_nursery() as nursery:

            async def ask(number: int) -> None:
                for each in range(20):
                    try:
                        got = await otp.call(("collector", THERE), (number, each), timeout=LIMIT)
                        assert got == (number, each)
                        outcomes.append("answer")
                    except otp.NoConnection:
                        outcomes.append("lost")

            async def hang_up() -> None:
                while True:
                    await other.ask(otp.cluster.disconnect, HERE)
                    otp.cluster.disconnect(THERE)
                    await trio.lowlevel.checkpoint()

            nursery.start_soon(hang_up)
            async with trio.open_nursery() as callers:
                for number in range(10):
                    callers.start_soon(ask, number)
            nursery.cancel_scope.cancel()
        assert len(outcomes) == 200


async def test_large_and_small_messages_stay_in_order(net: Net) -> None:
    with net.there(collector()):
        async with net.here():
            ref = ("collector", THERE)
            sent: list[Any] = []
            for number in range(3):
                sent += [number, [number] * 30_000, bytes(100_000)]
            for message in sent:
                otp.cast(ref, message)
            assert await otp.call(ref, "take", timeout=LIMIT) == sent


async def test_a_frame_that_is_too_long_closes_the_connection(net: Net) -> None:
    with net.there(collector(), max_frame=100_000):
        async with net.here(), otp.open_process():
            otp.cluster.monitor_nodes()
            await otp.cluster.connect(THERE)
            otp.cast(("collector", THERE), bytes(200_000))
            assert isinstance(await otp.receive(), otp.cluster.Nodeup)
            assert isinstance(await otp.receive(), otp.cluster.Nodedown)
            assert await otp.call(("collector", THERE), "take") == []


# -- a cable ------------------------------------------------------------------------------------


@pytest.mark.slow  # its ticks take their time
async def test_both_sides_of_a_split_are_told_and_pids_work_when_it_heals(net: Net) -> None:
    tick = 0.3
    with net.there(collector(), tick=tick) as other:
        relay = Relay(net.addresses[THERE])
        async with net.here(tick=tick), trio.open_nursery() as nursery, otp.open_process():
            await nursery.start(relay.run)
            net.addresses[THERE] = relay.address
            pid = await otp.call(("collector", THERE), "self")
            monitor = otp.monitor(("collector", THERE))
            request = otp.send_request(("collector", THERE), "before")
            assert await otp.receive_response(request) == "before"
            relay.hold()
            start = trio.current_time()
            down = await otp.receive(otp.Down)
            assert down == otp.Down(monitor, ("collector", THERE), otp.NOCONNECTION)
            assert trio.current_time() - start >= 3 * tick
            while await other.ask(otp.cluster.nodes):
                await trio.lowlevel.checkpoint()
            relay.let_go()
            assert await otp.call(pid, "self", timeout=LIMIT) is pid
            nursery.cancel_scope.cancel()


# -- TLS ----------------------------------------------------------------------------------------


async def test_nodes_with_certificates_of_one_authority_talk(net: Net) -> None:
    ca = trustme.CA()
    with net.there(collector(), tls=contexts(ca)):
        async with net.here(tls=contexts(ca)):
            assert await otp.call(("collector", THERE), "hello") == "hello"
            big = bytes(300_000)
            assert await otp.call(("collector", THERE), big) == big


@pytest.mark.parametrize("kind", ["none", "another"])
async def test_a_node_without_the_right_certificate_is_refused(net: Net, kind: str) -> None:
    tls = None if kind == "none" else contexts(trustme.CA())
    with net.there(collector(), tls=contexts(trustme.CA())):
        async with net.here(tls=tls):
            with pytest.raises(otp.NoConnection) as caught:
                await otp.call(("collector", THERE), "hello", timeout=LIMIT)
            assert not caught.value.sent


async def test_another_cookie_is_told_to_the_caller(net: Net) -> None:
    with net.there(collector()):
        net.cookie.write_text("another")
        async with net.here():
            with pytest.raises(otp.NoConnection, match="closed the connection in the handshake"):
                await otp.call(("collector", THERE), "hello")


async def test_an_attempt_to_connect_can_be_given_up(net: Net) -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    net.addresses[THERE] = listeners[0].socket.getsockname()
    async with net.here(), trio.open_nursery() as nursery:

        async def connect() -> None:
            with pytest.raises(otp.NoConnection, match="it was disconnected"):
                await otp.cluster.connect(THERE)

        nursery.start_soon(connect)
        async with await listeners[0].accept():
            assert otp.cluster.disconnect(THERE)
            assert not otp.cluster.disconnect("nobody@127.0.0.1")
    await listeners[0].aclose()


async def test_the_next_use_connects_again_at_once(net: Net) -> None:
    """However soon it comes: who hangs up need not wait until the socket is closed."""
    with net.there(collector()):
        async with net.here(), otp.open_process():
            otp.cluster.monitor_nodes()
            for number in range(10):
                assert await otp.call(("collector", THERE), (number, 1), timeout=LIMIT)
                assert await otp.receive() == otp.cluster.Nodeup(THERE)
                assert otp.cluster.disconnect(THERE)
                assert otp.cluster.nodes() == []
                assert isinstance(await otp.receive(), otp.cluster.Nodedown)
                otp.cast(("collector", THERE), "cast")
                if number % 2:  # the attempt to connect, too
                    assert otp.cluster.disconnect(THERE)
                    assert not otp.cluster.disconnect(THERE)


async def test_a_connection_that_is_cut_as_it_comes_up_takes_nothing(net: Net) -> None:
    """What is sent while it ends is for the next one, though its writer has not begun yet."""
    with net.there(collector()):
        async with net.here():
            for number in range(60):
                await otp.cluster.connect(THERE)
                assert otp.cluster.disconnect(THERE)
                for _ in range(number % 3):  # the turns in which its tasks begin and end
                    await trio.lowlevel.checkpoint()
                assert await otp.call(("collector", THERE), number, timeout=LIMIT) == number
                assert otp.cluster.disconnect(THERE)


async def test_what_is_sent_as_a_connection_ends_goes_to_the_next(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the writer of the one that is closed still has its turn, and finds it there."""
    really, large = trio.SocketStream.send_all, bytes(400_000)  # that is left to the writer
    requests: list[Any] = []

    async def send_all(stream: trio.SocketStream, data: Any) -> None:
        await really(stream, data)
        if len(data) > len(large) and not requests:
            assert otp.cluster.disconnect(THERE)
            requests.append(otp.send_request(("collector", THERE), "next"))

    with net.there(collector()):
        async with net.here(), otp.open_process():
            otp.cluster.monitor_nodes()
            await otp.cluster.connect(THERE)
            monkeypatch.setattr(trio.SocketStream, "send_all", send_all)
            otp.cast(("collector", THERE), large)
            await otp.receive(otp.cluster.Nodedown)
            assert await otp.receive_response(requests[0], timeout=LIMIT) == "next"
            assert peer_tables(THERE).queued >= 0


async def test_what_cannot_be_sent_is_counted_and_logged(
    net: Net, caplog: pytest.LogCaptureFixture
) -> None:
    """Casts and messages: who calls, or monitors, is told of it anyway."""
    caplog.set_level("DEBUG", "trio_otp.dropped")
    told: list[Any] = []
    async with net.here(), otp.open_process():
        otp.events.attach("dropped", lambda *args: told.append(args))
        request = cast_and_ask(THERE, 1)
        otp.send(("nobody", THERE), "message")
        otp.monitor(("nobody", THERE))
        with pytest.raises(otp.NoConnection) as caught:
            await otp.receive_response(request)
    assert not caught.value.sent
    why = f"resolve knows no {THERE}, and there is no epmd to ask"
    assert [(ref, text) for ref, _, text in told] == [(THERE, why)] * 4
    assert [b"message" in frame for _, frame, _ in told] == [False, False, False, True]
    assert len(caplog.messages) == 4
    assert caplog.messages[0] == f"a message, bytes to {THERE!r} dropped: {why}"


async def test_an_attempt_ends_with_the_node(net: Net) -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    net.addresses[THERE] = listeners[0].socket.getsockname()
    async with trio.open_nursery() as nursery:

        async def connect() -> None:
            with pytest.raises(otp.NoConnection, match="this node has ended"):
                await otp.cluster.connect(THERE)

        async with net.here():
            nursery.start_soon(connect)
            stream = await listeners[0].accept()
        await stream.aclose()
    await listeners[0].aclose()


async def test_nodes_that_come_and_go_are_told_of_until_one_wants_no_more(net: Net) -> None:
    with net.there():
        async with net.here(), otp.open_process():
            otp.cluster.monitor_nodes()
            otp.cluster.monitor_nodes()
            await otp.cluster.connect(THERE)
            await otp.cluster.connect(THERE)
            otp.cluster.monitor_nodes(False)
            otp.cluster.monitor_nodes(False)
            otp.cluster.disconnect(THERE)
            while otp.cluster.nodes():
                await trio.lowlevel.checkpoint()
            assert await otp.receive() == otp.cluster.Nodeup(THERE)
            with pytest.raises(otp.ReceiveTimeout):
                await otp.receive(timeout=0)
            otp.cluster.monitor_nodes()


async def test_a_name_of_a_node_that_cannot_be_one_is_refused(net: Net) -> None:
    async with net.here():
        for name in ("no host", HERE, "@"):
            with pytest.raises(ValueError, match="the name of another node"):
                await otp.cluster.connect(name)
            with pytest.raises(ValueError, match="the name of another node"):
                otp.cluster.disconnect(name)
