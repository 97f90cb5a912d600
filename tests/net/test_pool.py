"""A pool lends workers: in order, to one client at a time, and has each back."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import trio
import trio.testing
from inside import process_of
from pool_kit import DB, Site, Worker, clients, lent, pool

import trio_otp as otp


async def test_a_block_has_a_typed_client() -> None:
    """It serves in plain Trio code and in processes, and the same worker is lent again."""
    async with pool():
        async with DB.checkout(timeout=1.0) as worker:
            assert 1 == await worker.who()
            assert (0, 1, 0) == lent()
        async with otp.open_process(), DB.checkout() as worker:
            assert 1 == await worker.who()
        assert (1, 0, 0) == lent()


async def test_a_pool_of_any_processes_lends_pids() -> None:
    """Workers need not be servers with typed methods."""

    async def echo() -> None:
        while True:
            sender, message = await otp.receive()
            otp.send(sender, message)

    child = otp.child(otp.Pool, otp.child(echo), size=1).having(name="echoes")
    echoes = otp.pool("echoes")
    async with otp.open_supervisor([child]), otp.open_process() as me:
        async with echoes.checkout() as pid:
            otp.send(pid, (me, "hello"))
            assert "hello" == await otp.receive()
        with pytest.raises(otp.WrongServer, match="a Worker of a pool"):
            async with otp.pool("echoes", Worker).checkout():
                pass


async def test_workers_start_when_they_are_needed() -> None:
    """First those that stay, then in need those that are too many; never more than that."""
    async with clients(size=2, max_overflow=1) as who:
        assert 0 == DB.status().starting + DB.status().idle
        await who.come("a")
        assert (0, 1, 0) == lent()
        await who.go("a")
        await who.come("b", "c", "d", "e")

        assert (0, 3, 1) == lent()
        assert ["a", "b", "c", "d"] == who.got
        assert 3 == len({worker.ref for worker in who.workers.values()})


async def test_first_come_first_served() -> None:
    """Processes and plain tasks stand in one line."""
    async with clients(size=1) as who:
        await who.come("holder", *range(3))

        async def process() -> None:
            async with DB.checkout(timeout=None):
                who.got.append("process")

        async with otp.open_process():
            otp.spawn(process)
            await trio.testing.wait_all_tasks_blocked()
            await who.come(3, 4)
            await who.go("holder", *range(5))

        assert ["holder", 0, 1, 2, "process", 3, 4] == who.got
        assert (1, 0, 0) == lent()


async def test_a_worker_that_is_given_back_is_the_next_ones_at_once() -> None:
    """A client that asks at that moment does not overtake those that wait."""
    async with clients(size=1) as who:
        await who.come("a", "b")
        who.doors["a"].set()
        await who.come("c")

        assert ["a", "b"] == who.got


async def test_a_cancelled_client_gives_its_worker_back() -> None:
    """One that waits leaves the line."""
    async with clients(size=1) as who:
        await who.come("a", "b", "c")
        await who.cancel("a", "b")

        assert ["a", "c"] == who.got
        assert (0, 1, 0) == lent()
        await who.cancel("c")
        assert (1, 0, 0) == lent()


async def test_a_client_that_is_cancelled_as_it_gets_a_worker_gives_it_back() -> None:
    """It has been woken with the worker and has not run yet."""
    async with clients(size=1) as who:
        async with DB.checkout():
            await who.come("b", "c")
        assert (0, 1, 1) == lent()
        await who.cancel("b")

        assert ["b", "c"] == who.got
        assert (0, 1, 0) == lent()


@pytest.mark.parametrize("reason", [otp.KILL, "signal"], ids=str)
async def test_a_process_that_dies_gives_its_worker_back(reason: object) -> None:
    """Also one that waits is out of the line."""
    async with clients(size=1) as who, otp.open_process():

        async def hold() -> None:
            async with DB.checkout(timeout=None):
                await trio.sleep_forever()

        holder, waiter = otp.spawn(hold), otp.spawn(hold)
        await trio.testing.wait_all_tasks_blocked()
        await who.come("next")
        assert (0, 1, 2) == lent()

        otp.exit(waiter, reason)
        otp.exit(holder, reason)
        await trio.testing.wait_all_tasks_blocked()

        assert ["next"] == who.got
        assert (0, 1, 0) == lent()


async def test_a_worker_that_dies_cancels_the_block(autojump_clock: trio.abc.Clock) -> None:
    """What leaves is ServerExited, bare, with the crash as its cause; another worker is started."""
    async with pool(size=1):
        with pytest.raises(otp.ServerExited) as caught:  # noqa: PT012 - a block
            async with DB.checkout() as worker:
                worker.crash()
                await trio.sleep_forever()

        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert caught.value.__context__ is None
        assert worker.ref is caught.value.server
        async with DB.checkout() as worker:
            assert 2 == await worker.who()


async def test_a_block_with_a_nursery_is_left_by_a_bare_error() -> None:
    """Trio's groups are unwrapped."""
    async with pool(size=1):
        with pytest.raises(otp.ServerExited):  # noqa: PT012 - a block
            async with DB.checkout() as worker, trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                nursery.start_soon(trio.sleep_forever)
                otp.exit(worker.ref, otp.KILL)


async def test_a_block_that_does_not_notice_is_told_when_it_is_left() -> None:
    """What it has cast was for nobody."""
    async with pool(size=1):
        with pytest.raises(otp.ServerExited):  # noqa: PT012 - a block
            async with DB.checkout() as worker:
                otp.exit(worker.ref, otp.KILL)
                worker.answer()


async def test_what_the_body_raises_leaves_as_it_is() -> None:
    """The end of the worker is its context."""
    async with pool(size=1):
        with pytest.raises(ZeroDivisionError):
            async with DB.checkout():
                raise ZeroDivisionError
        assert (1, 0, 0) == lent()
        with pytest.raises(KeyError) as caught:  # noqa: PT012 - a block
            async with DB.checkout() as worker:
                worker.crash()
                try:
                    await trio.sleep_forever()
                finally:
                    raise KeyError
        assert isinstance(caught.value.__context__, otp.ServerExited | trio.Cancelled)


async def test_a_call_that_meets_the_end_of_the_worker_is_not_told_twice() -> None:
    """Its error is the one that leaves."""
    async with pool(size=1):
        with pytest.raises(otp.ServerExited) as caught:  # noqa: PT012 - a block
            async with DB.checkout() as worker:
                worker.crash()
                await worker.who()

        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert caught.value.message is not None
        assert caught.value.__context__ is None


async def test_a_cancellation_from_outside_is_no_error_of_the_pool() -> None:
    """Though the worker dies at the same time."""
    async with pool(size=1):
        with trio.CancelScope() as scope:
            async with DB.checkout() as worker:
                otp.exit(worker.ref, otp.KILL)
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught


async def test_no_dead_worker_is_lent(autojump_clock: trio.abc.Clock) -> None:
    """Nor one that is about to die."""
    async with clients(size=3) as who:
        await who.come("a", "b", "c")
        await who.go("a", "b", "c")
        dead, dying, alive = (who.workers[name].ref for name in "abc")
        otp.exit(dead, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        assert not otp.is_alive(dead)
        otp.exit(alive, "bye")  # it has not heard of it
        otp.exit(dying, "bye")

        async with DB.checkout() as worker:
            assert worker.ref not in {dead, dying, alive}
            assert 4 <= await worker.who()


async def test_a_caller_gets_another_worker_for_one_that_dies_before_it_runs(
    autojump_clock: trio.abc.Clock,
) -> None:
    """And does not lose its turn."""
    async with clients(size=1) as who:
        async with DB.checkout() as worker:
            await who.come("b", "c")
        assert (0, 1, 1) == lent()
        otp.exit(worker.ref, "bye")
        await trio.testing.wait_all_tasks_blocked()
        assert ([], (0, 0, 2)) == (who.got, lent())

        await trio.sleep(1.0)
        assert (["b"], (0, 1, 1)) == (who.got, lent())


async def test_a_client_serves_no_longer_than_its_block() -> None:
    """It could otherwise send to a worker that is lent to another client."""
    async with pool(size=1):
        async with DB.checkout() as worker:
            assert await worker.who() == await pickle.loads(pickle.dumps(worker)).who()
        for use in (lambda: worker.who, lambda: worker.crash):
            with pytest.raises(otp.NoProcess, match="was given back: the block of the checkout"):
                use()
        with pytest.raises(otp.NoProcess, match="was given back"):
            pickle.dumps(worker)
        assert repr(worker).endswith(", given back>")


async def test_a_wait_is_limited(autojump_clock: trio.abc.Clock) -> None:
    """By five seconds, unless it is told otherwise; the error says what the workers do."""
    async with clients(size=1) as who:
        await who.come("holder")
        began = trio.current_time()
        text = r"no worker of 'db' was free within 5 s; 1 lent, <task .*> has had one for 5 s"
        with pytest.raises(otp.CheckoutTimeout, match=text) as caught:
            async with DB.checkout():
                pass
        assert 5.0 == trio.current_time() - began == caught.value.elapsed
        assert isinstance(caught.value, otp.TimedOut | trio.TooSlowError)
        assert caught.value.server == "db"
        with pytest.raises(otp.CheckoutTimeout):
            async with DB.checkout(timeout=0.25):
                pass
        assert 5.25 == trio.current_time() - began
        assert (2, (0, 1, 0)) == (DB.status().timeouts, lent())


async def test_now_or_not() -> None:
    """A time-out of 0 takes what is free and waits for nothing, not even for itself."""
    async with clients(size=1) as who:
        with pytest.raises(otp.CheckoutTimeout):
            async with DB.checkout(timeout=0):
                pass
        await trio.testing.wait_all_tasks_blocked()
        async with DB.checkout(timeout=0) as worker:
            assert 1 == await worker.who()
            with pytest.raises(otp.CheckoutTimeout):
                async with DB.checkout(timeout=0):
                    pass
        await who.come("a")
        assert ["a"] == who.got


async def test_an_overflow_ends_when_it_is_idle(autojump_clock: trio.abc.Clock) -> None:
    """The ones that were used last stay."""
    async with clients(size=1, max_overflow=2, idle_timeout=10.0) as who:
        await who.come("a", "b", "c")
        pids = [who.workers[name].ref for name in "abc"]
        await who.go("a")
        await trio.sleep(9.0)
        await who.go("b", "c")
        await trio.sleep(2.0)
        assert [False, True, True] == [otp.is_alive(pid) for pid in pids]
        await trio.sleep(9.0)
        assert [False, False, True] == [otp.is_alive(pid) for pid in pids]
        await trio.sleep(1000.0)
        assert (1, 0, 0) == lent()


async def test_a_slow_start_keeps_nobody_else_waiting() -> None:
    """Neither those that can be served otherwise, nor other starts."""
    async with clients(size=3) as who:
        await who.come("a")
        site = process_of(who.workers["a"].ref).instance.site
        site.answering = trio.Event()
        await who.come("b", "c", "d")
        assert (2, 3) == (DB.status().starting, DB.status().waiting)
        await who.go("a")
        assert ["a", "b"] == who.got
        site.answering.set()
        await trio.testing.wait_all_tasks_blocked()

        assert ["a", "b"] == who.got[:2]
        assert {"c", "d"} == set(who.got[2:])


async def test_a_pool_is_a_supervisor_of_its_workers() -> None:
    """It says what it is made of, and a worker can be ended by hand."""
    async with pool(size=2):
        async with DB.checkout() as one, DB.checkout():
            children = await otp.which_children("db")
            assert {one.ref} < {info.pid for info in children}
            assert otp.process_info(one.ref).supervisor is otp.whereis("db")
            assert "Pool" in str(otp.tree())
        assert 2 == (await otp.count_children("db")).active
        await otp.terminate_child("db", children[0].pid)
        assert (1, 0, 0) == lent()
        with pytest.raises(otp.WrongServer, match="start_child"):
            await otp.start_child("db", otp.child(Worker, Site()))
        status = await otp.sys.get_status("db")
        assert 1 == status.state["pool"].idle


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"size": 0}, "size=0: expected a whole number >= 1"),
        ({"size": True}, "size=True: expected a whole number >= 1"),
        ({"max_overflow": -1}, "max_overflow=-1: expected a whole number >= 0"),
        ({"idle_timeout": -1}, "idle_timeout=-1: expected a number of seconds >= 0, or None"),
        ({"busy_timeout": "x"}, "busy_timeout='x': expected a number of seconds >= 0, or None"),
    ],
)
async def test_what_is_not_accepted_is_named(options: dict[str, Any], text: str) -> None:
    """The pool does not start."""
    with pytest.raises(otp.StartError) as caught:
        async with pool(**options):
            pass
    assert text in str(caught.value)


@pytest.mark.parametrize("option", [{"name": "one"}, {"significant": True}], ids=str)
def test_a_worker_with_a_name_is_refused(option: Any) -> None:
    """There are several of them."""
    with pytest.raises(otp.SpecError, match=r"having\(name=None\)|no significant children"):
        otp.Pool(otp.child(Worker, Site()).having(**option), size=1)


@pytest.mark.parametrize("handle", [DB, otp.pool("echoes")])
def test_a_handle_can_be_copied_and_pickled(handle: otp.PoolHandle[Any]) -> None:
    """It is a name, and what it lends."""
    for copied in (copy.deepcopy(handle), pickle.loads(pickle.dumps(handle))):
        assert (handle.name, handle.worker) == (copied.name, copied.worker)
        assert handle == copied


async def test_a_handle_that_leads_nowhere() -> None:
    """What is wrong is said where it is used."""
    with pytest.raises(TypeError, match="expected a GenServer class"):
        otp.pool("db", int)  # type: ignore[type-var]
    with pytest.raises(otp.NoProcess):
        async with DB.checkout():
            pass
    with pytest.raises(otp.NoProcess):
        DB.status()
    async with otp.open_supervisor([otp.child(Worker, Site()).having(name="db")]):
        with pytest.raises(otp.WrongServer):
            DB.status()
    async with pool():
        with pytest.raises(ValueError, match="timeout=-1"):
            async with DB.checkout(timeout=-1):
                pass
        with pytest.raises(TypeError, match=r"write async with DB\.checkout\(\) as conn"):
            await DB.checkout()  # type: ignore[misc]
