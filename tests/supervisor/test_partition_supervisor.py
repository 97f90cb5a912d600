"""PartitionSupervisor: routing by key, restarts, sizes, and what is refused."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
import trio
import trio.testing
from depth import few
from hypothesis import given, settings
from inside import process_of
from supervision_kit import Boom

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

SHOP = otp.partitions("shop")
FAILING: set[int] = set()  # numbers of partitions whose init fails


class Till(otp.GenServer):
    """A server that knows its number."""

    def __init__(self, name: str = "till", number: int = -1) -> None:
        self.name = name
        self.number = number

    def init(self) -> otp.Stop | None:
        return otp.Stop("bad") if self.number in FAILING else None

    @otp.on_call
    def who(self) -> tuple[str, int]:
        return self.name, self.number

    @otp.on_call
    async def sleep(self, seconds: float) -> int:
        await trio.sleep(seconds)
        return self.number

    def handle_cast(self, message: Any) -> otp.Stop | None:
        if message == "boom":
            raise Boom("cast")
        return None


def till(number: int) -> otp.Child[Till]:
    return otp.child(Till, "till", number)


@asynccontextmanager
async def running(partitions: int = 3, child: Any = till, **options: Any) -> AsyncGenerator[None]:
    """Run a partition supervisor of the name `shop`."""
    FAILING.clear()
    shop = otp.child(otp.PartitionSupervisor, child, partitions=partitions, **options)
    async with otp.open_supervisor([shop.having(name="shop")]), otp.open_process():
        yield


def pid_of(name: str) -> otp.Pid[Any]:
    pid = otp.whereis(name)
    assert pid is not None
    return pid


async def number_of(key: Any) -> int:
    return (await Till.at(SHOP.via(key)).who())[1]


# -- routing ---------------------------------------------------------------------------------------


async def test_each_partition_has_its_number() -> None:
    """Children are numbered from 0, and whole numbers lead to them by their remainder."""
    async with running():
        assert [0, 1, 2, 0, 1, 1, 2] == [await number_of(key) for key in (0, 1, 2, 3, 4, -1, -2)]
        assert [0, 1, 2] == [info.id for info in await otp.which_children("shop")]
        assert otp.child(Till).spec.type == "worker"
        assert 3 == SHOP.count() == (await otp.count_children("shop")).active


async def test_equal_keys_meet_the_same_process() -> None:
    """The handle tells which; text, tuples and pids are keys."""
    async with running(8) as _:
        for key in ("ada", ("user", 7), 1.5, None, otp.self(), Till):
            pid = otp.whereis(SHOP.via(key))
            assert pid is not None
            assert pid is otp.whereis(SHOP.via(key))
            assert SHOP.partition_of(key) == await number_of(key)


async def test_the_forms_of_a_reference() -> None:
    """The name, a pid, and the class with a pair as in Elixir lead to the same partition."""
    async with running():
        pid = otp.whereis(SHOP.via("ada"))
        shop = otp.whereis("shop")
        assert shop is not None

        assert ("via", "shop", "ada") == SHOP.via("ada")
        assert pid is otp.whereis(("via", "shop", "ada"))
        assert pid is otp.whereis(otp.partitions(shop).via("ada"))
        assert pid is otp.whereis(("via", otp.PartitionSupervisor, ("shop", "ada")))
        assert None is otp.whereis(("via", otp.PartitionSupervisor, ("nobody", "ada")))
        for pair in ("shop", ("shop",), ["shop", 1]):
            with pytest.raises(TypeError, match="expected the name of a partition supervisor"):
                otp.whereis(("via", otp.PartitionSupervisor, pair))


async def test_casts_and_messages_take_the_same_way() -> None:
    """`cast` and `send` reach the partition of the key, so do the functions of the protocol."""
    got: list[tuple[int, Any]] = []

    class Ear(Till):
        def handle_cast(self, message: Any) -> None:
            got.append((self.number, message))

        def handle_info(self, message: Any) -> None:
            got.append((self.number, message))

    async with running(child=lambda number: otp.child(Ear, "ear", number)):
        otp.cast(SHOP.via(1), "cast")
        otp.send(SHOP.via(2), "message")
        otp.PartitionSupervisor.via_module.send(("shop", 0), "pair")
        process_of(pid_of("shop")).instance.send(0, "as a module")
        await trio.testing.wait_all_tasks_blocked()

        assert [(0, "as a module"), (0, "pair"), (1, "cast"), (2, "message")] == sorted(got)


async def test_partitions_work_beside_each_other(autojump_clock: Any) -> None:
    """While one waits the others answer; calls of one key are handled in order."""
    async with running(), trio.open_nursery() as nursery:
        began = trio.current_time()
        for key in range(3):
            nursery.start_soon(Till.at(SHOP.via(key)).sleep, 2)
        await trio.testing.wait_all_tasks_blocked()
        await Till.at(SHOP.via(1)).sleep(2)
        assert 4 == trio.current_time() - began


# -- what each partition is started with -----------------------------------------------------------


async def test_arguments_by_partition() -> None:
    """`with_arguments` gets the arguments of the child and a number, and gives others."""
    seen: list[tuple[Any, int]] = []

    def arguments(given: tuple[Any, ...], number: int) -> list[Any]:
        seen.append((given, number))
        return [*given, number * 10]

    async with running(child=otp.child(Till, "shop"), with_arguments=arguments):
        assert [("shop", 0), ("shop", 10), ("shop", 20)] == [
            await Till.at(SHOP.via(key)).who() for key in range(3)
        ]
    assert [(("shop",), 0), (("shop",), 1), (("shop",), 2)] == seen


async def test_a_bare_class_and_a_function_are_children_too() -> None:
    """Options of the child hold for each of them."""
    ran: list[int] = []

    async def clerk(number: int) -> None:
        ran.append(number)
        await trio.sleep_forever()

    async with running(child=Till):
        assert ("till", -1) == await Till.at(SHOP.via(2)).who()
    child = lambda number: otp.child(clerk, number).having(restart="transient")  # noqa: E731
    async with running(child=child):
        await trio.testing.wait_all_tasks_blocked()
        assert [0, 1, 2] == sorted(ran)
        assert "transient" == (await otp.get_childspec("shop", 1)).restart


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"child": Till, "partitions": 0}, "partitions=0: expected a whole number > 0"),
        ({"child": Till, "partitions": 1.5}, "partitions=1.5: expected a whole number > 0"),
        ({"child": Till, "partitions": True}, "partitions=True: expected a whole number > 0"),
        ({"child": "till", "partitions": 1}, "'till' is not a child"),
        ({"child": till(0).having(name="till"), "partitions": 1}, "has no name of its own"),
        (
            {"child": till(0).having(significant=True, restart="transient"), "partitions": 1},
            "has no significant children",
        ),
        ({"child": trio.sleep, "partitions": 1}, "sleep: missing a required argument: 'seconds'"),
        (
            {"child": Till, "partitions": 1, "with_arguments": lambda args, number: number},
            "with_arguments returned 0; expected a list or tuple",
        ),
        (
            {"child": Till, "partitions": 1, "with_arguments": lambda args, number: [1, 2, 3]},
            "too many positional arguments",
        ),
        ({"child": Till, "partitions": 1, "strategy": "all"}, "strategy='all': expected"),
    ],
)
async def test_what_makes_no_sense_fails_the_start(arguments: dict[str, Any], error: str) -> None:
    """The cause says what is accepted, and nothing is left running."""
    async with otp.open_process():
        with pytest.raises(otp.StartError) as caught:
            await otp.start(otp.child(otp.PartitionSupervisor, **arguments))
        assert 1 == otp.process_count()

    with pytest.raises(Exception, match=error):
        raise caught.value.reason  # type: ignore[misc]


async def test_a_partition_that_does_not_start_fails_all() -> None:
    """Those before it are stopped again, and the reason names its number."""
    async with otp.open_process():
        FAILING.clear()
        FAILING.add(1)
        with pytest.raises(otp.StartError) as caught:
            await otp.start(otp.child(otp.PartitionSupervisor, till, partitions=3))

        match caught.value.reason:
            case otp.Shutdown(otp.FailedToStartChild() as failed):
                assert (1, "bad") == (failed.child_id, failed.reason)
            case reason:
                raise AssertionError(reason)
        assert 1 == otp.process_count()


# -- restarts --------------------------------------------------------------------------------------


async def test_a_restarted_partition_is_found_again() -> None:
    """The same key leads to the new process, and the others were not touched."""
    async with running():
        before = [otp.whereis(SHOP.via(key)) for key in range(3)]
        otp.exit(SHOP.via(1), otp.KILL)
        assert None is otp.whereis(SHOP.via(1))
        with pytest.raises(otp.NoProcess):
            await otp.call(SHOP.via(1), "while it is down")
        await trio.testing.wait_all_tasks_blocked()

        after = [otp.whereis(SHOP.via(key)) for key in range(3)]
        assert [True, False, True] == [a is b for a, b in zip(before, after, strict=True)]
        assert 1 == await number_of(1)


async def test_strategies_are_those_of_a_supervisor() -> None:
    """With one_for_all the end of one restarts every partition, with fresh names."""
    async with running(strategy="one_for_all"):
        before = {otp.whereis(SHOP.via(key)) for key in range(3)}
        otp.cast(SHOP.via(1), "boom")
        await trio.testing.wait_all_tasks_blocked()

        after = {otp.whereis(SHOP.via(key)) for key in range(3)}
        assert 6 == len(before | after)
        assert [0, 1, 2] == [await number_of(key) for key in range(3)]


async def test_too_many_restarts_end_it() -> None:
    """As a supervisor it gives up; its keys are nobody's until its own supervisor restarts it."""
    async with running(max_restarts=1):
        first = otp.whereis("shop")
        for _ in range(2):
            otp.exit(SHOP.via(1), otp.KILL)
            await trio.testing.wait_all_tasks_blocked()

        assert first is not otp.whereis("shop")
        assert [0, 1, 2] == [await number_of(key) for key in range(3)]


# -- sizes -----------------------------------------------------------------------------------------


async def test_fewer_partitions() -> None:
    """Keys are spread over those that are left; the others are stopped, and known still."""
    async with running(4):
        assert 4 == await SHOP.resize(2)

        assert 2 == SHOP.count()
        assert [0, 1, 0, 1] == [await number_of(key) for key in range(4)]
        counts = await otp.count_children("shop")
        assert (4, 2) == (counts.specs, counts.active)
        assert ["running", "running", "undefined", "undefined"] == [
            info.status for info in await otp.which_children("shop")
        ]


async def test_more_partitions_again() -> None:
    """They come back up to the first number, each with its own."""
    async with running(4):
        await SHOP.resize(1)
        assert 1 == await SHOP.resize(3)
        assert [0, 1, 2, 0] == [await number_of(key) for key in range(4)]
        assert 3 == await SHOP.resize(3)

        with pytest.raises(ValueError, match="expected a whole number from 0 to 4"):
            await SHOP.resize(5)
        assert 3 == SHOP.count()
        assert 3 == await SHOP.resize(4)
        assert 3 == await number_of(3)


async def test_temporary_partitions_come_back_too() -> None:
    """A temporary child that has ended is forgotten; growing starts its partition anew."""
    child = lambda number: till(number).having(restart="temporary")  # noqa: E731
    async with running(child=child):
        otp.exit(otp.whereis(SHOP.via(2)), otp.KILL)  # type: ignore[arg-type]
        await trio.testing.wait_all_tasks_blocked()
        assert otp.whereis(SHOP.via(2)) is None
        assert 3 == await SHOP.resize(1)
        assert 1 == await SHOP.resize(3)
        assert [0, 1, 2] == [await number_of(key) for key in range(3)]


async def test_no_partition_at_all() -> None:
    """Then no key leads anywhere, and the error says why."""
    async with running():
        await SHOP.resize(0)

        for use in (lambda: otp.whereis(SHOP.via(1)), lambda: SHOP.partition_of(1)):
            with pytest.raises(ValueError, match="has 0 partitions"):
                use()
        with pytest.raises(ValueError, match="has 0 partitions"):
            await otp.call(SHOP.via(1), "hello")
        assert 0 == await SHOP.resize(3)
        assert 2 == await number_of(2)


async def test_routing_shrinks_before_partitions_end(autojump_clock: Any) -> None:
    """While one of them takes its time to end, its keys are elsewhere already."""

    class Slow(Till):
        async def terminate(self, reason: object) -> None:
            await trio.sleep(2)

    child = lambda number: otp.child(Slow, "slow", number)  # noqa: E731
    async with running(child=child), trio.open_nursery() as nursery:
        last = otp.whereis(SHOP.via(2))
        assert last is not None
        nursery.start_soon(SHOP.resize, 2)
        await trio.sleep(1)
        assert 2 == SHOP.count()
        assert last in otp.processes()  # it still ends
        assert 0 == await number_of(2)


async def test_growing_that_fails_changes_nothing() -> None:
    """Partitions that had come back are stopped again, and the caller gets the reason."""
    async with running(4):
        await SHOP.resize(1)
        FAILING.add(2)
        with pytest.raises(otp.StartError, match="bad"):
            await SHOP.resize(4)

        assert (1, 1) == (SHOP.count(), (await otp.count_children("shop")).active)
        FAILING.clear()
        assert 1 == await SHOP.resize(4)
        assert 2 == await number_of(2)


@pytest.mark.parametrize("size", [-1, 1.0, True, "2", None])
async def test_a_size_that_is_none_is_refused(size: Any) -> None:
    """The caller is told, and the supervisor hears nothing of it."""
    async with running():
        with pytest.raises(ValueError, match="expected a whole number >= 0"):
            await SHOP.resize(size)
        assert 3 == SHOP.count()


# -- what is refused -------------------------------------------------------------------------------


async def test_nobody_takes_the_name_of_a_partition() -> None:
    """A start under such a name is told who has it, or that nobody can."""
    async with running():
        with pytest.raises(otp.AlreadyStarted) as caught:
            await otp.start(otp.child(Till).having(name=SHOP.via(1)))
        assert otp.whereis(SHOP.via(1)) is caught.value.pid

        await otp.terminate_child("shop", 1)
        for name in (SHOP.via(1), ("via", otp.PartitionSupervisor, ("shop", 1))):
            with pytest.raises(otp.StartError, match="it leads to a partition"):
                await otp.start(otp.child(Till).having(name=name))
        assert None is otp.whereis(SHOP.via(1))


@pytest.mark.parametrize(
    "use", [SHOP.count, lambda: SHOP.partition_of(1), lambda: otp.send(SHOP.via(1), "hello")]
)
async def test_a_handle_without_its_supervisor_says_so(use: Callable[[], object]) -> None:
    """It is NoProcess before and after its life; a call is, too."""
    async with otp.open_process():
        with pytest.raises(otp.NoProcess):
            use()
        with pytest.raises(otp.NoProcess):
            await otp.call(SHOP.via(1), "hello")
        with pytest.raises(otp.NoProcess):
            await SHOP.resize(1)


async def test_a_handle_of_something_else_says_so() -> None:
    """A name of another kind of process, or none at all, is told."""
    async with otp.open_process(name="shop"):
        with pytest.raises(otp.WrongServer, match="partitions was called on 'shop'"):
            SHOP.count()
    with pytest.raises(TypeError, match="not a reference to a process"):
        otp.partitions(1)  # type: ignore[arg-type]


async def test_a_key_that_is_none_fails_in_the_caller() -> None:
    """The supervisor and its children are not hurt."""
    async with running():
        with pytest.raises(TypeError, match="expected any hashable value"):
            await otp.call(SHOP.via([1]), "hello")
        assert 3 == (await otp.count_children("shop")).active


# -- against a model -------------------------------------------------------------------------------

MOST = 4
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("resize"), st.integers(0, MOST)),
        st.tuples(st.just("kill"), st.integers(0, MOST - 1)),
        st.tuples(st.just("boom"), st.integers(0, MOST - 1)),
    ),
    max_size=15,
)


async def _run(operations: list[tuple[str, int]]) -> None:
    async with running(MOST, max_restarts=1000):
        size = MOST
        incarnations = [1] * MOST  # the model: how often each partition was started
        pids: list[set[Any]] = [set() for _ in range(MOST)]
        for name, number in [("resize", MOST), *operations]:
            if name == "resize":
                for back in range(size, number):
                    incarnations[back] += 1
                assert size == await SHOP.resize(number)
                size = number
            elif number < size:
                if name == "kill":
                    otp.exit(SHOP.via(number), otp.KILL)
                else:
                    otp.cast(SHOP.via(number), "boom")
                incarnations[number] += 1
            await trio.testing.wait_all_tasks_blocked()
            assert size == SHOP.count() == (await otp.count_children("shop")).active
            for key in range(size):
                assert key == await number_of(key)
                pids[key].add(otp.whereis(SHOP.via(key)))
            if size:
                assert [key % size for key in range(9)] == [await number_of(k) for k in range(9)]
        assert all(len(seen) <= count for seen, count in zip(pids, incarnations, strict=True))


@given(operations=OPERATIONS)
@settings(max_examples=few(60))
def test_partitions_agree_with_their_model(operations: list[tuple[str, int]]) -> None:
    """Resized, killed and crashed in any order, every key leads to the partition of its number."""
    trio.run(_run, operations)


async def test_a_function_that_makes_a_coroutine_makes_no_child() -> None:
    """It is refused by name, and the coroutine that it made is closed."""

    async def sleep(number: int) -> None:
        await trio.sleep(number)

    def nap(number: int) -> Any:
        return sleep(number)

    async with otp.open_process():
        with pytest.raises(otp.StartError, match=r"write otp.child\(nap\)") as caught:
            await otp.start_link(otp.child(otp.PartitionSupervisor, nap, partitions=1))
    assert isinstance(caught.value.reason, otp.SpecError)


async def test_a_message_to_a_partition_that_is_not_there_is_refused() -> None:
    """While it is being restarted, or was ended, nobody takes it."""
    shop = otp.child(otp.PartitionSupervisor, till, partitions=2).having(name="shop")
    async with otp.open_supervisor([shop]):
        await otp.terminate_child("shop", 0)
        itself = process_of(otp.whereis("shop")).instance
        for send in (partial(otp.send, SHOP.via(0)), partial(itself.send, 0)):
            with pytest.raises(otp.NoProcess):
                send("hello")
        otp.send(SHOP.via(1), "hello")
