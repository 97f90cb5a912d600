"""What can be a child beside a class with its arguments: aliases, partials and functions."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import pytest
import trio

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

T = TypeVar("T")


class Box(otp.GenServer, Generic[T], restart="transient"):
    """A server of a generic class, with an option of its own."""

    def __init__(self, content: T, *more: Any) -> None:
        self.content = content

    @classmethod
    def of(cls, content: T) -> Self:
        """Make one."""
        return cls(content)

    @otp.on_call
    def look(self) -> Any:
        """Return the content."""
        return self.content


class Red(Box[T]):
    """A subclass, which is another class as a child."""


def a_box() -> Box[int]:
    """Make one, and say so."""
    return Box(5)


def filled(content: int = 5) -> Box[int]:
    """Make one with an argument."""
    return Box(content)


class Shelf:
    """Makes boxes in other ways."""

    def get(self) -> Box[int]:
        """Make one."""
        return Box(5)

    def __call__(self) -> Box[int]:
        return Box(5)


BOXES: dict[str, Callable[[], Any]] = {
    "class": lambda: otp.child(Box, 5),
    "alias": lambda: otp.child(Box[int], 5),
    "partial": lambda: otp.child(functools.partial(Box, 5)),
    "partial of an alias": lambda: otp.child(functools.partial(Box[int], 5)),
    "partial of a partial": lambda: otp.child(functools.partial(functools.partial(Box), 5)),
    "function": lambda: otp.child(a_box),
    "function with arguments": lambda: otp.child(filled, content=5),
    "partial of a function": lambda: otp.child(functools.partial(filled, 5)),
    "class method": lambda: otp.child(Box.of, 5),
    "method": lambda: otp.child(Shelf().get),
    "object": lambda: otp.child(Shelf()),
    "bare partial": lambda: functools.partial(Box, 5),
    "bare function": lambda: a_box,
    "template": lambda: otp.template(Box[int], 5),
}


@pytest.mark.parametrize("way", BOXES)
async def test_whatever_makes_a_server_is_a_child_of_its_class(way: str) -> None:
    """It has the options of the class and its client; a restart makes a new one."""
    child = BOXES[way]()
    async with otp.open_supervisor([child]) as sup:
        (info,) = await otp.which_children(sup)
        assert await Box.at(info.pid).look() == 5
        assert "transient" == (await otp.get_childspec(sup, info.id)).restart
        assert info.id in {"Box", "a_box", "filled", "of", "get", "Shelf"}
        otp.exit(info.pid, ValueError("crash"))
        while (await otp.which_children(sup))[0].pid in (info.pid, None):
            await trio.testing.wait_all_tasks_blocked()
        (again,) = await otp.which_children(sup)
        assert await Box.at(again.pid).look() == 5


def a_machine() -> otp.GenStatem[str]:
    """Make no machine that has a state; it is of the base class."""
    return otp.GenStatem()


def a_top() -> otp.Supervisor:
    """Make a supervisor."""
    return otp.Supervisor([functools.partial(Box, 5)])


def a_thread() -> otp.WorkerThread:
    """Make a thread."""
    return otp.WorkerThread(time.sleep, 0)


def an_agent() -> otp.Agent[list[int]]:
    """Make an agent."""
    return otp.Agent(list[int])


@pytest.mark.parametrize("make", [a_top, a_thread, an_agent, otp.Agent[int]])
async def test_a_behaviour_of_any_kind_may_come_from_a_function(make: Any) -> None:
    """A supervisor hosts its children; a thread runs; an alias is its class."""
    args = [int] if make == otp.Agent[int] else []
    child = otp.child(make, *args)
    async with otp.open_process():
        pid = await otp.start_link(child)
        if make is a_top:
            assert 1 == (await otp.count_children(pid)).active
            assert ("supervisor", None) == (child.spec.type, child.spec.shutdown)
        elif make is not a_thread:
            assert await otp.Agent.get(pid, lambda held: held) in (0, [])
            await otp.stop(pid)


async def test_a_function_makes_what_it_says() -> None:
    """Its class was known before it ran, so that another one fails the start."""

    def red() -> Box[int]:
        return Red(5)

    async with otp.open_process():
        with pytest.raises(otp.StartError) as caught:
            await otp.start_link(red)
    assert "an instance of exactly Box" in str(caught.value.reason)


async def test_a_function_that_does_not_say_what_it_makes_does_not_start() -> None:
    """What is asked of a child before it runs could not be answered; the text has both ways."""

    def mute():  # type: ignore[no-untyped-def]
        return Box(5)

    for target in (mute, lambda: Box(5)):
        with pytest.raises(otp.StartError) as caught:
            async with otp.open_supervisor([target]):
                raise AssertionError("the block must not be entered")
        told = r"write otp.child(Box, *args), or annotate it with -> Box"
        assert told in str(caught.value.__cause__.reason)  # type: ignore[union-attr]


async def test_an_async_function_that_makes_a_server() -> None:
    """A class has to be known at once: it is refused if it says so, else it crashes."""

    async def said() -> Box[int]:
        return Box(5)

    async def mute() -> Any:
        return Box(5)

    with pytest.raises(TypeError, match=r"said.* is async and makes a server; write otp\.child\(B"):
        otp.child(said)
    async with otp.open_process(trap_exit=True):
        pid = await otp.start_link(mute)
        message = await otp.receive(otp.Exit)
        assert (pid, TypeError) == (message.pid, type(message.reason))


# -- plain functions -------------------------------------------------------------------------------

RUNS: list[int] = []


def plain():  # type: ignore[no-untyped-def]
    """Return nothing, and say nothing."""
    RUNS.append(1)


def early(flag: bool = False):  # type: ignore[no-untyped-def]
    """Return nothing in two places."""
    if flag:
        return
    RUNS.append(1)


def said() -> None:
    """Say that it returns nothing, although its body does not show that."""
    return RUNS.append(1)


def listed() -> list[int]:
    """Say that it returns a list."""
    return list(RUNS)


def forever():  # type: ignore[no-untyped-def]
    """Never return."""
    while True:
        RUNS.append(1)


def yielding():  # type: ignore[no-untyped-def]
    """Be a generator."""
    yield 1


async def async_yielding():  # type: ignore[no-untyped-def]
    """Be an async generator."""
    yield 1


class Plain:
    """An object that can be called, and a method."""

    def __call__(self) -> None:
        RUNS.append(1)

    def method(self) -> None:
        """Be a plain method."""
        RUNS.append(1)

    @staticmethod
    def static() -> None:
        """Be a plain static method."""
        RUNS.append(1)


PLAIN = [
    plain,
    early,
    said,
    listed,
    forever,
    yielding,
    async_yielding,
    lambda: None,
    functools.partial(plain),
    functools.partial(early, flag=True),
    Plain(),
    Plain().method,
    Plain.static,
    time.monotonic,
    functools.partial(time.sleep, 1),
    print,
]


@pytest.mark.parametrize("function", PLAIN)
@pytest.mark.parametrize(
    "use", [otp.child, otp.template, lambda each: otp.Supervisor.spec([each]), otp.spawn]
)
def test_a_plain_function_is_refused_where_it_is_written(use: Any, function: Any) -> None:
    """It is not run, and the text names what runs functions that block."""
    with pytest.raises(TypeError, match=r" is an? .*; expected an async .*otp\.WorkerThread"):
        use(function)
    assert [] == RUNS


async def job() -> None:
    """Be an async function."""
    await trio.sleep_forever()


def gives() -> Coroutine[Any, Any, None]:
    """Return what can be awaited, and say so."""
    return job()


def gives_mutely():  # type: ignore[no-untyped-def]
    """Return what can be awaited."""
    return job()


@functools.wraps(job)
def wrapped(*args: Any) -> Any:
    """Be what a decorator made of an async function."""
    return job(*args)


class Job:
    """An object that can be called, and methods."""

    __hash__ = None  # type: ignore[assignment]  # as an object that is equal to others has none

    async def __call__(self) -> None:
        await job()

    async def method(self) -> None:
        """Be an async method."""
        await job()

    def gives(self) -> Awaitable[None]:
        """Return what can be awaited."""
        return job()


ASYNC = [
    job,
    gives,
    gives_mutely,
    wrapped,
    lambda: Job().gives(),
    functools.partial(job),
    functools.partial(trio.sleep, 3600),
    functools.partial(lambda each: each.method(), Job()),
    Job(),
    Job().method,
    Job().gives,
    trio.sleep_forever,
]


@pytest.mark.parametrize("function", ASYNC)
async def test_whatever_can_be_awaited_is_a_child(function: Any) -> None:
    """Bare or not, under every kind of supervisor and in every start."""
    children = [function, otp.child(function).having(id="child")]
    dynamic = otp.child(otp.DynamicSupervisor).having(name="dynamic")
    pool = otp.child(otp.DynamicSupervisor, template=otp.template(function)).having(id="pool")
    parts = otp.child(otp.PartitionSupervisor, otp.child(function), partitions=2)
    nested = otp.child(otp.Supervisor, [function]).having(id="nested")
    async with otp.open_supervisor([*children, dynamic, pool, parts, nested]) as sup:
        pid = await otp.start_child("dynamic", function)
        assert otp.is_alive(pid)
        assert 6 == (await otp.count_children(sup)).active
        other = await otp.start_child(sup, otp.child(function).having(id="more"))
        assert otp.is_alive(other)
    async with otp.open_process():
        for pid in (
            await otp.start_link(function),
            await otp.start(function),
            (await otp.start_monitor(function))[0],
            otp.spawn(function),
        ):
            assert otp.is_alive(pid)


class Bare(otp.Application):
    """Its top process is an async function."""

    def start(self) -> Any:
        """Return it bare."""
        return job


async def test_a_bare_async_function_is_what_an_application_starts() -> None:
    """A process of any kind may be the top of an application."""
    async with otp.open_application(Bare) as app:
        assert otp.is_alive(app)


async def test_a_bare_async_function_is_each_partition() -> None:
    """A function that is no async one is called with the number of the partition."""
    async with otp.open_process():
        for each in (job, lambda number: otp.child(trio.sleep, 3600 + number)):
            pid = await otp.start_link(otp.child(otp.PartitionSupervisor, each, partitions=2))
            assert 2 == (await otp.count_children(pid)).active


async def test_a_function_that_says_nothing_of_its_arguments_is_taken() -> None:
    """What it takes is seen when it is called."""

    class Once:
        def __aiter__(self) -> Once:
            return self

        async def __anext__(self) -> int:
            return 1

    async with otp.open_process():
        await otp.start_monitor(otp.child(anext, Once()))
        assert (await otp.receive(otp.Down)).reason is otp.NORMAL


async def test_a_registry_that_refuses_for_no_reason_is_named() -> None:
    """A start fails, and says which name was not to be had."""

    class Refuses:
        def register_name(self, key: object, pid: object) -> bool:
            return False

        def whereis_name(self, key: object) -> None:
            return None

        unregister_name = send = whereis_name

    async with otp.open_process():
        child = otp.child(trio.sleep_forever).having(name=("via", Refuses(), "key"))
        with pytest.raises(otp.StartError, match="the registry refused"):
            await otp.start_link(child)
