"""REG.subscribe: a topic as a Trio channel, with a bound, in plain Trio code."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
import trio
import trio.testing
from depth import few
from hypothesis import given, settings
from inside import runtime

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

REG = otp.registry("reg")


@asynccontextmanager
async def running(keys: Any = "duplicate", **options: Any) -> AsyncGenerator[None]:
    """Run a registry of the name `reg`, in plain Trio code."""
    registry = otp.child(otp.Registry, keys, **options).having(name="reg")
    async with otp.open_supervisor([registry]):
        yield


async def test_a_topic_is_read_as_a_channel() -> None:
    """Whatever was sent arrives in its order, at once and later."""
    async with running(), REG.subscribe("news") as channel:
        assert 1 == REG.send("news", "first")
        assert "first" == await channel.receive()

        got: list[Any] = []

        async def read() -> None:
            async for message in channel:
                got.append(message)
                if message == "last":
                    break

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            REG.send("news", "second")
            REG.send("other", "not ours")
            REG.send("news", "last")

        assert ["second", "last"] == got
        assert 0 == channel.dropped


async def test_a_subscription_is_found_like_any_holder() -> None:
    """It has a pid and a value, and dispatch reaches it."""
    async with running(), REG.subscribe("news", "loud") as channel:
        assert [(channel.pid, "loud")] == REG.lookup("news")
        assert ["news"] == REG.keys(channel.pid)

        REG.dispatch("news", lambda entries: [otp.send(pid, "hello") for pid, _ in entries])

        assert "hello" == await channel.receive()
        assert "<subscription to 'news' of 'reg'>" == repr(channel)


async def test_what_does_not_fit_is_dropped_and_counted() -> None:
    """The newest go, the publisher is not hurt, and the run counts them as well."""
    async with running(), REG.subscribe("news", max_buffer=2) as channel:
        before = runtime().dropped
        for number in range(5):
            assert (1 if number < 2 else 0) == REG.send("news", number)

        assert (3, 3) == (channel.dropped, runtime().dropped - before)
        assert [0, 1] == [await channel.receive(), await channel.receive()]
        REG.send("news", 5)
        assert 5 == await channel.receive()


async def test_a_slow_reader_does_not_hurt_the_others() -> None:
    """Each subscription has a buffer of its own, also without a bound."""
    async with (
        running(),
        REG.subscribe("news", max_buffer=1) as slow,
        REG.subscribe("news", max_buffer=math.inf) as fast,
    ):
        for number in range(1000):
            assert (2 if number == 0 else 1) == REG.send("news", number)

        assert (999, 0) == (slow.dropped, fast.dropped)
        assert 0 == await slow.receive()
        assert list(range(1000)) == [await fast.receive() for _ in range(1000)]


async def test_the_key_is_free_when_the_block_is_left() -> None:
    """Nobody finds the subscription any more, and listeners have heard of it."""
    async with otp.open_process(name="listener"), running(listeners=["listener"]):
        async with REG.subscribe("news") as channel:
            pid = channel.pid
            watch = otp.monitor(pid)
        assert [] == REG.lookup("news")
        assert 0 == REG.send("news", "nobody") == REG.count()
        assert not otp.is_alive(pid)

        heard = [await otp.receive(timeout=0) for _ in range(3)]

        assert [
            otp.Registered("reg", "news", pid, None),
            otp.Unregistered("reg", "news", pid),
            otp.Down(watch, pid, otp.NORMAL),
        ] == heard
        with pytest.raises(trio.ClosedResourceError):
            await channel.receive()


@pytest.mark.parametrize("how", ["error", "cancelled", "aclose"])
async def test_however_the_block_is_left_nothing_stays(how: str) -> None:
    """An error leaves bare, a cancellation is one, and what was not read is counted as dropped."""
    async with running():
        processes, before = otp.process_count(), runtime().dropped
        with trio.CancelScope() as scope:
            try:
                async with REG.subscribe("news") as channel:
                    REG.send("news", "not read")
                    if how == "error":
                        raise ZeroDivisionError
                    if how == "cancelled":
                        scope.cancel()
                        await channel.receive()
                    await channel.aclose()
                    assert [] == REG.lookup("news")
                    with pytest.raises(trio.ClosedResourceError):
                        await channel.receive()
            except ZeroDivisionError:
                assert how == "error"

        assert (how == "cancelled") == scope.cancelled_caught
        assert [] == REG.lookup("news")
        assert processes == otp.process_count()
        assert 1 == runtime().dropped - before


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_the_end_of_the_registry_ends_the_reading(how: str, links: bool) -> None:
    """What had arrived is read first; then there is ServerExited with the reason, no waiting."""
    async with running(links=links), REG.subscribe("news") as channel:
        REG.send("news", "last words")
        if how == "kill":
            otp.exit("reg", otp.KILL)
        else:
            await otp.stop("reg", otp.SHUTDOWN)
        await trio.testing.wait_all_tasks_blocked()

        assert "last words" == await channel.receive()
        with pytest.raises(otp.ServerExited, match="'reg' exited") as caught:
            await channel.receive()
        assert {"kill": otp.KILLED, "stop": otp.SHUTDOWN}[how] is caught.value.reason
        assert [] == REG.lookup("news")  # of the next registry


async def test_a_reader_that_waits_hears_of_the_end_of_the_registry() -> None:
    """It does not wait for the restarted registry, which knows nothing of it."""
    async with running(), REG.subscribe("news") as channel, trio.open_nursery() as nursery:
        errors: list[Any] = []

        async def read() -> None:
            try:
                async for _ in channel:
                    pass
            except otp.ServerExited as exc:
                errors.append(exc.reason)

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        otp.exit("reg", otp.KILL)
        await trio.testing.wait_all_tasks_blocked()

        assert [otp.KILLED] == errors


@pytest.mark.parametrize("clones", [0, 1, 3])
@pytest.mark.parametrize("how", ["the registry", "the subscription", "aclose"])
async def test_no_clone_of_its_send_end_keeps_it_open(how: str, clones: int) -> None:
    """A clone cannot hold up the end: each of them is broken, also one that waits for room."""
    errors: list[Any] = []
    async with running(), REG.subscribe("news", max_buffer=2) as channel:
        ends = [otp.send_end(channel.pid) for _ in range(clones)]

        async def read() -> None:
            try:
                await channel.receive()
            except (otp.ServerExited, trio.ClosedResourceError) as exc:
                errors.append(type(exc))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            if how == "aclose":
                await channel.aclose()
            else:
                otp.exit("reg" if how == "the registry" else channel.pid, otp.KILL)

        kind = trio.ClosedResourceError if how == "aclose" else otp.ServerExited
        assert [kind, kind] == errors
        for end in ends:
            with pytest.raises(trio.BrokenResourceError):
                end.send_nowait("into the void")
        with pytest.raises(kind):
            await channel.receive()


async def test_what_its_send_ends_have_sent_is_read_to_the_end() -> None:
    """What had arrived, and what waited for room, is read before the error, by one task or more."""
    got: list[Any] = []
    async with running(), REG.subscribe("news", max_buffer=1) as channel:
        end = otp.send_end(channel.pid)

        async def read() -> None:
            try:
                while True:
                    got.append(await channel.receive())
            except otp.ServerExited as exc:
                got.append(exc.reason)

        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(end.send, number)
                await trio.testing.wait_all_tasks_blocked()
            otp.exit("reg", otp.KILL)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(read)
            nursery.start_soon(read)
    assert [0, 1, 2, otp.KILLED, otp.KILLED] == got


async def test_a_subscription_that_is_killed_says_so() -> None:
    """The error names the pid, since the registry lives on."""
    async with running(), REG.subscribe("news") as channel:
        otp.exit(channel.pid, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()

        with pytest.raises(otp.ServerExited) as caught:
            await channel.receive()

        assert (channel.pid, otp.KILLED) == (caught.value.server, caught.value.reason)
        assert [] == REG.lookup("news")


async def test_a_unique_key_has_one_subscription() -> None:
    """The second is refused, and leaves no process behind."""
    async with running("unique"), REG.subscribe("news") as channel:
        processes = otp.process_count()
        with pytest.raises(otp.AlreadyRegistered) as caught:
            async with REG.subscribe("news"):
                pass

        assert channel.pid is caught.value.pid
        assert processes == otp.process_count()
        assert channel.pid is otp.whereis(REG.via("news"))


async def test_a_call_to_a_subscription_is_refused() -> None:
    """It answers nobody, so its caller is told at once; the reader sees nothing of it."""
    async with running(), REG.subscribe("news") as channel:
        with pytest.raises(otp.WrongServer, match="which is a subscription"):
            await otp.call(channel.pid, "hello")
        REG.send("news", "after")

        assert "after" == await channel.receive()


async def test_the_refusal_of_a_call_comes_at_its_next_checkpoint() -> None:
    """The answer is there before the caller waits for it; it gets that like any other answer."""
    async with running(), REG.subscribe("news") as channel:
        for call in (otp.call, partial(otp.call, timeout=1), partial(otp.call, timeout=None)):
            with trio.testing.assert_checkpoints(), pytest.raises(otp.WrongServer):
                await call(channel.pid, "x")
            with trio.move_on_after(0):  # what wakes the caller has to be over by now
                await trio.sleep_forever()
        with trio.CancelScope() as scope:
            scope.cancel()
            await otp.call(channel.pid, "x")
        assert scope.cancelled_caught
        with pytest.raises(otp.WrongServer):
            await otp.receive_response(otp.send_request(channel.pid, "x"))


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "many", None])
async def test_a_size_that_makes_no_sense_is_refused(size: Any) -> None:
    """The error says what is accepted, and nothing is registered."""
    async with running():
        with pytest.raises(ValueError, match=r"expected a whole number > 0, or math\.inf"):
            async with REG.subscribe("news", max_buffer=size):
                pass
        assert 0 == REG.count()


async def test_without_a_registry_there_is_nothing_to_subscribe_to() -> None:
    """The error says how to start one."""
    async with otp.open_process():
        with pytest.raises(otp.NoProcess):
            async with REG.subscribe("news"):
                pass


async def test_a_process_can_subscribe_as_well() -> None:
    """Its mailbox is not touched; the channel is read beside it."""
    async with running(), otp.open_process() as me, REG.subscribe("news") as channel:
        REG.send("news", "on the channel")
        otp.send(me, "in the mailbox")

        assert me is not channel.pid
        assert "in the mailbox" == await otp.receive(timeout=0)
        assert "on the channel" == await channel.receive()


# -- against a model -------------------------------------------------------------------------------

OPERATIONS = st.lists(
    st.one_of(st.tuples(st.just("send"), st.integers(0, 9)), st.just(("read", 0))), max_size=40
)


async def _run(size: int, operations: list[tuple[str, int]]) -> None:
    async with running(), REG.subscribe("news", max_buffer=size) as channel:
        buffer: list[int] = []
        dropped = 0
        for name, number in operations:
            if name == "send":
                REG.send("news", number)
                if len(buffer) < size:
                    buffer.append(number)
                else:
                    dropped += 1
            elif buffer:
                assert buffer.pop(0) == await channel.receive()
            assert dropped == channel.dropped


@given(size=st.integers(1, 4), operations=OPERATIONS)
@settings(max_examples=few(60))
def test_the_buffer_agrees_with_its_model(size: int, operations: list[tuple[str, int]]) -> None:
    """Sent and read in any order, what is read is what fitted, oldest first."""
    trio.run(_run, size, operations)
