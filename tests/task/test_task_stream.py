"""Streams of tasks: order, limits, time-outs, failures, and what is left when they are left."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Any

import pytest
import trio
from inside import runtime
from task_kit import Boom, crash, give, leave, leftovers, messages, run_owner, settle, stay

import trio_otp as otp
from trio_otp import task

if TYPE_CHECKING:
    from collections.abc import Iterator


async def nap(seconds: float) -> float:
    """Sleep as long as told, and tell so."""
    await trio.sleep(seconds)
    return seconds


class Gauge:
    """Counts how many run, the most that ever did, and who has started."""

    def __init__(self) -> None:
        self.now = 0
        self.peak = 0
        self.started: list[Any] = []
        self.ended: list[Any] = []

    async def run(self, item: float) -> float:
        self.started.append(item)
        self.now += 1
        self.peak = max(self.peak, self.now)
        try:
            return await nap(item)
        finally:
            self.now -= 1
            self.ended.append(item)


async def collect(stream: Any) -> list[Any]:
    """Return all results of a stream."""
    async with stream as results:
        return [result async for result in results]


def oks(values: Any) -> list[task.Ok[Any]]:
    return [task.Ok(value) for value in values]


# -- order and limits ----------------------------------------------------------------------------


async def test_results_come_in_the_order_of_the_items(autojump_clock: trio.abc.Clock) -> None:
    """Ordered results come as their items do, unordered ones as they are ready."""
    items = [9, 1, 5]

    assert oks(items) == await collect(task.async_stream(items, nap, timeout=None))
    assert oks([1, 5, 9]) == await collect(
        task.async_stream(items, nap, timeout=None, ordered=False)
    )
    assert 18.0 == trio.current_time()


async def test_an_empty_stream_ends_at_once() -> None:
    """No items, no tasks, no results; more arguments are handed on."""
    assert [] == await collect(task.async_stream([], nap))
    assert oks([(1, 2)]) == await collect(task.async_stream([1], lambda a, b: give((a, b)), 2))


@pytest.mark.parametrize("ordered", [True, False])
async def test_so_many_run_at_a_time(ordered: bool, autojump_clock: trio.abc.Clock) -> None:
    """max_concurrency tasks run at a time, not more, and not fewer while there are items."""
    gauge = Gauge()
    stream = task.async_stream([1] * 10, gauge.run, max_concurrency=3, ordered=ordered)

    assert oks([1] * 10) == await collect(stream)
    assert (3, 4.0) == (gauge.peak, trio.current_time())


async def test_nothing_starts_before_it_is_asked_for() -> None:
    """Neither making a stream nor entering it starts tasks or takes items; asking does."""
    gauge = Gauge()
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield 0

    async with task.async_stream(items(), gauge.run, max_concurrency=2) as results:
        await settle()
        assert ([], []) == (taken, gauge.started)
        assert task.Ok(0) == await anext(results)
        await settle()
        assert ([0, 1], [0, 0]) == (taken, gauge.started)


async def test_finished_results_are_held_back_up_to_a_bound(
    autojump_clock: trio.abc.Clock,
) -> None:
    """While the first is slow, only so many results may pile up behind it."""
    for max_buffer, started in ((0, 1), (3, 4), ("auto", 5), (None, 9)):
        gauge = Gauge()
        items = [50, *[1] * 8]
        stream = task.async_stream(
            items,
            gauge.run,
            max_concurrency=2,
            timeout=None,
            max_buffer=max_buffer,  # type: ignore[arg-type]
        )
        async with stream as results:
            with trio.move_on_after(40) as scope:
                await anext(results)
            assert (True, started) == (scope.cancelled_caught, len(gauge.started))
            assert oks(items) == [result async for result in results]


async def test_a_stream_may_be_made_elsewhere() -> None:
    """A stream can be made in one process and entered in another, whose tasks they then are."""
    found: list[Any] = []

    async def callers(_: int) -> Any:
        return otp.callers()

    async with otp.open_process():
        stream = task.async_stream([1], callers)

        async def consumer() -> None:
            found.extend([otp.self(), await collect(stream)])

        await run_owner(consumer)
    me, [result] = found
    assert me == result.unwrap()[0]


# -- failures ------------------------------------------------------------------------------------


async def test_each_item_has_its_own_time(autojump_clock: trio.abc.Clock) -> None:
    """The time of an item counts from its own start, and also while the consumer is busy."""
    items = [3, 3, 9, 3]
    stream = task.async_stream(items, nap, timeout=4, on_timeout="kill_task", max_concurrency=1)

    expected = [*oks([3, 3]), task.Exited(otp.TIMEOUT), *oks([3])]
    assert expected == await collect(stream)
    gauge = Gauge()
    stream = task.async_stream([0, 9], gauge.run, timeout=4, on_timeout="kill_task")
    async with stream as results:
        await anext(results)
        await trio.sleep(5)
        assert [0, 9] == gauge.ended
        assert task.Exited(otp.TIMEOUT) == await anext(results)


async def test_a_time_out_ends_the_consumer(autojump_clock: trio.abc.Clock) -> None:
    """By default a task that takes too long raises in the consumer, and the others are killed."""
    gauge = Gauge()
    with pytest.raises(otp.TaskTimeout, match=r"item 9 took longer than 5\.0 s") as caught:
        await collect(task.async_stream([1, 9, 9], gauge.run, max_concurrency=3))

    assert (9, 5.0) == (caught.value.what, trio.current_time())
    assert ([1, 9, 9], 0, []) == (gauge.ended, gauge.now, leftovers())


async def test_a_crash_takes_the_consumer_along() -> None:
    """A consumer that does not trap exits dies of a crash, with its reason, also while busy."""

    async def consumer() -> None:
        async with task.async_stream([0], crash) as results, trio.open_nursery() as nursery:
            nursery.start_soon(anext, results)
            await trio.sleep_forever()

    async with otp.open_process():
        assert isinstance(await run_owner(consumer), Boom)
        assert [] == [pid for pid in otp.processes() if pid is not otp.self()]


@pytest.mark.parametrize("reason", [otp.NORMAL, otp.SHUTDOWN, "custom"])
async def test_others_get_the_reason(reason: object) -> None:
    """A trapping consumer and plain code get the reason of each item, and no exit messages."""
    expected = [task.Exited(reason)] * 3

    async def one(_: int) -> None:
        await leave(reason)

    async with otp.open_process(trap_exit=True):
        assert expected == await collect(task.async_stream(range(3), one))
        assert [] == await messages()
    assert expected == await collect(task.async_stream(range(3), one))


async def test_the_input_can_be_told_with_the_reason(autojump_clock: trio.abc.Clock) -> None:
    """With zip_input_on_exit, each failure names its item."""
    stream = task.async_stream(
        ["a", "b"], leave, zip_input_on_exit=True, on_timeout="kill_task", timeout=1
    )
    assert [task.Exited("a", "a"), task.Exited("b", "b")] == await collect(stream)
    [exited] = await collect(task.async_stream([1], leave))
    assert exited.input is None
    with pytest.raises(otp.TaskExited):
        exited.unwrap()


# -- leaving -------------------------------------------------------------------------------------


async def test_leaving_early_leaves_nothing(autojump_clock: trio.abc.Clock) -> None:
    """Whoever breaks off after the first result kills the rest, and waits for their end."""
    gauge = Gauge()
    async with otp.open_process(trap_exit=True):
        async with task.async_stream([1, 60, 3], gauge.run, max_concurrency=2) as results:
            async for result in results:
                assert task.Ok(1) == result
                break
        assert ([1, 60], [1, 60]) == (sorted(gauge.started), gauge.ended)
        assert ([], [otp.self()]) == (await messages(), otp.processes())
        with pytest.raises(trio.ClosedResourceError):
            await anext(results)


async def test_leaving_early_does_not_hurt_the_consumer() -> None:
    """A consumer that does not trap exits survives the end of the tasks that it leaves behind."""

    async def consumer() -> None:
        async with task.async_stream([0, 60], nap) as results:
            await anext(results)
        await trio.lowlevel.checkpoint()

    async with otp.open_process():
        assert await run_owner(consumer) is otp.NORMAL


async def test_a_result_after_the_time_counts(autojump_clock: trio.abc.Clock) -> None:
    """A task that cannot be broken off and gives its result late has given one."""

    async def shielded(seconds: float) -> float:
        with trio.CancelScope(shield=True):
            return await nap(seconds)

    assert oks([6.5, 1]) == await collect(task.async_stream([6.5, 1], shielded, timeout=6))


async def test_time_outs_that_were_met_are_forgotten() -> None:
    """The timer service does not keep an entry for each item that was in time."""
    await collect(task.async_stream([0] * 200, nap, timeout=77))

    assert len(runtime().timers._fifos[77]) < 20


async def test_an_error_of_the_consumer_leaves_bare() -> None:
    """What the block raises leaves it as it is, and the tasks, even trapping ones, are killed."""

    async def consume() -> None:
        async with task.async_stream([1, 2], stay) as results:
            with trio.move_on_after(0):
                await anext(results)
            raise Boom

    with pytest.raises(Boom):
        await consume()
    assert [] == leftovers()


async def test_an_error_of_the_input_reaches_the_consumer() -> None:
    """An input that raises raises in the consumer."""

    def items() -> Iterator[int]:
        yield 1
        raise Boom

    with pytest.raises(Boom):
        await collect(task.async_stream(items(), give, max_concurrency=1))
    assert [] == leftovers()


async def test_a_signal_ends_consumer_and_tasks() -> None:
    """Tasks die with a consumer that is killed by a signal, of its reason."""
    pids: list[otp.Pid[Any]] = []
    ends: dict[Any, object] = {}

    async def item(_: int) -> None:
        pids.append(otp.self())
        await trio.sleep_forever()

    async def consumer() -> None:
        await collect(task.async_stream([1, 2], item))

    async with otp.open_process():
        otp.events.attach("process_exit", ends.__setitem__)
        pid = otp.spawn(consumer)
        await settle()
        otp.exit(pid, "custom")
        await settle()
        assert ["custom"] * 3 == [ends[p] for p in (pid, *pids)]


@pytest.mark.parametrize("seed", range(30))
async def test_cancelled_anywhere_it_leaves_nothing(
    seed: int, autojump_clock: trio.abc.Clock
) -> None:
    """A stream that is cancelled at any moment leaves no process, timer or task."""
    rng = random.Random(seed)
    items = [rng.randrange(5) for _ in range(8)]
    stream = task.async_stream(
        items, nap, max_concurrency=rng.randrange(1, 4), ordered=seed % 2 == 0, timeout=None
    )
    with trio.move_on_after(rng.uniform(0, sum(items))):
        await collect(stream)
    assert [] == leftovers()


async def test_a_cancelled_anext_loses_no_result(autojump_clock: trio.abc.Clock) -> None:
    """Asking can be cancelled and repeated: every result comes, in order."""
    items = [5, 1, 7, 2, 3, 1]
    found: list[Any] = []
    async with task.async_stream(items, nap, max_concurrency=2, timeout=None) as results:
        while len(found) < len(items):
            with trio.move_on_after(0.5):
                found.append(await anext(results))
    assert oks(items) == found


async def test_two_may_not_ask_at_a_time() -> None:
    """A second task that asks for the next result while one waits is refused."""
    async with (
        task.async_stream([1], stay) as results,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(anext, results)
        await settle()
        with pytest.raises(trio.BusyResourceError):
            await anext(results)
        nursery.cancel_scope.cancel()


# -- bad use -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[("max_concurrency", value) for value in (0, -1, 1.5, True, None)],
        *[("timeout", value) for value in (0, -1, "5", True)],
        *[("max_buffer", value) for value in (-1, 0.5, "none")],
        ("on_timeout", "kill"),
    ],
)
def test_wrong_options_are_refused_where_the_stream_is_made(option: str, value: Any) -> None:
    """A wrong option is refused at once, by name, with what is accepted."""
    with pytest.raises(ValueError, match=f"{option}={value!r}: expected"):
        task.async_stream([], nap, **{option: value})  # type: ignore[arg-type]


def test_wrong_inputs_and_functions_are_refused() -> None:
    """What cannot be iterated or called is refused where the stream is made."""
    with pytest.raises(TypeError, match="items=3: expected an iterable"):
        task.async_stream(3, nap)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="fn=3"):
        task.async_stream([], 3)  # type: ignore[arg-type]
