"""Inside a `ConnectionSupervisor`: an acceptor and connections, which end and are restarted."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.lowlevel
from net_kit import LIMIT, ask, connect, reset, service, shout, until

import trio_otp as otp

if TYPE_CHECKING:
    from trio_otp.testing import OtpLog

counts = otp.ConnectionSupervisor.counts
connections = otp.ConnectionSupervisor.connections


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


async def test_a_client_that_resets_before_it_is_accepted_has_no_address() -> None:
    """Nor a place: it has disconnected when its process begins."""
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
    """New clients wait in the backlog meanwhile; connections go on."""
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
    """Clients accepted meanwhile are disconnected; later ones are served once it is back."""
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
