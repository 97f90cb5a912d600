"""What ends a process: its error, bare and whole, or what `otp.exit` was given."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from bare_kit import (
    ERRORS,
    EXITS,
    App,
    Shop,
    crash_from_leaving,
    crash_in_a_generator,
    crash_while_leaving,
    exit_beside,
    is_public,
    leave_beside_a_crash,
    nursed,
    raising,
    run,
)
from inside import runtime

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def reason_of(body: Callable[..., Awaitable[Any]]) -> object:
    """Return the exit reason of a process that runs a body."""
    otp.spawn_monitor(body)
    return (await otp.receive(otp.Down)).reason


async def reason_of_server(body: Callable[..., Awaitable[Any]]) -> object:
    """Return the reason of which a server dies whose callback does that."""
    pid = await otp.start_link(otp.child(Shop))
    try:
        await Shop.do(pid, body)
    except otp.ServerExited as exc:
        return exc.reason if (await otp.receive(otp.Exit)).reason is exc.reason else exc
    return None


async def reason_of_task(body: Callable[..., Awaitable[Any]]) -> object:
    """Return why a task has no result."""
    result = await otp.task.yield_one(otp.task.start_async(body), timeout=None)
    assert isinstance(result, otp.task.Exited)
    await otp.receive(otp.Exit)
    return result.reason


async def reason_of_stream(body: Callable[..., Awaitable[Any]]) -> object:
    """Return why an item of a stream has no result."""

    async def each(_: int) -> Any:
        return await body()

    async with otp.task.async_stream([1], each, timeout=None) as results:
        [result] = [result async for result in results]
    assert isinstance(result, otp.task.Exited)
    return result.reason


async def reason_of_helper(body: Callable[..., Awaitable[Any]]) -> object:
    """Return why a helper that was to answer has not."""
    pid = await otp.start_link(otp.child(Shop))
    try:
        await Shop.do_in_task(pid, body)
    except otp.ServerExited as exc:
        return exc.reason
    return None


async def reason_of_init(body: Callable[..., Awaitable[Any]]) -> object:
    """Return why a server has not started."""

    class Late(otp.GenServer):
        async def init(self) -> None:
            await body()

    try:
        await otp.start_link(otp.child(Late))
    except otp.StartError as exc:
        return exc.reason
    return None


async def reason_of_handler(body: Callable[..., Awaitable[Any]]) -> object:
    """Return why an event handler is not there any more."""

    class Handler(otp.GenEvent):
        async def handle_call(self, request: object) -> Any:
            return await body()

    manager = await otp.start_link(otp.child(otp.EventManager, [Handler]))
    try:
        await otp.gen_event.call(manager, Handler, "do", timeout=None)
    except otp.HandlerCrashed as exc:
        return exc.reason
    return None


async def reason_of_statem(body: Callable[..., Awaitable[Any]]) -> object:
    """Return the reason of which a state machine dies whose callback does that."""

    class Door(otp.GenStatem):
        def init(self) -> Any:
            return otp.NextState("open")

        async def handle_event(self, kind: Any, content: Any, state: Any) -> Any:
            await body()

    pid = await otp.start_link(otp.child(Door))
    try:
        await otp.call(pid, "do", timeout=None)
    except otp.ServerExited as exc:
        return exc.reason
    return None


async def reason_of_child(body: Callable[..., Awaitable[Any]]) -> object:
    """Return what a supervisor's history says of a child."""
    wanted = otp.child(body).having(id="only")
    try:
        async with otp.open_supervisor([wanted], max_restarts=0) as sup:
            await sup.wait()
    except otp.SupervisorExited as exc:
        return exc.history[-1][2]
    return None


ENDS: list[Callable[..., Awaitable[object]]] = [
    reason_of,
    reason_of_server,
    reason_of_task,
    reason_of_stream,
    reason_of_helper,
    reason_of_init,
    reason_of_handler,
    reason_of_statem,
    reason_of_child,
]


async def as_process(end: Callable[..., Awaitable[object]], body: Any) -> object:
    logging.disable(logging.CRITICAL)
    try:
        async with otp.open_process(trap_exit=True):
            return await end(body)
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("end", ENDS)
def test_a_crash_is_the_reason_as_it_is(end: Any, error: str, strict: bool) -> None:
    """Also if it came up through nurseries, of which nothing is left."""
    raised = ERRORS[error]()
    assert raised is run(as_process, end, raising(raised), strict=strict)
    raised = ERRORS[error]()
    reason = run(as_process, end, nursed(raised, 3), strict=strict)
    assert str(raised) == str(reason)
    assert ["sent by customer 12"] == getattr(reason, "__notes__", None)
    assert is_public(reason)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "body",
    [leave_beside_a_crash, crash_while_leaving, crash_from_leaving, crash_in_a_generator],
)
@pytest.mark.parametrize("end", ENDS)
def test_a_crash_beside_an_exit_is_the_reason(end: Any, body: Any, strict: bool) -> None:
    """It has the exit as its context, by a public name."""
    reason = run(as_process, end, body, strict=strict)
    assert isinstance(reason, KeyError)
    assert is_public(reason)
    if body is not crash_in_a_generator:  # Python puts only its GeneratorExit there
        assert "bye" == exit_beside(reason)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("body", EXITS)
@pytest.mark.parametrize("end", ENDS)
def test_the_reason_of_an_exit_is_what_it_was_given(end: Any, body: Any, strict: bool) -> None:
    """Wherever in the code of a process it was called."""
    assert "bye" == run(as_process, end, body, strict=strict)


async def test_the_order_to_end_is_not_on_the_chain_of_last_words() -> None:
    """A `terminate` that raises is a crash without anything private behind it."""
    words = KeyError("last words")
    async with otp.open_process(trap_exit=True):
        pid = await otp.start_link(otp.child(Shop, words))
        with pytest.raises(otp.ServerExited) as caught:
            await otp.stop(pid)
    assert words is caught.value.reason
    assert is_public(caught.value)


async def test_a_group_of_last_words_is_reported_with_the_state(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also one that holds an exit beside the error."""

    class Last(otp.GenServer):
        async def terminate(self, reason: object) -> None:
            await leave_beside_a_crash()

    async with otp.open_process(trap_exit=True):
        pid = await otp.start_link(otp.child(Last))
        with pytest.raises(otp.ServerExited) as caught:
            await otp.stop(pid)
    assert isinstance(caught.value.reason, KeyError)
    assert "clean-up" in caplog.text


@pytest.mark.parametrize("end", ENDS)
async def test_the_end_of_an_iteration_that_is_no_answer_is_a_crash(end: Any) -> None:
    """Python turns it into a RuntimeError as it leaves the coroutine, whose cause it is."""
    reason = await as_process(end, raising(StopIteration("end")))
    assert isinstance(reason, RuntimeError)
    assert isinstance(reason.__cause__, StopIteration)
    assert isinstance(await as_process(end, raising(StopAsyncIteration())), StopAsyncIteration)


async def test_a_callback_that_never_waits_ends_its_server_the_same_way() -> None:
    """Without a coroutine of its own, by that of the server."""
    async with otp.open_process(trap_exit=True):
        pid = await otp.start_link(Shop)
        with pytest.raises(otp.ServerExited) as caught:
            await Shop.do_sync(pid, lambda: next(iter([])))
    assert isinstance(caught.value.reason, RuntimeError)
    assert isinstance(caught.value.reason.__cause__, StopIteration)


# -- callbacks of applications ---------------------------------------------------------------------


@pytest.mark.parametrize("error", ERRORS)
def test_a_callback_of_an_application_is_reported_with_its_error(error: str) -> None:
    """A nursery in it adds nothing."""
    raised, reports = ERRORS[error](), []

    class Stops(App):
        name = "stops"

        async def prep_stop(self) -> None:
            await nursed(raised)()

    async def main() -> None:
        async with otp.open_application(Stops):
            runtime().events.attach("crash", reports.append)

    run(main)
    [report] = reports
    assert str(raised) == str(report.reason)


def test_a_config_change_fails_with_its_error() -> None:
    """A nursery in it adds nothing."""
    raised = KeyError("port")

    class Listens(App):
        name = "listens"
        environment: ClassVar[Any] = {"port": 80}

        async def config_change(self, *change: object) -> None:
            await nursed(raised, 2)()

    async def main() -> None:
        async with otp.open_application(Listens):
            with pytest.raises(otp.ConfigChangeError) as caught:
                await otp.application.reload_config({"listens": {"port": 8080}})
        assert {"listens": raised} == caught.value.errors
        assert raised is caught.value.__cause__

    run(main)
