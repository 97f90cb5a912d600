"""A checkout that nobody could ever serve is refused at once; one that somebody can serve waits."""

from __future__ import annotations

import random
from typing import Any

import pytest
import trio
import trio.testing
from inside import AnyOf, is_stuck, process_of
from pool_kit import DB, Site, Worker, clients, lent, pool

import trio_otp as otp

OTHER = otp.pool("other", Worker)


class Node(otp.GenServer):
    """Runs given functions in its own task."""

    @otp.on_call(timeout=None, raises=(otp.DeadlockError,))
    async def do(self, function: Any, *args: Any) -> Any:
        return await function(*args)

    @otp.on_call
    def ping(self) -> str:
        return "pong"


async def hold(event: trio.Event, inside: Any = None) -> Any:
    """Check a worker out, and do something with it in hand until an event comes."""
    async with DB.checkout(timeout=None):
        result = None if inside is None else await inside()
        await event.wait()
        return result


async def check_out() -> str:
    """Check a worker out and give it back."""
    async with DB.checkout(timeout=None):
        return "had one"


async def test_one_that_has_all_of_them_and_wants_another_is_told() -> None:
    """A plain task, and a process; the error says who waits for whom."""
    async with pool(size=2), otp.open_process() as me:
        for who in (me, "task"):
            caught = None
            async with DB.checkout(), DB.checkout():
                try:
                    await check_out()
                except otp.DeadlockError as exc:
                    caught = exc
                assert (0, 2, 0) == lent()
            assert caught is not None
            if who is me:
                assert (me,) == caught.cycle
                assert f"deadlock: {me!r} -> {me!r}" == str(caught)
            assert (2, 0, 0) == lent()
            assert process_of(me).waits_for is None


async def test_one_that_has_one_may_wait_for_that_of_somebody_else() -> None:
    """As long as somebody else has one and waits for nobody."""
    async with clients(size=2) as who:
        await who.come("other")
        done = trio.Event()

        async def wants_two() -> None:
            async with DB.checkout(timeout=None), DB.checkout(timeout=None):
                done.set()

        who.nursery.start_soon(wants_two)
        await trio.testing.wait_all_tasks_blocked()
        assert (0, 2, 1) == lent()
        await who.go("other")
        assert done.is_set()


async def test_the_last_of_those_that_each_want_another_is_told() -> None:
    """Then the others get theirs, one after the other."""
    got: list[tuple[int, str]] = []

    async def wants_two(number: int) -> None:
        async with DB.checkout(timeout=None):
            await trio.testing.wait_all_tasks_blocked(0.001 * number)
            try:
                async with DB.checkout(timeout=None):
                    got.append((number, "two"))
            except otp.DeadlockError:
                got.append((number, "one"))

    async with pool(size=3):
        async with trio.open_nursery() as nursery:
            for number in (1, 2, 3):
                nursery.start_soon(wants_two, number)
        assert [(3, "one"), (1, "two"), (2, "two")] == got
        assert (3, 0, 0) == lent()


async def test_a_holder_that_calls_one_who_wants_what_it_has() -> None:
    """Whichever of the two waits first, the second is told."""
    async with pool(size=1), otp.open_process():
        one = Node.at(await otp.start(otp.child(Node)))
        two = Node.at(await otp.start(otp.child(Node)))

        async def call_two() -> Any:
            return await two.do(check_out)

        always = trio.Event()
        always.set()
        with pytest.raises(otp.DeadlockError) as caught:
            await one.do(hold, always, call_two)
        assert {one.ref, two.ref} == set(caught.value.cycle)

        waits = trio.Event()

        async def call_two_later() -> Any:
            await waits.wait()
            return await two.ping()

        async with trio.open_nursery() as nursery:
            answers: list[Any] = []

            async def ask_one() -> None:
                try:
                    answers.append(await one.do(hold, always, call_two_later))
                except otp.DeadlockError as exc:
                    answers.append(exc.cycle)

            nursery.start_soon(ask_one)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(two.do, check_out)
            await trio.testing.wait_all_tasks_blocked()
            assert otp.whereis("db") is otp.process_info(two.ref).waits_for
            waits.set()
        assert [{one.ref, two.ref}] == [set(cycle) for cycle in answers]


async def test_a_plain_task_with_a_worker_that_calls_one_who_wants_it() -> None:
    """As a process, whichever of the two waits first; without the worker it is in no circle."""
    async with pool(size=1), otp.open_supervisor([otp.child(Node).having(name="node")]):
        node = Node.at("node")
        async with DB.checkout():
            with pytest.raises(otp.DeadlockError) as caught:
                await node.do(check_out)
            assert otp.whereis("node") in caught.value.cycle
            assert "<task " in str(caught.value)
            assert (0, 1, 0) == lent()

        async with trio.open_nursery() as nursery, DB.checkout():
            nursery.start_soon(node.do, check_out)
            await trio.testing.wait_all_tasks_blocked()
            assert (0, 1, 1) == lent()
            with pytest.raises(otp.DeadlockError):
                await node.ping()
        assert "had one" == await node.do(check_out)


async def test_a_plain_task_with_a_worker_that_waits_for_room(
    autojump_clock: trio.abc.Clock,
) -> None:
    """It waits as a caller does."""
    child = otp.child(Node).having(name="node", mailbox=otp.BoundedMailbox(1, on_full="wait"))
    async with pool(size=1), otp.open_supervisor([child]), trio.open_nursery() as nursery:
        node = Node.at("node")
        async with DB.checkout():
            nursery.start_soon(node.do, check_out)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(node.ping)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(otp.DeadlockError):
                await otp.cast_wait("node", "x")
            await trio.sleep(1.0)
            assert (0, 1, 1) == lent()


async def test_a_circle_is_none_if_somebody_else_has_a_worker() -> None:
    """The call waits for a process that waits for the pool, and is answered in the end."""
    async with clients(size=2) as who, otp.open_process():
        await who.come("other")
        one = Node.at(await otp.start(otp.child(Node)))
        two = Node.at(await otp.start(otp.child(Node)))
        always = trio.Event()
        always.set()

        async def call_two() -> Any:
            return await two.do(check_out)

        answers: list[Any] = []

        async def ask_one() -> None:
            answers.append(await one.do(hold, always, call_two))

        who.nursery.start_soon(ask_one)
        await trio.testing.wait_all_tasks_blocked()
        assert (0, 2, 1) == lent()
        await who.go("other")
        assert ["had one"] == answers


async def test_a_holder_may_call_one_who_waits_if_another_one_can_give_back() -> None:
    """The waiting process gets a worker first, and then answers."""
    async with clients(size=2) as who, otp.open_process():
        await who.come("other")
        one = Node.at(await otp.start(otp.child(Node)))
        two = Node.at(await otp.start(otp.child(Node)))
        goes_on, always = trio.Event(), trio.Event()
        always.set()
        answers: list[Any] = []

        async def ping_two() -> Any:
            await goes_on.wait()
            return await two.ping()

        async def ask_one() -> None:
            answers.append(await one.do(hold, always, ping_two))

        who.nursery.start_soon(ask_one)
        await trio.testing.wait_all_tasks_blocked()
        who.nursery.start_soon(two.do, check_out)
        await trio.testing.wait_all_tasks_blocked()
        goes_on.set()
        await trio.testing.wait_all_tasks_blocked()
        assert ([], (0, 2, 1)) == (answers, lent())

        await who.go("other")
        assert ["pong"] == answers


async def test_two_pools_that_wait_for_each_other() -> None:
    """Each task has a worker of one and wants one of the other."""
    other = otp.child(otp.Pool, otp.child(Worker, Site()), size=1).having(name="other")
    results: list[Any] = []

    async def both(first: Any, second: Any) -> None:
        async with first.checkout(timeout=None):
            await trio.testing.wait_all_tasks_blocked()
            try:
                async with second.checkout(timeout=None):
                    results.append("both")
            except otp.DeadlockError as exc:
                results.append(len(exc.cycle))

    async with pool(size=1), otp.open_supervisor([other]), trio.open_nursery() as nursery:
        nursery.start_soon(both, DB, OTHER)
        nursery.start_soon(both, OTHER, DB)
    assert [2, "both"] == results


async def test_a_worker_that_will_be_started_is_no_circle(autojump_clock: trio.abc.Clock) -> None:
    """A back-off that is not over keeps nobody waiting for ever."""
    async with pool(size=2, backoff=otp.Backoff(min_delay=3.0, jitter=0)), DB.checkout():
        with pytest.raises(otp.ServerExited):  # noqa: PT012 - a block
            async with DB.checkout() as worker:
                otp.exit(worker.ref, "bye")
                await trio.sleep_forever()
        assert "had one" == await check_out()


async def wait_for_one(event: trio.Event) -> str:
    """Want a worker once an event has come."""
    await event.wait()
    return await check_out()


@pytest.mark.parametrize("limit", [3.0, None])
async def test_a_busy_worker_that_is_stopped_after_a_while_is_no_circle(
    limit: float | None, autojump_clock: trio.abc.Clock
) -> None:
    """Its last client has gone; it waits for the client that now waits for it, but not for long."""
    event = trio.Event()
    async with (
        otp.open_supervisor([otp.child(Node).having(name="node")]),
        pool(size=1, busy_timeout=limit),
        trio.open_nursery() as nursery,
    ):
        async with DB.checkout() as worker:
            nursery.start_soon(be_told, limit, event)
            await trio.testing.wait_all_tasks_blocked()
            with trio.move_on_after(0.1):
                await worker.do(Node.at("node").ping)
        assert 1 == DB.status().finishing
        event.set()


async def be_told(limit: float | None, event: trio.Event) -> None:
    """Get a worker when the busy one is stopped; if it never is, be told at once."""
    if limit is not None:
        assert "had one" == await Node.at("node").do(wait_for_one, event)
        assert 3.1 == pytest.approx(trio.current_time())
    else:
        with pytest.raises(otp.DeadlockError):
            await Node.at("node").do(wait_for_one, event)
        assert 0.1 == pytest.approx(trio.current_time())


class Greedy(Worker):
    """Needs another worker to start."""

    async def init(self) -> Any:
        await super().init()
        async with DB.checkout(timeout=None):
            pass


async def test_a_worker_that_needs_another_one_to_start(autojump_clock: trio.abc.Clock) -> None:
    """It cannot have it if it is the only one; its start fails, and says so."""
    child = otp.child(otp.Pool, otp.child(Greedy, Site()), size=1).having(name="db")
    async with otp.open_supervisor([child]):
        with pytest.raises(otp.CheckoutTimeout) as caught:
            async with DB.checkout(timeout=0.1):
                pass
        cause = caught.value.__cause__
        assert isinstance(cause, otp.StartError)
        assert isinstance(cause.reason, otp.DeadlockError)


async def test_a_holder_that_is_being_stopped_will_give_back(
    autojump_clock: trio.abc.Clock,
) -> None:
    """A process that waits for its end may be waited for."""
    async with pool(size=1), otp.open_process():
        sup = await otp.start_link(otp.child(otp.DynamicSupervisor))
        pid = await otp.start_child(sup, otp.child(hold, trio.Event()))
        await trio.testing.wait_all_tasks_blocked()
        assert (0, 1, 0) == lent()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(check_out)
            await trio.testing.wait_all_tasks_blocked()
            await otp.terminate_child(sup, pid)


async def test_tasks_of_one_process_wait_for_each_other() -> None:
    """A helper task is not the process itself; one of them may give back while another waits."""
    async with pool(size=1), otp.open_process(), trio.open_nursery() as nursery:
        event = trio.Event()
        nursery.start_soon(hold, event)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(check_out)
        await trio.testing.wait_all_tasks_blocked()
        assert (0, 1, 1) == lent()
        event.set()


# -- the search ------------------------------------------------------------------------------------


class Waiting:
    """A node that may wait."""

    def __init__(self) -> None:
        self.waits_for: Any = None


class Choice(AnyOf):
    """A wait for any one of some nodes."""

    def __init__(self, *nodes: Any) -> None:
        self.nodes = nodes

    @property
    def process(self) -> Any:
        raise AssertionError

    def givers(self) -> Any:
        return self.nodes


def by_hand(nodes: list[Any], waiter: Any) -> bool:
    """Check whether a waiter is stuck, by releasing all that can go on until none can."""
    waits = {id(node): node.waits_for for node in nodes}

    def goes_on(wait: Any) -> bool:
        if isinstance(wait, Choice):
            return any(waits[id(node)] is None for node in wait.nodes) or not wait.nodes
        return waits[id(wait)] is None

    changed = True
    while changed:
        changed = False
        for node in nodes:
            if waits[id(node)] is not None and goes_on(waits[id(node)]):
                waits[id(node)] = None
                changed = True
    return waits[id(waiter)] is not None


def test_the_search_finds_what_a_game_finds() -> None:
    """In thousands of random wait-for graphs, each without a circle before."""
    chance = random.Random(7)
    refused = 0
    for _ in range(3000):
        nodes = [Waiting() for _ in range(6)]
        for node in chance.sample(nodes, 6):
            others = chance.sample(nodes, chance.randint(1, 3))
            wait = Choice(*others) if chance.random() < 0.6 else others[0]
            if wait is node:
                continue
            stuck = is_stuck(node, wait)
            node.waits_for = wait
            assert stuck is by_hand(nodes, node)
            if stuck:
                node.waits_for = None
                refused += 1
    assert refused > 300


def test_a_client_of_a_large_pool_does_not_look_at_all_its_holders() -> None:
    """One that goes on is enough; each client that waits would look at each holder."""
    looked_at: list[Waiting] = []

    class Holding(Waiting):
        @property
        def waits_for(self) -> Any:
            looked_at.append(self)
            return worker

        @waits_for.setter
        def waits_for(self, _: Any) -> None: ...

    worker = Waiting()
    assert not is_stuck(Waiting(), Choice(*(Holding() for _ in range(1000))))
    assert 1 == len(looked_at)


def test_a_circle_of_ends_is_not_permanent() -> None:
    """Such a wait ends, by a limit at the latest; what waits for those in it is not stuck."""
    a, b, c = (Waiting() for _ in range(3))
    a.waits_for, b.waits_for = {b: None}, a

    assert not is_stuck(c, a)
    assert not is_stuck(c, Choice(a, b))
    b.waits_for = c
    assert is_stuck(c, a)
    assert is_stuck(c, Choice(a, b))
