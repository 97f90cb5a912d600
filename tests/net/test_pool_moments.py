"""What a pool does when something else happens between its decision and what carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import process_of
from pool_kit import DB, Site, Worker, clients, lent, pool

import trio_otp as otp

if TYPE_CHECKING:
    from trio_otp.testing import OtpLog

NO_JITTER = otp.Backoff(min_delay=1.0, max_delay=30.0, jitter=0)


async def slow_end(_: object) -> None:
    """Take some time to end."""
    await trio.sleep(0.5)


class Doomed(otp.GenServer):
    """Crashes right after its init, the first time."""

    started = 0

    async def init(self) -> Any:
        Doomed.started += 1
        return otp.NoReply(continue_="now")

    async def handle_continue(self, arg: object) -> None:
        if Doomed.started == 1:
            raise ZeroDivisionError


async def test_a_worker_that_is_dead_when_its_start_is_known_is_replaced(
    autojump_clock: trio.abc.Clock, otp_log: OtpLog
) -> None:
    """Its crash is that of a worker, not a failed start; the client waits on."""
    Doomed.started = 0
    child = otp.child(otp.Pool, Doomed, size=1, backoff=NO_JITTER).having(name="db")
    async with otp.open_supervisor([child]):
        began = trio.current_time()
        with otp_log.expect_crash(ZeroDivisionError):
            async with otp.pool("db").checkout() as pid:
                assert 1.0 == trio.current_time() - began
                assert [pid] == [info.pid for info in await otp.which_children("db")]
        assert 2 == Doomed.started


async def test_a_worker_that_dies_while_it_is_waited_for_is_replaced(
    autojump_clock: trio.abc.Clock,
) -> None:
    """It was returned busy, and never handles its later messages."""
    async with clients(size=1, backoff=NO_JITTER) as who:
        async with DB.checkout() as worker:
            with trio.move_on_after(0.1):
                await worker.wait(trio.Event())
        await who.come("next")
        assert (1, []) == (DB.status().finishing, who.got)
        otp.exit(worker.ref, otp.KILL)
        await trio.sleep(1.1)

        assert (["next"], 0) == (who.got, DB.status().finishing)
        assert worker.ref is not who.workers["next"].ref


async def test_an_overflow_that_is_killed_as_the_pool_decides_to_end_it_is_ended_once() -> None:
    """Nobody waits for its end, which has come already."""
    async with clients(size=1, max_overflow=1, idle_timeout=0) as who:
        await who.come("stays")
        async with DB.checkout() as worker:
            pass
        otp.exit(worker.ref, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        assert (0, 1, 0) == lent()
        assert 1 == len(await otp.which_children("db"))


async def test_an_overflow_with_brutal_kill_is_killed() -> None:
    """Without its terminate."""
    site = Site()
    worker = otp.child(Worker, site).having(shutdown="brutal_kill")
    child = otp.child(otp.Pool, worker, size=1, max_overflow=1, idle_timeout=0).having(name="db")
    async with otp.open_supervisor([child]):
        async with DB.checkout(), DB.checkout() as other:
            ref = other.ref
        await trio.testing.wait_all_tasks_blocked()
        assert not otp.is_alive(ref)
        assert (1, 0, 0) == lent()
        assert [] == site.ended


async def test_a_pool_that_ends_replaces_no_worker_that_it_was_ending(
    autojump_clock: trio.abc.Clock,
) -> None:
    """One that was busy for too long takes its time to end."""
    site = Site()
    async with otp.open_process():
        child = otp.child(otp.Pool, otp.child(Worker, site), size=1, busy_timeout=1)
        db = await otp.start(child.having(name="db"))
        async with DB.checkout() as worker:
            with trio.move_on_after(0.1):
                await worker.wait(trio.Event())
            process_of(worker.ref).instance.terminate = slow_end
        await trio.sleep(1.2)
        assert (0, False) == (DB.status().finishing, process_of(worker.ref).dead)
        await otp.stop(db, otp.SHUTDOWN)
        assert not otp.is_alive(worker.ref)
        assert 1 == site.started


class Slow(otp.Pool):
    """Takes its time to begin."""

    begins: trio.Event

    async def init(self) -> Any:  # type: ignore[override]  # an init may be async
        await self.begins.wait()
        return super().init()


async def test_a_pool_that_is_about_to_begin_has_no_process_to_ask() -> None:
    """Its name leads to it before its init is over."""
    Slow.begins = trio.Event()
    child = otp.child(Slow, otp.child(Worker, Site()), size=1).having(name="db")
    async with otp.open_process(), trio.open_nursery() as nursery:
        nursery.start_soon(otp.start, child)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(otp.NoProcess):
            DB.status()
        with pytest.raises(otp.NoProcess):
            async with DB.checkout():
                pass
        Slow.begins.set()
        await trio.testing.wait_all_tasks_blocked()
        assert (0, 0, 0) == lent()


async def test_what_is_terminated_while_the_pool_ends_it_is_ended_once(
    autojump_clock: trio.abc.Clock,
) -> None:
    """Whether the pool or the client sees its end first."""
    for _ in range(10):
        async with pool(size=1, max_overflow=1, idle_timeout=0):
            async with DB.checkout(), DB.checkout() as other:
                ref = other.ref
                process_of(ref).instance.terminate = slow_end
            await trio.testing.wait_all_tasks_blocked()
            await otp.terminate_child("db", ref)
            assert (1, 0, 0) == lent()
            assert 1 == len(await otp.which_children("db"))
