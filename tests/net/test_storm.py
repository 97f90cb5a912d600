"""Clients that reset their connections at random points: the others notice nothing."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
import trio
from net_kit import connect_to, reset, service, until

import trio_otp as otp

if TYPE_CHECKING:
    from trio_otp.testing import OtpLog

counts = otp.ConnectionSupervisor.counts
AT_A_TIME = 300  # clients; both ends of a connection are open files of this process
ROUNDS = 4


async def echo(stream: trio.SocketStream) -> None:
    """Send back what comes, slowly enough that a reset meets every line."""
    async with stream:
        async for chunk in stream:
            await trio.lowlevel.checkpoint()
            await stream.send_all(chunk)


class Storm:
    """Clients of one service: some that hold a conversation, some that break theirs off."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.limit = trio.CapacityLimiter(AT_A_TIME)
        self.served = 0

    async def client(self, port: int, number: int) -> None:
        """Be one client; every other one resets its connection at some point."""
        async with self.limit:
            stream = await connect_to(port, "127.0.0.1")
            if number % 2:
                await self.break_off(stream)
            else:
                await self.hold(stream)

    async def hold(self, stream: trio.SocketStream) -> None:
        """Hold a conversation in which no byte may be lost, added or changed."""
        async with stream:
            for _ in range(ROUNDS):
                await exchange(stream, self.random.randbytes(self.random.choice([1, 100, 20_000])))
            await stream.send_eof()
            assert b"" == await stream.receive_some()
        self.served += 1

    async def break_off(self, stream: trio.SocketStream) -> None:
        """Reset: at once, after some rounds, with an answer unread, or within a long message."""
        for _ in range(self.random.randrange(ROUNDS)):
            await exchange(stream, self.random.randbytes(100))
        match self.random.randrange(3):
            case 0:
                await stream.send_all(self.random.randbytes(20_000))
            case 1:
                with trio.move_on_after(0):
                    await stream.send_all(bytes(10_000_000))
            case _:
                await trio.lowlevel.checkpoint()
        await reset(stream)


async def exchange(stream: trio.SocketStream, data: bytes) -> None:
    """Send something and read all of it again."""

    async def send() -> None:
        await stream.send_all(data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        got = b""
        while len(got) < len(data):
            chunk = await stream.receive_some()
            assert chunk, "the end came before the answer"
            got += chunk
    assert got == data


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_connections_that_are_reset_hurt_no_other(count: int, otp_log: OtpLog) -> None:
    """Each of the others has every byte; nothing crashes, nothing is left, all are counted."""
    storm = Storm(count)
    async with otp.open_supervisor([service(echo)]):
        pids = [info.pid for info in await otp.which_children("web")]
        port: Any = otp.process_info("web").started[0].socket.getsockname()[1]
        with trio.fail_after(600):
            async with trio.open_nursery() as nursery:
                for number in range(count):
                    nursery.start_soon(storm.client, port, number)
        assert count // 2 == storm.served
        result = await until(lambda: counts("web").active == 0 and counts("web"))
        assert (count, 0, 0) == (result.accepted, result.refused, result.crashed)
        assert 0 < result.disconnected <= count // 2
        assert pids == [info.pid for info in await otp.which_children("web")]
    assert () == otp_log.crashes
