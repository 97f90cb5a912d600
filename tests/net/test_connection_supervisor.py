"""A process for each connection: none can hurt another, nor who accepts them."""

from __future__ import annotations

import errno
import logging
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.lowlevel
from net_kit import LIMIT, Boom, Memory, ask, connect, opens, reset, service, shout, until

import trio_otp as otp

if TYPE_CHECKING:
    from pathlib import Path

    from trio_otp.testing import OtpLog

counts = otp.ConnectionSupervisor.counts
connections = otp.ConnectionSupervisor.connections


def peer_name(stream: trio.SocketStream) -> str:
    """Return what the process of a client's connection is called."""
    host, port = stream.socket.getsockname()
    return f"{host}:{port}"


async def test_each_connection_is_a_process_that_is_labelled_with_the_address_of_the_peer() -> None:
    """So a tree, a log and an observer say who it is."""
    async with otp.open_supervisor([service(shout, drain_timeout=0)]):
        async with await connect() as one, await connect() as two:
            assert (b"ONE", b"TWO") == (await ask(one, b"one"), await ask(two, b"two"))
            pids = connections("web")
            assert [peer_name(one), peer_name(two)] == [otp.get_label(pid) for pid in pids]
            assert otp.ConnectionCounts(active=2, accepted=2) == counts("web")
            info = otp.process_info(pids[0])
            assert peer_name(one) in repr(pids[0])
            assert (peer_name(one), "connections") == (
                info.child_id,
                otp.process_info(info.supervisor).summary,  # type: ignore[arg-type]
            )
        await until(lambda: not connections("web"))


async def test_a_handler_that_returns_has_closed_its_connection() -> None:
    """Its process is gone, normally, and nothing is logged."""

    async def hello(stream: Any) -> None:
        await stream.send_all(b"hello")

    async with otp.open_supervisor([service(hello)]):
        async with await connect() as client:
            with trio.fail_after(LIMIT):
                assert b"hello" == b"".join([bytes(chunk) async for chunk in client])
        await until(lambda: not connections("web"))
        assert otp.ConnectionCounts(accepted=1) == counts("web")


async def test_a_crash_is_one_record_and_touches_nobody_else(
    otp_log: OtpLog, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither other connections nor who accepts them; more crashes than restarts change nothing."""
    async with otp.open_supervisor([service(shout, drain_timeout=0)]), await connect() as other:
        assert b"HI" == await ask(other, b"hi")
        with otp_log.expect_crash(Boom, times=10):
            for _ in range(10):
                async with await connect() as client:
                    assert b"" == await ask(client, b"crash")
            await until(lambda: counts("web").crashed == 10)
        assert b"STILL" == await ask(other, b"still")
        assert otp.ConnectionCounts(active=1, accepted=11, crashed=10) == counts("web")
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert ["trio_otp.crash"] * 10 == [record.name for record in errors]
    assert "Initial call: shout" in errors[0].getMessage()


async def test_a_client_that_resets_its_connection_is_a_line_for_who_debugs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is counted, and neither a crash nor a record of a higher level."""
    caplog.set_level(logging.DEBUG)
    async with otp.open_supervisor([service(shout, drain_timeout=0)]), await connect() as other:
        client = await connect()
        assert b"X" == await ask(client, b"x")
        name = peer_name(client)
        await reset(client)
        await until(lambda: counts("web").disconnected == 1)
        assert b"Y" == await ask(other, b"y")
    assert 0 == counts_of(caplog, logging.INFO)
    assert any(f"{name} has disconnected: Broken" in r.getMessage() for r in caplog.records)


def counts_of(caplog: pytest.LogCaptureFixture, level: int) -> int:
    """Count the records from a level up."""
    return sum(record.levelno >= level for record in caplog.records)


@pytest.mark.parametrize("closes", [False, True], ids=["open", "closed by the handler"])
@pytest.mark.parametrize("whose", ["client", "other"])
async def test_the_broken_stream_of_something_else_is_a_crash(
    otp_log: OtpLog, closes: bool, whose: str
) -> None:
    """Only the end of this very connection is none; also if the handler has closed it since."""
    mine, theirs = trio.testing.memory_stream_pair()
    await theirs.aclose()

    async def use(stream: Any) -> None:
        try:
            await stream.receive_some()
            if whose == "other":
                await mine.send_all(b"x")
        finally:
            if closes:
                await trio.aclose_forcefully(stream)

    async with otp.open_supervisor([service(use)]):
        client = await connect()
        if whose == "client":
            await until(lambda: connections("web"))
            await reset(client)
            await until(lambda: counts("web").disconnected == 1)
        else:
            with otp_log.expect_crash(trio.BrokenResourceError):
                await ask(client, b"x")
                await until(lambda: counts("web").crashed == 1)
            await client.aclose()


async def test_a_mistake_of_the_handler_is_a_crash_also_if_the_client_has_gone(
    otp_log: OtpLog,
) -> None:
    """A reset hides no KeyError, not even one that it has led to."""

    async def handler(stream: Any) -> None:
        try:
            await stream.receive_some()
        except trio.BrokenResourceError:
            raise KeyError("a mistake in what cleans up")  # noqa: B904 - that is the mistake

    async with otp.open_supervisor([service(handler)]):
        client = await connect()
        await until(lambda: connections("web"))
        with otp_log.expect_crash(KeyError):
            await reset(client)
            await until(lambda: counts("web").crashed == 1)


async def test_errors_that_are_made_of_the_broken_stream_are_a_disconnection_too() -> None:
    """As a library raises them: with that as the cause, or in a group of its tasks."""

    class Gone(Exception):
        pass

    async def read(stream: Any) -> None:
        try:
            await stream.receive_some()
        except trio.BrokenResourceError as exc:
            raise Gone from exc

    async def handler(stream: Any) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, stream)
            nursery.start_soon(trio.sleep_forever)

    async with otp.open_supervisor([service(handler)]):
        client = await connect()
        await until(lambda: connections("web"))
        await reset(client)
        await until(lambda: counts("web").disconnected == 1)


# -- inside: a rest_for_one of two ---------------------------------------------------------------


async def part(child_id: str) -> Any:
    """Return the pid of one of the two."""
    with trio.fail_after(LIMIT):
        return (await otp.which_child("web", child_id)).pid


@pytest.mark.parametrize("reason", [otp.KILL, otp.SHUTDOWN, "crash"], ids=repr)
async def test_an_acceptor_that_ends_comes_back_on_the_same_port_and_loses_nobody(
    reason: object,
) -> None:
    """Whatever ended it: connections stay, and what clients were told stays true."""
    supervisor = otp.open_supervisor([service(shout, drain_timeout=0)])
    async with supervisor, await connect() as before:
        assert b"A" == await ask(before, b"a")
        [listener] = otp.process_info("web").started
        acceptor = await part("acceptor")
        otp.exit(acceptor, reason)
        async with await trio.testing.open_stream_to_socket_listener(listener) as after:
            assert b"B" == await ask(after, b"b")
        assert b"C" == await ask(before, b"c")
        assert acceptor is not await part("acceptor")
        assert [listener] == otp.process_info("web").started


@pytest.mark.parametrize("where", ["127.0.0.1", "::1"])
async def test_a_listener_that_was_closed_is_bound_again_to_the_port_that_it_had(
    otp_log: OtpLog, where: str
) -> None:
    """Also if that was the system's choice, port 0; `started` has the new one."""
    child = service(shout, opens=partial(trio.open_tcp_listeners, 0, host=where), drain_timeout=0)
    async with otp.open_supervisor([child]), await connect() as before:
        assert b"A" == await ask(before, b"a")
        [old] = otp.process_info("web").started
        address = old.socket.getsockname()
        with otp_log.expect_crash(trio.ClosedResourceError):
            await old.aclose()
            await until(lambda: otp.process_info("web").started != [old])
        [new] = otp.process_info("web").started
        assert address == new.socket.getsockname()
        async with await connect() as after:
            assert b"B" == await ask(after, b"b")
        assert b"C" == await ask(before, b"c")


async def test_a_port_that_somebody_else_has_taken_meanwhile_is_the_end_of_all(
    otp_log: OtpLog,
) -> None:
    """It cannot be bound again, so the supervisor gives up; the one above it begins anew."""
    async with otp.open_supervisor([service(shout, drain_timeout=0)]):
        [old] = otp.process_info("web").started
        pid, address = otp.whereis("web"), old.socket.getsockname()
        old.socket.close()
        with socket.socket() as thief, otp_log.expect_crash(trio.ClosedResourceError):
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            thief.bind(address)
            thief.listen()
            await until(lambda: otp.whereis("web") not in {pid, None})
            await until(lambda: otp.process_info("web").started)
            async with await connect() as client:
                assert b"A" == await ask(client, b"a")
            assert address != otp.process_info("web").started[0].socket.getsockname()


async def test_who_resets_before_it_is_accepted_has_no_address_any_more() -> None:
    """Nor a place: it has gone when its process begins."""
    labels: list[str | None] = []

    async def handler(stream: Any) -> None:
        labels.append(otp.get_label(otp.self()))
        await stream.receive_some()

    async with otp.open_supervisor([service(handler)]):
        await otp.terminate_child("web", "acceptor")
        await reset(await connect())
        await otp.restart_child("web", "acceptor")
        await until(lambda: counts("web") == otp.ConnectionCounts(accepted=1, disconnected=1))
    assert ["peer that has gone"] == labels


async def test_a_connection_that_is_killed_before_it_begins_is_closed() -> None:
    """Its place is free for the next one."""

    def kill(pid: otp.Pid[Any]) -> None:
        if otp.get_label(pid) == "run_connection":
            otp.events.detach("process_start", kill)
            otp.exit(pid, otp.KILL)

    async with otp.open_supervisor([service(shout, max_connections=1)]):
        otp.events.attach("process_start", kill)
        async with await connect() as client:
            with trio.fail_after(LIMIT):
                assert b"" == await client.receive_some()
        async with await connect() as client:
            assert b"A" == await ask(client, b"a")


async def test_a_connection_whose_acceptor_dies_before_it_begins_is_closed() -> None:
    """The request to start it may still be on its way; nobody serves it then."""
    async with otp.open_supervisor([service(shout, max_connections=1)]):
        await otp.sys.suspend(parts := await part("connections"))
        async with await connect() as client:
            await until(lambda: counts("web").accepted)
            otp.exit(await part("acceptor"), otp.KILL)
            with trio.fail_after(LIMIT):
                assert b"" == await client.receive_some()
        await otp.sys.resume(parts)
        async with await connect() as client:
            assert b"A" == await ask(client, b"a")
            assert otp.ConnectionCounts(active=1, accepted=2) == counts("web")


async def test_changing_the_code_opens_no_second_listener() -> None:
    """Connections and listeners stay as they are."""
    supervisor = otp.open_supervisor([service(shout, drain_timeout=0)])
    async with supervisor, await connect() as client:
        listeners = otp.process_info("web").started
        await otp.sys.suspend("web")
        await otp.sys.change_code("web")
        await otp.sys.resume("web")
        assert b"A" == await ask(client, b"a")
        assert listeners == otp.process_info("web").started


async def test_the_acceptor_can_be_stopped_for_a_while() -> None:
    """Who connects meanwhile waits at the door; connections go on."""
    supervisor = otp.open_supervisor([service(shout, drain_timeout=0)])
    async with supervisor, await connect() as before:
        assert b"A" == await ask(before, b"a")
        await otp.terminate_child("web", "acceptor")
        async with await connect() as waiting:
            await waiting.send_all(b"b")
            assert b"C" == await ask(before, b"c")
            assert 1 == counts("web").accepted
            await otp.restart_child("web", "acceptor")
            with trio.fail_after(LIMIT):
                assert b"B" == await waiting.receive_some()


async def test_the_supervisor_of_connections_can_be_stopped_for_a_while() -> None:
    """Who is accepted meanwhile is turned away; the next one is served when it is there again."""
    async with otp.open_supervisor([service(shout, drain_timeout=0)]):
        await otp.terminate_child("web", "connections")
        async with await connect() as unlucky:
            with trio.fail_after(LIMIT):
                assert b"" == await unlucky.receive_some()
        await otp.restart_child("web", "connections")
        async with await connect() as client:
            with trio.fail_after(LIMIT):
                assert b"A" == await ask(client, b"a")


async def test_the_end_of_the_supervisor_of_connections_ends_them_and_starts_both_anew(
    otp_log: OtpLog,
) -> None:
    """The port stays the same."""
    async with otp.open_supervisor([service(shout, drain_timeout=0)]):
        [listener] = otp.process_info("web").started
        async with await connect() as client:
            assert b"A" == await ask(client, b"a")
            parts = [await part("connections"), await part("acceptor")]
            otp.exit(parts[0], otp.KILL)
            with trio.fail_after(LIMIT):
                assert b"" == await client.receive_some()
        await until(lambda: not otp.is_alive(parts[1]))
        async with await trio.testing.open_stream_to_socket_listener(listener) as client:
            assert b"B" == await ask(client, b"b")
            assert otp.ConnectionCounts(active=1, accepted=2) == counts("web")


@pytest.mark.parametrize("reason", [otp.KILL, otp.SHUTDOWN], ids=repr)
async def test_its_end_closes_everything(reason: object) -> None:
    """Listener and connections, however it ends."""
    async with otp.open_supervisor([service(shout, drain_timeout=0)]) as sup:
        [listener] = otp.process_info("web").started
        port = listener.socket.getsockname()[1]
        async with await connect() as client:
            assert b"A" == await ask(client, b"a")
            if reason is otp.KILL:
                pid = otp.whereis("web")
                otp.exit("web", otp.KILL)
                await until(lambda: otp.whereis("web") not in (pid, None))
            else:
                await otp.terminate_child(sup, "web")
            with trio.fail_after(LIMIT):
                assert b"" == await client.receive_some()
            assert -1 == listener.socket.fileno()
        with pytest.raises(OSError, match="all attempts"):
            await trio.open_tcp_stream("127.0.0.1", port)


async def test_a_port_that_is_taken_is_a_failed_start() -> None:
    """The error of the operating system is the reason, and nothing is left."""
    [taken] = await opens()
    async with taken:
        port = taken.socket.getsockname()[1]
        wanted = service(shout, opens=partial(trio.open_tcp_listeners, port, host="127.0.0.1"))
        async with trio.open_nursery() as nursery:
            with pytest.raises(otp.StartError) as caught:
                await otp.start(wanted, nursery=nursery)
        assert isinstance(caught.value.reason, OSError)
        assert errno.EADDRINUSE == caught.value.reason.errno
        said = f"Address already in use: open_tcp_listeners({port}, host='127.0.0.1')"
        assert str(caught.value).endswith(said)


@pytest.mark.parametrize("error", [OSError("no number"), FileNotFoundError(2, "none", "web.pem")])
async def test_an_error_that_says_it_all_is_left_as_it_is(error: OSError) -> None:
    """What is opened may be more than a port."""

    async def fails() -> Any:
        raise error

    async with trio.open_nursery() as nursery:
        with pytest.raises(otp.StartError) as caught:
            await otp.start(service(shout, opens=fails), nursery=nursery)
    assert error is caught.value.reason


@pytest.mark.skipif(sys.platform == "win32", reason="there are none")
async def test_sockets_of_the_file_system_have_connections_too(tmp_path: Path) -> None:
    """They have no addresses, so the label says where they come from; a reset is none there."""
    path = str(tmp_path / "web")

    async def opens_file() -> list[trio.SocketListener]:
        sock = trio.socket.socket(trio.socket.AF_UNIX)
        await sock.bind(path)
        sock.listen()
        return [trio.SocketListener(sock)]

    async def write_for_ever(stream: trio.SocketStream) -> None:
        while True:
            await stream.send_all(bytes(10_000))

    child = service(write_for_ever, opens=opens_file, max_per_address=1)
    async with otp.open_supervisor([child]):
        async with await trio.open_unix_socket(path) as one, await trio.open_unix_socket(path):
            await one.receive_some()
            await until(lambda: len(connections("web")) == 2)
            assert {f"unix:{path}"} == {otp.get_label(pid) for pid in connections("web")}
        await until(lambda: counts("web") == otp.ConnectionCounts(accepted=2, disconnected=2))


async def test_the_mailboxes_of_connections_can_have_a_bound() -> None:
    """So who reads more slowly than others write is found out, and can be sent away."""

    async def read_nothing(stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    bound = otp.BoundedMailbox(2, on_full="reject")
    async with otp.open_supervisor([service(read_nothing, mailbox=bound)]), await connect():
        [pid] = await until(lambda: connections("web"))
        for _ in range(2):
            otp.send(pid, "news")
        with pytest.raises(otp.MailboxFull):
            otp.send(pid, "one too many")
        otp.exit(pid, otp.Shutdown("too slow"))
        await until(lambda: not connections("web"))
        assert otp.ConnectionCounts(accepted=1) == counts("web")


# -- arguments -----------------------------------------------------------------------------------


def plain(stream: object) -> None:
    """Be no async function."""


async def test_an_exit_of_the_program_is_none_of_the_connection() -> None:
    """Also if it was called for because the other side had gone."""
    memory = Memory()

    async def handler(stream: Any) -> None:
        try:
            await stream.send_all(b"x")
        except trio.BrokenResourceError as exc:
            raise SystemExit(3) from exc

    async def serve() -> None:
        async with otp.open_supervisor([service(handler, opens=memory.open)]) as sup:
            await memory.connect().aclose()
            with trio.fail_after(LIMIT):
                await sup.wait()

    with pytest.raises(SystemExit):
        await serve()


async def opens_nothing() -> Any:
    """Give no listener."""
    return []


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((plain, opens), {}, "handler=.*is a plain function; .* as async def serve.stream."),
        ((opens_nothing, opens), {}, "handler=opens_nothing: too many positional .* of a stream"),
        (
            (shout, trio.open_tcp_listeners),
            {},
            "open_listeners=open_tcp_listeners: .*'port'.*as partial",
        ),
        (
            (shout, partial(trio.serve_tcp, shout, 0)),
            {},
            "open_listeners=serve_tcp serves by itself; .*as",
        ),
        ((shout, opens), {"mailbox": 100}, "mailbox=100: .*otp.BoundedMailbox.100."),
        ((None, opens), {}, "handler=None: expected an async function of a stream"),
        ((shout, 8080), {}, "open_listeners=8080: .* as partial.trio.open_tcp_listeners, 8080."),
        ((shout, opens), {"on_full": plain}, "on_full=.*is a plain function"),
        ((shout, opens), {"max_connections": 0}, "max_connections=0: expected a whole number >= 1"),
        ((shout, opens), {"max_per_address": 1.5}, "max_per_address=1.5"),
        ((shout, opens), {"drain_timeout": -1}, "drain_timeout=-1: expected a number of seconds"),
        ((shout, opens), {"handshake_timeout": None}, "handshake_timeout=None"),
        ((shout, opens), {"max_restarts": -1}, "max_restarts=-1: .*, or None to never give up"),
        ((shout, opens), {"backoff": 1}, r"backoff=1: expected otp.Backoff\(...\) or None"),
        ((shout, opens), {"backoff": otp.Backoff(min_delay=0.1)}, "write max_restarts=None"),
        ((shout, opens_nothing), {}, "opens_nothing returned .*expected a list of listeners"),
    ],
)
async def test_what_is_not_accepted_is_said(arguments: Any, options: Any, text: str) -> None:
    """By the name of the argument, with what is expected."""
    wanted = otp.child(otp.ConnectionSupervisor, *arguments, **options)
    async with trio.open_nursery() as nursery:
        with pytest.raises(otp.StartError, match=text) as caught:
            await otp.start(wanted, nursery=nursery)
        assert isinstance(caught.value.reason, TypeError | otp.SpecError)


async def test_there_are_no_connections_before_it_has_begun() -> None:
    """Its name is there, and leads to nothing so far."""
    opening = trio.Event()

    async def slow_opens() -> list[trio.SocketListener]:
        assert otp.ConnectionCounts() == counts("web")
        opening.set()
        await trio.sleep_forever()
        return []

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(otp.start, service(shout, opens=slow_opens), nursery=nursery))
        await trio.lowlevel.checkpoint()
        with pytest.raises(otp.NoProcess):
            counts("web")
        await opening.wait()
        assert otp.ConnectionCounts() == counts("web")
        nursery.cancel_scope.cancel()


async def test_only_a_connection_supervisor_has_connections() -> None:
    """Others are refused in the caller."""
    async with otp.open_supervisor([otp.child(otp.DynamicSupervisor).having(name="web")]):
        with pytest.raises(otp.WrongServer):
            counts("web")
    with pytest.raises(otp.NoProcess):
        connections("web")
