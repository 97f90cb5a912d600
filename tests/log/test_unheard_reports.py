"""What nobody takes is not made: no report, and no text of the state or of the last message."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp
from trio_otp import task

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

shown: list[str] = []  # what was asked for its text


class Told:
    """A value that records each text that is made of it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        shown.append(self.name)
        return self.name


class Fragile(otp.GenServer):
    """Its state and its messages record who looks at them."""

    def __init__(self) -> None:
        self.value = Told("state")

    def __repr__(self) -> str:
        return repr(self.value)

    def handle_cast(self, message: Any) -> Any:
        raise ValueError

    def handle_call(self, request: Any, from_: Any) -> Any:
        raise ValueError


class Discreet(Fragile):
    """Decides what is shown of its reason, wherever that goes."""

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        shown.append("format_status")
        return {**status, "reason": "hidden"}


class Handler(otp.GenEvent):
    """Crashes on an event."""

    def handle_event(self, event: Any) -> Any:
        raise ValueError(event)


class DiscreetHandler(Handler):
    """Decides what is shown of its reason."""

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        shown.append("format_status")
        return {**status, "reason": "hidden"}


async def _crash(_: object) -> None:
    raise ValueError


async def server() -> None:
    async with _supervised(Fragile) as pid:
        otp.cast(pid, Told("message"))
        await wait_all_tasks_blocked()
        assert not otp.is_alive(pid)


async def supervised_task() -> None:
    async with _supervised(otp.child(otp.TaskSupervisor)) as sup:
        await otp.TaskSupervisor.start_child(sup, _crash, Told("argument"))
        await wait_all_tasks_blocked()


async def handler() -> None:
    async with _supervised(otp.child(otp.EventManager)) as pid:
        await otp.gen_event.add_handler(pid, Handler())
        otp.gen_event.notify(pid, Told("event"))
        await wait_all_tasks_blocked()


async def discreet_server() -> None:
    """What it hides of its reason goes wherever the reason does, so it is asked all the same."""
    async with _supervised(Discreet) as pid:
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call(pid, "crash")
        assert "hidden" in str(caught.value)
        shown.remove("format_status")


async def discreet_handler() -> None:
    async with _supervised(otp.EventManager) as pid:
        await otp.gen_event.add_handler(pid, DiscreetHandler())
        otp.gen_event.notify(pid, Told("event"))
        await wait_all_tasks_blocked()
    shown.remove("format_status")


async def linked_task() -> None:
    async with otp.open_process():
        otp.trap_exit(True)
        task.start_async(_crash, Told("argument"))
        assert "ValueError()" == repr((await otp.receive(otp.Exit)).reason)


@asynccontextmanager
async def _supervised(child: Any) -> AsyncGenerator[otp.Pid]:
    async with otp.open_supervisor([child]) as sup:
        [info] = await otp.which_children(sup)
        assert info.pid is not None
        yield info.pid


CRASHES = (server, discreet_server, supervised_task, handler, discreet_handler, linked_task)


@pytest.fixture
def unlogged() -> Iterator[None]:
    """No logger that takes a report."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("crash", CRASHES, ids=lambda crash: crash.__name__)
@pytest.mark.usefixtures("unlogged")
async def test_no_text_is_made_that_nobody_takes(crash: Callable[[], Awaitable[None]]) -> None:
    shown.clear()
    await crash()
    assert [] == shown
    seen: list[object] = []
    otp.events.attach("crash", seen.append)  # a listener does take it
    await crash()
    assert 1 == len(seen)
    assert shown
