"""A bounded mailbox and its send ends keep the contract of Trio's bounded memory channels.

Each test runs against `trio.open_memory_channel(2)` and against the mailbox of a process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from channel_kit import Channel, of_process, of_trio
from flood_kit import in_task

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@pytest.fixture(params=["trio", "mailbox"])
async def channel(request: pytest.FixtureRequest) -> AsyncGenerator[Channel]:
    """Return a channel that is full with 1 and 2; nobody reads from it yet."""
    async with otp.open_process():
        if request.param == "trio":
            ends = of_trio(2)
        else:
            child = otp.child(trio.sleep_forever).having(mailbox=otp.BoundedMailbox(2))
            pid: Any = await otp.start(child)
            ends = of_process(pid)
        ends.send.send_nowait(1)
        ends.send.send_nowait(2)
        yield ends


async def test_what_does_not_fit_would_block(channel: Channel) -> None:
    """And is not sent; there is room again when something has been received."""
    with pytest.raises(trio.WouldBlock):
        channel.send.send_nowait(3)
    assert 1 == channel.receive.receive_nowait()
    channel.send.send_nowait(4)
    with pytest.raises(trio.WouldBlock):
        channel.send.send_nowait(5)
    assert [2, 4] == [await channel.receive.receive() for _ in range(2)]


async def test_send_waits_for_room_in_the_order_of_arrival(channel: Channel) -> None:
    """The sender that waited longest goes first, and none before there is room."""
    async with trio.open_nursery() as nursery:
        sent = []
        for number in (3, 4, 5):
            sent.append(in_task(nursery, channel.send.send, number))
            await trio.testing.wait_all_tasks_blocked()
        assert [[], [], []] == sent
        for number in range(1, 6):
            assert number == await channel.receive.receive()
            await trio.testing.wait_all_tasks_blocked()
            assert min(number, 3) == sum(bool(done) for done in sent)
    assert [[None]] * 3 == sent


async def test_it_is_a_checkpoint_with_and_without_room(channel: Channel) -> None:
    """Also the one that lets somebody in."""
    async with trio.open_nursery() as nursery:
        in_task(nursery, channel.send.send, 3)
        await trio.testing.wait_all_tasks_blocked()
        with trio.testing.assert_checkpoints():
            await channel.receive.receive()
    channel.receive.receive_nowait()
    with trio.testing.assert_checkpoints():
        await channel.send.send(4)


async def test_a_sender_cancelled_while_waiting_has_sent_nothing(channel: Channel) -> None:
    """The next one is let in instead."""
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            nursery.start_soon(cancel_when_blocked, scope)
            await channel.send.send("never")
        assert scope.cancelled_caught
        sent = in_task(nursery, channel.send.send, 3)
        await trio.testing.wait_all_tasks_blocked()
        assert [1, 2, 3] == [await channel.receive.receive() for _ in range(3)]
    assert [None] == sent
    with pytest.raises(trio.WouldBlock):
        channel.receive.receive_nowait()


async def cancel_when_blocked(scope: trio.CancelScope) -> None:
    await trio.testing.wait_all_tasks_blocked()
    scope.cancel()


async def test_an_end_that_is_closed_meanwhile_refuses_who_waits_on_it(channel: Channel) -> None:
    """And nobody else."""
    clone = channel.send.clone()
    async with trio.open_nursery() as nursery:
        closed = in_task(nursery, clone.send, "never")
        sent = in_task(nursery, channel.send.send, 3)
        await trio.testing.wait_all_tasks_blocked()
        clone.close()
        await trio.testing.wait_all_tasks_blocked()
        assert [trio.ClosedResourceError] == [type(error) for error in closed]
        assert [1, 2, 3] == [await channel.receive.receive() for _ in range(3)]
    assert [None] == sent


async def test_waiting_senders_are_refused_when_the_receiving_end_is_closed(
    channel: Channel,
) -> None:
    """At once, all of them."""
    async with trio.open_nursery() as nursery:
        sent = [in_task(nursery, channel.send.send, number) for number in (3, 4)]
        await trio.testing.wait_all_tasks_blocked()
        await channel.end()
        await trio.testing.wait_all_tasks_blocked()
    assert [trio.BrokenResourceError] * 2 == [type(error) for (error,) in sent]


async def test_statistics(channel: Channel) -> None:
    """How many messages it has and may have, and how many senders wait."""
    async with trio.open_nursery() as nursery:
        in_task(nursery, channel.send.send, 3)
        await trio.testing.wait_all_tasks_blocked()
        one, other = channel.send.statistics(), channel.receive.statistics()
        for told in (one, other):
            assert (2, 2, 1) == (
                told.current_buffer_used,
                told.max_buffer_size,
                told.tasks_waiting_send,
            )
            assert (1, 1) == (told.open_send_channels, told.open_receive_channels)
        assert 1 == await channel.receive.receive()
