"""`async_stream`: one task for each item of an input, and its options.

It is a block and not a bare iterator, so that leaving it early ends the tasks that still run before
the next line. Follows: Elixir's `Task.async_stream/3`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict, TypeVar, TypeVarTuple

from .._util.public import public_in
from .stream_loop import (
    ITEM_TIMEOUT,
    MAX_CONCURRENCY,
    OnItemTimeout,
    Plan,
    check_items,
    open_stream,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from contextlib import AbstractAsyncContextManager

    from .stream_loop import TaskStream

T = TypeVar("T")
Item_T = TypeVar("Item_T")
Ts = TypeVarTuple("Ts")


class StreamOptions(TypedDict, total=False):
    """The options of a stream, for functions that hand them on."""

    max_concurrency: int
    ordered: bool
    timeout: float | None
    on_timeout: OnItemTimeout
    zip_input_on_exit: bool
    max_buffer: int | Literal["auto"] | None


@public_in("task")
def async_stream(
    items: Iterable[Item_T],
    fn: Callable[[Item_T, *Ts], Awaitable[T]],
    *args: *Ts,
    max_concurrency: int = MAX_CONCURRENCY,
    ordered: bool = True,
    timeout: float | None = ITEM_TIMEOUT,
    on_timeout: OnItemTimeout = "exit",
    zip_input_on_exit: bool = False,
    max_buffer: int | Literal["auto"] | None = "auto",
) -> AbstractAsyncContextManager[TaskStream[T]]:
    """Run `fn(item, *args)` for each item in a task of its own, and give the results as they come.

    Use it as `async with otp.task.async_stream(...) as results: async for result in results: ...`.
    The owner of the tasks, a process or plain Trio code, is what enters the block; leaving it, by
    `break` or an error or cancelled, kills what still runs and then closes the input.

    Args:
        items: the inputs, taken one by one as tasks are started. If the block is left before their
            end, the iterator over them is closed if it has a `close`, as that of a generator. To
            read on from it afterwards, pass `(item for item in items)`.
        fn: the async function.
        *args: what it is called with besides the item.
        max_concurrency: how many tasks run at a time.
        ordered: give results in the order of the items, else in that of finishing.
        timeout: seconds each task gets from its own start; None for any time.
        on_timeout: what a task that takes longer brings: `exit`, a `TaskTimeout` in the consumer;
            `kill_task`, an `Exited(TIMEOUT)` in its place.
        zip_input_on_exit: give each `Exited` the item it is about, as its `input`.
        max_buffer: how many finished results may wait behind the one that comes next; as long as
            so many could, no task starts. `auto` is twice `max_concurrency`, None any number.

    Returns:
        The block; inside it, an async iterator of `Ok(value)` and `Exited(reason)`.

    Raises:
        TypeError: `fn` cannot be called, or `items` cannot be iterated.
        ValueError: an option has a value that is not accepted.

    >>> import trio, trio_otp as otp
    >>> async def half(number):
    ...     return number // 2 if number else otp.exit("nothing to halve")
    >>> async def main():
    ...     async with otp.task.async_stream([4, 0, 8], half) as halves:
    ...         async for result in halves:
    ...             print(result)
    >>> trio.run(main)
    Ok(value=2)
    Exited(reason='nothing to halve', input=None)
    Ok(value=4)

    Follows: `Task.async_stream/3`.
    """
    plan = Plan(
        fn,
        args,
        max_concurrency,
        ordered,
        timeout,
        on_timeout,
        zip_input_on_exit,
        max_buffer,
    )
    check_items(items)
    return open_stream(items, plan, None)
