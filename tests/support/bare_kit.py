"""What the tests of errors share: errors of users, code that raises them, blocks they leave."""

from __future__ import annotations

import warnings
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import trio_otp as otp
from trio_otp.testing import open_system

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Body = Callable[[], Awaitable[Any]]

REG = otp.registry("reg")


class Invalid(ExceptionGroup[Exception]):
    """A group of an application; Trio and `split` would make a plain group of it."""


class Rejected(ExceptionGroup[Exception]):
    """A group that stays of its class where it is taken apart."""

    def derive(self, parts: Any) -> Rejected:
        return Rejected(self.message, parts)


class Missing(KeyError):
    """An error of an application."""


class Stranger(BaseException):
    """What is no error, and not the library's either."""


def noted(error: Exception) -> Exception:
    error.add_note("sent by customer 12")
    return error


ERRORS: dict[str, Callable[[], Exception]] = {
    "an error": lambda: noted(KeyError("price")),
    "a group of one": lambda: noted(ExceptionGroup("order 7", [ValueError("price")])),
    "a group of a class": lambda: noted(Invalid("order 7", [ValueError("price")])),
    "a group that derives": lambda: noted(Rejected("order 7", [ValueError("price")])),
    "a group of many": lambda: noted(Invalid("order 7", [ValueError("price"), KeyError("name")])),
    "groups in a group": lambda: noted(Invalid("all", [Invalid("7", [ValueError("price")])])),
}


class App(otp.Application):
    def start(self) -> Any:
        return otp.child(otp.Supervisor, [])


class Shop(otp.GenServer):
    """Does what it is told, in each of its callbacks."""

    def __init__(self, last_words: BaseException | None = None) -> None:
        self.last_words = last_words

    @otp.on_call(timeout=None)
    async def do(self, what: Callable[[], Awaitable[Any]]) -> Any:
        return await what()

    @otp.on_call
    def do_sync(self, what: Callable[[], Any]) -> Any:
        return what()

    @otp.on_call_deferred(timeout=None)
    def do_in_task(self, from_: otp.From[Any], what: Callable[[], Awaitable[Any]]) -> None:
        otp.reply_from_task(from_, what)

    @otp.on_cast
    async def do_later(self, what: Callable[[], Awaitable[Any]]) -> None:
        await what()

    async def terminate(self, reason: object) -> None:
        if self.last_words is not None:
            raise self.last_words


async def number(item: int) -> int:
    return item


@asynccontextmanager
async def stream_of_supervisor() -> AsyncIterator[None]:
    async with (
        otp.open_supervisor([otp.child(otp.TaskSupervisor).having(name="tasks")]),
        otp.TaskSupervisor.async_stream("tasks", [1, 2], number),
    ):
        yield


BLOCKS: dict[str, Callable[[], Any]] = {
    "open_supervisor": otp.open_supervisor,
    "open_process": otp.open_process,
    "open_application": lambda: otp.open_application(App),
    "subscribe": lambda: REG.subscribe("k"),
    "lock": lambda: REG.lock("k"),
    "async_stream": lambda: otp.task.async_stream([1, 2], number),
    "TaskSupervisor.async_stream": stream_of_supervisor,
    "open_system": open_system,
}
NURSING = [name for name in BLOCKS if name != "lock"]  # those that have a nursery


def run(main: Callable[..., Awaitable[Any]], *args: Any, strict: bool = True) -> Any:
    """Run it in virtual time; `strict` is what `trio.run` takes."""
    clock = MockClock(autojump_threshold=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", trio.TrioDeprecationWarning)
        return trio.run(main, *args, clock=clock, strict_exception_groups=strict)


async def left(block: Callable[[], Any], body: Body) -> BaseException | None:
    """Return what leaves a block with that body."""
    registry = otp.child(otp.Registry, keys="duplicate").having(name="reg")
    async with otp.open_supervisor([registry]):
        try:
            async with block():
                await body()
        except BaseException as exc:  # noqa: ASYNC103 - nothing of it is a cancellation
            return exc
    return None


def raising(error: BaseException) -> Callable[[], Awaitable[None]]:
    async def body() -> None:
        raise error

    return body


def nursed(error: BaseException, depth: int = 1) -> Callable[[], Awaitable[None]]:
    """A body that raises in as many nurseries."""

    async def body() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(raising(error) if depth == 1 else nursed(error, depth - 1))

    return body


def everything(error: object) -> list[BaseException]:
    """List an error with its parts, causes, contexts and reasons."""
    found: list[BaseException] = []
    todo = [error]
    while todo:
        each = todo.pop()
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            todo += [each.__cause__, each.__context__, getattr(each, "reason", None)]
            todo += getattr(each, "exceptions", ())
    return found


def is_public(error: object) -> bool:
    """Check whether users can name all that an error consists of, where it is the library's."""
    kinds = {type(each) for each in everything(error)}
    ours = [kind for kind in kinds if kind.__module__.startswith("trio_otp")]
    return all(getattr(otp, kind.__name__, None) is kind for kind in ours)


def exit_beside(error: object) -> object:
    """Return the reason of the `otp.exit` that an error has on its chain."""
    [reason] = [each.reason for each in everything(error) if isinstance(each, otp.ProcessExited)]
    return reason


async def leave_beside_a_crash() -> None:
    """Call `otp.exit` while the clean-up of another task raises."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crash_in_clean_up)
        await wait_all_tasks_blocked()
        otp.exit("bye")


async def crash_in_clean_up() -> None:
    try:
        await trio.sleep_forever()
    finally:
        raise KeyError("clean-up")


async def crash_while_leaving() -> None:
    """Raise in the `finally` of an `otp.exit`."""
    try:
        otp.exit("bye")
    finally:
        raise KeyError("clean-up")


async def crash_from_leaving() -> None:
    """Raise an error whose cause is an `otp.exit`."""
    try:
        otp.exit("bye")
    except BaseException as exc:
        raise KeyError("clean-up") from exc


async def crash_in_a_generator() -> None:
    """Raise in the clean-up of an async generator that `otp.exit` has left."""

    async def items() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise KeyError("clean-up")

    generator = items()
    async for _ in generator:
        try:
            otp.exit("bye")
        finally:
            await generator.aclose()  # type: ignore[attr-defined]  # it is a generator


async def leave_deep() -> None:
    """Call `otp.exit` in a helper task of a nursery in a nursery."""

    async def leave() -> None:
        otp.exit("bye")

    async with trio.open_nursery() as outer, trio.open_nursery() as inner:
        outer.start_soon(trio.sleep_forever)
        inner.start_soon(leave)


async def leave_twice() -> None:
    """Call `otp.exit` in two tasks at once."""

    async def leave() -> None:
        otp.exit("bye")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave)
        nursery.start_soon(leave)


async def leave_in_clean_up() -> None:
    """Call `otp.exit` in the `finally` of a crash."""
    try:
        raise KeyError("before")
    finally:
        otp.exit("bye")


async def leave_from_a_thread() -> None:
    """Call `otp.exit` for a worker thread."""
    await trio.to_thread.run_sync(trio.from_thread.run_sync, otp.exit, "bye")


async def leave_with_what_was_caught() -> None:
    """Call `otp.exit` with what an earlier one has raised, which the code has caught."""
    try:
        otp.exit("bye")
    except BaseException as exc:
        otp.exit(exc)


EXITS = [
    leave_deep,
    leave_twice,
    leave_in_clean_up,
    leave_from_a_thread,
    leave_with_what_was_caught,
]
