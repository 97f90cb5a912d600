"""How many are served at a time, what happens to the others, and what accept may meet."""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
from inside import connection
from net_kit import (
    LIMIT,
    Boom,
    Memory,
    ask,
    connect,
    connect_to,
    service,
    shout,
    until,
)
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from trio_otp.testing import OtpLog

counts = otp.ConnectionSupervisor.counts
connections = otp.ConnectionSupervisor.connections


async def busy(stream: Any) -> None:
    """Send the client an error that all places are taken."""
    await stream.send_all(b"busy")


async def send_for_ever(stream: trio.abc.Stream) -> None:
    """Send a byte each second."""
    while True:
        await stream.send_all(b"x")
        await trio.sleep(1)


# -- max_connections -----------------------------------------------------------------------------


async def test_no_more_are_accepted_until_one_has_ended() -> None:
    """The others wait in the backlog, and are served in turn."""
    memory = Memory()
    child = service(shout, opens=memory.open, max_connections=2, drain_timeout=0)
    async with otp.open_supervisor([child]):
        clients = [memory.connect() for _ in range(5)]
        for client in clients:
            await client.send_all(b"x")
        await wait_all_tasks_blocked()
        assert (2, 2) == (memory.accepted, counts("web").active)
        for served, client in enumerate(clients, 1):
            assert b"X" == await client.receive_some()
            await client.aclose()
            await wait_all_tasks_blocked()
            assert min(served + 2, 5) == memory.accepted
        assert otp.ConnectionCounts(accepted=5) == counts("web")


async def test_two_listeners_do_not_serve_more_than_one_would() -> None:
    """A client accepted at the same moment waits for a place."""
    one, two = Memory(), Memory()
    now: list[Any] = []
    peaks: list[int] = []

    async def both() -> list[Memory]:
        return [one, two]

    async def handler(stream: Any) -> None:
        now.append(stream)
        peaks.append(len(now))
        await stream.receive_some()
        now.remove(stream)

    child = service(handler, opens=both, max_connections=1)
    async with otp.open_supervisor([child]):
        clients = [listener.connect() for listener in (one, two) for _ in range(3)]
        await wait_all_tasks_blocked()
        assert 1 == counts("web").active
        for client in clients:
            await client.aclose()
        await until(lambda: counts("web") == otp.ConnectionCounts(accepted=6))
    assert [1] * 6 == peaks


async def test_a_client_over_the_limit_may_get_an_answer() -> None:
    """It is read to the end, whatever the client had sent before; then there is the end."""
    child = service(shout, max_connections=1, on_full=busy, drain_timeout=0)
    async with otp.open_supervisor([child]):
        async with await connect() as served:
            assert b"A" == await ask(served, b"a")
            for _ in range(20):
                async with await connect() as refused:
                    await refused.send_all(b"x" * 10_000)
                    with trio.fail_after(LIMIT):
                        assert b"busy" == b"".join([bytes(chunk) async for chunk in refused])
            assert b"B" == await ask(served, b"b")
            assert otp.ConnectionCounts(active=1, accepted=21, refused=20) == counts("web")
        await until(lambda: not connections("web"))
        async with await connect() as client:
            assert b"C" == await ask(client, b"c")


async def test_a_client_that_does_not_fetch_the_answer_is_closed_in_time(
    autojump_clock: Any,
) -> None:
    """It takes no place of a connection, and that of a refusal only for a limited time."""
    memory = Memory()
    child = service(
        shout, opens=memory.open, max_connections=1, on_full=busy, handshake_timeout=2.5
    )
    async with otp.open_supervisor([child]):
        served, slow = memory.connect(), memory.connect()
        began = trio.current_time()
        assert b"busy" == await slow.receive_some()
        assert b"" == await slow.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await send_for_ever(slow)
        assert 3 == trio.current_time() - began
        assert b"A" == await ask(served, b"a")
        await served.aclose()


async def test_a_stream_whose_end_cannot_be_sent_gets_an_answer_too() -> None:
    """It is read until the client closes."""
    client, server = trio.testing.memory_stream_pair()

    class Plain(trio.abc.Stream):
        """Hides what a stream offers beyond the minimum."""

        async def send_all(self, data: Any) -> None:
            await server.send_all(data)

        async def wait_send_all_might_not_block(self) -> None:
            await server.wait_send_all_might_not_block()

        async def receive_some(self, max_bytes: int | None = None) -> bytes:
            return await server.receive_some(max_bytes)

        async def aclose(self) -> None:
            await server.aclose()

    memory = Memory()
    child = service(shout, opens=memory.open, max_connections=1, on_full=busy, drain_timeout=0)
    async with otp.open_supervisor([child]):
        memory.connect()
        memory.offer(Plain())
        assert b"busy" == await client.receive_some()
        await client.send_eof()
        assert b"" == await client.receive_some()


async def test_an_answer_that_crashes_is_a_crash_like_any_other(otp_log: OtpLog) -> None:
    """It is reported, and the client is refused all the same."""

    async def on_full(stream: Any) -> None:
        raise Boom

    child = service(shout, max_connections=1, on_full=on_full, drain_timeout=0)
    async with otp.open_supervisor([child]), await connect() as served:
        assert b"A" == await ask(served, b"a")
        with otp_log.expect_crash(Boom):
            async with await connect() as refused:
                with trio.fail_after(LIMIT):
                    assert b"" == await refused.receive_some()
            await until(lambda: counts("web").crashed == 1)
        assert 1 == counts("web").refused


@pytest.mark.parametrize("answer", [None, busy])
async def test_one_address_has_only_so_many_connections(answer: Any) -> None:
    """Others are served as before; it is served again when one of its connections has ended."""
    child = service(
        shout,
        opens=partial(trio.open_tcp_listeners, 0, host="0.0.0.0"),
        max_per_address=2,
        on_full=answer,
        drain_timeout=0,
    )
    async with otp.open_supervisor([child]):
        [listener] = otp.process_info("web").started
        there = partial(connect_to, listener.socket.getsockname()[1])
        async with await there("127.0.0.1") as one, await there("127.0.0.1") as two:
            assert (b"A", b"B") == (await ask(one, b"a"), await ask(two, b"b"))
            async with await there("127.0.0.1") as three:
                with trio.fail_after(LIMIT):
                    got = b"".join([bytes(chunk) async for chunk in three])
                assert got == (b"" if answer is None else b"busy")
            async with await there("127.0.0.2") as other:
                assert b"C" == await ask(other, b"c")
            assert 1 == counts("web").refused
        await until(lambda: not connections("web"))
        async with await there("127.0.0.1") as again:
            assert b"D" == await ask(again, b"d")


async def open_for_both() -> list[trio.SocketListener]:
    """Listen with one socket to IPv6 and IPv4, whose clients it sees at `::ffff:...`."""
    sock = trio.socket.socket(trio.socket.AF_INET6)
    sock.setsockopt(trio.socket.IPPROTO_IPV6, trio.socket.IPV6_V6ONLY, 0)
    await sock.bind(("::", 0))
    sock.listen()
    return [trio.SocketListener(sock)]


async def test_by_ipv6_an_ipv4_address_counts_by_itself() -> None:
    """All of them are in one network, which is no reason to refuse anybody."""
    child = service(shout, opens=open_for_both, max_per_address=1, drain_timeout=0)
    async with otp.open_supervisor([child]):
        [listener] = otp.process_info("web").started
        there = partial(connect_to, listener.socket.getsockname()[1])
        async with await there("127.0.0.1") as one, await there("127.0.0.2") as two:
            assert (b"A", b"B") == (await ask(one, b"a"), await ask(two, b"b"))
            async with await there("127.0.0.2") as three:
                with trio.fail_after(LIMIT):
                    assert b"" == await three.receive_some()
            assert 1 == counts("web").refused


async def test_of_one_network_of_ipv6_so_many_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its addresses are one client; here each connection is told from where it is."""
    hosts = iter(["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "2001:db8::2"])
    monkeypatch.setattr(connection, "peer_of", lambda _: ("a client", next(hosts)))
    child = service(shout, max_per_address=1, drain_timeout=0)
    async with otp.open_supervisor([child]):
        async with await connect() as one:
            assert b"A" == await ask(one, b"a")
            async with await connect() as two, await connect() as three:
                with trio.fail_after(LIMIT):
                    assert b"" == await two.receive_some()
                assert b"C" == await ask(three, b"c")
        await until(lambda: not connections("web"))
        async with await connect() as again:
            assert b"D" == await ask(again, b"d")


async def test_half_a_request_takes_a_place_until_its_handler_gives_up(
    autojump_clock: Any,
) -> None:
    """The time limit is the handler's own; when it ends, the next client is served."""
    memory = Memory()

    async def handler(stream: Any) -> None:
        with trio.move_on_after(20):
            line = b""
            while not line.endswith(b"\n"):
                line += await stream.receive_some()
            await stream.send_all(line.upper())

    async def loris() -> None:
        with suppress(trio.BrokenResourceError):
            await send_for_ever(memory.connect())

    child = service(handler, opens=memory.open, max_connections=10)
    async with otp.open_supervisor([child]), trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(loris)
        await wait_all_tasks_blocked()
        client = memory.connect()
        began = trio.current_time()
        assert b"HELLO\n" == await ask(client, b"hello\n")
        assert 20 == trio.current_time() - began
        assert 0 == counts("web").crashed


# -- what accept may meet ------------------------------------------------------------------------


def records(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    """Return the messages of the log that have a text."""
    return [record.getMessage() for record in caplog.records if text in record.getMessage()]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
async def test_it_waits_for_sockets_when_the_system_has_no_more(
    number: int, autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It tries again ten times a second, says so once in ten seconds, and loses nobody."""
    memory = Memory()
    child = service(shout, opens=memory.open, drain_timeout=0)
    async with otp.open_supervisor([child]):
        acceptor = (await otp.which_child("web", "acceptor")).pid
        first = memory.connect()
        assert b"A" == await ask(first, b"a")
        began = trio.current_time()
        for _ in range(250):
            memory.fail(OSError(number, os.strerror(number)))
        second = memory.connect()
        assert (b"B", b"C") == (await ask(second, b"b"), await ask(first, b"c"))
        assert 25 == pytest.approx(trio.current_time() - began)
        assert acceptor is (await otp.which_child("web", "acceptor")).pid
    assert 3 == len(records(caplog, f"accept gave {errno.errorcode[number]}"))
    assert {logging.ERROR} == {r.levelno for r in caplog.records if "accept gave" in r.getMessage()}


async def test_a_lack_of_sockets_that_comes_and_goes_does_not_fill_the_log(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """At the limit each client that leaves lets one more in: that is no new lack."""
    memory = Memory()
    async with otp.open_supervisor([service(shout, opens=memory.open, drain_timeout=0)]):
        for _ in range(50):  # within 5 seconds
            memory.fail(OSError(errno.EMFILE, "x"))
            assert b"A" == await ask(memory.connect(), b"a")
        assert 1 == len(records(caplog, "accept gave EMFILE"))
        await trio.sleep(10)
        memory.fail(OSError(errno.EMFILE, "x"))
        assert b"A" == await ask(memory.connect(), b"a")
    assert 2 == len(records(caplog, "accept gave EMFILE"))


@pytest.mark.parametrize(
    "error", [OSError(errno.EINVAL, "x"), OSError("no number"), trio.ClosedResourceError(), Boom()]
)
async def test_any_other_error_of_accept_crashes_the_acceptor_alone(
    otp_log: OtpLog, error: Exception
) -> None:
    """Connections stay; the listeners are opened again."""
    memory = Memory()
    child = service(shout, opens=memory.open, drain_timeout=0)
    async with otp.open_supervisor([child]):
        first = memory.connect()
        assert b"A" == await ask(first, b"a")
        with otp_log.expect_crash(type(error), times=1):
            memory.fail(error)
            second = memory.connect()
            assert (b"B", b"C") == (await ask(second, b"b"), await ask(first, b"c"))
        assert 2 == memory.opened


async def test_an_acceptor_that_crashes_too_often_is_the_crash_of_all(
    autojump_clock: Any, otp_log: OtpLog
) -> None:
    """As with any supervisor: the next one above begins anew."""
    memory = Memory()
    child = service(shout, opens=memory.open, max_restarts=1, max_seconds=5, drain_timeout=0)
    async with otp.open_supervisor([child]):
        pid = otp.whereis("web")
        with otp_log.expect_crash(Boom, times=2):
            memory.fail(Boom())
            memory.fail(Boom())
            await until(lambda: otp.whereis("web") not in {pid, None})
        client = memory.connect()
        assert b"A" == await ask(client, b"a")


async def test_an_acceptor_that_crashes_waits_for_its_back_off_and_never_gives_up(
    autojump_clock: Any, otp_log: OtpLog
) -> None:
    """Connections go on meanwhile, new ones wait at the listeners, as with any supervisor."""
    memory = Memory()
    backoff = otp.Backoff(jitter=0, max_delay=4)
    child = service(shout, opens=memory.open, max_restarts=None, backoff=backoff)
    async with otp.open_supervisor([child]):
        pid, first = otp.whereis("web"), memory.connect()
        assert b"A" == await ask(first, b"a")
        waits: list[float] = []
        for _ in range(6):
            before = trio.current_time()
            with otp_log.expect_crash(Boom, times=1):
                memory.fail(Boom())
                assert b"A" == await ask(first, b"a")
                client = memory.connect()
                assert b"B" == await ask(client, b"b")
            waits.append(trio.current_time() - before)
            await client.aclose()
        assert [0.5, 1, 2, 4, 4, 4] == waits
        assert pid is otp.whereis("web")
        await first.aclose()


async def test_a_service_that_waits_to_restart_its_acceptor_can_be_stopped(
    autojump_clock: Any, otp_log: OtpLog
) -> None:
    """At once, and so do clients in the backlog."""
    memory = Memory()
    backoff = otp.Backoff(min_delay=20, jitter=0)
    child = service(shout, opens=memory.open, backoff=backoff)
    async with otp.open_supervisor([child]):
        with otp_log.expect_crash(Boom, times=1):
            memory.fail(Boom())
            await wait_all_tasks_blocked()
        before = trio.current_time()
    assert before == trio.current_time()


async def test_a_real_lack_of_sockets_is_survived(otp_log: OtpLog) -> None:
    """Without free file descriptors clients wait, and are served when there is one again."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with otp.open_supervisor([service(shout, drain_timeout=0)]):
        client = trio.socket.socket()
        address = otp.process_info("web").started[0].socket.getsockname()
        taken: list[int] = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
            while len(taken) < 256:
                with suppress(OSError):
                    taken.append(os.dup(0))
                    continue
                break
            await client.connect(address)
            await until(lambda: any("EMFILE" in notice.text for notice in otp_log.notices))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for number in taken:
                os.close(number)
        async with trio.SocketStream(client) as stream:
            assert b"A" == await ask(stream, b"a")


async def test_opens_may_give_what_is_no_socket() -> None:
    """Any listener will do."""
    memory = Memory()
    async with otp.open_supervisor([service(shout, opens=memory.open, drain_timeout=0)]):
        client = memory.connect()
        assert b"A" == await ask(client, b"a")
        assert ["StapledStream"] == [otp.get_label(pid) for pid in connections("web")]
        assert [memory] == otp.process_info("web").started
