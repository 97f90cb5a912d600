"""The input of a stream: it is closed when the stream ends before it, however that comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from task_kit import Boom, give, leftovers, run_owner

import trio_otp as otp
from trio_otp import task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ways = Callable[..., Any]


class Source:
    """Iterated over by a generator, and writes down how that is closed."""

    def __init__(self) -> None:
        self.closed: list[object] = []

    def __iter__(self) -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            self.closed.append(len(otp.processes()))


class Cursor:
    """An iterator with a `close` of its own, as that of a database."""

    def __init__(self) -> None:
        self.closed: list[object] = []
        self.numbers = iter(range(100))

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        return next(self.numbers)

    def close(self) -> None:
        self.closed.append(len(otp.processes()))


async def nap(seconds: float) -> float:
    """Stay for a while, so that several are at work when the stream is left."""
    await trio.sleep(seconds)
    return seconds


def under(name: str) -> Ways:
    """Return one of the three ways to open a stream; the supervisor is there."""
    if name == "task":
        return task.async_stream
    function = getattr(otp.TaskSupervisor, name)
    return lambda *args, **options: function("tasks", *args, **options)


async def by_break(stream: Ways, items: Any) -> None:
    async with stream(items, nap, timeout=None) as results:
        async for _ in results:
            break


async def by_error(stream: Ways, items: Any) -> None:
    async def consume() -> None:
        async with stream(items, nap) as results:
            await anext(results)
            raise Boom

    with pytest.raises(Boom):
        await consume()


async def by_cancellation(stream: Ways, items: Any) -> None:
    with trio.move_on_after(2.5):
        async with stream(items, nap, timeout=None) as results:
            async for _ in results:
                pass


async def by_timeout(stream: Ways, items: Any) -> None:
    async def consume() -> None:
        async with stream(items, nap, timeout=2.5) as results:
            async for _ in results:
                pass

    with pytest.raises(otp.TaskTimeout):
        await consume()


async def by_crash(stream: Ways, items: Any) -> None:
    """End the consumer by the link to a task that crashes."""

    async def crash(number: int) -> None:
        raise Boom(number)

    async def consume() -> None:
        async with stream(items, crash) as results:
            async for _ in results:
                await trio.sleep_forever()

    async with otp.open_process():
        assert isinstance(await run_owner(consume), Boom)


async def by_kill(stream: Ways, items: Any) -> None:
    """Kill the consumer."""

    async def consume() -> None:
        async with stream(items, nap, timeout=None) as results:
            await anext(results)
            otp.exit(otp.self(), otp.KILL)
            await anext(results)

    async with otp.open_process():
        assert otp.KILLED is await run_owner(consume)


ENDS = [by_break, by_error, by_cancellation, by_timeout, by_crash, by_kill]


@pytest.mark.parametrize("kind", [Source, Cursor])
@pytest.mark.parametrize("way", ["task", "async_stream", "async_stream_nolink"])
@pytest.mark.parametrize("end", ENDS)
async def test_an_early_end_closes_the_input(
    kind: type[Any], way: str, end: Callable[..., Any], autojump_clock: trio.abc.Clock
) -> None:
    """It is closed once, when the block is left, and as a rule after the end of all tasks."""
    if (end, way) == (by_crash, "async_stream_nolink"):
        end = by_break  # there such a crash ends no consumer
    source = kind()
    async with otp.open_supervisor([otp.child(otp.TaskSupervisor).having(name="tasks")]):
        before = len(otp.processes())
        await end(under(way), source)
        [others] = source.closed
        if end not in (by_crash, by_kill):  # these have processes of their own
            assert before == others


@pytest.mark.parametrize("way", ["async_stream", "async_stream_nolink"])
async def test_a_cancelled_start_loses_no_item(way: str, autojump_clock: trio.abc.Clock) -> None:
    """An item whose task had not begun, since the supervisor was suspended, is the next one."""
    async with (
        otp.open_supervisor([otp.child(otp.TaskSupervisor).having(name="tasks")]),
        under(way)([1, 2, 3], nap, max_concurrency=1) as results,
    ):
        await otp.sys.suspend("tasks")
        with trio.move_on_after(1) as scope:
            await anext(results)
        await otp.sys.resume("tasks")
        assert scope.cancelled_caught
        assert [task.Ok(number) for number in (1, 2, 3)] == [each async for each in results]


async def test_a_generator_that_is_passed_is_closed_as_well() -> None:
    """A halted stream runs the after function of its input, whoever holds that."""
    source = Source()
    numbers = iter(source)
    await by_break(task.async_stream, numbers)
    assert [0] == source.closed
    assert [] == list(numbers)


@pytest.mark.parametrize("wrap", [enumerate, lambda items: map(str, items), zip])
async def test_an_input_behind_others_is_let_go_of(wrap: Any) -> None:
    """Nothing of the stream keeps it, also not the results that somebody still has."""
    source = Source()
    async with task.async_stream(wrap(source), give) as results:
        await anext(results)
    assert [0] == source.closed
    with pytest.raises(trio.ClosedResourceError):
        await anext(results)


async def test_an_input_may_be_protected_from_being_closed() -> None:
    """What wraps it is closed in its place, so that it can be read on."""
    source = Source()
    numbers = iter(source)
    async with task.async_stream(
        (n for n in numbers), give, max_concurrency=1, max_buffer=0
    ) as results:
        assert task.Ok(0) == await anext(results)
    assert [] == source.closed
    assert 1 == next(numbers)


async def test_an_input_that_was_read_to_its_end_is_left_alone() -> None:
    """It has ended by itself; nothing is closed, as a `for` loop closes nothing then."""
    source = Cursor()
    async with task.async_stream(source, give) as results:
        assert 100 == len([result async for result in results])
    assert [] == source.closed


async def test_an_input_that_nothing_was_taken_from_is_closed() -> None:
    """Leaving the block is what ends a stream, whether or not a result was asked for."""
    source = Cursor()
    async with task.async_stream(source, give):
        pass
    assert [0] == source.closed


async def test_an_input_without_a_close_is_left_where_it_is() -> None:
    """An iterator of a list can be read on."""
    numbers = iter([1, 2, 3, 4])
    async with task.async_stream(numbers, give, max_concurrency=1, max_buffer=0) as results:
        assert task.Ok(1) == await anext(results)
    assert [2, 3, 4] == list(numbers)


async def test_an_input_that_cannot_be_closed_is_an_error_of_the_consumer() -> None:
    """What it raises leaves the block bare, and the tasks have ended."""

    def items() -> Iterator[int]:
        try:
            yield from range(9)
        finally:
            raise Boom

    with pytest.raises(Boom):
        await by_break(task.async_stream, items())
    assert [] == leftovers()


def test_no_iterator_is_made_before_the_block_is_entered() -> None:
    """A stream that nobody enters has nothing to close."""
    made: list[Any] = []

    class Items:
        def __iter__(self) -> Iterator[int]:
            made.append(self)
            return iter(())

    task.async_stream(Items(), give)
    otp.TaskSupervisor.async_stream("tasks", Items(), give)
    assert [] == made
    with pytest.raises(TypeError, match="items=3: expected an iterable"):
        otp.TaskSupervisor.async_stream("tasks", 3, give)  # type: ignore[arg-type]
