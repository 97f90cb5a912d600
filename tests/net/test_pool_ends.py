"""What a pool does when workers are busy, fail or do not start, and when it ends itself."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import process_of
from pool_kit import DB, Clients, Site, Worker, clients, lending, lent, pool

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

NO_JITTER = otp.Backoff(min_delay=1.0, max_delay=30.0, jitter=0)


# -- a worker that is given back while it is busy --------------------------------------------------


async def leave_busy(event: trio.Event, worker: Any) -> None:
    """Give up a call that the worker handles."""
    with trio.move_on_after(0.1):
        await worker.wait(event)


async def leave_queued(event: trio.Event, worker: Any) -> None:
    """Give up a call that waits behind another."""
    await leave_behind(worker.wait, event, worker.who)


async def leave_put_off(event: trio.Event, worker: Any) -> None:
    """Give up a call that the worker answers later."""
    with trio.move_on_after(0.1):
        await worker.put_off()


async def leave_to_be_put_off(event: trio.Event, worker: Any) -> None:
    """Give up a call that the worker takes, and puts off, after that."""
    await leave_behind(worker.wait, event, worker.put_off)


async def leave_behind(wait: Any, event: trio.Event, second: Any) -> None:
    """Give up two calls, the second of which waits behind the first."""
    with trio.move_on_after(0.1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait, event)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(second)


WAYS = [leave_busy, leave_queued, leave_put_off, leave_to_be_put_off]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_busy_worker_is_not_lent_before_it_is_through(
    way: Callable[..., Awaitable[None]], autojump_clock: trio.abc.Clock
) -> None:
    """A waiting client gets it then."""
    event = trio.Event()
    async with clients(size=1) as who:
        async with DB.checkout() as worker:
            ref = worker.ref
            await way(event, worker)
        await who.come("next")
        assert ([], 1) == (who.got, DB.status().finishing)

        await trio.sleep(2.0)
        assert [] == who.got
        event.set()
        await trio.testing.wait_all_tasks_blocked()
        Worker.answer(ref)
        await trio.testing.wait_all_tasks_blocked()

        assert ["next"] == who.got
        assert ref is who.workers["next"].ref


async def test_a_worker_is_not_lent_before_it_has_answered_another_caller(
    autojump_clock: trio.abc.Clock,
) -> None:
    """Whoever knows its pid may wait for a call that it has put off: that is the last it does."""
    answers: list[str] = []

    async def call(ref: otp.Pid[Worker]) -> None:
        answers.append(await Worker.put_off(ref))

    async with clients(size=1, busy_timeout=None) as who:
        async with DB.checkout() as worker:
            ref = worker.ref
            who.nursery.start_soon(call, ref)
            await trio.testing.wait_all_tasks_blocked()
        await who.come("next")
        await trio.sleep(2.0)
        assert ([], [], 1) == (who.got, answers, DB.status().finishing)

        [from_] = process_of(ref).instance.later
        otp.reply(from_, "late")
        await trio.testing.wait_all_tasks_blocked()
        assert (["next"], ["late"]) == (who.got, answers)


async def test_nothing_ticks_while_a_busy_worker_is_waited_for(
    autojump_clock: trio.abc.Clock,
) -> None:
    """However long that takes: no deadline is pending, so the clock does not jump."""
    async with clients(size=1, idle_timeout=None, busy_timeout=None):
        async with DB.checkout() as worker:
            await leave_put_off(trio.Event(), worker)
        await trio.sleep(10.0)  # the time-out of the call may cause one late wake
        assert 1 == DB.status().finishing
        assert math.inf == trio.lowlevel.current_statistics().seconds_to_next_deadline


async def test_a_suspended_worker_is_lent_again_when_it_has_gone_on(
    autojump_clock: trio.abc.Clock,
) -> None:
    """Its messages wait until it is resumed, and so does the next client."""
    async with clients(size=1) as who:
        async with DB.checkout() as worker:
            ref = worker.ref
            await otp.sys.suspend(ref)
            with trio.move_on_after(0.1):
                await worker.who()
        await who.come("next")
        await trio.sleep(1.0)
        assert [] == who.got
        await otp.sys.resume(ref)
        await trio.testing.wait_all_tasks_blocked()
        assert ["next"] == who.got


async def test_a_plain_worker_is_lent_again_when_it_has_taken_all_its_messages(
    autojump_clock: trio.abc.Clock,
) -> None:
    """One that takes its messages itself, at its own pace."""
    taken: list[object] = []
    doorway = otp.pool("doorway")

    async def plain() -> None:
        while True:
            taken.append(await otp.receive())
            await trio.sleep(1.0)

    child = otp.child(plain)
    async with otp.open_supervisor([otp.child(otp.Pool, child, size=1).having(name="doorway")]):
        async with doorway.checkout() as pid:
            for number in range(3):
                otp.send(pid, number)
        began = trio.current_time()
        async with doorway.checkout() as again:
            assert pid is again
        assert [0, 1, 2] == taken
        assert 2.0 == trio.current_time() - began


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_worker_that_is_busy_for_too_long_is_replaced(
    way: Callable[..., Awaitable[None]], autojump_clock: trio.abc.Clock
) -> None:
    """It is ended within its limit, and another one is started at once."""
    site = Site()
    async with clients(site, size=1, busy_timeout=3.0) as who:
        async with DB.checkout() as worker:
            await way(trio.Event(), worker)
        began = trio.current_time()
        await who.come("next")
        await trio.sleep(2.9)
        assert [] == who.got
        await trio.sleep(1.2)

        assert ["next"] == who.got
        assert 3.0 <= lending().leases[2].since - began <= 4.0
        assert [1] == site.ended
        assert 0 == DB.status().failures


class Door(otp.GenStatem[str]):
    """Answers when it is open."""

    initial = "shut"

    @otp.on_state("shut", to="open")
    def shut(self, kind: Any, content: Any) -> Any:
        if content == "open":
            return otp.NextState("open")
        return otp.KeepState(otp.Postpone())

    @otp.on_state("open")
    def open(self, kind: Any, content: Any) -> Any:
        return otp.KeepState(otp.Reply("come in")) if isinstance(kind, otp.From) else None


@pytest.mark.parametrize("skip", [False, True])
async def test_a_call_that_a_state_machine_has_postponed_keeps_it_busy(
    skip: bool, autojump_clock: trio.abc.Clock
) -> None:
    """Until it is handled in another state, or passed over since nobody waits for it."""
    doors = otp.pool("doors")
    child = otp.child(Door).having(skip_abandoned=skip)
    pool_of_doors = otp.child(otp.Pool, child, size=1, busy_timeout=5.0).having(name="doors")
    async with otp.open_supervisor([pool_of_doors]):
        async with doors.checkout() as pid:
            with trio.move_on_after(0.1):
                await otp.call(pid, "knock")
        with pytest.raises(otp.CheckoutTimeout):
            async with doors.checkout(timeout=1.0):
                pass
        otp.cast(pid, "open")
        async with doors.checkout(timeout=1.0) as again:
            assert pid is again
            with trio.move_on_after(0):
                await otp.call(pid, "knock")


async def test_what_was_cast_last_is_handled_before_the_next_client_comes() -> None:
    """A worker serves one client at a time."""
    async with clients(size=2) as who:
        async with DB.checkout() as worker:
            for _ in range(100):
                worker.answer()
        await who.come("next")

        assert ["next"] == who.got


async def test_a_worker_that_dies_of_what_it_was_sent_last_is_not_lent(
    autojump_clock: trio.abc.Clock,
) -> None:
    """The crash is only logged."""
    async with clients(size=1, backoff=NO_JITTER) as who:
        async with DB.checkout() as worker:
            worker.crash()
        await who.come("next")
        assert [] == who.got
        await trio.sleep(1.1)

        assert ["next"] == who.got
        assert [] == who.errors
        assert worker.ref is not who.workers["next"].ref


async def test_a_plain_process_is_not_lent_before_it_has_taken_its_messages(
    autojump_clock: trio.abc.Clock,
) -> None:
    """It cannot answer a request, so its state is checked."""
    taken: list[Any] = []

    async def slow() -> None:
        while True:
            await trio.sleep(1.0)
            taken.append(await otp.receive())

    pool = otp.pool("slow")
    child = otp.child(otp.Pool, otp.child(slow), size=1).having(name="slow")
    async with otp.open_supervisor([child]):
        async with pool.checkout() as pid:
            otp.send(pid, 1)
        async with pool.checkout() as pid:
            assert [1] == taken


# -- failures --------------------------------------------------------------------------------------


async def test_a_waiting_caller_gets_the_database_when_it_is_back(
    autojump_clock: trio.abc.Clock,
) -> None:
    """The pool tries after 1, 2, 4, ... seconds, one worker at a time; nothing else ends."""
    site = Site()
    site.away = OSError("no database")
    async with clients(site, size=3, backoff=NO_JITTER) as who:
        await who.come("a", "b", "c", "d")
        assert 1 == site.started
        await trio.sleep(0.5)
        assert 0.5 == DB.status().restart_in
        await trio.sleep(5.0)
        assert (3, 3) == (site.started, DB.status().failures)
        site.away = None
        await trio.sleep(2.0)

        assert {"a", "b", "c"} == set(who.got)
        assert 6 == site.started


async def test_the_cause_of_a_time_out_is_why_no_worker_started(
    autojump_clock: trio.abc.Clock,
) -> None:
    """So that it is found elsewhere than in the log alone."""
    site = Site()
    site.away = OSError("no database")
    async with pool(site):
        with pytest.raises(otp.CheckoutTimeout) as caught:
            async with DB.checkout(timeout=1.0):
                pass
        assert isinstance(caught.value.__cause__, otp.StartError)
        assert "OSError('no database')" == repr(caught.value.__cause__.reason)
        assert "Worker did not start: OSError: no database" == str(caught.value.__cause__)
        site.away = None
        await trio.sleep(10.0)
        async with DB.checkout(), DB.checkout():
            with pytest.raises(otp.CheckoutTimeout) as caught:
                async with DB.checkout(timeout=0):
                    pass
        assert caught.value.__cause__ is None


async def test_each_failure_is_reported(
    autojump_clock: trio.abc.Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """With the time of the next attempt, if there is to be one."""
    site = Site()
    site.away = OSError("no database")
    async with pool(site, backoff=NO_JITTER):
        with pytest.raises(otp.CheckoutTimeout):
            async with DB.checkout(timeout=1.5):
                pass
        await trio.sleep(10.0)
    told = [record.getMessage() for record in caplog.records if record.name.endswith("supervisor")]
    assert 2 == len([line for line in told if "OSError" in line])
    assert "restarting in 1 s" in told[0]


async def test_an_init_that_ignores_is_a_failed_start(autojump_clock: trio.abc.Clock) -> None:
    """There is nothing to lend."""

    class Ignoring(otp.GenServer):
        def init(self) -> Any:
            return otp.IGNORE

    child = otp.child(otp.Pool, Ignoring, size=1).having(name="i")
    async with otp.open_supervisor([child]):
        with pytest.raises(otp.CheckoutTimeout) as caught:
            async with otp.pool("i").checkout(timeout=1.0):
                pass
        assert "IGNORE" in str(caught.value.__cause__)


async def test_a_worker_that_ends_as_it_starts_is_not_lent(autojump_clock: trio.abc.Clock) -> None:
    """It is dead before its pool hears that it has started; the next one is lent."""
    started: list[trio.TaskStatus[None]] = []

    async def brief(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        started.append(task_status)
        task_status.started()
        if len(started) > 1:
            await trio.sleep_forever()

    child = otp.child(otp.Pool, otp.child(brief), size=1).having(name="brief")
    async with otp.open_supervisor([child]):
        async with otp.pool("brief").checkout(timeout=1.0) as pid:
            assert otp.is_alive(pid)
        status = otp.pool("brief").status()
        assert (2, 1, 0) == (len(started), status.idle, status.starting)
        assert [pid] == [info.pid for info in await otp.which_children("brief")]


async def test_a_crash_is_made_good_without_being_asked(autojump_clock: trio.abc.Clock) -> None:
    """Not more than once, and only up to the size."""
    site = Site()
    async with clients(site, size=2, max_overflow=1, backoff=NO_JITTER) as who:
        await who.come("a", "b", "c")
        for name in "abc":
            otp.exit(who.workers[name].ref, "bye")
        await trio.testing.wait_all_tasks_blocked()
        assert 3 == len(who.errors)
        assert (0, 0, 0) == lent()
        await trio.sleep(100.0)

        assert (2, 0, 0) == lent()
        assert 5 == site.started


async def test_a_worker_that_leaves_by_itself_is_not_missed_before_somebody_comes(
    autojump_clock: trio.abc.Clock,
) -> None:
    """Its end was no failure."""
    async with pool(size=1):
        async with DB.checkout() as worker:
            pass
        Worker.leave(worker.ref)
        await trio.sleep(100.0)
        assert (0, 0, 0) == lent()
        async with DB.checkout(timeout=0.1) as worker:
            assert 2 == await worker.who()


async def test_the_back_off_of_a_worker_goes_before_that_of_its_pool(
    autojump_clock: trio.abc.Clock,
) -> None:
    """As with every supervisor; but there has to be one."""
    own = otp.Backoff(min_delay=7.0, jitter=0)
    child = otp.child(otp.Pool, otp.child(Worker, Site()).having(backoff=own), size=1)
    async with otp.open_supervisor([child.having(name="db")]):
        with pytest.raises(otp.ServerExited):  # noqa: PT012 - a block
            async with DB.checkout() as worker:
                otp.exit(worker.ref, "bye")
                await trio.sleep_forever()
        assert 7.0 == DB.status().restart_in
    with pytest.raises(otp.SpecError, match="backoff=None: expected otp"):
        otp.Pool(otp.child(Worker, Site()).having(backoff=None), size=1)
    with pytest.raises(otp.SpecError, match="backoff=3: expected otp"):
        otp.Pool(otp.child(Worker, Site()), size=1, backoff=3)  # type: ignore[arg-type]


# -- the end of the pool ---------------------------------------------------------------------------


async def slow_end(_: object) -> None:
    """Take some time to end."""
    await trio.sleep(0.5)


async def test_a_pool_that_stops_tells_all_that_wait_at_once(
    autojump_clock: trio.abc.Clock,
) -> None:
    """Also while a worker takes its time to end; a block that runs is cancelled."""
    site = Site()
    async with clients(site, size=1) as who, otp.open_process():
        await who.come("a", "b", "c")
        ref = who.workers["a"].ref
        process_of(ref).instance.terminate = slow_end
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(otp.stop, "db", otp.SHUTDOWN)
            await trio.testing.wait_all_tasks_blocked()
            assert {"b", "c"} == {name for name, _ in who.errors}
            assert 0 == trio.current_time() - began
            with pytest.raises((otp.ServerExited, otp.NoProcess)):
                async with DB.checkout():
                    pass
        assert "a" == who.errors[2][0]
        for _, error in who.errors:
            assert isinstance(error, otp.ServerExited)
            assert otp.SHUTDOWN == error.reason
        assert "db" == who.errors[0][1].server


async def test_a_pool_that_is_killed_tells_all() -> None:
    """Its workers die of the link."""
    async with clients(size=1) as who:
        await who.come("a", "b")
        old = otp.whereis("db")
        otp.exit("db", otp.KILL)
        await trio.testing.wait_all_tasks_blocked()

        assert {"a", "b"} == {name for name, _ in who.errors}
        assert old is not otp.whereis("db")
        async with DB.checkout():
            assert (0, 1, 0) == lent()


async def test_a_pool_that_ends_takes_its_starts_back(autojump_clock: trio.abc.Clock) -> None:
    """Nothing is left, and no message arrives later."""
    site = Site()
    site.answering = trio.Event()
    async with clients(site, size=2) as who:
        await who.come("a", "b")
        assert 2 == DB.status().starting
        await otp.stop("db", otp.SHUTDOWN)

        assert {"a", "b"} == {name for name, _ in who.errors}
        assert 2 == site.started


async def test_a_block_outlives_the_pool_and_gives_back_to_nobody() -> None:
    """It is shielded, and the pool has been restarted by the time it is left."""
    async with clients(size=1):
        with pytest.raises(otp.ServerExited):  # noqa: PT012 - a block
            async with DB.checkout():
                with trio.CancelScope(shield=True):
                    await otp.stop("db", otp.SHUTDOWN)
                    await trio.testing.wait_all_tasks_blocked()
        assert (0, 0, 0) == lent()


async def test_a_pool_can_be_given_other_limits_while_it_runs(autojump_clock: Any) -> None:
    """By a change of code, as any supervisor."""

    class Growing(otp.Pool):
        most = 1

        def init(self) -> Any:
            worker = otp.child(Worker, Site())
            return otp.Pool(worker, size=self.most).init()

    async with (
        otp.open_supervisor(
            [otp.child(Growing, otp.child(Worker, Site()), size=1).having(name="db")]
        ),
        DB.checkout(),
    ):
        Growing.most = 2
        await otp.sys.suspend("db")
        await otp.sys.change_code("db")
        await otp.sys.resume("db")
        async with DB.checkout(timeout=0.5) as second:
            assert await second.who()


async def test_waiting_callers_get_the_room_a_pool_is_given(
    autojump_clock: trio.abc.Clock,
) -> None:
    """At once, as nothing else may happen for long; a worker that then is too many ends."""
    site = Site()

    class Growing(otp.Pool):
        most = 1

        def init(self) -> Any:
            worker = otp.child(Worker, site)
            return otp.Pool(worker, size=self.most, idle_timeout=1.0).init()

    async def resize(most: int) -> None:
        Growing.most = most
        await otp.sys.suspend("db")
        await otp.sys.change_code("db")
        await otp.sys.resume("db")

    child = otp.child(Growing, otp.child(Worker, site), size=1).having(name="db")
    async with otp.open_supervisor([child]), trio.open_nursery() as nursery:
        who = Clients(nursery)
        await who.come("first")
        await who.come("second")
        assert ["first"] == who.got
        await resize(2)
        await trio.testing.wait_all_tasks_blocked()
        assert ["first", "second"] == who.got
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await trio.sleep(5.0)
            assert (2, 0, 0) == lent()
            await resize(1)
            await trio.sleep(0.1)
            assert (1, 0, 0) == lent()
            await trio.sleep(10.0)
            assert 2 == site.started  # none comes back


async def test_nothing_is_kept_of_what_is_over(autojump_clock: trio.abc.Clock) -> None:
    """Neither of clients nor of workers."""
    async with clients(size=2, max_overflow=1, idle_timeout=0.0) as who:
        await who.come("a", "b", "c", "d")
        await who.cancel("d", "a")
        otp.exit(who.workers["b"].ref, "bye")
        await who.go("c")
        await trio.sleep(100.0)
        inside = lending()
        tasks = inside.process.runtime.plain_tasks

        assert ({}, {}, {}) == (dict(inside.core.waiting), inside.leases, inside.starts)
        assert set(inside.workers) == set(inside.core.workers) == set(inside.core._since)
        assert {} == tasks
        assert len(inside.workers) == len(inside.process.instance.loop.slots) == 2


def test_reports_say_what_the_workers_are(caplog: pytest.LogCaptureFixture) -> None:
    """The restart is what a pool does, whatever the worker's own option says."""
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        async with pool(size=1), DB.checkout():
            pass

    trio.run(main)
    assert [] == [record for record in caplog.records if record.levelno >= logging.WARNING]
