"""A process for each connection: none can disturb another, nor the acceptor."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.lowlevel
from net_kit import LIMIT, Boom, ask, connect, reset, service, shout, until

import trio_otp as otp

if TYPE_CHECKING:
    from trio_otp.testing import OtpLog

counts = otp.ConnectionSupervisor.counts
connections = otp.ConnectionSupervisor.connections


def peer_name(stream: trio.SocketStream) -> str:
    """Return what the process of a client's connection is called."""
    host, port = stream.socket.getsockname()
    return f"{host}:{port}"


async def test_each_connection_is_a_process_that_is_labelled_with_the_address_of_the_peer() -> None:
    """So trees, logs and observers show it."""
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
    """Neither other connections nor the acceptor; more crashes than restarts change nothing."""
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
    """Only the end of this very connection is no crash, even if the handler has closed it since."""
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
