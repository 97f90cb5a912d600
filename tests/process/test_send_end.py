"""`otp.send_end`: what a send end is beside a Trio channel, see `test_mailbox_contract`."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import trio
import trio.testing
from inside import process_of

import trio_otp as otp


class Cache(otp.GenServer):
    """Keeps what comes as plain messages."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    @otp.on_call
    def read(self) -> list[Any]:
        return self.log

    def handle_info(self, message: Any) -> None:
        self.log.append(message)


async def test_what_is_sent_is_a_plain_message() -> None:
    """In one order with what else is sent; a plain process receives it."""
    async with otp.open_process() as me:
        with otp.send_end(me) as end:
            await end.send("one")
            otp.send(me, "two")
            end.send_nowait("three")
        assert ["one", "two", "three"] == [await otp.receive() for _ in range(3)]
        pid = await otp.start_link(Cache)
        async with otp.send_end(pid) as end:
            await end.send("four")
            otp.send(pid, "five")
            assert ["four", "five"] == await Cache.at(pid).read()
            end.send_nowait("six")
        assert ["four", "five", "six"] == await Cache.at(pid).read()


async def test_it_passes_over_to_nobody_else() -> None:
    """A selective receive finds it where it lies."""
    async with otp.open_process() as me:
        with otp.send_end(me) as end:
            end.send_nowait("passed over")
            end.send_nowait(1)
            assert 1 == await otp.receive(int)
            assert "passed over" == await otp.receive()


@pytest.mark.parametrize("how", ["pid", "atom", "class", "via"])
async def test_each_reference_leads_to_one(how: str) -> None:
    """A pid, a name, a class as a name, a via tuple."""
    registry = otp.registry("reg")
    names = {"atom": "cache", "class": Cache, "via": registry.via("cache"), "pid": None}
    async with otp.open_process():
        await otp.start_link(otp.child(otp.Registry).having(name="reg"))
        pid = await otp.start_link(otp.child(Cache).having(name=names[how]))
        with otp.send_end(pid if how == "pid" else names[how]) as end:
            await end.send(how)
        assert [how] == await Cache.at(pid).read()


async def test_it_stays_with_one_incarnation() -> None:
    """After a restart it is broken, though the name leads to the next one."""
    async with otp.open_supervisor([otp.child(Cache).having(name="cache")]):
        end = otp.send_end("cache")
        clone = end.clone()
        pid = otp.whereis("cache")
        assert pid is not None
        otp.exit(pid, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        assert otp.whereis("cache") not in (None, pid)
        for old in (end, clone):
            with pytest.raises(trio.BrokenResourceError):
                old.send_nowait("late")
            with pytest.raises(trio.BrokenResourceError):
                await old.send("late")
        with otp.send_end("cache") as end:
            end.send_nowait("in time")
        assert ["in time"] == await Cache.at("cache").read()
        with pytest.raises(otp.NoProcess):
            otp.send_end(pid)


async def test_the_last_one_ends_nothing() -> None:
    """A process whose send ends are all closed gets messages as before."""
    async with otp.open_process():
        pid = await otp.start_link(Cache)
        with otp.send_end(pid) as end, end.clone() as other:
            assert 2 == other.statistics().open_send_channels
        assert 0 == end.statistics().open_send_channels
        assert 1 == end.statistics().open_receive_channels
        otp.send(pid, "on")
        assert ["on"] == await Cache.at(pid).read()


async def test_it_keeps_no_dead_process_alive() -> None:
    """What was queued when the process ended is dropped, and counted as any such message."""
    async with otp.open_process():
        pid = otp.spawn(trio.sleep_forever)
        end = otp.send_end(pid)
        end.send_nowait("in vain")
        process: Any = process_of(pid)
        dropped = process.runtime.dropped
        otp.exit(pid, otp.KILL)
        await process.wait_dead()
        assert dropped + 1 == process.runtime.dropped
        assert 0 == end.statistics().current_buffer_used


async def test_a_call_beside_it() -> None:
    """A server whose send end somebody has is called, and its callers cancelled, as any other."""
    async with otp.open_process():
        pid = await otp.start_link(Cache)
        end = otp.send_end(pid)
        end.send_nowait("one")
        assert ["one"] == await Cache.at(pid).read()
        with trio.CancelScope() as scope:
            scope.cancel()
            await Cache.at(pid).read()
        assert scope.cancelled_caught
        process = process_of(pid)
        assert 0 == len(process.mailbox)


async def test_a_decorated_method_is_refused() -> None:
    """As by `otp.send`: to name it is not to send it."""
    async with otp.open_process():
        with otp.send_end(await otp.start_link(Cache)) as end:
            with pytest.raises(TypeError, match="read"):
                end.send_nowait(Cache.read)
            with pytest.raises(TypeError, match="read"):
                await end.send(Cache.read)


async def test_it_is_a_handle() -> None:
    """It is its own copy, cannot be pickled or made by hand, and says where it leads."""
    async with otp.open_process() as me:
        end = otp.send_end(me)
        assert f"<SendEnd to {me!r}>" == repr(end)
        assert end is copy.copy(end) is copy.deepcopy(end)
        assert 1 == end.statistics().open_send_channels
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="a SendEnd belongs to the run that made it"):
                pickle.dumps(end, protocol)
        with pytest.raises(TypeError, match=r"otp\.send_end\(ref\) returns one"):
            otp.SendEnd()
        assert type(end) is otp.SendEnd
        assert isinstance(otp.SendEnd[str], object)
        end.close()
        assert f"<closed SendEnd to {me!r}>" == repr(end)


# -- of a subscription, whose buffer has a bound ---------------------------------------------------


async def test_one_of_a_buffer_with_a_bound() -> None:
    """It waits for room, or says that there is none; its close wakes who waits for room there."""
    registry = otp.registry("reg")
    errors: list[type[Exception]] = []
    async with otp.open_process():
        await otp.start_link(otp.child(otp.Registry).having(name="reg"))
        async with registry.subscribe("news", max_buffer=1) as channel:
            end = otp.send_end(channel.pid)
            other = end.clone()

            async def send(through: otp.SendEnd[str], message: str) -> None:
                try:
                    await through.send(message)
                except trio.ClosedResourceError as exc:
                    errors.append(type(exc))

            await end.send("one")
            with pytest.raises(trio.WouldBlock):
                end.send_nowait("no room")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send, end, "never")
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(send, other, "two")
                await trio.testing.wait_all_tasks_blocked()
                told = end.statistics()
                assert (1, 1, 2, 1, 2, 0) == (
                    told.current_buffer_used,
                    told.max_buffer_size,
                    told.open_send_channels,
                    told.open_receive_channels,
                    told.tasks_waiting_send,
                    told.tasks_waiting_receive,
                )
                end.close()
                await trio.testing.wait_all_tasks_blocked()
                assert [trio.ClosedResourceError] == errors
                assert ["one", "two"] == [await channel.receive() for _ in range(2)]
            assert 1 == other.statistics().open_send_channels
        with pytest.raises(trio.BrokenResourceError):
            await other.send("late")


async def test_a_worker_thread_is_refused() -> None:
    """It could not wake the server, which would then wait for ever."""
    async with otp.open_process():
        pid = await otp.start_link(Cache)
        end = otp.send_end(pid)
        await trio.testing.wait_all_tasks_blocked()
        for use in (lambda: end.send_nowait("lost"), end.clone, end.close):
            with pytest.raises(otp.NotInRun):
                await trio.to_thread.run_sync(use)
        await trio.to_thread.run_sync(lambda: trio.from_thread.run_sync(end.send_nowait, "came"))
        assert ["came"] == await Cache.at(pid).read()
        end.close()


async def test_a_thread_with_a_run_of_its_own_finds_it_broken() -> None:
    """Processes belong to their run."""

    async def elsewhere(end: otp.SendEnd[str]) -> None:
        with pytest.raises(trio.BrokenResourceError, match="another run"):
            end.send_nowait("lost")
        with pytest.raises(trio.BrokenResourceError, match="another run"):
            await end.send("lost")

    async with otp.open_process():
        pid = await otp.start_link(Cache)
        with otp.send_end(pid) as end:
            await trio.to_thread.run_sync(trio.run, elsewhere, end)
            assert [] == await Cache.at(pid).read()


async def test_a_sender_waiting_as_a_subscription_is_left_has_sent_nothing() -> None:
    """It hears that the end is broken, as whoever comes later."""
    broken: list[str] = []

    async def wait_for_room(end: otp.SendEnd[str]) -> None:
        with pytest.raises(trio.BrokenResourceError, match="subscription has ended"):
            await end.send("late")
        broken.append("late")

    async with otp.open_supervisor([otp.child(otp.Registry).having(name="reg")]):
        async with (
            otp.registry("reg").subscribe("key", max_buffer=1) as channel,
            trio.open_nursery() as nursery,
        ):
            end = otp.send_end(channel.pid)
            end.send_nowait("first")
            nursery.start_soon(wait_for_room, end)
            nursery.start_soon(wait_for_room, end.clone())
            await trio.testing.wait_all_tasks_blocked()
            await channel.aclose()
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(trio.BrokenResourceError, match="subscription has ended"):
                end.send_nowait("later")
        assert broken == ["late", "late"]
