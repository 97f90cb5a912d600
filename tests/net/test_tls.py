"""Services over TLS: the handshake is over before the handler begins, or there is no handler."""

from __future__ import annotations

import logging
import ssl
from functools import partial
from typing import Any

import pytest
import trio
import trustme
from net_kit import LIMIT, Memory, ask, connect, reset, service, shout, until

import trio_otp as otp

counts = otp.ConnectionSupervisor.counts
connections = otp.ConnectionSupervisor.connections
CA = trustme.CA()
SERVER = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
CA.issue_cert("here.example").configure_cert(SERVER)
CLIENT = ssl.create_default_context()
CA.configure_trust(CLIENT)

opens = partial(trio.open_ssl_over_tcp_listeners, 0, SERVER, host="127.0.0.1")


async def connect_securely() -> trio.SSLStream[trio.SocketStream]:
    """Connect, without a handshake so far."""
    [listener] = otp.process_info("web").started
    stream = await trio.testing.open_stream_to_socket_listener(listener.transport_listener)
    return trio.SSLStream(stream, CLIENT, server_hostname="here.example")


@pytest.mark.parametrize("context", [CLIENT, None, "server.pem"])
async def test_a_context_that_is_none_of_a_server_is_a_failed_start(context: Any) -> None:
    """It does not wait for the first client, whose error would end the program."""
    wrong = partial(trio.open_ssl_over_tcp_listeners, 0, context, host="127.0.0.1")
    opened: list[Any] = []

    async def opens_wrong() -> Any:
        opened.extend(await wrong())
        return opened

    async with trio.open_nursery() as nursery:
        with pytest.raises(otp.StartError, match=r"ssl_context=.*write .*Purpose.CLIENT_AUTH"):
            await otp.start(service(shout, opens=opens_wrong), nursery=nursery)
    assert -1 == opened[0].transport_listener.socket.fileno()


async def test_a_handler_gets_the_stream_after_the_handshake() -> None:
    """With its TLS methods; the label has the address as always."""
    seen: list[Any] = []

    async def handler(stream: trio.SSLStream[trio.SocketStream]) -> None:
        seen.append((stream.version(), otp.get_label(otp.self())))
        await shout(stream)

    async with otp.open_supervisor([service(handler, opens=opens)]):
        client = await connect_securely()
        assert b"HELLO" == await ask(client, b"hello")
        host, port = client.transport_stream.socket.getsockname()
        assert [(client.version(), f"{host}:{port}")] == seen
        with trio.fail_after(LIMIT):
            await client.aclose()
        await until(lambda: not connections("web"))
        assert otp.ConnectionCounts(accepted=1) == counts("web")


async def test_the_port_is_kept_and_stays_secure_when_it_is_bound_again() -> None:
    """Whatever wraps the listener wraps the next one as well."""
    async with otp.open_supervisor([service(shout, opens=opens, drain_timeout=0)]):
        [old] = otp.process_info("web").started
        address = old.transport_listener.socket.getsockname()
        await old.aclose()
        await until(lambda: otp.process_info("web").started != [old])
        [new] = otp.process_info("web").started
        assert address == new.transport_listener.socket.getsockname()
        client = await connect_securely()
        assert b"HELLO" == await ask(client, b"hello")
        await trio.aclose_forcefully(client)


@pytest.mark.parametrize("what", [b"GET / HTTP/1.0\r\n\r\n", b"", None])
async def test_a_handshake_that_is_not_completed_is_no_crash(
    what: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Plain HTTP, a scanner that leaves, a reset: one line for the log, no handler."""
    caplog.set_level(logging.INFO)

    async def handler(stream: Any) -> None:
        raise AssertionError("there was no handshake")

    async with otp.open_supervisor([service(handler, opens=opens)]):
        client = (await connect_securely()).transport_stream
        if what is None:
            await until(lambda: connections("web"))
            await reset(client)
        else:
            if what:
                await client.send_all(what)
            await client.aclose()
        await until(lambda: counts("web").disconnected == 1)
    [text] = [r.getMessage() for r in caplog.records]
    assert "did not complete the TLS handshake: " in text


async def test_a_client_that_does_not_trust_us_is_no_crash() -> None:
    """It breaks off the handshake, or breaks the connection right after it."""
    async with otp.open_supervisor([service(shout, opens=opens)]):
        stream = (await connect_securely()).transport_stream
        client = trio.SSLStream(
            stream, ssl.create_default_context(), server_hostname="here.example"
        )
        with pytest.raises(trio.BrokenResourceError):
            await client.do_handshake()
        await trio.aclose_forcefully(client)
        await until(lambda: counts("web").disconnected == 1)


@pytest.mark.parametrize("how", ["leaves without a farewell", "resets", "sends garbage"])
async def test_a_broken_session_is_a_disconnection(how: str) -> None:
    """A client that closes only TCP counts as disconnected, as most clients do so."""
    async with otp.open_supervisor([service(shout, opens=opens)]):
        client = await connect_securely()
        assert b"HELLO" == await ask(client, b"hello")
        beneath = client.transport_stream
        if how == "resets":
            await reset(beneath)
        elif how == "sends garbage":
            await beneath.send_all(b"x" * 100)
        else:
            await beneath.aclose()
        await until(lambda: counts("web").disconnected == 1)
        await trio.aclose_forcefully(client)


async def test_a_silent_client_is_closed_when_its_time_is_over(
    autojump_clock: Any,
) -> None:
    """A handshake has its own limit, as a client that sends nothing takes a place."""
    memory = Memory()

    async def opens_securely() -> list[Any]:
        return [trio.SSLListener(memory, SERVER)]

    child = service(
        shout, opens=opens_securely, max_connections=1, handshake_timeout=3, drain_timeout=0
    )
    async with otp.open_supervisor([child]):
        mute = memory.connect()
        client: Any = trio.SSLStream(memory.connect(), CLIENT, server_hostname="here.example")
        assert b"HELLO" == await ask(client, b"hello")
        assert 3 == trio.current_time()
        assert b"" == await mute.receive_some()
        assert otp.ConnectionCounts(active=1, accepted=2, disconnected=1) == counts("web")


async def test_an_answer_to_who_is_too_many_is_secure_too() -> None:
    """The client reads it to the end, whatever it had sent."""

    async def busy(stream: Any) -> None:
        await stream.send_all(b"busy")

    child = service(shout, opens=opens, max_connections=1, on_full=busy, drain_timeout=0)
    async with otp.open_supervisor([child]):
        served = await connect_securely()
        assert b"A" == await ask(served, b"a")
        for _ in range(5):
            refused = await connect_securely()
            assert b"busy" == await ask(refused, b"x" * 1000)
            with trio.fail_after(LIMIT):
                assert b"" == await refused.receive_some()
                await refused.aclose()
        assert 5 == counts("web").refused
        await trio.aclose_forcefully(served)


async def test_a_plain_listener_may_stand_beside_a_secure_one() -> None:
    """Each connection is what its listener makes of it."""

    async def both() -> list[Any]:
        return [*await trio.open_tcp_listeners(0, host="127.0.0.1"), *await opens()]

    async with otp.open_supervisor([service(shout, opens=both, drain_timeout=0)]):
        plain, secure = otp.process_info("web").started
        async with await connect() as client:
            assert b"A" == await ask(client, b"a")
        beneath = await trio.testing.open_stream_to_socket_listener(secure.transport_listener)
        client = trio.SSLStream(beneath, CLIENT, server_hostname="here.example")  # type: ignore[assignment]
        assert b"B" == await ask(client, b"b")
        await trio.aclose_forcefully(client)
        assert plain is not secure
