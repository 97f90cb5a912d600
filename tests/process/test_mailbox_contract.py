"""A mailbox and its send ends keep the contract of Trio's memory channels.

Each test runs against `trio.open_memory_channel(math.inf)` and against the mailbox of a process.
Where the two differ the last tests say how.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from channel_kit import Channel, of_process, of_trio

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@pytest.fixture(params=["trio", "mailbox"])
async def channel(request: pytest.FixtureRequest) -> AsyncGenerator[Channel]:
    """Return a channel without a bound; nobody reads from it yet."""
    if request.param == "trio":
        yield of_trio(math.inf)
        return
    async with otp.open_process():
        yield of_process(otp.spawn(trio.sleep_forever))


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """Return which of the two it is."""
    return str(request.node.callspec.params["channel"])


async def waiting(nursery: trio.Nursery, receive: Any) -> list[Any]:
    """Let a task wait for a message; return where it puts what it gets, or the error."""
    got: list[Any] = []

    async def read() -> None:
        try:
            got.append(await receive.receive())
        except (trio.EndOfChannel, trio.ClosedResourceError, trio.BusyResourceError) as exc:
            got.append(type(exc))

    nursery.start_soon(read)
    await trio.testing.wait_all_tasks_blocked()
    return got


# -- what both do ----------------------------------------------------------------------------------


async def test_the_ends_are_those_of_a_channel(channel: Channel) -> None:
    """By Trio's abstract classes."""
    assert isinstance(channel.send, trio.abc.SendChannel)
    assert isinstance(channel.receive, trio.abc.ReceiveChannel)


async def test_all_that_is_sent_arrives_in_its_order(channel: Channel) -> None:
    """However it is sent, through whichever end; anything may be sent, and arrives itself."""
    one, two = channel.send, channel.send.clone()
    messages = [object(), None, trio.EndOfChannel(), ()]
    await one.send(messages[0])
    two.send_nowait(messages[1])
    one.send_nowait(messages[2])
    await two.send(messages[3])
    got = [channel.receive.receive_nowait(), await channel.receive.receive()]
    got += [await channel.receive.receive(), channel.receive.receive_nowait()]
    assert list(map(id, messages)) == list(map(id, got))
    with pytest.raises(trio.WouldBlock):
        channel.receive.receive_nowait()


async def test_iteration(channel: Channel) -> None:
    """It waits for each message."""
    got: list[int] = []

    async def read() -> None:
        async for message in channel.receive:
            got.append(message)  # noqa: PERF401 - as it comes

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        for number in range(3):
            channel.send.send_nowait(number)
            await trio.testing.wait_all_tasks_blocked()
            assert list(range(number + 1)) == got
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("how", ["send", "send_nowait"])
async def test_a_waiting_receiver_is_woken(channel: Channel, how: str) -> None:
    """By the first message; another one that comes before it runs stays for the next."""
    async with trio.open_nursery() as nursery:
        got = await waiting(nursery, channel.receive)
        if how == "send":
            await channel.send.send("first")
        else:
            channel.send.send_nowait("first")
        channel.send.send_nowait("second")
        await trio.testing.wait_all_tasks_blocked()
        assert ["first"] == got
        assert "second" == channel.receive.receive_nowait()


async def test_a_clone_is_an_end_of_its_own(channel: Channel) -> None:
    """It works on when the one that it was made of is closed, and the other way round."""
    one = channel.send
    two = one.clone()
    three = two.clone()
    assert type(one) is type(two)
    assert 3 == len({one, two, three})
    one.close()
    two.send_nowait("two")
    two.close()
    three.send_nowait("three")
    assert ["two", "three"] == [channel.receive.receive_nowait() for _ in range(2)]


@pytest.mark.parametrize("how", ["close", "aclose", "with", "async with", "twice"])
async def test_a_closed_end(channel: Channel, how: str) -> None:
    """It sends nothing, and has no clones; the others are as before."""
    end, other = channel.send.clone(), channel.send
    match how:
        case "close":
            end.close()
        case "aclose":
            await end.aclose()
        case "with":
            with end as entered:
                assert end is entered
        case "async with":
            async with end as entered:
                assert end is entered
        case _:
            end.close()
            await end.aclose()
            end.close()
    for use in (lambda: end.send_nowait("x"), end.clone):
        with pytest.raises(trio.ClosedResourceError):
            use()
    with pytest.raises(trio.ClosedResourceError):
        await end.send("x")
    other.send_nowait("y")
    assert "y" == await channel.receive.receive()
    assert 1 == other.statistics().open_send_channels


async def test_the_error_of_a_block_passes(channel: Channel) -> None:
    """The end is closed all the same."""
    for _ in range(2):
        end = channel.send.clone()
        with pytest.raises(KeyError), end:
            raise KeyError
        end = channel.send.clone()
        with pytest.raises(KeyError):
            async with end:
                raise KeyError
        with pytest.raises(trio.ClosedResourceError):
            end.send_nowait("x")


async def test_the_receiving_end_is_closed(channel: Channel) -> None:
    """Its ends are broken, also new clones of them; a closed one is closed first of all."""
    closed = channel.send.clone()
    closed.close()
    channel.send.send_nowait("never read")
    await channel.end()
    for end in (channel.send, channel.send.clone()):
        with pytest.raises(trio.BrokenResourceError):
            end.send_nowait("x")
        with pytest.raises(trio.BrokenResourceError):
            await end.send("x")
    with pytest.raises(trio.ClosedResourceError):
        closed.send_nowait("x")
    with pytest.raises(trio.ClosedResourceError):
        await closed.send("x")
    with pytest.raises(trio.ClosedResourceError):
        channel.receive.receive_nowait()
    with pytest.raises(trio.ClosedResourceError):
        await channel.receive.receive()
    with pytest.raises(trio.ClosedResourceError):
        async for _ in channel.receive:
            pass
    statistics = channel.send.statistics()
    assert (0, 0) == (statistics.current_buffer_used, statistics.open_receive_channels)
    channel.receive.close()  # once more does nothing
    await channel.receive.aclose()


@pytest.mark.parametrize("how", ["close", "aclose", "with", "async with", "its end"])
async def test_a_waiting_receiver_hears_that_it_is_closed(channel: Channel, how: str) -> None:
    """It waits no longer for what cannot come."""
    async with trio.open_nursery() as nursery:
        got = await waiting(nursery, channel.receive)
        match how:
            case "close":
                channel.receive.close()
            case "aclose":
                await channel.receive.aclose()
            case "with":
                with channel.receive as entered:
                    assert channel.receive is entered
            case "async with":
                async with channel.receive as entered:
                    assert channel.receive is entered
            case _:
                await channel.end()
        await trio.testing.wait_all_tasks_blocked()
    assert [trio.ClosedResourceError] == got


async def test_cancelled_before_it_has_begun(channel: Channel) -> None:
    """Nothing is sent, nothing is taken."""
    with trio.CancelScope() as scope:
        scope.cancel()
        await channel.send.send("never")
    assert scope.cancelled_caught
    with pytest.raises(trio.WouldBlock):
        channel.receive.receive_nowait()
    channel.send.send_nowait("kept")
    with trio.CancelScope() as scope:
        scope.cancel()
        await channel.receive.receive()
    assert scope.cancelled_caught
    assert "kept" == channel.receive.receive_nowait()


async def test_cancelled_while_it_waits(channel: Channel) -> None:
    """The message that comes then is for the next."""
    async with trio.open_nursery() as nursery:
        await waiting(nursery, channel.receive)
        nursery.cancel_scope.cancel()
        channel.send.send_nowait("late")
    assert 0 == channel.send.statistics().tasks_waiting_receive
    assert "late" == await channel.receive.receive()


async def test_cancelled_when_the_message_is_there(channel: Channel) -> None:
    """Whether it gets the message or is cancelled: the message is not lost."""
    async with trio.open_nursery() as nursery:
        got = await waiting(nursery, channel.receive)
        channel.send.send_nowait("here")
        nursery.cancel_scope.cancel()
    assert ["here"] == got


async def test_a_send_that_is_cancelled_has_sent_or_not(channel: Channel) -> None:
    """It tells which: what has sent returns, whatever comes during its checkpoint."""
    sent = 0

    async def send() -> None:
        nonlocal sent
        await channel.send.send("x")
        sent += 1

    async def cancel(scope: trio.CancelScope) -> None:
        scope.cancel()

    for _ in range(20):  # the order is a matter of luck
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            nursery.start_soon(cancel, nursery.cancel_scope)
        assert sent == channel.send.statistics().current_buffer_used


async def test_what_is_a_checkpoint(channel: Channel) -> None:
    """What is awaited, and nothing else."""
    send, receive = channel.send, channel.receive
    with trio.testing.assert_checkpoints():
        await send.send(1)
    with trio.testing.assert_checkpoints():
        assert 1 == await receive.receive()
    with trio.testing.assert_no_checkpoints():
        send.send_nowait(2)
        assert 2 == receive.receive_nowait()
        send.statistics()
        send.clone().close()
    with trio.testing.assert_checkpoints():
        await send.clone().aclose()
    with trio.testing.assert_checkpoints():
        await receive.aclose()


async def test_a_close_that_is_cancelled_has_closed(channel: Channel) -> None:
    """As every `aclose`."""
    with trio.CancelScope() as scope:
        scope.cancel()
        await channel.send.aclose()
    assert scope.cancelled_caught
    with pytest.raises(trio.ClosedResourceError):
        channel.send.send_nowait("x")


async def test_statistics(channel: Channel) -> None:
    """They are the same at both ends, and follow what happens."""

    def figures() -> tuple[float, ...]:
        at_both = [
            (
                told.current_buffer_used,
                told.max_buffer_size,
                told.open_send_channels,
                told.open_receive_channels,
                told.tasks_waiting_send,
                told.tasks_waiting_receive,
            )
            for told in (channel.send.statistics(), channel.receive.statistics())
        ]
        assert at_both[0] == at_both[1]
        return at_both[0]

    assert (0, math.inf, 1, 1, 0, 0) == figures()
    channel.send.send_nowait("x")
    other = channel.send.clone()
    assert (1, math.inf, 2, 1, 0, 0) == figures()
    other.close()
    channel.receive.receive_nowait()
    assert (0, math.inf, 1, 1, 0, 0) == figures()
    async with trio.open_nursery() as nursery:
        await waiting(nursery, channel.receive)
        assert (0, math.inf, 1, 1, 0, 1) == figures()
        nursery.cancel_scope.cancel()
    assert (0, math.inf, 1, 1, 0, 0) == figures()
    await channel.end()
    channel.send.close()
    assert (0, math.inf, 0, 0, 0, 0) == figures()


async def test_from_a_thread(channel: Channel) -> None:
    """A worker thread sends by way of the loop."""
    await trio.to_thread.run_sync(trio.from_thread.run, channel.send.send, "one")
    await trio.to_thread.run_sync(trio.from_thread.run_sync, channel.send.send_nowait, "two")
    assert ["one", "two"] == [channel.receive.receive_nowait() for _ in range(2)]


# -- in what they differ ---------------------------------------------------------------------------


async def test_the_last_send_end_is_closed(channel: Channel, kind: str) -> None:
    """Trio's has no more to come. To a mailbox a pid and names lead as well, so it waits on."""
    async with trio.open_nursery() as nursery:
        got = await waiting(nursery, channel.receive)
        channel.send.close()
        await trio.testing.wait_all_tasks_blocked()
        assert ([trio.EndOfChannel] if kind == "trio" else []) == got
        if kind == "trio":
            return
        assert 0 == channel.receive.statistics().open_send_channels
        channel.receive.put("by another way")
    assert ["by another way"] == got


async def test_a_second_receiver(channel: Channel, kind: str) -> None:
    """A mailbox is read by its process alone, so nothing else may wait for its messages."""
    async with trio.open_nursery() as nursery:
        one = await waiting(nursery, channel.receive)
        two = await waiting(nursery, channel.receive)
        assert ([] if kind == "trio" else [trio.BusyResourceError]) == two
        channel.send.send_nowait("for the first")
        await trio.testing.wait_all_tasks_blocked()
        assert ["for the first"] == one
        nursery.cancel_scope.cancel()
    assert hasattr(channel.receive, "clone") is (kind == "trio")


async def test_an_error_is_a_checkpoint_too(channel: Channel, kind: str) -> None:
    """Trio's looks only whether it is cancelled; here other tasks run as well."""
    if kind == "trio":
        return
    await channel.end()
    with trio.testing.assert_checkpoints(), pytest.raises(trio.BrokenResourceError):
        await channel.send.send("x")
    with trio.testing.assert_checkpoints(), pytest.raises(trio.ClosedResourceError):
        await channel.receive.receive()


async def test_the_peak_is_not_kept(channel: Channel, kind: str) -> None:
    """It would cost each message something; older versions of Trio do not keep it either."""
    told = {name for name in dir(channel.send.statistics()) if not name.startswith("_")}
    assert {"peak_buffer_used"} >= told - set(otp.MailboxStatistics.__slots__)
    assert "peak_buffer_used" not in otp.MailboxStatistics.__slots__
